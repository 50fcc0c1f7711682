//! Puts candidates in order and says whether the best of them answers the question at all.
//!
//! Both judgements weigh the same signals with coefficients that `encoder/calibrate.py` fits on the knowledge bases of a few businesses,
//! none of which the encoder was trained on.

use std::sync::LazyLock;

use serde::Deserialize;

use super::content::{Content, Unit};
use super::encoder::{DIMENSIONS, Encoder, Reading, Role, Vector, dot, mean_and_worst};
use super::features::{Feature, Kind};
use super::index::{Candidate, Heading, Indexed, Snapshot};

/// Candidates taken by meaning and by keywords each.
const CANDIDATES: usize = 24;
/// Signals of one candidate.
pub const SIGNALS: usize = 28;
/// The place among them of the share of the query that a candidate meets.
const ALL_MET: usize = 14;
/// The place of how surely it tells all that is asked.
const ALL_TOLD: usize = 24;
/// Signals of the best candidate and its lead, for coverage.
pub const COVERAGE_SIGNALS: usize = SIGNALS + 15;

static COEFFICIENTS: &str = include_str!("../../encoder/ranking.json");

/// The fitted coefficients.
#[derive(Debug, Deserialize)]
struct Coefficients {
    ranking: Vec<f32>,
    coverage: Vec<Neuron>,
    coverage_bias: f32,
    chatter: Vec<f32>,
    chatter_bias: f32,
}

/// One neuron of the small network that judges coverage: signals count together, not each alone. Few shared words mean little where the
/// entry is in another language.
#[derive(Debug, Deserialize)]
struct Neuron {
    weights: Vec<f32>,
    bias: f32,
    /// What its output adds to the judgement.
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
    /// As the encoder reads it.
    pub reading: Reading,
    /// What it says.
    pub content: Content,
    /// What each keyword counts.
    weights: Vec<f32>,
    /// What each unit counts in any base.
    general: Vec<f32>,
    /// Share of the weight in characters of Han text.
    han: f32,
}

impl Query {
    /// Takes `text` apart.
    pub fn new(text: &str, encoder: &Encoder) -> Self {
        let content = Content::new(text);
        let weight = |feature: &Feature| {
            if feature.kind == Kind::Concept { 0.0 } else { encoder.weight(*feature) }
        };
        let weights: Vec<f32> = content.keywords.iter().map(weight).collect();
        let han: f32 = content
            .keywords
            .iter()
            .zip(&weights)
            .filter(|(keyword, _)| keyword.kind != Kind::Word)
            .map(|(_, weight)| weight)
            .sum();
        let general = |unit: &Unit| {
            if unit.is_concept() { 1.0 } else { unit.any_of.iter().map(weight).fold(0.0, f32::max) }
        };
        let reading = encoder.read(text, Role::Question);
        Self {
            vector: encoder.vector(&[&reading], &content.features),
            reading,
            han: han / weights.iter().sum::<f32>().max(f32::MIN_POSITIVE),
            general: content.units.iter().map(general).collect(),
            content,
            weights,
        }
    }

    /// Weighted share of the query's keywords that `holds` is true for.
    fn share(&self, holds: impl Fn(Feature) -> bool) -> f32 {
        let keywords = self.content.keywords.iter().zip(&self.weights);
        let held: f32 = keywords.filter(|(keyword, _)| holds(**keyword)).map(|(_, weight)| weight).sum();
        held / self.weights.iter().sum::<f32>().max(f32::MIN_POSITIVE)
    }
}

/// What each unit of the query counts in one base: the rarer there, the more.
#[derive(Debug)]
struct Weighed<'a> {
    query: &'a Query,
    /// Parallel to the query's units.
    weights: Vec<f32>,
    /// Whether any passage meets the unit.
    known: Vec<bool>,
    /// The highest BM25 score that a passage could have.
    best_keywords: f32,
}

impl<'a> Weighed<'a> {
    fn new(snapshot: &Snapshot, query: &'a Query) -> Self {
        let units = &query.content.units;
        let rarity = |unit: &Unit| snapshot.idf(&unit.any_of).into_iter().fold(f32::MAX, f32::min);
        Self {
            weights: units.iter().zip(&query.general).map(|(unit, general)| rarity(unit) * general).collect(),
            known: units.iter().map(|unit| unit.any_of.iter().any(|one| snapshot.holds(*one))).collect(),
            best_keywords: snapshot.idf(&query.content.keywords).iter().sum::<f32>() * 2.2,
            query,
        }
    }

    /// The summed weight of the units that `chosen` is true for.
    fn sum(&self, chosen: impl Fn(usize, &Unit) -> bool) -> f32 {
        let units = self.query.content.units.iter().zip(&self.weights).enumerate();
        units.filter(|(at, (unit, _))| chosen(*at, unit)).map(|(_, (_, weight))| weight).sum()
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
    let weighed = Weighed::new(snapshot, query);
    let candidates = snapshot.candidates(&query.vector, &query.content.keywords, CANDIDATES);
    let mut ranked: Vec<Ranked> = candidates
        .into_iter()
        .map(|candidate| {
            let signals = signals(snapshot, &weighed, &candidate, encoder);
            Ranked { score: dot(&signals, &FITTED.ranking), signals, entry: candidate.entry }
        })
        .collect();
    ranked.sort_by(|a, b| {
        b.score.total_cmp(&a.score).then_with(|| a.entry.passage.id.cmp(&b.entry.passage.id))
    });
    ranked
}

/// How surely the first of `ranked` answers the query, from 0 to 1; one half is the limit.
pub fn coverage(snapshot: &Snapshot, query: &Query, ranked: &[Ranked]) -> f32 {
    if ranked.is_empty() || query.content.keywords.is_empty() {
        return 0.0;
    }
    let signals = coverage_signals(snapshot, query, ranked);
    let output = |neuron: &Neuron| neuron.out * (dot(&signals, &neuron.weights) + neuron.bias).tanh();
    let logit = FITTED.coverage.iter().map(output).sum::<f32>() + FITTED.coverage_bias;
    1.0 / (1.0 + (-logit).exp())
}

fn signals(
    snapshot: &Snapshot,
    weighed: &Weighed<'_>,
    candidate: &Candidate,
    encoder: &Encoder,
) -> [f32; SIGNALS] {
    let (entry, query) = (&candidate.entry, weighed.query);
    let heading = likest(entry, query);
    let (title, text, asked) = (&heading.content, &entry.text, &query.content);
    let in_title = |keyword: Feature| title.keywords.binary_search(&keyword).is_ok();
    let in_text = |keyword: Feature| text.keywords.binary_search(&keyword).is_ok();
    let (meaning, wording) = halves(&query.vector, &heading.vector);
    let (_, wording_text) = halves(&query.vector, &entry.body);
    let (answered, worst) = mean_and_worst(query.reading.met(&[&heading.reading, &entry.reading]));
    let (repeated, _) = mean_and_worst(heading.reading.met(&[&query.reading]));
    let (in_heading, _) = mean_and_worst(query.reading.met(&[&heading.reading]));
    let told = encoder.told(&query.reading, &[&heading.reading, &entry.reading]);
    let met = |unit: &Unit| title.meets(unit) || text.meets(unit);
    let all = weighed.sum(|_, _| true);
    let part = |part: f32, whole: f32| if whole > 0.0 { part / whole } else { 0.0 };
    let concepts = weighed.sum(|_, unit| unit.is_concept());
    let missed = weighed.query.content.units.iter().zip(&weighed.weights).filter(|(unit, _)| !met(unit));
    [
        meaning,
        wording,
        wording_text,
        answered,
        repeated,
        in_heading,
        worst,
        query.share(in_title),
        query.share(|keyword| in_title(keyword) || in_text(keyword)),
        share_of(&title.keywords, &asked.keywords, encoder),
        candidate.keywords / weighed.best_keywords.max(f32::MIN_POSITIVE),
        f32::from(u8::from(entry.passage.question.is_some())),
        1.0 - (query.han - han_share(&text.keywords)).abs(),
        part(weighed.sum(|_, unit| title.meets(unit)), all),
        part(weighed.sum(|_, unit| met(unit)), all),
        part(weighed.sum(|_, unit| unit.is_concept() && title.meets(unit)), concepts),
        part(weighed.sum(|_, unit| unit.is_concept() && met(unit)), concepts),
        part(weighed.sum(|_, unit| !unit.is_concept() && met(unit)), all - concepts),
        part(missed.clone().map(|(_, weight)| *weight).fold(0.0, f32::max), all),
        weighed.sum(|_, unit| met(unit)) / 10.0,
        missed.map(|(_, weight)| *weight).sum::<f32>() / 10.0,
        title_met(snapshot, title, asked),
        agreement(&asked.asks, &title.asks),
        agreement(&asked.asks, &text.states),
        told.all,
        told.worst,
        told.clause,
        told.mean,
    ]
}

/// The way to ask for the passage that is likest to the query.
fn likest<'a>(entry: &'a Indexed, query: &Query) -> &'a Heading {
    if entry.similar.is_empty() {
        return &entry.heading;
    }
    let likeness = |heading: &Heading| {
        let (answered, _) = mean_and_worst(query.reading.met(&[&heading.reading]));
        let (repeated, _) = mean_and_worst(heading.reading.met(&[&query.reading]));
        dot(&query.vector, &heading.vector) + answered + repeated
    };
    let others = entry.similar.iter().map(|heading| (likeness(heading), heading));
    others
        .fold(
            (likeness(&entry.heading), &entry.heading),
            |best, other| if other.0 > best.0 { other } else { best },
        )
        .1
}

/// The share of a title's units that the question meets, the rarer the more.
fn title_met(snapshot: &Snapshot, title: &Content, asked: &Content) -> f32 {
    let (mut all, mut met) = (f32::MIN_POSITIVE, 0.0);
    for unit in &title.units {
        let weight = snapshot.idf(&unit.any_of).into_iter().fold(f32::MAX, f32::min);
        all += weight;
        met += if asked.meets(unit) { weight } else { 0.0 };
    }
    met / all
}

/// 1 where something of what is asked for is there, -1 where nothing of it is, 0 where nothing is asked for or told.
fn agreement(asked: &[Feature], there: &[Feature]) -> f32 {
    match (asked.is_empty() || there.is_empty(), asked.iter().any(|one| there.contains(one))) {
        (true, _) => 0.0,
        (false, true) => 1.0,
        (false, false) => -1.0,
    }
}

/// Share of the keywords that are Han text (or another script without spaces).
fn han_share(keywords: &[Feature]) -> f32 {
    let words = keywords.iter().filter(|keyword| keyword.kind == Kind::Word).count();
    let all = keywords.iter().filter(|keyword| keyword.kind != Kind::Concept).count();
    1.0 - words as f32 / all.max(1) as f32
}

/// What [`coverage`] weighs; `ranked` must not be empty.
pub fn coverage_signals(snapshot: &Snapshot, query: &Query, ranked: &[Ranked]) -> [f32; COVERAGE_SIGNALS] {
    let mut all = [0.0; COVERAGE_SIGNALS];
    let Some(best) = ranked.first() else { return all };
    let second = ranked.iter().skip(1).find(|other| other.entry.passage.text != best.entry.passage.text);
    all.iter_mut().zip(best.signals).for_each(|(to, from)| *to = from);
    let weighed = Weighed::new(snapshot, query);
    let weight = weighed.sum(|_, _| true);
    let unknown = weighed.sum(|at, _| !weighed.known.get(at).copied().unwrap_or(false));
    let most = |signal: usize| {
        ranked.iter().take(3).filter_map(|one| one.signals.get(signal)).copied().fold(f32::MIN, f32::max)
    };
    let heading_readings = ranked.iter().map(|one| &one.entry.heading.reading);
    let everything: Vec<&Reading> =
        heading_readings.chain(ranked.iter().map(|one| &one.entry.reading)).collect();
    let (anywhere, nowhere) = mean_and_worst(query.reading.met(&everything));
    let rest = [
        best.score,
        second.map_or(best.score, |second| best.score - second.score),
        query.share(|keyword| snapshot.holds(keyword)),
        (query.content.keywords.len() as f32).ln(),
        query.han,
        chatter(&query.vector),
        unknown / weight.max(f32::MIN_POSITIVE),
        unknown / 10.0,
        weight / 10.0,
        anywhere,
        nowhere,
        (snapshot.headings().max(1) as f32).ln(),
        query.reading.need(),
        most(ALL_MET),
        most(ALL_TOLD),
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
    for keyword in keywords.iter().filter(|keyword| keyword.kind != Kind::Concept) {
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
        let coverage = FITTED
            .coverage
            .iter()
            .flat_map(|neuron| neuron.weights.iter().chain([&neuron.bias, &neuron.out]));
        assert!(FITTED.ranking.iter().chain(coverage).all(|coefficient| coefficient.is_finite()));
        assert_eq!(FITTED.ranking.len(), SIGNALS);
        assert!(FITTED.coverage.iter().all(|neuron| neuron.weights.len() == COVERAGE_SIGNALS));
        assert!(!FITTED.coverage.is_empty() && FITTED.chatter.len() == DIMENSIONS);
    }
}
