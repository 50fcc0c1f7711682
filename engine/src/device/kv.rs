//! The paged cache of keys and values of one layer.

use super::rows::LANES;

/// How keys and values are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KvPrecision {
    /// Exact.
    #[default]
    F32,
    /// Half the memory, rounded to nearest even.
    Bf16,
}

impl KvPrecision {
    /// Bytes of one element.
    pub fn bytes(self) -> usize {
        match self {
            KvPrecision::F32 => 4,
            KvPrecision::Bf16 => 2,
        }
    }
}

/// Where a cache's elements lie, and how many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KvShape {
    /// Blocks.
    pub blocks: usize,
    /// Tokens in a block.
    pub block_size: usize,
    /// Key/value heads on this rank.
    pub heads: usize,
    /// Elements of a head.
    pub head_dim: usize,
}

impl KvShape {
    /// Elements of keys (and as many of values); `None` when they cannot be counted.
    pub fn elements(&self) -> Option<usize> {
        self.blocks.checked_mul(self.heads)?.checked_mul(self.slots())?.checked_mul(self.padded_dim())
    }

    /// Tokens of a block, rounded up to whole vectors.
    pub(super) fn slots(&self) -> usize {
        self.block_size.next_multiple_of(LANES)
    }

    /// Elements of a head, rounded up to whole vectors.
    pub(super) fn padded_dim(&self) -> usize {
        self.head_dim.next_multiple_of(LANES)
    }

    /// Start of a block's keys or values for one head. Keys lie as `[dim][slot]` and values as `[slot][dim]`: both
    /// are panels for the matrix product that attention makes with them.
    pub(super) fn start(&self, block: u32, head: usize) -> usize {
        (block as usize * self.heads + head) * self.slots() * self.padded_dim()
    }

    fn key(&self, block: u32, head: usize, slot: usize, dim: usize) -> usize {
        self.start(block, head) + dim * self.slots() + slot
    }

    fn value(&self, block: u32, head: usize, slot: usize, dim: usize) -> usize {
        self.start(block, head) + slot * self.padded_dim() + dim
    }
}

/// Keys and values of one layer on one rank.
#[derive(Debug)]
pub struct Kv {
    pub(super) shape: KvShape,
    pub(super) keys: Store,
    pub(super) values: Store,
}

#[derive(Debug)]
pub(super) enum Store {
    F32(Vec<f32>),
    Bf16(Vec<u16>),
}

impl Kv {
    /// An empty cache; `None` when there is no memory for it.
    pub fn new(shape: KvShape, precision: KvPrecision) -> Option<Self> {
        let elements = shape.elements()?;
        Some(Self { shape, keys: Store::new(elements, precision)?, values: Store::new(elements, precision)? })
    }

    /// Where its elements lie.
    pub fn shape(&self) -> &KvShape {
        &self.shape
    }

    /// Keeps one token's key and value of one head.
    pub fn put(&mut self, block: u32, slot: usize, head: usize, key: &[f32], value: &[f32]) {
        for (dim, (&k, &v)) in key.iter().zip(value).enumerate() {
            self.keys.set(self.shape.key(block, head, slot, dim), k);
            self.values.set(self.shape.value(block, head, slot, dim), v);
        }
    }

    /// One element of a key.
    pub fn key(&self, block: u32, slot: usize, head: usize, dim: usize) -> f32 {
        self.keys.get(self.shape.key(block, head, slot, dim))
    }

    /// One element of a value.
    pub fn value(&self, block: u32, slot: usize, head: usize, dim: usize) -> f32 {
        self.values.get(self.shape.value(block, head, slot, dim))
    }
}

impl Store {
    fn new(elements: usize, precision: KvPrecision) -> Option<Self> {
        // Asking first turns "no memory" into a value; `vec!` then takes zero pages that cost nothing until used.
        Vec::<u8>::new().try_reserve_exact(elements.checked_mul(precision.bytes())?).ok()?;
        Some(match precision {
            KvPrecision::F32 => Store::F32(vec![0.0; elements]),
            KvPrecision::Bf16 => Store::Bf16(vec![0; elements]),
        })
    }

    fn set(&mut self, at: usize, value: f32) {
        match self {
            Store::F32(data) => data[at] = value,
            Store::Bf16(data) => data[at] = half::bf16::from_f32(value).to_bits(),
        }
    }

    fn get(&self, at: usize) -> f32 {
        match self {
            Store::F32(data) => data[at],
            Store::Bf16(data) => f32::from_bits(u32::from(data[at]) << 16),
        }
    }
}
