//! The routing table's source: which host leads to which site.
//!
//! Every change takes the next revision, in the transaction that makes it. An edge asks what has changed
//! since its revision and gets, for each project concerned, all routes as they are now: reading twice, late
//! or from a restored backup gives a right table.

use std::collections::HashMap;

use offprint_model::asset::BlobHash;
use offprint_model::name::{AliasLabel, Hostname, ProjectName};

use crate::crypt::unhex;
use crate::db::{Rows, Tx, values};
use crate::error::{Result, StoreError};
use crate::open::Store;
use crate::projects::stored_name;
use crate::site::{ShortId, SiteDocument, SiteHash};
use crate::sql;
use crate::stored::document;

/// Projects read at once; bounds the memory of a full read.
const PROJECTS_A_CHUNK: i64 = 4000;
/// Deployments read at once, a project may have any number.
const DEPLOYMENTS_A_CHUNK: i64 = 20_000;
/// With more changed projects than this, reading all is faster than reading each.
const CHANGES_MAX: usize = 500;

/// All routes of a project.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProjectRoutes {
    /// What the project's own host and its domains lead to.
    pub production: Option<SiteHash>,
    /// What the hosts of branches lead to.
    pub branches: Vec<(AliasLabel, SiteHash)>,
    /// What the hosts of deployments lead to; those that were never activated have none. Without a site: it
    /// was deleted, and its host says so.
    pub deployments: Vec<(ShortId, Option<SiteHash>)>,
    /// Active custom domains, which lead to production.
    pub domains: Vec<Hostname>,
}

/// The routes of the projects that changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoutingUpdate {
    /// The revision that the update leads to.
    pub revision: u64,
    /// Whether every project is listed: one that is not has no routes any more.
    pub full: bool,
    /// The projects; without routes: it was deleted.
    pub projects: Vec<(ProjectName, Option<ProjectRoutes>)>,
}

const REVISION: &str = "SELECT value FROM counter WHERE name = 'routing'";
const NEXT_REVISION: &str = "UPDATE counter SET value = value + 1 WHERE name = 'routing' RETURNING value";
const NOTE_CHANGE: &str = "INSERT INTO route_change (project_name, revision) VALUES ($1, $2)
    ON CONFLICT (project_name) DO UPDATE SET revision = excluded.revision";
const CHANGED: &str = "SELECT c.project_name, p.seq FROM route_change c
    LEFT JOIN project p ON p.name = c.project_name WHERE c.revision > $1 ORDER BY c.revision LIMIT $2";

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
    let rows = tx.all(CHANGED, values![revision, limit]).await?;
    if rows.len() > CHANGES_MAX {
        return Ok(None);
    }
    let mut projects = Vec::with_capacity(rows.len());
    for row in rows {
        let name = ProjectName::parse(&row.get::<String>("project_name")?).map_err(stored_name)?;
        let routes = match row.get::<Option<i64>>("seq")? {
            None => None,
            Some(seq) => {
                let mut chunk = Chunk::new(vec![(seq, name.clone())]);
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
    loop {
        let names = lines(tx, sql::ROUTED_NAMES, values![after, PROJECTS_A_CHUNK]).await?;
        let mut named = Vec::new();
        for line in names.lines() {
            let mut words = Words::of(line);
            let seq = words.number()?;
            named.push((seq, ProjectName::parse(words.last()?).map_err(stored_name)?));
            after = seq;
        }
        if named.is_empty() {
            return Ok(projects);
        }
        let mut chunk = Chunk::new(named);
        chunk.read(tx).await?;
        projects.extend(chunk.projects.into_iter().map(|(name, routes)| (name, Some(routes))));
    }
}

/// Projects with neighbouring numbers.
struct Chunk {
    first: i64,
    last: i64,
    index: HashMap<i64, usize>,
    projects: Vec<(ProjectName, ProjectRoutes)>,
}

impl Chunk {
    /// Takes projects in ascending order.
    fn new(named: Vec<(i64, ProjectName)>) -> Self {
        let first = named.first().map_or(0, |(seq, _)| *seq);
        let last = named.last().map_or(0, |(seq, _)| *seq);
        let index = named.iter().enumerate().map(|(index, (seq, _))| (*seq, index)).collect();
        let projects = named.into_iter().map(|(_, name)| (name, ProjectRoutes::default())).collect();
        Self { first, last, index, projects }
    }

    async fn read(&mut self, tx: &Tx) -> Result<()> {
        let range = || values![self.first, self.last];
        let production = lines(tx, sql::ROUTED_PRODUCTION, range()).await?;
        let branches = lines(tx, sql::ROUTED_BRANCHES, range()).await?;
        let domains = lines(tx, sql::ROUTED_DOMAINS, range()).await?;
        for line in production.lines() {
            let mut words = Words::of(line);
            let routes = self.routes(&mut words)?;
            routes.production = Some(words.site()?);
        }
        for line in branches.lines() {
            let mut words = Words::of(line);
            let routes = self.routes(&mut words)?;
            let site = words.site()?;
            routes.branches.push((AliasLabel::stored(words.last()?), site));
        }
        for line in domains.lines() {
            let mut words = Words::of(line);
            let routes = self.routes(&mut words)?;
            routes.domains.push(Hostname::parse(words.last()?).map_err(stored_name)?);
        }
        self.read_deployments(tx).await
    }

    async fn read_deployments(&mut self, tx: &Tx) -> Result<()> {
        let mut after = (0, -1);
        loop {
            let values = values![self.first, self.last, after.0, after.1, DEPLOYMENTS_A_CHUNK];
            let deployments = lines(tx, sql::ROUTED_DEPLOYMENTS, values).await?;
            let mut count = 0;
            for line in deployments.lines() {
                let mut words = Words::of(line);
                let mut again = Words::of(line);
                after = (again.number()?, again.number()?);
                count += 1;
                let routes = self.routes(&mut words)?;
                let short = words.number()?;
                let short = u32::try_from(short).map_err(|_| damaged(line))?;
                let site = if line.ends_with('-') { None } else { Some(words.site()?) };
                routes.deployments.push((ShortId(short), site));
            }
            if count < DEPLOYMENTS_A_CHUNK {
                return Ok(());
            }
        }
    }

    /// The routes of the project that a line begins with.
    fn routes(&mut self, words: &mut Words<'_>) -> Result<&mut ProjectRoutes> {
        let seq = words.number()?;
        let index = self.index.get(&seq).ok_or_else(|| damaged(words.line))?;
        Ok(&mut self.projects[*index].1)
    }
}

async fn lines(tx: &Tx, sql: &'static str, values: Vec<sea_orm::Value>) -> Result<String> {
    let row = tx.one(sql, values).await?;
    let lines = row.map(|row| row.get::<Option<String>>("lines")).transpose()?;
    Ok(lines.flatten().unwrap_or_default())
}

/// A line of words with one space between.
struct Words<'a> {
    line: &'a str,
    rest: &'a str,
}

impl<'a> Words<'a> {
    const fn of(line: &'a str) -> Self {
        Self { line, rest: line }
    }

    fn next(&mut self) -> Result<&'a str> {
        let (word, rest) = self.rest.split_once(' ').unwrap_or((self.rest, ""));
        self.rest = rest;
        if word.is_empty() { Err(damaged(self.line)) } else { Ok(word) }
    }

    fn number(&mut self) -> Result<i64> {
        self.next()?.parse().map_err(|_| damaged(self.line))
    }

    fn site(&mut self) -> Result<SiteHash> {
        let bytes = unhex(self.next()?).and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        let bytes = bytes.ok_or_else(|| damaged(self.line))?;
        Ok(SiteHash::of_document(BlobHash::from_bytes(bytes)))
    }

    fn last(&mut self) -> Result<&'a str> {
        self.next()
    }
}

fn damaged(line: &str) -> StoreError {
    StoreError::Corrupt(format!("a route: {line}"))
}
