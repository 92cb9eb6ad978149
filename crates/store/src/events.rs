//! The audit: who did what, through which door, in the transaction in which it was done.
//!
//! An event outlives what it tells of. Its kind is the noun, a dot, and what happened; its subject and the subject's
//! parent are ids of the Deploys API. Webhooks are told of events beside, see the module on them.

use offprint_model::listing::Entity;
use offprint_model::time::Timestamp;
use serde_json::{Map, Value, json};

use crate::db::{Tx, values};
use crate::error::Result;
use crate::public_id::new_id;

/// Who does something, and through which door.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Actor {
    /// The public id of the token; `None`: the system itself, or a forge.
    pub(crate) key: Option<String>,
    via: Via,
    address: Option<String>,
}

/// A door.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Via {
    /// None: it came to pass.
    #[default]
    System,
    /// The Pages v4 API.
    PagesApi,
    /// The Deploys API.
    DeploysApi,
}

impl Via {
    const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::PagesApi => "pages",
            Self::DeploysApi => "deploys",
        }
    }
}

impl Actor {
    pub(crate) const fn new(key: Option<String>, via: Via, address: Option<String>) -> Self {
        Self { key, via, address }
    }
}

/// Something that happened.
pub(crate) struct NewEvent<'a> {
    pub(crate) account_seq: i64,
    /// The app's id, where it is about an app.
    pub(crate) app: Option<&'a str>,
    pub(crate) kind: &'a str,
    pub(crate) subject: &'a str,
    pub(crate) parent: Option<&'a str>,
    /// What else is to be known.
    pub(crate) data: Map<String, Value>,
}

impl<'a> NewEvent<'a> {
    /// Something that happened to an app itself.
    pub(crate) fn of_app(account_seq: i64, app: &'a str, kind: &'a str) -> Self {
        Self { account_seq, app: Some(app), kind, subject: app, parent: None, data: Map::new() }
    }

    /// With something more to be known.
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.data.insert(name.to_owned(), value.into());
        self
    }
}

const ADD: &str = "INSERT INTO event (id, account_seq, app, kind, subject, actor, parent, data, created, undelivered)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9,
        CASE WHEN $10 = 1 AND EXISTS (SELECT 1 FROM webhook w WHERE w.account_seq = $2 AND w.enabled = $10) THEN 1 ELSE 0 END)";

/// Writes an event down and returns its id.
pub(crate) async fn note_event(
    tx: &Tx,
    actor: &Actor,
    event: NewEvent<'_>,
    now: Timestamp,
) -> Result<String> {
    let id = new_id(Entity::Event, now);
    let mut data = event.data;
    data.insert("via".into(), json!(actor.via.as_str()));
    if let Some(address) = &actor.address {
        data.insert("address".into(), json!(address));
    }
    let values = values![
        &id,
        event.account_seq,
        event.app,
        event.kind,
        event.subject,
        actor.key.clone(),
        event.parent,
        Value::Object(data).to_string(),
        now,
        // Who tells a subscriber that he was told, tells him for ever.
        !event.kind.starts_with("webhook.")
    ];
    tx.run(ADD, values).await?;
    Ok(id)
}
