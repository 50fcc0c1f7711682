//! One choice of an answer: tokens come from the engine, masked pieces go out.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use frontdesk_engine::api::{self, Event, Rejected, Sampled};
use frontdesk_engine::engine::Events;

use super::ground::Ground;
use super::logprobs::Beside;
use super::model::Model;
use super::voice::Voice;
use crate::mask::{Kind, Masker, Public, Span};
use crate::openai::ApiError;
use crate::openai::chat::{Chat, FinishReason, TokenLogprob, Usage};
use crate::stack::Gateway;
use crate::transcript::{Parser, Piece, StopStrings, Vocabulary};

/// What a choice says next.
#[derive(Debug, Clone)]
pub enum Said {
    /// More of it, masked, with the log-probabilities of its tokens.
    Piece(Piece, Vec<TokenLogprob>),
    /// It is complete.
    End(FinishReason),
    /// The engine failed.
    Failed(String),
}

/// One choice on its way.
pub struct Choice {
    /// `None` once nothing more is wanted: dropping the events cancels the generation.
    events: Option<Events>,
    vocabulary: Arc<Vocabulary>,
    parser: Parser,
    stops: StopStrings,
    masker: Masker,
    /// What the passages say may be said again.
    public: Arc<Public>,
    reasoning: Voice,
    content: Voice,
    arguments: Vec<Voice>,
    logprobs: Option<Beside>,
    ready: VecDeque<Said>,
    usage: Usage,
}

/// Asks the engine for all choices of a request.
///
/// # Errors
/// The engine's refusal in the API's words. Choices already begun are then cancelled by being dropped.
pub fn start(
    gateway: &Gateway,
    model: &Model,
    chat: &Chat,
    ground: &Ground,
    prompt: &[u32],
    max_tokens: usize,
) -> Result<Vec<Choice>, ApiError> {
    let public = Arc::new(Public::of(&gateway.masker, ground.texts()));
    let seed = chat.sampling.seed.unwrap_or_else(|| uuid::Uuid::new_v4().as_u64_pair().0);
    let choice = |index: u32| {
        let request = request(model, chat, prompt, max_tokens, seed.wrapping_add(u64::from(index)));
        let events = model.engine.generate(request).map_err(refusal)?;
        let usage = Usage { prompt_tokens: prompt.len(), ..Usage::default() };
        Ok(Choice::new(events, model, chat, (gateway.masker, &public), usage))
    };
    (0..chat.n).map(choice).collect()
}

impl Choice {
    fn new(
        events: Events,
        model: &Model,
        chat: &Chat,
        (masker, public): (Masker, &Arc<Public>),
        usage: Usage,
    ) -> Self {
        let reply = uuid::Uuid::new_v4().simple().to_string();
        Self {
            events: Some(events),
            vocabulary: Arc::clone(&model.vocabulary),
            parser: Parser::new(Arc::clone(&model.vocabulary), &reply),
            stops: StopStrings::new(chat.stops.iter().cloned()),
            masker,
            public: Arc::clone(public),
            reasoning: Voice::new(&masker, public),
            content: Voice::new(&masker, public),
            arguments: Vec::new(),
            logprobs: chat.logprobs.map(|_| Beside::default()),
            ready: VecDeque::new(),
            usage,
        }
    }

    /// What it says next; `None` after its end. Cancel safe.
    pub async fn next(&mut self) -> Option<Said> {
        loop {
            if let Some(said) = self.ready.pop_front() {
                return Some(said);
            }
            match self.events.as_mut()?.recv().await? {
                Event::Token(sampled) => self.token(&sampled),
                Event::Finished { reason, usage } => self.finished(reason, usage),
                Event::Failed { message } => {
                    self.events = None;
                    self.ready.push_back(Said::Failed(message));
                }
            }
        }
    }

    /// Tokens so far.
    pub fn usage(&self) -> Usage {
        Usage { reasoning_tokens: self.parser.reasoning_tokens(), ..self.usage }
    }

    /// What was masked in all that the model wrote.
    pub fn redactions(&self) -> Vec<Kind> {
        let voices = [&self.reasoning, &self.content].into_iter().chain(&self.arguments);
        voices.flat_map(|voice| self.masked_in(voice.raw())).collect()
    }

    fn masked_in(&self, raw: &str) -> Vec<Kind> {
        let masked = |span: &Span| self.masker.masks(span.kind) && !self.public.holds(raw, *span);
        self.masker.scan(raw).into_iter().filter(masked).map(|span| span.kind).collect()
    }

    fn token(&mut self, sampled: &Sampled) {
        self.usage.completion_tokens += 1;
        let pieces = self.parser.push(sampled.token);
        if self.parser.in_content() {
            let entry = self.logprobs.is_some().then(|| self.entry(sampled));
            let text: String = pieces.iter().filter_map(content_of).collect();
            self.logprobs.iter_mut().for_each(|beside| beside.push(&text, entry.clone()));
        }
        for piece in pieces {
            // After a stop string nothing is said, also when the same token brought more.
            if self.events.is_some() {
                self.say(piece);
            }
        }
    }

    /// A raw piece goes through its field's mask. Content first passes the stop strings.
    fn say(&mut self, piece: Piece) {
        match piece {
            Piece::Reasoning(text) => {
                let text = self.reasoning.push(&text);
                self.queue(Piece::Reasoning(text));
            }
            Piece::Content(text) => {
                self.end_reasoning();
                let released = self.stops.push(&text);
                let masked = self.content.push(&released.text);
                self.queue(Piece::Content(masked));
                if released.stopped && self.events.take().is_some() {
                    self.end(FinishReason::Stop);
                }
            }
            Piece::ToolCallStart { .. } => {
                self.end_reasoning();
                self.end_arguments();
                self.arguments.push(Voice::new(&self.masker, &self.public));
                self.queue(piece);
            }
            Piece::ToolCallArguments { index, fragment } => {
                let fragment =
                    self.arguments.last_mut().map(|voice| voice.push(&fragment)).unwrap_or_default();
                self.queue(Piece::ToolCallArguments { index, fragment });
            }
        }
    }

    fn finished(&mut self, reason: api::FinishReason, usage: api::Usage) {
        self.events = None;
        self.usage.cached_tokens = usage.cached_tokens;
        self.parser.finish().into_iter().for_each(|piece| self.say(piece));
        let rest = self.stops.finish();
        let rest = self.content.push(&rest);
        self.queue(Piece::Content(rest));
        self.end(match reason {
            api::FinishReason::Length => FinishReason::Length,
            api::FinishReason::Stop if self.parser.calls() > 0 => FinishReason::ToolCalls,
            api::FinishReason::Stop => FinishReason::Stop,
        });
    }

    /// What the masks still hold is scanned as ended, said, and then the end.
    fn end(&mut self, reason: FinishReason) {
        self.end_reasoning();
        self.end_arguments();
        let rest = self.content.finish();
        self.queue(Piece::Content(rest));
        self.ready.push_back(Said::End(reason));
    }

    fn end_reasoning(&mut self) {
        let rest = self.reasoning.finish();
        self.queue(Piece::Reasoning(rest));
    }

    fn end_arguments(&mut self) {
        let index = self.arguments.len().saturating_sub(1);
        let fragment = self.arguments.last_mut().map(Voice::finish).unwrap_or_default();
        self.queue(Piece::ToolCallArguments { index, fragment });
    }

    fn queue(&mut self, piece: Piece) {
        let logprobs = match (&mut self.logprobs, content_of(&piece)) {
            (Some(beside), Some(text)) => beside.release(text),
            _ => Vec::new(),
        };
        if !is_empty(&piece) || !logprobs.is_empty() {
            self.ready.push_back(Said::Piece(piece, logprobs));
        }
    }

    fn entry(&self, sampled: &Sampled) -> TokenLogprob {
        let top = sampled.top.iter().map(|(token, logprob)| (self.vocabulary.bytes(*token), *logprob));
        TokenLogprob::new(self.vocabulary.bytes(sampled.token), sampled.logprob, top)
    }
}

fn content_of(piece: &Piece) -> Option<&str> {
    match piece {
        Piece::Content(text) => Some(text),
        _ => None,
    }
}

fn is_empty(piece: &Piece) -> bool {
    match piece {
        Piece::Reasoning(text) | Piece::Content(text) | Piece::ToolCallArguments { fragment: text, .. } => {
            text.is_empty()
        }
        Piece::ToolCallStart { .. } => false,
    }
}

fn request(model: &Model, chat: &Chat, prompt: &[u32], max_tokens: usize, seed: u64) -> api::Request {
    let sampling = &chat.sampling;
    api::Request {
        prompt: prompt.to_vec(),
        sampling: api::Sampling {
            temperature: sampling.temperature.unwrap_or_default(),
            top_p: sampling.top_p,
            seed,
            frequency_penalty: sampling.frequency_penalty,
            presence_penalty: sampling.presence_penalty,
            logit_bias: sampling.logit_bias.clone(),
            ..api::Sampling::default()
        },
        max_tokens,
        stop: model.vocabulary.stop_ids().to_vec(),
        logprobs: chat.logprobs,
    }
}

fn refusal(rejected: Rejected) -> ApiError {
    let message = rejected.to_string();
    match rejected {
        Rejected::QueueFull { .. } => ApiError::rate_limited(message, Duration::from_secs(1)),
        Rejected::TooLong { needed, limit } => ApiError::context_length_exceeded(needed, limit),
        Rejected::Invalid(_) => ApiError::invalid_body(message),
        Rejected::Draining => ApiError::overloaded(message, Duration::from_secs(1)),
        Rejected::Stopped(_) => ApiError::overloaded(message, Duration::from_secs(5)),
    }
}
