//! A folder of safetensors files: find a tensor by name, check it, read parts of it.

use super::safetensors::{Entry, SafetensorsFile, read_exact_at};
use super::{Dtype, LoadError};
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

const SINGLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// The largest index that is read.
const INDEX_BYTES_MAX: u64 = 100_000_000;

/// The open files of a checkpoint.
#[derive(Debug)]
pub struct Checkpoint {
    folder: PathBuf,
    files: Vec<SafetensorsFile>,
    /// Name -> (file, entry).
    places: HashMap<String, (usize, usize)>,
    /// Bytes of tensors read so far.
    done: AtomicU64,
}

/// A tensor whose type and shape were checked.
#[derive(Debug, Clone, Copy)]
pub struct Tensor<'a> {
    checkpoint: &'a Checkpoint,
    file: &'a SafetensorsFile,
    entry: &'a Entry,
    /// Its type.
    pub dtype: Dtype,
}

impl Checkpoint {
    /// Opens the files of a folder and reads their headers.
    pub fn open(folder: &Path) -> Result<Self, LoadError> {
        let index = folder.join(INDEX);
        let single = folder.join(SINGLE);
        let (names, listed) = if index.exists() {
            let listed = read_index(&index)?;
            (listed.iter().map(|(_, file)| file.clone()).collect::<BTreeSet<_>>(), listed)
        } else if single.exists() {
            (BTreeSet::from([SINGLE.to_owned()]), Vec::new())
        } else {
            let reason = format!("a checkpoint folder has {SINGLE}, or {INDEX} and the files that it names");
            return Err(LoadError::MissingFile { path: single, reason });
        };
        let mut checkpoint = Self {
            folder: folder.to_owned(),
            files: Vec::new(),
            places: HashMap::new(),
            done: AtomicU64::new(0),
        };
        for name in names {
            checkpoint.add(folder.join(&name), &index)?;
        }
        checkpoint.check_index(&index, &listed)?;
        Ok(checkpoint)
    }

    fn add(&mut self, path: PathBuf, index: &Path) -> Result<(), LoadError> {
        if !path.exists() {
            let reason = format!("{} names it; the download may be incomplete", index.display());
            return Err(LoadError::MissingFile { path, reason });
        }
        let file = SafetensorsFile::open(&path)?;
        for (i, entry) in file.tensors.iter().enumerate() {
            if let Some((other, _)) = self.places.insert(entry.name.clone(), (self.files.len(), i)) {
                let other = self.files.get(other).map_or(&path, |f| &f.path);
                let problem = format!("the tensor `{}` is also in {}", entry.name, other.display());
                return Err(LoadError::malformed(&path, problem));
            }
        }
        self.files.push(file);
        Ok(())
    }

    fn check_index(&self, index: &Path, listed: &[(String, String)]) -> Result<(), LoadError> {
        for (tensor, file) in listed {
            let path = self.folder.join(file);
            let found = self.places.get(tensor).and_then(|&(f, _)| self.files.get(f));
            if found.is_none_or(|f| f.path != path) {
                let problem = format!("it places the tensor `{tensor}` in {file}, which does not hold it");
                return Err(LoadError::malformed(index, problem));
            }
        }
        Ok(())
    }

    /// Refuses tensors of layers beyond the first `count`: without them, the model would be another one.
    pub fn expect_layers(&self, count: usize) -> Result<(), LoadError> {
        for file in &self.files {
            for entry in &file.tensors {
                if let Some(layer) = layer_beyond(&entry.name, count) {
                    let (path, tensor) = (file.path.clone(), entry.name.clone());
                    return Err(LoadError::Layer { path, tensor, expected: count, found: layer.to_owned() });
                }
            }
        }
        Ok(())
    }

    /// Whether a tensor of this name exists.
    pub fn has(&self, name: &str) -> bool {
        self.places.contains_key(name)
    }

    /// The tensor of this name, if it has this shape and one of these types.
    pub fn tensor(&self, name: &str, shape: &[usize], types: &[Dtype]) -> Result<Tensor<'_>, LoadError> {
        let type_names = types.iter().map(|t| t.name()).collect::<Vec<_>>().join(" or ");
        let place = self.places.get(name);
        let found = place.and_then(|&(f, e)| Some((self.files.get(f)?, self.files.get(f)?.tensors.get(e)?)));
        let Some((file, entry)) = found else {
            let (path, tensor) = (self.folder.clone(), name.to_owned());
            return Err(LoadError::MissingTensor {
                path,
                tensor,
                expected: format!("{type_names} {shape:?}"),
            });
        };
        let (path, tensor) = (file.path.clone(), name.to_owned());
        let dtype = match &entry.dtype {
            Ok(dtype) if types.contains(dtype) => *dtype,
            other => {
                let found = other.as_ref().map_or_else(Clone::clone, |d| d.name().to_owned());
                return Err(LoadError::Type { path, tensor, expected: type_names, found });
            }
        };
        if entry.shape != shape {
            return Err(LoadError::Shape {
                path,
                tensor,
                expected: shape.to_vec(),
                found: entry.shape.clone(),
            });
        }
        Ok(Tensor { checkpoint: self, file, entry, dtype })
    }

    /// Bytes of tensors read so far.
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Bytes of all tensors.
    pub fn total(&self) -> u64 {
        self.files.iter().flat_map(|f| &f.tensors).map(|t| t.bytes).sum()
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Tensor<'_> {
    /// Reads `count` elements from element `start` on, as bytes.
    pub fn read(&self, start: usize, count: usize) -> Result<Vec<u8>, LoadError> {
        let size = self.dtype.bytes();
        let mut bytes = vec![0; count * size];
        let offset = self.entry.start + (start * size) as u64;
        read_exact_at(&self.file.file, &mut bytes, offset).map_err(|e| LoadError::io(&self.file.path, e))?;
        self.checkpoint.done.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(bytes)
    }

    /// Reads `count` float elements from element `start` on; every type expands exactly.
    pub fn read_floats(&self, start: usize, count: usize) -> Result<Vec<f32>, LoadError> {
        let bytes = self.read(start, count)?;
        Ok(match self.dtype {
            Dtype::F32 => bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect(),
            Dtype::F16 => bytes.as_chunks().0.iter().map(|&b| half::f16::from_le_bytes(b).to_f32()).collect(),
            Dtype::Bf16 => {
                bytes.as_chunks().0.iter().map(|&b| half::bf16::from_le_bytes(b).to_f32()).collect()
            }
            Dtype::U8 => bytes.into_iter().map(f32::from).collect(),
        })
    }

    /// An error about this tensor's values.
    pub fn bad_values(&self, problem: String) -> LoadError {
        LoadError::Values { path: self.file.path.clone(), tensor: self.entry.name.clone(), problem }
    }
}

/// The number in `model.layers.NUMBER...`, if it is not below `count`.
fn layer_beyond(tensor: &str, count: usize) -> Option<&str> {
    let rest = tensor.strip_prefix("model.layers.")?;
    let number = rest.split('.').next()?;
    let is_number = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    // A number that is too large for the type is beyond every count.
    (is_number && number.parse().map_or(true, |layer: usize| layer >= count)).then_some(number)
}

/// (tensor, file) pairs of an index.
fn read_index(path: &Path) -> Result<Vec<(String, String)>, LoadError> {
    let length = std::fs::metadata(path).map_err(|e| LoadError::io(path, e))?.len();
    if length > INDEX_BYTES_MAX {
        let problem = format!("expected at most {INDEX_BYTES_MAX} bytes, found {length}");
        return Err(LoadError::malformed(path, problem));
    }
    let text = std::fs::read(path).map_err(|e| LoadError::io(path, e))?;
    let json: Value = serde_json::from_slice(&text).map_err(|e| LoadError::malformed(path, e.to_string()))?;
    let map = json.get("weight_map").and_then(Value::as_object);
    let map = map.ok_or_else(|| LoadError::malformed(path, "expected an object `weight_map`"))?;
    map.iter().map(|(tensor, file)| Ok((tensor.clone(), plain_name(path, tensor, file)?))).collect()
}

/// A file of the same folder: an index may not send the loader elsewhere.
fn plain_name(path: &Path, tensor: &str, file: &Value) -> Result<String, LoadError> {
    let name = file.as_str().filter(|f| Path::new(f).file_name().is_some_and(|name| name == *f));
    let problem = || format!("`{tensor}`: expected the name of a file in this folder, found {file}");
    name.map(str::to_owned).ok_or_else(|| LoadError::malformed(path, problem()))
}
