//! Against a naive twin that sorts everything, and against what each setting promises.

use super::*;
use crate::api::Sampling;
use std::sync::Arc;

/// Pseudo-random logits with outliers, ties and, if asked for, NaN and infinities.
fn logits(seed: u64, len: usize, odd: bool) -> Vec<f32> {
    let number = |at: usize| random::uniform(seed, at as u64) as f32;
    (0..len)
        .map(|index| match (odd, (number(2 * index + 1) * 40.0) as u32) {
            (true, 0) => f32::NAN,
            (true, 1) => f32::NEG_INFINITY,
            (_, 2) => 9.0,
            _ => number(2 * index) * 12.0 - 6.0,
        })
        .collect()
}

fn plan(sampling: Sampling) -> Draw {
    Draw { sampling: Arc::new(sampling), logprobs: None, counts: vec![] }
}

/// The definition, without any shortcut: sort, filter, walk.
fn naive(logits: &[f32], sampling: &Sampling, uniform: f64) -> TokenId {
    let mut tokens: Vec<(TokenId, f32)> =
        logits.iter().enumerate().map(|(token, &logit)| (token as TokenId, logit)).collect();
    tokens.retain(|(_, logit)| logit.is_finite());
    tokens.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let max = tokens[0].1;
    for (_, logit) in &mut tokens {
        *logit = ((*logit - max) / sampling.temperature).exp();
    }
    tokens.retain(|(_, weight)| *weight > 0.0 && *weight >= sampling.min_p);
    if sampling.top_k > 0 {
        tokens.truncate(sampling.top_k as usize);
    }
    let total: f64 = tokens.iter().map(|token| f64::from(token.1)).sum();
    let (mut sum, mut kept) = (0.0, 0);
    while kept < tokens.len() && sum < total * f64::from(sampling.top_p) {
        sum += f64::from(tokens[kept].1);
        kept += 1;
    }
    tokens.truncate(kept.max(1));
    // The draw walks in the order that the filters leave; as sets they are compared below.
    let mass: f64 = tokens.iter().map(|token| f64::from(token.1)).sum();
    let mut left = mass * uniform;
    tokens
        .iter()
        .find(|token| {
            left -= f64::from(token.1);
            left < 0.0
        })
        .unwrap_or(&tokens[kept - 1])
        .0
}

#[test]
fn nucleus_agrees_with_the_naive_twin() {
    for seed in 0..2000 {
        let setting = |at: u64| random::uniform(seed, 1_000_000 + at) as f32;
        let sampling = Sampling {
            temperature: 0.05 + setting(0) * 3.0,
            top_p: 0.01 + setting(1) * 0.98,
            top_k: if setting(2) < 0.5 { 0 } else { (setting(3) * 200.0) as u32 },
            min_p: if setting(4) < 0.5 { 0.0 } else { setting(5) * 0.2 },
            seed,
            ..Sampling::default()
        };
        let mut logits = logits(seed, 50 + (seed as usize % 7) * 150, seed % 2 == 0);
        let expected = naive(&logits, &sampling, random::uniform(seed, 7));
        assert_eq!(draw(&mut logits, &plan(sampling), 7).token, expected, "seed {seed}");
    }
}

#[test]
fn greedy_takes_the_first_of_the_largest() {
    let mut logits = [1.0, f32::NAN, 3.0, 3.0];
    assert_eq!(draw(&mut logits, &plan(Sampling::greedy()), 0).token, 2);
}

#[test]
fn draws_follow_the_distribution() {
    let mut logits = [0.5f32.ln(), 0.3f32.ln(), 0.2f32.ln()];
    let mut counts = [0u32; 3];
    for position in 0..10_000 {
        counts[draw(&mut logits, &plan(Sampling::default()), position).token as usize] += 1;
    }
    for (count, expected) in counts.iter().zip([5000u32, 3000, 2000]) {
        assert!(count.abs_diff(expected) < 200, "{counts:?}");
    }
}

#[test]
fn temperature_sharpens_and_flattens() {
    let share = |temperature| {
        let plan = plan(Sampling { temperature, ..Sampling::default() });
        (0..1000).filter(|&position| draw(&mut [1.0, 0.0], &plan, position).token == 0).count()
    };
    assert!(share(0.2) > share(1.0) && share(1.0) > share(5.0));
    assert_eq!(share(1e-30), 1000);
}

#[test]
fn filters_keep_what_they_say() {
    let drawn = |sampling: Sampling| {
        let mut logits = [0.4f32.ln(), 0.3f32.ln(), 0.2f32.ln(), 0.1f32.ln()];
        let plan = plan(Sampling { temperature: 1.0, ..sampling });
        let mut seen: Vec<TokenId> = (0..500).map(|at| draw(&mut logits, &plan, at).token).collect();
        seen.sort_unstable();
        seen.dedup();
        seen
    };
    assert_eq!(drawn(Sampling { top_k: 2, ..Sampling::default() }), [0, 1]);
    assert_eq!(drawn(Sampling { top_p: 0.69, ..Sampling::default() }), [0, 1]);
    assert_eq!(drawn(Sampling { top_p: 0.71, ..Sampling::default() }), [0, 1, 2]);
    assert_eq!(drawn(Sampling { top_p: 0.0, ..Sampling::default() }), [0]);
    assert_eq!(drawn(Sampling { min_p: 0.45, ..Sampling::default() }), [0, 1, 2]);
    assert_eq!(drawn(Sampling::default()), [0, 1, 2, 3]);
}

#[test]
fn bias_and_penalties_change_the_choice_and_not_the_logits() {
    let mut logits = [2.0, 1.0, 0.0];
    let sampling = Sampling { logit_bias: vec![(2, 1.5), (99, 5.0)], ..Sampling::greedy() };
    assert_eq!(draw(&mut logits, &plan(sampling.clone()), 0).token, 0);
    let penalised = Draw {
        sampling: Arc::new(Sampling { frequency_penalty: 0.5, presence_penalty: 0.1, ..sampling }),
        logprobs: Some(1),
        // Token 2 is changed twice.
        counts: vec![(0, 3), (2, 1)],
    };
    let sampled = draw(&mut logits, &penalised, 0);
    // 2.0 - 1.6 = 0.4 and 0.0 + 1.5 - 0.6 = 0.9 against 1.0.
    assert_eq!(sampled.token, 1);
    assert_eq!(logits, [2.0, 1.0, 0.0]);
    assert_eq!(sampled.top[0].0, 0, "log-probabilities are the model's own");
}

#[test]
fn logprobs_are_of_the_whole_vocabulary() {
    let mut logits = logits(3, 5000, true);
    let plan =
        Draw { logprobs: Some(20), ..plan(Sampling { top_k: 5, temperature: 0.3, ..Sampling::default() }) };
    let sampled = draw(&mut logits, &plan, 11);
    let sum: f64 = logits.iter().filter(|l| l.is_finite()).map(|&l| f64::from(l).exp()).sum();
    let exact = |token: TokenId| (f64::from(logits[token as usize]) - sum.ln()) as f32;
    assert!((sampled.logprob - exact(sampled.token)).abs() < 1e-5);
    let mut order: Vec<TokenId> = (0..5000).filter(|&t| logits[t as usize].is_finite()).collect();
    order.sort_by(|&a, &b| logits[b as usize].total_cmp(&logits[a as usize]).then(a.cmp(&b)));
    let top: Vec<TokenId> = sampled.top.iter().map(|entry| entry.0).collect();
    assert_eq!(top, order[..20]);
    assert!(sampled.top.iter().all(|&(token, logprob)| (logprob - exact(token)).abs() < 1e-5));
}

#[test]
fn no_logits_are_too_odd() {
    let odd: [&[f32]; 6] = [
        &[],
        &[f32::NAN; 3],
        &[f32::NEG_INFINITY; 3],
        &[f32::INFINITY; 3],
        &[f32::INFINITY, f32::NEG_INFINITY, f32::NAN],
        &[f32::MAX, f32::MIN, 0.0],
    ];
    for logits in odd {
        for sampling in
            [Sampling::greedy(), Sampling::default(), Sampling { top_p: 0.5, ..Sampling::default() }]
        {
            let plan = Draw { logprobs: Some(3), ..plan(sampling) };
            let sampled = draw(&mut logits.to_vec(), &plan, 5);
            assert!((sampled.token as usize) < logits.len().max(1), "{logits:?}");
            assert!(
                sampled.logprob.is_finite() && sampled.top.iter().all(|top| top.1.is_finite()),
                "{logits:?}"
            );
        }
    }
}

#[test]
fn the_draw_depends_on_seed_and_position_alone() {
    let logits = logits(1, 1000, false);
    let token = |seed, position| {
        draw(&mut logits.clone(), &plan(Sampling { seed, ..Sampling::default() }), position).token
    };
    assert_eq!(token(5, 9), token(5, 9));
    let seen: std::collections::HashSet<_> =
        (0..50).map(|at| token(5, at)).chain((0..50).map(|s| token(s, 0))).collect();
    assert!(seen.len() > 20);
}
