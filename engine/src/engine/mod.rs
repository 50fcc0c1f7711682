//! The handle (cheap clone, async) and the step loop on its own thread.
//!
//! A request takes a *place* before it is queued and gives it back with its last event: places bound every
//! queue, and an engine whose places are all home has nothing to do. Dropping [`Events`] is the one way to
//! cancel: the step loop looks for streams without a reader before it plans a step.

mod board;
mod events;
mod outbox;
mod places;
mod steps;

pub use board::{Stats, Status};
pub use events::Events;

use crate::api::{Rejected, Request};
use crate::scheduler::batch::Execute;
use crate::scheduler::{Limits, Scheduler};
use board::Board;
use outbox::Outlet;
use places::{NoPlace, Places};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use steps::{Steps, Submission};
use tokio::sync::mpsc;

/// The engine, seen from outside. Clones are the same engine; when the last is dropped, the requests in flight
/// are still answered and then the engine's thread ends.
#[derive(Debug, Clone)]
pub struct Engine {
    limits: Limits,
    inbox: SyncSender<Submission>,
    places: Arc<Places>,
    board: Arc<Board>,
}

impl Engine {
    /// Starts the step loop on a thread of its own, which also drops the executor at the end. Limits that
    /// contradict each other are brought into range.
    pub fn start(executor: Box<dyn Execute + Send>, limits: Limits) -> Self {
        let scheduler = Scheduler::new(limits);
        let limits = *scheduler.limits();
        let places = Arc::new(Places::new(limits.places()));
        let board = Arc::new(Board::new(scheduler.stats()));
        // Who sends holds a place, so the inbox is never full.
        let (inbox, submissions) = sync_channel(limits.places());
        let steps = Steps::new(executor, scheduler, submissions, Arc::clone(&places), Arc::clone(&board));
        let started = std::thread::Builder::new().name("engine-steps".into()).spawn(move || steps.run());
        if let Err(error) = started {
            board.stop(format!("its thread could not be started: {error}"));
        }
        Self { limits, inbox, places, board }
    }

    /// Queues a request, or says at once why not. Never waits.
    ///
    /// # Errors
    /// See [`Rejected`]: nothing was queued or computed.
    pub fn generate(&self, request: Request) -> Result<Events, Rejected> {
        self.limits.admit(&request)?;
        let place = self.places.take().map_err(|reason| self.rejected(reason))?;
        let tokens = request.max_tokens.min(self.limits.sequence_capacity() - request.prompt.len());
        // Room for every token, the end, and one to spare: the engine never waits for a reader.
        let (sender, receiver) = mpsc::channel(tokens + 2);
        let outlet = Outlet { sender, place };
        match self.inbox.try_send(Submission { request, outlet }) {
            Ok(()) => Ok(Events::new(receiver, Arc::clone(&self.board))),
            Err(_) => Err(Rejected::Stopped(self.board.why_stopped())),
        }
    }

    /// The account of the last step.
    pub fn stats(&self) -> Stats {
        Stats { in_flight: self.places.taken(), ..self.board.stats() }
    }

    /// What the engine is doing with new requests.
    pub fn status(&self) -> Status {
        match self.board.stopped() {
            Some(reason) => Status::Stopped(reason),
            None if self.places.are_closed() => Status::Draining,
            None => Status::Serving,
        }
    }

    /// What requests are measured against.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Takes no new requests from now on; those in flight finish.
    pub fn drain(&self) {
        self.places.close();
    }

    /// Returns once the engine takes no new requests (see [`Engine::drain`]) and none is in flight.
    pub async fn drained(&self) {
        self.places.all_home().await;
    }

    fn rejected(&self, reason: NoPlace) -> Rejected {
        match (self.board.stopped(), reason) {
            (Some(reason), _) => Rejected::Stopped(reason),
            (None, NoPlace::Closed) => Rejected::Draining,
            (None, NoPlace::Taken) => Rejected::QueueFull { limit: self.limits.places() },
        }
    }
}
