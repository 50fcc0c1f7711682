//! The development key: random, made once per data directory, good on loopback only.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;

const FILE: &str = "development-key";

/// The key of this data directory, made when there is none yet.
///
/// # Errors
/// The directory cannot be written.
pub fn development_key(data_dir: &Path) -> io::Result<String> {
    let path = data_dir.join(FILE);
    match std::fs::read_to_string(&path) {
        Ok(key) if key.trim().len() >= 16 => Ok(key.trim().to_owned()),
        _ => create(data_dir, &path),
    }
}

fn create(data_dir: &Path, path: &Path) -> io::Result<String> {
    std::fs::create_dir_all(data_dir)?;
    let key = format!("fd-dev-{}", uuid::Uuid::new_v4().simple());
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    writeln!(options.open(path)?, "{key}")?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_stays_the_same_per_directory_and_differs_between_two() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let key = development_key(one.path()).unwrap();
        assert_eq!(development_key(one.path()).unwrap(), key);
        assert_ne!(development_key(two.path()).unwrap(), key);
    }
}
