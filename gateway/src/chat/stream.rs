//! The answer as server-sent events.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderName, HeaderValue};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};

use super::answering::Answering;
use super::choice::Said;
use crate::openai::ApiError;
use crate::openai::chat::{Answer, Chunk, Delta, Logprobs};
use crate::reply::Response;

/// The head at once, then every event as soon as it is there.
pub fn respond(answer: Answer, answering: Answering, count: u32, keep_alive: Duration) -> Response {
    let openings = (0..count).map(|index| event(&answer.opening(index))).collect();
    let events = Events { answer, answering, ready: openings, keep_alive, over: false };
    let frames = futures_util::stream::unfold(events, |mut events| async move {
        let bytes = events.next().await?;
        Some((Ok::<_, Infallible>(Frame::data(bytes)), events))
    });
    let mut response = http::Response::new(StreamBody::new(frames).boxed_unsync());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // Proxies that gather a response before they pass it on would hold the first words back.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

struct Events {
    answer: Answer,
    answering: Answering,
    ready: VecDeque<Bytes>,
    keep_alive: Duration,
    over: bool,
}

impl Events {
    /// The next event; in silence a comment, so that nobody between us and the client gives up.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if self.over {
                return None;
            }
            match tokio::time::timeout(self.keep_alive, self.answering.next()).await {
                Ok(Some((index, said))) => self.said(index, said),
                Ok(None) => self.end(),
                Err(_) => return Some(Bytes::from_static(b": keep-alive\n\n")),
            }
        }
    }

    fn said(&mut self, index: u32, said: Said) {
        match said {
            Said::Piece(piece, logprobs) => {
                let mut chunk = self.answer.chunk(index, Delta::from(piece));
                if let (Some(choice), false) = (chunk.choices.first_mut(), logprobs.is_empty()) {
                    choice.logprobs = Some(Logprobs::new(logprobs));
                }
                self.ready.push_back(event(&chunk));
            }
            Said::End(reason) => {
                let closing = self.answer.closing(index, reason, Some(self.answering.frontdesk(index)));
                self.ready.push_back(event(&closing));
            }
            // The status is long sent: an error event, and no [DONE], tells the client.
            Said::Failed(message) => {
                tracing::error!(message, "the engine failed");
                let error = ApiError::internal("The engine failed on this request. It is not your fault.");
                self.ready.push_back(data(&error.to_json()));
                self.over = true;
            }
        }
    }

    fn end(&mut self) {
        if self.answer.include_usage {
            self.ready.push_back(event(&self.answer.usage(self.answering.usage())));
        }
        self.ready.push_back(data("[DONE]"));
        self.over = true;
    }
}

fn event(chunk: &Chunk) -> Bytes {
    // A chunk holds strings and numbers only; should it ever not serialise, an empty object breaks no client.
    data(&serde_json::to_string(chunk).unwrap_or_else(|_| "{}".to_owned()))
}

fn data(text: &str) -> Bytes {
    Bytes::from(format!("data: {text}\n\n"))
}
