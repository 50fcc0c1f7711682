//! The classifier's weights as `gateway/intent/train.py` writes them, and what may be wrong with them.
//!
//! Little endian: `FDINTENT`, version, buckets of n-grams, buckets of concepts, classes (u32 each), threshold (f32), a
//! bias and a scale per class (f32), then one signed byte per bucket and class, n-grams first.

use std::collections::BTreeSet;

use super::Intent;
use super::features::Found;

const MAGIC: &[u8; 8] = b"FDINTENT";
const VERSION: u32 = 2;
const CLASSES: usize = Intent::ALL.len();

/// A checked weights file.
#[derive(Debug)]
pub(super) struct Weights {
    pub(super) buckets: u32,
    pub(super) concept_buckets: u32,
    /// Probability below which a prediction abstains.
    pub(super) threshold: f32,
    bias: [f32; CLASSES],
    scale: [f32; CLASSES],
    /// Row after row, one row a bucket.
    rows: Vec<[i8; CLASSES]>,
}

/// Why a weights file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidWeights {
    /// It does not begin as one.
    #[error(
        "intent weights: not a weights file, it does not begin with FDINTENT; run gateway/intent/train.py"
    )]
    Magic,
    /// It was written for another version of this program.
    #[error("intent weights: {field} is {found}, expected {expected}; run gateway/intent/train.py")]
    Header {
        /// The header field.
        field: &'static str,
        /// What the file says.
        found: u32,
        /// What this program reads.
        expected: u32,
    },
    /// It is cut short or too long.
    #[error("intent weights: {found} bytes, expected {expected}; the file is damaged, fetch it again")]
    Length {
        /// Bytes in the file.
        found: usize,
        /// Bytes its header announces.
        expected: usize,
    },
    /// A number in it is not finite.
    #[error("intent weights: a threshold, bias or scale is not a finite number; run gateway/intent/train.py")]
    NotFinite,
}

impl Weights {
    /// Reads and checks a weights file.
    pub(super) fn parse(file: &[u8]) -> Result<Self, InvalidWeights> {
        let rest = file.strip_prefix(MAGIC).ok_or(InvalidWeights::Magic)?;
        let mut words = rest.chunks_exact(4).filter_map(|word| word.try_into().ok());
        let mut next = || words.next().ok_or(InvalidWeights::Length { found: file.len(), expected: HEADER });
        let mut number = || next().map(u32::from_le_bytes);
        let (version, buckets, concept_buckets, classes) = (number()?, number()?, number()?, number()?);
        expect("version", version, VERSION)?;
        expect("number of classes", classes, CLASSES as u32)?;
        let mut floats = [0.0; 1 + 2 * CLASSES];
        for float in &mut floats {
            *float = f32::from_le_bytes(next()?);
        }
        if !floats.iter().all(|float| float.is_finite()) {
            return Err(InvalidWeights::NotFinite);
        }
        let rows = file.get(HEADER..).unwrap_or_default();
        let expected = HEADER + (buckets as usize + concept_buckets as usize) * CLASSES;
        if file.len() != expected || buckets == 0 || concept_buckets == 0 {
            return Err(InvalidWeights::Length { found: file.len(), expected });
        }
        let (threshold, bias, scale) = (floats[0], &floats[1..=CLASSES], &floats[1 + CLASSES..]);
        Ok(Self {
            buckets,
            concept_buckets,
            threshold,
            bias: std::array::from_fn(|class| bias[class]),
            scale: std::array::from_fn(|class| scale[class]),
            rows: rows
                .chunks_exact(CLASSES)
                .map(|row| std::array::from_fn(|class| row[class] as i8))
                .collect(),
        })
    }

    /// The probability of each class for a message that holds these.
    pub(super) fn probabilities(&self, found: &Found) -> [f32; CLASSES] {
        let (grams, concepts) = (self.mean(&found.grams), self.mean(&found.concepts));
        softmax(std::array::from_fn(|class| {
            (grams[class] + concepts[class]) * self.scale[class] + self.bias[class]
        }))
    }

    /// The sum of these rows over the root of how many they are.
    fn mean(&self, buckets: &BTreeSet<u32>) -> [f32; CLASSES] {
        let mut sums = [0_i32; CLASSES];
        for row in buckets.iter().filter_map(|bucket| self.rows.get(*bucket as usize)) {
            sums.iter_mut().zip(row).for_each(|(sum, weight)| *sum += i32::from(*weight));
        }
        let norm = (buckets.len().max(1) as f32).sqrt();
        sums.map(|sum| sum as f32 / norm)
    }
}

/// Bytes before the rows.
const HEADER: usize = MAGIC.len() + 4 * 4 + (1 + 2 * CLASSES) * 4;

fn expect(field: &'static str, found: u32, expected: u32) -> Result<(), InvalidWeights> {
    if found == expected { Ok(()) } else { Err(InvalidWeights::Header { field, found, expected }) }
}

fn softmax(logits: [f32; CLASSES]) -> [f32; CLASSES] {
    let most = logits.into_iter().fold(f32::NEG_INFINITY, f32::max);
    let powers = logits.map(|logit| (logit - most).exp());
    let sum: f32 = powers.iter().sum();
    powers.map(|power| power / sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> Vec<u8> {
        let mut file = MAGIC.to_vec();
        [VERSION, 2, 1, CLASSES as u32].iter().for_each(|word| file.extend(word.to_le_bytes()));
        (0..=2 * CLASSES).for_each(|_| file.extend(0.5_f32.to_le_bytes()));
        file.extend([3; 3 * CLASSES]);
        file
    }

    #[test]
    fn equal_weights_give_equal_probabilities() {
        let weights = Weights::parse(&file()).unwrap();
        assert_eq!(
            weights.probabilities(&Found { grams: [0, 1].into(), concepts: [2].into() }),
            [0.125; CLASSES]
        );
    }

    #[test]
    fn damaged_files_are_refused_and_say_why() {
        let good = file();
        assert_eq!(Weights::parse(b"hello").unwrap_err(), InvalidWeights::Magic);
        for cut in 8..good.len() {
            assert!(matches!(Weights::parse(&good[..cut]), Err(InvalidWeights::Length { .. })), "{cut}");
        }
        let changed = |at: usize, value: [u8; 4]| {
            let mut file = good.clone();
            file[at..at + 4].copy_from_slice(&value);
            Weights::parse(&file).unwrap_err().to_string()
        };
        assert!(changed(8, [9, 0, 0, 0]).contains("version is 9, expected 2"));
        assert!(changed(20, [3, 0, 0, 0]).contains("number of classes is 3"));
        assert!(changed(12, [255; 4]).contains("bytes") && changed(16, [255; 4]).contains("bytes"));
        assert!(changed(28, f32::NAN.to_le_bytes()).contains("finite"));
    }
}
