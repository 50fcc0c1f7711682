//! MXFP4 weights: unpacked into a tile for many rows, or on the fly for few.
//!
//! Both multiply the nibble's value by the scale first, which is exact, so both give the same bits.

use super::lanes::Lanes;
use super::matmul::Product;
use crate::device::matrix::PANEL_BLOCK;
use crate::device::{LANES, MXFP4_BLOCK};

/// Up to this many rows, unpacking on the fly beats a tile.
pub(super) const FEW_ROWS: usize = 4;

/// Consecutive panels of `blocks` blocks each.
pub(super) struct View {
    pub(super) weights: *const u8,
    pub(super) blocks: usize,
    pub(super) panels: usize,
}

/// Unpacks `blocks` blocks of a panel: 16 floats for each k.
///
/// # Safety
/// `from` is valid for `blocks` panel blocks, `to` for `blocks * 32 * 16` floats.
#[inline(always)]
pub(super) unsafe fn unpack<V: Lanes>(from: *const u8, blocks: usize, to: *mut f32) {
    for block in 0..blocks {
        // SAFETY: by the contract; a panel block is 16 scales and then 16 times 16 bytes.
        unsafe {
            let from = from.add(block * PANEL_BLOCK);
            let scales = V::load_powers_of_two(from);
            for j in 0..MXFP4_BLOCK / 2 {
                let (low, high) = V::unpack_mxfp4(from.add(LANES + j * LANES));
                let to = to.add((block * MXFP4_BLOCK + 2 * j) * LANES);
                low.mul(scales).store(to);
                high.mul(scales).store(to.add(LANES));
            }
        }
    }
}

/// `out[r][panel] += x[r] . weights[panel]` for at most [`FEW_ROWS`] rows.
///
/// # Safety
/// As for `multiply_panels`; `out` points at the view's first panel in row 0.
#[inline(always)]
pub(super) unsafe fn multiply_few<V: Lanes>(product: &Product<'_>, view: &View, out: *mut f32) {
    let mut row = 0;
    while row < product.rows {
        // SAFETY: the rows from `row` on are within the contract, and each arm takes no more than are left.
        unsafe {
            let strip = Strip {
                x: product.x.add(row * product.x_stride),
                out: out.add(row * product.out_stride),
                product,
            };
            row += match product.rows - row {
                4.. if V::WIDE => strip.run::<V, 4, 4>(view),
                2.. if V::WIDE => strip.run::<V, 2, 4>(view),
                _ if V::WIDE => strip.run::<V, 1, 4>(view),
                2.. => strip.run::<V, 2, 1>(view),
                _ => strip.run::<V, 1, 2>(view),
            };
        }
    }
}

/// A few rows of input and output.
struct Strip<'a> {
    x: *const f32,
    out: *mut f32,
    product: &'a Product<'a>,
}

impl Strip<'_> {
    /// R rows by all panels, P panels at a time; returns R.
    #[inline(always)]
    unsafe fn run<V: Lanes, const R: usize, const P: usize>(&self, view: &View) -> usize {
        let mut panel = 0;
        // SAFETY: `panel + P` and `panel + 1` stay within the view's panels.
        unsafe {
            while panel + P <= view.panels {
                self.tile::<V, R, P>(view, panel);
                panel += P;
            }
            while panel < view.panels {
                self.tile::<V, R, 1>(view, panel);
                panel += 1;
            }
        }
        R
    }

    /// R rows by P panels, all accumulators and scales in registers.
    #[inline(always)]
    #[allow(clippy::needless_range_loop, reason = "iterators would hide which register holds what")]
    unsafe fn tile<V: Lanes, const R: usize, const P: usize>(&self, view: &View, panel: usize) {
        // SAFETY: by the contract of `multiply_few`.
        unsafe {
            let weights = view.weights.add(panel * view.blocks * PANEL_BLOCK);
            let out = self.out.add(panel * LANES);
            let mut sums = [[V::splat(0.0); P]; R];
            for r in 0..R {
                for p in 0..P {
                    sums[r][p] = V::load(out.add(r * self.product.out_stride + p * LANES));
                }
            }
            for block in 0..view.blocks {
                let mut starts = [weights; P];
                let mut scales = [V::splat(0.0); P];
                for p in 0..P {
                    starts[p] = weights.add((p * view.blocks + block) * PANEL_BLOCK);
                    scales[p] = V::load_powers_of_two(starts[p]);
                }
                for j in 0..MXFP4_BLOCK / 2 {
                    let x = self.x.add(block * MXFP4_BLOCK + 2 * j);
                    for p in 0..P {
                        let (low, high) = V::unpack_mxfp4(starts[p].add(LANES + j * LANES));
                        let (low, high) = (low.mul(scales[p]), high.mul(scales[p]));
                        for r in 0..R {
                            let x = x.add(r * self.product.x_stride);
                            sums[r][p] = V::splat(*x).fma(low, sums[r][p]);
                            sums[r][p] = V::splat(*x.add(1)).fma(high, sums[r][p]);
                        }
                    }
                }
            }
            for r in 0..R {
                for p in 0..P {
                    sums[r][p].store(out.add(r * self.product.out_stride + p * LANES));
                }
            }
        }
    }
}
