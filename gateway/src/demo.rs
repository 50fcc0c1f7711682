//! The demo model and the sample shop's knowledge: inside the program, unpacked where it keeps its data.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

macro_rules! embedded {
    ($folder:literal: $($name:literal),+ $(,)?) => {
        &[$(($name, include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/", $folder, "/", $name)).as_slice())),+]
    };
}

const MODEL: &[(&str, &[u8])] = embedded!("../engine/demo/model":
    "config.json", "generation_config.json", "model.safetensors", "tokenizer.json");

const SAMPLES: &[(&str, &[u8])] = embedded!("samples":
    "faq_en.csv", "faq_zh.csv", "membership.md", "shipping.md", "warranty.md");

/// The demo model's folder.
///
/// # Errors
/// The data directory cannot be written.
pub fn unpack_model(data_dir: &Path) -> io::Result<PathBuf> {
    let folder = data_dir.join("demo-model");
    unpack(&folder, MODEL).map(|_| folder)
}

/// The files of the sample knowledge.
///
/// # Errors
/// The data directory cannot be written.
pub fn unpack_samples(data_dir: &Path) -> io::Result<Vec<PathBuf>> {
    unpack(&data_dir.join("samples"), SAMPLES)
}

/// Writes what differs. A file appears whole or not at all: it is written beside its place and then moved.
fn unpack(folder: &Path, files: &[(&str, &[u8])]) -> io::Result<Vec<PathBuf>> {
    fs::create_dir_all(folder)?;
    let write = |(name, bytes): &(&str, &[u8])| {
        let path = folder.join(name);
        if fs::read(&path).ok().as_deref() != Some(*bytes) {
            let beside = folder.join(format!(".{name}.{}", std::process::id()));
            fs::write(&beside, bytes)?;
            fs::rename(&beside, &path)?;
        }
        Ok(path)
    };
    files.iter().map(write).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changed_files_are_put_right() {
        let folder = tempfile::tempdir().unwrap();
        let files: &[(&str, &[u8])] = &[("a.txt", b"right")];
        let paths = unpack(folder.path(), files).unwrap();
        fs::write(&paths[0], "wrong").unwrap();
        unpack(folder.path(), files).unwrap();
        assert_eq!(fs::read(&paths[0]).unwrap(), b"right");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
