//! The commands of `frontdesk-engine`, and what they share.

mod bench;
mod score;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use frontdesk_engine::executor::{Executor, Options};
use frontdesk_engine::weights::Config;
use std::path::PathBuf;

/// Scores and measures gpt-oss checkpoints.
#[derive(Debug, Parser)]
#[command(name = "frontdesk-engine", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the log-probability of every token of a text, on the exact path (32-bit activations and cache)
    Score(score::Score),
    /// Measure prefill and decode speed on random tokens
    Bench(bench::Bench),
}

/// Which model, and how it is laid out.
#[derive(Debug, Args)]
struct ModelArgs {
    /// Folder with config.json and safetensors files of a gpt-oss model, as on the Hugging Face Hub
    #[arg(long, alias = "model_path", value_name = "DIR")]
    model_path: PathBuf,

    /// Ranks that share the work of every layer; any size gives the same tokens
    #[arg(long, alias = "tensor_parallel_size", value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u8).range(1..=64))]
    tensor_parallel_size: u8,

    /// Threads of all ranks together [default: one for each processor]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
}

/// Parses the command line and does what it says.
pub(crate) fn run() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Score(score) => score.run(),
        Command::Bench(bench) => bench.run(),
    }
}

impl ModelArgs {
    /// Loads the model with room for `tokens` tokens in each of `sequences` sequences.
    fn load(&self, sequences: usize, tokens: usize) -> anyhow::Result<(Executor, Config)> {
        let defaults = Options::default();
        let options = Options {
            tensor_parallel_size: usize::from(self.tensor_parallel_size),
            block_count: Some(sequences * tokens.div_ceil(defaults.block_size).max(1)),
            threads: self.threads.map(usize::from),
            ..defaults
        };
        Executor::load(&self.model_path, &options, &|_, _| {}).context("cannot load the model")
    }
}
