//! Polling: what the branches of a repository pointed at when somebody last looked.

use std::collections::HashMap;

use offprint_model::name::BranchName;
use offprint_model::project::Project;
use offprint_model::time::Timestamp;

use super::{SourceCredentials, credentials_of};
use crate::clock::Clock;
use crate::db::{Rows, values};
use crate::error::Result;
use crate::open::Store;
use crate::projects::{ProjectScope, json, load_scoped, stored_name};
use crate::sql;

const KNOWN: &str = "SELECT heads_known FROM project WHERE seq = $1";
const HEADS: &str = "SELECT branch, commit_hash FROM source_head WHERE project_seq = $1";
const FORGET: &str = "DELETE FROM source_head WHERE project_seq = $1";
const NOTE_LOOK: &str = "UPDATE project SET polled = $2, heads_known = 1 WHERE seq = $1";
const NOTE_FAILURE: &str = "UPDATE project SET polled = $2 WHERE seq = $1";

/// A project whose repository is to be looked at.
#[derive(Clone)]
pub struct PolledProject {
    /// The receipt.
    pub scope: ProjectScope,
    /// The project, which has a source.
    pub project: Project,
    /// How the repository is reached.
    pub credentials: SourceCredentials,
}

impl Store {
    /// The projects, of all accounts, whose source is to be polled and was not looked at since the time given;
    /// those that have waited longest first.
    pub async fn polled_projects(&self, due_before: Timestamp) -> Result<Vec<PolledProject>> {
        let tx = self.db().read().await?;
        let mut due = Vec::new();
        for row in tx.all(sql::POLLED_PROJECTS.of(tx.engine()), values![due_before]).await? {
            let (scope, project) = load_scoped(&tx, self.keys(), row.get("seq")?).await?;
            let credentials = credentials_of(&tx, self.keys(), &scope).await?;
            due.push(PolledProject { scope, project, credentials });
        }
        Ok(due)
    }

    /// What the branches pointed at when they were last noted. `None`: they never were.
    pub async fn heads(&self, scope: &ProjectScope) -> Result<Option<HashMap<BranchName, String>>> {
        let tx = self.db().read().await?;
        let known = tx.one(KNOWN, values![scope.seq]).await?;
        if !known.map(|row| row.get::<bool>("heads_known")).transpose()?.unwrap_or_default() {
            return Ok(None);
        }
        let mut heads = HashMap::new();
        for row in tx.all(HEADS, values![scope.seq]).await? {
            let branch = BranchName::parse(&row.get::<String>("branch")?).map_err(stored_name)?;
            heads.insert(branch, row.get("commit_hash")?);
        }
        Ok(Some(heads))
    }

    /// Notes what the branches point at, all of them, and that somebody has looked.
    pub async fn note_heads(&self, scope: &ProjectScope, heads: &HashMap<BranchName, String>) -> Result<()> {
        let all: Vec<(&str, &str)> =
            heads.iter().map(|(branch, commit)| (branch.as_str(), commit.as_str())).collect();
        let tx = self.db().write("note_heads").await?;
        tx.run(FORGET, values![scope.seq]).await?;
        tx.run(sql::ADD_HEADS.of(tx.engine()), values![scope.seq, json(&all)?]).await?;
        tx.run(NOTE_LOOK, values![scope.seq, Clock::now()]).await?;
        tx.commit().await
    }

    /// Notes that somebody has looked in vain, so that the next look waits its time. What is known of the
    /// branches stays.
    pub async fn note_failed_poll(&self, scope: &ProjectScope) -> Result<()> {
        let tx = self.db().write("note_failed_poll").await?;
        tx.run(NOTE_FAILURE, values![scope.seq, Clock::now()]).await?;
        tx.commit().await
    }
}
