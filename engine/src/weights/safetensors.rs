//! One safetensors file: a length, a JSON header, and the tensors' bytes.
//! Source: the format section of the safetensors README (github.com/huggingface/safetensors).

use super::LoadError;
use serde_json::{Map, Value};
use std::fs::File;
use std::path::{Path, PathBuf};

/// The longest header that is read; the format's own reader has the same limit.
const HEADER_BYTES_MAX: u64 = 100_000_000;

/// Element types that a gpt-oss checkpoint may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dtype {
    /// 32-bit floats.
    F32,
    /// 16-bit IEEE floats.
    F16,
    /// The upper half of 32-bit floats.
    Bf16,
    /// Bytes: MXFP4 blocks and scales.
    U8,
}

impl Dtype {
    /// Bytes of one element.
    pub fn bytes(self) -> usize {
        match self {
            Dtype::F32 => 4,
            Dtype::F16 | Dtype::Bf16 => 2,
            Dtype::U8 => 1,
        }
    }

    /// Its name in a header.
    pub fn name(self) -> &'static str {
        match self {
            Dtype::F32 => "F32",
            Dtype::F16 => "F16",
            Dtype::Bf16 => "BF16",
            Dtype::U8 => "U8",
        }
    }

    fn named(name: &str) -> Option<Self> {
        [Dtype::F32, Dtype::F16, Dtype::Bf16, Dtype::U8].into_iter().find(|d| d.name() == name)
    }
}

/// An open file and where its tensors lie.
#[derive(Debug)]
pub(super) struct SafetensorsFile {
    pub(super) path: PathBuf,
    pub(super) file: File,
    pub(super) tensors: Vec<Entry>,
}

/// A tensor as the header describes it. Its type is checked when it is used: a checkpoint may hold tensors that
/// nobody asks for.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) dtype: Result<Dtype, String>,
    pub(super) shape: Vec<usize>,
    /// Bytes from the file's start.
    pub(super) start: u64,
    pub(super) bytes: u64,
}

impl SafetensorsFile {
    /// Reads and checks the header.
    pub(super) fn open(path: &Path) -> Result<Self, LoadError> {
        let file = File::open(path).map_err(|e| LoadError::io(path, e))?;
        let length = file.metadata().map_err(|e| LoadError::io(path, e))?.len();
        let (header, data_start) = read_header(path, &file, length)?;
        let mut tensors = Vec::new();
        for (name, value) in header.iter().filter(|(name, _)| *name != "__metadata__") {
            let entry = entry(name, value, data_start)
                .map_err(|problem| LoadError::malformed(path, format!("header entry `{name}`: {problem}")))?;
            let end = entry.start + entry.bytes;
            if end > length {
                let (path, tensor) = (path.to_owned(), name.clone());
                return Err(LoadError::Truncated { path, tensor, expected: end, found: length });
            }
            tensors.push(entry);
        }
        tensors.sort_by_key(|t| (t.start, t.bytes));
        expect_no_gaps(path, &tensors, data_start, length)?;
        Ok(Self { path: path.to_owned(), file, tensors })
    }
}

/// The header's JSON, and where the data begins.
fn read_header(path: &Path, file: &File, length: u64) -> Result<(Map<String, Value>, u64), LoadError> {
    if length < 8 {
        return Err(LoadError::malformed(path, format!("expected at least 8 bytes, found {length}")));
    }
    let mut prefix = [0; 8];
    read_exact_at(file, &mut prefix, 0).map_err(|e| LoadError::io(path, e))?;
    let size = u64::from_le_bytes(prefix);
    if size > HEADER_BYTES_MAX || size > length - 8 {
        let most = HEADER_BYTES_MAX.min(length - 8);
        return Err(LoadError::malformed(
            path,
            format!("expected a header of at most {most} bytes, found {size}"),
        ));
    }
    let mut json = vec![0; size as usize];
    read_exact_at(file, &mut json, 8).map_err(|e| LoadError::io(path, e))?;
    let header = serde_json::from_slice(&json)
        .map_err(|e| LoadError::malformed(path, format!("the header is not a JSON object: {e}")))?;
    Ok((header, 8 + size))
}

fn entry(name: &str, value: &Value, data_start: u64) -> Result<Entry, String> {
    let dtype = value.get("dtype").and_then(Value::as_str).ok_or("expected a `dtype` string")?;
    let shape = numbers(value.get("shape")).ok_or("expected a `shape` of whole numbers")?;
    let offsets = numbers(value.get("data_offsets")).ok_or("expected `data_offsets` of whole numbers")?;
    let &[start, end] = offsets.as_slice() else {
        return Err(format!("expected 2 data_offsets, found {}", offsets.len()));
    };
    let bytes =
        end.checked_sub(start).ok_or(format!("data_offsets end at {end}, before their start {start}"))?;
    let start = data_start.checked_add(start).filter(|s| s.checked_add(bytes).is_some());
    let start = start.ok_or("data_offsets overflow")?;
    let shape: Vec<usize> =
        shape.into_iter().map(usize::try_from).collect::<Result<_, _>>().map_err(|e| e.to_string())?;
    let dtype = Dtype::named(dtype).ok_or_else(|| dtype.to_owned());
    if let Ok(dtype) = &dtype {
        let expected = shape.iter().try_fold(dtype.bytes() as u64, |n, &d| n.checked_mul(d as u64));
        if expected != Some(bytes) {
            return Err(format!(
                "shape {shape:?} of {} does not make the {bytes} bytes of its data_offsets",
                dtype.name()
            ));
        }
    }
    Ok(Entry { name: name.to_owned(), dtype, shape, start, bytes })
}

fn numbers(value: Option<&Value>) -> Option<Vec<u64>> {
    value?.as_array()?.iter().map(Value::as_u64).collect()
}

/// Each tensor begins where the one before it ends, and the file ends with the last: the format allows neither
/// overlaps nor bytes that belong to no tensor.
fn expect_no_gaps(path: &Path, tensors: &[Entry], data_start: u64, length: u64) -> Result<(), LoadError> {
    let mut end = data_start;
    for (i, tensor) in tensors.iter().enumerate() {
        let (name, found) = (&tensor.name, tensor.start);
        if found < end {
            let before = i.checked_sub(1).and_then(|i| tensors.get(i)).map_or("", |t| &t.name);
            return Err(LoadError::malformed(path, format!("the tensors `{before}` and `{name}` overlap")));
        }
        if found > end {
            let problem =
                format!("tensor `{name}`: expected to begin at byte {end}, without a gap, found {found}");
            return Err(LoadError::malformed(path, problem));
        }
        end += tensor.bytes;
    }
    if end < length {
        let last = tensors.last().map_or_else(|| "its header".to_owned(), |t| format!("tensor `{}`", t.name));
        let problem = format!("expected to end with {last} at byte {end}, found {length} bytes");
        return Err(LoadError::malformed(path, problem));
    }
    Ok(())
}

/// A positioned read: no shared cursor, so threads can read one file at once.
#[cfg(unix)]
pub(super) fn read_exact_at(file: &File, buffer: &mut [u8], offset: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
}

/// A positioned read: no shared cursor, so threads can read one file at once.
#[cfg(windows)]
pub(super) fn read_exact_at(file: &File, buffer: &mut [u8], offset: u64) -> std::io::Result<()> {
    let mut done = 0;
    while done < buffer.len() {
        match std::os::windows::fs::FileExt::seek_read(file, &mut buffer[done..], offset + done as u64)? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            read => done += read,
        }
    }
    Ok(())
}
