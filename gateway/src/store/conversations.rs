//! The log of masked conversations: written off the request's path, never lost on a clean shutdown.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::{mpsc, oneshot};

use super::{Store, StoreError, to_millis};
use crate::mask::Masked;
use crate::telemetry::metrics;

/// Exchanges that may wait to be written; further ones are counted as lost, for an answer must not wait for a disk.
const QUEUE: usize = 1024;
/// Old exchanges are removed when this many new ones were written.
const WRITES_BETWEEN_REMOVALS: u32 = 256;

/// The log's table. Times are milliseconds since 1970.
pub(super) const SCHEMA: &str = "
CREATE TABLE exchanges (
    id INTEGER PRIMARY KEY,
    request_id TEXT NOT NULL,
    tenant TEXT NOT NULL,
    ended_at INTEGER NOT NULL,
    question TEXT NOT NULL,
    answer TEXT NOT NULL,
    intent TEXT,
    cache TEXT NOT NULL,
    covered INTEGER NOT NULL,
    handoff INTEGER NOT NULL,
    sources TEXT NOT NULL,
    outcome TEXT NOT NULL,
    took_ms INTEGER NOT NULL
);
CREATE INDEX exchanges_by_end ON exchanges (ended_at);
";

/// One question and its answer. Text is [`Masked`]: raw text does not fit in.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// The request's id.
    pub id: String,
    /// Whose.
    pub tenant: String,
    /// When it ended.
    pub at: SystemTime,
    /// The customer's last words.
    pub question: Masked,
    /// What was answered.
    pub answer: Masked,
    /// What the customer wanted, if that was clear.
    pub intent: Option<String>,
    /// `hit-exact`, `miss` or `bypass`.
    pub cache: String,
    /// Whether the knowledge base covered it.
    pub covered: bool,
    /// Whether a person should take over.
    pub handoff: bool,
    /// The ids of the passages named in the answer.
    pub sources: Vec<String>,
    /// `finished`, `cached`, `cancelled` or `failed`.
    pub outcome: &'static str,
    /// From arrival to end.
    pub took: Duration,
}

impl Store {
    /// Writes exchanges, all or none.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub fn add_exchanges(&self, exchanges: &[Exchange]) -> Result<(), StoreError> {
        const INSERT: &str = "INSERT INTO exchanges \
            (request_id, tenant, ended_at, question, answer, intent, cache, covered, handoff, sources, outcome, took_ms) \
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
        self.write(|sql| {
            let mut insert = sql.prepare_cached(INSERT)?;
            for exchange in exchanges {
                insert.execute(rusqlite::params![
                    exchange.id,
                    exchange.tenant,
                    to_millis(exchange.at),
                    exchange.question.as_str(),
                    exchange.answer.as_str(),
                    exchange.intent,
                    exchange.cache,
                    exchange.covered,
                    exchange.handoff,
                    exchange.sources.join(","),
                    exchange.outcome,
                    i64::try_from(exchange.took.as_millis()).unwrap_or(i64::MAX),
                ])?;
            }
            Ok(())
        })
    }

    /// Removes what ended before `limit`; says how much that was.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub fn remove_exchanges_before(&self, limit: SystemTime) -> Result<usize, StoreError> {
        self.write(|sql| sql.execute("DELETE FROM exchanges WHERE ended_at < ?1", [to_millis(limit)]))
    }

    /// How many exchanges are kept.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub fn exchange_count(&self) -> Result<u64, StoreError> {
        let count: i64 =
            self.read(|sql| sql.query_row("SELECT count(*) FROM exchanges", [], |row| row.get(0)))?;
        Ok(count.unsigned_abs())
    }
}

/// Writes exchanges on a thread of its own.
pub struct ConversationLog {
    queue: Mutex<Option<mpsc::Sender<Exchange>>>,
    written: Mutex<Option<oneshot::Receiver<()>>>,
}

impl ConversationLog {
    /// Starts writing to `store`; exchanges older than `keep` are removed.
    ///
    /// # Errors
    /// The thread could not be started.
    pub fn start(store: Store, keep: Duration) -> std::io::Result<Self> {
        let (queue, exchanges) = mpsc::channel(QUEUE);
        let (done, written) = oneshot::channel();
        std::thread::Builder::new().name("conversation-log".into()).spawn(move || {
            write(&store, exchanges, keep);
            // Nobody may be waiting any more; then nobody needs to know.
            let _nobody_waits = done.send(());
        })?;
        Ok(Self { queue: Mutex::new(Some(queue)), written: Mutex::new(Some(written)) })
    }

    /// Queues an exchange; never waits.
    pub fn add(&self, exchange: Exchange) {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let queued = queue.as_ref().is_some_and(|queue| queue.try_send(exchange).is_ok());
        if !queued {
            metrics::conversation_lost();
        }
    }

    /// Takes no more, and returns once all are written.
    pub async fn flush(&self) {
        drop(self.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(written) = written {
            // An error means that the thread is gone: there is nothing left to wait for.
            let _thread_is_gone = written.await;
        }
    }
}

/// Writes whatever has gathered in one transaction: one sync of the disk for many exchanges.
fn write(store: &Store, mut exchanges: mpsc::Receiver<Exchange>, keep: Duration) {
    let mut gathered = Vec::new();
    let mut until_removal = 0;
    while exchanges.blocking_recv_many(&mut gathered, QUEUE) > 0 {
        if let Err(error) = store.add_exchanges(&gathered) {
            gathered.iter().for_each(|_| metrics::conversation_lost());
            tracing::error!(%error, count = gathered.len(), "conversations could not be logged");
        }
        gathered.clear();
        if until_removal == 0 {
            remove_old(store, keep);
            until_removal = WRITES_BETWEEN_REMOVALS;
        }
        until_removal -= 1;
    }
}

fn remove_old(store: &Store, keep: Duration) {
    let Some(limit) = SystemTime::now().checked_sub(keep) else { return };
    if let Err(error) = store.remove_exchanges_before(limit) {
        tracing::error!(%error, "old conversations could not be removed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::Masker;

    fn exchange(at: SystemTime) -> Exchange {
        Exchange {
            id: "req_1".into(),
            tenant: "default".into(),
            at,
            question: Masker::default().mask("我的手机号是13812345678"),
            answer: Masker::default().mask("好的"),
            intent: None,
            cache: "bypass".into(),
            covered: false,
            handoff: false,
            sources: vec!["a".into(), "b".into()],
            outcome: "finished",
            took: Duration::from_millis(5),
        }
    }

    #[tokio::test]
    async fn flushing_loses_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let log = ConversationLog::start(store.clone(), Duration::from_secs(3600)).unwrap();
        (0..500).for_each(|_| log.add(exchange(SystemTime::now())));
        log.flush().await;
        assert_eq!(store.exchange_count().unwrap(), 500);
        let bytes = std::fs::read(folder.path().join("frontdesk.db")).unwrap();
        assert!(!bytes.windows(11).any(|window| window == b"13812345678"));
    }

    #[test]
    fn old_exchanges_go() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let now = SystemTime::now();
        let old = now - Duration::from_secs(100);
        store.add_exchanges(&[exchange(old), exchange(now)]).unwrap();
        assert_eq!(store.remove_exchanges_before(now - Duration::from_secs(50)).unwrap(), 1);
        assert_eq!(store.exchange_count().unwrap(), 1);
    }
}
