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
pub const SIGNALS: usize = 13;
/// Signals of the best candidate and its lead, for coverage.
pub const COVERAGE_SIGNALS: usize = SIGNALS + 6;

static COEFFICIENTS: &str = include_str!("../../encoder/ranking.json");

/// The fitted coefficients.
#[derive(Debug, Deserialize)]
struct Coefficients {
    ranking: [f32; SIGNALS],
    coverage: Vec<Unit>,
    coverage_bias: f32,
    chatter: Vec<f32>,
    chatter_bias: f32,
}

/// One unit of the small network that judges coverage: signals count together, not each alone. Few shared words mean little where the
/// entry is in another language.
#[derive(Debug, Deserialize)]
struct Unit {
    weights: [f32; COVERAGE_SIGNALS],
    bias: f32,
    /// What the unit's output adds to the judgement.
    out: f32,
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
    let signals = coverage_signals(snapshot, query, ranked);
    let output = |unit: &Unit| unit.out * (dot(&signals, &unit.weights) + unit.bias).tanh();
    let logit = FITTED.coverage.iter().map(output).sum::<f32>() + FITTED.coverage_bias;
    1.0 / (1.0 + (-logit).exp())
}

fn signals(query: &Query, candidate: &Candidate, best_keywords: f32, encoder: &Encoder) -> [f32; SIGNALS] {
    let entry = &candidate.entry;
    let in_heading = |keyword: Feature| entry.heading_keywords.binary_search(&keyword).is_ok();
    let in_body = |keyword: Feature| entry.body_keywords.binary_search(&keyword).is_ok();
    let (meaning, wording) = halves(&query.vector, &entry.heading);
    let (meaning_body, wording_body) = halves(&query.vector, &entry.body);
    let soft_heading = soft_share(&query.keywords, &entry.heading_keywords, encoder);
    let soft_reverse = soft_share(&entry.heading_keywords, &query.keywords, encoder);
    let soft_body = soft_share(&query.keywords, &entry.body_keywords, encoder);
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
        soft_heading,
        soft_reverse,
        soft_body,
        1.0 - (query.han - han_share(&entry.body_keywords)).abs(),
    ]
}

/// Share of the keywords that are Han text (or another script without spaces).
fn han_share(keywords: &[Feature]) -> f32 {
    let han = keywords.iter().filter(|keyword| keyword.kind != Kind::Word).count();
    han as f32 / keywords.len().max(1) as f32
}

/// How well each of `keywords` is met by its likest among `others`, weighted; unlike a sum over the whole text, this notices the one
/// word that nothing answers to.
fn soft_share(keywords: &[Feature], others: &[Feature], encoder: &Encoder) -> f32 {
    let (mut all, mut met) = (f32::MIN_POSITIVE, 0.0);
    for keyword in keywords.iter().filter(|keyword| keyword.kind != Kind::Gram1) {
        let weight = encoder.weight(*keyword);
        let others = others.iter().filter(|other| other.kind != Kind::Gram1);
        all += weight;
        met += weight * others.map(|other| encoder.likeness(*keyword, *other)).fold(0.0, f32::max);
    }
    met / all
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
        chatter(&query.vector),
    ];
    all.iter_mut().skip(SIGNALS).zip(rest).for_each(|(to, from)| *to = from);
    all
}

/// How much a query sounds like small talk or the world at large rather than a customer's question: a logit, within ±6.
fn chatter(query: &Vector) -> f32 {
    (dot(query, &FITTED.chatter) + FITTED.chatter_bias).clamp(-6.0, 6.0)
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
        let coverage =
            FITTED.coverage.iter().flat_map(|unit| unit.weights.iter().chain([&unit.bias, &unit.out]));
        assert!(FITTED.ranking.iter().chain(coverage).all(|coefficient| coefficient.is_finite()));
        assert!(!FITTED.coverage.is_empty() && FITTED.chatter.len() == DIMENSIONS);
    }

    #[test]
    fn each_keyword_must_be_met_for_a_full_share() {
        let keywords = |text: &str| Query::new(text, Encoder::embedded()).keywords;
        let share =
            |one: &str, other: &str| soft_share(&keywords(one), &keywords(other), Encoder::embedded());
        assert!((share("coffee grinder", "a coffee grinder") - 1.0).abs() < 1e-5);
        assert!(share("coffee grinder zyglophant", "a coffee grinder") < 0.9);
        assert_eq!(share("zyglophant", "coffee"), 0.0);
        assert_eq!(share("", "coffee"), 0.0);
    }
}
