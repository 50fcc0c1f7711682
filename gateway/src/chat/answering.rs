//! An answer on its way: it owns the permit, the reservation and the generations. Dropping it, early or at its
//! end, gives all of them back and writes the record: one path for every way an answer can end.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use super::choice::{Choice, Said};
use super::ground::Ground;
use super::handoff::handoff;
use crate::auth::Caller;
use crate::cache::{Key, Stored};
use crate::layers::admit::Permit;
use crate::layers::limit::Reservation;
use crate::layers::trace::Call;
use crate::openai::chat::{Chat, FinishReason, FrontDesk, Usage};
use crate::stack::Gateway;
use crate::store::Exchange;
use crate::telemetry::metrics;
use crate::transcript::{Piece, Reply};

/// What is known of a request before its answer.
pub struct Record {
    gateway: Arc<Gateway>,
    id: String,
    tenant: String,
    question: String,
    intent: Option<String>,
    arrived: Instant,
}

impl Record {
    /// Notes the masked question.
    pub fn new(
        gateway: &Arc<Gateway>,
        call: &Call,
        caller: &Caller,
        chat: &Chat,
        intent: Option<&str>,
    ) -> Self {
        Self {
            gateway: Arc::clone(gateway),
            id: call.id.clone(),
            tenant: caller.tenant.clone(),
            question: chat.question().unwrap_or_default().to_owned(),
            intent: intent.map(str::to_owned),
            arrived: call.arrived,
        }
    }
}

/// An answer on its way.
pub struct Answering {
    choices: Vec<Choice>,
    /// What is left to say of an answer from the cache.
    replayed: Option<Replay>,
    replies: Vec<Reply>,
    reasons: Vec<Option<FinishReason>>,
    failed: bool,
    silent: bool,
    turn: usize,
    ground: Ground,
    record: Record,
    keep: Option<Key>,
    reservation: Option<Reservation>,
    _permit: Permit,
}

struct Replay {
    left: std::vec::IntoIter<Said>,
    usage: Usage,
    frontdesk: FrontDesk,
}

impl Answering {
    /// An answer that the engine writes.
    pub fn live(
        choices: Vec<Choice>,
        ground: Ground,
        record: Record,
        keep: Option<Key>,
        reservation: Reservation,
        permit: Permit,
    ) -> Self {
        let mut answering = Self::empty(choices.len(), record, permit);
        answering.choices = choices;
        answering.ground = ground;
        answering.keep = keep;
        answering.reservation = Some(reservation);
        answering
    }

    /// An answer given before.
    pub fn replay(stored: &Stored, record: Record, permit: Permit) -> Self {
        let reasoning = Said::Piece(Piece::Reasoning(stored.reply.reasoning.clone()), Vec::new());
        let content = Said::Piece(Piece::Content(stored.reply.content.clone()), Vec::new());
        let mut left = vec![content, Said::End(FinishReason::Stop)];
        if !stored.reply.reasoning.is_empty() {
            left.insert(0, reasoning);
        }
        let usage = Usage { cached_tokens: stored.usage.prompt_tokens, ..stored.usage };
        let frontdesk = FrontDesk { cache: "hit-exact".to_owned(), ..stored.frontdesk.clone() };
        let mut answering = Self::empty(1, record, permit);
        answering.replayed = Some(Replay { left: left.into_iter(), usage, frontdesk });
        answering
    }

    fn empty(count: usize, record: Record, permit: Permit) -> Self {
        Self {
            choices: Vec::new(),
            replayed: None,
            replies: vec![Reply::default(); count],
            reasons: vec![None; count],
            failed: false,
            silent: true,
            turn: 0,
            ground: Ground::default(),
            record,
            keep: None,
            reservation: None,
            _permit: permit,
        }
    }

    /// What is said next and by which choice; `None` when all have ended. Cancel safe.
    pub async fn next(&mut self) -> Option<(u32, Said)> {
        let (index, said) = std::future::poll_fn(|context| self.poll_next(context)).await?;
        match &said {
            Said::Piece(piece, _) => {
                if std::mem::take(&mut self.silent) {
                    metrics::first_token(self.record.arrived.elapsed());
                }
                if let Some(reply) = self.replies.get_mut(index) {
                    reply.add(piece.clone());
                }
            }
            Said::End(reason) => {
                if let Some(ended) = self.reasons.get_mut(index) {
                    *ended = Some(*reason);
                }
            }
            Said::Failed(_) => self.failed = true,
        }
        Some((u32::try_from(index).unwrap_or(u32::MAX), said))
    }

    /// Tokens of all choices; the prompt counts once.
    pub fn usage(&self) -> Usage {
        if let Some(replay) = &self.replayed {
            return replay.usage;
        }
        self.choices.iter().map(Choice::usage).fold(Usage::default(), |sum, usage| Usage {
            prompt_tokens: usage.prompt_tokens,
            cached_tokens: sum.cached_tokens.max(usage.cached_tokens),
            completion_tokens: sum.completion_tokens + usage.completion_tokens,
            reasoning_tokens: sum.reasoning_tokens + usage.reasoning_tokens,
        })
    }

    /// What a choice stands on.
    pub fn frontdesk(&self, index: u32) -> FrontDesk {
        if let Some(replay) = &self.replayed {
            return replay.frontdesk.clone();
        }
        let empty = Reply::default();
        let reply = self.replies.get(index as usize).unwrap_or(&empty);
        let Ground { looked_up, covered, .. } = self.ground;
        FrontDesk {
            sources: self.ground.cited(&reply.reasoning, &reply.content),
            covered,
            intent: self.record.intent.clone(),
            cache: if self.keep.is_some() { "miss" } else { "bypass" }.to_owned(),
            handoff: handoff(&self.record.question, looked_up, covered, &reply.content),
        }
    }

    /// All replies, and why each ended.
    pub fn replies(&self) -> impl Iterator<Item = (&Reply, FinishReason)> {
        let reasons = self.reasons.iter().map(|reason| reason.unwrap_or(FinishReason::Length));
        self.replies.iter().zip(reasons)
    }

    /// The choices take turns, so that no stream starves another.
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<(usize, Said)>> {
        if let Some(replay) = &mut self.replayed {
            return Poll::Ready(replay.left.next().map(|said| (0, said)));
        }
        let count = self.choices.len();
        let mut ended = 0;
        for _ in 0..count {
            self.turn = (self.turn + 1) % count;
            let Some(choice) = self.choices.get_mut(self.turn) else { continue };
            match pin!(choice.next()).poll(context) {
                Poll::Ready(Some(said)) => return Poll::Ready(Some((self.turn, said))),
                Poll::Ready(None) => ended += 1,
                Poll::Pending => {}
            }
        }
        if ended == count { Poll::Ready(None) } else { Poll::Pending }
    }

    fn outcome(&self) -> &'static str {
        match (self.failed, self.reasons.iter().all(Option::is_some), &self.replayed) {
            (true, ..) => "failed",
            (false, true, Some(_)) => "cached",
            (false, true, None) => "finished",
            (false, false, _) => "cancelled",
        }
    }

    /// Keeps an answer that is complete, grounded and names nobody.
    fn keep(&self, key: Key, usage: Usage) {
        let (Some(cache), Some(reply)) = (&self.record.gateway.cache, self.replies.first()) else { return };
        let complete =
            self.reasons == [Some(FinishReason::Stop)] && !self.failed && !reply.content.is_empty();
        let names_nobody = self.choices.iter().all(|choice| choice.redactions().is_empty());
        if complete && self.ground.covered && names_nobody {
            let (frontdesk, framed) = (self.frontdesk(0), self.ground.ids());
            cache.put(key, Stored { reply: reply.clone(), usage, frontdesk, framed });
        }
    }

    fn log(&self, outcome: &'static str) {
        let Some(conversations) = &self.record.gateway.conversations else { return };
        let masker = &self.record.gateway.masker;
        let frontdesk = self.frontdesk(0);
        let answers: Vec<&str> = self.replies.iter().map(|reply| reply.content.as_str()).collect();
        conversations.add(Exchange {
            id: self.record.id.clone(),
            tenant: self.record.tenant.clone(),
            at: std::time::SystemTime::now(),
            // Masked already; masking twice changes nothing, and only the masker makes the log's type.
            question: masker.mask(&self.record.question),
            answer: masker.mask(&answers.join("\n\n")),
            intent: self.record.intent.clone(),
            cache: frontdesk.cache,
            covered: frontdesk.covered,
            handoff: frontdesk.handoff,
            sources: frontdesk.sources.into_iter().map(|source| source.id).collect(),
            outcome,
            took: self.record.arrived.elapsed(),
        });
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        let (usage, outcome) = (self.usage(), self.outcome());
        if let Some(reservation) = &mut self.reservation {
            reservation.use_up((usage.prompt_tokens + usage.completion_tokens) as u64);
        }
        if self.replayed.is_none() {
            metrics::tokens("prompt", usage.prompt_tokens);
            metrics::tokens("cached", usage.cached_tokens);
            metrics::tokens("completion", usage.completion_tokens);
        }
        let redactions = self.choices.iter().flat_map(Choice::redactions);
        redactions.for_each(|kind| metrics::redaction(kind.as_str(), "out"));
        metrics::generation(outcome);
        if let Some(key) = self.keep {
            self.keep(key, usage);
        }
        self.log(outcome);
    }
}
