//! The step loop: take what came in, plan, compute, tell.

use super::board::Board;
use super::outbox::{Outbox, Outlet};
use super::places::Places;
use crate::api::{Event, Request, Sampled};
use crate::scheduler::Scheduler;
use crate::scheduler::batch::{Batch, Execute, ExecuteError};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Instant;

/// A request on its way in.
#[derive(Debug)]
pub(super) struct Submission {
    pub request: Request,
    pub outlet: Outlet,
}

/// Everything that the engine's thread owns.
pub(super) struct Steps {
    executor: Box<dyn Execute + Send>,
    scheduler: Scheduler,
    inbox: Receiver<Submission>,
    outbox: Outbox,
    places: Arc<Places>,
    board: Arc<Board>,
}

/// How a step can go wrong.
enum Fault {
    /// This batch could not be computed; the next one may.
    Error(ExecuteError),
    /// Nothing is known about the executor any more.
    Panic(String),
}

impl Steps {
    pub fn new(
        executor: Box<dyn Execute + Send>,
        scheduler: Scheduler,
        inbox: Receiver<Submission>,
        places: Arc<Places>,
        board: Arc<Board>,
    ) -> Self {
        Self { executor, scheduler, inbox, outbox: Outbox::default(), places, board }
    }

    /// Until every handle is dropped and every request answered, or the executor panics.
    pub fn run(mut self) {
        while let Some(submissions) = self.take_inbox(self.scheduler.is_idle()) {
            submissions.into_iter().for_each(|submission| self.accept(submission));
            self.cancel_abandoned();
            let batch = self.scheduler.schedule();
            let events = match self.compute(&batch) {
                Ok(sampled) => self.scheduler.commit(&batch, sampled),
                Err(Fault::Error(error)) => self.scheduler.fail(&batch, &error.to_string()),
                Err(Fault::Panic(message)) => return self.stop(message),
            };
            // Before the events: who has read the end of a request finds it in the account.
            self.publish();
            events.into_iter().for_each(|(id, event)| self.outbox.send(id, event));
        }
    }

    /// What came in since the last look. `wait`: sleeps until something does. `None`: nothing will ever again.
    fn take_inbox(&self, wait: bool) -> Option<Vec<Submission>> {
        let first = if wait { Some(self.inbox.recv().ok()?) } else { None };
        Some(first.into_iter().chain(self.inbox.try_iter()).collect())
    }

    fn accept(&mut self, submission: Submission) {
        let Submission { request, outlet } = submission;
        match self.scheduler.submit(request) {
            Ok(id) => self.outbox.add(id, outlet),
            // Its place was granted by the same limits, so this takes a fault of ours.
            Err(rejected) => outlet.end(Event::Failed { message: rejected.to_string() }),
        }
    }

    fn cancel_abandoned(&mut self) {
        for id in self.outbox.take_abandoned() {
            self.scheduler.cancel(id);
        }
    }

    /// The only function that touches a device.
    fn compute(&mut self, batch: &Batch) -> Result<Vec<Sampled>, Fault> {
        if batch.work.is_empty() {
            return Ok(Vec::new());
        }
        let start = Instant::now();
        // A panicking executor is never called again, so nobody sees what it left half done.
        let outcome = catch_unwind(AssertUnwindSafe(|| self.executor.run(batch)));
        self.account(batch, start);
        let draws = batch.work.iter().filter(|work| work.sample.is_some()).count();
        let fault = match outcome {
            Ok(Ok(sampled)) if sampled.len() == draws => return Ok(sampled),
            Ok(Ok(sampled)) => {
                Fault::Error(ExecuteError(format!("{draws} tokens were to be drawn, {} came", sampled.len())))
            }
            Ok(Err(error)) => Fault::Error(error),
            Err(payload) => Fault::Panic(format!("the executor panicked: {}", panic_message(&*payload))),
        };
        self.board.update(|stats| stats.failed_steps += 1);
        match &fault {
            Fault::Error(error) => tracing::error!(%error, sequences = batch.work.len(), "a step failed"),
            Fault::Panic(message) => tracing::error!("{message}"),
        }
        Err(fault)
    }

    fn account(&self, batch: &Batch, start: Instant) {
        let (time, tokens) = (start.elapsed(), batch.work.iter().map(|work| work.tokens.len()).sum());
        self.board.update(|stats| {
            stats.step_time += time;
            stats.last_step_time = time;
            stats.batch_tokens += tokens as u64;
            stats.last_batch_tokens = tokens;
        });
    }

    fn publish(&self) {
        let scheduler = self.scheduler.stats();
        self.board.update(|stats| stats.scheduler = scheduler);
    }

    /// Everyone hears why: those in flight here, those in the inbox when it is dropped with `self`.
    fn stop(mut self, message: String) {
        self.board.stop(message.clone());
        self.places.close();
        self.outbox.fail_all(&message);
    }
}

fn panic_message(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}
