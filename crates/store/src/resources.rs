//! The registry of resources: which KV namespaces, D1 databases and R2 buckets there are, and whose.
//!
//! What is in them is not here. Whoever keeps it makes room for a resource before the registry names it, and
//! clears the room after the registry has forgotten it: a crash leaves room that nobody names, never a name
//! without room.

use offprint_model::config::{Binding, BindingKind};
use offprint_model::id::ResourceId;
use offprint_model::resource::{ResourceKind, ResourceName};
use offprint_model::time::Timestamp;
use uuid::Uuid;

use crate::clock::Clock;
use crate::db::{Row, Rows, Tx, values};
use crate::error::{Entity, Result, StoreError};
use crate::events::{NewEvent, note_event};
use crate::open::Store;
use crate::page::{Listed, Page};
use crate::projects::{ProjectScope, stored_name};
use crate::tokens::AccountScope;

/// A resource; also the receipt that the caller may use it, since only look-ups with a receipt of its account or of
/// a project bound to it make one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    id: ResourceId,
    kind: ResourceKind,
    name: ResourceName,
    created: Timestamp,
    account_seq: i64,
}

impl Resource {
    /// Its id.
    pub const fn id(&self) -> &ResourceId {
        &self.id
    }

    /// What it is.
    pub const fn kind(&self) -> ResourceKind {
        self.kind
    }

    /// What it is called.
    pub const fn name(&self) -> &ResourceName {
        &self.name
    }

    /// When it was made.
    pub const fn created(&self) -> Timestamp {
        self.created
    }
}

/// How a list of resources is sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResourceOrder {
    /// By their names.
    #[default]
    Name,
    /// By the time they were made, newest first.
    Newest,
}

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT id, kind, name, created, account_seq FROM resource ", $rest)
    };
}

const BY_ID: &str = select!("WHERE account_seq = $1 AND kind = $2 AND id = $3");
const BY_NAME: &str = select!("WHERE account_seq = $1 AND kind = $2 AND name = $3");
const OF_LINK: &str = "SELECT r.id, r.kind, r.name, r.created, r.account_seq FROM resource r
    JOIN account a ON a.seq = r.account_seq WHERE a.id = $1 AND r.kind = $2 AND r.id = $3";
const ALL: &str = select!("WHERE account_seq = $1 AND kind = $2 ORDER BY name");
const LIST_BY_NAME: &str = select!("WHERE account_seq = $1 AND kind = $2 ORDER BY name LIMIT $3 OFFSET $4");
const LIST_NEWEST: &str =
    select!("WHERE account_seq = $1 AND kind = $2 ORDER BY seq DESC LIMIT $3 OFFSET $4");
const COUNT: &str = "SELECT count(*) AS total FROM resource WHERE account_seq = $1 AND kind = $2";
const ADD: &str = "INSERT INTO resource (id, account_seq, kind, name, created) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (account_seq, kind, name) DO NOTHING";
const RENAME: &str = "UPDATE resource SET name = $2 WHERE id = $1";
const REMOVE: &str = "DELETE FROM resource WHERE id = $1";
const IDS: &str = "SELECT id FROM resource WHERE kind = $1";

impl Store {
    /// An id for a resource that is about to be made.
    pub fn new_resource_id(&self, kind: ResourceKind) -> ResourceId {
        let uuid = Uuid::new_v4();
        ResourceId::new(match kind {
            ResourceKind::Kv | ResourceKind::R2 => uuid.simple().to_string(),
            ResourceKind::D1 => uuid.hyphenated().to_string(),
        })
    }

    /// Names a resource for which there is room already.
    ///
    /// # Errors
    /// `Exists` when the account has one of this kind and name.
    pub async fn add_resource(
        &self,
        scope: &AccountScope,
        kind: ResourceKind,
        id: ResourceId,
        name: ResourceName,
    ) -> Result<Resource> {
        let created = Clock::now();
        let tx = self.db().write("add_resource").await?;
        let values = values![id.as_str(), scope.seq, kind.as_str(), name.as_str(), created];
        if tx.run(ADD, values).await? == 0 {
            return Err(StoreError::Exists(entity(kind)));
        }
        tell(&tx, scope, (kind, "created"), &id, &name).await?;
        tx.commit().await?;
        Ok(Resource { id, kind, name, created, account_seq: scope.seq })
    }

    /// Looks a resource up by its id.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn resource(
        &self,
        scope: &AccountScope,
        kind: ResourceKind,
        id: &ResourceId,
    ) -> Result<Resource> {
        self.one_resource(BY_ID, scope.seq, kind, id.as_str()).await
    }

    /// Looks a resource up by its name.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn resource_by_name(
        &self,
        scope: &AccountScope,
        kind: ResourceKind,
        name: &str,
    ) -> Result<Resource> {
        self.one_resource(BY_NAME, scope.seq, kind, name).await
    }

    /// Looks up the resource of a link that the server has signed for somebody who might use it.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn resource_of_link(
        &self,
        account: &str,
        kind: ResourceKind,
        id: &ResourceId,
    ) -> Result<Resource> {
        let row = self.db().one(OF_LINK, values![account, kind.as_str(), id.as_str()]).await?;
        resource_of(&row.ok_or(StoreError::NotFound(entity(kind)))?, kind)
    }

    /// The resource to which a project is bound. It belongs to the project's account, whoever made it.
    ///
    /// # Errors
    /// `NotFound` when the account has no such resource, or when bindings of this kind lead to no resource.
    pub async fn bound_resource(
        &self,
        scope: &ProjectScope,
        kind: BindingKind,
        binding: &Binding,
    ) -> Result<Resource> {
        let kind = ResourceKind::of_binding(kind).ok_or(StoreError::NotFound(Entity::Binding))?;
        let field = |name| binding.get(name).map_or("", String::as_str);
        match kind {
            ResourceKind::Kv => {
                self.one_resource(BY_ID, scope.account_seq, kind, field("namespace_id")).await
            }
            ResourceKind::D1 => self.one_resource(BY_ID, scope.account_seq, kind, field("id")).await,
            ResourceKind::R2 => self.one_resource(BY_NAME, scope.account_seq, kind, field("name")).await,
        }
    }

    /// A page of an account's resources of a kind.
    pub async fn list_resources(
        &self,
        scope: &AccountScope,
        kind: ResourceKind,
        order: ResourceOrder,
        page: Page,
    ) -> Result<Listed<Resource>> {
        let (limit, offset) = page.limit_offset();
        let sql = match order {
            ResourceOrder::Name => LIST_BY_NAME,
            ResourceOrder::Newest => LIST_NEWEST,
        };
        let tx = self.db().read().await?;
        let rows = tx.all(sql, values![scope.seq, kind.as_str(), limit, offset]).await?;
        let total = tx.one(COUNT, values![scope.seq, kind.as_str()]).await?;
        let total = total.map(|row| row.get::<i64>("total")).transpose()?.unwrap_or_default();
        let items = rows.iter().map(|row| resource_of(row, kind)).collect::<Result<_>>()?;
        Ok(Listed { items, total: u64::try_from(total).unwrap_or_default() })
    }

    /// All of an account's resources of a kind, by name.
    pub async fn all_resources(&self, scope: &AccountScope, kind: ResourceKind) -> Result<Vec<Resource>> {
        let rows = self.db().all(ALL, values![scope.seq, kind.as_str()]).await?;
        rows.iter().map(|row| resource_of(row, kind)).collect()
    }

    /// Calls a resource something else.
    ///
    /// # Errors
    /// `NotFound`, or `Exists` when another is called so.
    pub async fn rename_resource(
        &self,
        scope: &AccountScope,
        resource: &Resource,
        name: ResourceName,
    ) -> Result<Resource> {
        let tx = self.db().write("rename_resource").await?;
        let values = values![resource.account_seq, resource.kind.as_str(), name.as_str()];
        if let Some(row) = tx.one(BY_NAME, values).await?
            && row.get::<String>("id")? != resource.id.as_str()
        {
            return Err(StoreError::Exists(entity(resource.kind)));
        }
        if tx.run(RENAME, values![resource.id.as_str(), name.as_str()]).await? == 0 {
            return Err(StoreError::NotFound(entity(resource.kind)));
        }
        tell(&tx, scope, (resource.kind, "renamed"), &resource.id, &name).await?;
        tx.commit().await?;
        Ok(Resource { name, ..resource.clone() })
    }

    /// Forgets a resource. Its name is free; its id is never used again.
    ///
    /// # Errors
    /// `NotFound`: somebody was faster.
    pub async fn remove_resource(&self, scope: &AccountScope, resource: &Resource) -> Result<()> {
        let tx = self.db().write("remove_resource").await?;
        if tx.run(REMOVE, values![resource.id.as_str()]).await? == 0 {
            return Err(StoreError::NotFound(entity(resource.kind)));
        }
        tell(&tx, scope, (resource.kind, "deleted"), &resource.id, &resource.name).await?;
        tx.commit().await
    }

    /// The ids of all resources of a kind, of all accounts: whoever keeps contents removes what has no name.
    pub async fn resource_ids(&self, kind: ResourceKind) -> Result<Vec<ResourceId>> {
        let rows = self.db().all(IDS, values![kind.as_str()]).await?;
        rows.iter().map(|row| Ok(ResourceId::new(row.get::<String>("id")?))).collect()
    }

    async fn one_resource(
        &self,
        sql: &'static str,
        account_seq: i64,
        kind: ResourceKind,
        key: &str,
    ) -> Result<Resource> {
        let row = self.db().one(sql, values![account_seq, kind.as_str(), key]).await?;
        resource_of(&row.ok_or(StoreError::NotFound(entity(kind)))?, kind)
    }
}

/// Writes down that something happened to a resource itself. What is in it is data, and leaves no events.
async fn tell(
    tx: &Tx,
    scope: &AccountScope,
    (kind, what): (ResourceKind, &str),
    id: &ResourceId,
    name: &ResourceName,
) -> Result<()> {
    let noun = match kind {
        ResourceKind::Kv => "kv_namespace",
        ResourceKind::D1 => "d1_database",
        ResourceKind::R2 => "r2_bucket",
    };
    let kind = format!("{noun}.{what}");
    let event = NewEvent::of_account(scope.seq, &kind, id.as_str()).with("name", name.as_str());
    note_event(tx, &scope.actor, event, Clock::now()).await.map(drop)
}

/// The word for what was looked for.
pub(crate) const fn entity(kind: ResourceKind) -> Entity {
    match kind {
        ResourceKind::Kv => Entity::KvNamespace,
        ResourceKind::D1 => Entity::D1Database,
        ResourceKind::R2 => Entity::R2Bucket,
    }
}

fn resource_of(row: &Row, kind: ResourceKind) -> Result<Resource> {
    Ok(Resource {
        id: ResourceId::new(row.get::<String>("id")?),
        kind,
        name: ResourceName::parse(kind, &row.get::<String>("name")?).map_err(stored_name)?,
        created: row.time("created")?,
        account_seq: row.get("account_seq")?,
    })
}
