//! From a checkpoint to every rank's weights: each tensor is read once and dealt out.

use super::{Attention, Checkpoint, Config, Dtype, Layer, LoadError, Shard, Split, Tensor, Weights};
use crate::device::{Matrix, Precision};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Told now and then how many bytes of how many are loaded.
pub type Progress<'a> = dyn Fn(u64, u64) + Sync + 'a;

pub(super) const FLOATS: [Dtype; 3] = [Dtype::Bf16, Dtype::F32, Dtype::F16];

/// About how many bytes are read at a time.
const READ_BYTES: usize = 8 << 20;

/// Loads the weights of every rank, layers in parallel on `threads` threads.
pub fn load(
    checkpoint: &Checkpoint,
    config: &Config,
    split: Split,
    threads: usize,
    progress: &Progress<'_>,
) -> Result<Vec<Weights>, LoadError> {
    checkpoint.expect_layers(config.layers.len())?;
    let loader = Loader { checkpoint, config, shards: split.shards(config), progress };
    let (vocab, hidden) = (config.vocab_size, config.hidden_size);
    let embedding = Arc::new(loader.whole("model.embed_tokens.weight", vocab, hidden)?);
    let head = if config.tied_embeddings { "model.embed_tokens.weight" } else { "lm_head.weight" };
    let ranges = |shard: &Shard| shard.vocabulary.clone();
    let heads = loader.rows(head, vocab, hidden, ranges)?;
    let norm = loader.vector("model.norm.weight", hidden)?;
    let mut ranks: Vec<Weights> = loader
        .shards
        .iter()
        .cloned()
        .zip(heads)
        .map(|(shard, head)| {
            let (embedding, norm) = (Arc::clone(&embedding), norm.clone());
            Weights { shard, embedding, layers: Vec::new(), norm, head }
        })
        .collect();
    for layer in loader.layers(threads)? {
        for (rank, part) in ranks.iter_mut().zip(layer) {
            rank.layers.push(part);
        }
    }
    progress(checkpoint.total(), checkpoint.total());
    Ok(ranks)
}

/// What every step of the loading needs.
pub(super) struct Loader<'a> {
    pub(super) checkpoint: &'a Checkpoint,
    pub(super) config: &'a Config,
    pub(super) shards: Vec<Shard>,
    progress: &'a Progress<'a>,
}

/// A layer, for each rank.
type Parts = Vec<Layer>;

impl Loader<'_> {
    fn layers(&self, threads: usize) -> Result<Vec<Parts>, LoadError> {
        let count = self.config.layers.len();
        let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
        let results: Mutex<Vec<(usize, Result<Parts, LoadError>)>> = Mutex::default();
        std::thread::scope(|scope| {
            for _ in 0..threads.clamp(1, count) {
                scope.spawn(|| {
                    while !failed.load(Ordering::Relaxed) {
                        let layer = next.fetch_add(1, Ordering::Relaxed);
                        if layer >= count {
                            return;
                        }
                        let result = self.layer(layer);
                        failed.fetch_or(result.is_err(), Ordering::Relaxed);
                        results.lock().unwrap_or_else(PoisonError::into_inner).push((layer, result));
                    }
                });
            }
        });
        let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
        results.sort_by_key(|(layer, _)| *layer);
        results.into_iter().map(|(_, result)| result).collect()
    }

    fn layer(&self, layer: usize) -> Result<Parts, LoadError> {
        let prefix = format!("model.layers.{layer}");
        let attention = self.attention(&prefix)?;
        let moe = self.moe(&prefix)?;
        Ok(attention.into_iter().zip(moe).map(|(attention, moe)| Layer { attention, moe }).collect())
    }

    fn attention(&self, prefix: &str) -> Result<Vec<Attention>, LoadError> {
        let config = self.config;
        let (hidden, dim) = (config.hidden_size, config.head_dim);
        let norm = self.vector(&format!("{prefix}.input_layernorm.weight"), hidden)?;
        let sinks = self.vector(&format!("{prefix}.self_attn.sinks"), config.query_heads)?;
        let output = format!("{prefix}.self_attn.o_proj");
        let outputs =
            self.columns(&format!("{output}.weight"), hidden, config.query_heads * dim, |shard| {
                scaled(&shard.query_heads, dim)
            })?;
        let output_bias = self.attention_bias(&format!("{output}.bias"), hidden)?;
        let (qkvs, biases) = self.qkv(prefix)?;
        let parts = self.shards.iter().zip(outputs).zip(qkvs.into_iter().zip(biases));
        Ok(parts
            .map(|((shard, output), (qkv, qkv_bias))| Attention {
                norm: norm.clone(),
                qkv,
                qkv_bias,
                output,
                output_bias: once(shard, &output_bias),
                sinks: sinks[shard.query_heads.clone()].to_vec(),
            })
            .collect())
    }

    /// Queries, keys and values as one matrix a rank: one product instead of three.
    fn qkv(&self, prefix: &str) -> Result<(Vec<Matrix>, Vec<Vec<f32>>), LoadError> {
        let config = self.config;
        let (hidden, dim) = (config.hidden_size, config.head_dim);
        let projections = [("q", config.query_heads), ("k", config.kv_heads), ("v", config.kv_heads)];
        let mut tensors = Vec::new();
        for (name, heads) in projections {
            let name = format!("{prefix}.self_attn.{name}_proj");
            let tensor =
                self.checkpoint.tensor(&format!("{name}.weight"), &[heads * dim, hidden], &FLOATS)?;
            tensors.push((tensor, heads * dim, self.attention_bias(&format!("{name}.bias"), heads * dim)?));
        }
        let exact_in_bf16 = tensors.iter().all(|(tensor, ..)| tensor.dtype == Dtype::Bf16);
        let precision = if exact_in_bf16 { Precision::Bf16 } else { Precision::F32 };
        let rows = |s: &Shard| (s.query_heads.len() + 2 * s.kv_heads.len()) * dim;
        let mut matrices: Vec<Matrix> =
            self.shards.iter().map(|s| Matrix::zeros(precision, rows(s), hidden)).collect();
        let mut biases = vec![Vec::new(); self.shards.len()];
        let mut starts = vec![0; self.shards.len()];
        for (i, (tensor, count, bias)) in tensors.iter().enumerate() {
            let ranges: Vec<Range<usize>> = self
                .shards
                .iter()
                .map(|s| scaled(if i == 0 { &s.query_heads } else { &s.kv_heads }, dim))
                .collect();
            self.each_row(tensor, 0..*count, hidden, |row, values| {
                for ((matrix, range), start) in matrices.iter_mut().zip(&ranges).zip(&starts) {
                    if range.contains(&row) {
                        matrix.set_row(start + row - range.start, values);
                    }
                }
            })?;
            for ((range, start), part) in ranges.into_iter().zip(&mut starts).zip(&mut biases) {
                *start += range.len();
                part.extend_from_slice(bias.get(range).unwrap_or(&[]));
            }
        }
        Ok((matrices, biases))
    }

    /// A projection's bias; empty where the model has none.
    fn attention_bias(&self, name: &str, size: usize) -> Result<Vec<f32>, LoadError> {
        if self.config.attention_bias { self.vector(name, size) } else { Ok(Vec::new()) }
    }

    /// A float tensor of one dimension.
    pub(super) fn vector(&self, name: &str, size: usize) -> Result<Vec<f32>, LoadError> {
        self.checkpoint.tensor(name, &[size], &FLOATS)?.read_floats(0, size)
    }

    /// A float tensor `[rows, width]`.
    pub(super) fn whole(&self, name: &str, rows: usize, width: usize) -> Result<Matrix, LoadError> {
        let tensor = self.checkpoint.tensor(name, &[rows, width], &FLOATS)?;
        let mut matrix = Matrix::zeros(precision(&tensor), rows, width);
        self.each_row(&tensor, 0..rows, width, |row, values| matrix.set_row(row, values))?;
        Ok(matrix)
    }

    /// Each rank's rows of a float tensor.
    fn rows(
        &self,
        name: &str,
        rows: usize,
        width: usize,
        range: impl Fn(&Shard) -> Range<usize>,
    ) -> Result<Vec<Matrix>, LoadError> {
        let tensor = self.checkpoint.tensor(name, &[rows, width], &FLOATS)?;
        let ranges: Vec<_> = self.shards.iter().map(range).collect();
        let mut parts: Vec<_> =
            ranges.iter().map(|r| Matrix::zeros(precision(&tensor), r.len(), width)).collect();
        self.each_row(&tensor, 0..rows, width, |row, values| {
            for (part, range) in parts.iter_mut().zip(&ranges).filter(|(_, range)| range.contains(&row)) {
                part.set_row(row - range.start, values);
            }
        })?;
        Ok(parts)
    }

    /// Each rank's columns of a float tensor.
    fn columns(
        &self,
        name: &str,
        rows: usize,
        width: usize,
        range: impl Fn(&Shard) -> Range<usize>,
    ) -> Result<Vec<Matrix>, LoadError> {
        let tensor = self.checkpoint.tensor(name, &[rows, width], &FLOATS)?;
        let ranges: Vec<_> = self.shards.iter().map(range).collect();
        let mut parts: Vec<_> =
            ranges.iter().map(|r| Matrix::zeros(precision(&tensor), rows, r.len())).collect();
        self.each_row(&tensor, 0..rows, width, |row, values| {
            for (part, range) in parts.iter_mut().zip(&ranges) {
                part.set_row(row, &values[range.clone()]);
            }
        })?;
        Ok(parts)
    }

    /// Reads rows of `width` floats, several at a time, and hands them on with their numbers.
    pub(super) fn each_row(
        &self,
        tensor: &Tensor<'_>,
        rows: Range<usize>,
        width: usize,
        mut take: impl FnMut(usize, &[f32]),
    ) -> Result<(), LoadError> {
        let step = (READ_BYTES / (width * tensor.dtype.bytes())).max(1);
        for start in rows.clone().step_by(step) {
            let count = step.min(rows.end - start);
            let values = tensor.read_floats(start * width, count * width)?;
            values.chunks_exact(width).enumerate().for_each(|(i, row)| take(start + i, row));
            self.tell();
        }
        Ok(())
    }

    /// Reports how far the loading is.
    pub(super) fn tell(&self) {
        let total = self.checkpoint.total();
        (self.progress)(self.checkpoint.done().min(total), total);
    }
}

/// How to keep a float tensor: bf16 as it is, the others as `f32`, which holds them exactly.
pub(super) fn precision(tensor: &Tensor<'_>) -> Precision {
    if tensor.dtype == Dtype::Bf16 { Precision::Bf16 } else { Precision::F32 }
}

/// A bias of outputs that the ranks sum: rank 0 adds it.
pub(super) fn once(shard: &Shard, bias: &[f32]) -> Vec<f32> {
    if shard.rank == 0 { bias.to_vec() } else { Vec::new() }
}

fn scaled(range: &Range<usize>, by: usize) -> Range<usize> {
    range.start * by..range.end * by
}
