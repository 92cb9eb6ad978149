//! Projects.

use std::collections::HashMap;

use offprint_model::config::{BuildConfig, Environment, EnvironmentConfig, EnvironmentPatch};
use offprint_model::id::{AccountId, DeploymentId, ProjectId};
use offprint_model::listing;
use offprint_model::name::{BranchName, Hostname, InvalidName, ProjectName};
use offprint_model::project::{Project, ProjectPatch, Source};
use uuid::Uuid;

use crate::clock::Clock;
use crate::crypt::Keys;
use crate::db::{Row, Rows, Tx, values};
use crate::error::{Entity, Result, StoreError};
use crate::events::{Actor, NewEvent, Via, note_event};
use crate::open::Store;
use crate::page::{Listed, Page};
use crate::public_id::new_id;
use crate::routing::routes_changed;
use crate::source::{add_webhook_secret, forget_source};
use crate::sql;
use crate::stored::{
    build_config_from_json, build_config_to_json, environment_from_json, environment_to_json,
    source_from_json, source_to_json,
};
use crate::tokens::AccountScope;

/// Script numbers are sequence numbers above this, so that they look like a number and not like a count.
const SCRIPT_NUMBER_BASE: u64 = 1_000_000;

/// Receipt: the caller may act on this project. Made by the store's look-ups only.
#[derive(Clone, Debug)]
pub struct ProjectScope {
    account: AccountId,
    id: ProjectId,
    name: ProjectName,
    pub(crate) account_seq: i64,
    pub(crate) seq: i64,
    /// The id of the app in the Deploys API.
    pub(crate) app: String,
    pub(crate) actor: Actor,
}

impl ProjectScope {
    /// The account.
    pub const fn account(&self) -> &AccountId {
        &self.account
    }

    /// The receipt for the project's account: who may deploy may store assets to be deployed.
    pub fn account_scope(&self) -> AccountScope {
        AccountScope { account: self.account.clone(), seq: self.account_seq, actor: self.actor.clone() }
    }

    /// The project's id.
    pub const fn project_id(&self) -> &ProjectId {
        &self.id
    }

    /// The project's name.
    pub const fn project_name(&self) -> &ProjectName {
        &self.name
    }

    /// The id of the app in the Deploys API.
    pub fn app_id(&self) -> &str {
        &self.app
    }

    /// The same for a call without a token, such as that of a forge: what it does is noted with where it came from.
    #[must_use]
    pub fn called_from(self, address: Option<String>) -> Self {
        Self { actor: Actor::new(None, Via::PagesApi, address), ..self }
    }

    /// Writes down that something happened to the app.
    pub(crate) async fn tell(&self, tx: &Tx, kind: &str) -> Result<()> {
        self.tell_of::<&str>(tx, kind, &[]).await
    }

    /// Writes down that something happened to the app, and what else is to be known of it.
    pub(crate) async fn tell_of<V: AsRef<str>>(&self, tx: &Tx, kind: &str, data: &[(&str, V)]) -> Result<()> {
        let event = NewEvent::of_app(self.account_seq, &self.app, kind);
        let event = data.iter().fold(event, |event, (name, value)| event.with(name, value.as_ref()));
        note_event(tx, &self.actor, event, Clock::now()).await.map(drop)
    }
}

/// What only an app of the Deploys API has.
#[derive(Clone, Debug)]
pub(crate) struct NewApp {
    pub(crate) title: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) retention: Option<&'static str>,
    pub(crate) public_access: bool,
}

impl Default for NewApp {
    fn default() -> Self {
        Self { title: None, description: None, retention: None, public_access: true }
    }
}

/// A project to be made. What is not said gets the defaults of the real service.
#[derive(Clone)]
pub struct NewProject {
    /// Its name.
    pub name: ProjectName,
    /// The branch that goes live.
    pub production_branch: BranchName,
    /// How it is built.
    pub build_config: BuildConfig,
    /// Differences from the default settings of production.
    pub production: EnvironmentPatch,
    /// Differences from the default settings of previews.
    pub preview: EnvironmentPatch,
    /// The repository, for a project that is built from git.
    pub source: Option<Source>,
}

macro_rules! select_project {
    ($rest:literal) => {
        concat!(
            "SELECT p.seq, p.id, p.public_id, p.account_seq, a.id AS account, p.name, p.production_branch, p.created,
                p.build_config, p.production, p.preview, p.source,
                (SELECT d.id FROM deployment d WHERE d.seq = p.canonical) AS canonical,
                (SELECT d.id FROM deployment d WHERE d.project_seq = p.seq AND d.deleted IS NULL
                    ORDER BY d.seq DESC LIMIT 1) AS latest
            FROM project p JOIN account a ON a.seq = p.account_seq ",
            $rest
        )
    };
}

const BY_NAME: &str = select_project!("WHERE p.account_seq = $1 AND p.name = $2 AND p.deleted IS NULL");
const BY_ID: &str = select_project!("WHERE a.id = $1 AND p.id = $2 AND p.deleted IS NULL");
const BY_SEQ: &str = select_project!("WHERE p.seq = $1");
const LIST: &str =
    select_project!("WHERE p.account_seq = $1 AND p.deleted IS NULL ORDER BY p.seq DESC LIMIT $2 OFFSET $3");
const BY_ID_ALONE: &str = select_project!("WHERE p.id = $1 AND p.deleted IS NULL");
const BY_NAME_ALONE: &str = select_project!("WHERE p.name = $1 AND p.deleted IS NULL");
const COUNT: &str = "SELECT count(*) AS total FROM project WHERE account_seq = $1 AND deleted IS NULL";
const ADD: &str = "INSERT INTO project
        (id, account_seq, name, production_branch, created, build_config, production, preview, source,
        modified, public_id, created_by, title, description, retention, public_access)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $5, $10, $11, $12, $13, $14, $15) ON CONFLICT (name) DO NOTHING RETURNING seq";
const CHANGE: &str = "UPDATE project
    SET production_branch = $2, build_config = $3, production = $4, preview = $5, source = $6, modified = $7 WHERE seq = $1";
const ANY_DOMAIN: &str = "SELECT id FROM domain WHERE project_seq = $1 LIMIT 1";
const COUNT_DEPLOYMENTS: &str =
    "SELECT count(*) AS total FROM deployment WHERE project_seq = $1 AND deleted IS NULL";
/// The grace time of files that only this project's versions hold begins.
const TOUCH_FILES: &str =
    "UPDATE blob SET touched = $2 WHERE touched < $2 AND id IN (SELECT f.blob_id FROM version_file f
    JOIN app_version v ON v.seq = f.version_seq WHERE v.project_seq = $1)";
/// In an order that leaves no reference behind. Each takes the project.
const DELETE: [&str; 20] = [
    "UPDATE project SET canonical = NULL, default_version = NULL WHERE seq = $1",
    "DELETE FROM branch_alias WHERE project_seq = $1",
    "DELETE FROM predecessor WHERE project_seq = $1",
    "DELETE FROM job WHERE deployment_seq IN (SELECT seq FROM deployment WHERE project_seq = $1)",
    "DELETE FROM feedback WHERE deployment_seq IN (SELECT seq FROM deployment WHERE project_seq = $1)",
    "DELETE FROM log WHERE deployment_seq IN (SELECT seq FROM deployment WHERE project_seq = $1)",
    "DELETE FROM deploy_step WHERE deploy_seq IN (SELECT seq FROM deploy WHERE project_seq = $1)",
    "DELETE FROM deploy WHERE project_seq = $1",
    "UPDATE deployment SET site_id = NULL WHERE project_seq = $1",
    "DELETE FROM deployment WHERE project_seq = $1",
    "DELETE FROM build_step WHERE build_seq IN (SELECT seq FROM build WHERE project_seq = $1)",
    "DELETE FROM build_log WHERE build_seq IN (SELECT seq FROM build WHERE project_seq = $1)",
    "DELETE FROM build_job WHERE build_seq IN (SELECT seq FROM build WHERE project_seq = $1)",
    "DELETE FROM build WHERE project_seq = $1",
    "DELETE FROM version_file WHERE version_seq IN (SELECT seq FROM app_version WHERE project_seq = $1)",
    "UPDATE app_version SET parent_seq = NULL WHERE project_seq = $1",
    "DELETE FROM app_version WHERE project_seq = $1",
    "DELETE FROM token_app WHERE project_seq = $1",
    "DELETE FROM tally WHERE project_seq = $1",
    "DELETE FROM project WHERE seq = $1",
];
/// Before the rows go: sites that no other project uses are let go of.
const RELEASE_SITES: &str = "UPDATE site SET released = $2
    WHERE (id IN (SELECT site_id FROM deployment WHERE project_seq = $1 AND site_id IS NOT NULL)
        OR id IN (SELECT site_id FROM build WHERE project_seq = $1 AND version_seq IS NOT NULL AND site_id IS NOT NULL))
    AND NOT EXISTS (SELECT 1 FROM deployment d WHERE d.site_id = site.id AND d.project_seq <> $1)
    AND NOT EXISTS (SELECT 1 FROM build b
        WHERE b.site_id = site.id AND b.project_seq <> $1 AND b.version_seq IS NOT NULL)";

impl Store {
    /// Makes a project. One with a source gets a random secret for its webhooks.
    ///
    /// # Errors
    /// `Exists(Project)` when any account has one of this name, since the name is part of a host name.
    pub async fn create_project(&self, scope: &AccountScope, new: NewProject) -> Result<Project> {
        let tx = self.db().write("create_project").await?;
        let seq = self.add_project(&tx, scope, new, NewApp::default()).await?;
        let (_, project) = load(&tx, self.keys(), BY_SEQ, values![seq]).await?;
        tx.commit().await?;
        Ok(project)
    }

    /// Writes the rows of a project and tells of it.
    pub(crate) async fn add_project(
        &self,
        tx: &Tx,
        scope: &AccountScope,
        new: NewProject,
        app: NewApp,
    ) -> Result<i64> {
        let id = ProjectId::new(Uuid::new_v4().to_string());
        let (today, now) = (Clock::today(), Clock::now());
        let public_id = new_id(listing::Entity::App, now);
        let mut production = EnvironmentConfig::new(&today);
        production.apply(new.production);
        let mut preview = EnvironmentConfig::new(&today);
        preview.apply(new.preview);
        let values = values![
            id.as_str(),
            scope.seq,
            new.name.as_str(),
            new.production_branch.as_str(),
            now,
            build_config_to_json(&new.build_config)?,
            environment_to_json(&production, self.keys(), &settings_owner(&id, Environment::Production))?,
            environment_to_json(&preview, self.keys(), &settings_owner(&id, Environment::Preview))?,
            new.source.as_ref().map(source_to_json).transpose()?,
            &public_id,
            scope.actor.key.clone(),
            app.title,
            app.description,
            app.retention,
            app.public_access,
        ];
        let added = tx.returning(ADD, values).await?;
        let seq: i64 = added.first().ok_or(StoreError::Exists(Entity::Project))?.get("seq")?;
        if new.source.is_some() {
            add_webhook_secret(tx, self.keys(), seq, &id).await?;
        }
        routes_changed(tx, &new.name).await?;
        let event = NewEvent::of_app(scope.seq, &public_id, "app.created").with("handle", new.name.as_str());
        note_event(tx, &scope.actor, event, now).await?;
        Ok(seq)
    }

    /// A page of the account's projects, newest first.
    pub async fn list_projects(&self, scope: &AccountScope, page: Page) -> Result<Listed<Project>> {
        let tx = self.db().read().await?;
        let (limit, offset) = page.limit_offset();
        let rows = tx.all(LIST, values![scope.seq, limit, offset]).await?;
        let mut projects = Vec::with_capacity(rows.len());
        for row in &rows {
            projects.push(project_of(row, self.keys())?);
        }
        add_domains(&tx, &mut projects).await?;
        let total = count(&tx, COUNT, scope.seq).await?;
        Ok(Listed { items: projects.into_iter().map(|(_, project)| project).collect(), total })
    }

    /// A project by its name.
    ///
    /// # Errors
    /// `NotFound(Project)`.
    pub async fn project(&self, scope: &AccountScope, name: &ProjectName) -> Result<(ProjectScope, Project)> {
        let (found, project) =
            load(self.db(), self.keys(), BY_NAME, values![scope.seq, name.as_str()]).await?;
        Ok((ProjectScope { actor: scope.actor.clone(), ..found }, project))
    }

    /// A project by its id, for bearers of an upload token, which names both.
    pub async fn project_by_id(
        &self,
        account: &AccountId,
        id: &ProjectId,
    ) -> Result<Option<(ProjectScope, Project)>> {
        match load(self.db(), self.keys(), BY_ID, values![account.as_str(), id.as_str()]).await {
            Ok(found) => Ok(Some(found)),
            Err(StoreError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Merges a change into a project and returns the whole. Two changes at once are merged one after the
    /// other; none is lost. A source that is taken away takes its credentials, hooks and pull requests along.
    ///
    /// # Errors
    /// `NotFound(Project)`, `SourceFixed`.
    pub async fn update_project(&self, scope: &ProjectScope, patch: ProjectPatch) -> Result<Project> {
        let tx = self.db().write("update_project").await?;
        let (_, mut project) = load(&tx, self.keys(), BY_SEQ, values![scope.seq]).await?;
        let had_source = project.source.is_some();
        project.apply(patch)?;
        if had_source && project.source.is_none() {
            forget_source(&tx, scope.seq).await?;
        }
        write_settings(&tx, self.keys(), scope.seq, &project).await?;
        scope.tell(&tx, "app.updated").await?;
        tx.commit().await?;
        Ok(project)
    }

    /// Deletes a project with its deployments. Its hosts answer nothing from now on, its name is free, work
    /// under way for it loses its lease, and its blobs go with a later collection.
    ///
    /// # Errors
    /// `NotFound(Project)`, `DomainsRemain`, `TooManyDeployments`.
    pub async fn delete_project(&self, scope: &ProjectScope) -> Result<()> {
        let tx = self.db().write("delete_project").await?;
        load(&tx, self.keys(), BY_SEQ, values![scope.seq]).await?;
        if tx.one(ANY_DOMAIN, values![scope.seq]).await?.is_some() {
            return Err(StoreError::DomainsRemain);
        }
        let count = count(&tx, COUNT_DEPLOYMENTS, scope.seq).await?;
        match self.options().project_delete_deployments_max {
            Some(max) if count > max => return Err(StoreError::TooManyDeployments { count, max }),
            _ => {}
        }
        remove_project(&tx, scope).await?;
        tx.commit().await
    }
}

/// Removes a project that has no domains, with everything that belongs to it, and tells of it.
pub(crate) async fn remove_project(tx: &Tx, scope: &ProjectScope) -> Result<()> {
    tx.run(RELEASE_SITES, values![scope.seq, Clock::now()]).await?;
    forget_source(tx, scope.seq).await?;
    tx.run(TOUCH_FILES, values![scope.seq, Clock::now()]).await?;
    for statement in DELETE {
        tx.run(statement, values![scope.seq]).await?;
    }
    routes_changed(tx, &scope.name).await?;
    scope.tell(tx, "app.removed").await
}

/// Loads a project within a transaction.
pub(crate) async fn load_by_seq(rows: &impl Rows, keys: &Keys, seq: i64) -> Result<Project> {
    Ok(load(rows, keys, BY_SEQ, values![seq]).await?.1)
}

/// Loads a project by its number, with a receipt: for callers that were authorised by what led them to it.
pub(crate) async fn load_scoped(rows: &impl Rows, keys: &Keys, seq: i64) -> Result<(ProjectScope, Project)> {
    load(rows, keys, BY_SEQ, values![seq]).await
}

/// Loads a project of whatever account, with a receipt: the caller checks that it may be used.
pub(crate) async fn load_by_id(
    rows: &impl Rows,
    keys: &Keys,
    id: &ProjectId,
) -> Result<(ProjectScope, Project)> {
    load(rows, keys, BY_ID_ALONE, values![id.as_str()]).await
}

/// A project by its name alone, which is unique. For whoever was led here by a host.
pub(crate) async fn load_by_name(
    rows: &impl Rows,
    keys: &Keys,
    name: &ProjectName,
) -> Result<(ProjectScope, Project)> {
    load(rows, keys, BY_NAME_ALONE, values![name.as_str()]).await
}

/// Writes everything of a project that a change may touch.
pub(crate) async fn write_settings(tx: &Tx, keys: &Keys, seq: i64, project: &Project) -> Result<()> {
    let values = values![
        seq,
        project.production_branch.as_str(),
        build_config_to_json(&project.build_config)?,
        environment_to_json(
            &project.production,
            keys,
            &settings_owner(&project.id, Environment::Production)
        )?,
        environment_to_json(&project.preview, keys, &settings_owner(&project.id, Environment::Preview))?,
        project.source.as_ref().map(source_to_json).transpose()?,
        Clock::now(),
    ];
    tx.run(CHANGE, values).await.map(drop)
}

/// To whom the secrets of an environment belong. A deployment keeps its project's column as it was, so its
/// secrets belong to the same owner.
pub(crate) fn settings_owner(project: &ProjectId, environment: Environment) -> String {
    format!("{project}/{}", environment.as_str())
}

async fn load(
    rows: &impl Rows,
    keys: &Keys,
    sql: &'static str,
    values: Vec<sea_orm::Value>,
) -> Result<(ProjectScope, Project)> {
    let row = rows.one(sql, values).await?.ok_or(StoreError::NotFound(Entity::Project))?;
    let mut found = [project_of(&row, keys)?];
    add_domains(rows, &mut found).await?;
    let [found] = found;
    Ok(found)
}

fn project_of(row: &Row, keys: &Keys) -> Result<(ProjectScope, Project)> {
    let id = ProjectId::new(row.get::<String>("id")?);
    let seq: i64 = row.get("seq")?;
    let account = AccountId::new(row.get::<String>("account")?);
    let name = ProjectName::parse(&row.get::<String>("name")?).map_err(stored_name)?;
    let deployment = |column| Ok::<_, StoreError>(row.get::<Option<String>>(column)?.map(DeploymentId::new));
    let project = Project {
        production_branch: BranchName::parse(&row.get::<String>("production_branch")?)
            .map_err(stored_name)?,
        created: row.time("created")?,
        script_number: SCRIPT_NUMBER_BASE + u64::try_from(seq).unwrap_or_default(),
        build_config: build_config_from_json(&row.get::<String>("build_config")?)?,
        production: environment_from_json(
            &row.get::<String>("production")?,
            keys,
            &settings_owner(&id, Environment::Production),
        )?,
        preview: environment_from_json(
            &row.get::<String>("preview")?,
            keys,
            &settings_owner(&id, Environment::Preview),
        )?,
        source: row.get::<Option<String>>("source")?.as_deref().map(source_from_json).transpose()?,
        domains: Vec::new(),
        canonical: deployment("canonical")?,
        latest: deployment("latest")?,
        id: id.clone(),
        account: account.clone(),
        name: name.clone(),
    };
    let scope = ProjectScope {
        account,
        id,
        name,
        account_seq: row.get("account_seq")?,
        seq,
        app: row.get("public_id")?,
        actor: Actor::default(),
    };
    Ok((scope, project))
}

async fn add_domains(rows: &impl Rows, projects: &mut [(ProjectScope, Project)]) -> Result<()> {
    let seqs: Vec<i64> = projects.iter().map(|(scope, _)| scope.seq).collect();
    let mut domains: HashMap<i64, Vec<Hostname>> = HashMap::new();
    for row in rows.all(sql::DOMAINS_OF_PROJECTS.of(rows.engine()), values![json(&seqs)?]).await? {
        let name = Hostname::parse(&row.get::<String>("name")?).map_err(stored_name)?;
        domains.entry(row.get("project_seq")?).or_default().push(name);
    }
    for (scope, project) in projects {
        project.domains = domains.remove(&scope.seq).unwrap_or_default();
    }
    Ok(())
}

/// Counts with a statement that takes one number and calls its answer `total`.
pub(crate) async fn count(rows: &impl Rows, sql: &'static str, of: i64) -> Result<u64> {
    let row = rows.one(sql, values![of]).await?;
    let total = row.map(|row| row.get::<i64>("total")).transpose()?.unwrap_or_default();
    Ok(u64::try_from(total).unwrap_or_default())
}

/// A set or table as the JSON text that the statements of [`sql`] take.
pub(crate) fn json(values: &impl serde::Serialize) -> Result<String> {
    let text = serde_json::to_string(values).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    Ok(without_zeros(text))
}

/// Zero bytes become what stands for unreadable characters: SQLite's functions end at one, PostgreSQL refuses it.
fn without_zeros(json: String) -> String {
    const ZERO: &str = r"\u0000";
    if !json.contains(ZERO) {
        return json;
    }
    let mut clean = String::with_capacity(json.len());
    let mut rest = json.as_str();
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        // The character after a backslash is never the beginning of another escape.
        let (escape, after) = match escape.strip_prefix(ZERO) {
            Some(after) => (r"\ufffd", after),
            None => escape.split_at(2),
        };
        clean.push_str(before);
        clean.push_str(escape);
        rest = after;
    }
    clean.push_str(rest);
    clean
}

/// A stored name that does not parse any more.
pub(crate) fn stored_name(error: InvalidName) -> StoreError {
    StoreError::Corrupt(format!("a stored name: {error}"))
}
