//! The answer in one body.

use super::answering::Answering;
use super::choice::Said;
use crate::openai::ApiError;
use crate::openai::chat::{Answer, Choice, Logprobs, TokenLogprob};
use crate::reply::{self, Response};

/// Waits for all of it. A client that leaves meanwhile drops this future, and with it the answer.
pub async fn respond(
    answer: &Answer,
    mut answering: Answering,
    wants_logprobs: bool,
) -> Result<Response, ApiError> {
    let mut entries: Vec<(u32, TokenLogprob)> = Vec::new();
    while let Some((index, said)) = answering.next().await {
        match said {
            Said::Piece(_, logprobs) => entries.extend(logprobs.into_iter().map(|entry| (index, entry))),
            Said::End(_) => {}
            Said::Failed(message) => {
                tracing::error!(message, "the engine failed");
                return Err(ApiError::internal("The engine failed on this request. It is not your fault."));
            }
        }
    }
    let of = |index: u32| entries.iter().filter(move |(at, _)| *at == index).map(|(_, entry)| entry.clone());
    let choices = (0..).zip(answering.replies()).map(|(index, (reply, finish_reason))| Choice {
        index,
        message: reply.clone().into(),
        logprobs: wants_logprobs.then(|| Logprobs::new(of(index).collect())),
        finish_reason,
    });
    reply::json(&answer.completion(choices.collect(), answering.usage(), Some(answering.frontdesk(0))))
}
