//! Weights as the device reads them: panels of 16 output rows, in the checkpoint's own precision.
//!
//! A panel holds, for k = 0, 1, ..., the k-th weight of each of its 16 rows side by side. One vector step then
//! serves 16 outputs, no sum ever crosses lanes, and every output is one chain of multiply-adds in the order of
//! k: the same bits whatever the batch size, the chunking or the number of threads.

use super::rows::LANES;

/// Weights that share one MXFP4 scale.
pub const MXFP4_BLOCK: usize = 32;

/// The sixteen values of a nibble (OCP Microscaling 1.0, E2M1): bit 3 is the sign.
pub const MXFP4_VALUES: [f32; 16] =
    [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, -0.0, -0.5, -1.0, -1.5, -2.0, -3.0, -4.0, -6.0];

/// Bytes of one MXFP4 panel block: 16 scales, then 16 x 16 bytes (byte j of each row: elements 2j and 2j + 1).
pub(super) const PANEL_BLOCK: usize = LANES + LANES * MXFP4_BLOCK / 2;

/// How the weights of a [`Matrix`] are kept. All expand exactly to `f32`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// 32-bit floats.
    F32,
    /// The upper half of a 32-bit float.
    Bf16,
    /// Nibbles with one power of two per 32 of them; the width is a multiple of 32.
    Mxfp4,
}

/// `rows` outputs of `width` weights each.
#[derive(Debug, Clone)]
pub struct Matrix {
    rows: usize,
    width: usize,
    panels: Panels,
}

/// Layouts: `[panel][k][16]` for floats, `[panel][k / 32][PANEL_BLOCK]` bytes for MXFP4.
#[derive(Debug, Clone)]
pub(super) enum Panels {
    F32(Vec<f32>),
    Bf16(Vec<u16>),
    Mxfp4(Vec<u8>),
}

impl Matrix {
    /// All zero, to be filled row by row.
    pub fn zeros(precision: Precision, rows: usize, width: usize) -> Self {
        let panels = rows.div_ceil(LANES);
        let floats = panels * width * LANES;
        let panels = match precision {
            Precision::F32 => Panels::F32(vec![0.0; floats]),
            Precision::Bf16 => Panels::Bf16(vec![0; floats]),
            Precision::Mxfp4 => Panels::Mxfp4(vec![0; panels * (width / MXFP4_BLOCK) * PANEL_BLOCK]),
        };
        Self { rows, width, panels }
    }

    /// Outputs.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Weights per output.
    pub fn width(&self) -> usize {
        self.width
    }

    /// How the weights are kept.
    pub fn precision(&self) -> Precision {
        match self.panels {
            Panels::F32(_) => Precision::F32,
            Panels::Bf16(_) => Precision::Bf16,
            Panels::Mxfp4(_) => Precision::Mxfp4,
        }
    }

    /// Sets one weight of a float matrix; a bf16 matrix keeps the upper half. An MXFP4 matrix has no single weights
    /// (see [`Matrix::set_mxfp4_row`]) and stays as it is.
    pub fn set(&mut self, row: usize, k: usize, value: f32) {
        let at = self.float_index(row, k);
        match &mut self.panels {
            Panels::F32(data) => data[at] = value,
            Panels::Bf16(data) => data[at] = (value.to_bits() >> 16) as u16,
            Panels::Mxfp4(_) => {}
        }
    }

    /// Sets a row of a float matrix.
    pub fn set_row(&mut self, row: usize, values: &[f32]) {
        for (k, &value) in values.iter().enumerate().take(self.width) {
            self.set(row, k, value);
        }
    }

    /// Sets a row of an MXFP4 matrix: 16 bytes and one scale for each 32 weights, as in a checkpoint.
    pub fn set_mxfp4_row(&mut self, row: usize, blocks: &[u8], scales: &[u8]) {
        let (start, lane) = (self.panel_block(row, 0), row % LANES);
        let Panels::Mxfp4(data) = &mut self.panels else { return };
        for (i, (block, &scale)) in blocks.chunks_exact(MXFP4_BLOCK / 2).zip(scales).enumerate() {
            let packed = &mut data[start + i * PANEL_BLOCK..][..PANEL_BLOCK];
            packed[lane] = scale;
            for (j, &byte) in block.iter().enumerate() {
                packed[LANES + j * LANES + lane] = byte;
            }
        }
    }

    /// The weight that output `row` gives to input `k`.
    pub fn get(&self, row: usize, k: usize) -> f32 {
        match &self.panels {
            Panels::F32(data) => data[self.float_index(row, k)],
            Panels::Bf16(data) => f32::from_bits(u32::from(data[self.float_index(row, k)]) << 16),
            Panels::Mxfp4(data) => {
                let block = &data[self.panel_block(row, k)..][..PANEL_BLOCK];
                let byte = block[LANES + (k % MXFP4_BLOCK) / 2 * LANES + row % LANES];
                let nibble = if k.is_multiple_of(2) { byte & 15 } else { byte >> 4 };
                MXFP4_VALUES[usize::from(nibble)] * power_of_two(block[row % LANES])
            }
        }
    }

    pub(super) fn panels(&self) -> &Panels {
        &self.panels
    }

    fn float_index(&self, row: usize, k: usize) -> usize {
        (row / LANES * self.width + k) * LANES + row % LANES
    }

    fn panel_block(&self, row: usize, k: usize) -> usize {
        (row / LANES * (self.width / MXFP4_BLOCK) + k / MXFP4_BLOCK) * PANEL_BLOCK
    }
}

/// An e8m0 scale: 2^(scale - 127), exact down to the subnormal 2^-127.
pub(super) fn power_of_two(scale: u8) -> f32 {
    match scale {
        0 => f32::from_bits(1 << 22),
        _ => f32::from_bits(u32::from(scale) << 23),
    }
}
