//! The forward pass as prose, in execution order.
//!
//! Read `gpt_oss` (embedding, layers, logits), then `attention` and `moe` (the halves of a layer) and `rope`.

mod attention;
mod gpt_oss;
mod moe;
mod rope;

#[cfg(test)]
mod tests;

pub use gpt_oss::{Model, Step};
