//! The file of a namespace.
//!
//! Writers who come while a commit is under way share the next one: a commit costs a flush of the disk, whether
//! it carries one write or a hundred.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use offprint_model::kv::KvKey;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use tokio::sync::oneshot;

use super::KvWrite;
use super::list::{KvList, KvPage};
use crate::error::Result;
use crate::file;

/// The value comes last: what is before it is read without the pages of a long one. Keys are bytes, since their
/// order is that of bytes and they may hold anything.
pub(super) const SCHEMA: &str = "CREATE TABLE entry (
        key BLOB NOT NULL UNIQUE, metadata TEXT, expires INTEGER, value BLOB NOT NULL) STRICT;
    CREATE INDEX entry_expires ON entry (expires) WHERE expires IS NOT NULL";

/// A longer value is read once memory was reserved for it.
const AT_ONCE_BYTES_MAX: usize = 64 << 10;
/// Writes of one commit: so many that the flush costs little, so few that the first does not wait long.
const COMMIT_WRITES_MAX: usize = 1000;
const COMMIT_BYTES_MAX: usize = 32 << 20;
const READERS_MAX: usize = 4;
const SWEEP_MAX: i64 = 1000;

const GET: &str = "SELECT metadata, expires, length(value),
        CASE WHEN ?3 OR length(value) <= ?4 THEN value END FROM entry
    WHERE key = ?1 AND (expires IS NULL OR expires > ?2)";
const METADATA: &str =
    "SELECT metadata, expires FROM entry WHERE key = ?1 AND (expires IS NULL OR expires > ?2)";
const PUT: &str = "INSERT INTO entry (key, metadata, expires, value) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (key) DO UPDATE
        SET metadata = excluded.metadata, expires = excluded.expires, value = excluded.value";
const DELETE: &str = "DELETE FROM entry WHERE key = ?1";
const EXPIRED: &str = "DELETE FROM entry WHERE rowid IN
    (SELECT rowid FROM entry WHERE expires <= ?1 ORDER BY expires LIMIT ?2)";

/// Gives some of the room of removed pairs back to the disk.
const VACUUM: &str = "PRAGMA incremental_vacuum(5000)";

/// An open namespace.
pub(crate) struct Namespace {
    path: PathBuf,
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    waiting: Vec<Waiting>,
    /// Whether somebody works on it.
    draining: bool,
}

/// Writes of one caller.
pub(super) struct Waiting {
    writes: Vec<KvWrite>,
    done: oneshot::Sender<Result<()>>,
}

/// What [`Namespace::read`] found.
pub(super) enum Read {
    Absent,
    /// Value, metadata, and when it expires.
    Value(Vec<u8>, Option<String>, Option<u64>),
    /// A value of so many bytes, which was not to be read.
    TooLong(usize),
}

impl Namespace {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let writer = Mutex::new(file::open(path)?);
        Ok(Self { path: path.to_owned(), writer, readers: Mutex::default(), queue: Mutex::default() })
    }

    /// Reads a pair; a long value only if it is to be `whole`.
    pub(super) fn read(&self, key: &KvKey, whole: bool, now_s: u64) -> Result<Read> {
        self.with_reader(|reader| {
            let mut statement = reader.prepare_cached(GET)?;
            let limit = i64::try_from(AT_ONCE_BYTES_MAX).unwrap_or(i64::MAX);
            let found = statement.query_row(params![bytes(key), now_s, whole, limit], |row| {
                Ok(match row.get::<_, Option<Vec<u8>>>(3)? {
                    Some(value) => Read::Value(value, row.get(0)?, row.get(1)?),
                    None => Read::TooLong(row.get(2)?),
                })
            });
            Ok(found.optional()?.unwrap_or(Read::Absent))
        })
    }

    pub(super) fn metadata(&self, key: &KvKey, now_s: u64) -> Result<Option<(Option<String>, Option<u64>)>> {
        self.with_reader(|reader| {
            let mut statement = reader.prepare_cached(METADATA)?;
            let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
            Ok(statement.query_row(params![bytes(key), now_s], read).optional()?)
        })
    }

    pub(super) fn list(&self, list: &KvList, now_s: u64) -> Result<KvPage> {
        self.with_reader(|reader| list.read(reader, now_s))
    }

    /// Lines writes up. Says whether the caller is to see to it that they are made: [`Namespace::next_batch`] and
    /// [`Namespace::make`] by turns, until there is no batch.
    pub(super) fn enqueue(&self, writes: Vec<KvWrite>) -> (bool, oneshot::Receiver<Result<()>>) {
        let (done, outcome) = oneshot::channel();
        let mut queue = lock(&self.queue);
        queue.waiting.push(Waiting { writes, done });
        (!std::mem::replace(&mut queue.draining, true), outcome)
    }

    /// Makes the writes of a batch, all or none, and tells those who wait for them.
    pub(super) fn make(&self, batch: Vec<Waiting>) {
        let outcome = self.commit(&batch);
        for waiting in batch {
            // Who has gone away needs no answer.
            let _ = waiting.done.send(outcome.clone());
        }
    }

    /// The writes that share the next commit.
    pub(super) fn next_batch(&self) -> Option<Vec<Waiting>> {
        let mut queue = lock(&self.queue);
        let (mut writes, mut bytes, mut taken) = (0, 0, 0);
        for waiting in &queue.waiting {
            writes += waiting.writes.len();
            bytes += waiting.writes.iter().map(size).sum::<usize>();
            if taken > 0 && (writes > COMMIT_WRITES_MAX || bytes > COMMIT_BYTES_MAX) {
                break;
            }
            taken += 1;
        }
        if taken == 0 {
            queue.draining = false;
            return None;
        }
        Some(queue.waiting.drain(..taken).collect())
    }

    fn commit(&self, batch: &[Waiting]) -> Result<()> {
        let mut writer = lock(&self.writer);
        let tx = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for write in batch.iter().flat_map(|waiting| &waiting.writes) {
            match write {
                KvWrite::Put { key, value, metadata, expires } => {
                    let mut put = tx.prepare_cached(PUT)?;
                    put.execute(params![bytes(key), metadata, expires, &value[..]])?;
                }
                KvWrite::Delete(key) => drop(tx.prepare_cached(DELETE)?.execute([bytes(key)])?),
            }
        }
        Ok(tx.commit()?)
    }

    /// Removes some of what has expired. Says whether there may be more.
    pub(super) fn remove_expired(&self, now_s: u64) -> Result<bool> {
        let writer = lock(&self.writer);
        let removed = writer.prepare_cached(EXPIRED)?.execute(params![now_s, SWEEP_MAX])?;
        if removed == 0 {
            // A page for each step.
            let mut vacuum = writer.prepare(VACUUM)?;
            let mut pages = vacuum.query([])?;
            while pages.next()?.is_some() {}
        }
        Ok(removed > 0)
    }

    fn with_reader<R>(&self, read: impl FnOnce(&Connection) -> Result<R>) -> Result<R> {
        let idle = lock(&self.readers).pop();
        let reader = match idle {
            Some(reader) => reader,
            None => file::open_reader(&self.path)?,
        };
        let result = read(&reader);
        let mut readers = lock(&self.readers);
        if readers.len() < READERS_MAX {
            readers.push(reader);
        }
        result
    }
}

fn bytes(key: &KvKey) -> &[u8] {
    key.as_str().as_bytes()
}

fn size(write: &KvWrite) -> usize {
    match write {
        KvWrite::Put { value, .. } => value.len(),
        KvWrite::Delete(_) => 0,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
