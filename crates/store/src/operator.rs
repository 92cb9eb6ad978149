//! What the operator of a store may do, whoever its accounts belong to.

use std::fs::File;

use offprint_model::id::{AccountId, ProjectId};
use offprint_model::project::Domain;

use crate::db::{Rows, values};
use crate::domains::domain_of;
use crate::error::{Result, StoreError};
use crate::lock::blocking;
use crate::open::Store;
use crate::projects::ProjectScope;

const ALL_DOMAINS: &str =
    "SELECT m.id, m.name, m.status, m.error, m.created, a.id AS account, p.id AS project
    FROM domain m JOIN project p ON p.seq = m.project_seq JOIN account a ON a.seq = p.account_seq
    ORDER BY m.name, m.seq";
const END_LEASES: [&str; 2] = [
    "UPDATE job SET lease_until = 0 WHERE state = 'leased' AND lease_until > 0",
    "UPDATE build_job SET lease_until = 0 WHERE lease_until > 0",
];

/// Receipt: no other process works on the store's jobs for as long as this is held.
pub struct SoleWorker {
    _lock: File,
}

impl Store {
    /// The custom domains of all projects of all accounts, by name.
    pub async fn all_domains(&self) -> Result<Vec<(ProjectScope, Domain)>> {
        let mut domains = Vec::new();
        for row in self.db().all(ALL_DOMAINS, values![]).await? {
            let account = AccountId::new(row.get::<String>("account")?);
            let project = ProjectId::new(row.get::<String>("project")?);
            // A project that was deleted in between has no domains any more.
            if let Some((scope, _)) = self.project_by_id(&account, &project).await? {
                domains.push((scope, domain_of(&row)?));
            }
        }
        Ok(domains)
    }

    /// Ends the leases that a killed process has left, so that its jobs need not wait for their time, and
    /// keeps other processes from doing the same to ours. `None`: another process works on the jobs, and
    /// its leases stand.
    pub async fn take_over_jobs(&self) -> Result<Option<SoleWorker>> {
        let path = self.options().data.join("pipeline.lock");
        let lock = blocking(move || {
            let file = File::options().create(true).truncate(false).write(true).open(&path);
            let file = file.map_err(StoreError::io(&path))?;
            Ok(file.try_lock().is_ok().then_some(file))
        });
        let Some(lock) = lock.await? else { return Ok(None) };
        let tx = self.db().write("take_over_jobs").await?;
        for statement in END_LEASES {
            tx.run(statement, values![]).await?;
        }
        tx.commit().await?;
        Ok(Some(SoleWorker { _lock: lock }))
    }
}
