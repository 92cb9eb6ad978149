//! Apps whose time to be restored is over.

use offprint_model::time::Timestamp;

use super::Retention;
use crate::assets::ago;
use crate::clock::Clock;
use crate::db::{Rows, values};
use crate::error::Result;
use crate::open::Store;
use crate::projects::{load_scoped, remove_project};

const OVER: &str = "SELECT seq FROM project WHERE retention = $1 AND deleted <= $2 ORDER BY seq";
const STILL: &str = "SELECT seq FROM project WHERE seq = $1 AND deleted <= $2";
const FORGET_DOMAINS: &str = "DELETE FROM domain WHERE project_seq = $1";

impl Store {
    /// Deletes for good the apps that were deleted longer ago than their tier says; without a tier, an app waits for ever.
    /// Their handles are free then, and what only they held goes with a later collection. Says how many there were.
    pub async fn purge_deleted_apps(&self) -> Result<u64> {
        let now = Clock::now();
        let mut purged = 0;
        for (name, tier) in Retention::NAMED {
            let Some(time) = tier.time() else { continue };
            let before = ago(now, time);
            for row in self.db().all(OVER, values![name, before]).await? {
                purged += u64::from(self.purge_app(row.get("seq")?, before).await?);
            }
        }
        Ok(purged)
    }

    /// Whether it was still to be purged: somebody may have restored it meanwhile.
    async fn purge_app(&self, seq: i64, before: Timestamp) -> Result<bool> {
        let tx = self.db().write("purge_app").await?;
        if tx.one(STILL, values![seq, before]).await?.is_none() {
            return Ok(false);
        }
        let (scope, _) = load_scoped(&tx, self.keys(), seq).await?;
        tx.run(FORGET_DOMAINS, values![seq]).await?;
        remove_project(&tx, &scope).await?;
        tx.commit().await?;
        Ok(true)
    }
}
