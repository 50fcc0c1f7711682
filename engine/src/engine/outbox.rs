//! Where events go, by sequence.

use super::places::Place;
use crate::api::Event;
use crate::scheduler::batch::SequenceId;
use std::collections::BTreeMap;
use tokio::sync::mpsc::Sender;

/// The engine's end of one request: the stream to its owner, and its place.
#[derive(Debug)]
pub(super) struct Outlet {
    pub sender: Sender<Event>,
    pub place: Place,
}

impl Outlet {
    /// The place is home before its owner reads the last event and asks again.
    pub fn end(self, event: Event) {
        drop(self.place);
        // An owner who left does not miss it.
        let _ = self.sender.try_send(event);
    }
}

/// The outlets of all unfinished sequences.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    outlets: BTreeMap<SequenceId, Outlet>,
}

impl Outbox {
    pub fn add(&mut self, id: SequenceId, outlet: Outlet) {
        self.outlets.insert(id, outlet);
    }

    /// Never waits: a stream has room for all its events, and one without an owner is found by
    /// [`Outbox::take_abandoned`].
    pub fn send(&mut self, id: SequenceId, event: Event) {
        if !event.is_last() {
            if let Some(outlet) = self.outlets.get(&id) {
                let _ = outlet.sender.try_send(event);
            }
        } else if let Some(outlet) = self.outlets.remove(&id) {
            outlet.end(event);
        }
    }

    /// Forgets the sequences whose owners left; their places come home.
    pub fn take_abandoned(&mut self) -> Vec<SequenceId> {
        self.outlets.extract_if(.., |_, outlet| outlet.sender.is_closed()).map(|(id, _)| id).collect()
    }

    pub fn fail_all(&mut self, message: &str) {
        while let Some((_, outlet)) = self.outlets.pop_first() {
            outlet.end(Event::Failed { message: message.into() });
        }
    }
}
