//! The slow device that is easy to believe: one loop per formula, sums in `f64`.

use super::{Angles, Choice, Device, Group, Heads, Kv, Matrix, Rows, Span};

/// Computes everything the obvious way.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reference;

impl Device for Reference {
    fn embed(&self, table: &Matrix, tokens: &[u32], out: &mut Rows) {
        for (i, &token) in tokens.iter().enumerate() {
            for (k, value) in out.row_mut(i).iter_mut().enumerate() {
                *value = table.get(token as usize, k);
            }
        }
    }

    fn rms_norm(&self, x: &Rows, weight: &[f32], eps: f32, out: &mut Rows) {
        for i in 0..x.len() {
            let mean = x.row(i).iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / x.width() as f64;
            let factor = 1.0 / (mean + f64::from(eps)).sqrt();
            for ((o, &v), &w) in out.row_mut(i).iter_mut().zip(x.row(i)).zip(weight) {
                *o = (f64::from(v) * factor * f64::from(w)) as f32;
            }
        }
    }

    fn matmul(&self, x: &Rows, groups: &[Group<'_>], out: &mut Rows) {
        for group in groups {
            for r in group.rows.clone() {
                for (n, o) in out.row_mut(r).iter_mut().enumerate().take(group.matrix.rows()) {
                    let bias = group.bias.get(n).copied().unwrap_or(0.0);
                    let products = (0..group.matrix.width())
                        .map(|k| f64::from(group.matrix.get(n, k)) * f64::from(x.row(r)[k]));
                    *o = (f64::from(bias) + products.sum::<f64>()) as f32;
                }
            }
        }
    }

    fn rope(&self, x: &mut Rows, heads: usize, angles: &Angles) {
        let half = angles.head_dim / 2;
        for r in 0..x.len() {
            for head in x.row_mut(r).chunks_exact_mut(angles.head_dim).take(heads) {
                for i in 0..half {
                    let (cos, sin) =
                        (f64::from(angles.cos[r * half + i]), f64::from(angles.sin[r * half + i]));
                    let (a, b) = (f64::from(head[i]), f64::from(head[i + half]));
                    head[i] = (a * cos - b * sin) as f32;
                    head[i + half] = (b * cos + a * sin) as f32;
                }
            }
        }
    }

    fn attend(&self, x: &Rows, kv: &Kv, spans: &[Span<'_>], heads: &Heads<'_>, out: &mut Rows) {
        let dim = kv.shape().head_dim;
        for span in spans {
            for (t, r) in span.rows.clone().enumerate() {
                for h in 0..heads.query {
                    let query = &x.row(r)[h * dim..(h + 1) * dim];
                    let result = attend_one(query, kv, span, span.position + t, h, heads);
                    out.row_mut(r)[h * dim..(h + 1) * dim].copy_from_slice(&result);
                }
            }
        }
    }

    fn swiglu(&self, x: &Rows, alpha: f32, limit: f32, out: &mut Rows) {
        let width = out.width();
        for r in 0..x.len() {
            for i in 0..width {
                let gate = f64::from(x.row(r)[i].min(limit));
                let up = f64::from(x.row(r)[width + i].clamp(-limit, limit));
                let sigmoid = 1.0 / (1.0 + (-f64::from(alpha) * gate).exp());
                out.row_mut(r)[i] = ((up + 1.0) * gate * sigmoid) as f32;
            }
        }
    }

    fn route(&self, logits: &Rows, top: usize, out: &mut Vec<Choice>) {
        out.clear();
        for r in 0..logits.len() {
            let row = logits.row(r);
            let mut order: Vec<usize> = (0..row.len()).collect();
            order.sort_by(|&a, &b| row[b].total_cmp(&row[a]).then(a.cmp(&b)));
            let powers = |e: &usize| f64::from(row[*e] - row[order[0]]).exp();
            let sum: f64 = order.iter().take(top).map(powers).sum();
            let chosen = order.iter().take(top);
            out.extend(chosen.map(|e| Choice { expert: *e, weight: (powers(e) / sum) as f32 }));
        }
    }

    fn gather(&self, x: &Rows, sources: &[usize], out: &mut Rows) {
        for (i, &source) in sources.iter().enumerate() {
            out.row_mut(i).copy_from_slice(x.row(source));
        }
    }

    fn combine(&self, x: &Rows, parts: &[(usize, f32)], per_row: usize, out: &mut Rows) {
        for (i, parts) in parts.chunks_exact(per_row).enumerate() {
            for (k, o) in out.row_mut(i).iter_mut().enumerate() {
                let terms = parts.iter().map(|&(row, weight)| f64::from(x.row(row)[k]) * f64::from(weight));
                *o = terms.sum::<f64>() as f32;
            }
        }
    }

    fn add(&self, x: &mut Rows, y: &Rows) {
        for r in 0..x.len() {
            for (a, &b) in x.row_mut(r).iter_mut().zip(y.row(r)) {
                *a += b;
            }
        }
    }
}

/// One query head at one position: softmax over the keys it sees and its sink, times the values.
fn attend_one(
    query: &[f32],
    kv: &Kv,
    span: &Span<'_>,
    position: usize,
    head: usize,
    heads: &Heads<'_>,
) -> Vec<f32> {
    let (dim, size, kv_head) = (kv.shape().head_dim, kv.shape().block_size, heads.kv_of[head]);
    let seen: Vec<usize> = (heads.first_seen(position)..=position).collect();
    let place = |p: usize| (span.blocks[p / size], p % size);
    let logit = |p: usize| {
        let (block, slot) = place(p);
        let dot =
            (0..dim).map(|d| f64::from(query[d]) * f64::from(kv.key(block, slot, kv_head, d))).sum::<f64>();
        dot * f64::from(heads.scale)
    };
    let logits: Vec<f64> = seen.iter().map(|&p| logit(p)).collect();
    let sink = f64::from(heads.sinks[head]);
    let top = logits.iter().copied().fold(sink, f64::max);
    let sum = logits.iter().map(|l| (l - top).exp()).sum::<f64>() + (sink - top).exp();
    let weighted = |d: usize| {
        let terms = seen.iter().zip(&logits).map(|(&p, l)| {
            let (block, slot) = place(p);
            (l - top).exp() / sum * f64::from(kv.value(block, slot, kv_head, d))
        });
        terms.sum::<f64>() as f32
    };
    (0..dim).map(weighted).collect()
}
