//! The text encoder: reads a short Chinese or English text in microseconds and without a model runtime.
//!
//! At each place of a text stand features (a character and its neighbours, a word and its pieces, listed phrases); what was learned of
//! them is summed, and gives the place a vector and a weight. Texts are compared place by place ([`Reading::met`], the late interaction
//! of Khattab and Zaharia 2020, without a transformer) and as wholes, by a [`Vector`]; whether a passage tells all that a question asks is
//! judged place by place as well ([`Encoder::told`]). Weights come from `encoder/train.py`.

mod reading;
mod weights;

use std::ops::Range;
use std::sync::LazyLock;

use super::content::Content;
use super::features::{Feature, Kind};
pub use reading::{Reading, Role, mean_and_worst, places};
pub use weights::EncoderError;
use weights::Weights;

/// Numbers in a vector.
pub const DIMENSIONS: usize = 512;
/// How many of them carry meaning; the rest carry wording.
const MEANING: usize = 256;
/// The share of a vector's square that meaning has where all places are known.
const MEANING_SHARE: f32 = 0.75;
/// Numbers in the vector of one place.
const TOKEN: usize = 96;
/// Numbers in what one place asks or tells.
const CLAIM: usize = 64;
/// Where a question has nothing told, one thing more or less makes no difference.
const MOST_LACKING: f32 = 12.0;
/// Non-zero entries in the wording code of one feature; 9 bits of its hash each.
const CODE_ENTRIES: u32 = 6;
/// Keeps a sum of exponentials finite whatever the weights.
const MOST_ATTENTION: f32 = 12.0;

static WEIGHTS: &[u8] = include_bytes!("../../encoder/encoder.safetensors");

/// A vector of length 1, or all zero for a text without letters or digits. The first half is *meaning*: learned. The second is
/// *wording*: a fixed pseudo-random code of the features, known or not, so that words never seen in training still match themselves.
pub type Vector = [f32; DIMENSIONS];

/// How surely texts tell what a question asks: logarithms of probabilities, from -12 to 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Told {
    /// Of everything.
    pub all: f32,
    /// Of the place that is told worst.
    pub worst: f32,
    /// Of the clause that is told best, among those that ask at least half as much as the one that asks most: around a question there
    /// may be a story that no passage tells.
    pub clause: f32,
    /// Of everything, for each unit of need.
    pub mean: f32,
}

/// Reads texts.
#[derive(Debug)]
pub struct Encoder {
    weights: Weights,
}

impl Encoder {
    /// The encoder shipped inside the program.
    #[allow(clippy::expect_used, reason = "the bytes are fixed at build time and a test loads them")]
    pub fn embedded() -> &'static Self {
        static EMBEDDED: LazyLock<Encoder> =
            LazyLock::new(|| Encoder::from_bytes(WEIGHTS).expect("the embedded encoder weights are whole"));
        &EMBEDDED
    }

    /// Reads a weights file (see `encoder/README.md` for its layout).
    ///
    /// # Errors
    /// [`EncoderError`] where the file is torn, of another layout, or its checksum does not match.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, EncoderError> {
        Ok(Self { weights: Weights::from_bytes(bytes)? })
    }

    /// Reads a text.
    pub fn read(&self, text: &str, role: Role) -> Reading {
        Reading::new(self, text, role)
    }

    /// The vector of a question.
    pub fn encode(&self, question: &str) -> Vector {
        self.vector(&[&self.read(question, Role::Question)], &Content::new(question).features)
    }

    /// The vector of what was read: its meaning as a whole, and the wording of `features`.
    pub fn vector(&self, read: &[&Reading], features: &[Feature]) -> Vector {
        let mut vector = [0.0; DIMENSIONS];
        let (meaning, wording) = vector.split_at_mut(MEANING);
        for reading in read {
            meaning.iter_mut().zip(reading.meaning.iter()).for_each(|(sum, value)| *sum += value);
        }
        features.iter().for_each(|feature| add_wording(*feature, self.weight(*feature), wording));
        let known = read.iter().map(|reading| reading.known).fold(0.0, f32::max);
        to_length(meaning, (MEANING_SHARE * known).sqrt());
        to_length(wording, (1.0 - MEANING_SHARE).sqrt());
        to_length(&mut vector, 1.0);
        vector
    }

    /// How surely `others` tell what `question` asks. A noisy and (Pearl 1988): each place must be told, as likely as its likest place
    /// among `others` is like it, by its need.
    pub fn told(&self, question: &Reading, others: &[&Reading]) -> Told {
        let [sharpness, doubt] = self.weights.told;
        let (needs, lacking): (Vec<f32>, Vec<f32>) = question
            .told(others)
            .map(|(need, likeness)| (need, need * softplus(doubt - sharpness * likeness)))
            .unzip();
        let sum =
            |values: &[f32], clause: Range<usize>| values.get(clause).map_or(0.0, |part| part.iter().sum());
        let clauses: Vec<(f32, f32)> =
            question.clauses().map(|clause| (sum(&needs, clause.clone()), sum(&lacking, clause))).collect();
        let largest = clauses.iter().map(|(need, _)| *need).fold(0.0, f32::max);
        let asking = clauses.iter().filter(|(need, _)| *need >= largest / 2.0);
        let (need, all): (f32, f32) = (needs.iter().sum(), lacking.iter().sum());
        let logarithm = |lacking: f32| -lacking.min(MOST_LACKING);
        Told {
            all: logarithm(all),
            worst: logarithm(lacking.iter().copied().fold(0.0, f32::max)),
            clause: logarithm(asking.map(|(_, lacking)| *lacking).reduce(f32::min).unwrap_or(0.0)),
            mean: logarithm(if need > 0.0 { all / need } else { 0.0 }),
        }
    }

    /// How much a feature says about what a text is about: near 0 for "the", high for a word never seen.
    pub fn weight(&self, feature: Feature) -> f32 {
        let row = self.weights.rows.get(&feature.hash).and_then(|row| self.weights.rarity.get(*row));
        row.or_else(|| self.weights.unseen.get(feature.kind as usize)).copied().unwrap_or(1.0)
    }

    /// SHA-256 of the weights: vectors of different encoders must never meet in one index.
    pub fn fingerprint(&self) -> &str {
        &self.weights.fingerprint
    }

    fn width(&self) -> usize {
        self.weights.width
    }

    /// What stands at a place, and whether more than pieces of it was learned.
    fn input(&self, place: &[Feature], role: Role) -> (Vec<f32>, bool) {
        let (weights, width) = (&self.weights, self.width());
        let mut input = vec![0.0; width];
        let (mut any, mut learned) = (false, false);
        for feature in place {
            let Some(row) = weights.rows.get(&feature.hash).copied() else { continue };
            let scale = weights.scales.get(row).copied().unwrap_or(0.0);
            let values = weights.table.get(row * width..(row + 1) * width).unwrap_or_default();
            input.iter_mut().zip(values).for_each(|(sum, value)| *sum += scale * f32::from(*value));
            (any, learned) = (true, learned || feature.kind != Kind::Piece);
        }
        if !any {
            input.clone_from(&weights.unknown);
        }
        let at = role as usize * width;
        let role = weights.roles.get(at..at + width).unwrap_or_default();
        input.iter_mut().zip(role).for_each(|(sum, value)| *sum += value);
        let mean_square = dot(&input, &input) / width.max(1) as f32;
        let scale = 1.0 / (mean_square + f32::EPSILON).sqrt();
        input.iter_mut().for_each(|value| *value *= scale);
        (input, learned)
    }

    /// The vector of a place, of length 1.
    fn token(&self, input: &[f32]) -> [f32; TOKEN] {
        let mut token = [0.0; TOKEN];
        product(&self.weights.tokens, input, &mut token);
        to_length(&mut token, 1.0);
        token
    }

    /// The attention that a place draws, and how much it counts in comparisons.
    fn counts(&self, input: &[f32]) -> (f32, f32) {
        let mut counts = [0.0; 2];
        product(&self.weights.counts, input, &mut counts);
        counts.iter_mut().zip(&self.weights.counts_bias).for_each(|(count, bias)| *count += bias);
        let [attention, importance] = counts;
        (attention.min(MOST_ATTENTION).exp(), softplus(importance))
    }

    /// What a place asks, of a question, or tells, of a passage: of length 1.
    fn claim(&self, input: &[f32], role: Role) -> [f32; CLAIM] {
        let mut claim = [0.0; CLAIM];
        let matrix = if role == Role::Question { &self.weights.asks } else { &self.weights.tells };
        product(matrix, input, &mut claim);
        to_length(&mut claim, 1.0);
        claim
    }

    /// How much it matters that a passage tells what this place of a question asks.
    fn need(&self, input: &[f32]) -> f32 {
        softplus(dot(&self.weights.need, input) + self.weights.need_bias)
    }

    fn meaning(&self, summed: &[f32]) -> [f32; MEANING] {
        let mut meaning = [0.0; MEANING];
        product(&self.weights.meaning, summed, &mut meaning);
        meaning
    }
}

/// Adds the feature's fixed code: a few ones and minus ones at places that its hash gives.
fn add_wording(feature: Feature, weight: f32, sum: &mut [f32]) {
    let bits = super::features::mix(feature.hash ^ 0x9e37_79b9_7f4a_7c15);
    for entry in 0..CODE_ENTRIES {
        let nine = bits >> (9 * entry);
        let sign = if nine & 0x100 == 0 { weight } else { -weight };
        if let Some(place) = sum.get_mut((nine & 0xff) as usize) {
            *place += sign;
        }
    }
}

/// `matrix` (row by row) times `input`.
fn product(matrix: &[f32], input: &[f32], output: &mut [f32]) {
    for (row, output) in matrix.chunks_exact(input.len().max(1)).zip(output) {
        *output = dot(row, input);
    }
}

/// ln(1 + e^x).
fn softplus(x: f32) -> f32 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// Scales to a length; what has none stays zero.
fn to_length(values: &mut [f32], length: f32) {
    let factor = length / dot(values, values).sqrt().max(f32::MIN_POSITIVE);
    values.iter_mut().for_each(|value| *value *= factor);
}

/// The dot product, in sixteen sums side by side so that the compiler can use whole vector registers.
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 16];
    let (a_chunks, b_chunks) = (a.chunks_exact(16), b.chunks_exact(16));
    let rest: f32 = a_chunks.remainder().iter().zip(b_chunks.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a_chunks.zip(b_chunks) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
#[path = "encoder/tests.rs"]
mod tests;
