//! Answers that are given again when the same call comes again with the same key.

use std::time::Duration;

use offprint_model::secret::Secret;

use crate::assets::ago;
use crate::clock::Clock;
use crate::db::{Rows, values};
use crate::error::{Result, StoreError};
use crate::lists::Reach;
use crate::open::Store;

/// An answer is kept for so long.
const KEPT: Duration = Duration::from_secs(24 * 3600);
/// A call that has not been answered for so long never will be: its server was killed.
const UNDER_WAY_MAX: Duration = Duration::from_secs(300);

/// What is known of a call with a key.
pub enum Repeated {
    /// It is the first: answer it, and tell [`Store::remember_answer`].
    First,
    /// It was answered so.
    Answered {
        /// The status.
        status: u16,
        /// The body.
        body: Secret<String>,
    },
}

const FIND: &str = "SELECT request, status, answer, created FROM idempotency
    WHERE account_seq = $1 AND token = $2 AND key = $3";
const ADD: &str =
    "INSERT INTO idempotency (account_seq, token, key, request, created) VALUES ($1, $2, $3, $4, $5)";
const FORGET: &str = "DELETE FROM idempotency WHERE account_seq = $1 AND token = $2 AND key = $3";
const FORGET_OLD: &str = "DELETE FROM idempotency WHERE created < $1";
const ANSWER: &str = "UPDATE idempotency SET status = $4, answer = $5
    WHERE account_seq = $1 AND token = $2 AND key = $3";

impl Store {
    /// Begins a call with a key; `request` is the hash of everything that makes it this call.
    ///
    /// # Errors
    /// `KeyReused` when the key came with another call; `KeyBusy` when the first has not been answered yet.
    pub async fn begin_repeatable(&self, reach: &Reach, key: &str, request: [u8; 32]) -> Result<Repeated> {
        let (account, token) = owner(reach)?;
        let tx = self.db().write("begin_repeatable").await?;
        let now = Clock::now();
        tx.run(FORGET_OLD, values![ago(now, KEPT)]).await?;
        if let Some(row) = tx.one(FIND, values![account, token, key]).await? {
            let status = row.get::<Option<i64>>("status")?;
            let lost = status.is_none() && row.time("created")? < ago(now, UNDER_WAY_MAX);
            if !lost {
                if row.get::<Vec<u8>>("request")? != request {
                    return Err(StoreError::KeyReused);
                }
                let answer = row.get::<Option<String>>("answer")?;
                let (Some(status), Some(answer)) = (status, answer) else { return Err(StoreError::KeyBusy) };
                let body = self.keys().unseal(token, key, &answer)?;
                return Ok(Repeated::Answered { status: u16::try_from(status).unwrap_or(500), body });
            }
            tx.run(FORGET, values![account, token, key]).await?;
        }
        tx.run(ADD, values![account, token, key, request.to_vec(), now]).await?;
        tx.commit().await?;
        Ok(Repeated::First)
    }

    /// Keeps the answer of the first call with a key; `None` forgets the call, as after a fault of ours.
    pub async fn remember_answer(
        &self,
        reach: &Reach,
        key: &str,
        answer: Option<(u16, Secret<String>)>,
    ) -> Result<()> {
        let (account, token) = owner(reach)?;
        let tx = self.db().write("remember_answer").await?;
        match answer {
            None => tx.run(FORGET, values![account, token, key]).await?,
            Some((status, body)) => {
                let sealed = self.keys().seal(token, key, &body)?;
                tx.run(ANSWER, values![account, token, key, i64::from(status), sealed]).await?
            }
        };
        tx.commit().await
    }
}

/// Keys are each caller's own.
fn owner(reach: &Reach) -> Result<(i64, &str)> {
    match (reach.accounts.first(), reach.actor.key.as_deref()) {
        (Some(account), Some(token)) => Ok((*account, token)),
        _ => Err(StoreError::Corrupt("a caller without an account or a token".into())),
    }
}
