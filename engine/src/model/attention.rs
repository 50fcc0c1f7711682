//! The first half of a layer: queries, keys and values, positions, the cache, attention with sinks, output.

use crate::device::{Angles, Device, Group, Heads, Kv, Rows, Span};
use crate::weights::{Attention, Config, LayerKind, Shard, Weights};

/// The heads of this rank.
#[derive(Debug)]
pub(super) struct HeadMap {
    query: usize,
    kv: usize,
    dim: usize,
    /// For each query head the local number of its key/value head.
    kv_of: Vec<usize>,
}

impl HeadMap {
    pub(super) fn new(config: &Config, weights: &Weights) -> Self {
        let shard = &weights.shard;
        let group = config.query_heads / config.kv_heads;
        let kv_of = shard.query_heads.clone().map(|head| head / group - shard.kv_heads.start);
        Self {
            query: shard.query_heads.len(),
            kv: shard.kv_heads.len(),
            dim: config.head_dim,
            kv_of: kv_of.collect(),
        }
    }
}

/// Room for one step's activations.
#[derive(Debug)]
pub(super) struct AttentionRows {
    qkv: Rows,
    attended: Rows,
    output: Rows,
}

impl AttentionRows {
    pub(super) fn new(config: &Config, shard: &Shard) -> Self {
        let queries = shard.query_heads.len() * config.head_dim;
        Self {
            qkv: Rows::new(queries + 2 * shard.kv_heads.len() * config.head_dim),
            attended: Rows::new(queries),
            output: Rows::new(config.hidden_size),
        }
    }

    /// This rank's part of the attention of normed rows; the ranks' parts are to be summed.
    pub(super) fn run<D: Device>(
        &mut self,
        device: &D,
        (weights, map, kind): (&Attention, &HeadMap, LayerKind),
        x: &Rows,
        (kv, spans, angles): (&mut Kv, &[Span<'_>], &Angles),
    ) -> &mut Rows {
        let rows = 0..x.len();
        self.qkv.resize(x.len());
        self.attended.resize(x.len());
        self.output.resize(x.len());

        let project = Group { rows: rows.clone(), matrix: &weights.qkv, bias: &weights.qkv_bias };
        device.matmul(x, &[project], &mut self.qkv);
        device.rope(&mut self.qkv, map.query + map.kv, angles);
        keep(&self.qkv, map, kv, spans);

        let heads = Heads {
            query: map.query,
            kv_of: &map.kv_of,
            sinks: &weights.sinks,
            scale: 1.0 / (map.dim as f32).sqrt(),
            window: match kind {
                LayerKind::Sliding(window) => Some(window),
                LayerKind::Full => None,
            },
        };
        device.attend(&self.qkv, kv, spans, &heads, &mut self.attended);

        let output = Group { rows, matrix: &weights.output, bias: &weights.output_bias };
        device.matmul(&self.attended, &[output], &mut self.output);
        &mut self.output
    }
}

/// Puts the keys and values of all tokens into the cache.
fn keep(qkv: &Rows, map: &HeadMap, kv: &mut Kv, spans: &[Span<'_>]) {
    let (block_size, width) = (kv.shape().block_size, map.kv * map.dim);
    for span in spans {
        for (position, row) in (span.position..).zip(span.rows.clone()) {
            let (keys, values) = qkv.row(row)[map.query * map.dim..].split_at(width);
            let (block, slot) = (span.blocks[position / block_size], position % block_size);
            for (head, (key, value)) in
                keys.chunks_exact(map.dim).zip(values.chunks_exact(map.dim)).enumerate()
            {
                kv.put(block, slot, head, key, value);
            }
        }
    }
}
