//! What can be wrong with a checkpoint folder: always with the file, and with expected and found.

use std::path::{Path, PathBuf};

/// Why a checkpoint could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The system refused.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file that the folder must have, or that its index names.
    #[error("{} does not exist: {reason}", path.display())]
    MissingFile {
        /// The file.
        path: PathBuf,
        /// Who asks for it, and what to do.
        reason: String,
    },
    /// A file that is not what its name says.
    #[error("{} is damaged: {problem}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and where.
        problem: String,
    },
    /// A model that this engine does not run.
    #[error("{}: expected the architecture gpt_oss, found {found}", path.display())]
    Architecture {
        /// The config file.
        path: PathBuf,
        /// What it names.
        found: String,
    },
    /// A setting that makes no sense, or that this engine does not know.
    #[error("{}: `{key}`: expected {expected}, found {found}", path.display())]
    Setting {
        /// The config file.
        path: PathBuf,
        /// The key.
        key: String,
        /// What it can be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// A file that ends before its tensors do.
    #[error(
        "{}: tensor `{tensor}`: expected to end at byte {expected}, but the file has {found} bytes; \
         the download may be incomplete", path.display()
    )]
    Truncated {
        /// The safetensors file.
        path: PathBuf,
        /// The tensor that is cut off.
        tensor: String,
        /// Where it should end.
        expected: u64,
        /// How long the file is.
        found: u64,
    },
    /// No file holds this tensor.
    #[error("{}: the tensor `{tensor}` is missing; expected {expected}", path.display())]
    MissingTensor {
        /// The folder.
        path: PathBuf,
        /// Its name.
        tensor: String,
        /// Type and shape that it should have.
        expected: String,
    },
    /// A tensor of a layer that config.json does not know.
    #[error(
        "{}: tensor `{tensor}`: expected the {expected} layers that config.json names in `num_hidden_layers`, \
         0 to {}, found layer {found}", path.display(), expected.saturating_sub(1)
    )]
    Layer {
        /// The safetensors file.
        path: PathBuf,
        /// Its name.
        tensor: String,
        /// How many layers there are.
        expected: usize,
        /// The layer in its name.
        found: String,
    },
    /// A tensor of another size than config.json says.
    #[error("{}: tensor `{tensor}`: expected shape {expected:?}, found {found:?}", path.display())]
    Shape {
        /// The safetensors file.
        path: PathBuf,
        /// Its name.
        tensor: String,
        /// What config.json makes it.
        expected: Vec<usize>,
        /// What the file says.
        found: Vec<usize>,
    },
    /// A tensor of a type that cannot be used in its place.
    #[error("{}: tensor `{tensor}`: expected type {expected}, found {found}", path.display())]
    Type {
        /// The safetensors file.
        path: PathBuf,
        /// Its name.
        tensor: String,
        /// The types that would do.
        expected: String,
        /// What the file says.
        found: String,
    },
    /// Values that no weight can have.
    #[error("{}: tensor `{tensor}`: {problem}", path.display())]
    Values {
        /// The safetensors file.
        path: PathBuf,
        /// Its name.
        tensor: String,
        /// Which value, and where.
        problem: String,
    },
    /// The caller asked for something impossible.
    #[error("{0}")]
    Options(String),
}

impl LoadError {
    pub(super) fn io(path: &Path, source: std::io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }

    pub(super) fn malformed(path: &Path, problem: impl Into<String>) -> Self {
        Self::Malformed { path: path.to_owned(), problem: problem.into() }
    }
}
