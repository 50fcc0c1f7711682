//! Everything that outlives the process, in one SQLite file; the only place of the gateway that holds SQL.
//!
//! A [`Store`] is a cheap clone and safe to use from many threads. Readers never wait for the writer (write-ahead log).
//! Each kind of data adds a file beside this one with its own `impl Store`, and its tables to the list of migrations.

mod conversations;
mod knowledge;
mod migrations;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, Transaction, TransactionBehavior};

pub use conversations::{ConversationLog, Exchange};
pub use knowledge::{Change, Commit, Passage};

/// The file inside the data directory.
const FILE_NAME: &str = "frontdesk.db";
/// How long a statement waits for another process (say `frontdesk kb import` beside a server) to finish its write.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// Idle read connections kept for reuse; more may be open at one moment.
const IDLE_READERS: usize = 4;

/// Why the store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The data directory is not there and cannot be made.
    #[error("cannot create the data directory {}: {source}; choose another with --data-dir", path.display())]
    Directory {
        /// The directory asked for.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The database file cannot be opened or is not a database.
    #[error("cannot open the database {}: {source}", path.display())]
    Open {
        /// The database file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// A newer frontdesk wrote this file.
    #[error("the database {} has schema {found}, this frontdesk knows up to {known}: run the newer frontdesk, or use another --data-dir", path.display())]
    TooNew {
        /// The database file.
        path: PathBuf,
        /// The schema number in the file.
        found: usize,
        /// The newest schema number of this program.
        known: usize,
    },
    /// A statement failed.
    #[error("the database refused a statement: {0}")]
    Sql(#[from] rusqlite::Error),
}

/// The open database.
#[derive(Clone, Debug)]
pub struct Store {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
}

impl Store {
    /// Opens `frontdesk.db` in `data_dir`, creating both where needed, and brings its schema up to date.
    ///
    /// # Errors
    /// [`StoreError::Directory`], [`StoreError::Open`], [`StoreError::TooNew`], or [`StoreError::Sql`] from a migration.
    pub fn open(data_dir: &Path) -> Result<Self, StoreError> {
        fs::create_dir_all(data_dir)
            .map_err(|source| StoreError::Directory { path: data_dir.to_path_buf(), source })?;
        let path = data_dir.join(FILE_NAME);
        let mut writer = connect(&path)?;
        migrations::run(&mut writer, &path)?;
        Ok(Self {
            shared: Arc::new(Shared { path, writer: Mutex::new(writer), readers: Mutex::new(Vec::new()) }),
        })
    }

    /// Runs `work` on a connection that sees one consistent state of the database.
    fn read<T>(&self, work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        let idle = lock(&self.shared.readers).pop();
        let mut reader = match idle {
            Some(reader) => reader,
            None => connect(&self.shared.path)?,
        };
        let result = work(&reader.transaction()?);
        let mut readers = lock(&self.shared.readers);
        if readers.len() < IDLE_READERS {
            readers.push(reader);
        }
        Ok(result?)
    }

    /// Runs `work` alone among writers and commits what it did, or nothing where it fails.
    fn write<T>(&self, work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        let mut writer = lock(&self.shared.writer);
        // Immediate: the wait for another process happens here, not half-way through as an error.
        let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let value = work(&transaction)?;
        transaction.commit()?;
        Ok(value)
    }
}

fn connect(path: &Path) -> Result<Connection, StoreError> {
    let open = || -> rusqlite::Result<Connection> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // A power cut may lose the last commit's milliseconds only with NORMAL; a confirmed import must survive it.
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        Ok(connection)
    };
    open().map_err(|source| StoreError::Open { path: path.to_path_buf(), source })
}

/// A panic elsewhere leaves a connection usable: its transaction was rolled back when it was dropped.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Milliseconds since 1970, as times are stored.
fn to_millis(time: SystemTime) -> i64 {
    let millis = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    i64::try_from(millis).unwrap_or(i64::MAX)
}

fn from_millis(millis: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_twice_and_creates_the_directory() {
        let folder = tempfile::tempdir().unwrap();
        let nested = folder.path().join("a/b");
        Store::open(&nested).unwrap();
        Store::open(&nested).unwrap();
        assert!(nested.join(FILE_NAME).exists());
    }

    #[test]
    fn a_file_in_the_way_is_a_clear_error() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("taken");
        fs::write(&file, "x").unwrap();
        let error = Store::open(&file).unwrap_err().to_string();
        assert!(error.contains("--data-dir"), "{error}");
    }

    #[test]
    fn something_that_is_no_database_is_a_clear_error() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(
            folder.path().join(FILE_NAME),
            "this is no database, it only has the name of one".repeat(100),
        )
        .unwrap();
        assert!(matches!(Store::open(folder.path()), Err(StoreError::Open { .. })));
    }

    #[test]
    fn a_failed_write_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let failed = store.write(|sql| {
            sql.execute("INSERT INTO knowledge_commits (committed_at) VALUES (1)", [])?;
            sql.execute("INSERT INTO no_such_table VALUES (1)", [])
        });
        assert!(failed.is_err());
        assert_eq!(store.knowledge_version().unwrap(), 0);
    }
}
