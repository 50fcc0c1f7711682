//! The account, counted anew: what must hold between any two calls.

use super::Scheduler;
use super::sequence::Sequence;

impl Scheduler {
    /// Checks that every block is free, cached or referenced, by as many sequences as counted; that a block
    /// being written has one owner, and shared ones are full; and that only running sequences hold blocks.
    ///
    /// # Errors
    /// The first fault, in words. It is always one of the scheduler itself.
    pub fn audit(&self) -> Result<(), String> {
        let mut uses = vec![0; self.limits.block_count];
        for &block in self.sequences.iter().flat_map(|sequence| &sequence.blocks) {
            uses[block as usize] += 1;
        }
        self.blocks.audit(&uses)?;
        let shared = |block| uses[block as usize] > 1;
        self.sequences.iter().try_for_each(|sequence| sequence.audit(self.limits.block_size, shared))?;
        let waits_with_blocks = |sequence: &&Sequence| !sequence.blocks.is_empty();
        match self.sequences[self.running..].iter().find(waits_with_blocks) {
            Some(sequence) => Err(format!("sequence {} waits and holds blocks", sequence.id)),
            None => Ok(()),
        }
    }
}
