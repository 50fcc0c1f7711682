//! One question, from its masking to its answer. [`complete`] is the whole path, top to bottom.

mod answering;
mod choice;
mod ground;
mod handoff;
mod logprobs;
mod masking;
mod matter;
mod model;
mod stream;
mod today;
mod voice;
mod whole;

use std::sync::Arc;

use crate::layers::trace::Call;
use crate::openai::ApiError;
use crate::openai::chat::{self as wire, Chat};
use crate::reply::Response;
use crate::routes::Asked;
use crate::stack::Gateway;
use crate::telemetry::metrics;
use answering::{Answering, Record};
use ground::Ground;
use matter::matter;

pub use model::{Model, ModelError};

/// Room that passages leave for the answer; without it they would be read for nothing.
const ANSWER_TOKENS_MIN: usize = 64;

/// Answers `POST /v1/chat/completions`.
pub async fn complete(gateway: &Arc<Gateway>, call: &mut Call, asked: Asked) -> Result<Response, ApiError> {
    let model = Model::ready(gateway)?;
    let mut chat = metrics::stage("parse", || Chat::parse(&asked.body, &wire::Limits::default()))?;
    model.check_name(&chat.model)?;
    chat.sampling.temperature.get_or_insert(gateway.config.answers.default_temperature);

    // mask: before intent, retrieval, cache, engine and log see anything.
    let found = metrics::stage("mask", || masking::mask_chat(&mut chat, &gateway.masker));
    call.header("x-redactions", &masking::spelled(&found));

    // intent: what the customer wants decides whether the answer may be shared.
    let asked_for =
        chat.question().map(|question| if found.is_empty() { question.into() } else { matter(question) });
    let about: &str = asked_for.as_deref().unwrap_or_default();
    let wanted = metrics::stage("intent", || gateway.classifier.predict(about));
    let intent = (!wanted.abstained).then(|| wanted.intent.as_str());
    call.header("x-intent", intent.unwrap_or("unclear"));

    // answer cache: the same question was answered before, and nothing changed since.
    let record = Record::new(gateway, call, &asked.caller, &chat, intent);
    let place = cache_place(gateway, &asked, &chat, &found, intent);
    let stored = place.as_ref().and_then(|place| place.stored.clone());
    let cached = place.as_ref().map_or("bypass", |place| place.result());
    metrics::cache_lookup(cached);
    call.header("x-cache", cached);
    if let Some(stored) = stored {
        announce(gateway, call, &stored.framed);
        return finish(gateway, &chat, Answering::replay(&stored, record, asked.permit)).await;
    }

    // retrieve: the passages nearest to the question, in a frame that keeps them data.
    let ground = metrics::stage("retrieve", || Ground::find(gateway, &asked.head.headers, &chat, about));

    // render, reserve: the prompt in tokens, and the caller's allowance for the most it can cost.
    let (ground, prompt) = metrics::stage("render", || fitting(model, ground, &chat));
    announce(gateway, call, &ground.ids());
    let max_tokens = model.room(&prompt, chat.max_tokens, gateway.config.answers.default_max_tokens)?;
    let most = prompt.len() as u64 + max_tokens as u64 * u64::from(chat.n);
    let reservation = gateway.limits.reserve_tokens(&asked.caller, most, &mut call.headers)?;

    // generate: from here on the answer owns everything; dropping it cancels.
    let choices = choice::start(gateway, model, &chat, &ground, &prompt, max_tokens)?;
    metrics::overhead(call.arrived.elapsed());
    let keep = place.map(|place| place.key);
    let answering = Answering::live(choices, ground, record, keep, reservation, asked.permit);
    finish(gateway, &chat, answering).await
}

/// The prompt, with as many of the passages as leave room for an answer.
fn fitting(model: &Model, mut ground: Ground, chat: &Chat) -> (Ground, Vec<u32>) {
    loop {
        let prompt = crate::transcript::render(&ground.conversation(chat), &model.vocabulary);
        let fits = prompt.len() + ANSWER_TOKENS_MIN <= model.engine.limits().sequence_capacity();
        if fits || !ground.leave_out_last() {
            return (ground, prompt);
        }
    }
}

/// Streams the answer, or waits for the whole of it.
async fn finish(gateway: &Arc<Gateway>, chat: &Chat, answering: Answering) -> Result<Response, ApiError> {
    let answer = wire::Answer {
        id: format!("chatcmpl-{}", uuid::Uuid::new_v4().simple()),
        created: today::unix_seconds(),
        model: gateway.config.model.name.clone(),
        include_usage: chat.include_usage,
    };
    match chat.stream {
        true => Ok(stream::respond(answer, answering, chat.n, gateway.config.answers.keep_alive)),
        false => whole::respond(&answer, answering, chat.logprobs.is_some()).await,
    }
}

fn announce(gateway: &Gateway, call: &mut Call, passages: &[String]) {
    call.header("x-frontdesk-sources", &passages.join(","));
    call.header("x-kb-version", &gateway.knowledge.version().to_string());
}

/// Where an answer lies in the cache, and what lies there.
struct Place {
    key: crate::cache::Key,
    stored: Option<Arc<crate::cache::Stored>>,
}

impl Place {
    fn result(&self) -> &'static str {
        if self.stored.is_some() { "hit-exact" } else { "miss" }
    }
}

/// Intents about a customer's own affairs: the same words from two customers want two answers.
const PERSONAL: [&str; 3] = ["order_query", "complaint", "account"];

/// `None` where the answer must not be shared: several turns, personal data, a personal intent, a draw that is
/// meant to differ each time, or a client that asked for a fresh one.
fn cache_place(
    gateway: &Gateway,
    asked: &Asked,
    chat: &Chat,
    found: &masking::Found,
    intent: Option<&str>,
) -> Option<Place> {
    let cache = gateway.cache.as_ref()?;
    let control = asked.head.headers.get(http::header::CACHE_CONTROL).and_then(|value| value.to_str().ok());
    let fresh = control.is_some_and(|text| text.contains("no-cache") || text.contains("no-store"));
    let plain = chat.turns.len() == 1 && chat.n == 1 && chat.tools.is_empty() && chat.logprobs.is_none();
    let personal = !found.is_empty() || intent.is_some_and(|intent| PERSONAL.contains(&intent));
    if fresh
        || !plain
        || personal
        || chat.sampling.temperature > Some(0.0)
        || !ground::wanted(&asked.head.headers)
    {
        return None;
    }
    let question = Chat {
        stream: false,
        include_usage: false,
        user: None,
        metadata: Default::default(),
        ..chat.clone()
    };
    let key = cache.key(&asked.caller.tenant, gateway.knowledge.version(), &question);
    Some(Place { stored: cache.get(&key), key })
}
