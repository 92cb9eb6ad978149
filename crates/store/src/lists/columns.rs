//! In which column each field is.

use offprint_model::listing::{Entity, Field};

use super::query::Query;
use crate::sql;

/// A column, or what is computed in its place.
#[derive(Clone, Copy)]
pub(super) enum Column {
    /// A column of the table.
    Plain(&'static str),
    /// The id of a row in another table, whose number is in a column here.
    Reference { key: &'static str, table: &'static str, id: &'static str },
    /// A text that is computed; the name of the row goes between the parts of the expression.
    Computed(&'static [&'static str]),
}

/// Where an entity is stored.
pub(super) struct Table {
    pub(super) name: &'static str,
    /// The column that names a row to other tables.
    pub(super) key: &'static str,
    /// Of the rows that the caller may see, those that are there at all: an expression as in [`Column::Computed`].
    pub(super) there: Option<&'static [&'static str]>,
}

/// Where an entity is stored.
pub(super) const fn table(entity: Entity) -> Table {
    match entity {
        Entity::Workspace => Table { name: "account", key: "seq", there: None },
        Entity::App => Table { name: "project", key: "seq", there: None },
        Entity::AppVersion => {
            Table { name: "app_version", key: "seq", there: Some(&["", ".deleted IS NULL"]) }
        }
        Entity::Build => Table { name: "build", key: "seq", there: None },
        Entity::BuildStep => Table { name: "build_step", key: "build_seq", there: None },
        Entity::Deploy => Table { name: "deploy", key: "seq", there: None },
        Entity::DeployStep => Table { name: "deploy_step", key: "deploy_seq", there: None },
        Entity::Event => Table { name: "event", key: "seq", there: None },
        Entity::ApiKey => Table { name: "token", key: "seq", there: None },
        Entity::WebhookSubscription => Table { name: "webhook", key: "seq", there: None },
    }
}

const WORKSPACE: Column = Column::Reference { key: "account_seq", table: "account", id: "public_id" };
const APP: Column = Column::Reference { key: "project_seq", table: "project", id: "public_id" };

/// The column of a field. Where nothing is said, the field has its column's name.
pub(super) fn column(entity: Entity, field: &Field) -> Column {
    use Column::{Computed, Plain, Reference};
    let name = field.name;
    match (entity, name) {
        (Entity::Workspace | Entity::App | Entity::ApiKey, "id") => Plain("public_id"),
        (_, "workspaceId") => WORKSPACE,
        (_, "entityId" | "appId") => APP,
        (_, "buildId") => Reference { key: "build_seq", table: "build", id: "id" },
        (_, "deployId") => Reference { key: "deploy_seq", table: "deploy", id: "id" },
        (_, "createdAt") => Plain("created"),
        (_, "updatedAt") => Plain("modified"),
        (_, "startedAt") => Plain("started"),
        (_, "completedAt") => Plain("completed"),
        (_, "createdBy") => Plain("created_by"),
        (_, "sequenceNumber") => Plain("number"),
        (_, "sourceEventId") => Plain("source_event"),
        (Entity::Build | Entity::Deploy, "trigger") => Plain("prompt"),
        (_, "order") => Plain("position"),
        (Entity::App, "name") => Computed(&["coalesce(", ".title, ", ".name)"]),
        (Entity::App, "handle") => Plain("name"),
        (Entity::App, "status") => {
            Computed(&["CASE WHEN ", ".canonical IS NULL THEN 'draft' ELSE 'live' END"])
        }
        (Entity::App, "publicAccess") => Plain("public_access"),
        (Entity::App, "pagesProjectId") => Plain("id"),
        (Entity::App, "defaultVersionId") => {
            Reference { key: "default_version", table: "app_version", id: "id" }
        }
        // Two columns of JSON, which has no line ends.
        (Entity::App, "config") => Computed(&["(", ".production || '\n' || ", ".build_config)"]),
        (Entity::App, "retentionTier") => Plain("retention"),
        (Entity::App, "deletedAt") => Plain("deleted"),
        (Entity::AppVersion, "parentId") => Reference { key: "parent_seq", table: "app_version", id: "id" },
        (Entity::Deploy, "productionUrl") => Plain("production_url"),
        (Entity::Deploy, "previewUrl") => Plain("preview_url"),
        (Entity::Event, "type") => Plain("kind"),
        (Entity::Event, "subjectId") => Plain("subject"),
        (Entity::Event, "userId") => Plain("actor"),
        (Entity::Event, "parentId") => Plain("parent"),
        (Entity::ApiKey, "appIds") => Computed(&["CASE WHEN ", ".limited = 1 THEN '[]' END"]),
        (Entity::ApiKey, "expiresAt") => Plain("expires"),
        (Entity::ApiKey, "lastUsedAt") => Plain("last_used"),
        _ => Plain(name),
    }
}

impl Column {
    /// Writes the expression for a row.
    pub(super) fn write(self, query: &mut Query, row: &'static str) {
        match self {
            Self::Plain(name) => {
                query.push(row).push(".").push(name);
            }
            Self::Reference { key, table, id } => {
                query.push("(SELECT r.").push(id).push(" FROM ").push(table).push(" r WHERE r.seq = ");
                query.push(row).push(".").push(key).push(")");
            }
            Self::Computed(parts) => {
                write_computed(query, parts, row);
                query.push(sql::BYTEWISE);
            }
        }
    }
}

/// Writes parts with the name of a row between them.
pub(super) fn write_computed(query: &mut Query, parts: &'static [&'static str], row: &'static str) {
    for (n, part) in parts.iter().enumerate() {
        if n > 0 {
            query.push(row);
        }
        query.push(*part);
    }
}
