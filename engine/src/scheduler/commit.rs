//! The outcome of a step.

use super::Scheduler;
use super::batch::{Batch, SequenceId};
use crate::api::{Event, Sampled};

impl Scheduler {
    /// Takes what the executor drew for the batch: one for each work with a draw, in the batch's order. What
    /// happened to whom, in order; nothing about a cancelled sequence.
    pub fn commit(&mut self, batch: &Batch, sampled: Vec<Sampled>) -> Vec<(SequenceId, Event)> {
        self.in_flight = false;
        let mut sampled = sampled.into_iter();
        let mut events = Vec::with_capacity(sampled.len());
        for work in &batch.work {
            let drawn = work.sample.as_ref().and_then(|_| sampled.next());
            let Some(index) = self.index_of(work.sequence) else { continue };
            self.advance(index, work.tokens.len());
            if self.sequences[index].cancelled {
                self.remove(index);
            } else if let Some(drawn) = drawn {
                self.append(index, drawn, &mut events);
            }
        }
        events
    }

    /// The batch could not be computed: its sequences end, the others go on.
    pub fn fail(&mut self, batch: &Batch, message: &str) -> Vec<(SequenceId, Event)> {
        self.in_flight = false;
        let mut events = Vec::with_capacity(batch.work.len());
        for work in &batch.work {
            let Some(index) = self.index_of(work.sequence) else { continue };
            if !self.remove(index).cancelled {
                events.push((work.sequence, Event::Failed { message: message.into() }));
            }
        }
        events
    }

    fn advance(&mut self, index: usize, count: usize) {
        let of_prompt = self.sequences[index].advance(count, self.limits.block_size, &mut self.blocks);
        self.counters.prompt_tokens_computed += of_prompt as u64;
    }

    fn append(&mut self, index: usize, drawn: Sampled, events: &mut Vec<(SequenceId, Event)>) {
        let sequence = &mut self.sequences[index];
        let (id, finish) = (sequence.id, sequence.push(drawn.token));
        self.counters.tokens_generated += 1;
        events.push((id, Event::Token(drawn)));
        if let Some(reason) = finish {
            let usage = self.remove(index).usage();
            events.push((id, Event::Finished { reason, usage }));
        }
    }
}
