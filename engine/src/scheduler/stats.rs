//! What the scheduler has done and holds, for metrics.

/// The account of a moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Sequences that hold blocks.
    pub running: usize,
    /// Sequences that wait for a place or for blocks.
    pub waiting: usize,
    /// Blocks that hold nothing.
    pub blocks_free: usize,
    /// Blocks that no sequence uses, kept for a prompt that starts alike; taken when no free one is left.
    pub blocks_cached: usize,
    /// Blocks in use.
    pub blocks_referenced: usize,
    /// Sums since the start.
    pub counters: Counters,
}

/// Sums since the start; none ever decreases.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Steps planned: it stands still while there is work only if the executor hangs.
    pub steps: u64,
    /// Sequences that lost their blocks to an older one, to be computed again later.
    pub preemptions: u64,
    /// Tokens of prompts that were computed, again after a preemption included.
    pub prompt_tokens_computed: u64,
    /// Tokens that did not need computing because a block with them was found.
    pub cached_tokens: u64,
    /// Tokens drawn.
    pub tokens_generated: u64,
}
