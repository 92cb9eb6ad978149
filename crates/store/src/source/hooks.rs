//! Deploy hooks: addresses that build a branch for whoever knows them.
//!
//! The id in the address is the secret. It is found by its hash, and kept encrypted, because its owner may look
//! it up again.

use offprint_model::name::BranchName;
use offprint_model::project::Project;
use offprint_model::secret::Secret;
use offprint_model::time::Timestamp;
use uuid::Uuid;

use crate::clock::Clock;
use crate::db::{Row, Rows, values};
use crate::error::{Entity, Result, StoreError};
use crate::open::Store;
use crate::projects::{ProjectScope, load_by_seq, load_scoped, stored_name};

const LIST: &str =
    "SELECT sealed, name, branch, created FROM deploy_hook WHERE project_seq = $1 ORDER BY seq";
const FIND: &str = "SELECT project_seq, branch FROM deploy_hook WHERE hash = $1";
const ADD: &str = "INSERT INTO deploy_hook (project_seq, hash, sealed, name, branch, created)
    VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (project_seq, branch) DO NOTHING";
const DELETE: &str = "DELETE FROM deploy_hook WHERE project_seq = $1 AND hash = $2 RETURNING name, branch";

/// An address that builds a branch. Without `Debug`: whoever knows the id may build.
#[derive(Clone, PartialEq, Eq)]
pub struct DeployHook {
    /// The secret in its address: a random UUID.
    pub id: String,
    /// Its name, for people.
    pub name: String,
    /// The branch that it builds.
    pub branch: BranchName,
    /// When it was made.
    pub created: Timestamp,
}

/// What a deploy hook builds. Whoever named its id is authorised to do that, and nothing else.
#[derive(Clone)]
pub struct HookTarget {
    /// The receipt.
    pub scope: ProjectScope,
    /// The project.
    pub project: Project,
    /// The branch to build.
    pub branch: BranchName,
}

impl Store {
    /// What the hook with this id builds.
    ///
    /// # Errors
    /// `NotFound(DeployHook)`.
    pub async fn hook_target(&self, hook_id: &str) -> Result<HookTarget> {
        let tx = self.db().read().await?;
        let row = tx.one(FIND, values![hash(hook_id)]).await?;
        let row = row.ok_or(StoreError::NotFound(Entity::DeployHook))?;
        let (scope, project) = load_scoped(&tx, self.keys(), row.get("project_seq")?).await?;
        let branch = BranchName::parse(&row.get::<String>("branch")?).map_err(stored_name)?;
        Ok(HookTarget { scope, project, branch })
    }

    /// The hooks of a project, oldest first, with their secret ids.
    pub async fn list_deploy_hooks(&self, scope: &ProjectScope) -> Result<Vec<DeployHook>> {
        let rows = self.db().all(LIST, values![scope.seq]).await?;
        rows.iter().map(|row| self.hook_of(scope, row)).collect()
    }

    /// Makes a hook for a branch.
    ///
    /// # Errors
    /// `NotFound(Project)`; `NoSource`; `Exists(DeployHook)` when the branch has one.
    pub async fn create_deploy_hook(
        &self,
        scope: &ProjectScope,
        name: &str,
        branch: &BranchName,
    ) -> Result<DeployHook> {
        let id = Uuid::new_v4().to_string();
        let sealed = self.keys().seal(&owner(scope), branch.as_str(), &Secret::new(id.clone()))?;
        let created = Clock::now();
        let tx = self.db().write("create_deploy_hook").await?;
        if load_by_seq(&tx, self.keys(), scope.seq).await?.source.is_none() {
            return Err(StoreError::NoSource);
        }
        let values = values![scope.seq, hash(&id), sealed, name, branch.as_str(), created];
        if tx.run(ADD, values).await? == 0 {
            return Err(StoreError::Exists(Entity::DeployHook));
        }
        let data = [("name", name), ("branch", branch.as_str())];
        scope.tell_of(&tx, "deploy_hook.created", &data).await?;
        tx.commit().await?;
        Ok(DeployHook { id, name: name.to_owned(), branch: branch.clone(), created })
    }

    /// Makes a hook's address worthless, from the next request on.
    ///
    /// # Errors
    /// `NotFound(DeployHook)`.
    pub async fn delete_deploy_hook(&self, scope: &ProjectScope, hook_id: &str) -> Result<()> {
        let tx = self.db().write("delete_deploy_hook").await?;
        let deleted = tx.returning(DELETE, values![scope.seq, hash(hook_id)]).await?;
        let row = deleted.first().ok_or(StoreError::NotFound(Entity::DeployHook))?;
        let (name, branch): (String, String) = (row.get("name")?, row.get("branch")?);
        scope.tell_of(&tx, "deploy_hook.deleted", &[("name", &name), ("branch", &branch)]).await?;
        tx.commit().await
    }

    fn hook_of(&self, scope: &ProjectScope, row: &Row) -> Result<DeployHook> {
        let branch: String = row.get("branch")?;
        let id = self.keys().unseal(&owner(scope), &branch, &row.get::<String>("sealed")?)?;
        Ok(DeployHook {
            id: id.expose().clone(),
            name: row.get("name")?,
            branch: BranchName::parse(&branch).map_err(stored_name)?,
            created: row.time("created")?,
        })
    }
}

/// An id is 122 random bits, so a plain hash of it cannot be guessed back, and the time that it takes to find one
/// tells nothing about it.
fn hash(id: &str) -> Vec<u8> {
    blake3::derive_key("offprint store 2026 deploy hook", id.as_bytes()).to_vec()
}

fn owner(scope: &ProjectScope) -> String {
    format!("{}/deploy_hook", scope.project_id())
}
