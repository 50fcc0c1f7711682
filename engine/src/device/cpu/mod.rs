//! The fast device: SIMD lanes chosen at run time, and a pool of threads.

mod attention;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod lanes;
mod matmul;
mod mxfp4;
mod pool;
mod portable;
mod rowwise;

pub use lanes::Simd;

use super::{Angles, Choice, Device, Group, Heads, Kv, LANES, Matrix, Rows, Span};
use matmul::Product;
use pool::Pool;

/// Multiply-adds that are worth handing to another thread: some ten microseconds of one.
const CHUNK_WORK: usize = 200_000;

/// A CPU: one rank's threads.
pub struct Cpu {
    simd: Simd,
    pool: Pool,
}

impl Cpu {
    /// Uses `threads` threads, the caller's included.
    pub fn new(threads: usize) -> Self {
        Self::with_simd(threads, Simd::detect())
    }

    /// As [`Cpu::new`], but with this instruction set, or the best that the machine has if that is less.
    pub fn with_simd(threads: usize, simd: Simd) -> Self {
        Self { simd: simd.min(Simd::detect()), pool: Pool::new(threads.max(1)) }
    }

    /// Calls `task` with every index, in chunks that are worth a thread's while; `work` is one index' share in
    /// multiply-adds.
    fn spread(&self, count: usize, work: usize, task: impl Fn(usize) + Sync) {
        let most = (self.pool.threads() * 4).min(count * work / CHUNK_WORK).max(1);
        let size = count.div_ceil(most).max(1);
        self.pool.run(count.div_ceil(size), &|chunk| {
            (chunk * size..count.min((chunk + 1) * size)).for_each(&task);
        });
    }

    /// Calls `task` with each row of `rows` and its index.
    fn each_row(&self, rows: &mut Rows, task: impl Fn(usize, &mut [f32]) + Sync) {
        let (stride, width) = (rows.stride(), rows.width());
        let data = Shared(rows.data_mut().as_mut_ptr());
        self.spread(rows.len(), width * 4, |r| {
            // SAFETY: rows do not overlap, each index is visited once, and `rows` is borrowed for the whole call.
            task(r, unsafe { std::slice::from_raw_parts_mut(data.at(r * stride), width) });
        });
    }
}

impl Device for Cpu {
    fn embed(&self, table: &Matrix, tokens: &[u32], out: &mut Rows) {
        self.each_row(out, |r, row| {
            for (k, value) in row.iter_mut().enumerate() {
                *value = table.get(tokens[r] as usize, k);
            }
        });
    }

    fn rms_norm(&self, x: &Rows, weight: &[f32], eps: f32, out: &mut Rows) {
        self.each_row(out, |r, row| rowwise::rms_norm(x.row(r), weight, eps, row));
    }

    fn matmul(&self, x: &Rows, groups: &[Group<'_>], out: &mut Rows) {
        assert_fits(x, groups, out);
        let out_stride = out.stride();
        let data = Shared(out.data_mut().as_mut_ptr());
        // One list of pieces over all groups, so that the experts of a small batch keep all threads busy.
        let mut pieces: Vec<(usize, usize)> = Vec::new();
        let mut work = 0;
        for (g, group) in groups.iter().enumerate().filter(|(_, group)| !group.rows.is_empty()) {
            pieces.extend(
                (0..group.matrix.rows().div_ceil(LANES)).step_by(matmul::GROUP_PANELS).map(|p| (g, p)),
            );
            work += group.rows.len() * group.matrix.width() * group.matrix.rows();
        }
        self.spread(pieces.len(), work / pieces.len().max(1), |i| {
            let (g, panel) = pieces[i];
            let Group { rows, matrix, bias } = &groups[g];
            let end = (panel + matmul::GROUP_PANELS).min(matrix.rows().div_ceil(LANES));
            let product = Product {
                x: x.data()[rows.start * x.stride()..].as_ptr(),
                x_stride: x.stride(),
                rows: rows.len(),
                matrix,
                bias,
                out: data.at(rows.start * out_stride),
                out_stride,
            };
            // SAFETY: sizes were checked above; groups do not share rows, pieces of a group do not share panels,
            // and the instruction set was detected.
            unsafe { matmul::multiply_panels(self.simd, &product, panel..end) };
        });
    }

    fn rope(&self, x: &mut Rows, heads: usize, angles: &Angles) {
        self.each_row(x, |r, row| rowwise::rope(row, r, heads, angles));
    }

    fn attend(&self, x: &Rows, kv: &Kv, spans: &[Span<'_>], heads: &Heads<'_>, out: &mut Rows) {
        let out_stride = out.stride();
        let data = Shared(out.data_mut().as_mut_ptr());
        let tiles = attention_tiles(spans, heads);
        let mut work = 0;
        for (span, _, rows) in &tiles {
            let end = spans[*span].position + spans[*span].rows.len();
            work += rows.len() * heads.window.map_or(end, |w| w.min(end)) * kv.shape().head_dim * 2;
        }
        self.spread(tiles.len(), work / tiles.len().max(1), |i| {
            let (span, (head, group), rows) = tiles[i].clone();
            let task = attention::Task {
                span: &spans[span],
                heads,
                head,
                group,
                rows,
                x: x.data().as_ptr(),
                x_stride: x.stride(),
                out: data.at(0),
                out_stride,
            };
            // SAFETY: the model gives rows, heads and blocks that exist (a step is validated when it is taken in);
            // tiles share no (token, head) pair, and the instruction set was detected.
            unsafe { attention::attend_tile(self.simd, &task, kv) };
        });
    }

    fn swiglu(&self, x: &Rows, alpha: f32, limit: f32, out: &mut Rows) {
        self.each_row(out, |r, row| rowwise::swiglu(self.simd, x.row(r), alpha, limit, row));
    }

    fn route(&self, logits: &Rows, top: usize, out: &mut Vec<Choice>) {
        out.clear();
        (0..logits.len()).for_each(|r| rowwise::route(logits.row(r), top, out));
    }

    fn gather(&self, x: &Rows, sources: &[usize], out: &mut Rows) {
        self.each_row(out, |i, row| row.copy_from_slice(x.row(sources[i])));
    }

    fn combine(&self, x: &Rows, parts: &[(usize, f32)], per_row: usize, out: &mut Rows) {
        self.each_row(out, |i, row| {
            row.fill(0.0);
            for &(source, weight) in &parts[i * per_row..(i + 1) * per_row] {
                row.iter_mut().zip(x.row(source)).for_each(|(o, &v)| *o += weight * v);
            }
        });
    }

    fn add(&self, x: &mut Rows, y: &Rows) {
        self.each_row(x, |r, row| row.iter_mut().zip(y.row(r)).for_each(|(a, &b)| *a += b));
    }
}

/// The products write through pointers, so their sizes are checked first; a misfit is a bug in the model.
fn assert_fits(x: &Rows, groups: &[Group<'_>], out: &Rows) {
    for group in groups {
        assert!(group.rows.end <= x.len() && group.rows.end <= out.len(), "rows of a product");
        assert!(group.matrix.width() <= x.width(), "inputs of a product");
        assert!(group.matrix.rows() <= out.width(), "outputs of a product");
    }
}

/// Tiles of queries that share a key/value head: (span, (first head, heads), rows).
type AttentionTile = (usize, (usize, usize), std::ops::Range<usize>);

fn attention_tiles(spans: &[Span<'_>], heads: &Heads<'_>) -> Vec<AttentionTile> {
    let mut groups: Vec<(usize, usize)> = Vec::new();
    for head in 0..heads.query {
        match groups.last_mut() {
            Some((first, count)) if heads.kv_of[*first] == heads.kv_of[head] => *count += 1,
            _ => groups.push((head, 1)),
        }
    }
    let mut tiles = Vec::new();
    for (i, span) in spans.iter().enumerate() {
        for &(head, count) in &groups {
            let rows = span.rows.len() * count;
            let starts = (0..rows).step_by(attention::TILE);
            tiles.extend(starts.map(|r| (i, (head, count), r..rows.min(r + attention::TILE))));
        }
    }
    tiles
}

/// A pointer that several threads write through, each its own part.
struct Shared(*mut f32);

// SAFETY: it is only an address; whoever writes through it says why the parts do not overlap.
unsafe impl Sync for Shared {}

impl Shared {
    fn at(&self, offset: usize) -> *mut f32 {
        self.0.wrapping_add(offset)
    }
}
