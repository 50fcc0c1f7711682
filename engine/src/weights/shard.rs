//! Which part of the model each rank holds.

use super::{Config, LoadError};
use crate::device::{LANES, MXFP4_BLOCK};
use std::ops::Range;

/// The most ranks.
const RANKS_MAX: usize = 64;

/// A model's division over its ranks. Parts may be uneven, and empty where there is less than one unit a rank.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Split {
    ranks: usize,
}

/// One rank's part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shard {
    /// Its number; rank 0 adds the biases that must be added once.
    pub rank: usize,
    /// Query heads, consecutive.
    pub query_heads: Range<usize>,
    /// The key/value heads that these look at; neighbours may hold the same one.
    pub kv_heads: Range<usize>,
    /// Elements between an expert's two products: whole blocks of 32, so that MXFP4 blocks stay whole.
    pub expert_width: Range<usize>,
    /// Tokens whose logits it computes.
    pub vocabulary: Range<usize>,
}

impl Split {
    /// A division over `ranks` ranks.
    pub fn new(ranks: usize) -> Result<Self, LoadError> {
        if !(1..=RANKS_MAX).contains(&ranks) {
            return Err(LoadError::Options(format!(
                "tensor parallel size: expected 1 to {RANKS_MAX}, found {ranks}"
            )));
        }
        Ok(Self { ranks })
    }

    /// How many ranks.
    pub fn ranks(&self) -> usize {
        self.ranks
    }

    /// Every rank's part.
    pub fn shards(&self, config: &Config) -> Vec<Shard> {
        (0..self.ranks).map(|rank| self.shard(config, rank)).collect()
    }

    fn shard(&self, config: &Config, rank: usize) -> Shard {
        let query_heads = self.part(config.query_heads, 1, rank);
        let group = config.query_heads / config.kv_heads;
        let kv_heads = match query_heads.is_empty() {
            true => 0..0,
            false => query_heads.start / group..query_heads.end.div_ceil(group),
        };
        let expert_width = self.part(config.expert_width, MXFP4_BLOCK, rank);
        let vocabulary = self.part(config.vocab_size, LANES, rank);
        Shard { rank, query_heads, kv_heads, expert_width, vocabulary }
    }

    /// The rank's part of `size` in whole units; the first ranks take the units that are left over.
    fn part(&self, size: usize, unit: usize, rank: usize) -> Range<usize> {
        let units = size.div_ceil(unit);
        let edge =
            |rank: usize| ((units / self.ranks * rank + rank.min(units % self.ranks)) * unit).min(size);
        edge(rank)..edge(rank + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(size: usize, unit: usize, ranks: usize) -> Vec<usize> {
        let split = Split { ranks };
        (0..ranks).map(|rank| split.part(size, unit, rank).len()).collect()
    }

    #[test]
    fn parts_are_whole_units_and_cover_all() {
        assert_eq!(parts(2880, 32, 4), [736, 736, 704, 704]);
        assert_eq!(parts(64, 32, 4), [32, 32, 0, 0]);
        assert_eq!(parts(6, 1, 4), [2, 2, 1, 1]);
        assert_eq!(parts(1, 1, 2), [1, 0]);
        assert_eq!(parts(100, 16, 4), [32, 32, 32, 4]);
        for (size, unit, ranks) in [(201_088, 16, 4), (77, 32, 3), (5, 16, 4)] {
            assert_eq!(parts(size, unit, ranks).iter().sum::<usize>(), size);
        }
    }

    /// (query heads, key/value heads) of each rank.
    fn heads(query_heads: usize, kv_heads: usize, ranks: usize) -> Vec<(Range<usize>, Range<usize>)> {
        let config = Config { query_heads, kv_heads, ..Config::tiny() };
        let shards = Split { ranks }.shards(&config);
        shards.into_iter().map(|s| (s.query_heads, s.kv_heads)).collect()
    }

    #[test]
    fn a_rank_holds_the_key_value_heads_that_its_queries_need() {
        assert_eq!(heads(64, 8, 4)[1], (16..32, 2..4));
        assert_eq!(heads(8, 2, 4), [(0..2, 0..1), (2..4, 0..1), (4..6, 1..2), (6..8, 1..2)]);
        assert_eq!(heads(6, 3, 4), [(0..2, 0..1), (2..4, 1..2), (4..5, 2..3), (5..6, 2..3)]);
        assert_eq!(heads(6, 2, 2), [(0..3, 0..1), (3..6, 1..2)]);
        assert_eq!(heads(4, 4, 3), [(0..2, 0..2), (2..3, 2..3), (3..4, 3..4)]);
        assert_eq!(heads(1, 1, 2), [(0..1, 0..1), (1..1, 0..0)]);
    }
}
