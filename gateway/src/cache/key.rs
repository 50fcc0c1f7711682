//! Keys: 256 bits, made with a secret per start, so that nobody can aim at another's answer.

use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Stands for a question in all that its answer depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key([u8; 32]);

/// Makes keys.
pub struct KeyMaker {
    secret: [u8; 32],
}

impl KeyMaker {
    /// With a secret that no other start has.
    pub fn random() -> Self {
        let mut secret = [0; 32];
        let (left, right) = secret.split_at_mut(16);
        left.copy_from_slice(Uuid::new_v4().as_bytes());
        right.copy_from_slice(Uuid::new_v4().as_bytes());
        Self { secret }
    }

    /// The key of `question` (all of it, through its `Debug`: a field added later can never be forgotten here).
    pub fn key(&self, tenant: &str, knowledge_version: u64, question: &impl std::fmt::Debug) -> Key {
        let question = format!("{question:?}");
        let mut inner = Sha256::new_with_prefix(self.secret);
        // With its length before it no tenant can pose as the beginning of another's question.
        inner.update((tenant.len() as u64).to_be_bytes());
        inner.update(tenant);
        inner.update(knowledge_version.to_be_bytes());
        inner.update(question);
        // Hashed twice with the secret, as HMAC does, so that a hash cannot be continued.
        let outer = Sha256::new_with_prefix(self.secret).chain_update(inner.finalize());
        Key(outer.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_an_answer_depends_on_changes_the_key() {
        let keys = KeyMaker::random();
        let key = keys.key("shop", 1, &"hello");
        assert_eq!(key, keys.key("shop", 1, &"hello"));
        assert_ne!(key, keys.key("shop2", 1, &"hello"));
        assert_ne!(key, keys.key("shop", 2, &"hello"));
        assert_ne!(key, keys.key("shop", 1, &"hello!"));
        assert_ne!(key, KeyMaker::random().key("shop", 1, &"hello"));
    }
}
