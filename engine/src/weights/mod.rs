//! A Hugging Face checkpoint folder becomes tensors, whole or sliced per rank.
//!
//! [`Config`] is what `config.json` says, checked; [`Checkpoint`] finds tensors in safetensors files and reads
//! them by plain positioned reads; [`load`] distributes them over the ranks of a [`Split`].

mod checkpoint;
mod config;
mod error;
mod experts;
mod layers;
mod load;
mod rope;
mod safetensors;
mod shard;

pub use checkpoint::{Checkpoint, Tensor};
pub use config::{Config, LayerKind};
pub use error::LoadError;
pub use layers::{Attention, Expert, Layer, Moe, Weights};
pub use load::{Progress, load};
pub use rope::{Rope, Yarn};
pub use safetensors::Dtype;
pub use shard::{Shard, Split};
