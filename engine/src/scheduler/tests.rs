//! Single decisions, one each; whole lives of many sequences are in `tests/engine`.

use super::batch::Batch;
use super::*;
use crate::api::{Event, FinishReason, Sampled, Sampling, TokenId};

fn limits() -> Limits {
    Limits {
        block_size: 4,
        block_count: 8,
        max_batch_tokens: 8,
        max_batch_sequences: 4,
        max_waiting: 2,
        context_length: 64,
        vocabulary_size: 1000,
    }
}

fn request(prompt: impl IntoIterator<Item = TokenId>, max_tokens: usize) -> Request {
    let prompt = prompt.into_iter().collect();
    Request { prompt, sampling: Sampling::greedy(), max_tokens, stop: vec![], logprobs: None }
}

/// Computes the step; every draw gives token 7.
fn step(scheduler: &mut Scheduler) -> (Batch, Vec<(SequenceId, Event)>) {
    let batch = scheduler.schedule();
    let sampled = |_| Sampled { token: 7, logprob: 0.0, top: vec![] };
    let sampled = batch.work.iter().filter(|work| work.sample.is_some()).map(sampled).collect();
    let events = scheduler.commit(&batch, sampled);
    scheduler.audit().unwrap();
    (batch, events)
}

fn shape(batch: &Batch) -> Vec<(SequenceId, usize, usize, bool)> {
    batch.work.iter().map(|w| (w.sequence, w.position, w.tokens.len(), w.sample.is_some())).collect()
}

#[test]
fn decodes_come_first_and_short_prompts_before_long_ones() {
    let mut scheduler = Scheduler::new(limits());
    scheduler.submit(request(0..3, 9)).unwrap();
    assert_eq!(shape(&step(&mut scheduler).0), [(0, 0, 3, true)]);
    scheduler.submit(request(10..19, 9)).unwrap();
    scheduler.submit(request(20..22, 9)).unwrap();
    assert_eq!(shape(&step(&mut scheduler).0), [(0, 3, 1, true), (1, 0, 5, false), (2, 0, 2, true)]);
    assert_eq!(shape(&step(&mut scheduler).0), [(0, 4, 1, true), (1, 5, 4, true), (2, 2, 1, true)]);
}

#[test]
fn a_prompt_found_in_the_cache_computes_its_last_token_only() {
    let mut scheduler = Scheduler::new(limits());
    scheduler.submit(request(0..8, 1)).unwrap();
    step(&mut scheduler);
    scheduler.submit(request((0..8).chain([9]), 1)).unwrap();
    let (batch, events) = step(&mut scheduler);
    assert_eq!(shape(&batch), [(1, 8, 1, true)]);
    assert!(matches!(&events[1].1, Event::Finished { usage, .. } if usage.cached_tokens == 8));
    scheduler.submit(request(0..8, 1)).unwrap();
    assert_eq!(shape(&step(&mut scheduler).0), [(2, 4, 4, true)], "the logits of the last token are needed");
}

#[test]
fn equal_prompts_computed_at_once_share_blocks_after_it() {
    let mut scheduler = Scheduler::new(Limits { max_batch_tokens: 99, ..limits() });
    scheduler.submit(request(0..9, 5)).unwrap();
    scheduler.submit(request(0..9, 5)).unwrap();
    step(&mut scheduler);
    let (batch, _) = step(&mut scheduler);
    assert_eq!(batch.work[0].blocks[..2], batch.work[1].blocks[..2]);
    assert_ne!(batch.work[0].blocks[2], batch.work[1].blocks[2]);
    assert_eq!(scheduler.stats().blocks_referenced, 4);
}

#[test]
fn the_youngest_gives_way_and_comes_back() {
    let mut scheduler = Scheduler::new(Limits { block_count: 4, ..limits() });
    scheduler.submit(request(0..4, 9)).unwrap();
    scheduler.submit(request(10..14, 9)).unwrap();
    let mut finished = Vec::new();
    while !scheduler.is_idle() {
        let (batch, events) = step(&mut scheduler);
        assert!(!batch.work.is_empty());
        let last = |(id, event): (SequenceId, Event)| event.is_last().then_some(id);
        finished.extend(events.into_iter().filter_map(last));
    }
    assert_eq!(finished, [0, 1]);
    assert!(scheduler.stats().counters.preemptions > 0);
    assert_eq!(scheduler.stats().counters.tokens_generated, 18);
}

#[test]
fn who_would_soon_be_preempted_does_not_start() {
    let starts = |prompt: Vec<TokenId>| {
        let mut scheduler = Scheduler::new(Limits { max_batch_tokens: 99, ..limits() });
        scheduler.submit(request(100..109, 1)).unwrap();
        step(&mut scheduler);
        // Takes 3 of the 8 blocks and is promised 2 more; 2 of the other 5 hold 100..108.
        scheduler.submit(request(0..12, 9)).unwrap();
        step(&mut scheduler);
        scheduler.submit(request(prompt, 9)).unwrap();
        step(&mut scheduler).0.work.len() == 2
    };
    assert!(starts((200..212).collect()), "3 blocks are left for it");
    assert!(!starts((200..213).collect()));
    assert!(starts((100..112).collect()), "of its 3 blocks, 2 are there");
    assert!(!starts((100..113).collect()), "sharing a cached block takes it too");
}

#[test]
fn a_sequence_ends_at_a_stop_token_at_max_tokens_or_at_its_capacity() {
    let reason = |limits: Limits, request: Request| {
        let mut scheduler = Scheduler::new(limits);
        scheduler.submit(request).unwrap();
        let mut tokens = 0;
        loop {
            for (_, event) in step(&mut scheduler).1 {
                match event {
                    Event::Token(_) => tokens += 1,
                    Event::Finished { reason, usage } => {
                        assert_eq!(usage.completion_tokens, tokens);
                        return (reason, tokens);
                    }
                    Event::Failed { message } => panic!("{message}"),
                }
            }
        }
    };
    assert_eq!(reason(limits(), Request { stop: vec![7], ..request(0..3, 9) }), (FinishReason::Stop, 1));
    assert_eq!(reason(limits(), request(0..3, 9)), (FinishReason::Length, 9));
    assert_eq!(
        reason(Limits { context_length: 10, ..limits() }, request(0..3, 90)),
        (FinishReason::Length, 7)
    );
    assert_eq!(reason(limits(), request(0..3, 90)), (FinishReason::Length, 29), "8 blocks of 4");
}

#[test]
fn what_can_never_fit_is_refused_and_the_queue_has_an_end() {
    let mut scheduler = Scheduler::new(limits());
    assert_eq!(scheduler.submit(request(0..32, 1)), Err(Rejected::TooLong { needed: 33, limit: 32 }));
    let short = Limits { context_length: 10, ..limits() };
    assert_eq!(
        Scheduler::new(short).submit(request(0..10, 1)),
        Err(Rejected::TooLong { needed: 11, limit: 10 })
    );
    assert!(matches!(scheduler.submit(request([1000], 1)), Err(Rejected::Invalid(_))));
    for _ in 0..6 {
        scheduler.submit(request(0..3, 1)).unwrap();
    }
    assert_eq!(scheduler.submit(request(0..3, 1)), Err(Rejected::QueueFull { limit: 6 }));
}

#[test]
fn a_cancelled_sequence_is_silent_and_its_blocks_are_home() {
    let mut scheduler = Scheduler::new(limits());
    let id = scheduler.submit(request(0..3, 9)).unwrap();
    let batch = scheduler.schedule();
    scheduler.cancel(id);
    assert_eq!(scheduler.stats().blocks_referenced, 1, "the step in flight still writes to it");
    assert!(scheduler.schedule().work.is_empty(), "one step at a time");
    let sampled = vec![Sampled { token: 7, logprob: 0.0, top: vec![] }];
    assert_eq!(scheduler.commit(&batch, sampled), []);
    assert!(scheduler.is_idle());
    assert_eq!(scheduler.stats().blocks_free, 8);
    scheduler.cancel(id);
}

#[test]
fn penalties_see_what_was_generated() {
    let mut scheduler = Scheduler::new(limits());
    let sampling = Sampling { presence_penalty: 1.0, ..Sampling::greedy() };
    scheduler.submit(Request { sampling, ..request([7, 7], 9) }).unwrap();
    step(&mut scheduler);
    step(&mut scheduler);
    assert_eq!(step(&mut scheduler).0.work[0].sample.as_ref().unwrap().counts, [(7, 2)]);
}
