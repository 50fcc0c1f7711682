//! Who uses which block. A block is free, referenced by sequences, or cached: unused, but found by its contents.

use super::batch::BlockId;
use super::prefix::{Node, NodeId, PrefixTree};
use crate::api::TokenId;
use std::collections::BTreeMap;

/// All blocks of the cache.
///
/// A sequence that uses a block uses those before it too, and gives the last back first. So a cached block is
/// always taken before the one that its chain goes through, and the tree has no loose ends.
#[derive(Debug)]
pub(super) struct Blocks {
    /// Per block: sequences that use it.
    references: Vec<u32>,
    free: Vec<BlockId>,
    /// Cached blocks by the time of their last release: the first is taken first.
    cached: BTreeMap<u64, BlockId>,
    /// Per block: its key in `cached`, while it is there.
    released_at: Vec<u64>,
    /// Counts releases.
    releases: u64,
    tree: PrefixTree,
}

impl Blocks {
    pub fn new(count: usize) -> Self {
        let ids = 0..u32::try_from(count).unwrap_or(u32::MAX);
        Self {
            references: vec![0; ids.len()],
            released_at: vec![0; ids.len()],
            free: ids.rev().collect(),
            cached: BTreeMap::new(),
            releases: 0,
            tree: PrefixTree::default(),
        }
    }

    pub fn free(&self) -> usize {
        self.free.len()
    }

    pub fn cached(&self) -> usize {
        self.cached.len()
    }

    pub fn referenced(&self) -> usize {
        self.references.len() - self.available()
    }

    /// Blocks that [`Blocks::allocate`] can still give.
    pub fn available(&self) -> usize {
        self.free.len() + self.cached.len()
    }

    /// A block of one's own to write to: a free one, else the cached one that was used longest ago.
    pub fn allocate(&mut self) -> Option<BlockId> {
        let block = self.free.pop().or_else(|| self.evict())?;
        self.references[block as usize] = 1;
        Some(block)
    }

    fn evict(&mut self) -> Option<BlockId> {
        let (_, block) = self.cached.pop_first()?;
        self.tree.forget(block);
        Some(block)
    }

    /// The longest chain of blocks with the start of `tokens`.
    pub fn longest_prefix(&self, tokens: &[TokenId], block_size: usize) -> Vec<Node> {
        self.tree.longest(tokens, block_size)
    }

    /// The block of these tokens after the chain `parent`.
    pub fn find(&self, parent: NodeId, tokens: &[TokenId]) -> Option<Node> {
        self.tree.get(parent, tokens)
    }

    /// How many of the blocks nobody uses now: those that sharing takes from the available ones.
    pub fn unused(&self, nodes: &[Node]) -> usize {
        nodes.iter().filter(|node| self.references[node.block as usize] == 0).count()
    }

    /// One more sequence uses the block.
    pub fn share(&mut self, block: BlockId) {
        let index = block as usize;
        if self.references[index] == 0 {
            self.cached.remove(&self.released_at[index]);
        }
        self.references[index] += 1;
    }

    /// One sequence less uses the block. Of several, release the last of the chain first.
    pub fn release(&mut self, block: BlockId) {
        let index = block as usize;
        self.references[index] -= 1;
        if self.references[index] > 0 {
            return;
        }
        if self.tree.holds(block) {
            self.releases += 1;
            self.released_at[index] = self.releases;
            self.cached.insert(self.releases, block);
        } else {
            self.free.push(block);
        }
    }

    /// Makes a full block of one sequence known to all. Where another block already holds the same after the
    /// same, `block` is released and the other one shared: the answer says which to use.
    pub fn publish(&mut self, parent: NodeId, tokens: &[TokenId], block: BlockId) -> Node {
        match self.tree.get(parent, tokens) {
            Some(twin) => {
                self.share(twin.block);
                self.release(block);
                twin
            }
            None => self.tree.insert(parent, tokens, block),
        }
    }

    /// Counts anew and compares. `uses`: per block, the sequences that say they use it.
    pub fn audit(&self, uses: &[u32]) -> Result<(), String> {
        if let Some(block) = (0..uses.len()).find(|&block| uses[block] != self.references[block]) {
            let (found, counted) = (uses[block], self.references[block]);
            return Err(format!("block {block}: {found} sequences use it, {counted} are counted"));
        }
        let mut seen = vec![false; self.references.len()];
        for &block in self.free.iter().chain(self.cached.values()) {
            let index = block as usize;
            if std::mem::replace(&mut seen[index], true) || self.references[index] > 0 {
                return Err(format!("block {block} is free or cached, and also elsewhere"));
            }
        }
        if let Some(block) = (0..seen.len()).find(|&block| !seen[block] && self.references[block] == 0) {
            return Err(format!("block {block} is lost: neither free, cached nor referenced"));
        }
        if let Some(block) = self.free.iter().find(|&&block| self.tree.holds(block)) {
            return Err(format!("block {block} is free, and its contents can be found"));
        }
        if let Some(block) = self.cached.values().find(|&&block| !self.tree.holds(block)) {
            return Err(format!("block {block} is cached, and nothing finds it"));
        }
        self.tree.audit()
    }
}
