//! The knowledge base as an append-only list of commits, each a set of changes that takes effect at once.

use std::time::SystemTime;

use rusqlite::{Row, params};
use serde::{Deserialize, Serialize};

use super::{Store, StoreError, from_millis, to_millis};

pub(super) const SCHEMA: &str = "
CREATE TABLE knowledge_commits (
    version INTEGER PRIMARY KEY AUTOINCREMENT,
    committed_at INTEGER NOT NULL -- milliseconds since 1970
) STRICT;
CREATE TABLE knowledge_changes (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    version INTEGER NOT NULL REFERENCES knowledge_commits (version),
    passage_id TEXT NOT NULL,
    -- The passage; all null where the change removes it.
    source TEXT,
    title TEXT,
    question TEXT,
    text TEXT,
    updated TEXT
) STRICT;
CREATE INDEX knowledge_changes_by_version ON knowledge_changes (version);
";

/// Other questions that a passage answers came later.
pub(super) const SIMILAR: &str =
    "ALTER TABLE knowledge_changes ADD COLUMN similar TEXT; -- a JSON array of texts";

/// One piece of knowledge that can be retrieved and cited.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Passage {
    /// Names the passage for good: the same words from the same source have the same id.
    pub id: String,
    /// The file that gave it.
    pub source: String,
    /// The question for a question-and-answer entry, else the headings above the passage.
    pub title: String,
    /// The question it answers; `None` for passages of documents.
    pub question: Option<String>,
    /// Other ways in which customers ask it, as the author of the source wrote them down.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub similar: Vec<String>,
    /// The answer, or the passage itself.
    pub text: String,
    /// When its author last changed it, as ISO 8601 text, where the source says so.
    pub updated: Option<String>,
}

/// One step from a state of the knowledge base to the next.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Change {
    /// The passage is there from now on, in place of any with its id.
    Put(Passage),
    /// The passage with this id is gone.
    Remove(String),
}

/// Changes that took effect together.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Commit {
    /// Grows with each commit, from 1.
    pub version: u64,
    /// When the changes were committed, to the millisecond.
    pub committed_at: SystemTime,
    /// In the order they were made.
    pub changes: Vec<Change>,
}

impl Store {
    /// Appends `changes` as one commit at `now` and returns its version.
    ///
    /// # Errors
    /// [`StoreError::Sql`]; nothing is changed then.
    pub fn commit_knowledge(&self, changes: &[Change], now: SystemTime) -> Result<u64, StoreError> {
        self.write(|sql| {
            sql.execute("INSERT INTO knowledge_commits (committed_at) VALUES (?1)", [to_millis(now)])?;
            let version = sql.last_insert_rowid();
            let mut insert = sql.prepare_cached(
                "INSERT INTO knowledge_changes (version, passage_id, source, title, question, text, updated, similar) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?;
            for change in changes {
                match change {
                    Change::Put(p) => insert.execute(params![version, p.id, p.source, p.title, p.question, p.text, p.updated, json(&p.similar)])?,
                    Change::Remove(id) => insert.execute(params![version, id, None::<&str>, None::<&str>, None::<&str>, None::<&str>, None::<&str>, None::<&str>])?,
                };
            }
            Ok(version.unsigned_abs())
        })
    }

    /// The commits after `version` (0: all of them), oldest first.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub fn knowledge_since(&self, version: u64) -> Result<Vec<Commit>, StoreError> {
        self.read(|sql| {
            let mut select = sql.prepare_cached(
                "SELECT version, committed_at, passage_id, source, title, question, text, updated, similar
                 FROM knowledge_commits JOIN knowledge_changes USING (version) WHERE version > ?1 ORDER BY number",
            )?;
            let mut rows = select.query([i64::try_from(version).unwrap_or(i64::MAX)])?;
            let mut commits: Vec<Commit> = Vec::new();
            while let Some(row) = rows.next()? {
                let version = row.get::<_, i64>(0)?.unsigned_abs();
                if commits.last().is_none_or(|commit| commit.version != version) {
                    commits.push(Commit { version, committed_at: from_millis(row.get(1)?), changes: Vec::new() });
                }
                if let Some(commit) = commits.last_mut() {
                    commit.changes.push(change(row)?);
                }
            }
            Ok(commits)
        })
    }

    /// The newest commit's version; 0 before the first.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub fn knowledge_version(&self) -> Result<u64, StoreError> {
        self.read(|sql| {
            let mut select = sql.prepare_cached("SELECT COALESCE(MAX(version), 0) FROM knowledge_commits")?;
            select.query_row([], |row| Ok(row.get::<_, i64>(0)?.unsigned_abs()))
        })
    }
}

fn change(row: &Row<'_>) -> rusqlite::Result<Change> {
    let id: String = row.get(2)?;
    let Some(source) = row.get(3)? else { return Ok(Change::Remove(id)) };
    Ok(Change::Put(Passage {
        id,
        source,
        title: row.get(4)?,
        question: row.get(5)?,
        text: row.get(6)?,
        updated: row.get(7)?,
        similar: similar(row.get(8)?)?,
    }))
}

/// A list as one column holds it; nothing for an empty one.
fn json(texts: &[String]) -> Option<String> {
    (!texts.is_empty()).then(|| serde_json::Value::from(texts).to_string())
}

fn similar(column: Option<String>) -> rusqlite::Result<Vec<String>> {
    let Some(column) = column else { return Ok(Vec::new()) };
    let broken =
        |error| rusqlite::Error::FromSqlConversionFailure(8, rusqlite::types::Type::Text, Box::new(error));
    serde_json::from_str(&column).map_err(broken)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn passage(id: &str, question: Option<&str>) -> Passage {
        Passage {
            id: id.into(),
            source: "faq.csv".into(),
            title: "几天可以退货？".into(),
            question: question.map(Into::into),
            similar: question.iter().map(|question| format!("{question}, roughly")).collect(),
            text: "七天。".into(),
            updated: None,
        }
    }

    #[test]
    fn commits_come_back_in_order_with_their_times() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let at = UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
        let first = vec![Change::Put(passage("a", Some("q"))), Change::Put(passage("b", None))];
        let second = vec![Change::Remove("a".into())];
        assert_eq!(store.commit_knowledge(&first, at).unwrap(), 1);
        assert_eq!(store.commit_knowledge(&second, at).unwrap(), 2);
        let expected = vec![
            Commit { version: 1, committed_at: at, changes: first },
            Commit { version: 2, committed_at: at, changes: second },
        ];
        assert_eq!(store.knowledge_since(0).unwrap(), expected);
        assert_eq!(store.knowledge_since(1).unwrap(), expected[1..]);
        assert_eq!(store.knowledge_version().unwrap(), 2);
    }

    #[test]
    fn another_process_sees_what_was_committed() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (Store::open(folder.path()).unwrap(), Store::open(folder.path()).unwrap());
        one.commit_knowledge(&[Change::Put(passage("a", None))], UNIX_EPOCH).unwrap();
        assert_eq!(other.knowledge_version().unwrap(), 1);
        other.commit_knowledge(&[Change::Remove("a".into())], UNIX_EPOCH).unwrap();
        assert_eq!(one.knowledge_since(1).unwrap().len(), 1);
    }

    #[test]
    fn many_threads_write_and_read() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let store = store.clone();
                scope.spawn(move || {
                    for step in 0..10 {
                        store
                            .commit_knowledge(
                                &[Change::Put(passage(&format!("{thread}-{step}"), None))],
                                UNIX_EPOCH,
                            )
                            .unwrap();
                        store.knowledge_version().unwrap();
                    }
                });
            }
        });
        assert_eq!(store.knowledge_version().unwrap(), 80);
        assert_eq!(store.knowledge_since(0).unwrap().len(), 80);
    }
}
