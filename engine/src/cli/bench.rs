//! `frontdesk-engine bench`: prefill and decode speed.

use super::ModelArgs;
use anyhow::bail;
use clap::Args;
use frontdesk_engine::api::Sampling;
use frontdesk_engine::executor::{Executor, Options};
use frontdesk_engine::scheduler::batch::{Batch, Draw, Execute, Work};
use serde_json::json;
use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

/// Runs random prompts, then decodes greedily; prints one JSON object for each batch size.
#[derive(Debug, Args)]
pub(super) struct Bench {
    #[command(flatten)]
    model: ModelArgs,

    /// Sequences at once
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [1, 8],
          value_parser = clap::value_parser!(u32).range(1..=1024))]
    batch: Vec<u32>,

    /// Tokens of each prompt
    #[arg(long, value_name = "N", default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..=131_072))]
    prompt: u32,

    /// Tokens to generate for each
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=131_072))]
    generate: u32,
}

impl Bench {
    pub(super) fn run(&self) -> anyhow::Result<()> {
        let most = self.batch.iter().max().copied().unwrap_or(1) as usize;
        let tokens = (self.prompt + self.generate) as usize;
        let begin = Instant::now();
        let (mut executor, config) = self.model.load(most, tokens)?;
        if tokens > config.context_length {
            bail!("expected at most {} tokens of prompt and answer, found {tokens}", config.context_length);
        }
        let load_seconds = begin.elapsed().as_secs_f64();
        for &batch in &self.batch {
            let mut sequences =
                Sequences::new(batch as usize, self.prompt as usize, tokens, config.vocab_size);
            let prefill = sequences.prefill(&mut executor)?;
            let decode = sequences.decode(&mut executor, self.generate as usize)?;
            let line = json!({
                "batch": batch,
                "prompt": self.prompt,
                "generate": self.generate,
                "load_seconds": load_seconds,
                "prefill_tokens_per_second": prefill,
                "decode_tokens_per_second": decode,
            });
            writeln!(std::io::stdout(), "{line}")?;
        }
        Ok(())
    }
}

/// Sequences of one length, each with blocks of its own.
struct Sequences {
    prompts: Vec<Vec<u32>>,
    blocks: Vec<Vec<u32>>,
    last: Vec<u32>,
}

impl Sequences {
    fn new(count: usize, prompt: usize, tokens: usize, vocab_size: usize) -> Self {
        let per_sequence = tokens.div_ceil(Options::default().block_size) as u32;
        let mut state = 1u64;
        let mut token = || {
            // Knuth's linear congruential generator: the same prompts every time.
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((state >> 33) % vocab_size as u64) as u32
        };
        Self {
            prompts: (0..count).map(|_| (0..prompt).map(|_| token()).collect()).collect(),
            blocks: (0..count as u32).map(|i| (i * per_sequence..(i + 1) * per_sequence).collect()).collect(),
            last: vec![0; count],
        }
    }

    /// All prompts, 512 tokens a step; prompt tokens a second.
    fn prefill(&mut self, executor: &mut Executor) -> anyhow::Result<f64> {
        const STEP: usize = 512;
        let begin = Instant::now();
        for i in 0..self.prompts.len() {
            let length = self.prompts[i].len();
            for start in (0..length).step_by(STEP) {
                let end = length.min(start + STEP);
                let tokens = self.prompts[i][start..end].to_vec();
                let sampled =
                    executor.run(&Batch { work: vec![self.work(i, tokens, start, end == length)] })?;
                self.last[i] = sampled.first().map_or(0, |s| s.token);
            }
        }
        let tokens: usize = self.prompts.iter().map(Vec::len).sum();
        Ok(tokens as f64 / begin.elapsed().as_secs_f64())
    }

    /// All sequences together, a token each a step; new tokens a second.
    fn decode(&mut self, executor: &mut Executor, steps: usize) -> anyhow::Result<f64> {
        let begin = Instant::now();
        for step in 0..steps {
            let work = (0..self.last.len())
                .map(|i| self.work(i, vec![self.last[i]], self.prompts[i].len() + step, true));
            let sampled = executor.run(&Batch { work: work.collect() })?;
            self.last = sampled.iter().map(|s| s.token).collect();
        }
        Ok((steps * self.last.len()) as f64 / begin.elapsed().as_secs_f64())
    }

    fn work(&self, i: usize, tokens: Vec<u32>, position: usize, sample: bool) -> Work {
        let blocks = self.blocks[i].clone();
        let draw = || Draw { sampling: Arc::new(greedy()), logprobs: None, counts: Vec::new() };
        Work { sequence: i as u64, tokens, position, blocks, sample: sample.then(draw) }
    }
}

fn greedy() -> Sampling {
    Sampling {
        temperature: 0.0,
        top_p: 1.0,
        top_k: 0,
        min_p: 0.0,
        seed: 0,
        frequency_penalty: 0.0,
        presence_penalty: 0.0,
        logit_bias: Vec::new(),
    }
}
