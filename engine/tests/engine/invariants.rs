//! The promises of the design, 1 to 7, over thousands of seeds. `World` checks each step; a failing seed is
//! named, and fails again when it is run alone.

use crate::random::Random;
use crate::shadow::{Shadow, VOCABULARY};
use crate::world::{End, World};
use frontdesk_engine::api::{Request, Sampling};
use frontdesk_engine::scheduler::batch::Execute;
use frontdesk_engine::scheduler::{Limits, Scheduler};
use std::ops::Range;

const STEPS: usize = 60;

/// Lives through every seed, each in a world of its own, and then asks `check`.
fn every_seed(seeds: Range<u64>, check: impl Fn(&World) -> Result<(), String>) {
    for seed in seeds {
        let mut world = World::new(seed);
        if let Err(fault) = world.live(STEPS).and_then(|()| check(&world)) {
            panic!("seed {seed}, step {}: {fault}", world.scheduler.stats().counters.steps);
        }
    }
}

/// A world fails by itself when blocks do not add up, a block being written has two owners, or a shared block
/// is not full: `Scheduler::audit` and `World::check_batch`, in every step.
#[test]
fn invariant_1_blocks_are_conserved_and_written_by_one_owner() {
    every_seed(0..700, |_| Ok(()));
}

/// Batches are checked by the world; refusals have to be exactly those that the limits ask for.
#[test]
fn invariant_2_budgets_and_queues_are_bounded() {
    every_seed(1_000..1_700, |world| {
        let longest = world.lives.values().map(|life| life.request.prompt.len() + life.tokens.len()).max();
        let capacity = world.limits.sequence_capacity();
        longest
            .is_none_or(|longest| longest <= capacity)
            .then_some(())
            .ok_or("longer than the context".into())
    });
}

/// The world asks that each batch holds the oldest sequence; here the queue never runs dry, the pool is far too
/// small, and still everybody ends in order of what they need, not of how many came later.
#[test]
fn invariant_3_the_oldest_advances_and_nobody_starves() {
    every_seed(2_000..2_700, |_| Ok(()));
    let limits =
        Limits { block_size: 2, max_batch_tokens: 4, max_batch_sequences: 3, max_waiting: 5, ..small() };
    let (mut scheduler, mut shadow, mut random) = (Scheduler::new(limits), Shadow::new(&limits), Random(1));
    let long = scheduler.submit(request(&mut random, 30, 20)).unwrap();
    for step in 0.. {
        while scheduler.submit(request(&mut random, 3, 2)).is_ok() {}
        let batch = scheduler.schedule();
        let sampled = shadow.run(&batch).unwrap();
        if scheduler.commit(&batch, sampled).iter().any(|(id, event)| *id == long && event.is_last()) {
            return;
        }
        // 30 tokens of its prompt one at a time, and 20 more.
        assert!(step < 50, "the long request starves");
    }
}

/// Chunks, preemptions, prefix hits, cancels, faults: the tokens are those that each sequence gets alone.
#[test]
fn invariant_4_shadow_equality() {
    every_seed(10_000..13_000, World::compare_with_alone);
}

#[test]
fn invariant_5_same_commands_same_batches() {
    for seed in 3_000..3_300 {
        let mut twins = [World::new(seed), World::new(seed)];
        twins.iter_mut().for_each(|world| world.live(STEPS).unwrap());
        assert!(twins[0].batches == twins[1].batches, "seed {seed}");
    }
}

/// The world fails on an event after the end or after a cancel; here, everybody has had exactly one end.
#[test]
fn invariant_6_tokens_then_one_end() {
    every_seed(4_000..4_700, |world| match world.lives.iter().find(|(_, life)| life.end.is_none()) {
        Some((id, _)) => Err(format!("sequence {id} never ended")),
        None => Ok(()),
    });
}

/// That permits come home too is in `handle.rs`.
#[test]
fn invariant_7_idle_means_all_blocks_free_or_cached() {
    every_seed(5_000..5_700, |world| {
        let stats = world.scheduler.stats();
        let home = stats.blocks_free + stats.blocks_cached == world.limits.block_count;
        let idle = stats.running + stats.waiting + stats.blocks_referenced == 0;
        if home && idle { Ok(()) } else { Err(format!("{stats:?}")) }
    });
}

/// The tests above mean something only if enough happens in their worlds.
#[test]
fn the_worlds_are_eventful() {
    let (mut preemptions, mut hits, mut chunks) = (0, 0, 0);
    let mut ends = [0; 3];
    for seed in 10_000..10_300 {
        let mut world = World::new(seed);
        world.live(STEPS).unwrap();
        let counters = world.scheduler.stats().counters;
        preemptions += counters.preemptions;
        hits += counters.cached_tokens;
        chunks +=
            world.batches.iter().flat_map(|batch| &batch.work).filter(|work| work.sample.is_none()).count();
        for life in world.lives.values() {
            match life.end {
                Some(End::Finished(..)) => ends[0] += 1,
                Some(End::Cancelled) => ends[1] += 1,
                Some(End::Failed) => ends[2] += 1,
                None => {}
            }
        }
    }
    let seen = format!("{preemptions} preemptions, {hits} hits, {chunks} chunks, {ends:?} ends");
    assert!(preemptions > 300 && hits > 10_000 && chunks > 3000, "{seen}");
    assert!(ends[0] > 3000 && ends[1] > 300 && ends[2] > 100, "{seen}");
}

fn small() -> Limits {
    Limits::new(27, 64, VOCABULARY)
}

fn request(random: &mut Random, prompt: usize, max_tokens: usize) -> Request {
    let prompt = (0..prompt).map(|_| random.within(0, VOCABULARY - 1) as u32).collect();
    Request { prompt, sampling: Sampling::greedy(), max_tokens, stop: Vec::new(), logprobs: None }
}
