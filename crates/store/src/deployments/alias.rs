//! Moving an alias, and what it led to before.
//!
//! Pages that were loaded before an alias moved may still ask for assets that only their own deployment has.
//! So the predecessors of what an alias leads to are remembered: by content, so that one that is deployed again
//! and again takes one place; for a time and up to a number, so that the list stays short. A deployment that is
//! deleted is forgotten, and an alias that is removed forgets.

use std::time::Duration;

use offprint_model::config::Environment;

use crate::assets::ago;
use crate::clock::Clock;
use crate::db::{Rows, Tx, values};
use crate::error::Result;

/// Predecessors that were retired so long ago are forgotten when their alias moves again.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);
/// An alias remembers so many.
const KEPT_MAX: i64 = 32;

const SET_CANONICAL: &str = "UPDATE project SET canonical = $2, canonical_order = $3
    WHERE seq = $1 AND canonical_order < $3";
const SET_BRANCH: &str = "INSERT INTO branch_alias (project_seq, label, deployment_seq, deploy_order)
    VALUES ($1, $2, $3, $4)
    ON CONFLICT (project_seq, label) DO UPDATE
    SET deployment_seq = excluded.deployment_seq, deploy_order = excluded.deploy_order
    WHERE branch_alias.deploy_order < excluded.deploy_order";
const CANONICAL: &str = "SELECT canonical AS seq FROM project WHERE seq = $1 AND canonical IS NOT NULL";
const OF_BRANCH: &str =
    "SELECT deployment_seq AS seq FROM branch_alias WHERE project_seq = $1 AND label = $2";
/// Those with the content of either deployment.
const FORGET_SAME: &str = "DELETE FROM predecessor WHERE project_seq = $1 AND label = $2
    AND deployment_seq IN (SELECT d.seq FROM predecessor q JOIN deployment d ON d.seq = q.deployment_seq
        WHERE q.project_seq = $1 AND q.label = $2
        AND d.site_id IN (SELECT site_id FROM deployment WHERE seq IN ($3, $4)))";
const REMEMBER: &str = "INSERT INTO predecessor (project_seq, label, deployment_seq, retired)
    SELECT $1, $2, old.seq, $5 FROM deployment old JOIN deployment new ON new.seq = $4
    WHERE old.seq = $3 AND old.site_id <> new.site_id";
const PRUNE: &str = "DELETE FROM predecessor WHERE project_seq = $1 AND label = $2
    AND (retired < $3 OR deployment_seq NOT IN (SELECT deployment_seq FROM predecessor
        WHERE project_seq = $1 AND label = $2 ORDER BY retired DESC, deployment_seq DESC LIMIT $4))";
const FORGET_BRANCHES_OF: &str = "DELETE FROM predecessor WHERE (project_seq, label) IN
    (SELECT project_seq, label FROM branch_alias WHERE deployment_seq = $1)";
const FORGET: &str = "DELETE FROM predecessor WHERE deployment_seq = $1";
const REMOVE_ALIASES: &str = "DELETE FROM branch_alias WHERE deployment_seq = $1";

/// An alias to be set to a deployment.
pub(crate) struct SetAlias {
    pub(crate) project_seq: i64,
    pub(crate) environment: Environment,
    pub(crate) label: String,
    pub(crate) deployment_seq: i64,
    /// The number of the wish behind it.
    pub(crate) order: i64,
}

/// Points the production host or the branch's host at a deployment, unless a later wish has pointed it
/// elsewhere, and remembers where it led before. Says whether it moved.
pub(crate) async fn move_alias(tx: &Tx, alias: SetAlias) -> Result<bool> {
    let SetAlias { project_seq, environment, label, deployment_seq, order } = alias;
    let (before, moved, label) = match environment {
        Environment::Production => {
            let before = tx.one(CANONICAL, values![project_seq]).await?;
            let moved = tx.run(SET_CANONICAL, values![project_seq, deployment_seq, order]).await?;
            (before, moved, String::new())
        }
        Environment::Preview => {
            let before = tx.one(OF_BRANCH, values![project_seq, &label]).await?;
            let moved = tx.run(SET_BRANCH, values![project_seq, &label, deployment_seq, order]).await?;
            (before, moved, label)
        }
    };
    let before: Option<i64> = before.map(|row| row.get("seq")).transpose()?;
    match before {
        Some(before) if moved > 0 => retire(tx, project_seq, &label, before, deployment_seq).await?,
        _ => {}
    }
    Ok(moved > 0)
}

/// Notes that an alias has left one deployment for another.
async fn retire(tx: &Tx, project_seq: i64, label: &str, old: i64, new: i64) -> Result<()> {
    let now = Clock::now();
    tx.run(FORGET_SAME, values![project_seq, label, old, new]).await?;
    tx.run(REMEMBER, values![project_seq, label, old, new, now]).await?;
    tx.run(PRUNE, values![project_seq, label, ago(now, KEPT), KEPT_MAX]).await.map(drop)
}

/// Removes the branch aliases of a deployment that is being deleted, with what they remember, and lets all
/// other aliases forget the deployment.
pub(super) async fn forget_deployment(tx: &Tx, deployment_seq: i64) -> Result<()> {
    tx.run(FORGET_BRANCHES_OF, values![deployment_seq]).await?;
    tx.run(FORGET, values![deployment_seq]).await?;
    tx.run(REMOVE_ALIASES, values![deployment_seq]).await.map(drop)
}
