//! The model: a checkpoint folder becomes an engine and a vocabulary.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use frontdesk_engine::engine::Engine;
use frontdesk_engine::executor::{Executor, Options};
use frontdesk_engine::scheduler::Limits;
use frontdesk_engine::weights::{LoadError, Progress};

use super::today;
use crate::config::ModelConfig;
use crate::openai::ApiError;
use crate::stack::Gateway;
use crate::transcript::{Vocabulary, VocabularyError};

/// Why there is no model.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The tensors.
    #[error(transparent)]
    Weights(#[from] LoadError),
    /// The tokenizer.
    #[error(transparent)]
    Vocabulary(#[from] VocabularyError),
}

/// A loaded model.
pub struct Model {
    /// Its name in the API.
    pub name: String,
    /// When it was loaded, in seconds since 1970.
    pub created: u64,
    /// What generates.
    pub engine: Engine,
    /// Its words.
    pub vocabulary: Arc<Vocabulary>,
    /// Tokens of a prompt; `None`: as many as the context holds.
    max_prompt_tokens: Option<usize>,
}

impl Model {
    /// Loads a checkpoint folder and starts the engine.
    ///
    /// # Errors
    /// What is wrong with the folder, by file and tensor.
    pub fn load(config: &ModelConfig, folder: &Path, progress: &Progress<'_>) -> Result<Self, ModelError> {
        // The small file first: a missing tokenizer should not show after minutes of reading weights.
        let vocabulary = Vocabulary::load(folder)?;
        let options = Options {
            tensor_parallel_size: config.tensor_parallel_size,
            block_size: config.block_size,
            block_count: config.kv_blocks,
            kv_bytes: config.kv_bytes,
            threads: config.threads,
            ..Options::default()
        };
        let (executor, model) = Executor::load(folder, &options, progress)?;
        let limits = Limits {
            block_size: config.block_size,
            max_batch_tokens: config.batch_tokens,
            max_batch_sequences: config.batch_sequences,
            max_waiting: config.queue,
            ..Limits::new(executor.block_count(), model.context_length, model.vocab_size)
        };
        Ok(Self {
            name: config.name.clone(),
            created: today::unix_seconds(),
            engine: Engine::start(Box::new(executor), limits),
            vocabulary: Arc::new(vocabulary),
            max_prompt_tokens: config.max_prompt_tokens,
        })
    }

    /// The gateway's model, or 503 while it loads.
    pub fn ready(gateway: &Gateway) -> Result<&Self, ApiError> {
        let loading = || ApiError::overloaded("The model is being loaded.", Duration::from_secs(2));
        gateway.model.get().ok_or_else(loading)
    }

    /// 404 for another model's name.
    pub fn check_name(&self, asked: &str) -> Result<(), ApiError> {
        if asked == self.name { Ok(()) } else { Err(ApiError::model_not_found(asked)) }
    }

    /// How many tokens an answer to `prompt` may have: what was asked for, within what fits.
    ///
    /// # Errors
    /// 400 for a prompt that is longer than `max_prompt_tokens`, or leaves no room in the context.
    pub fn room(&self, prompt: &[u32], asked: Option<u32>, default: usize) -> Result<usize, ApiError> {
        if let Some(limit) = self.max_prompt_tokens.filter(|&limit| prompt.len() > limit) {
            return Err(ApiError::prompt_too_long(prompt.len(), limit));
        }
        let capacity = self.engine.limits().sequence_capacity();
        let room = capacity.saturating_sub(prompt.len());
        if room == 0 {
            return Err(ApiError::context_length_exceeded(prompt.len() + 1, capacity));
        }
        Ok(asked.map_or(default, |tokens| tokens as usize).clamp(1, room))
    }
}
