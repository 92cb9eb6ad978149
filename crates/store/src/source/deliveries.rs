//! Webhook calls that were heard before. The id of a call is not signed, its body is: so both must be new.

use std::time::Duration;

use crate::assets::ago;
use crate::clock::Clock;
use crate::db::{Tx, values};
use crate::error::{Result, StoreError};

/// A call that is heard again after this long is believed again.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

const FORGET_OLD: &str = "DELETE FROM delivery WHERE at < $1";
const ADD: &str = "INSERT INTO delivery (project_seq, id, digest, at)
    SELECT seq, $2, $3, $4 FROM project WHERE seq = $1 ON CONFLICT DO NOTHING";

/// One webhook call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The id that the forge gave it.
    pub id: String,
    /// The hash of what was signed.
    pub digest: [u8; 32],
}

/// Remembers a call for 30 days, within the transaction that does what it asks for. `Replayed` when one with this
/// id or of this digest was heard before.
pub(crate) async fn note_new_delivery(tx: &Tx, project_seq: i64, delivery: &Delivery) -> Result<()> {
    let now = Clock::now();
    tx.run(FORGET_OLD, values![ago(now, KEPT)]).await?;
    let digest = delivery.digest.to_vec();
    match tx.run(ADD, values![project_seq, &delivery.id, digest, now]).await? {
        0 => Err(StoreError::Replayed),
        _ => Ok(()),
    }
}
