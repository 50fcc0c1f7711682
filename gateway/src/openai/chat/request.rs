//! A chat request, resolved: every value checked, every default filled in.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use crate::openai::ApiError;
use crate::openai::body::{self, Entries, TextOr};
use crate::transcript::{Effort, Tool, Turn};

use super::messages::{Said, check_function_name};
use super::wire::{self, Body};

/// The most that a request may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Messages.
    pub messages: usize,
    /// Bytes of text in all messages together.
    pub text_bytes: usize,
    /// Functions.
    pub tools: usize,
    /// Answers to one request.
    pub n: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { messages: 512, text_bytes: 512 * 1024, tools: 64, n: 8 }
    }
}

/// What a client wants, ready to be carried out.
#[derive(Debug, Clone, PartialEq)]
pub struct Chat {
    /// The model it asked for; not empty.
    pub model: String,
    /// Its system and developer messages, a blank line between them.
    pub instructions: Option<String>,
    /// The other messages, oldest first.
    pub turns: Vec<Turn>,
    /// Functions that the model may call; empty under `tool_choice: none`.
    pub tools: Vec<Tool>,
    /// How long the model may think.
    pub effort: Effort,
    /// How tokens are drawn.
    pub sampling: Sampling,
    /// The most tokens of one answer, thoughts included; at least 1.
    pub max_tokens: Option<u32>,
    /// Strings that end an answer: at most four, none empty.
    pub stops: Vec<String>,
    /// How many answers; at least 1.
    pub n: u32,
    /// Log-probabilities: how many alternatives (0 to 20) beside each token.
    pub logprobs: Option<u8>,
    /// Whether to answer as a stream of chunks.
    pub stream: bool,
    /// Whether the stream ends in a chunk with the usage.
    pub include_usage: bool,
    /// The client's own name for its end user.
    pub user: Option<String>,
    /// The client's own notes on the request.
    pub metadata: BTreeMap<String, String>,
}

/// How tokens are drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampling {
    /// 0 to 2; 0 is greedy. `None`: whatever the server is set to.
    pub temperature: Option<f32>,
    /// 0 to 1.
    pub top_p: f32,
    /// -2 to 2.
    pub frequency_penalty: f32,
    /// -2 to 2.
    pub presence_penalty: f32,
    /// Key of the draws; `None`: any.
    pub seed: Option<u64>,
    /// Token and what is added to its logit (-100 to 100).
    pub logit_bias: Vec<(u32, f32)>,
}

impl Chat {
    /// Reads and checks a request's body.
    pub fn parse(body: &[u8], limits: &Limits) -> Result<Self, ApiError> {
        let mut body: Body = body::read(body)?;
        refuse_absent_features(&body)?;
        if body.model.is_empty() {
            return Err(ApiError::missing_parameter("model"));
        }
        let said = Said::read(std::mem::take(&mut body.messages), limits)?;
        Ok(Self {
            instructions: said.instructions,
            turns: said.turns,
            tools: tools(&mut body, limits)?,
            effort: effort(body.reasoning_effort.as_deref())?,
            sampling: sampling(&body)?,
            max_tokens: max_tokens(&body)?,
            stops: stops(body.stop.take())?,
            n: within("n", body.n.unwrap_or(1), 1..=limits.n)?,
            logprobs: logprobs(&body)?,
            include_usage: include_usage(&body)?,
            stream: body.stream.unwrap_or(false),
            user: user(&mut body)?,
            metadata: metadata(body.metadata)?,
            model: body.model,
        })
    }

    /// The customer's last words, if the last turn is theirs.
    pub fn question(&self) -> Option<&str> {
        match self.turns.last() {
            Some(Turn::User(text)) => Some(text),
            _ => None,
        }
    }
}

/// What the API has and this server has not. Asking for what is the case anyway is no offence.
fn refuse_absent_features(body: &Body) -> Result<(), ApiError> {
    let absent = [
        ("audio", body.audio.is_some(), "Audio is not offered."),
        ("function_call", body.function_call.is_some(), "'function_call' is not offered. Use 'tool_choice'."),
        ("functions", body.functions.is_some(), "'functions' is not offered. Use 'tools'."),
        ("prediction", body.prediction.is_some(), "Predicted outputs are not offered."),
        ("store", body.store == Some(true), "Stored completions are not offered. Leave 'store' out."),
        ("web_search_options", body.web_search_options.is_some(), "Web search is not offered."),
    ];
    if let Some((param, _, advice)) = absent.iter().find(|(_, there, _)| *there) {
        return Err(ApiError::unsupported_parameter(param, *advice));
    }
    if body.modalities.as_ref().is_some_and(|all| all.iter().any(|each| each != "text")) {
        return Err(ApiError::unsupported_value("modalities", "Only the modality 'text' is offered."));
    }
    one_of("verbosity", body.verbosity.as_deref(), &["medium"], &["low", "high"])?;
    one_of(
        "service_tier",
        body.service_tier.as_deref(),
        &["auto", "default"],
        &["flex", "priority", "scale"],
    )?;
    let format = body.response_format.as_ref().map(|format| format.kind.as_str());
    match format {
        None | Some("text") => Ok(()),
        Some("json_object" | "json_schema") => {
            let advice = "Structured output is not offered yet. Ask for JSON in the messages and check it.";
            Err(ApiError::unsupported_parameter("response_format", advice))
        }
        Some(_) => one_of("response_format.type", format, &["text"], &[]),
    }
}

/// Checks a word: `offered` pass, `known` are the API's but not ours, others are nobody's.
fn one_of(param: &str, word: Option<&str>, offered: &[&str], known: &[&str]) -> Result<(), ApiError> {
    let Some(word) = word else { return Ok(()) };
    if offered.contains(&word) {
        return Ok(());
    }
    let offered = offered.join(", ");
    if known.contains(&word) {
        let message = format!("'{param}': '{word}' is not offered here; expected {offered}.");
        return Err(ApiError::unsupported_value(param, message));
    }
    Err(ApiError::invalid_value(param, format!("Invalid value for '{param}': expected {offered}.")))
}

fn within<T: PartialOrd + std::fmt::Display>(
    param: &str,
    value: T,
    range: RangeInclusive<T>,
) -> Result<T, ApiError> {
    if range.contains(&value) {
        return Ok(value);
    }
    let (low, high) = range.into_inner();
    let message = format!("Invalid value for '{param}': {value}; expected {low} to {high}.");
    Err(ApiError::invalid_value(param, message))
}

/// gpt-oss knows three levels; the API's others go to the nearest, since a model that was trained to
/// think can be told to think little, but not to stop.
fn effort(word: Option<&str>) -> Result<Effort, ApiError> {
    match word {
        None => Ok(Effort::default()),
        Some("none" | "minimal" | "low") => Ok(Effort::Low),
        Some("medium") => Ok(Effort::Medium),
        Some("high" | "xhigh" | "max") => Ok(Effort::High),
        Some(_) => {
            let message = "Invalid value for 'reasoning_effort': expected low, medium or high \
                (none and minimal count as low, xhigh and max as high).";
            Err(ApiError::invalid_value("reasoning_effort", message))
        }
    }
}

fn sampling(body: &Body) -> Result<Sampling, ApiError> {
    let number = |param, value: Option<f32>, default, range| within(param, value.unwrap_or(default), range);
    Ok(Sampling {
        temperature: body.temperature.map(|value| within("temperature", value, 0.0..=2.0)).transpose()?,
        top_p: number("top_p", body.top_p, 1.0, 0.0..=1.0)?,
        frequency_penalty: number("frequency_penalty", body.frequency_penalty, 0.0, -2.0..=2.0)?,
        presence_penalty: number("presence_penalty", body.presence_penalty, 0.0, -2.0..=2.0)?,
        seed: body.seed.map(i64::cast_unsigned),
        logit_bias: body
            .logit_bias
            .iter()
            .flat_map(|entries| &entries.0)
            .map(bias)
            .collect::<Result<_, _>>()?,
    })
}

fn bias((token, &bias): (&String, &f32)) -> Result<(u32, f32), ApiError> {
    let rule = "'logit_bias' maps token ids (integers as strings) to numbers from -100 to 100.";
    let id = token.parse().map_err(|_| ApiError::invalid_value("logit_bias", rule))?;
    within("logit_bias", bias, -100.0..=100.0).map(|bias| (id, bias))
}

fn max_tokens(body: &Body) -> Result<Option<u32>, ApiError> {
    if let (Some(new), Some(old)) = (body.max_completion_tokens, body.max_tokens)
        && new != old
    {
        let message = "'max_tokens' is the old name of 'max_completion_tokens': set one of them.";
        return Err(ApiError::invalid_value("max_tokens", message));
    }
    let named = [("max_completion_tokens", body.max_completion_tokens), ("max_tokens", body.max_tokens)];
    let given = named.into_iter().find_map(|(param, value)| value.map(|value| (param, value)));
    given.map(|(param, value)| within(param, value, 1..=u32::MAX)).transpose()
}

/// A stop string longer than this is a mistake, and everything that may begin it is held back.
const STOP_BYTES_MAX: usize = 256;

fn stops(stop: Option<TextOr<Vec<String>>>) -> Result<Vec<String>, ApiError> {
    let stops = match stop {
        None => Vec::new(),
        Some(TextOr::Text(one)) => vec![one],
        Some(TextOr::Other(several)) => several,
    };
    if stops.len() > 4 {
        return Err(ApiError::invalid_value(
            "stop",
            format!("{} stop strings; at most 4 are read.", stops.len()),
        ));
    }
    if !stops.iter().all(|stop| (1..=STOP_BYTES_MAX).contains(&stop.len())) {
        let message = format!("A stop string has 1 to {STOP_BYTES_MAX} bytes.");
        return Err(ApiError::invalid_value("stop", message));
    }
    Ok(stops)
}

fn logprobs(body: &Body) -> Result<Option<u8>, ApiError> {
    let wanted = body.logprobs.unwrap_or(false);
    match body.top_logprobs {
        Some(_) if !wanted => {
            Err(ApiError::invalid_value("top_logprobs", "'top_logprobs' needs 'logprobs': true."))
        }
        top => {
            let top = within("top_logprobs", top.unwrap_or(0), 0..=20)?;
            Ok(wanted.then_some(u8::try_from(top).unwrap_or(20)))
        }
    }
}

fn include_usage(body: &Body) -> Result<bool, ApiError> {
    let Some(options) = &body.stream_options else { return Ok(false) };
    if body.stream != Some(true) {
        return Err(ApiError::invalid_value("stream_options", "'stream_options' needs 'stream': true."));
    }
    if options.include_obfuscation == Some(true) {
        let message = "Obfuscation of streams is not offered.";
        return Err(ApiError::unsupported_value("stream_options.include_obfuscation", message));
    }
    Ok(options.include_usage.unwrap_or(false))
}

fn tools(body: &mut Body, limits: &Limits) -> Result<Vec<Tool>, ApiError> {
    let offers = body.tools.take().unwrap_or_default();
    if offers.len() > limits.tools {
        let message = format!("{} tools; at most {} are read.", offers.len(), limits.tools);
        return Err(ApiError::invalid_value("tools", message));
    }
    let mut tools: Vec<Tool> = Vec::with_capacity(offers.len());
    for (at, offer) in offers.into_iter().enumerate() {
        let tool = tool(offer, &format!("tools[{at}]"))?;
        if tools.iter().any(|other| other.name == tool.name) {
            let message = format!("Two tools have the name '{}'.", tool.name);
            return Err(ApiError::invalid_value(&format!("tools[{at}].function.name"), message));
        }
        tools.push(tool);
    }
    let choice = match &body.tool_choice {
        Some(TextOr::Text(word)) => Some(word.as_str()),
        Some(TextOr::Other(_)) => Some("a named tool"),
        None => None,
    };
    one_of("tool_choice", choice, &["auto", "none"], &["required", "a named tool"])?;
    Ok(if choice == Some("none") { Vec::new() } else { tools })
}

fn tool(offer: wire::Tool, path: &str) -> Result<Tool, ApiError> {
    one_of(&format!("{path}.type"), Some(&offer.kind), &["function"], &["custom"])?;
    let path = format!("{path}.function");
    let function = offer.function.ok_or_else(|| ApiError::missing_parameter(&path))?;
    check_function_name(&function.name, &format!("{path}.name"))?;
    if function.strict == Some(true) {
        let message =
            "Strict functions need structured output, which is not offered yet. Leave 'strict' out.";
        return Err(ApiError::unsupported_value(&format!("{path}.strict"), message));
    }
    if function.parameters.as_ref().is_some_and(|schema| !schema.is_object()) {
        let message = "The parameters are a JSON schema: expected an object.";
        return Err(ApiError::invalid_value(&format!("{path}.parameters"), message));
    }
    let description = function.description.unwrap_or_default();
    Ok(Tool { name: function.name, description, parameters: function.parameters })
}

/// The new name of the field wins over the old.
fn user(body: &mut Body) -> Result<Option<String>, ApiError> {
    let named = [("safety_identifier", body.safety_identifier.take()), ("user", body.user.take())];
    for (param, value) in named {
        if let Some(value) = value {
            within(&format!("length of {param}"), value.len(), 0..=512)
                .map_err(|error| ApiError::invalid_value(param, error.message))?;
            return Ok(Some(value));
        }
    }
    Ok(None)
}

/// OpenAI's limits: 16 entries, keys of 64 and values of 512 characters.
fn metadata(given: Option<Entries<String>>) -> Result<BTreeMap<String, String>, ApiError> {
    let given = given.map(|entries| entries.0).unwrap_or_default();
    let fits = |(key, value): (&String, &String)| key.chars().count() <= 64 && value.chars().count() <= 512;
    if given.len() <= 16 && given.iter().all(fits) {
        return Ok(given);
    }
    let message = "'metadata' holds at most 16 entries, with keys of 64 and values of 512 characters.";
    Err(ApiError::invalid_value("metadata", message))
}

#[cfg(test)]
mod tests;
