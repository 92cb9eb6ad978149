//! Reading rows as records.

use offprint_model::config::{EnvVar, Environment};
use offprint_model::id::ProjectId;
use offprint_model::listing::{Entity, Field, Kind, Order, Record, Value};
use offprint_model::time::Timestamp;
use serde_json::{Map, json};

use super::columns::{Column, column};
use super::cursor::Key;
use super::query::Query;
use super::{Listing, SitePlace};
use crate::apps::{NODE_VERSION, shown_target};
use crate::db::{Row, Rows, values};
use crate::error::Result;
use crate::open::Store;
use crate::projects::settings_owner;
use crate::sql;
use crate::stored::{build_config_from_json, environment_from_json};

const SITE_OF_DEPLOY: &str = ", project_seq.name, site.id, site.environment";
const SITE_COLUMNS: usize = 3;
const SITES: &str = " LEFT JOIN deployment site ON site.seq = t0.deployment_seq";

const DEPLOY_STEPS: &str =
    "SELECT s.id, y.id AS whole, s.name, s.status, s.position, s.error, s.log, s.metadata, s.started,
        s.completed, s.created
    FROM deploy_step s JOIN deploy y ON y.seq = s.deploy_seq WHERE y.id = $1 ORDER BY s.position";
const APPS_OF_KEY: &str = "SELECT p.public_id FROM token t JOIN token_app a ON a.token_seq = t.seq
    JOIN project p ON p.seq = a.project_seq WHERE t.public_id = $1 ORDER BY p.seq";

/// Writes the columns: the entity's fields, and what else is needed.
pub(super) fn select(query: &mut Query, entity: Entity) {
    for (n, field) in entity.fields().iter().enumerate() {
        if n > 0 {
            query.push(", ");
        }
        match column(entity, field) {
            Column::Reference { key, id, .. } => drop(query.push(key).push(".").push(id)),
            column => column.write(query, "t0"),
        }
    }
    if entity == Entity::Deploy {
        query.push(SITE_OF_DEPLOY);
    }
}

/// How many columns [`select`] asks for.
pub(super) fn width(entity: Entity) -> usize {
    entity.fields().len() + if entity == Entity::Deploy { SITE_COLUMNS } else { 0 }
}

/// Writes what [`select`] takes columns of besides the entity's own table: each table that it refers to, under the name of
/// the column that does. Conditions look ids up instead, since an index on that column answers them; for a whole page
/// one look for two columns is less.
pub(super) fn join(query: &mut Query, entity: Entity) {
    let mut joined = Vec::new();
    for field in entity.fields() {
        let Column::Reference { key, table, .. } = column(entity, field) else { continue };
        if !joined.contains(&key) {
            joined.push(key);
            query.push(" LEFT JOIN ").push(table).push(" ").push(key);
            query.push(" ON ").push(key).push(".seq = t0.").push(key);
        }
    }
    if entity == Entity::Deploy {
        query.push(SITES);
    }
}

/// Reads what [`select`] asked for.
pub(super) fn record_of(entity: Entity, order: &Order, row: &Row) -> Result<Listing> {
    let fields = entity.fields();
    let mut values = Vec::with_capacity(fields.len());
    for (n, field) in fields.iter().enumerate() {
        values.push(value(row, n, field)?);
    }
    let of = |name| fields.iter().position(|field| field.name == name).and_then(|n| values[n].as_ref());
    let key = order.keys().iter().map(|key| Key::of(of(key.field.name))).collect();
    let rest = fields.len();
    let site = match entity {
        Entity::Deploy => Some(SitePlace {
            project: row.at(rest)?,
            deployment: row.at(rest + 1)?,
            production: row.at::<String>(rest + 2)? == Environment::Production.as_str(),
        }),
        _ => None,
    };
    Ok(Listing { record: Record::new(entity, values), key, site })
}

fn value(row: &Row, n: usize, field: &Field) -> Result<Option<Value>> {
    Ok(match field.kind {
        Kind::Id | Kind::Text | Kind::Word(_) => row.at::<Option<String>>(n)?.map(Value::Text),
        Kind::Number => row.at::<Option<i64>>(n)?.map(Value::Number),
        Kind::Time => row.at::<Option<i64>>(n)?.map(Timestamp::from_micros).map(Value::Time),
        Kind::Flag => row.at::<Option<bool>>(n)?.map(Value::Flag),
        Kind::Json => row.at::<Option<String>>(n)?.map(Value::Json),
    })
}

/// The steps of a build or deploy, in order.
pub(super) async fn steps(rows: &impl Rows, of: Entity, id: &str) -> Result<Vec<Record>> {
    let (entity, sql) = match of {
        Entity::Build => (Entity::BuildStep, sql::BUILD_STEPS.of(rows.engine())),
        _ => (Entity::DeployStep, DEPLOY_STEPS),
    };
    let mut steps = Vec::new();
    for row in rows.all(sql, values![id]).await? {
        let fields = entity.fields().iter().enumerate();
        let values = fields.map(|(n, field)| value(&row, n, field)).collect::<Result<_>>()?;
        steps.push(Record::new(entity, values));
    }
    Ok(steps)
}

impl Store {
    /// Turns what is stored into what is shown, where the two differ.
    pub(super) async fn finish_record(&self, record: &mut Record) -> Result<()> {
        match record.entity() {
            Entity::App => self.finish_app(record),
            Entity::ApiKey if record.get("appIds").is_some() => {
                let rows = self.db().all(APPS_OF_KEY, values![record.id()]).await?;
                let ids =
                    rows.iter().map(|row| row.get::<String>("public_id")).collect::<Result<Vec<_>>>()?;
                record.set("appIds", Some(Value::Json(json!(ids).to_string())));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The configuration of an app is how it is built, and the settings of its production that builds see; secrets are
    /// not shown.
    fn finish_app(&self, record: &mut Record) -> Result<()> {
        let project = ProjectId::new(record.text("pagesProjectId").unwrap_or_default());
        let owner = settings_owner(&project, Environment::Production);
        let stored = match record.get("config") {
            Some(Value::Json(text)) => text.as_str(),
            _ => "",
        };
        // As the column is made: neither has a line end in it.
        let (production, build) = stored.split_once('\n').unwrap_or((stored, ""));
        let settings = environment_from_json(production, self.keys(), &owner)?;
        let build = build_config_from_json(build)?;
        let mut env = Map::new();
        let mut node_version = None;
        for (name, value) in &settings.env_vars {
            match value {
                EnvVar::Plain(value) if name == NODE_VERSION => node_version = Some(value.clone()),
                EnvVar::Plain(value) => drop(env.insert(name.clone(), json!(value))),
                EnvVar::Secret(_) => {}
            }
        }
        let config = json!({
            "nodeVersion": node_version,
            "env": env,
            "buildCommand": build.build_command,
            "outputDirectory": build.destination_dir,
            "rootDirectory": build.root_dir,
        });
        record.set("config", Some(Value::Json(config.to_string())));
        let target = shown_target(record.get("target"))?;
        record.set("target", Some(Value::Json(target)));
        Ok(())
    }
}
