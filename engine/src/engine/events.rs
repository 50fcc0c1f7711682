//! What a request's owner holds while it is answered.

use super::board::Board;
use crate::api::Event;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::mpsc::Receiver;

/// The events of one request: `Token`*, then exactly one `Finished` or `Failed`, then nothing.
///
/// Dropping it cancels the request: its blocks are free before the next step is planned. Reading slowly holds up
/// nobody.
#[derive(Debug)]
pub struct Events {
    receiver: Receiver<Event>,
    board: Arc<Board>,
    ended: bool,
}

impl Events {
    pub(super) fn new(receiver: Receiver<Event>, board: Arc<Board>) -> Self {
        Self { receiver, board, ended: false }
    }

    /// The next event, or `None` after the last. Cancel safe.
    pub async fn recv(&mut self) -> Option<Event> {
        std::future::poll_fn(|context| self.poll_recv(context)).await
    }

    /// [`Events::recv`] for those who write a `Stream` or a `Body`.
    pub fn poll_recv(&mut self, context: &mut Context<'_>) -> Poll<Option<Event>> {
        if self.ended {
            return Poll::Ready(None);
        }
        self.receiver.poll_recv(context).map(|event| {
            // A stream that breaks off without an end: the engine's thread is gone.
            let event = event.unwrap_or_else(|| Event::Failed { message: self.board.why_stopped() });
            self.ended = event.is_last();
            Some(event)
        })
    }
}
