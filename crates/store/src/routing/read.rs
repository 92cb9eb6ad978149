//! Reading routes by the thousand.

use std::cmp::Reverse;
use std::collections::HashMap;

use offprint_model::asset::BlobHash;
use offprint_model::name::{AliasLabel, Hostname, ProjectName};
use offprint_model::time::Timestamp;

use super::{Predecessor, ProjectRoutes, RoutedDeployment};
use crate::crypt::unhex;
use crate::db::{Rows, Tx, values};
use crate::error::{Result, StoreError};
use crate::projects::stored_name;
use crate::site::{ShortId, SiteHash};
use crate::sql::{self, Sql};

/// Projects read at once; bounds the memory of a full read.
const PROJECTS_A_CHUNK: i64 = 4000;
/// Deployments read at once, a project may have any number.
const DEPLOYMENTS_A_CHUNK: i64 = 20_000;
/// Predecessors read at once, a project may have any number of branches.
const PREDECESSORS_A_CHUNK: i64 = 20_000;

/// The projects that come after one, by number. `None`: there are no more.
pub(super) async fn next_chunk(tx: &Tx, after: i64) -> Result<Option<Chunk>> {
    let names = lines(tx, sql::ROUTED_NAMES, values![after, PROJECTS_A_CHUNK]).await?;
    let mut named = Vec::new();
    for line in names.lines() {
        let mut words = Words::of(line);
        let seq = words.number()?;
        let visible = words.number()? == 1;
        named.push((seq, visible, ProjectName::parse(words.last()?).map_err(stored_name)?));
    }
    Ok((!named.is_empty()).then(|| Chunk::new(named)))
}

/// Projects with neighbouring numbers.
pub(super) struct Chunk {
    first: i64,
    pub(super) last: i64,
    index: HashMap<i64, usize>,
    pub(super) projects: Vec<(ProjectName, ProjectRoutes)>,
    visible: Vec<bool>,
}

impl Chunk {
    /// Takes projects in ascending order, and whether they are visible.
    pub(super) fn new(named: Vec<(i64, bool, ProjectName)>) -> Self {
        let first = named.first().map_or(0, |(seq, ..)| *seq);
        let last = named.last().map_or(0, |(seq, ..)| *seq);
        let index = named.iter().enumerate().map(|(index, (seq, ..))| (*seq, index)).collect();
        let visible = named.iter().map(|(_, visible, _)| *visible).collect();
        let projects = named.into_iter().map(|(.., name)| (name, ProjectRoutes::default())).collect();
        Self { first, last, index, projects, visible }
    }

    /// The routes of those that are visible.
    pub(super) fn into_visible(self) -> impl Iterator<Item = (ProjectName, ProjectRoutes)> {
        self.projects
            .into_iter()
            .zip(self.visible)
            .filter(|(_, visible)| *visible)
            .map(|(project, _)| project)
    }

    /// Reads the routes.
    pub(super) async fn read(&mut self, tx: &Tx) -> Result<()> {
        let range = || values![self.first, self.last];
        let production = lines(tx, sql::ROUTED_PRODUCTION, range()).await?;
        let branches = lines(tx, sql::ROUTED_BRANCHES, range()).await?;
        let domains = lines(tx, sql::ROUTED_DOMAINS, range()).await?;
        for line in production.lines() {
            let mut words = Words::of(line);
            let routes = self.routes(&mut words)?;
            routes.production = Some(words.routed()?);
        }
        for line in branches.lines() {
            let mut words = Words::of(line);
            let routes = self.routes(&mut words)?;
            let routed = words.routed()?;
            routes.branches.push((AliasLabel::stored(words.last()?), routed));
        }
        for line in domains.lines() {
            let mut words = Words::of(line);
            let routes = self.routes(&mut words)?;
            routes.domains.push(Hostname::parse(words.last()?).map_err(stored_name)?);
        }
        self.read_deployments(tx).await?;
        self.read_predecessors(tx).await
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
                let short = words.short_id()?;
                let site = if line.ends_with('-') { None } else { Some(words.site()?) };
                routes.deployments.push((short, site));
            }
            if count < DEPLOYMENTS_A_CHUNK {
                return Ok(());
            }
        }
    }

    async fn read_predecessors(&mut self, tx: &Tx) -> Result<()> {
        let mut after = (0, 0, String::new());
        loop {
            let (project, deployment, label) = &after;
            let limit = PREDECESSORS_A_CHUNK;
            let values = values![self.first, self.last, *project, *deployment, label, limit];
            let predecessors = lines(tx, sql::ROUTED_PREDECESSORS, values).await?;
            let mut count = 0;
            for line in predecessors.lines() {
                let predecessor = predecessor_of(line)?;
                self.routes(&mut Words::of(line))?.predecessors.push(predecessor);
                count += 1;
            }
            match predecessors.lines().last() {
                Some(last) if count == limit => after = predecessor_key(last)?,
                _ => break,
            }
        }
        for (_, routes) in &mut self.projects {
            routes.predecessors.sort_by_key(|predecessor| Reverse(predecessor.retired));
        }
        Ok(())
    }

    /// The routes of the project that a line begins with.
    fn routes(&mut self, words: &mut Words<'_>) -> Result<&mut ProjectRoutes> {
        let seq = words.number()?;
        let index = self.index.get(&seq).ok_or_else(|| damaged(words.line))?;
        Ok(&mut self.projects[*index].1)
    }
}

/// The columns by which predecessors are ordered: project, deployment, label.
fn predecessor_key(line: &str) -> Result<(i64, i64, String)> {
    let mut words = Words::of(line);
    let key = (words.number()?, words.number()?);
    let label = words.next()?.strip_prefix('.').ok_or_else(|| damaged(line))?;
    Ok((key.0, key.1, label.to_owned()))
}

fn predecessor_of(line: &str) -> Result<Predecessor> {
    let (_, _, label) = predecessor_key(line)?;
    let mut words = Words::of(line);
    for _ in 0..3 {
        words.next()?;
    }
    Ok(Predecessor {
        label: (!label.is_empty()).then(|| AliasLabel::stored(&label)),
        deployment: words.short_id()?,
        site: words.site()?,
        retired: Timestamp::from_micros(words.number()?),
    })
}

async fn lines(tx: &Tx, sql: Sql, values: Vec<sea_orm::Value>) -> Result<String> {
    let row = tx.one(sql.of(tx.engine()), values).await?;
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

    fn short_id(&mut self) -> Result<ShortId> {
        let number = self.number()?;
        u32::try_from(number).map(ShortId).map_err(|_| damaged(self.line))
    }

    fn routed(&mut self) -> Result<RoutedDeployment> {
        Ok(RoutedDeployment { deployment: self.short_id()?, site: self.site()? })
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
