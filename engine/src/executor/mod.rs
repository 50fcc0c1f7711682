//! Runs a batch: one thread per rank, rank 0 answers.
//!
//! Rank 0 is the caller's thread; the others wait in `rank` for the same steps. `step` turns a batch into a
//! checked step, and `score` runs a whole text for its log-probabilities.

mod options;
mod rank;
mod score;
mod step;

pub use options::Options;
pub use score::{Score, ScoreError};

use crate::api::Sampled;
use crate::device::{Cpu, Rows, link};
use crate::model::{Model, Step};
use crate::sampling::draw;
use crate::scheduler::batch::{Batch, Execute, ExecuteError};
use crate::weights::{self, Checkpoint, Config, LoadError, Progress, Split, Weights};
use rank::Followers;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

/// A loaded model, ready for batches.
pub struct Executor {
    /// Rank 0; gone after a failure that its state may not have survived.
    model: Option<Model<Cpu>>,
    followers: Followers,
    config: Config,
    block_size: usize,
    block_count: usize,
    /// A row of the whole vocabulary for each draw.
    logits: Rows,
}

impl Executor {
    /// Loads the checkpoint in `folder` on `options.tensor_parallel_size` ranks; `progress` is told bytes done and
    /// bytes in all, from any thread.
    pub fn load(
        folder: &Path,
        options: &Options,
        progress: &Progress<'_>,
    ) -> Result<(Self, Config), LoadError> {
        options.check()?;
        let config = Config::read(folder)?;
        let checkpoint = Checkpoint::open(folder)?;
        let split = Split::new(options.tensor_parallel_size)?;
        let ranks = weights::load(&checkpoint, &config, split, options.threads(), progress)?;
        let executor = Self::start(ranks, &config, options)?;
        Ok((executor, config))
    }

    fn start(ranks: Vec<Weights>, config: &Config, options: &Options) -> Result<Self, LoadError> {
        let block_count = options.block_count(config);
        let cache = (block_count, options.block_size, options.kv_precision);
        let threads = (options.threads() / ranks.len()).max(1);
        let mut models = Vec::with_capacity(ranks.len());
        for (weights, link) in ranks.into_iter().zip(link(options.tensor_parallel_size)) {
            models.push(Model::new(Cpu::new(threads), config.clone(), weights, link, cache)?);
        }
        let mut models = models.into_iter();
        let model = models.next();
        Ok(Self {
            model,
            followers: Followers::start(models)?,
            config: config.clone(),
            block_size: options.block_size,
            block_count,
            logits: Rows::new(config.vocab_size),
        })
    }

    /// Blocks of the cache.
    pub fn block_count(&self) -> usize {
        self.block_count
    }

    /// Tokens of a block.
    pub fn block_size(&self) -> usize {
        self.block_size
    }

    /// Runs a checked step on all ranks; the wanted logits are then in `self.logits`.
    fn forward(&mut self, step: Step) -> Result<(), ExecuteError> {
        let step = Arc::new(step);
        let Some(mut model) = self.model.take() else {
            return Err(ExecuteError(
                "the model stopped after an earlier failure; restart the engine".to_owned(),
            ));
        };
        self.followers.send(&step);
        let result = catch_unwind(AssertUnwindSafe(|| model.forward(&step, &mut self.logits)));
        match result {
            Ok(Ok(())) => {
                self.model = Some(model);
                Ok(())
            }
            // Dropping the model severs the link, so the other ranks end as well.
            Ok(Err(severed)) => Err(ExecuteError(severed.to_string())),
            Err(_) => {
                Err(ExecuteError("rank 0 of the model panicked; its message is on standard error".to_owned()))
            }
        }
    }
}

impl Execute for Executor {
    fn run(&mut self, batch: &Batch) -> Result<Vec<Sampled>, ExecuteError> {
        let step = step::checked(batch, &self.config, self.block_size, self.block_count)?;
        if step.tokens.is_empty() {
            return Ok(Vec::new());
        }
        self.forward(step)?;
        let drawing = batch.work.iter().filter_map(|work| Some((work, work.sample.as_ref()?)));
        let sampled = drawing
            .enumerate()
            .map(|(row, (work, how))| draw(self.logits.row_mut(row), how, work.position + work.tokens.len()));
        Ok(sampled.collect())
    }
}
