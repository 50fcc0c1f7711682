//! The answer cache: exact and semantic.
