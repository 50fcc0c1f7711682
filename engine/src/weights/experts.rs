//! The experts of a layer, MXFP4 or dense, dealt out by their width.
//!
//! MXFP4 (openai's layout): `[experts, outputs, inputs / 32, 16]` bytes and a scale for every 32 weights.
//! Dense (transformers 5): `[experts, inputs, outputs]`. In both, rows of gates and ups alternate.

use super::load::{FLOATS, Loader, once, precision};
use super::{Dtype, Expert, LoadError, Moe, Shard, Tensor};
use crate::device::{MXFP4_BLOCK, Matrix, Precision};
use std::ops::Range;

/// The highest MXFP4 scale; 255 means "not a number".
const SCALE_MAX: u8 = 254;

/// Gate-up and down matrices of one expert, for each rank.
type Pairs = Vec<(Matrix, Matrix)>;

impl Loader<'_> {
    pub(super) fn moe(&self, prefix: &str) -> Result<Vec<Moe>, LoadError> {
        let (experts, hidden) = (self.config.experts, self.config.hidden_size);
        let norm = self.vector(&format!("{prefix}.post_attention_layernorm.weight"), hidden)?;
        let router = self.whole(&format!("{prefix}.mlp.router.weight"), experts, hidden)?;
        let router_bias = self.vector(&format!("{prefix}.mlp.router.bias"), experts)?;
        let mut moes: Vec<Moe> = self
            .shards
            .iter()
            .map(|_| Moe {
                norm: norm.clone(),
                router: router.clone(),
                router_bias: router_bias.clone(),
                experts: Vec::with_capacity(experts),
            })
            .collect();
        let source = Source::find(self, &format!("{prefix}.mlp.experts"))?;
        for expert in 0..experts {
            let part = source.expert(self, expert)?;
            for (moe, part) in moes.iter_mut().zip(part) {
                moe.experts.push(part);
            }
        }
        Ok(moes)
    }
}

/// The tensors of a layer's experts.
struct Source<'a> {
    weights: Weights<'a>,
    gate_up_bias: Tensor<'a>,
    down_bias: Tensor<'a>,
}

enum Weights<'a> {
    Mxfp4 { gate_up: Packed<'a>, down: Packed<'a> },
    Dense { gate_up: Tensor<'a>, down: Tensor<'a> },
}

/// Blocks and scales of `[experts, rows, width]` weights.
struct Packed<'a> {
    blocks: Tensor<'a>,
    scales: Tensor<'a>,
    rows: usize,
    width: usize,
}

impl<'a> Source<'a> {
    fn find(loader: &Loader<'a>, prefix: &str) -> Result<Self, LoadError> {
        let config = loader.config;
        let (experts, hidden, width) = (config.experts, config.hidden_size, config.expert_width);
        let float = |name: &str, shape: &[usize]| {
            loader.checkpoint.tensor(&format!("{prefix}.{name}"), shape, &FLOATS)
        };
        let packed =
            ["blocks", "scales"].iter().any(|s| loader.checkpoint.has(&format!("{prefix}.gate_up_proj_{s}")));
        let weights = if packed {
            whole_blocks(loader, "hidden_size", hidden)?;
            whole_blocks(loader, "intermediate_size", width)?;
            Weights::Mxfp4 {
                gate_up: Packed::find(loader, &format!("{prefix}.gate_up_proj"), 2 * width, hidden)?,
                down: Packed::find(loader, &format!("{prefix}.down_proj"), hidden, width)?,
            }
        } else {
            Weights::Dense {
                gate_up: float("gate_up_proj", &[experts, hidden, 2 * width])?,
                down: float("down_proj", &[experts, width, hidden])?,
            }
        };
        Ok(Self {
            weights,
            gate_up_bias: float("gate_up_proj_bias", &[experts, 2 * width])?,
            down_bias: float("down_proj_bias", &[experts, hidden])?,
        })
    }

    /// One expert's part for each rank.
    fn expert(&self, loader: &Loader<'_>, expert: usize) -> Result<Vec<Expert>, LoadError> {
        let (hidden, width) = (loader.config.hidden_size, loader.config.expert_width);
        let gate_up_bias = self.gate_up_bias.read_floats(expert * 2 * width, 2 * width)?;
        let down_bias = self.down_bias.read_floats(expert * hidden, hidden)?;
        let pairs = match &self.weights {
            Weights::Mxfp4 { gate_up, down } => mxfp4(loader, gate_up, down, expert)?,
            Weights::Dense { gate_up, down } => dense(loader, gate_up, down, expert)?,
        };
        loader.tell();
        Ok(loader
            .shards
            .iter()
            .zip(pairs)
            .map(|(shard, (gate_up, down))| Expert {
                gate_up,
                gate_up_bias: gates_then_ups(&gate_up_bias, &shard.expert_width),
                down,
                down_bias: once(shard, &down_bias),
            })
            .collect())
    }
}

impl<'a> Packed<'a> {
    fn find(loader: &Loader<'a>, name: &str, rows: usize, width: usize) -> Result<Self, LoadError> {
        let (experts, groups) = (loader.config.experts, width / MXFP4_BLOCK);
        let (blocks, scales) = (format!("{name}_blocks"), format!("{name}_scales"));
        let shape = [experts, rows, groups, MXFP4_BLOCK / 2];
        let blocks = loader.checkpoint.tensor(&blocks, &shape, &[Dtype::U8])?;
        let scales = loader.checkpoint.tensor(&scales, &shape[..3], &[Dtype::U8])?;
        Ok(Self { blocks, scales, rows, width })
    }

    /// Hands on the blocks and the scales of each row of one expert.
    fn each_row(&self, expert: usize, mut take: impl FnMut(usize, &[u8], &[u8])) -> Result<(), LoadError> {
        let (bytes, groups) = (self.width / 2, self.width / MXFP4_BLOCK);
        let blocks = self.blocks.read(expert * self.rows * bytes, self.rows * bytes)?;
        let scales = self.scales.read(expert * self.rows * groups, self.rows * groups)?;
        if let Some(at) = scales.iter().position(|&scale| scale > SCALE_MAX) {
            let problem = format!(
                "expert {expert}, scale {at}: expected at most {SCALE_MAX}, found 255 (not a number)"
            );
            return Err(self.scales.bad_values(problem));
        }
        let rows = blocks.chunks_exact(bytes).zip(scales.chunks_exact(groups)).enumerate();
        rows.for_each(|(row, (blocks, scales))| take(row, blocks, scales));
        Ok(())
    }
}

/// MXFP4 experts need both of their widths in whole blocks.
fn whole_blocks(loader: &Loader<'_>, key: &str, width: usize) -> Result<(), LoadError> {
    if width.is_multiple_of(MXFP4_BLOCK) {
        return Ok(());
    }
    let path = loader.checkpoint.folder().join("config.json");
    let expected = format!("a multiple of {MXFP4_BLOCK}, because the experts are MXFP4");
    Err(LoadError::Setting { path, key: key.to_owned(), expected, found: width.to_string() })
}

fn mxfp4(
    loader: &Loader<'_>,
    gate_up: &Packed<'_>,
    down: &Packed<'_>,
    expert: usize,
) -> Result<Pairs, LoadError> {
    let mut parts = zeros(loader, Precision::Mxfp4, Precision::Mxfp4);
    gate_up.each_row(expert, |row, blocks, scales| {
        for (shard, (matrix, _)) in loader.shards.iter().zip(&mut parts) {
            if let Some(local) = local_row(shard, row) {
                matrix.set_mxfp4_row(local, blocks, scales);
            }
        }
    })?;
    down.each_row(expert, |row, blocks, scales| {
        for (shard, (_, matrix)) in loader.shards.iter().zip(&mut parts) {
            let Range { start, end } = shard.expert_width;
            let scales = &scales[start / MXFP4_BLOCK..end / MXFP4_BLOCK];
            matrix.set_mxfp4_row(row, &blocks[start / 2..end / 2], scales);
        }
    })?;
    Ok(parts)
}

fn dense(
    loader: &Loader<'_>,
    gate_up: &Tensor<'_>,
    down: &Tensor<'_>,
    expert: usize,
) -> Result<Pairs, LoadError> {
    let (hidden, width) = (loader.config.hidden_size, loader.config.expert_width);
    let mut parts = zeros(loader, precision(gate_up), precision(down));
    let inputs = expert * hidden..(expert + 1) * hidden;
    loader.each_row(gate_up, inputs.clone(), 2 * width, |k, values| {
        for (shard, (matrix, _)) in loader.shards.iter().zip(&mut parts) {
            let values = gates_then_ups(values, &shard.expert_width);
            values.iter().enumerate().for_each(|(row, &value)| matrix.set(row, k - inputs.start, value));
        }
    })?;
    let inputs = expert * width..(expert + 1) * width;
    loader.each_row(down, inputs.clone(), hidden, |k, values| {
        let k = k - inputs.start;
        for (shard, (_, matrix)) in loader.shards.iter().zip(&mut parts) {
            if shard.expert_width.contains(&k) {
                values
                    .iter()
                    .enumerate()
                    .for_each(|(n, &value)| matrix.set(n, k - shard.expert_width.start, value));
            }
        }
    })?;
    Ok(parts)
}

fn zeros(loader: &Loader<'_>, gate_up: Precision, down: Precision) -> Pairs {
    let hidden = loader.config.hidden_size;
    let zeros = |shard: &Shard| {
        let width = shard.expert_width.len();
        (Matrix::zeros(gate_up, 2 * width, hidden), Matrix::zeros(down, hidden, width))
    };
    loader.shards.iter().map(zeros).collect()
}

/// Where a rank keeps row `row` of alternating gates and ups, if it does.
fn local_row(shard: &Shard, row: usize) -> Option<usize> {
    let (element, up) = (row / 2, row % 2);
    let local = element.checked_sub(shard.expert_width.start).filter(|_| element < shard.expert_width.end)?;
    Some(local + up * shard.expert_width.len())
}

/// A rank's part of alternating gates and ups, sorted into gates and then ups.
fn gates_then_ups(values: &[f32], width: &Range<usize>) -> Vec<f32> {
    let pairs = &values[2 * width.start..2 * width.end];
    let gates = pairs.iter().step_by(2);
    gates.chain(pairs.iter().skip(1).step_by(2)).copied().collect()
}
