//! Wire types of the OpenAI API, and nothing else: what comes in is checked, what goes out has one shape.

pub mod body;
pub mod chat;
pub mod error;
pub mod models;

pub use error::ApiError;
