//! Ranks 1 and up: a thread each, that runs every step it is sent.

use crate::device::{Cpu, Rows};
use crate::model::{Model, Step};
use crate::weights::LoadError;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

/// The other ranks' threads. They end when this is dropped.
pub(super) struct Followers {
    inboxes: Vec<SyncSender<Arc<Step>>>,
    threads: Vec<JoinHandle<()>>,
}

impl Followers {
    /// Gives each model a thread.
    pub(super) fn start(models: impl Iterator<Item = Model<Cpu>>) -> Result<Self, LoadError> {
        let mut followers = Self { inboxes: Vec::new(), threads: Vec::new() };
        for (i, model) in models.enumerate() {
            let (inbox, steps) = sync_channel(1);
            let thread = std::thread::Builder::new().name(format!("rank-{}", i + 1));
            let thread = thread.spawn(move || follow(model, &steps));
            let thread =
                thread.map_err(|e| LoadError::Options(format!("no thread for rank {}: {e}", i + 1)))?;
            followers.inboxes.push(inbox);
            followers.threads.push(thread);
        }
        Ok(followers)
    }

    /// Hands a step to every rank.
    pub(super) fn send(&self, step: &Arc<Step>) {
        for inbox in &self.inboxes {
            // A rank that has ended has severed the link, which rank 0 will notice.
            let _ = inbox.send(Arc::clone(step));
        }
    }
}

impl Drop for Followers {
    fn drop(&mut self) {
        self.inboxes.clear();
        for thread in self.threads.drain(..) {
            // A rank's panic was already reported as a failed step.
            let _ = thread.join();
        }
    }
}

/// Runs steps until there are no more, or until another rank is gone.
fn follow(mut model: Model<Cpu>, steps: &Receiver<Arc<Step>>) {
    let mut logits = Rows::new(model.vocab_size());
    while let Ok(step) = steps.recv() {
        if model.forward(&step, &mut logits).is_err() {
            return;
        }
    }
}
