//! Webhooks: who is told of events, and the calls that are still to be made.
//!
//! An event that somebody may want to hear is marked in the transaction that writes it. A worker makes calls of such events, and
//! makes the calls: a call that fails is made again later and later, and given up in the end. What became of a call is an
//! event itself, of which nobody is told.

use std::time::Duration;

use offprint_model::config::Patch;
use offprint_model::listing::{Entity as Listed, Record};
use offprint_model::secret::Secret;
use offprint_model::time::Timestamp;
use serde_json::json;

use crate::api_keys::tell;
use crate::apps::workspace_scope;
use crate::clock::Clock;
use crate::db::{IntoValue, Rows, Tx, values};
use crate::deployments::returned;
use crate::error::{Entity, Result, StoreError};
use crate::events::{Actor, NewEvent, note_event};
use crate::jobs::after;
use crate::lists::{Listing, Reach};
use crate::open::Store;
use crate::projects::json as json_text;
use crate::public_id::new_id;

/// How often a call is made.
const ATTEMPTS_MAX: i64 = 8;
/// The wait after the first failure; it doubles.
const WAIT_FIRST: Duration = Duration::from_secs(1);
/// Subscriptions that may be called at one moment: as many as the statement has places for.
pub const WEBHOOKS_CALLED_MAX: usize = 8;
/// Events that are looked at together.
const EVENTS_A_BATCH: i64 = 100;
const SECRET: &str = "webhook secret";

/// A subscription to be made, or what is to change of one.
#[derive(Clone, Default)]
pub struct WebhookPatch {
    /// Its name, for people.
    pub name: Option<String>,
    /// Who is called.
    pub url: Option<String>,
    /// What signs the calls.
    pub secret: Patch<Secret<String>>,
    /// The types of events, with `*`; without, all.
    pub filter: Patch<Vec<String>>,
    /// Whether it is called.
    pub enabled: Option<bool>,
}

/// A subscription, for whoever calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubscriptionSeq(i64);

/// A call to be made.
#[derive(Clone)]
pub struct WebhookCall {
    call: i64,
    attempt: i64,
    /// Whose call it is.
    pub subscription: SubscriptionSeq,
    /// Who is called.
    pub url: String,
    /// What signs the call.
    pub secret: Option<Secret<String>>,
    /// The event.
    pub event: Record,
}

const ADD: &str = "INSERT INTO webhook (id, account_seq, name, url, secret, filter, enabled, created)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING seq";
const FIND: &str = "SELECT seq, account_seq FROM webhook WHERE id = $1";
const CHANGE: &str = "UPDATE webhook SET name = coalesce($2, name), url = coalesce($3, url),
        secret = CASE WHEN $4 = 1 THEN $5 ELSE secret END, filter = CASE WHEN $6 = 1 THEN $7 ELSE filter END,
        enabled = coalesce($8, enabled) WHERE seq = $1";
const FORGET_CALLS: &str = "DELETE FROM webhook_call WHERE webhook_seq = $1";
const DELETE: &str = "DELETE FROM webhook WHERE seq = $1";
const UNDELIVERED: &str =
    "SELECT seq, account_seq, kind FROM event WHERE undelivered = 1 ORDER BY seq LIMIT $1";
const DELIVERED: &str = "UPDATE event SET undelivered = 0 WHERE seq = $1";
const LISTENERS: &str =
    "SELECT seq, filter FROM webhook WHERE account_seq = $1 AND enabled = $2 ORDER BY seq";
const ADD_CALL: &str = "INSERT INTO webhook_call (webhook_seq, event_seq, due) VALUES ($1, $2, $3)";
const DUE: &str = "SELECT seq FROM webhook_call
    WHERE due <= $1 AND webhook_seq NOT IN ($2, $3, $4, $5, $6, $7, $8, $9) ORDER BY due, seq LIMIT 1";
const CLAIM: &str =
    "UPDATE webhook_call SET due = $2, attempt = attempt + 1 WHERE seq = $1 RETURNING attempt";
const CALL: &str = "SELECT w.id, w.seq, w.url, w.secret, w.account_seq, e.id AS event
    FROM webhook_call c JOIN webhook w ON w.seq = c.webhook_seq JOIN event e ON e.seq = c.event_seq WHERE c.seq = $1";
const END: &str = "DELETE FROM webhook_call WHERE seq = $1 AND attempt = $2";
const LATER: &str = "UPDATE webhook_call SET due = $3 WHERE seq = $1 AND attempt = $2";
const ABOUT: &str =
    "SELECT w.id, w.account_seq, e.id AS event FROM webhook_call c JOIN webhook w ON w.seq = c.webhook_seq
    JOIN event e ON e.seq = c.event_seq WHERE c.seq = $1 AND c.attempt = $2";
const EVENT: &str = "SELECT seq FROM event WHERE id = $1";

impl Store {
    /// Makes a subscription.
    ///
    /// # Errors
    /// `NotFound(Workspace)`.
    pub async fn create_webhook(
        &self,
        reach: &Reach,
        workspace: Option<&str>,
        new: WebhookPatch,
    ) -> Result<Listing> {
        let tx = self.db().write("create_webhook").await?;
        let account = workspace_scope(&tx, reach, workspace).await?;
        let now = Clock::now();
        let id = new_id(Listed::WebhookSubscription, now);
        let secret = self.seal_secret(&id, new.secret.into_set().as_ref())?;
        let filter = new.filter.into_set().map(|filter| json_text(&filter)).transpose()?;
        let enabled = new.enabled.unwrap_or(true);
        let (name, url) = (new.name.unwrap_or_default(), new.url.unwrap_or_default());
        let values = values![&id, account.seq, name, url, secret, filter, enabled, now];
        returned(&tx.returning(ADD, values).await?)?;
        tell(&tx, reach, account.seq, "webhook.created", &id).await?;
        let made = self.found(&tx, reach, Listed::WebhookSubscription, &id).await?;
        tx.commit().await?;
        Ok(made)
    }

    /// Changes a subscription.
    ///
    /// # Errors
    /// `NotFound(WebhookSubscription)`.
    pub async fn update_webhook(&self, reach: &Reach, id: &str, patch: WebhookPatch) -> Result<Listing> {
        let tx = self.db().write("update_webhook").await?;
        let (seq, account) = self.webhook_seq(&tx, reach, id).await?;
        let (changes_secret, changes_filter) = (patch.secret.is_change(), patch.filter.is_change());
        let secret = self.seal_secret(id, patch.secret.into_set().as_ref())?;
        let filter = patch.filter.into_set().map(|filter| json_text(&filter)).transpose()?;
        let values = values![
            seq,
            patch.name,
            patch.url,
            changes_secret,
            secret,
            changes_filter,
            filter,
            patch.enabled
        ];
        tx.run(CHANGE, values).await?;
        tell(&tx, reach, account, "webhook.updated", id).await?;
        let changed = self.found(&tx, reach, Listed::WebhookSubscription, id).await?;
        tx.commit().await?;
        Ok(changed)
    }

    /// Removes a subscription with the calls that are still to be made.
    ///
    /// # Errors
    /// `NotFound(WebhookSubscription)`.
    pub async fn delete_webhook(&self, reach: &Reach, id: &str) -> Result<()> {
        let tx = self.db().write("delete_webhook").await?;
        let (seq, account) = self.webhook_seq(&tx, reach, id).await?;
        tx.run(FORGET_CALLS, values![seq]).await?;
        tx.run(DELETE, values![seq]).await?;
        tell(&tx, reach, account, "webhook.deleted", id).await?;
        tx.commit().await
    }

    /// Has a subscription called with an event that is made for it.
    ///
    /// # Errors
    /// `NotFound(WebhookSubscription)`.
    pub async fn test_webhook(&self, reach: &Reach, id: &str) -> Result<()> {
        let tx = self.db().write("test_webhook").await?;
        let (seq, account) = self.webhook_seq(&tx, reach, id).await?;
        let event = tell(&tx, reach, account, "webhook.test", id).await?;
        let row = tx.one(EVENT, values![event]).await?;
        let event: i64 =
            row.ok_or_else(|| StoreError::Corrupt("a new event has no row".into()))?.get("seq")?;
        tx.run(ADD_CALL, values![seq, event, Clock::now()]).await?;
        tx.commit().await
    }

    /// Makes calls of events that somebody wants to hear. Says whether there may be more.
    pub async fn call_webhooks_of_events(&self) -> Result<bool> {
        if self.db().one(UNDELIVERED, values![1_i64]).await?.is_none() {
            return Ok(false);
        }
        let tx = self.db().write("call_webhooks_of_events").await?;
        let events = tx.all(UNDELIVERED, values![EVENTS_A_BATCH]).await?;
        for event in &events {
            let (seq, kind): (i64, String) = (event.get("seq")?, event.get("kind")?);
            for listener in tx.all(LISTENERS, values![event.get::<i64>("account_seq")?, true]).await? {
                if wants(listener.get("filter")?, &kind)? {
                    tx.run(ADD_CALL, values![listener.get::<i64>("seq")?, seq, Clock::now()]).await?;
                }
            }
            tx.run(DELIVERED, values![seq]).await?;
        }
        tx.commit().await?;
        Ok(!events.is_empty())
    }

    /// The call that has been due longest, of a subscription that is not being called; it is due again after
    /// `patience`, unless it is ended before. `None` also while [`WEBHOOKS_CALLED_MAX`] are.
    pub async fn claim_webhook_call(
        &self,
        patience: Duration,
        called: &[SubscriptionSeq],
    ) -> Result<Option<WebhookCall>> {
        if called.len() >= WEBHOOKS_CALLED_MAX
            || self.db().one(DUE, due_values(Clock::now(), called)).await?.is_none()
        {
            return Ok(None);
        }
        let tx = self.db().write("claim_webhook_call").await?;
        let now = Clock::now();
        let Some(row) = tx.one(DUE, due_values(now, called)).await? else { return Ok(None) };
        let call: i64 = row.get("seq")?;
        let claimed = tx.returning(CLAIM, values![call, after(now, patience)]).await?;
        let attempt = claimed.first().ok_or(StoreError::LeaseLost)?.get("attempt")?;
        let row = tx.one(CALL, values![call]).await?.ok_or(StoreError::LeaseLost)?;
        let (id, reach): (String, _) = (row.get("id")?, Reach::of_account(row.get("account_seq")?));
        let sealed = row.get::<Option<String>>("secret")?;
        let found = WebhookCall {
            call,
            attempt,
            subscription: SubscriptionSeq(row.get("seq")?),
            url: row.get("url")?,
            secret: sealed.map(|sealed| self.keys().unseal(&id, SECRET, &sealed)).transpose()?,
            event: self.found(&tx, &reach, Listed::Event, &row.get::<String>("event")?).await?.record,
        };
        tx.commit().await?;
        Ok(Some(found))
    }

    /// Notes what became of a call: `Err` says why it failed. One that failed is made again later, or given up.
    ///
    /// # Errors
    /// The store failed. A call that was removed meanwhile is passed over.
    pub async fn end_webhook_call(&self, call: &WebhookCall, outcome: Result<u16, String>) -> Result<()> {
        let tx = self.db().write("end_webhook_call").await?;
        let Some(row) = tx.one(ABOUT, values![call.call, call.attempt]).await? else { return Ok(()) };
        let now = Clock::now();
        let (kind, data) = match outcome {
            Ok(status) => ("webhook.delivery_completed", json!({ "status": status })),
            Err(why) if call.attempt >= ATTEMPTS_MAX => {
                ("webhook.delivery_exhausted", json!({ "error": why }))
            }
            Err(why) => ("webhook.delivery_failed", json!({ "error": why })),
        };
        if kind == "webhook.delivery_failed" {
            let doubled = u32::try_from(call.attempt - 1).unwrap_or_default().min(16);
            let due = after(now, WAIT_FIRST.saturating_mul(1 << doubled));
            tx.run(LATER, values![call.call, call.attempt, due]).await?;
        } else {
            tx.run(END, values![call.call, call.attempt]).await?;
        }
        let (id, event): (String, String) = (row.get("id")?, row.get("event")?);
        let mut event = NewEvent {
            account_seq: row.get("account_seq")?,
            app: None,
            kind,
            subject: &id,
            parent: Some(&event),
            data: data.as_object().cloned().unwrap_or_default(),
        };
        event.data.insert("attempt".into(), json!(call.attempt));
        note_event(&tx, &Actor::default(), event, now).await?;
        tx.commit().await
    }

    async fn webhook_seq(&self, tx: &Tx, reach: &Reach, id: &str) -> Result<(i64, i64)> {
        self.found(tx, reach, Listed::WebhookSubscription, id).await?;
        let row = tx.one(FIND, values![id]).await?;
        let row = row.ok_or(StoreError::NotFound(Entity::Listed(Listed::WebhookSubscription)))?;
        Ok((row.get("seq")?, row.get("account_seq")?))
    }

    fn seal_secret(&self, owner: &str, secret: Option<&Secret<String>>) -> Result<Option<String>> {
        secret.map(|secret| self.keys().seal(owner, SECRET, secret)).transpose()
    }
}

/// No subscription has the number nought.
fn due_values(now: Timestamp, called: &[SubscriptionSeq]) -> Vec<sea_orm::Value> {
    let mut values = values![now];
    let called = called.iter().map(|subscription| subscription.0).chain(std::iter::repeat(0));
    values.extend(called.take(WEBHOOKS_CALLED_MAX).map(IntoValue::into_value));
    values
}

/// Whether a subscription wants to hear of a type of events.
fn wants(filter: Option<String>, kind: &str) -> Result<bool> {
    let Some(filter) = filter else { return Ok(true) };
    let patterns: Vec<String> =
        serde_json::from_str(&filter).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    Ok(patterns.iter().any(|pattern| matches(pattern, kind)))
}

/// `*` is any text.
fn matches(pattern: &str, kind: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == kind };
    let Some(mut left) = kind.strip_prefix(first) else { return false };
    let mut parts = rest.split('*').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return left.ends_with(part);
        }
        let Some(at) = left.find(part) else { return false };
        left = &left[at + part.len()..];
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_types_of_events() {
        for (pattern, kind, expected) in [
            ("*", "deploy.completed", true),
            ("deploy.*", "deploy.completed", true),
            ("*.completed", "deploy.completed", true),
            ("d*.c*d", "deploy.completed", true),
            ("deploy.completed", "deploy.completed", true),
            ("deploy", "deploy.completed", false),
            ("build.*", "deploy.completed", false),
            ("*.failed", "deploy.completed", false),
            ("deploy.completed*d", "deploy.completed", false),
        ] {
            assert_eq!(matches(pattern, kind), expected, "{pattern}");
        }
    }
}
