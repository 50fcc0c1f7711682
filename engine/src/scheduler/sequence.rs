//! One request on its way: what is known of it, what is computed, and where.

use super::batch::{BlockId, Draw, SequenceId, Work};
use super::blocks::Blocks;
use super::prefix::{Node, NodeId, ROOT};
use crate::api::{FinishReason, Request, Sampling, TokenId, Usage};
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Debug)]
pub(super) struct Sequence {
    pub id: SequenceId,
    /// The prompt, then what was drawn.
    known: Vec<TokenId>,
    prompt_len: usize,
    /// Of the known tokens, how many have their keys and values in `blocks`.
    computed: usize,
    pub blocks: Vec<BlockId>,
    /// Of the blocks, how many are full and published; `tip` is the last of them.
    published: usize,
    tip: NodeId,
    /// Known tokens at which it ends.
    end: usize,
    /// Tokens of the prompt found in the cache when it first ran.
    cached_tokens: Option<usize>,
    sampling: Arc<Sampling>,
    logprobs: Option<u8>,
    stop: Vec<TokenId>,
    /// Generated tokens and how often; empty unless a penalty needs them.
    counts: BTreeMap<TokenId, u32>,
    /// Part of the batch being computed.
    pub in_flight: bool,
    /// To be removed, without events, when that batch is committed.
    pub cancelled: bool,
}

impl Sequence {
    /// `capacity`: the most tokens of one sequence.
    pub fn new(id: SequenceId, request: Request, capacity: usize) -> Self {
        let prompt_len = request.prompt.len();
        Self {
            id,
            known: request.prompt,
            prompt_len,
            computed: 0,
            blocks: Vec::new(),
            published: 0,
            tip: ROOT,
            end: prompt_len.saturating_add(request.max_tokens).min(capacity),
            cached_tokens: None,
            sampling: Arc::new(request.sampling),
            logprobs: request.logprobs,
            stop: request.stop,
            counts: BTreeMap::new(),
            in_flight: false,
            cancelled: false,
        }
    }

    /// Known tokens that are not computed; at least one, as the last drawn is not.
    pub fn pending(&self) -> usize {
        self.known.len() - self.computed
    }

    /// Blocks still to be taken before `more` tokens beyond the known ones have their place.
    pub fn blocks_wanted(&self, more: usize, block_size: usize) -> usize {
        (self.known.len() + more).div_ceil(block_size).saturating_sub(self.blocks.len())
    }

    /// Whether `count` more tokens can be computed in the blocks it has.
    pub fn has_room(&self, count: usize, block_size: usize) -> bool {
        self.computed + count <= self.blocks.len() * block_size
    }

    /// The known tokens that may come from the cache: not the last, whose logits are needed.
    pub fn reusable(&self) -> &[TokenId] {
        &self.known[..self.known.len() - 1]
    }

    /// Starts with a chain of shared blocks; how many tokens that saved.
    pub fn start(&mut self, prefix: &[Node], block_size: usize) -> usize {
        self.blocks = prefix.iter().map(|node| node.block).collect();
        self.published = prefix.len();
        self.tip = prefix.last().map_or(ROOT, |node| node.id);
        self.computed = prefix.len() * block_size;
        self.cached_tokens.get_or_insert(self.computed);
        self.computed
    }

    /// The first block that is not full yet, by the chain before it and its tokens, if it may come from the cache.
    pub fn next_block(&self, block_size: usize) -> Option<(NodeId, &[TokenId])> {
        let start = self.published * block_size;
        Some((self.tip, self.reusable().get(start..start + block_size)?))
    }

    /// Whether nothing of its next block is computed.
    pub fn is_at_block_start(&self, block_size: usize) -> bool {
        self.computed == self.published * block_size
    }

    /// Goes on with the blocks that others have published where it is; how many tokens that saved. What it had of
    /// such a block itself is given back.
    pub fn catch_up(&mut self, block_size: usize, blocks: &mut Blocks) -> usize {
        let before = self.computed;
        while let Some(node) = self.next_block(block_size).and_then(|(tip, tokens)| blocks.find(tip, tokens))
        {
            blocks.share(node.block);
            self.blocks.drain(self.published..).rev().for_each(|block| blocks.release(block));
            self.blocks.push(node.block);
            self.tip = node.id;
            self.published += 1;
            self.computed = self.published * block_size;
        }
        self.computed - before
    }

    /// The next `count` tokens, for a batch.
    pub fn plan(&mut self, count: usize, block_size: usize) -> Work {
        self.in_flight = true;
        let end = self.computed + count;
        Work {
            sequence: self.id,
            tokens: self.known[self.computed..end].to_vec(),
            position: self.computed,
            blocks: self.blocks[..end.div_ceil(block_size)].to_vec(),
            sample: (end == self.known.len()).then(|| self.draw()),
        }
    }

    fn draw(&self) -> Draw {
        Draw {
            sampling: Arc::clone(&self.sampling),
            logprobs: self.logprobs,
            counts: self.counts.iter().map(|(&token, &count)| (token, count)).collect(),
        }
    }

    /// `count` tokens were computed; those of the prompt among them are returned. Blocks that became full are
    /// published.
    pub fn advance(&mut self, count: usize, block_size: usize, blocks: &mut Blocks) -> usize {
        self.in_flight = false;
        let before = self.computed;
        self.computed += count;
        while (self.published + 1) * block_size <= self.computed {
            let start = self.published * block_size;
            let tokens = &self.known[start..start + block_size];
            let node = blocks.publish(self.tip, tokens, self.blocks[self.published]);
            self.blocks[self.published] = node.block;
            self.tip = node.id;
            self.published += 1;
        }
        self.computed.min(self.prompt_len) - before.min(self.prompt_len)
    }

    /// A token was drawn; whether that was the last, and why.
    pub fn push(&mut self, token: TokenId) -> Option<FinishReason> {
        self.known.push(token);
        if self.sampling.has_penalties() {
            *self.counts.entry(token).or_default() += 1;
        }
        if self.stop.contains(&token) {
            Some(FinishReason::Stop)
        } else {
            (self.known.len() >= self.end).then_some(FinishReason::Length)
        }
    }

    /// Gives every block back, the last first; what it knows stays known, to be computed again.
    pub fn give_back(&mut self, blocks: &mut Blocks) {
        for block in self.blocks.drain(..).rev() {
            blocks.release(block);
        }
        self.computed = 0;
        self.published = 0;
        self.tip = ROOT;
    }

    pub fn usage(&self) -> Usage {
        Usage {
            prompt_tokens: self.prompt_len,
            cached_tokens: self.cached_tokens.unwrap_or_default(),
            completion_tokens: self.known.len() - self.prompt_len,
        }
    }

    /// Says what is wrong between tokens and blocks, if anything.
    pub fn audit(&self, block_size: usize, shared: impl Fn(BlockId) -> bool) -> Result<(), String> {
        let fault = |what: &str| Err(format!("sequence {}: {what}", self.id));
        if self.computed >= self.known.len() {
            return fault("no known token is left to compute");
        }
        if self.computed > self.blocks.len() * block_size {
            return fault("computed tokens have no block");
        }
        if self.published != self.computed / block_size {
            return fault("a full block is not published, or a published block is not full");
        }
        if self.blocks.iter().skip(self.published).any(|&block| shared(block)) {
            return fault("a block that is still written to is shared");
        }
        Ok(())
    }
}
