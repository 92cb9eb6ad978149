//! D1: SQL databases, one SQLite file each.
//!
//! The SQL is anybody's, so a database is walled in (`guard`): no other file can be reached, nothing that belongs to
//! the file itself can be changed, and time, length and results are bounded. Like the real service, a database does
//! one thing at a time; a call runs all its statements in one transaction, or none.

mod database;
mod dump;
mod error;
mod guard;
mod import;
mod math;
mod split;
mod upload;
mod usage;
mod value;

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use offprint_model::d1::{SqlQuery, SqlResult};
use offprint_model::id::ResourceId;
use offprint_store::Resource;
use tokio::sync::mpsc;

use crate::error::Result;
use crate::file;
use crate::keeper::{Keeper, blocking};
use crate::memory::MemoryBudget;
use database::Database;
use upload::Uploads;
use usage::Usage;

pub use database::{D1Info, ResultsOf};
pub use dump::DumpOptions;
pub use error::D1Error;
pub use import::Imported;
pub use upload::SqlUpload;
pub use usage::D1Usage;

/// Requests on their way in, in all.
const MEMORY_BYTES: usize = 128 << 20;
/// Pieces of an export that wait for their reader.
const DUMP_PIECES: usize = 4;

/// The contents of all D1 databases.
pub struct D1 {
    keeper: Keeper<Database>,
    memory: MemoryBudget,
    uploads: Uploads,
    usage: Usage,
}

impl D1 {
    pub(crate) fn open(data: &Path) -> Result<Self> {
        // SQL computes: what else the server does shall get its share of the machine.
        let calls_max = std::thread::available_parallelism().map_or(4, |cores| cores.get().max(4));
        let keeper = Keeper::new(data.join("bindings/d1"), "", calls_max, Database::open)?;
        file::sort_in(&data.join("bindings/sorting"))?;
        let uploads = Uploads::open(data.join("bindings/uploads"))?;
        Ok(Self { keeper, memory: MemoryBudget::new(MEMORY_BYTES), uploads, usage: Usage::default() })
    }

    pub(crate) const fn keeper(&self) -> &Keeper<Database> {
        &self.keeper
    }

    /// The memory for requests: whoever reads one from a client reserves its length first.
    pub const fn memory(&self) -> &MemoryBudget {
        &self.memory
    }

    /// Runs queries in one transaction. What changed is durable when this returns; after an error nothing has.
    ///
    /// # Errors
    /// [`D1Error::Sql`] in the words of the real service, for whoever wrote the SQL; [`D1Error::Contents`] for the log.
    pub async fn run(
        &self,
        resource: &Resource,
        queries: Vec<SqlQuery>,
        results: ResultsOf,
    ) -> Result<Vec<SqlResult>, D1Error> {
        let database = self.keeper.file(resource.id()).await?;
        let turn = database.turn().await?;
        let call = self.keeper.turns().next().await;
        let run = move || {
            let _held = (turn, call);
            Ok(database.run(&queries, results))
        };
        let results = blocking(run).await??;
        self.usage.note(resource.id(), &results);
        Ok(results)
    }

    /// What a database was asked within a day, as far as this process knows.
    pub fn usage(&self, resource: &Resource) -> D1Usage {
        self.usage.of_day(resource.id())
    }

    /// How large a database is.
    ///
    /// # Errors
    /// It cannot be read.
    pub async fn info(&self, resource: &Resource) -> Result<D1Info> {
        self.keeper.call(resource.id(), Database::info).await
    }

    /// Writes a database as SQL that makes it again: as it is at one moment, whatever is written meanwhile. The
    /// pieces end with an error when it cannot be read to its end, or holds what cannot be written as SQL.
    ///
    /// # Errors
    /// It cannot be opened.
    pub async fn export(
        &self,
        resource: &Resource,
        options: DumpOptions,
    ) -> Result<mpsc::Receiver<Result<Bytes, D1Error>>> {
        let database = self.keeper.file(resource.id()).await?;
        let (pieces, reader) = mpsc::channel(DUMP_PIECES);
        tokio::task::spawn_blocking(move || database.dump(&options, &pieces));
        Ok(reader)
    }

    /// Begins the upload of a file of SQL; `md5` is that of the whole file, 32 hex digits.
    ///
    /// # Errors
    /// The disk fails.
    pub fn begin_upload(&self, database: &ResourceId, md5: &str) -> Result<SqlUpload> {
        self.uploads.begin(database, md5)
    }

    /// Takes a file that was uploaded; the next call finds it no more. `None`: there is no such upload.
    pub fn take_upload(&self, resource: &Resource, md5: &str) -> Option<std::fs::File> {
        self.uploads.take(resource.id(), md5)
    }

    pub(crate) fn sweep(&self) -> Result<()> {
        self.uploads.sweep()
    }

    pub(crate) async fn remove(&self, id: &ResourceId) -> Result<()> {
        self.usage.forget(id);
        self.keeper.remove(id).await
    }

    /// Runs the SQL of a file in one transaction. The database does nothing else meanwhile.
    ///
    /// # Errors
    /// As [`D1::run`].
    pub async fn import(&self, resource: &Resource, file: std::fs::File) -> Result<Imported, D1Error> {
        let database = self.keeper.file(resource.id()).await?;
        let turn = database.turn().await?;
        let run = move || {
            let _held = turn;
            Ok(database.import(file))
        };
        blocking(run).await?
    }
}

/// One thing at a time, for a bounded number of those who wait.
pub(super) type Turn = tokio::sync::OwnedSemaphorePermit;

impl Database {
    /// Waits for those who came before.
    ///
    /// # Errors
    /// Too many wait, or the wait is too long.
    pub(super) async fn turn(self: &Arc<Self>) -> Result<Turn, D1Error> {
        let overloaded = || D1Error::Sql("D1 DB is overloaded. Too many requests queued.".into());
        let _waiting = Arc::clone(&self.waiting).try_acquire_owned().map_err(|_| overloaded())?;
        let turn = tokio::time::timeout(guard::TIME_MAX, Arc::clone(&self.turns).acquire_owned()).await;
        turn.map_err(|_| overloaded())?.map_err(|_| overloaded())
    }
}
