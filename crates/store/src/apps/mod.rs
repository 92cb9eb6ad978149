//! Apps: projects, as the Deploys API sees them.

mod build_jobs;
mod files;
mod purge;
mod requests;
mod target;
mod version_builds;
mod versions;

pub use build_jobs::VersionLease;
pub(crate) use build_jobs::lease_version;
pub use files::{VERSION_FILES_MAX, VersionFile};
pub use requests::DeployWish;
pub use target::Target;
pub(crate) use target::{pages_target, shown_target};
pub use version_builds::{SourceFile, VersionWork};

use std::collections::BTreeMap;
use std::time::Duration;

use offprint_model::config::{
    BuildConfig, BuildConfigPatch, EnvVar, EnvironmentConfig, EnvironmentPatch, Patch,
};
use offprint_model::listing::Entity as Listed;
use offprint_model::name::{BranchName, ProjectName};
use offprint_model::project::Project;

use crate::clock::Clock;
use crate::db::{Rows, Tx, values};
use crate::error::{Entity, Result, StoreError};
use crate::lists::{Deleted, Listing, Reach};
use crate::open::Store;
use crate::projects::{NewApp, NewProject, ProjectScope, load_scoped, write_settings};
use crate::routing::routes_changed;
use crate::tokens::AccountScope;
use target::target_to_json;

/// The variable by which the version of Node is chosen, see the Pages documentation on build images.
pub(crate) const NODE_VERSION: &str = "NODE_VERSION";

/// How long a deleted app can be restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retention {
    /// A week.
    Short,
    /// A month.
    Medium,
    /// Ninety days.
    Long,
    /// For ever.
    None,
}

impl Retention {
    /// All with their names.
    pub const NAMED: [(&'static str, Self); 4] =
        [("short", Self::Short), ("medium", Self::Medium), ("long", Self::Long), ("none", Self::None)];

    /// `None`: for ever.
    const fn time(self) -> Option<Duration> {
        const DAY: Duration = Duration::from_hours(24);
        match self {
            Self::Short => Some(DAY.saturating_mul(7)),
            Self::Medium => Some(DAY.saturating_mul(30)),
            Self::Long => Some(DAY.saturating_mul(90)),
            Self::None => None,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Short => "short",
            Self::Medium => "medium",
            Self::Long => "long",
            Self::None => "none",
        }
    }
}

/// An app to be made.
#[derive(Clone)]
pub struct NewAppFields {
    /// Its name, for people.
    pub name: String,
    /// Its host label.
    pub handle: ProjectName,
    /// What may be said at once, and changed later.
    pub rest: AppPatch,
}

/// A change of an app.
#[derive(Clone, Default)]
pub struct AppPatch {
    /// Its name, for people.
    pub name: Option<String>,
    /// What it is for.
    pub description: Patch<String>,
    /// The id of the version that a deploy of the app takes.
    pub default_version: Patch<String>,
    /// Whether its site answers.
    pub public_access: Option<bool>,
    /// How long it can be restored.
    pub retention: Patch<Retention>,
    /// The version of Node for its builds.
    pub node_version: Patch<String>,
    /// The variables of its builds, in place of those that were shown.
    pub env: Option<BTreeMap<String, String>>,
    /// How it is built.
    pub build: BuildConfigPatch,
    /// Where its deploys go.
    pub target: Option<Target>,
}

const SCOPE_OF: &str = "SELECT seq, target FROM project WHERE public_id = $1";
const CHANGE: &str = "UPDATE project SET title = coalesce($2, title), description = $3, default_version = $4,
        public_access = $5, retention = $6, target = $7 WHERE seq = $1";
const BEFORE: &str =
    "SELECT description, default_version, public_access, retention, target FROM project WHERE seq = $1";
const VERSION: &str = "SELECT seq FROM app_version WHERE project_seq = $1 AND id = $2 AND deleted IS NULL";
const DELETE: &str = "UPDATE project SET deleted = $2, modified = $2 WHERE seq = $1 AND deleted IS NULL";
const RESTORE: &str =
    "UPDATE project SET deleted = NULL, modified = $2 WHERE seq = $1 AND deleted IS NOT NULL";
/// What waits or runs for a project.
const UNFINISHED: &str =
    "SELECT seq FROM deployment WHERE project_seq = $1 AND ended IS NULL AND deleted IS NULL";
const ONLY_ACCOUNT: &str = "SELECT seq, id FROM account WHERE seq = $1";
const ACCOUNT: &str = "SELECT seq, id FROM account WHERE public_id = $1";

impl Store {
    /// Makes an app in one of the caller's workspaces; in his only one where none is named.
    ///
    /// # Errors
    /// `NotFound(Workspace)`; `Exists(Project)` when the handle is taken, in whatever workspace; as
    /// [`Store::update_app`].
    pub async fn create_app(
        &self,
        reach: &Reach,
        workspace: Option<&str>,
        new: NewAppFields,
    ) -> Result<Listing> {
        let tx = self.db().write("create_app").await?;
        let account = workspace_scope(&tx, reach, workspace).await?;
        let project = NewProject {
            name: new.handle,
            production_branch: BranchName::parse("main").map_err(crate::projects::stored_name)?,
            build_config: BuildConfig::default(),
            production: EnvironmentPatch::default(),
            preview: EnvironmentPatch::default(),
            source: None,
        };
        let app = NewApp { title: Some(new.name), ..NewApp::default() };
        let seq = self.add_project(&tx, &account, project, app).await?;
        let (scope, project) = load_scoped(&tx, self.keys(), seq).await?;
        self.change_app(&tx, &scope, project, new.rest).await?;
        let made = self.found(&tx, reach, Listed::App, &scope.app).await?;
        tx.commit().await?;
        Ok(made)
    }

    /// Changes an app.
    ///
    /// # Errors
    /// `NotFound(App)`, `NotFound(AppVersion)`; `TokenMissing` when a target has no token and had none before.
    pub async fn update_app(&self, reach: &Reach, id: &str, patch: AppPatch) -> Result<Listing> {
        let tx = self.db().write("update_app").await?;
        let (scope, project) = self.app_scope(&tx, reach, id).await?;
        self.change_app(&tx, &scope, project, patch).await?;
        scope.tell(&tx, "app.updated").await?;
        let changed = self.found(&tx, reach, Listed::App, id).await?;
        tx.commit().await?;
        Ok(changed)
    }

    /// Deletes an app so that it can be restored: nobody sees it, its site answers nothing, what runs for it is
    /// cancelled, and its handle stays taken.
    ///
    /// # Errors
    /// `NotFound(App)`, also when it is deleted already.
    pub async fn delete_app(&self, reach: &Reach, id: &str) -> Result<()> {
        let tx = self.db().write("delete_app").await?;
        let (scope, _) = self.app_scope(&tx, reach, id).await?;
        for row in tx.all(UNFINISHED, values![scope.seq]).await? {
            crate::deployments::cancel(&tx, row.get("seq")?, Some("the app was deleted"), &scope.actor)
                .await?;
        }
        build_jobs::cancel_all(&tx, scope.seq, "the app was deleted", &scope.actor).await?;
        tx.run(DELETE, values![scope.seq, Clock::now()]).await?;
        routes_changed(&tx, scope.project_name()).await?;
        scope.tell(&tx, "app.deleted").await?;
        tx.commit().await
    }

    /// Brings a deleted app back as it was.
    ///
    /// # Errors
    /// `NotFound(App)`; `NotDeployable` when it is not deleted.
    pub async fn restore_app(&self, reach: &Reach, id: &str) -> Result<Listing> {
        let tx = self.db().write("restore_app").await?;
        let all = reach.clone().with_deleted(Deleted::Shown);
        let (scope, _) = self.app_scope(&tx, &all, id).await?;
        if tx.run(RESTORE, values![scope.seq, Clock::now()]).await? == 0 {
            return Err(StoreError::NotDeployable("the app is not deleted"));
        }
        routes_changed(&tx, scope.project_name()).await?;
        scope.tell(&tx, "app.restored").await?;
        let restored = self.found(&tx, reach, Listed::App, id).await?;
        tx.commit().await?;
        Ok(restored)
    }

    /// The project of an app that the caller may see.
    pub(crate) async fn app_scope(
        &self,
        tx: &Tx,
        reach: &Reach,
        id: &str,
    ) -> Result<(ProjectScope, Project)> {
        let seen = self.find_in(tx, reach, Listed::App, id).await?;
        seen.ok_or(StoreError::NotFound(Entity::Listed(Listed::App)))?;
        let row = tx.one(SCOPE_OF, values![id]).await?;
        let seq = row.ok_or(StoreError::NotFound(Entity::Listed(Listed::App)))?.get("seq")?;
        let (mut scope, project) = load_scoped(tx, self.keys(), seq).await?;
        scope.actor = reach.actor.clone();
        Ok((scope, project))
    }

    /// What the caller may see under this id.
    pub(crate) async fn found(&self, tx: &Tx, reach: &Reach, entity: Listed, id: &str) -> Result<Listing> {
        let found = self.find_in(tx, reach, entity, id).await?;
        found.ok_or(StoreError::NotFound(Entity::Listed(entity)))
    }

    async fn change_app(
        &self,
        tx: &Tx,
        scope: &ProjectScope,
        mut project: Project,
        patch: AppPatch,
    ) -> Result<()> {
        let before = tx.one(BEFORE, values![scope.seq]).await?;
        let before = before.ok_or(StoreError::NotFound(Entity::Listed(Listed::App)))?;
        let mut description: Option<String> = before.get("description")?;
        patch.description.apply(&mut description);
        let mut retention: Option<String> = before.get("retention")?;
        map(patch.retention, |retention| retention.as_str().to_owned()).apply(&mut retention);
        let mut version: Option<i64> = before.get("default_version")?;
        match patch.default_version {
            Patch::Keep => {}
            Patch::Clear => version = None,
            Patch::Set(id) => version = Some(version_seq(tx, scope.seq, &id).await?),
        }
        let was_public: bool = before.get("public_access")?;
        let is_public = patch.public_access.unwrap_or(was_public);
        let target: Option<String> = before.get("target")?;
        let target = match patch.target {
            None => target,
            Some(new) => target_to_json(new, target.as_deref(), self.keys(), &scope.app)?,
        };
        let values = values![scope.seq, patch.name, description, version, is_public, retention, target];
        tx.run(CHANGE, values).await?;
        project.build_config.apply(patch.build);
        for config in [&mut project.production, &mut project.preview] {
            configure(config, &patch.node_version, patch.env.as_ref());
        }
        write_settings(tx, self.keys(), scope.seq, &project).await?;
        if was_public != is_public {
            routes_changed(tx, scope.project_name()).await?;
        }
        Ok(())
    }
}

/// The number of a version of an app.
pub(crate) async fn version_seq(rows: &impl Rows, project: i64, id: &str) -> Result<i64> {
    let row = rows.one(VERSION, values![project, id]).await?;
    row.ok_or(StoreError::NotFound(Entity::Listed(Listed::AppVersion)))?.get("seq")
}

/// The scope of a workspace that the caller reaches as a whole.
pub(crate) async fn workspace_scope(tx: &Tx, reach: &Reach, id: Option<&str>) -> Result<AccountScope> {
    let unknown = StoreError::NotFound(Entity::Listed(Listed::Workspace));
    if !reach.is_whole() {
        return Err(unknown);
    }
    let row = match (id, reach.accounts.as_slice()) {
        (Some(id), _) => tx.one(ACCOUNT, values![id]).await?,
        (None, [only]) => tx.one(ONLY_ACCOUNT, values![*only]).await?,
        (None, _) => None,
    };
    let Some(row) = row else { return Err(unknown) };
    let seq: i64 = row.get("seq")?;
    if !reach.accounts.contains(&seq) {
        return Err(unknown);
    }
    let account = offprint_model::id::AccountId::new(row.get::<String>("id")?);
    Ok(AccountScope { account, seq, actor: reach.actor.clone() })
}

fn map<T, U>(patch: Patch<T>, with: impl FnOnce(T) -> U) -> Patch<U> {
    match patch {
        Patch::Keep => Patch::Keep,
        Patch::Clear => Patch::Clear,
        Patch::Set(value) => Patch::Set(with(value)),
    }
}

/// Sets the variables of an environment that the app's configuration shows; secrets stay.
fn configure(
    config: &mut EnvironmentConfig,
    node_version: &Patch<String>,
    env: Option<&BTreeMap<String, String>>,
) {
    let vars = &mut config.env_vars;
    if let Some(env) = env {
        vars.retain(|name, value| name == NODE_VERSION || matches!(value, EnvVar::Secret(_)));
        vars.extend(env.iter().map(|(name, value)| (name.clone(), EnvVar::Plain(value.clone()))));
    }
    match node_version {
        Patch::Keep => {}
        Patch::Clear => drop(vars.remove(NODE_VERSION)),
        Patch::Set(version) => drop(vars.insert(NODE_VERSION.to_owned(), EnvVar::Plain(version.clone()))),
    }
}
