//! Requests, cancels and faults from a seed, against a scheduler and a shadow; every step is watched.

use crate::random::Random;
use crate::shadow::{Shadow, VOCABULARY, alone};
use frontdesk_engine::api::{Event, FinishReason, Rejected, Request, Sampling, TokenId, Usage};
use frontdesk_engine::scheduler::batch::{Batch, Execute, SequenceId, Work};
use frontdesk_engine::scheduler::{Limits, Scheduler};
use std::collections::BTreeMap;

/// Everything of one seed.
pub struct World {
    random: Random,
    pub limits: Limits,
    pub scheduler: Scheduler,
    shadow: Shadow,
    /// Texts that prompts start with, so that they share blocks; some are the turns of a conversation so far.
    stems: Vec<Vec<TokenId>>,
    pub lives: BTreeMap<SequenceId, Life>,
    /// Every batch, to compare two runs.
    pub batches: Vec<Batch>,
}

/// What is seen of one request from outside.
pub struct Life {
    pub request: Request,
    pub tokens: Vec<TokenId>,
    pub end: Option<End>,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq)]
pub enum End {
    Finished(FinishReason, Usage),
    Failed,
    Cancelled,
}

impl World {
    pub fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let max_batch_tokens = random.within(1, 24);
        let limits = Limits {
            block_size: random.within(1, 6),
            block_count: random.within(3, 40),
            max_batch_tokens,
            max_batch_sequences: random.within(1, max_batch_tokens.min(8)),
            max_waiting: random.within(0, 12),
            context_length: random.within(4, 80),
            vocabulary_size: VOCABULARY,
        };
        let stems = (0..3).map(|_| text(&mut random, 0, 40)).collect();
        let (scheduler, shadow) = (Scheduler::new(limits), Shadow::new(&limits));
        Self { random, limits, scheduler, shadow, stems, lives: BTreeMap::new(), batches: Vec::new() }
    }

    /// The same world on a broken machine.
    pub fn sabotaged(seed: u64, sabotage: fn(&mut Shadow, &mut Batch)) -> Self {
        let mut world = Self::new(seed);
        world.shadow.sabotage = Some(sabotage);
        world
    }

    /// `steps` steps with things happening, then as many as it takes to end everything.
    pub fn live(&mut self, steps: usize) -> Result<(), String> {
        for _ in 0..steps {
            for _ in 0..self.random.within(0, 2) {
                self.arrive()?;
            }
            if self.random.chance(8) {
                self.cancel();
            }
            self.step()?;
        }
        let most = self.steps_left();
        for _ in 0..most {
            if self.scheduler.is_idle() {
                return Ok(());
            }
            self.step()?;
        }
        Err(format!("not idle after {most} more steps"))
    }

    /// More than any policy without starvation needs: each token computed on its own, and for each of them all
    /// that the sequence knows once more.
    fn steps_left(&self) -> usize {
        let unfinished = self.lives.values().filter(|life| life.end.is_none());
        unfinished.map(|life| (life.request.prompt.len() + life.request.max_tokens).pow(2)).sum::<usize>() + 1
    }

    fn arrive(&mut self) -> Result<(), String> {
        let request = self.request();
        let (unfinished, capacity) = (self.unfinished(), self.limits.sequence_capacity());
        let fits = request.prompt.len() < capacity;
        match self.scheduler.submit(request.clone()) {
            Ok(id) if fits && unfinished < self.limits.places() => {
                let life = Life { request, tokens: Vec::new(), end: None };
                self.lives.insert(id, life).map_or(Ok(()), |_| Err(format!("id {id} was given twice")))
            }
            Err(Rejected::TooLong { .. }) if !fits => Ok(()),
            Err(Rejected::QueueFull { .. }) if unfinished >= self.limits.places() => Ok(()),
            other => {
                Err(format!("{} tokens of {capacity}, {unfinished} there: {other:?}", request.prompt.len()))
            }
        }
    }

    fn request(&mut self) -> Request {
        let random = &mut self.random;
        let stem = &self.stems[random.within(0, self.stems.len() - 1)];
        let mut prompt = stem[..random.within(0, stem.len())].to_vec();
        prompt.extend(text(random, 1, 12));
        let sampling = Sampling {
            seed: random.next() % 3,
            presence_penalty: if random.chance(20) { 1.0 } else { 0.0 },
            ..Sampling::default()
        };
        let stop = if random.chance(50) { text(random, 1, 3) } else { Vec::new() };
        Request { prompt, sampling, max_tokens: random.within(1, 30), stop, logprobs: None }
    }

    fn unfinished(&self) -> usize {
        self.lives.values().filter(|life| life.end.is_none()).count()
    }

    fn cancel(&mut self) {
        let alive: Vec<SequenceId> =
            self.lives.iter().filter(|(_, life)| life.end.is_none()).map(|(&id, _)| id).collect();
        if let Some(&id) = alive.get(self.random.within(0, alive.len().max(1) - 1)) {
            self.scheduler.cancel(id);
            self.end(id, End::Cancelled);
        }
    }

    /// One step, now and then with a cancel in flight or a fault instead of an answer.
    fn step(&mut self) -> Result<(), String> {
        let pending = !self.scheduler.is_idle();
        let batch = self.scheduler.schedule();
        self.check_batch(&batch, pending)?;
        self.scheduler.audit()?;
        self.batches.push(batch.clone());
        if batch.work.is_empty() {
            return Ok(());
        }
        let sampled = self.shadow.run(&batch).map_err(|error| error.to_string())?;
        if self.random.chance(1) {
            self.cancel();
        }
        let events = if self.random.chance(1) {
            self.scheduler.fail(&batch, "a fault of the simulated device")
        } else {
            self.scheduler.commit(&batch, sampled)
        };
        events.into_iter().try_for_each(|(id, event)| self.hear(id, event))?;
        self.scheduler.audit()?;
        self.check_account()
    }

    /// Invariants 2 and 3, and of 1 what a batch shows.
    fn check_batch(&self, batch: &Batch, pending: bool) -> Result<(), String> {
        if batch.work.is_empty() == pending {
            return Err(format!("work pending: {pending}, and {} entries in the batch", batch.work.len()));
        }
        let oldest = self.lives.iter().find(|(_, life)| life.end.is_none()).map(|(&id, _)| id);
        if batch.work.first().map(|work| work.sequence) != oldest {
            return Err(format!("the oldest sequence, {oldest:?}, does not advance"));
        }
        let tokens: usize = batch.work.iter().map(|work| work.tokens.len()).sum();
        let (most_tokens, most) = (self.limits.max_batch_tokens, self.limits.max_batch_sequences);
        if tokens > most_tokens || batch.work.len() > most {
            return Err(format!(
                "{tokens} tokens of {most_tokens}, {} sequences of {most}",
                batch.work.len()
            ));
        }
        let mut written = BTreeMap::new();
        for work in &batch.work {
            let size = self.limits.block_size;
            let covers = (work.position + work.tokens.len()).div_ceil(size);
            if work.blocks.len() != covers || work.tokens.is_empty() {
                return Err(format!(
                    "{} blocks for {} tokens at {}",
                    work.blocks.len(),
                    work.tokens.len(),
                    work.position
                ));
            }
            for &block in &work.blocks[work.position / size..] {
                written.insert(block, work.sequence);
            }
        }
        let intruder = |work: &&_| reads_what_another_writes(work, &written);
        match batch.work.iter().find(intruder) {
            Some(work) => Err(format!("sequence {} uses a block that another writes to", work.sequence)),
            None => Ok(()),
        }
    }

    /// Invariant 6, token by token.
    fn hear(&mut self, id: SequenceId, event: Event) -> Result<(), String> {
        let Some(life) = self.lives.get_mut(&id) else { return Err(format!("an event for nobody, {id}")) };
        if let Some(end) = &life.end {
            return Err(format!("sequence {id} had ended ({end:?}) and hears {event:?}"));
        }
        match event {
            Event::Token(sampled) => life.tokens.push(sampled.token),
            Event::Finished { reason, usage } => {
                let turn = [&life.request.prompt[..], &life.tokens].concat();
                self.end(id, End::Finished(reason, usage));
                if self.random.chance(30) {
                    let place = self.random.within(0, self.stems.len() - 1);
                    self.stems[place] = turn;
                }
            }
            Event::Failed { .. } => self.end(id, End::Failed),
        }
        Ok(())
    }

    fn end(&mut self, id: SequenceId, end: End) {
        if let Some(life) = self.lives.get_mut(&id) {
            life.end = Some(end);
        }
    }

    /// Invariant 1, from outside.
    fn check_account(&self) -> Result<(), String> {
        let stats = self.scheduler.stats();
        let blocks = stats.blocks_free + stats.blocks_cached + stats.blocks_referenced;
        if blocks != self.limits.block_count || stats.running + stats.waiting != self.unfinished() {
            return Err(format!(
                "{stats:?} with {} blocks, {} unfinished",
                self.limits.block_count,
                self.unfinished()
            ));
        }
        Ok(())
    }

    /// Invariant 4: each sequence has the tokens that it gets alone, or the start of them if it was cut off.
    pub fn compare_with_alone(&self) -> Result<(), String> {
        for (id, life) in &self.lives {
            let expected = alone(&life.request, self.limits.sequence_capacity());
            let agrees = match &life.end {
                Some(End::Finished(reason, usage)) => {
                    let stopped = expected.last().is_some_and(|last| life.request.stop.contains(last));
                    life.tokens == expected
                        && (*reason == FinishReason::Stop) == stopped
                        && usage.prompt_tokens == life.request.prompt.len()
                        && usage.cached_tokens < usage.prompt_tokens
                        && usage.completion_tokens == expected.len()
                }
                _ => expected.starts_with(&life.tokens),
            };
            if !agrees {
                return Err(format!(
                    "sequence {id} got {:?} and alone {expected:?}; {:?}",
                    life.tokens, life.end
                ));
            }
        }
        Ok(())
    }
}

fn reads_what_another_writes(work: &Work, written: &BTreeMap<u32, SequenceId>) -> bool {
    work.blocks.iter().any(|block| written.get(block).is_some_and(|&owner| owner != work.sequence))
}

fn text(random: &mut Random, shortest: usize, longest: usize) -> Vec<TokenId> {
    (0..random.within(shortest, longest)).map(|_| random.within(0, VOCABULARY - 1) as TokenId).collect()
}
