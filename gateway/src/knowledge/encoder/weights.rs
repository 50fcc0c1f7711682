//! The encoder's weights file: its layout, its checks, and the table of what was learned of each feature.

use std::collections::HashMap;

use safetensors::{Dtype, SafeTensors};
use sha2::{Digest, Sha256};

use super::{CLAIM, MEANING, TOKEN};
use crate::knowledge::features::{KINDS, mix};

/// The layout of the weights file that this code reads.
const FORMAT: &str = "frontdesk-encoder-4";

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

/// The file's contents; see `encoder/README.md` for the tensors.
#[derive(Debug)]
pub(super) struct Weights {
    pub(super) rows: HashMap<u64, usize, HashIsHash>,
    /// Numbers in a row.
    pub(super) width: usize,
    pub(super) table: Vec<i8>,
    pub(super) scales: Vec<f32>,
    /// How much each feature says, for the wording and the keywords.
    pub(super) rarity: Vec<f32>,
    /// The same for features of each kind that are not in the table.
    pub(super) unseen: [f32; KINDS],
    /// What stands at a place of which no feature is known.
    pub(super) unknown: Vec<f32>,
    /// What each role adds at every place.
    pub(super) roles: Vec<f32>,
    /// From a place to its token vector, to its meaning, and to its attention and importance.
    pub(super) tokens: Vec<f32>,
    pub(super) meaning: Vec<f32>,
    pub(super) counts: Vec<f32>,
    pub(super) counts_bias: Vec<f32>,
    /// From a question's place to what it asks, and from a passage's to what it tells.
    pub(super) asks: Vec<f32>,
    pub(super) tells: Vec<f32>,
    /// From a question's place to how much it must be told.
    pub(super) need: Vec<f32>,
    pub(super) need_bias: f32,
    /// How sharply likeness turns into "told", and how much of it is called for.
    pub(super) told: [f32; 2],
    pub(super) fingerprint: String,
}

impl Weights {
    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, EncoderError> {
        let (header_size, header) = SafeTensors::read_metadata(bytes)?;
        let metadata = header.metadata().clone().unwrap_or_default();
        let entry = |name: &'static str| metadata.get(name).map(String::as_str).unwrap_or_default();
        expect_metadata("format", FORMAT, entry("format"))?;
        let body = bytes.get(header_size + 8..).unwrap_or_default();
        let fingerprint: String = Sha256::digest(body).iter().map(|byte| format!("{byte:02x}")).collect();
        expect_metadata("sha256", &fingerprint, entry("sha256"))?;

        let file = SafeTensors::deserialize(bytes)?;
        let size = |name: &str, axis: usize| -> Result<usize, EncoderError> {
            Ok(file.tensor(name)?.shape().get(axis).copied().unwrap_or(0))
        };
        let (count, width) = (size("hashes", 0)?, size("table", 1)?);
        let floats = |name: &'static str, shape: &[usize]| -> Result<Vec<f32>, EncoderError> {
            Ok(floats(tensor(&file, name, Dtype::F32, shape)?))
        };
        let hashes = tensor(&file, "hashes", Dtype::U64, &[count])?;
        let table = tensor(&file, "table", Dtype::I8, &[count, width])?;
        let mut unseen = [0.0; KINDS];
        unseen.copy_from_slice(&floats("unseen", &[KINDS])?);
        let mut told = [0.0; 2];
        told.copy_from_slice(&floats("told", &[2])?);
        Ok(Self {
            rows: hashes
                .chunks_exact(8)
                .enumerate()
                .map(|(row, hash)| (u64::from_le_bytes(array(hash)), row))
                .collect(),
            width,
            table: table.iter().map(|byte| *byte as i8).collect(),
            scales: floats("scales", &[count])?,
            rarity: floats("rarity", &[count])?,
            unseen,
            unknown: floats("unknown", &[width])?,
            roles: floats("roles", &[3, width])?,
            tokens: floats("tokens", &[TOKEN, width])?,
            meaning: floats("meaning", &[MEANING, width])?,
            counts: floats("counts", &[2, width])?,
            counts_bias: floats("counts_bias", &[2])?,
            asks: floats("asks", &[CLAIM, width])?,
            tells: floats("tells", &[CLAIM, width])?,
            need: floats("need", &[width])?,
            need_bias: floats("need_bias", &[1])?.first().copied().unwrap_or(0.0),
            told,
            fingerprint,
        })
    }
}

/// The keys are hashes already.
type HashIsHash = std::hash::BuildHasherDefault<Passthrough>;

#[derive(Debug, Default)]
pub(super) struct Passthrough(u64);

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
