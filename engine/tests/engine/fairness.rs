//! How long a prompt waits for its first token while others are computed: the bound of `Scheduler::schedule`,
//! from seeds and in the case that it is there for.

use crate::random::Random;
use crate::shadow::{Shadow, VOCABULARY};
use frontdesk_engine::api::{Event, Request, Sampling, TokenId};
use frontdesk_engine::scheduler::batch::{Execute, SequenceId};
use frontdesk_engine::scheduler::{Limits, Scheduler};
use std::collections::BTreeMap;

/// A prompt that has no first token yet.
struct Waiting {
    prompt: Vec<TokenId>,
    steps: usize,
    most: usize,
}

/// A scheduler with a place and blocks for whoever comes.
struct House {
    limits: Limits,
    scheduler: Scheduler,
    shadow: Shadow,
    waiting: BTreeMap<SequenceId, Waiting>,
}

impl House {
    fn new(block_size: usize, max_batch_tokens: usize, max_batch_sequences: usize, longest: usize) -> Self {
        let limits = Limits {
            block_size,
            block_count: max_batch_sequences * (longest.div_ceil(block_size) + 1),
            max_batch_tokens,
            max_batch_sequences,
            max_waiting: 0,
            context_length: longest,
            vocabulary_size: VOCABULARY,
        };
        let (scheduler, shadow) = (Scheduler::new(limits), Shadow::new(&limits));
        Self { limits, scheduler, shadow, waiting: BTreeMap::new() }
    }

    /// Submits, if there is a place.
    fn submit(&mut self, prompt: Vec<TokenId>, max_tokens: usize) -> Option<SequenceId> {
        let sampling = Sampling::greedy();
        let request = Request { prompt: prompt.clone(), sampling, max_tokens, stop: vec![], logprobs: None };
        let id = self.scheduler.submit(request).ok()?;
        let most = self.most_steps(&prompt);
        self.waiting.insert(id, Waiting { prompt, steps: 0, most });
        Some(id)
    }

    /// As `Scheduler::schedule` promises.
    fn most_steps(&self, prompt: &[TokenId]) -> usize {
        let Limits { block_size, max_batch_tokens, max_batch_sequences, .. } = self.limits;
        let share = (max_batch_tokens / 2 / max_batch_sequences).max(1);
        let start = prompt.get(..block_size);
        let begins_alike = |other: &&Waiting| start.is_some_and(|start| other.prompt.starts_with(start));
        let alike = self.waiting.values().filter(begins_alike).count();
        prompt.len().div_ceil(share) + alike * block_size.div_ceil(share)
    }

    /// One step: who has the first token now, after how many.
    fn step(&mut self) -> Result<Vec<(SequenceId, usize)>, String> {
        let batch = self.scheduler.schedule();
        let sampled = self.shadow.run(&batch).map_err(|error| error.to_string())?;
        let events = self.scheduler.commit(&batch, sampled);
        self.scheduler.audit()?;
        self.waiting.values_mut().for_each(|waiting| waiting.steps += 1);
        let tokens = events.into_iter().filter(|(_, event)| matches!(event, Event::Token(_)));
        let first = tokens.filter_map(|(id, _)| Some((id, self.waiting.remove(&id)?.steps))).collect();
        match self.waiting.iter().find(|(_, waiting)| waiting.steps >= waiting.most) {
            Some((id, Waiting { prompt, most, .. })) => {
                Err(format!("sequence {id} has no token of {} after {most} steps", prompt.len()))
            }
            None => Ok(first),
        }
    }
}

fn text(random: &mut Random, length: usize) -> Vec<TokenId> {
    (0..length).map(|_| random.within(0, VOCABULARY - 1) as TokenId).collect()
}

/// Long and short ones come and go, some with one beginning, for longer than any may wait.
fn a_busy_day(seed: u64) -> Result<usize, String> {
    const LONGEST: usize = 200;
    let mut random = Random(seed);
    let (block_size, tokens) = (random.within(1, 6), random.within(1, 64));
    let mut house = House::new(block_size, tokens, random.within(1, tokens.min(8)), LONGEST);
    let stem = text(&mut random, 60);
    let mut served = 0;
    for _ in 0..150 {
        for _ in 0..random.within(0, 2) {
            let mut prompt = if random.chance(30) { stem[..random.within(0, 60)].to_vec() } else { vec![] };
            let length = if random.chance(30) { random.within(60, 130) } else { random.within(1, 12) };
            prompt.extend(text(&mut random, length));
            house.submit(prompt, random.within(1, 9));
        }
        if random.chance(10)
            && let Some(&id) = house.waiting.keys().nth(random.within(0, 3))
        {
            house.scheduler.cancel(id);
            house.waiting.remove(&id);
        }
        served += house.step()?.len();
    }
    Ok(served)
}

#[test]
fn a_prompt_has_its_first_token_within_the_bound_whatever_the_others_do() {
    let mut served = 0;
    for seed in 0..500 {
        served += a_busy_day(seed).unwrap_or_else(|fault| panic!("seed {seed}: {fault}"));
    }
    assert!(served > 10_000, "only {served} were served");
}

/// With the service's own sizes.
#[test]
fn a_greeting_does_not_wait_for_a_book() {
    let (mut house, mut random) = (House::new(16, 512, 32, 24_000), Random(1));
    let book = house.submit(text(&mut random, 20_000), 1).unwrap();
    house.step().unwrap();
    let greeting = house.submit(text(&mut random, 80), 1).unwrap();
    assert_eq!(house.step().unwrap(), [(greeting, 1)]);
    // 20,080 tokens are 40 steps: the book loses none to the greeting.
    let last = (0..38).flat_map(|_| house.step().unwrap()).collect::<Vec<_>>();
    assert_eq!(last, [(book, 40)]);
}

/// Several answers to one question come as several sequences with one prompt.
#[test]
fn equal_prompts_at_once_are_computed_once() {
    let (mut house, mut random) = (House::new(16, 512, 32, 4_000), Random(1));
    let prompt = text(&mut random, 1_000);
    for _ in 0..8 {
        house.submit(prompt.clone(), 1);
    }
    let first: Vec<_> = (0..4).flat_map(|_| house.step().unwrap()).collect();
    assert_eq!(first.len(), 8);
    // 62 whole blocks once, and the 8 tokens after them 8 times.
    assert_eq!(house.scheduler.stats().counters.prompt_tokens_computed, 62 * 16 + 8 * 8);
}
