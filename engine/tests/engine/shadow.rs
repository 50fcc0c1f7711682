//! An executor whose KV slots hold what was written to them, and whose next token is a hash of the context that
//! it reads *through the block table*.

use crate::random::mix;
use frontdesk_engine::api::{Request, Sampled, TokenId};
use frontdesk_engine::scheduler::Limits;
use frontdesk_engine::scheduler::batch::{Batch, Draw, Execute, ExecuteError, Work};

/// Tokens of the shadow's vocabulary: few, so that prompts collide and stop tokens are drawn.
pub const VOCABULARY: usize = 40;

/// What a token leaves behind. Like real keys and values it depends on everything before it (`context`), so a
/// block of the same tokens after another start is not the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Slot {
    token: TokenId,
    position: usize,
    context: u64,
}

/// The cache of a machine without a model.
pub struct Shadow {
    block_size: usize,
    slots: Vec<Option<Slot>>,
    /// Breaks it, for the canary: called with each batch before it is computed.
    pub sabotage: Option<fn(&mut Shadow, &mut Batch)>,
}

impl Shadow {
    pub fn new(limits: &Limits) -> Self {
        let slots = vec![None; limits.block_size * limits.block_count];
        Self { block_size: limits.block_size, slots, sabotage: None }
    }

    /// Makes a block's first slot hold something else.
    pub fn corrupt(&mut self, block: u32) {
        let index = block as usize * self.block_size;
        self.slots[index] = Some(Slot { token: 0, position: 0, context: 0xbad });
    }

    fn index(&self, work: &Work, position: usize) -> usize {
        work.blocks[position / self.block_size] as usize * self.block_size + position % self.block_size
    }

    /// The hash of all tokens before `position`, as the slots have it. A slot that is empty or out of place
    /// makes the hash another one.
    fn read(&self, work: &Work, position: usize) -> u64 {
        (0..position).fold(0, |context, at| match self.slots[self.index(work, at)] {
            Some(slot) if slot.position == at && slot.context == context => absorb(context, slot.token),
            _ => mix(context ^ 0xdead),
        })
    }

    fn compute(&mut self, work: &Work) -> Option<Sampled> {
        let mut context = self.read(work, work.position);
        for (position, &token) in (work.position..).zip(&work.tokens) {
            let index = self.index(work, position);
            self.slots[index] = Some(Slot { token, position, context });
            context = absorb(context, token);
        }
        let end = work.position + work.tokens.len();
        work.sample.as_ref().map(|draw| sampled(self.read(work, end), draw))
    }
}

impl Execute for Shadow {
    fn run(&mut self, batch: &Batch) -> Result<Vec<Sampled>, ExecuteError> {
        let mut batch = batch.clone();
        if let Some(sabotage) = self.sabotage {
            sabotage(self, &mut batch);
        }
        Ok(batch.work.iter().filter_map(|work| self.compute(work)).collect())
    }
}

/// What the request generates when it is alone, by the definition: no blocks, chunks or batches.
pub fn alone(request: &Request, capacity: usize) -> Vec<TokenId> {
    let mut context = request.prompt.iter().fold(0, |context, &token| absorb(context, token));
    let mut generated: Vec<TokenId> = Vec::new();
    while generated.len() < request.max_tokens && request.prompt.len() + generated.len() < capacity {
        let token = next(context, request.sampling.seed, &counts(request, &generated));
        generated.push(token);
        if request.stop.contains(&token) {
            break;
        }
        context = absorb(context, token);
    }
    generated
}

/// As `Draw::counts` should have it.
fn counts(request: &Request, generated: &[TokenId]) -> Vec<(TokenId, u32)> {
    let mut counts = std::collections::BTreeMap::new();
    for &token in generated.iter().filter(|_| request.sampling.has_penalties()) {
        *counts.entry(token).or_insert(0) += 1;
    }
    counts.into_iter().collect()
}

fn sampled(context: u64, draw: &Draw) -> Sampled {
    Sampled { token: next(context, draw.sampling.seed, &draw.counts), logprob: 0.0, top: Vec::new() }
}

fn next(context: u64, seed: u64, counts: &[(TokenId, u32)]) -> TokenId {
    let hash = counts.iter().fold(mix(context ^ mix(seed)), |hash, &(token, count)| {
        mix(hash ^ (u64::from(token) << 32 | u64::from(count)))
    });
    (hash % VOCABULARY as u64) as TokenId
}

fn absorb(context: u64, token: TokenId) -> u64 {
    mix(context.wrapping_mul(31).wrapping_add(u64::from(token) + 1))
}
