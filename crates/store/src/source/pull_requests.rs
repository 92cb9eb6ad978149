//! Pull requests: which commit is at their head, and which one a person allowed to be built.
//!
//! An approval names a commit. Whoever pushes to a fork after it was given needs another one.

use offprint_model::deployment::Commit;
use offprint_model::name::BranchName;

use crate::clock::Clock;
use crate::db::{Row, Rows, Tx, values};
use crate::error::{Entity, Result, StoreError};
use crate::feedback::note_feedback;
use crate::open::Store;
use crate::projects::{ProjectScope, stored_name};
use crate::source::{Delivery, note_new_delivery};

const COLUMNS_OF_ONE: &str = "SELECT number, title, branch, commit_hash, commit_message, fork, open, approved
    FROM pull_request WHERE project_seq = $1 AND number = $2";
const ALL: &str = "SELECT number, title, branch, commit_hash, commit_message, fork, open, approved
    FROM pull_request WHERE project_seq = $1 ORDER BY open DESC, number DESC LIMIT 200";
const NOTE: &str = "INSERT INTO pull_request
        (project_seq, number, title, branch, commit_hash, commit_message, fork, open)
    SELECT seq, $2, $3, $4, $5, $6, $7, $8 FROM project WHERE seq = $1
    ON CONFLICT (project_seq, number) DO UPDATE SET title = excluded.title, branch = excluded.branch,
        commit_hash = excluded.commit_hash, commit_message = excluded.commit_message,
        fork = CASE pull_request.fork WHEN 1 THEN 1 ELSE excluded.fork END, open = excluded.open";
const APPROVE: &str = "UPDATE pull_request SET approved = $3 WHERE project_seq = $1 AND number = $2";
/// The newest deployment of a branch of the repository itself.
const NEWEST_OF_BRANCH: &str = "SELECT seq FROM deployment
    WHERE project_seq = $1 AND branch = $2 AND built = 1 AND untrusted = 0 AND deleted IS NULL
    ORDER BY seq DESC LIMIT 1";

/// A pull request as its forge last described it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullRequest {
    /// Its number at the forge.
    pub number: u64,
    /// The branch that is to be merged, by its name in the repository that it is in.
    pub branch: BranchName,
    /// The commit at its head.
    pub commit: Commit,
    /// Whether it comes from another repository, so from a stranger.
    pub fork: bool,
    /// Whether it is neither merged nor closed.
    pub open: bool,
    /// Its title.
    pub title: String,
}

/// A pull request with what was decided about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullRequestRow {
    /// The pull request.
    pub pull_request: PullRequest,
    /// The hash of the commit that was last approved. It counts only while it is the head.
    pub approved: Option<String>,
}

impl Store {
    /// Notes what a forge says of a pull request. One that was ever a fork's stays one.
    ///
    /// # Errors
    /// `Replayed` when the delivery was heard before.
    pub async fn note_pull_request(
        &self,
        scope: &ProjectScope,
        pull_request: PullRequest,
        delivery: Option<Delivery>,
    ) -> Result<()> {
        let number = number(pull_request.number)?;
        let tx = self.db().write("note_pull_request").await?;
        if let Some(delivery) = &delivery {
            note_new_delivery(&tx, scope.seq, delivery).await?;
        }
        let known = tx.one(COLUMNS_OF_ONE, values![scope.seq, number]).await?;
        let was_open = known.map(|row| row.get::<bool>("open")).transpose()?.unwrap_or_default();
        let values = values![
            scope.seq,
            number,
            &pull_request.title,
            pull_request.branch.as_str(),
            &pull_request.commit.hash,
            &pull_request.commit.message,
            pull_request.fork,
            pull_request.open,
        ];
        tx.run(NOTE, values).await?;
        // It may have been opened after its branch was pushed: then the deployment is there, and no comment.
        if pull_request.open && !pull_request.fork && !was_open {
            let branch = pull_request.branch.as_str();
            if let Some(row) = tx.one(NEWEST_OF_BRANCH, values![scope.seq, branch]).await? {
                note_feedback(&tx, row.get("seq")?, Clock::now()).await?;
            }
        }
        tx.commit().await
    }

    /// The pull requests that are known, open ones first, then the highest numbers; 200 at the most.
    pub async fn pull_requests(&self, scope: &ProjectScope) -> Result<Vec<PullRequestRow>> {
        self.db().all(ALL, values![scope.seq]).await?.iter().map(row_of).collect()
    }

    /// Allows the commit at the head of a pull request to be built. Another commit needs another approval.
    ///
    /// # Errors
    /// `NotFound(PullRequest)`; `NotApprovable` when it is closed or its head is another commit.
    pub async fn approve_pull_request(
        &self,
        scope: &ProjectScope,
        number: u64,
        commit_hash: &str,
    ) -> Result<PullRequest> {
        let tx = self.db().write("approve_pull_request").await?;
        let found = find(&tx, scope.seq, number).await?;
        let PullRequestRow { pull_request, .. } = found.ok_or(StoreError::NotFound(Entity::PullRequest))?;
        if !pull_request.open {
            return Err(StoreError::NotApprovable("the pull request is closed"));
        }
        if commit_hash.is_empty() || pull_request.commit.hash != commit_hash {
            return Err(StoreError::NotApprovable("the commit is not the head of the pull request"));
        }
        tx.run(APPROVE, values![scope.seq, self::number(number)?, commit_hash]).await?;
        tx.commit().await?;
        Ok(pull_request)
    }
}

/// What is known of a commit of a pull request that is to be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Approval {
    /// It does not come from a fork.
    NotNeeded,
    /// A person has allowed this very commit.
    Given,
    /// Nobody has.
    Missing,
}

/// Whether a commit of a pull request may be built.
pub(crate) async fn approval(tx: &Tx, project_seq: i64, number: u64, commit_hash: &str) -> Result<Approval> {
    let found = find(tx, project_seq, number).await?;
    Ok(match found {
        None => Approval::Missing,
        Some(row) if !row.pull_request.fork => Approval::NotNeeded,
        Some(row) if row.approved.as_deref() == Some(commit_hash) => Approval::Given,
        Some(_) => Approval::Missing,
    })
}

async fn find(rows: &impl Rows, project_seq: i64, number: u64) -> Result<Option<PullRequestRow>> {
    let row = rows.one(COLUMNS_OF_ONE, values![project_seq, self::number(number)?]).await?;
    row.as_ref().map(row_of).transpose()
}

fn row_of(row: &Row) -> Result<PullRequestRow> {
    let pull_request = PullRequest {
        number: u64::try_from(row.get::<i64>("number")?).unwrap_or_default(),
        branch: BranchName::parse(&row.get::<String>("branch")?).map_err(stored_name)?,
        commit: Commit { hash: row.get("commit_hash")?, message: row.get("commit_message")?, dirty: false },
        fork: row.get("fork")?,
        open: row.get("open")?,
        title: row.get("title")?,
    };
    Ok(PullRequestRow { pull_request, approved: row.get("approved")? })
}

/// A number as it is stored. No forge has one that does not fit.
fn number(number: u64) -> Result<i64> {
    i64::try_from(number).map_err(|_| StoreError::NotFound(Entity::PullRequest))
}
