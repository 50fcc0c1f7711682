//! The engine without a model: whole lives of many sequences, from seeds, against each one alone.
//!
//! `shadow.rs` is an executor that remembers what each KV slot holds; `world.rs` throws requests, cancels and
//! faults at a scheduler and watches every step; `invariants.rs` holds the seven promises of the design, one
//! test each; `fairness.rs` is how long a prompt may wait; `canary.rs` breaks the executor to see that they would
//! notice; `handle.rs` is the async side.

// Clippy's exemption for tests does not reach the functions that tests share.
#![allow(clippy::unwrap_used, clippy::panic)]

mod canary;
mod fairness;
mod handle;
mod invariants;
mod random;
mod shadow;
mod world;
