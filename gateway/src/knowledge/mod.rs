//! The company's knowledge: import and cleaning, the encoder, the index, and the judgement whether a question is covered.
//!
//! [`Knowledge`] is the whole of it for the rest of the gateway. The store's list of commits is the truth; the index in memory follows it.

pub mod concepts;
pub mod content;
pub mod encoder;
pub mod features;
mod import;
pub mod index;
mod plan;
pub mod ranking;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};

use arc_swap::ArcSwap;
use serde::Serialize;

use crate::store::{Change, Passage, Store, StoreError};
pub use encoder::{Encoder, Vector};
use import::Parsed;
pub use import::{ImportReport, Problem, ProblemKind, Progress};
use index::{Indexed, Live, Segment, Snapshot};
use plan::{plan, read, refuse_same_names, source_name};
use ranking::Query;

/// Most passages in one knowledge base: some four gigabytes in memory.
pub const MAX_PASSAGES: usize = 200_000;
/// The most hits that one may ask for.
pub const HITS_MAX: usize = 50;
/// Longest query looked at, in bytes.
const MAX_QUERY_BYTES: usize = 8_000;
/// Most hits of one search.
const MAX_HITS: usize = 50;
/// How stale a search may be of what another process committed.
const FOLLOW_MILLIS: u64 = 300;
/// A base beyond this is rebuilt beside the searches, not in the import.
const REBUILT_AT_ONCE: usize = 5_000;
/// A judgement from here on counts as covered.
const COVERED: f32 = 0.5;

/// Why the knowledge base could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum KnowledgeError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The import would make the base larger than it may be.
    #[error(
        "the knowledge base would have {found} passages, at most {MAX_PASSAGES} are kept: import less, or remove a source first"
    )]
    TooLarge {
        /// Passages there would be.
        found: usize,
    },
    /// Two files of one import have the same name.
    #[error(
        "{} and {} have the same name, and what a file gave is known by its name: give one of them another, nothing was imported",
        one.display(), other.display()
    )]
    SameName {
        /// The one.
        one: PathBuf,
        /// The other.
        other: PathBuf,
    },
}

/// What a search found.
#[derive(Clone, Debug, Serialize)]
pub struct SearchResult {
    /// The query as it was asked.
    pub query: String,
    /// The likeliest passages, best first.
    pub hits: Vec<Hit>,
    /// Whether the first hits answer the query at all.
    pub covered: bool,
    /// The judgement behind `covered`, from 0 to 1; one half is the limit.
    pub confidence: f32,
}

/// A passage found.
#[derive(Clone, Debug, Serialize)]
pub struct Hit {
    /// The passage's id.
    pub id: String,
    /// The question it answers; `None` for passages of documents.
    pub question: Option<String>,
    /// The question, or the headings above the passage.
    pub title: String,
    /// The answer or passage.
    pub text: String,
    /// The higher, the likelier it answers the query; comparable within one search.
    pub score: f32,
    /// The file it came from.
    pub source: String,
}

/// The knowledge base. A cheap clone; safe to use from many threads. Searches never wait for imports.
#[derive(Clone, Debug)]
pub struct Knowledge {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    store: Store,
    encoder: &'static Encoder,
    snapshot: ArcSwap<Snapshot>,
    /// Held while the state moves on, so that commits are applied in their order.
    moving: Mutex<()>,
    rebuilding: AtomicBool,
    opened: Instant,
    /// Milliseconds after `opened` at which other processes' commits were last looked for.
    followed: AtomicU64,
}

impl Knowledge {
    /// Reads the knowledge base in `store` and indexes it.
    ///
    /// # Errors
    /// [`KnowledgeError::Store`].
    pub fn open(store: Store) -> Result<Self, KnowledgeError> {
        let knowledge = Self {
            shared: Arc::new(Shared {
                store,
                encoder: Encoder::embedded(),
                snapshot: ArcSwap::default(),
                moving: Mutex::new(()),
                rebuilding: AtomicBool::new(false),
                opened: Instant::now(),
                followed: AtomicU64::new(0),
            }),
        };
        knowledge.refresh()?;
        Ok(knowledge)
    }

    /// Imports files; each takes the place of what a file of the same name gave before. All of them take effect at once.
    ///
    /// Files that give nothing take nothing's place; those that cannot be read are problems in the report. `progress` is called before
    /// each file and once at the end.
    ///
    /// # Errors
    /// [`KnowledgeError`]; the base is then as it was.
    pub fn import_files(
        &self,
        paths: &[PathBuf],
        progress: &mut dyn FnMut(Progress),
    ) -> Result<ImportReport, KnowledgeError> {
        refuse_same_names(paths)?;
        let mut files = Vec::with_capacity(paths.len());
        for (done, path) in paths.iter().enumerate() {
            let name = source_name(path);
            progress(Progress { file: name.clone(), done, total: paths.len() });
            files.push((read(path, &name), name));
        }
        let report = self.import(files)?;
        progress(Progress { file: String::new(), done: paths.len(), total: paths.len() });
        Ok(report)
    }

    /// Imports one file's bytes under `name`, whose ending tells the format.
    ///
    /// # Errors
    /// [`KnowledgeError`]; the base is then as it was.
    pub fn import_bytes(&self, name: &str, bytes: &[u8]) -> Result<ImportReport, KnowledgeError> {
        self.import(vec![(import::parse(name, bytes), name.to_owned())])
    }

    /// The `k` passages likeliest to answer `query` (at most 50), and whether they answer it at all.
    pub fn search(&self, query: &str, k: usize) -> SearchResult {
        let encoder = self.shared.encoder;
        let snapshot = self.current();
        let taken_apart = Query::new(start_of(query, MAX_QUERY_BYTES), encoder);
        let ranked = ranking::rank(&snapshot, &taken_apart, encoder);
        let confidence = ranking::coverage(&snapshot, &taken_apart, &ranked);
        let hits = ranked
            .into_iter()
            .take(k.min(MAX_HITS))
            .map(|ranked| hit(&ranked.entry.passage, ranked.score))
            .collect();
        SearchResult { query: query.to_owned(), hits, covered: confidence >= COVERED, confidence }
    }

    /// All passages, ordered by source, then as indexed by id.
    pub fn list(&self) -> Vec<Passage> {
        let snapshot = self.current();
        let mut all: Vec<Passage> = snapshot.live().values().map(|entry| entry.passage.clone()).collect();
        all.sort_by(|a, b| {
            a.source.cmp(&b.source).then_with(|| a.title.cmp(&b.title)).then_with(|| a.id.cmp(&b.id))
        });
        all
    }

    /// Removes a passage for good; `false` where there is none with this id.
    ///
    /// # Errors
    /// [`KnowledgeError::Store`]; the passage is then still there.
    pub fn remove(&self, id: &str) -> Result<bool, KnowledgeError> {
        Ok(self.remove_all(|passage| passage.id == id)? > 0)
    }

    /// Removes all that the file named `source` gave, for good, and says how many passages that were.
    ///
    /// # Errors
    /// [`KnowledgeError::Store`]; all of them are then still there.
    pub fn remove_source(&self, source: &str) -> Result<usize, KnowledgeError> {
        self.remove_all(|passage| passage.source == source)
    }

    /// The version of the newest change that searches see, other processes' too; part of every key under which an
    /// answer is cached.
    pub fn version(&self) -> u64 {
        self.current().version
    }

    /// Passages in the base.
    pub fn len(&self) -> usize {
        self.current().live().len()
    }

    /// Whether there is no passage.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes in what other processes have committed.
    ///
    /// # Errors
    /// [`KnowledgeError::Store`]; searches then go on with what they had.
    pub fn refresh(&self) -> Result<(), KnowledgeError> {
        self.catch_up(&self.hold())
    }

    /// The state to answer from: everything this process did, and what others did up to a moment ago.
    fn current(&self) -> Arc<Snapshot> {
        self.follow();
        self.shared.snapshot.load_full()
    }

    /// Looks for other processes' commits, rarely enough to cost nothing and without making a search wait or fail.
    fn follow(&self) {
        let now = u64::try_from(self.shared.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        let last = self.shared.followed.load(Ordering::Relaxed);
        let due = now >= last.saturating_add(FOLLOW_MILLIS)
            && self.shared.followed.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if due
            && self
                .shared
                .store
                .knowledge_version()
                .is_ok_and(|newest| newest > self.shared.snapshot.load().version)
            && let Err(error) = self.refresh()
        {
            tracing::warn!(%error, "the knowledge base could not be refreshed");
        }
    }

    fn import(&self, files: Vec<(Parsed, String)>) -> Result<ImportReport, KnowledgeError> {
        let guard = self.hold();
        self.catch_up(&guard)?;
        let live = self.shared.snapshot.load().live().clone();
        let (changes, mut report) = plan(&live, files)?;
        if !changes.is_empty() {
            self.commit(&changes, &guard)?;
        }
        // Not `version()`, which may want to move the state on itself.
        report.version = self.shared.snapshot.load().version;
        Ok(report)
    }

    fn remove_all(&self, gone: impl Fn(&Passage) -> bool) -> Result<usize, KnowledgeError> {
        let guard = self.hold();
        self.catch_up(&guard)?;
        let snapshot = self.shared.snapshot.load_full();
        let passages = snapshot.live().values().map(|entry| &entry.passage);
        let changes: Vec<Change> = passages
            .filter(|passage| gone(passage))
            .map(|passage| Change::Remove(passage.id.clone()))
            .collect();
        if !changes.is_empty() {
            self.commit(&changes, &guard)?;
        }
        Ok(changes.len())
    }

    fn hold(&self) -> MutexGuard<'_, ()> {
        self.shared.moving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn commit(&self, changes: &[Change], guard: &MutexGuard<'_, ()>) -> Result<(), KnowledgeError> {
        self.shared.store.commit_knowledge(changes, SystemTime::now())?;
        self.catch_up(guard)
    }

    /// Applies the commits after the current snapshot's and publishes the next one.
    fn catch_up(&self, _guard: &MutexGuard<'_, ()>) -> Result<(), KnowledgeError> {
        let now = self.shared.snapshot.load_full();
        let commits = self.shared.store.knowledge_since(now.version)?;
        let Some(version) = commits.last().map(|commit| commit.version) else { return Ok(()) };
        let mut live: Live = now.live().as_ref().clone();
        for change in commits.into_iter().flat_map(|commit| commit.changes) {
            match change {
                Change::Put(passage) => {
                    live.insert(passage.id.clone(), Arc::new(Indexed::new(passage, self.shared.encoder)));
                }
                Change::Remove(id) => {
                    live.remove(&id);
                }
            }
        }
        let next = Snapshot::new(version, Arc::new(live), now.base().clone());
        let next =
            if next.is_stale() && next.live().len() <= REBUILT_AT_ONCE { rebuilt(&next) } else { next };
        let stale = next.is_stale();
        self.shared.snapshot.store(Arc::new(next));
        if stale {
            self.rebuild_beside();
        }
        Ok(())
    }

    /// Builds a new base on a thread of its own; searches and imports go on with the old one and its delta meanwhile.
    fn rebuild_beside(&self) {
        if self.shared.rebuilding.swap(true, Ordering::AcqRel) {
            return;
        }
        let knowledge = self.clone();
        let build = move || {
            let started_from = knowledge.shared.snapshot.load_full();
            let base = Arc::new(Segment::new(started_from.live().values().cloned().collect()));
            let guard = knowledge.hold();
            let now = knowledge.shared.snapshot.load_full();
            knowledge.shared.snapshot.store(Arc::new(Snapshot::new(now.version, now.live().clone(), base)));
            knowledge.shared.rebuilding.store(false, Ordering::Release);
            drop(guard);
        };
        if let Err(error) = std::thread::Builder::new().name("knowledge-rebuild".into()).spawn(build) {
            tracing::warn!(%error, "no thread to rebuild the knowledge index; searches go on without");
            self.shared.rebuilding.store(false, Ordering::Release);
        }
    }
}

/// The same state on a base of its own.
fn rebuilt(snapshot: &Snapshot) -> Snapshot {
    let base = Segment::new(snapshot.live().values().cloned().collect());
    Snapshot::new(snapshot.version, snapshot.live().clone(), Arc::new(base))
}

fn hit(passage: &Passage, score: f32) -> Hit {
    Hit {
        id: passage.id.clone(),
        question: passage.question.clone(),
        title: passage.title.clone(),
        text: passage.text.clone(),
        score,
        source: passage.source.clone(),
    }
}

/// The longest start of `text` of at most `bytes` bytes.
fn start_of(text: &str, bytes: usize) -> &str {
    let end = (0..=bytes.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests;
