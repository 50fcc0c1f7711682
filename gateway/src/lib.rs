//! The gateway: the OpenAI API of a shop's own customer service, and everything that knows text.

pub mod cache;
pub mod intent;
pub mod knowledge;
pub mod layers;
pub mod mask;
pub mod openai;
pub mod routes;
pub mod store;
pub mod transcript;
