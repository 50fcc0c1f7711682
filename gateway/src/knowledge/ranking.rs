//! Puts candidates in order and says whether the best of them answers the question at all.
//!
//! Both judgements weigh the same few signals with coefficients that `encoder/calibrate.py` fits on many made-up knowledge bases of
//! topics the encoder was not trained on.

use std::sync::LazyLock;

use serde::Deserialize;

use super::encoder::{DIMENSIONS, Encoder, Vector, dot};
use super::features::{Feature, Kind, features};
use super::index::{Candidate, Indexed, Snapshot};

/// Candidates taken by meaning and by keywords each.
const CANDIDATES: usize = 24;
/// Signals of one candidate.
pub const SIGNALS: usize = 9;
/// Signals of the best candidate and its lead, for coverage.
pub const COVERAGE_SIGNALS: usize = SIGNALS + 6;

static COEFFICIENTS: &str = include_str!("../../encoder/ranking.json");

/// The fitted coefficients.
#[derive(Debug, Deserialize)]
struct Coefficients {
    ranking: [f32; SIGNALS],
    coverage: [f32; COVERAGE_SIGNALS],
    coverage_bias: f32,
}

#[allow(clippy::expect_used, reason = "the text is fixed at build time and a test reads it")]
static FITTED: LazyLock<Coefficients> =
    LazyLock::new(|| serde_json::from_str(COEFFICIENTS).expect("ranking.json has all coefficients"));

/// A question, taken apart once.
#[derive(Debug)]
pub struct Query {
    /// Its vector.
    pub vector: Vector,
    /// Its keywords, ascending.
    pub keywords: Vec<Feature>,
    /// What each keyword counts.
    weights: Vec<f32>,
    /// Share of the weight in characters of Han text.
    han: f32,
}

impl Query {
    /// Takes `text` apart.
    pub fn new(text: &str, encoder: &Encoder) -> Self {
        let all = features(text);
        let keywords: Vec<Feature> = all.iter().copied().filter(|feature| feature.is_keyword()).collect();
        let weights: Vec<f32> = keywords.iter().map(|keyword| encoder.weight(*keyword)).collect();
        let han = keywords
            .iter()
            .zip(&weights)
            .filter(|(keyword, _)| keyword.kind != Kind::Word)
            .map(|(_, weight)| weight)
            .sum::<f32>();
        Self {
            vector: encoder.encode_features(&all),
            han: han / weights.iter().sum::<f32>().max(f32::MIN_POSITIVE),
            keywords,
            weights,
        }
    }

    /// Weighted share of the query's keywords that `holds` is true for.
    fn share(&self, holds: impl Fn(Feature) -> bool) -> f32 {
        let all: f32 = self.weights.iter().sum();
        let held: f32 = self
            .keywords
            .iter()
            .zip(&self.weights)
            .filter(|(keyword, _)| holds(**keyword))
            .map(|(_, weight)| weight)
            .sum();
        held / all.max(f32::MIN_POSITIVE)
    }
}

/// A candidate with its place in the order.
#[derive(Clone, Debug)]
pub struct Ranked {
    /// The candidate's passage.
    pub entry: std::sync::Arc<Indexed>,
    /// What was measured of it.
    pub signals: [f32; SIGNALS],
    /// The higher, the likelier it answers the query.
    pub score: f32,
}

/// The passages that may answer the query, best first.
pub fn rank(snapshot: &Snapshot, query: &Query, encoder: &Encoder) -> Vec<Ranked> {
    let best_keywords: f32 = snapshot.idf(&query.keywords).iter().sum::<f32>() * 2.2;
    let candidates = snapshot.candidates(&query.vector, &query.keywords, CANDIDATES);
    let mut ranked: Vec<Ranked> = candidates
        .into_iter()
        .map(|candidate| {
            let signals = signals(query, &candidate, best_keywords, encoder);
            Ranked { score: dot(&signals, &FITTED.ranking), signals, entry: candidate.entry }
        })
        .collect();
    ranked.sort_by(|a, b| {
        b.score.total_cmp(&a.score).then_with(|| a.entry.passage.id.cmp(&b.entry.passage.id))
    });
    ranked
}

/// The probability that the first of `ranked` answers the query.
pub fn coverage(snapshot: &Snapshot, query: &Query, ranked: &[Ranked]) -> f32 {
    if ranked.is_empty() || query.keywords.is_empty() {
        return 0.0;
    }
    let logit = dot(&coverage_signals(snapshot, query, ranked), &FITTED.coverage) + FITTED.coverage_bias;
    1.0 / (1.0 + (-logit).exp())
}

fn signals(query: &Query, candidate: &Candidate, best_keywords: f32, encoder: &Encoder) -> [f32; SIGNALS] {
    let entry = &candidate.entry;
    let in_heading = |keyword: Feature| entry.heading_keywords.binary_search(&keyword).is_ok();
    let in_body = |keyword: Feature| entry.body_keywords.binary_search(&keyword).is_ok();
    let (meaning, wording) = halves(&query.vector, &entry.heading);
    let (meaning_body, wording_body) = halves(&query.vector, &entry.body);
    [
        meaning,
        wording,
        meaning_body,
        wording_body,
        query.share(in_heading),
        query.share(|keyword| in_heading(keyword) || in_body(keyword)),
        share_of(&entry.heading_keywords, &query.keywords, encoder),
        candidate.keywords / best_keywords.max(f32::MIN_POSITIVE),
        f32::from(u8::from(entry.passage.question.is_some())),
    ]
}

/// What [`coverage`] weighs; `ranked` must not be empty.
pub fn coverage_signals(snapshot: &Snapshot, query: &Query, ranked: &[Ranked]) -> [f32; COVERAGE_SIGNALS] {
    let mut all = [0.0; COVERAGE_SIGNALS];
    let Some(best) = ranked.first() else { return all };
    let second = ranked.iter().skip(1).find(|other| other.entry.passage.text != best.entry.passage.text);
    all.iter_mut().zip(best.signals).for_each(|(to, from)| *to = from);
    let rest = [
        best.score,
        second.map_or(best.score, |second| best.score - second.score),
        query.share(|keyword| snapshot.holds(keyword)),
        (query.keywords.len() as f32).ln(),
        query.han,
        (snapshot.live().len() as f32).ln(),
    ];
    all.iter_mut().skip(SIGNALS).zip(rest).for_each(|(to, from)| *to = from);
    all
}

/// The dot products of the meaning halves and of the wording halves.
fn halves(a: &Vector, b: &Vector) -> (f32, f32) {
    let ((a_meaning, a_wording), (b_meaning, b_wording)) =
        (a.split_at(DIMENSIONS / 2), b.split_at(DIMENSIONS / 2));
    (dot(a_meaning, b_meaning), dot(a_wording, b_wording))
}

/// Weighted share of `keywords` that are among `others` (ascending).
fn share_of(keywords: &[Feature], others: &[Feature], encoder: &Encoder) -> f32 {
    let (mut all, mut held) = (f32::MIN_POSITIVE, 0.0);
    for keyword in keywords {
        let weight = encoder.weight(*keyword);
        all += weight;
        held += if others.binary_search(keyword).is_ok() { weight } else { 0.0 };
    }
    held / all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_coefficients_are_whole() {
        assert!(FITTED.ranking.iter().chain(&FITTED.coverage).all(|coefficient| coefficient.is_finite()));
    }
}
