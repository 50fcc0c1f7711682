//! The text encoder: 512 numbers for a short Chinese or English text, in microseconds and without a model runtime.
//!
//! The first half of a vector is *meaning*: the sum of learned vectors of the text's features. The second half is *wording*: a fixed
//! pseudo-random code of the same features, known or not, so that words never seen in training still match themselves. A text whose
//! features are mostly unknown has little in the first half and is compared by its wording. Weights come from `encoder/train.py`.

use std::collections::HashMap;
use std::sync::LazyLock;

use safetensors::{Dtype, SafeTensors};
use sha2::{Digest, Sha256};

use super::content::Content;
use super::features::{Feature, KINDS, mix};

/// Numbers in a vector.
pub const DIMENSIONS: usize = 512;
/// How many of them carry meaning; the rest carry wording.
const MEANING: usize = 256;
/// Non-zero entries in the wording code of one feature; 9 bits of its hash each.
const CODE_ENTRIES: u32 = 6;
/// The layout of the weights file that this code reads.
const FORMAT: &str = "frontdesk-encoder-2";

static WEIGHTS: &[u8] = include_bytes!("../../encoder/encoder.safetensors");

/// A vector of length 1, or all zero for a text without letters or digits.
pub type Vector = [f32; DIMENSIONS];

/// Why a weights file was refused.
#[derive(Debug, thiserror::Error)]
pub enum EncoderError {
    /// Not a safetensors file, or a torn one.
    #[error("the encoder weights are not a whole safetensors file: {0}")]
    File(#[from] safetensors::SafeTensorError),
    /// A tensor has another shape or type.
    #[error("encoder weights: tensor '{name}' must be {expected}, found {found}")]
    Tensor {
        /// The tensor's name.
        name: &'static str,
        /// Type and shape that this code reads.
        expected: String,
        /// Type and shape in the file.
        found: String,
    },
    /// A metadata entry is missing or wrong.
    #[error("encoder weights: metadata '{name}' must be {expected}, found '{found}'")]
    Metadata {
        /// The entry's name.
        name: &'static str,
        /// What it must be.
        expected: String,
        /// What the file has.
        found: String,
    },
}

/// Turns texts into vectors whose dot product says how alike they are.
#[derive(Debug)]
pub struct Encoder {
    rows: HashMap<u64, usize, HashIsHash>,
    /// Learned vectors, `MEANING` numbers a row, to be multiplied by the row's scale.
    table: Vec<i8>,
    scales: Vec<f32>,
    /// Length of each row before scaling.
    lengths: Vec<f32>,
    weights: Vec<f32>,
    unseen: [f32; KINDS],
    /// Share of the meaning half in a text whose features are all known.
    meaning: f32,
    /// Length of the summed meaning at which it counts half.
    half: f32,
    fingerprint: String,
}

/// One learned vector.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    values: &'a [i8],
    scale: f32,
    length: f32,
}

impl Row<'_> {
    /// How alike two features are in meaning, from 0 to 1.
    pub fn likeness(&self, other: &Row<'_>) -> f32 {
        let product: i32 =
            self.values.iter().zip(other.values).map(|(a, b)| i32::from(*a) * i32::from(*b)).sum();
        (product as f32 / (self.length * other.length)).max(0.0)
    }
}

/// The keys are hashes already.
type HashIsHash = std::hash::BuildHasherDefault<Passthrough>;

#[derive(Debug, Default)]
struct Passthrough(u64);

impl std::hash::Hasher for Passthrough {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, byte| mix(hash ^ u64::from(*byte)));
    }
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
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
        let (header_size, header) = SafeTensors::read_metadata(bytes)?;
        let metadata = header.metadata().clone().unwrap_or_default();
        let entry = |name: &'static str| metadata.get(name).map(String::as_str).unwrap_or_default();
        expect_metadata("format", FORMAT, entry("format"))?;
        let body = bytes.get(header_size + 8..).unwrap_or_default();
        let fingerprint: String = Sha256::digest(body).iter().map(|byte| format!("{byte:02x}")).collect();
        expect_metadata("sha256", &fingerprint, entry("sha256"))?;

        let tensors = SafeTensors::deserialize(bytes)?;
        let count = tensors.tensor("hashes")?.shape().first().copied().unwrap_or(0);
        let hashes = tensor(&tensors, "hashes", Dtype::U64, &[count])?;
        let settings = floats(tensor(&tensors, "settings", Dtype::F32, &[KINDS + 2])?);
        let mut unseen = [0.0; KINDS];
        unseen.iter_mut().zip(&settings).for_each(|(to, from)| *to = *from);
        let table: Vec<i8> =
            tensor(&tensors, "table", Dtype::I8, &[count, MEANING])?.iter().map(|byte| *byte as i8).collect();
        let length = |row: &[i8]| {
            row.iter().map(|value| f32::from(*value) * f32::from(*value)).sum::<f32>().sqrt().max(1.0)
        };
        Ok(Self {
            rows: hashes
                .chunks_exact(8)
                .enumerate()
                .map(|(row, hash)| (u64::from_le_bytes(array(hash)), row))
                .collect(),
            lengths: table.chunks_exact(MEANING).map(length).collect(),
            table,
            scales: floats(tensor(&tensors, "scales", Dtype::F32, &[count])?),
            weights: floats(tensor(&tensors, "weights", Dtype::F32, &[count])?),
            unseen,
            meaning: settings.get(KINDS).copied().unwrap_or(0.0),
            half: settings.get(KINDS + 1).copied().unwrap_or(0.0),
            fingerprint,
        })
    }

    /// The vector of `text`.
    pub fn encode(&self, text: &str) -> Vector {
        self.encode_features(&Content::new(text).features)
    }

    /// The vector of a text whose features are known already.
    pub fn encode_features(&self, features: &[Feature]) -> Vector {
        let mut vector = [0.0; DIMENSIONS];
        let (meaning, wording) = vector.split_at_mut(MEANING);
        let mut squares = 0.0;
        for feature in features {
            let weight = self.weight(*feature);
            squares += weight * weight;
            self.add_meaning(*feature, weight, meaning);
            add_wording(*feature, weight, wording);
        }
        if squares > 0.0 {
            let length = dot(meaning, meaning).sqrt();
            let strength = (length / squares.sqrt()) / (length / squares.sqrt() + self.half);
            scale(meaning, self.meaning.sqrt() * strength / length.max(f32::MIN_POSITIVE));
            let length = dot(wording, wording).sqrt();
            scale(wording, (1.0 - self.meaning).sqrt() / length.max(f32::MIN_POSITIVE));
            let length = dot(&vector, &vector).sqrt();
            scale(&mut vector, 1.0 / length.max(f32::MIN_POSITIVE));
        }
        vector
    }

    /// How much a feature says about what a text is about: near 0 for "the", high for a word never seen.
    pub fn weight(&self, feature: Feature) -> f32 {
        let row = self.rows.get(&feature.hash).and_then(|row| self.weights.get(*row));
        row.or_else(|| self.unseen.get(feature.kind as usize)).copied().unwrap_or(1.0)
    }

    /// SHA-256 of the weights: vectors of different encoders must never meet in one index.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// What was learned of a feature, if it was seen in training.
    pub fn row(&self, feature: Feature) -> Option<Row<'_>> {
        let row = *self.rows.get(&feature.hash)?;
        let values = self.table.get(row * MEANING..(row + 1) * MEANING)?;
        Some(Row { values, scale: *self.scales.get(row)?, length: *self.lengths.get(row)? })
    }

    fn add_meaning(&self, feature: Feature, weight: f32, sum: &mut [f32]) {
        let Some(row) = self.row(feature) else { return };
        let factor = weight * row.scale;
        sum.iter_mut().zip(row.values).for_each(|(sum, value)| *sum += factor * f32::from(*value));
    }
}

/// Adds the feature's fixed code: a few ones and minus ones at places that its hash gives.
fn add_wording(feature: Feature, weight: f32, sum: &mut [f32]) {
    let bits = mix(feature.hash ^ 0x9e37_79b9_7f4a_7c15);
    for entry in 0..CODE_ENTRIES {
        let nine = bits >> (9 * entry);
        let sign = if nine & 0x100 == 0 { weight } else { -weight };
        if let Some(place) = sum.get_mut((nine & 0xff) as usize) {
            *place += sign;
        }
    }
}

fn scale(values: &mut [f32], factor: f32) {
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

fn expect_metadata(name: &'static str, expected: &str, found: &str) -> Result<(), EncoderError> {
    if expected == found {
        return Ok(());
    }
    Err(EncoderError::Metadata { name, expected: format!("'{expected}'"), found: found.to_owned() })
}

fn tensor<'a>(
    file: &SafeTensors<'a>,
    name: &'static str,
    dtype: Dtype,
    shape: &[usize],
) -> Result<&'a [u8], EncoderError> {
    let view = file.tensor(name)?;
    if view.dtype() != dtype || view.shape() != shape {
        let (expected, found) =
            (format!("{dtype:?} {shape:?}"), format!("{:?} {:?}", view.dtype(), view.shape()));
        return Err(EncoderError::Tensor { name, expected, found });
    }
    Ok(view.data())
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|four| f32::from_le_bytes(array(four))).collect()
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut array = [0; N];
    array.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    array
}

#[cfg(test)]
#[path = "encoder/tests.rs"]
mod tests;
