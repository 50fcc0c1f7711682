//! Matrix products over panels of 16 outputs.

use super::lanes::{Element, Lanes, dispatch};
use super::mxfp4;
use crate::device::matrix::{PANEL_BLOCK, Panels};
use crate::device::{LANES, MXFP4_BLOCK, Matrix};
use std::mem::MaybeUninit;
use std::ops::Range;

/// Panels that are worked on together: enough independent chains to keep the multipliers busy with one row.
pub(super) const GROUP_PANELS: usize = 4;

/// How much of k is unpacked at a time: 4 panels of it are 32 KiB, which stay in the first-level cache.
const UNPACK_K: usize = 128;

/// From this many rows on, unpacking bf16 once beats widening it for every 8 rows.
const UNPACK_BF16_ROWS: usize = 24;

/// Rows times panels: `out[r][panel] = bias[panel] + x[r] . matrix[panel]`.
#[derive(Clone, Copy)]
pub(super) struct Product<'a> {
    /// First row of the input, of `rows`.
    pub(super) x: *const f32,
    pub(super) x_stride: usize,
    pub(super) rows: usize,
    pub(super) matrix: &'a Matrix,
    pub(super) bias: &'a [f32],
    /// First row of the output; its rows are whole panels wide.
    pub(super) out: *mut f32,
    pub(super) out_stride: usize,
}

dispatch! {
    /// Computes the outputs of `panels` of a product.
    pub(super) unsafe fn multiply_panels => multiply_panels_in(product: &Product<'_>, panels: Range<usize>)
}

/// # Safety
/// `x` and `out` are valid for `rows` rows of their strides, which hold the matrix' width and panels; nobody else
/// touches these panels of `out` meanwhile.
#[inline(always)]
unsafe fn multiply_panels_in<V: Lanes>(product: &Product<'_>, panels: Range<usize>) {
    // SAFETY: by this function's contract; the matrix owns whole panels.
    unsafe {
        start_from_bias(product, panels.clone());
        let mut start = panels.start;
        while start < panels.end {
            let count = GROUP_PANELS.min(panels.end - start);
            multiply_group::<V>(product, start, count);
            start += count;
        }
    }
}

/// At most [`GROUP_PANELS`] panels, in the way that suits their precision and the number of rows.
///
/// # Safety
/// As for [`multiply_panels_in`].
#[inline(always)]
unsafe fn multiply_group<V: Lanes>(product: &Product<'_>, start: usize, count: usize) {
    let width = product.matrix.width();
    let blocks = width / MXFP4_BLOCK;
    // SAFETY: passed on; offsets are those of the panels' layout.
    unsafe {
        match product.matrix.panels() {
            Panels::F32(data) => multiply_floats::<V, f32>(product, data, start, count),
            Panels::Bf16(data) if product.rows < UNPACK_BF16_ROWS => {
                multiply_floats::<V, u16>(product, data, start, count);
            }
            Panels::Bf16(data) => multiply_unpacked::<V>(product, start, count, |panel, k, count, to| {
                unpack_bf16::<V>(data.as_ptr().add(((start + panel) * width + k) * LANES), count, to);
            }),
            Panels::Mxfp4(data) if product.rows <= mxfp4::FEW_ROWS => {
                let weights = data.as_ptr().add(start * blocks * PANEL_BLOCK);
                let view = mxfp4::View { weights, blocks, panels: count };
                mxfp4::multiply_few::<V>(product, &view, product.out.add(start * LANES));
            }
            Panels::Mxfp4(data) => multiply_unpacked::<V>(product, start, count, |panel, k, count, to| {
                let block = (start + panel) * blocks + k / MXFP4_BLOCK;
                mxfp4::unpack::<V>(data.as_ptr().add(block * PANEL_BLOCK), count / MXFP4_BLOCK, to);
            }),
        }
    }
}

/// Panels of floats as they lie.
///
/// # Safety
/// As for [`multiply_panels_in`]; `data` is the matrix' own.
#[inline(always)]
unsafe fn multiply_floats<V: Lanes, E: Element>(
    product: &Product<'_>,
    data: &[E],
    start: usize,
    panels: usize,
) {
    let width = product.matrix.width();
    // SAFETY: passed on.
    unsafe {
        let weights = data.as_ptr().add(start * width * LANES);
        let view = View { weights, k_stride: LANES, panel_stride: width * LANES, panels };
        let out = product.out.add(start * LANES);
        multiply::<V, E>(product.x, product.x_stride, product.rows, &view, width, out, product.out_stride);
    }
}

/// # Safety
/// As for [`multiply_panels_in`].
#[inline(always)]
unsafe fn start_from_bias(product: &Product<'_>, panels: Range<usize>) {
    let columns = panels.start * LANES..panels.end * LANES;
    let bias = product.bias.get(columns.start..columns.end.min(product.bias.len())).unwrap_or(&[]);
    for r in 0..product.rows {
        // SAFETY: by the contract these columns of row r are ours and valid.
        unsafe {
            let out = product.out.add(r * product.out_stride + columns.start);
            std::ptr::copy_nonoverlapping(bias.as_ptr(), out, bias.len());
            std::ptr::write_bytes(out.add(bias.len()), 0, columns.len() - bias.len());
        }
    }
}

/// Unpacks a tile of weights once and uses it for all rows.
///
/// # Safety
/// As for [`multiply_panels_in`]; `unpack(panel, k, count, to)` writes `count * 16` floats.
#[inline(always)]
unsafe fn multiply_unpacked<V: Lanes>(
    product: &Product<'_>,
    start: usize,
    panels: usize,
    unpack: impl Fn(usize, usize, usize, *mut f32),
) {
    const PANEL: usize = UNPACK_K * LANES;
    let mut tile = [MaybeUninit::<f32>::uninit(); GROUP_PANELS * PANEL];
    let tile = tile.as_mut_ptr().cast::<f32>();
    let width = product.matrix.width();
    let mut k = 0;
    while k < width {
        let count = UNPACK_K.min(width - k);
        // SAFETY: by the contract; the tile holds GROUP_PANELS panels of UNPACK_K, and what is read was written.
        unsafe {
            for panel in 0..panels {
                unpack(panel, k, count, tile.add(panel * PANEL));
            }
            let view = View { weights: tile.cast_const(), k_stride: LANES, panel_stride: PANEL, panels };
            let (x, out) = (product.x.add(k), product.out.add(start * LANES));
            multiply::<V, f32>(x, product.x_stride, product.rows, &view, count, out, product.out_stride);
        }
        k += count;
    }
}

/// # Safety
/// `from` is valid for `count * 16` elements, `to` for as many floats.
#[inline(always)]
unsafe fn unpack_bf16<V: Lanes>(from: *const u16, count: usize, to: *mut f32) {
    for k in 0..count {
        // SAFETY: by the contract.
        unsafe { V::load_bf16(from.add(k * LANES)).store(to.add(k * LANES)) }
    }
}

/// Weights as panels of 16 outputs: where the next k and the next panel are, in elements.
#[derive(Clone, Copy)]
pub(super) struct View<E> {
    pub(super) weights: *const E,
    pub(super) k_stride: usize,
    pub(super) panel_stride: usize,
    pub(super) panels: usize,
}

impl<E> View<E> {
    #[inline(always)]
    unsafe fn skip(&self, panels: usize) -> *const E {
        // SAFETY: the caller stays within `panels`.
        unsafe { self.weights.add(panels * self.panel_stride) }
    }
}

/// `out[r][panel] += x[r] . weights[panel]`, each output one chain in the order of k.
///
/// # Safety
/// `x` is valid for `rows` rows of `width`, `out` for `rows` rows of `view.panels * 16`, the view for
/// `view.panels` panels of `width`; nobody else touches `out` meanwhile.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
pub(super) unsafe fn multiply<V: Lanes, E: Element>(
    x: *const f32,
    x_stride: usize,
    rows: usize,
    view: &View<E>,
    width: usize,
    out: *mut f32,
    out_stride: usize,
) {
    let mut row = 0;
    while row < rows {
        // SAFETY: the rows from `row` on are within the contract, and each arm takes no more than are left.
        unsafe {
            let strip = Strip {
                x: x.add(row * x_stride),
                x_stride,
                out: out.add(row * out_stride),
                out_stride,
                width,
            };
            row += match rows - row {
                8.. if V::WIDE => strip.run::<V, E, 8, 2>(view),
                4.. if V::WIDE => strip.run::<V, E, 4, 4>(view),
                2.. if V::WIDE => strip.run::<V, E, 2, 4>(view),
                4.. => strip.run::<V, E, 4, 1>(view),
                2.. => strip.run::<V, E, 2, 2>(view),
                _ => strip.run::<V, E, 1, 4>(view),
            };
        }
    }
}

/// A few rows of input and output.
struct Strip {
    x: *const f32,
    x_stride: usize,
    out: *mut f32,
    out_stride: usize,
    width: usize,
}

impl Strip {
    /// R rows by all panels, P panels at a time; returns R.
    #[inline(always)]
    unsafe fn run<V: Lanes, E: Element, const R: usize, const P: usize>(&self, view: &View<E>) -> usize {
        let mut panel = 0;
        // SAFETY: `panel + P` and `panel + 1` stay within the view's panels.
        unsafe {
            while panel + P <= view.panels {
                self.tile::<V, E, R, P>(view, panel);
                panel += P;
            }
            while panel < view.panels {
                self.tile::<V, E, R, 1>(view, panel);
                panel += 1;
            }
        }
        R
    }

    /// R rows by P panels, all accumulators in registers.
    #[inline(always)]
    #[allow(clippy::needless_range_loop, reason = "iterators would hide which register holds what")]
    unsafe fn tile<V: Lanes, E: Element, const R: usize, const P: usize>(
        &self,
        view: &View<E>,
        panel: usize,
    ) {
        // SAFETY: by the contract of `multiply`.
        unsafe {
            let (weights, out) = (view.skip(panel), self.out.add(panel * LANES));
            let mut sums = [[V::splat(0.0); P]; R];
            for r in 0..R {
                for p in 0..P {
                    sums[r][p] = V::load(out.add(r * self.out_stride + p * LANES));
                }
            }
            for k in 0..self.width {
                let mut w = [V::splat(0.0); P];
                for p in 0..P {
                    w[p] = E::load::<V>(weights.add(k * view.k_stride + p * view.panel_stride));
                }
                for r in 0..R {
                    let x = V::splat(*self.x.add(r * self.x_stride + k));
                    for p in 0..P {
                        sums[r][p] = x.fma(w[p], sums[r][p]);
                    }
                }
            }
            for r in 0..R {
                for p in 0..P {
                    sums[r][p].store(out.add(r * self.out_stride + p * LANES));
                }
            }
        }
    }
}
