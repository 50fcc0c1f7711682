//! Black-box tests: the real program, the real engine with a tiny model, plain sockets.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod access;
mod cache;
mod chat;
mod command_line;
mod envelope;
mod knowledge;
mod model;
mod privacy;
mod process;
mod stopping;
