//! The same tokens on any number of ranks, in any company, in chunks of any size.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use frontdesk_engine::api::{Sampled, Sampling};
use frontdesk_engine::executor::{Executor, Options};
use frontdesk_engine::scheduler::batch::{Batch, Draw, Execute, Work};
use std::path::Path;
use std::sync::Arc;

const BLOCK_SIZE: usize = 16;
const GENERATED: usize = 24;

fn executor(name: &str, ranks: usize, threads: usize) -> Executor {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("goldens").join(name);
    let (tensor_parallel_size, block_count) = (ranks, Some(64));
    let options = Options {
        tensor_parallel_size,
        block_size: BLOCK_SIZE,
        block_count,
        threads: Some(threads),
        ..Options::default()
    };
    Executor::load(&folder, &options, &|_, _| {}).unwrap().0
}

/// A sequence that generates by itself, with every fourth block of the cache.
struct Sequence {
    id: usize,
    tokens: Vec<u32>,
    computed: usize,
    temperature: f32,
    sampled: Vec<Sampled>,
}

impl Sequence {
    fn new(id: usize, temperature: f32) -> Self {
        let tokens = (0..20 + 9 * id).map(|i| ((i * 7 + id * 13) % 77) as u32).collect();
        Self { id, tokens, computed: 0, temperature, sampled: Vec::new() }
    }

    fn work(&self, most: usize) -> Work {
        let end = self.tokens.len().min(self.computed + most);
        let sampling = Sampling {
            temperature: self.temperature,
            top_p: 1.0,
            top_k: 0,
            min_p: 0.0,
            seed: 5,
            frequency_penalty: 0.0,
            presence_penalty: 0.0,
            logit_bias: Vec::new(),
        };
        let draw = || Draw { sampling: Arc::new(sampling), logprobs: Some(3), counts: Vec::new() };
        Work {
            sequence: self.id as u64,
            tokens: self.tokens[self.computed..end].to_vec(),
            position: self.computed,
            blocks: (0..end.div_ceil(BLOCK_SIZE)).map(|i| (4 * i + self.id) as u32).collect(),
            sample: (end == self.tokens.len()).then(draw),
        }
    }
}

/// Runs the sequences together, `most` tokens of each a step, until each has generated enough.
fn generate(executor: &mut Executor, mut sequences: Vec<Sequence>, most: usize) -> Vec<Vec<Sampled>> {
    while sequences.iter().any(|s| s.sampled.len() < GENERATED) {
        let work: Vec<Work> = sequences.iter().map(|s| s.work(most)).collect();
        let mut answers = executor.run(&Batch { work: work.clone() }).unwrap().into_iter();
        for (sequence, work) in sequences.iter_mut().zip(work) {
            sequence.computed += work.tokens.len();
            if work.sample.is_some() {
                let sampled = answers.next().unwrap();
                sequence.tokens.push(sampled.token);
                sequence.sampled.push(sampled);
            }
        }
        assert!(answers.next().is_none());
    }
    sequences.into_iter().map(|s| s.sampled[..GENERATED].to_vec()).collect()
}

fn tokens(sampled: &[Sampled]) -> Vec<u32> {
    sampled.iter().map(|s| s.token).collect()
}

#[test]
fn ranks_do_not_change_greedy_tokens() {
    for name in ["dense", "mxfp4", "odd", "truncated"] {
        let all = || (0..4).map(|id| Sequence::new(id, 0.0)).collect();
        let single = generate(&mut executor(name, 1, 1), all(), 16);
        for ranks in [2, 3, 4] {
            let shared = generate(&mut executor(name, ranks, 2), all(), 16);
            for (a, b) in single.iter().zip(&shared) {
                assert_eq!(tokens(a), tokens(b), "{name} on {ranks} ranks");
            }
        }
    }
}

/// Bit for bit: log-probabilities are compared, too.
#[test]
fn company_chunks_and_threads_change_nothing() {
    for (name, ranks) in [("dense", 1), ("mxfp4", 1), ("mxfp4", 2)] {
        let alone: Vec<Vec<Sampled>> = (0..4)
            .flat_map(|id| {
                generate(&mut executor(name, ranks, 1), vec![Sequence::new(id, id as f32 * 0.5)], 1000)
            })
            .collect();
        for (most, threads) in [(1, 1), (5, 2), (17, 3), (1000, 2)] {
            let all = (0..4).map(|id| Sequence::new(id, id as f32 * 0.5)).collect();
            let together = generate(&mut executor(name, ranks, threads), all, most);
            assert_eq!(together, alone, "{name}, {ranks} ranks, {most} tokens a step, {threads} threads");
        }
    }
}

#[test]
fn what_cannot_run_is_an_error_and_the_executor_lives_on() {
    let mut executor = executor("odd", 2, 2);
    let mut work = Sequence::new(0, 0.0).work(1000);
    work.tokens[3] = 77;
    let error = executor.run(&Batch { work: vec![work] }).unwrap_err().to_string();
    assert!(error.contains("sequence 0") && error.contains("below 77, found 77"), "{error}");
    assert_eq!(executor.run(&Batch::default()).unwrap(), []);
    assert_eq!(generate(&mut executor, vec![Sequence::new(0, 0.0)], 8).len(), 1);
}
