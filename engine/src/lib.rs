//! The engine: tokens in, tokens out. It knows no text (that ends at the gateway).
//!
//! Read it in this order: [`api`] (what one asks and gets), [`scheduler`] (who computes what in the next
//! step; pure), [`executor`] (does it, on one thread per rank), [`model`] (the forward pass as prose),
//! [`sampling`] (logits become a token; pure), [`weights`] (a checkpoint folder becomes tensors), [`device`]
//! (the only place with `unsafe`), and [`engine`] (the handle, and the loop that ties them together).

pub mod api;
pub mod device;
pub mod engine;
pub mod executor;
pub mod model;
pub mod sampling;
pub mod scheduler;
pub mod weights;
