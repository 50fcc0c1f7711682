//! One rank's weights, in the layout of the device.

use super::Shard;
use crate::device::Matrix;
use std::sync::Arc;

/// All weights of one rank.
#[derive(Debug)]
pub struct Weights {
    /// What part of the model this is.
    pub shard: Shard,
    /// `[vocabulary, hidden]`, whole: the ranks share it.
    pub embedding: Arc<Matrix>,
    /// First layer first.
    pub layers: Vec<Layer>,
    /// Of the last norm, `[hidden]`.
    pub norm: Vec<f32>,
    /// `[rank's vocabulary, hidden]`.
    pub head: Matrix,
}

/// One layer.
#[derive(Debug)]
pub struct Layer {
    /// Its first half.
    pub attention: Attention,
    /// Its second half.
    pub moe: Moe,
}

/// Attention of one layer.
#[derive(Debug)]
pub struct Attention {
    /// `[hidden]`.
    pub norm: Vec<f32>,
    /// `[(query + 2 kv heads) * head_dim, hidden]`: queries, keys, values.
    pub qkv: Matrix,
    /// As the rows of `qkv`; empty where the model has none.
    pub qkv_bias: Vec<f32>,
    /// `[hidden, query heads * head_dim]`.
    pub output: Matrix,
    /// `[hidden]` on rank 0; empty on the others, because the ranks' outputs are summed.
    pub output_bias: Vec<f32>,
    /// `[query heads]`.
    pub sinks: Vec<f32>,
}

/// Mixture of experts of one layer.
#[derive(Debug)]
pub struct Moe {
    /// `[hidden]`.
    pub norm: Vec<f32>,
    /// `[experts, hidden]`, whole on every rank.
    pub router: Matrix,
    /// `[experts]`.
    pub router_bias: Vec<f32>,
    /// Each expert's part.
    pub experts: Vec<Expert>,
}

/// One expert's part on one rank, `width` of its elements.
#[derive(Debug)]
pub struct Expert {
    /// `[2 width, hidden]`: gates, then ups (in a checkpoint they alternate).
    pub gate_up: Matrix,
    /// `[2 width]`, in the same order.
    pub gate_up_bias: Vec<f32>,
    /// `[hidden, width]`.
    pub down: Matrix,
    /// `[hidden]` on rank 0; empty on the others.
    pub down_bias: Vec<f32>,
}
