//! One test body per verb: every device against the reference, over sizes with and without remainders.

use super::*;

/// A fixed sequence of numbers in -1..1 (Knuth's linear congruential generator).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }

    fn below(&mut self, limit: usize) -> usize {
        ((self.next() + 1.0) / 2.0 * limit as f32) as usize % limit
    }

    fn vector(&mut self, size: usize) -> Vec<f32> {
        (0..size).map(|_| self.next()).collect()
    }

    fn rows(&mut self, rows: usize, width: usize) -> Rows {
        let mut out = empty(rows, width);
        (0..rows).for_each(|r| out.row_mut(r).iter_mut().for_each(|v| *v = self.next()));
        out
    }

    fn matrix(&mut self, precision: Precision, rows: usize, width: usize) -> Matrix {
        let mut matrix = Matrix::zeros(precision, rows, width);
        for row in 0..rows {
            if precision == Precision::Mxfp4 {
                let blocks: Vec<u8> = (0..width / 2).map(|_| self.below(256) as u8).collect();
                let scales: Vec<u8> = (0..width / MXFP4_BLOCK).map(|_| 120 + self.below(8) as u8).collect();
                matrix.set_mxfp4_row(row, &blocks, &scales);
            } else {
                matrix.set_row(row, &self.vector(width));
            }
        }
        matrix
    }
}

fn empty(rows: usize, width: usize) -> Rows {
    let mut out = Rows::new(width);
    out.resize(rows);
    out
}

/// Every instruction set of this machine, on one thread and on three.
fn devices() -> Vec<Cpu> {
    Simd::available()
        .into_iter()
        .flat_map(|simd| [1, 3].map(|threads| Cpu::with_simd(threads, simd)))
        .collect()
}

fn assert_close(found: &Rows, expected: &Rows, tolerance: f32, about: &str) {
    assert_eq!(found.len(), expected.len(), "{about}");
    for r in 0..found.len() {
        for (i, (a, b)) in found.row(r).iter().zip(expected.row(r)).enumerate() {
            assert!(
                (a - b).abs() <= tolerance * b.abs().max(1.0),
                "{about}: row {r}, element {i}: {a}, not {b}"
            );
        }
        let padding = &found.data()[r * found.stride() + found.width()..(r + 1) * found.stride()];
        assert!(padding.iter().all(|&p| p == 0.0), "{about}: the padding is not zero");
    }
}

#[test]
fn products() {
    let mut noise = Noise(1);
    let sizes =
        [(1, 16, 32), (1, 200, 96), (2, 1, 64), (3, 33, 160), (8, 64, 32), (29, 130, 288), (64, 48, 64)];
    for precision in [Precision::F32, Precision::Bf16, Precision::Mxfp4] {
        for (rows, outputs, width) in sizes {
            let width = if precision == Precision::Mxfp4 { width } else { width + 7 };
            let (a, b) = (noise.matrix(precision, outputs, width), noise.matrix(precision, outputs, width));
            let (x, bias) = (noise.rows(rows, width), noise.vector(outputs));
            let groups = [
                Group { rows: 0..rows / 2, matrix: &a, bias: &bias },
                Group { rows: rows / 2..rows, matrix: &b, bias: &[] },
            ];
            let mut expected = empty(rows, outputs);
            Reference.matmul(&x, &groups, &mut expected);
            for device in devices() {
                let mut found = empty(rows, outputs);
                device.matmul(&x, &groups, &mut found);
                assert_close(&found, &expected, 2e-5, &format!("{precision:?} {rows} x {outputs} x {width}"));
            }
        }
    }
}

/// Scale 0 is a subnormal power of two.
#[test]
fn mxfp4_expands_exactly_at_all_scales() {
    let x = Noise(9).rows(9, 32);
    for scale in [0, 1, 2, 126, 127, 128, 240] {
        let mut matrix = Matrix::zeros(Precision::Mxfp4, 16, 32);
        let blocks: Vec<u8> = (0..16).map(|i| i * 17).collect();
        (0..16).for_each(|row| matrix.set_mxfp4_row(row, &blocks, &[scale]));
        for k in 0..32 {
            let expected = f64::from(MXFP4_VALUES[k / 2]) * 2f64.powi(i32::from(scale) - 127);
            assert_eq!(f64::from(matrix.get(5, k)), expected);
        }
        for rows in [1, 9] {
            let group = [Group { rows: 0..rows, matrix: &matrix, bias: &[] }];
            let mut expected = empty(9, 16);
            Reference.matmul(&x, &group, &mut expected);
            for device in devices() {
                let mut found = empty(9, 16);
                device.matmul(&x, &group, &mut found);
                let close = |(a, b): (&f32, &f32)| (a - b).abs() <= 1e-4 * b.abs() + 1e-44;
                assert!(found.data().iter().zip(expected.data()).all(close), "scale {scale}, {rows} rows");
            }
        }
    }
}

#[test]
fn a_product_has_the_same_bits_whatever_is_computed_beside_it() {
    let mut noise = Noise(2);
    for precision in [Precision::F32, Precision::Bf16, Precision::Mxfp4] {
        let (matrix, x) = (noise.matrix(precision, 100, 288), noise.rows(37, 288));
        for device in devices() {
            let mut whole = empty(37, 100);
            device.matmul(&x, &[Group { rows: 0..37, matrix: &matrix, bias: &[] }], &mut whole);
            for part in [0..1, 5..8, 10..30] {
                let mut found = empty(37, 100);
                device.matmul(&x, &[Group { rows: part.clone(), matrix: &matrix, bias: &[] }], &mut found);
                part.for_each(|r| assert_eq!(found.row(r), whole.row(r)));
            }
        }
    }
}

/// A cache whose sequence lies in scattered blocks, with NaN wherever nothing was put.
fn scattered(noise: &mut Noise, shape: KvShape, precision: KvPrecision, tokens: usize) -> (Kv, Vec<u32>) {
    let mut kv = Kv::new(shape, precision).unwrap();
    let nan = vec![f32::NAN; shape.head_dim];
    let blocks: Vec<u32> = (0..shape.blocks as u32).rev().collect();
    for position in 0..shape.blocks * shape.block_size {
        let (block, slot) = (blocks[position / shape.block_size], position % shape.block_size);
        for head in 0..shape.heads {
            let (key, value) = (noise.vector(shape.head_dim), noise.vector(shape.head_dim));
            let (key, value) = if position < tokens { (&key, &value) } else { (&nan, &nan) };
            kv.put(block, slot, head, key, value);
        }
    }
    (kv, blocks)
}

#[test]
fn attention() {
    let mut noise = Noise(3);
    // (block size, head dim, tokens, query tokens, window)
    let cases = [
        (16, 64, 300, 300, Some(128)),
        (16, 64, 1, 1, None),
        (4, 10, 50, 7, Some(5)),
        (5, 33, 40, 40, None),
        (32, 16, 400, 3, Some(130)),
        (256, 16, 300, 20, None),
    ];
    for (block_size, head_dim, tokens, queries, window) in cases {
        for precision in [KvPrecision::F32, KvPrecision::Bf16] {
            let shape = KvShape { blocks: tokens / block_size + 2, block_size, heads: 2, head_dim };
            let (kv, blocks) = scattered(&mut noise, shape, precision, tokens);
            let mut x = noise.rows(queries + 1, 5 * head_dim);
            x.data_mut().iter_mut().for_each(|v| *v *= 4.0);
            let heads =
                Heads { query: 5, kv_of: &[0, 0, 0, 1, 1], sinks: &noise.vector(5), scale: 0.4, window };
            let spans = [Span { rows: 1..queries + 1, position: tokens - queries, blocks: &blocks }];
            let mut expected = empty(queries + 1, 5 * head_dim);
            Reference.attend(&x, &kv, &spans, &heads, &mut expected);
            for device in devices() {
                let mut found = empty(queries + 1, 5 * head_dim);
                device.attend(&x, &kv, &spans, &heads, &mut found);
                assert_close(&found, &expected, 2e-5, &format!("{shape:?} {precision:?} {window:?}"));
                let mut last = empty(queries + 1, 5 * head_dim);
                let alone = [Span { rows: queries..queries + 1, position: tokens - 1, blocks: &blocks }];
                device.attend(&x, &kv, &alone, &heads, &mut last);
                assert_eq!(last.row(queries), found.row(queries), "alone and together, {shape:?}");
            }
        }
    }
}

#[test]
fn norms() {
    let mut noise = Noise(4);
    for width in [1, 16, 40, 333] {
        let (x, weight) = (noise.rows(5, width), noise.vector(width));
        let mut expected = empty(5, width);
        Reference.rms_norm(&x, &weight, 1e-5, &mut expected);
        for device in devices() {
            let mut found = empty(5, width);
            device.rms_norm(&x, &weight, 1e-5, &mut found);
            assert_close(&found, &expected, 1e-6, "rms_norm");
        }
    }
}

#[test]
fn activations() {
    let mut noise = Noise(5);
    for width in [1, 16, 24, 96] {
        let mut x = noise.rows(7, 2 * width);
        x.data_mut().iter_mut().for_each(|v| *v *= 30.0);
        let mut expected = empty(7, width);
        Reference.swiglu(&x, 1.702, 7.0, &mut expected);
        for device in devices() {
            let mut found = empty(7, width);
            device.swiglu(&x, 1.702, 7.0, &mut found);
            assert_close(&found, &expected, 1e-6, "swiglu");
        }
    }
}

#[test]
fn rotations() {
    let mut noise = Noise(6);
    let x = noise.rows(3, 50);
    let angles = Angles { cos: noise.vector(15), sin: noise.vector(15), head_dim: 10 };
    let mut expected = x.clone();
    Reference.rope(&mut expected, 4, &angles);
    assert_eq!(expected.row(2)[40..], x.row(2)[40..], "only the first heads turn");
    for device in devices() {
        let mut found = x.clone();
        device.rope(&mut found, 4, &angles);
        assert_close(&found, &expected, 1e-6, "rope");
    }
}

#[test]
fn routes() {
    let mut noise = Noise(7);
    for (experts, top) in [(1, 1), (4, 2), (8, 4), (32, 4), (5, 5)] {
        let mut logits = noise.rows(40, experts);
        logits.row_mut(3).fill(0.5);
        let (mut expected, mut found) = (Vec::new(), Vec::new());
        Reference.route(&logits, top, &mut expected);
        for device in devices() {
            device.route(&logits, top, &mut found);
            assert_eq!(found.len(), 40 * top);
            for (a, b) in found.iter().zip(&expected) {
                assert!(a.expert == b.expert && (a.weight - b.weight).abs() < 1e-6, "{a:?}, not {b:?}");
            }
        }
    }
}

#[test]
fn rows_move_and_add() {
    let mut noise = Noise(8);
    let (table, x, y) = (noise.matrix(Precision::Bf16, 40, 24), noise.rows(6, 24), noise.rows(6, 24));
    let parts: Vec<(usize, f32)> = (0..12).map(|_| (noise.below(6), noise.next())).collect();
    let answers = |device: &dyn Device| {
        let mut outs = [(); 4].map(|()| empty(6, 24));
        device.embed(&table, &[0, 39, 16, 15, 7, 7], &mut outs[0]);
        device.gather(&x, &[5, 0, 0, 3, 2, 1], &mut outs[1]);
        device.combine(&x, &parts, 2, &mut outs[2]);
        outs[3] = x.clone();
        device.add(&mut outs[3], &y);
        outs
    };
    let expected = answers(&Reference);
    for device in devices() {
        for (found, expected) in answers(&device).iter().zip(&expected) {
            assert_close(found, expected, 1e-6, "embed, gather, combine or add");
        }
    }
}
