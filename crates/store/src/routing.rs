//! The routing table's source: which host leads to which site.
//!
//! Every change takes the next revision, in the transaction that makes it. An edge asks what has changed
//! since its revision and gets, for each project concerned, all routes as they are now: reading twice, late
//! or from a restored backup gives a right table.

mod read;

use offprint_model::asset::BlobHash;
use offprint_model::name::{AliasLabel, Hostname, ProjectName};
use offprint_model::time::Timestamp;

use crate::db::{Rows, Tx, values};
use crate::error::{Result, StoreError};
use crate::open::Store;
use crate::projects::stored_name;
use crate::site::{ShortId, SiteDocument, SiteHash};
use crate::stored::document;
use read::{Chunk, next_chunk};

/// With more changed projects than this, reading all is faster than reading each.
const CHANGES_MAX: usize = 500;

/// All routes of a project.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProjectRoutes {
    /// What the project's own host and its domains lead to.
    pub production: Option<RoutedDeployment>,
    /// What the hosts of branches lead to.
    pub branches: Vec<(AliasLabel, RoutedDeployment)>,
    /// What the hosts of deployments lead to; those that were never activated have none. Without a site: it
    /// was deleted, and its host says so.
    pub deployments: Vec<(ShortId, Option<SiteHash>)>,
    /// Active custom domains, which lead to production.
    pub domains: Vec<Hostname>,
    /// What production and the branches led to before, the last to be retired first. None has the site to
    /// which its alias leads now, and none occurs twice.
    pub predecessors: Vec<Predecessor>,
}

/// A deployment that an alias leads to. Both change together, for two deployments of one site may differ in their
/// settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoutedDeployment {
    /// The deployment, which is listed among those of the project.
    pub deployment: ShortId,
    /// Its content.
    pub site: SiteHash,
}

/// A deployment that an alias led to until another took its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Predecessor {
    /// The branch; `None`: production.
    pub label: Option<AliasLabel>,
    /// The deployment, which has not been deleted.
    pub deployment: ShortId,
    /// Its content, which is stored as long as this is listed.
    pub site: SiteHash,
    /// When the alias left it for the last time.
    pub retired: Timestamp,
}

/// The routes of the projects that changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoutingUpdate {
    /// The revision that the update leads to.
    pub revision: u64,
    /// Whether every project is listed: one that is not has no routes any more.
    pub full: bool,
    /// The projects; without routes: it was deleted, or nobody may see it.
    pub projects: Vec<(ProjectName, Option<ProjectRoutes>)>,
}

const REVISION: &str = "SELECT value FROM counter WHERE name = 'routing'";
const NEXT_REVISION: &str = "UPDATE counter SET value = value + 1 WHERE name = 'routing' RETURNING value";
const NOTE_CHANGE: &str = "INSERT INTO route_change (project_name, revision) VALUES ($1, $2)
    ON CONFLICT (project_name) DO UPDATE SET revision = excluded.revision";
const CHANGED: &str = "SELECT c.project_name, p.seq FROM route_change c
    LEFT JOIN project p ON p.name = c.project_name AND p.deleted IS NULL AND p.public_access = $3
    WHERE c.revision > $1 ORDER BY c.revision LIMIT $2";

impl Store {
    /// The routes of all projects that changed after a revision, as they are at the one that is returned.
    /// From 0, from a revision that this store never had, or after very many changes: all projects.
    pub async fn routing_since(&self, revision: u64) -> Result<RoutingUpdate> {
        let tx = self.db().read().await?;
        let row = tx.one(REVISION, values![]).await?;
        let row = row.ok_or_else(|| StoreError::Corrupt("the routing revision is missing".into()))?;
        let current = u64::try_from(row.get::<i64>("value")?).unwrap_or_default();
        if revision == current && revision > 0 {
            return Ok(RoutingUpdate { revision, full: false, projects: Vec::new() });
        }
        let partial = match i64::try_from(revision) {
            Ok(since) if since > 0 && revision < current => changed_since(&tx, since).await?,
            _ => None,
        };
        let (full, projects) = match partial {
            Some(projects) => (false, projects),
            None => (true, all_projects(&tx).await?),
        };
        Ok(RoutingUpdate { revision: current, full, projects })
    }

    /// The document of a site. Reads blobs only, so an edge needs no metadata for it.
    ///
    /// # Errors
    /// `NotFound(Blob)` when it is not there, `Corrupt` when its bytes do not have its hash.
    pub async fn load_site(&self, site: &SiteHash) -> Result<SiteDocument> {
        let bytes = self.blobs().read(site.blob()).await?;
        if BlobHash::of(&bytes) != *site.blob() {
            return Err(StoreError::Corrupt(format!(
                "the document {:?} does not have its hash",
                site.blob()
            )));
        }
        document::decode(&bytes)
    }
}

/// Notes, in the transaction that makes the change, that a project's routes differ from now on.
pub(crate) async fn routes_changed(tx: &Tx, project: &ProjectName) -> Result<()> {
    let rows = tx.returning(NEXT_REVISION, values![]).await?;
    let row = rows.first().ok_or_else(|| StoreError::Corrupt("the routing revision is missing".into()))?;
    let revision: i64 = row.get("value")?;
    tx.run(NOTE_CHANGE, values![project.as_str(), revision]).await.map(drop)
}

type Routed = Vec<(ProjectName, Option<ProjectRoutes>)>;

/// `None`: too many.
async fn changed_since(tx: &Tx, revision: i64) -> Result<Option<Routed>> {
    let limit = i64::try_from(CHANGES_MAX).unwrap_or(i64::MAX).saturating_add(1);
    let rows = tx.all(CHANGED, values![revision, limit, true]).await?;
    if rows.len() > CHANGES_MAX {
        return Ok(None);
    }
    let mut projects = Vec::with_capacity(rows.len());
    for row in rows {
        let name = ProjectName::parse(&row.get::<String>("project_name")?).map_err(stored_name)?;
        let routes = match row.get::<Option<i64>>("seq")? {
            None => None,
            Some(seq) => {
                let mut chunk = Chunk::new(vec![(seq, true, name.clone())]);
                chunk.read(tx).await?;
                chunk.projects.pop().map(|(_, routes)| routes)
            }
        };
        projects.push((name, routes));
    }
    Ok(Some(projects))
}

async fn all_projects(tx: &Tx) -> Result<Routed> {
    let mut projects = Vec::new();
    let mut after = 0;
    while let Some(mut chunk) = next_chunk(tx, after).await? {
        chunk.read(tx).await?;
        after = chunk.last;
        projects.extend(chunk.into_visible().map(|(name, routes)| (name, Some(routes))));
    }
    Ok(projects)
}
