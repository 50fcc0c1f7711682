//! gpt-oss: embedding, layers of attention and experts, a last norm, and logits.
//! Source: openai/gpt-oss `torch/model.py` and transformers `modeling_gpt_oss.py`.

use super::attention::{AttentionRows, HeadMap};
use super::moe::MoeRows;
use super::rope::Rotation;
use crate::device::{Device, Group, Kv, KvPrecision, KvShape, Link, Rows, Severed, Span};
use crate::weights::{Config, LoadError, Weights};
use std::ops::Range;

/// One rank's model: its weights, its part of the cache, and room for one step's activations.
pub struct Model<D> {
    pub(super) device: D,
    pub(super) config: Config,
    pub(super) weights: Weights,
    pub(super) link: Link,
    pub(super) heads: HeadMap,
    pub(super) kv: Vec<Kv>,
    rotation: Rotation,
    /// The residual stream, `[tokens, hidden]`.
    residual: Rows,
    normed: Rows,
    attention: AttentionRows,
    moe: MoeRows,
    /// The residual rows whose logits are wanted.
    last: Rows,
    /// This rank's part of the logits.
    logits: Rows,
    vocabulary_widths: Vec<usize>,
}

/// The tokens of one step, all sequences in one list. The executor has checked all of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Step {
    /// Token ids.
    pub tokens: Vec<u32>,
    /// Where each stands in its sequence.
    pub positions: Vec<usize>,
    /// Which tokens belong together, and where their sequence's keys and values live.
    pub sequences: Vec<(Range<usize>, Vec<u32>)>,
    /// Rows whose logits are wanted.
    pub wanted: Vec<usize>,
}

impl<D: Device> Model<D> {
    /// A model with an empty cache of `blocks` blocks of `block_size` tokens.
    pub fn new(
        device: D,
        config: Config,
        weights: Weights,
        link: Link,
        cache: (usize, usize, KvPrecision),
    ) -> Result<Self, LoadError> {
        let (blocks, block_size, precision) = cache;
        let heads = HeadMap::new(&config, &weights);
        let shape =
            KvShape { blocks, block_size, heads: weights.shard.kv_heads.len(), head_dim: config.head_dim };
        let kv: Option<Vec<Kv>> = config.layers.iter().map(|_| Kv::new(shape, precision)).collect();
        let kv = kv.ok_or_else(|| {
            let tokens = blocks.saturating_mul(block_size);
            LoadError::Options(format!("no memory for a cache of {tokens} tokens; ask for fewer blocks"))
        })?;
        let (hidden, shard) = (config.hidden_size, &weights.shard);
        let shards = crate::weights::Split::new(link.ranks())?.shards(&config);
        Ok(Self {
            rotation: Rotation::new(&config.rope, config.head_dim),
            residual: Rows::new(hidden),
            normed: Rows::new(hidden),
            attention: AttentionRows::new(&config, shard),
            moe: MoeRows::new(&config, shard),
            last: Rows::new(hidden),
            logits: Rows::new(shard.vocabulary.len()),
            vocabulary_widths: shards.iter().map(|s| s.vocabulary.len()).collect(),
            device,
            config,
            weights,
            link,
            heads,
            kv,
        })
    }

    /// Tokens that the model knows.
    pub fn vocab_size(&self) -> usize {
        self.config.vocab_size
    }

    /// Runs the tokens through the model and keeps their keys and values. `logits` gets a row of `vocab_size` for
    /// each wanted row, on every rank.
    pub fn forward(&mut self, step: &Step, logits: &mut Rows) -> Result<(), Severed> {
        let angles = self.rotation.angles(&step.positions);
        let spans: Vec<Span<'_>> = step
            .sequences
            .iter()
            .map(|(rows, blocks)| Span { rows: rows.clone(), position: step.positions[rows.start], blocks })
            .collect();

        self.residual.resize(step.tokens.len());
        self.normed.resize(step.tokens.len());
        self.device.embed(&self.weights.embedding, &step.tokens, &mut self.residual);
        for layer in 0..self.config.layers.len() {
            let Self { device, residual, normed, .. } = self;
            let eps = self.config.rms_norm_eps;
            device.rms_norm(residual, &self.weights.layers[layer].attention.norm, eps, normed);
            let attended = self.attention.run(
                device,
                (&self.weights.layers[layer].attention, &self.heads, self.config.layers[layer]),
                normed,
                (&mut self.kv[layer], &spans, &angles),
            );
            self.link.all_reduce(attended)?;
            device.add(residual, attended);

            let moe = &self.weights.layers[layer].moe;
            device.rms_norm(residual, &moe.norm, eps, normed);
            let mixed = self.moe.run(device, &self.config, moe, normed);
            self.link.all_reduce(mixed)?;
            device.add(residual, mixed);
        }
        self.head(&step.wanted, logits)
    }

    /// The last norm and the logits of the wanted rows; the ranks' parts of the vocabulary are put together.
    fn head(&mut self, wanted: &[usize], logits: &mut Rows) -> Result<(), Severed> {
        logits.resize(wanted.len());
        if wanted.is_empty() {
            return Ok(());
        }
        self.last.resize(wanted.len());
        self.normed.resize(wanted.len());
        self.logits.resize(wanted.len());
        self.device.gather(&self.residual, wanted, &mut self.last);
        self.device.rms_norm(&self.last, &self.weights.norm, self.config.rms_norm_eps, &mut self.normed);
        let head = Group { rows: 0..wanted.len(), matrix: &self.weights.head, bias: &[] };
        self.device.matmul(&self.normed, &[head], &mut self.logits);
        self.link.gather(&self.logits, &self.vocabulary_widths, logits)
    }
}
