//! Which full blocks hold which tokens after which others: a tree, one node per block.

use super::batch::BlockId;
use crate::api::TokenId;
use std::collections::HashMap;
use std::sync::Arc;

/// A chain of full blocks from the start of a sequence, by its last. Never used twice, so that the child of a
/// forgotten node cannot be found below a later one in the same block.
pub(super) type NodeId = u64;

/// The chain of no blocks.
pub(super) const ROOT: NodeId = 0;

/// Finds blocks by what they hold.
///
/// The map hashes (parent, tokens) and compares them on a hit, and a parent's id stands for everything before
/// it: two texts with one hash are two entries, never one.
#[derive(Debug, Default)]
pub(super) struct PrefixTree {
    nodes: HashMap<Chunk, Node>,
    /// The key of each block's node, to forget it by.
    chunks: HashMap<BlockId, Chunk>,
    last_id: NodeId,
}

/// One full block's tokens, after a chain.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Chunk {
    parent: NodeId,
    tokens: Arc<[TokenId]>,
}

/// Where a chunk is kept, and its name as a parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Node {
    pub id: NodeId,
    pub block: BlockId,
}

impl PrefixTree {
    /// The node of `tokens` (one block's) after the chain `parent`.
    pub fn get(&self, parent: NodeId, tokens: &[TokenId]) -> Option<Node> {
        self.nodes.get(&Chunk { parent, tokens: tokens.into() }).copied()
    }

    /// The longest chain of nodes that `tokens` starts with; the last, incomplete block is not looked for.
    pub fn longest(&self, tokens: &[TokenId], block_size: usize) -> Vec<Node> {
        let mut parent = ROOT;
        let next = |chunk| {
            let node = self.get(parent, chunk)?;
            parent = node.id;
            Some(node)
        };
        tokens.chunks_exact(block_size).map_while(next).collect()
    }

    /// Remembers that `block` holds `tokens` after `parent`. The place must be empty: see [`PrefixTree::get`].
    pub fn insert(&mut self, parent: NodeId, tokens: &[TokenId], block: BlockId) -> Node {
        self.last_id += 1;
        let node = Node { id: self.last_id, block };
        let chunk = Chunk { parent, tokens: tokens.into() };
        self.chunks.insert(block, chunk.clone());
        self.nodes.insert(chunk, node);
        node
    }

    /// Whether the block's contents can be found.
    pub fn holds(&self, block: BlockId) -> bool {
        self.chunks.contains_key(&block)
    }

    /// The block is about to hold something else.
    pub fn forget(&mut self, block: BlockId) {
        if let Some(chunk) = self.chunks.remove(&block) {
            self.nodes.remove(&chunk);
        }
    }

    /// Says what is wrong if the two maps disagree or a node's parent was forgotten before it.
    pub fn audit(&self) -> Result<(), String> {
        if self.nodes.len() != self.chunks.len() {
            return Err(format!("{} nodes but {} blocks with one", self.nodes.len(), self.chunks.len()));
        }
        let known: std::collections::HashSet<NodeId> = self.nodes.values().map(|node| node.id).collect();
        for (block, chunk) in &self.chunks {
            if self.nodes.get(chunk).map(|node| node.block) != Some(*block) {
                return Err(format!("block {block} is not where its tokens say"));
            }
            if chunk.parent != ROOT && !known.contains(&chunk.parent) {
                return Err(format!("block {block} outlived the block before it"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_tokens_after_another_start_are_another_node() {
        let mut tree = PrefixTree::default();
        let first = tree.insert(ROOT, &[1, 2], 10);
        let second = tree.insert(first.id, &[3, 4], 11);
        assert_eq!(tree.longest(&[1, 2, 3, 4, 5], 2), [first, second]);
        assert_eq!(tree.longest(&[3, 4, 3, 4], 2), []);
        let other = tree.insert(ROOT, &[3, 4], 12);
        assert_eq!(tree.longest(&[3, 4, 3, 4], 2), [other]);
    }

    #[test]
    fn a_forgotten_node_takes_its_children_out_of_reach() {
        let mut tree = PrefixTree::default();
        let first = tree.insert(ROOT, &[1, 2], 10);
        tree.insert(first.id, &[3, 4], 11);
        tree.forget(10);
        let again = tree.insert(ROOT, &[1, 2], 10);
        assert_eq!(tree.longest(&[1, 2, 3, 4], 2), [again], "block 11 was computed after another block");
        assert_eq!(tree.audit(), Err("block 11 outlived the block before it".into()));
    }
}
