//! The answer cache: the same question, asked by anyone of the same tenant, is answered at once.
//!
//! Only what is the same for everybody is kept: no personal data in question or answer, no intent that is about
//! one customer's own affairs, and the knowledge's version in the key, so that no answer outlives its facts.

mod key;

use std::sync::Arc;

use moka::sync::Cache;

pub use key::{Key, KeyMaker};

use crate::config::CacheConfig;
use crate::openai::chat::{FrontDesk, Usage};
use crate::transcript::Reply;

/// An answer as it was given.
#[derive(Debug, Clone)]
pub struct Stored {
    /// What was said.
    pub reply: Reply,
    /// What it took then.
    pub usage: Usage,
    /// What it stood on.
    pub frontdesk: FrontDesk,
    /// The ids of all passages it was made from.
    pub framed: Vec<String>,
}

/// Answers by what was asked.
pub struct AnswerCache {
    keys: KeyMaker,
    answers: Cache<Key, Arc<Stored>>,
}

impl AnswerCache {
    /// An empty cache with a secret of its own.
    pub fn new(config: &CacheConfig) -> Self {
        let answers = Cache::builder().max_capacity(config.entries).time_to_live(config.lifetime).build();
        Self { keys: KeyMaker::random(), answers }
    }

    /// The key of a question.
    pub fn key(&self, tenant: &str, knowledge_version: u64, question: &impl std::fmt::Debug) -> Key {
        self.keys.key(tenant, knowledge_version, question)
    }

    /// The answer given to it before.
    pub fn get(&self, key: &Key) -> Option<Arc<Stored>> {
        self.answers.get(key)
    }

    /// Keeps an answer.
    pub fn put(&self, key: Key, answer: Stored) {
        self.answers.insert(key, Arc::new(answer));
    }
}
