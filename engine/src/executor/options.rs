//! How to lay a model out on this machine.

use crate::device::{KvPrecision, KvShape};
use crate::weights::{Config, LoadError};

/// Tokens of a block, at most.
const BLOCK_SIZE_MAX: usize = 1024;

/// How to lay a model out on this machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Ranks, each with a part of every layer: 1, 2, 4, ...
    pub tensor_parallel_size: usize,
    /// Tokens of a cache block; a multiple of 16 wastes no memory.
    pub block_size: usize,
    /// Cache blocks; `None`: as many as `kv_bytes` hold.
    pub block_count: Option<usize>,
    /// Bytes for the cache of all ranks, where `block_count` is `None`.
    pub kv_bytes: u64,
    /// How keys and values are kept.
    pub kv_precision: KvPrecision,
    /// Threads of all ranks together; `None`: one for each processor.
    pub threads: Option<usize>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            tensor_parallel_size: 1,
            block_size: 16,
            block_count: None,
            kv_bytes: 1 << 30,
            kv_precision: KvPrecision::F32,
            threads: None,
        }
    }
}

impl Options {
    pub(super) fn check(&self) -> Result<(), LoadError> {
        if !(1..=BLOCK_SIZE_MAX).contains(&self.block_size) {
            let found = self.block_size;
            return Err(LoadError::Options(format!(
                "block size: expected 1 to {BLOCK_SIZE_MAX} tokens, found {found}"
            )));
        }
        let most = u32::MAX as usize;
        if self.block_count.is_some_and(|count| !(1..=most).contains(&count)) {
            return Err(LoadError::Options(format!(
                "block count: expected 1 to {most}, found {:?}",
                self.block_count
            )));
        }
        Ok(())
    }

    pub(super) fn threads(&self) -> usize {
        let processors = || std::thread::available_parallelism().map_or(1, usize::from);
        self.threads.unwrap_or_else(processors).max(1)
    }

    /// The blocks asked for, or those that fit into the bytes; at least one.
    pub(super) fn block_count(&self, config: &Config) -> usize {
        let block = KvShape {
            blocks: 1,
            block_size: self.block_size,
            heads: config.kv_heads,
            head_dim: config.head_dim,
        };
        let elements = block.elements().unwrap_or(usize::MAX);
        let bytes = elements.saturating_mul(2 * self.kv_precision.bytes() * config.layers.len()) as u64;
        let fitting = (self.kv_bytes / bytes.max(1)).clamp(1, u64::from(u32::MAX));
        self.block_count.unwrap_or(fitting as usize)
    }
}
