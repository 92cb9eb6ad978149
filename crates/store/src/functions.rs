//! What the Functions of a deployment are made of.

use offprint_model::deployment::Deployment;
use offprint_model::name::ProjectName;

use crate::assets::hash_of;
use crate::db::{Rows, values};
use crate::deployments::by_host;
use crate::error::{Entity, Result, StoreError};
use crate::open::Store;
use crate::projects::{ProjectScope, load_by_name};
use crate::site::{ShortId, SiteDocument, SiteHash};

/// A deployment as whoever runs its Functions needs it.
#[derive(Clone)]
pub struct FunctionsOf {
    /// Its project.
    pub project: ProjectScope,
    /// The deployment, with the settings it was made with.
    pub deployment: Deployment,
    /// Its content.
    pub document: SiteDocument,
}

const SITE_OF_HOST: &str = "SELECT s.hash FROM deployment d JOIN site s ON s.id = d.site_id
    WHERE d.project_seq = $1 AND d.short = $2";

impl Store {
    /// The deployment at a host, by the host's labels: project and short id.
    ///
    /// # Errors
    /// `NotFound` of `Project` or `Deployment`, the latter also when it was deleted or has no content yet.
    pub async fn functions_of(&self, project: &ProjectName, deployment: ShortId) -> Result<FunctionsOf> {
        let tx = self.db().read().await?;
        let (scope, _) = load_by_name(&tx, self.keys(), project).await?;
        let found = by_host(&tx, self.keys(), scope.seq, deployment).await?;
        let site = tx.one(SITE_OF_HOST, values![scope.seq, i64::from(deployment.0)]).await?;
        let site = site.ok_or(StoreError::NotFound(Entity::Deployment))?;
        let site = SiteHash::of_document(hash_of(site.get("hash")?)?);
        drop(tx);
        let document = self.load_site(&site).await?;
        Ok(FunctionsOf { project: scope, deployment: found, document })
    }
}
