//! The gateway: the OpenAI API of a shop's own customer service, and everything that knows text.
//!
//! Read it in this order: [`stack`] (the path of every request, layer by layer), [`chat`] (one question from
//! its masking to its answer), then what that path uses: [`mask`], [`intent`], [`cache`], [`knowledge`],
//! [`transcript`]. [`cli`] is the command line, [`config`] every setting, [`server`] the listening and draining.

pub mod auth;
pub mod cache;
pub mod chat;
pub mod cli;
pub mod config;
pub mod demo;
pub mod intent;
pub mod knowledge;
pub mod layers;
pub mod mask;
pub mod openai;
pub mod reply;
pub mod routes;
pub mod server;
pub mod stack;
pub mod store;
pub mod telemetry;
pub mod transcript;
