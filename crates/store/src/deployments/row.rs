//! Reading deployments from their rows.

use std::collections::HashMap;

use offprint_model::asset::BlobHash;
use offprint_model::config::Environment;
use offprint_model::deployment::{Alias, Commit, Deployment, SkipReason, Trigger};
use offprint_model::id::{DeploymentId, ProjectId};
use offprint_model::name::{AliasLabel, BranchName, Hostname, ProjectName};

use crate::assets::hash_of;
use crate::crypt::{Keys, unhex};
use crate::db::{Row, Rows, values};
use crate::error::{Entity, Result, StoreError};
use crate::projects::{json, settings_owner, stored_name};
use crate::site::ShortId;
use crate::sql::{self, Sql};
use crate::stored::{build_config_from_json, environment_from_json, source_from_json, stages_from_json};

macro_rules! select_deployment {
    ($rest:expr) => {
        concat!(
            "SELECT d.seq, d.id, p.id AS project_id, p.name AS project_name, d.production_branch,
                d.environment, d.branch, d.commit_hash, d.commit_message, d.commit_dirty, d.cause, d.created,
                d.modified, d.stages, d.skipped, d.build_config, d.config, d.source, d.uses_functions
            FROM deployment d JOIN project p ON p.seq = d.project_seq
            WHERE d.deleted IS NULL AND ",
            $rest
        )
    };
}

pub(super) const BY_ID: &str = select_deployment!("d.project_seq = $1 AND d.id = $2");
pub(super) const BY_IDS: Sql = Sql::new(
    select_deployment!(sql::sqlite::in_json!("d.id")),
    select_deployment!(sql::postgres::in_json!("d.id")),
);
const BY_SEQ: &str = select_deployment!("d.seq = $1");
const BY_HOST: &str = select_deployment!("d.project_seq = $1 AND d.short = $2");
pub(super) const LIST: &str = select_deployment!("d.project_seq = $1 ORDER BY d.seq DESC LIMIT $2 OFFSET $3");
pub(super) const LIST_ENVIRONMENT: &str =
    select_deployment!("d.project_seq = $1 AND d.environment = $4 ORDER BY d.seq DESC LIMIT $2 OFFSET $3");

/// One deployment by its number.
pub(crate) async fn by_seq(rows: &impl Rows, keys: &Keys, seq: i64) -> Result<Deployment> {
    let found = rows.all(BY_SEQ, values![seq]).await?;
    load_all(rows, keys, &found).await?.pop().ok_or(StoreError::NotFound(Entity::Deployment))
}

/// One deployment of a project by the label of its own host.
pub(crate) async fn by_host(
    rows: &impl Rows,
    keys: &Keys,
    project: i64,
    short: ShortId,
) -> Result<Deployment> {
    let found = rows.all(BY_HOST, values![project, i64::from(short.0)]).await?;
    load_all(rows, keys, &found).await?.pop().ok_or(StoreError::NotFound(Entity::Deployment))
}

/// The deployments in these rows, with the aliases that lead to them.
pub(super) async fn load_all(rows: &impl Rows, keys: &Keys, found: &[Row]) -> Result<Vec<Deployment>> {
    let mut seqs = Vec::with_capacity(found.len());
    for row in found {
        seqs.push(row.get::<i64>("seq")?);
    }
    let mut aliases = aliases(rows, &seqs).await?;
    let mut deployments = Vec::with_capacity(found.len());
    for (row, seq) in found.iter().zip(&seqs) {
        let mut deployment = deployment_of(row, keys)?;
        deployment.aliases = aliases.remove(seq).unwrap_or_default();
        deployments.push(deployment);
    }
    Ok(deployments)
}

async fn aliases(rows: &impl Rows, seqs: &[i64]) -> Result<HashMap<i64, Vec<Alias>>> {
    let mut aliases: HashMap<i64, Vec<Alias>> = HashMap::new();
    if seqs.is_empty() {
        return Ok(aliases);
    }
    let seqs = json(&seqs)?;
    for row in rows.all(sql::PRODUCTION_ALIASES_OF.of(rows.engine()), values![&seqs]).await? {
        let of = aliases.entry(row.get("canonical")?).or_default();
        if of.is_empty() {
            of.push(Alias::Production);
        }
        if let Some(name) = row.get::<Option<String>>("name")? {
            of.push(Alias::Domain(Hostname::parse(&name).map_err(stored_name)?));
        }
    }
    for row in rows.all(sql::BRANCH_ALIASES_OF.of(rows.engine()), values![&seqs]).await? {
        let label = AliasLabel::stored(&row.get::<String>("label")?);
        aliases.entry(row.get("deployment_seq")?).or_default().push(Alias::Branch(label));
    }
    Ok(aliases)
}

fn deployment_of(row: &Row, keys: &Keys) -> Result<Deployment> {
    let project_id = ProjectId::new(row.get::<String>("project_id")?);
    let environment = environment_named(&row.get::<String>("environment")?)?;
    let owner = settings_owner(&project_id, environment);
    let branch = |column| BranchName::parse(&row.get::<String>(column)?).map_err(stored_name);
    Ok(Deployment {
        id: DeploymentId::new(row.get::<String>("id")?),
        project_name: ProjectName::parse(&row.get::<String>("project_name")?).map_err(stored_name)?,
        production_branch: branch("production_branch")?,
        environment,
        branch: branch("branch")?,
        commit: Commit {
            hash: row.get("commit_hash")?,
            message: row.get("commit_message")?,
            dirty: row.get("commit_dirty")?,
        },
        trigger: trigger_named(&row.get::<String>("cause")?)?,
        created: row.time("created")?,
        modified: row.time("modified")?,
        stages: stages_from_json(&row.get::<String>("stages")?)?,
        skipped: row.get::<Option<String>>("skipped")?.as_deref().map(skip_reason_named).transpose()?,
        build_config: build_config_from_json(&row.get::<String>("build_config")?)?,
        config: environment_from_json(&row.get::<String>("config")?, keys, &owner)?,
        source: row.get::<Option<String>>("source")?.as_deref().map(source_from_json).transpose()?,
        uses_functions: row.get("uses_functions")?,
        aliases: Vec::new(),
        project_id,
    })
}

/// The environment of this stored name.
pub(crate) fn environment_named(name: &str) -> Result<Environment> {
    let known =
        [Environment::Production, Environment::Preview].into_iter().find(|known| known.as_str() == name);
    known.ok_or_else(|| unknown("environment", name))
}

fn trigger_named(name: &str) -> Result<Trigger> {
    let known = Trigger::ALL.into_iter().find(|known| known.as_str() == name);
    known.ok_or_else(|| unknown("trigger", name))
}

fn skip_reason_named(name: &str) -> Result<SkipReason> {
    let known = SkipReason::ALL.into_iter().find(|known| known.as_str() == name);
    known.ok_or_else(|| unknown("reason to skip", name))
}

fn unknown(what: &str, name: &str) -> StoreError {
    StoreError::Corrupt(format!("unknown {what} {name}"))
}

const SITE: &str = "SELECT id, hash, pins, sealed FROM site WHERE id = $1";
const COUNT_PINNED: &str =
    "SELECT count(*) AS total FROM pin JOIN blob b ON b.id = pin.blob_id WHERE pin.site_id = $1";

/// What the metadata says of a site that is to be sealed.
pub(crate) struct SealRows {
    /// The hash of the document.
    pub(crate) document: BlobHash,
    /// Blobs whose presence in the blob store is still to be seen, with their lengths.
    pub(crate) unseen: Vec<(BlobHash, u64)>,
}

/// Checks that every pin of a site is there. A site that was sealed before needs no second look at its files:
/// its pins have kept them, and only a damaged disk could have taken them.
pub(crate) async fn seal_rows(rows: &impl Rows, site_id: i64) -> Result<SealRows> {
    let row = rows.one(SITE, values![site_id]).await?;
    let row = row.ok_or_else(|| StoreError::Corrupt("the site of a deployment has no row".into()))?;
    let document = hash_of(row.get("hash")?)?;
    let pins: i64 = row.get("pins")?;
    let mut unseen = Vec::new();
    let count = if row.time_opt("sealed")?.is_some() {
        let counted = rows.one(COUNT_PINNED, values![site_id]).await?;
        counted.map(|row| row.get("total")).transpose()?.unwrap_or_default()
    } else {
        let row = rows.one(sql::PINNED.of(rows.engine()), values![site_id]).await?;
        let pinned = row.map(|row| row.get::<String>("pinned")).transpose()?.unwrap_or_default();
        let pinned: Vec<(&str, u64)> =
            serde_json::from_str(&pinned).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        for (hash, size) in pinned {
            unseen.push((hash_of(unhex(hash).unwrap_or_default())?, size));
        }
        i64::try_from(unseen.len()).unwrap_or(i64::MAX)
    };
    if count != pins {
        return Err(StoreError::Corrupt(format!("a site has {count} pins and not {pins}")));
    }
    Ok(SealRows { document, unseen })
}
