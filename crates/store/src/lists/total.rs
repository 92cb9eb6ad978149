//! How many rows pass a filter.
//!
//! Deploys and builds of a workspace or an app, by status and trigger, and the events of a workspace, are counted by the
//! database as they come and go (the table `tally`), so they cost a look. Whatever else is asked is counted row by row,
//! up to [`COUNTED_MAX`]: nobody reads on from there by number.

use offprint_model::listing::{Entity, Filter, Test, Value};

use super::columns::table;
use super::compile::Compiler;
use super::query::Query;
use super::reach::{Reach, one_of};
use crate::db::{Engine, Rows, Tx};
use crate::error::Result;

/// Up to so many rows are counted one by one.
pub const COUNTED_MAX: usize = 10_000;

/// How many rows there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Total {
    /// So many.
    pub rows: u64,
    /// Whether there are no more.
    pub exact: bool,
}

pub(super) async fn total(tx: &Tx, reach: &Reach, entity: Entity, filter: &Filter) -> Result<Total> {
    if let Some(tally) = Tally::of(reach, entity, filter) {
        let rows = first_number(tx, tally.query(tx.engine(), reach)).await?;
        return Ok(Total { rows, exact: true });
    }
    let mut query = Query::new(tx.engine(), "SELECT count(*) FROM (SELECT 1 FROM ");
    query.push(table(entity).name).push(" t0 WHERE ");
    reach.restrict(&mut query, entity, "t0");
    query.push(" AND ");
    Compiler::new(&mut query).filter(entity, "t0", filter);
    query.push(" LIMIT ").push_number(COUNTED_MAX + 1).push(") counted");
    let rows = first_number(tx, query).await?;
    let most = COUNTED_MAX as u64;
    Ok(Total { rows: rows.min(most), exact: rows <= most })
}

async fn first_number(tx: &Tx, query: Query) -> Result<u64> {
    let rows = tx.all_of(query).await?;
    let number = rows.first().map(|row| row.at::<i64>(0)).transpose()?.unwrap_or_default();
    Ok(u64::try_from(number).unwrap_or_default())
}

/// A question that the counters answer.
#[derive(Default)]
struct Tally<'a> {
    kind: &'static str,
    app: Option<&'a str>,
    statuses: Option<Vec<&'a str>>,
    prompt: Option<&'a str>,
}

impl<'a> Tally<'a> {
    fn of(reach: &Reach, entity: Entity, filter: &'a Filter) -> Option<Self> {
        if !reach.is_whole() {
            return None;
        }
        let kind = match entity {
            Entity::Deploy => "deploy",
            Entity::Build => "build",
            Entity::Event => "event",
            _ => return None,
        };
        let mut tally = Self { kind, ..Self::default() };
        tally.take(filter).then_some(tally)
    }

    /// Whether the counters know what this asks for. Each of a few fields may be asked for once, all of them together.
    fn take(&mut self, filter: &'a Filter) -> bool {
        let (field, test) = match filter {
            Filter::All(all) => return all.iter().all(|filter| self.take(filter)),
            Filter::Field(field, test) if self.kind != "event" => (field.name, test),
            _ => return false,
        };
        match (field, test) {
            ("entityId", Test::Eq(Value::Text(app))) if self.app.is_none() => self.app = Some(app),
            ("trigger", Test::Eq(Value::Text(word))) if self.prompt.is_none() => self.prompt = Some(word),
            ("status", Test::Eq(Value::Text(word))) if self.statuses.is_none() => {
                self.statuses = Some(vec![word]);
            }
            ("status", Test::In(words)) if self.statuses.is_none() => {
                let texts = words.iter().filter_map(|word| match word {
                    Value::Text(text) => Some(text.as_str()),
                    _ => None,
                });
                self.statuses = Some(texts.collect());
            }
            _ => return false,
        }
        true
    }

    fn query(&self, engine: Engine, reach: &Reach) -> Query {
        let mut query =
            Query::new(engine, "SELECT CAST(coalesce(sum(n), 0) AS BIGINT) FROM tally WHERE kind = ");
        query.bind(self.kind).push(" AND account_seq");
        one_of(&mut query, &reach.accounts);
        match self.app {
            None => query.push(" AND project_seq = 0"),
            Some(app) => query
                .push(" AND project_seq = (SELECT seq FROM project WHERE public_id = ")
                .bind(app)
                .push(")"),
        };
        if let Some(statuses) = &self.statuses {
            query.push(" AND status IN ").bind_all(statuses.iter().copied());
        }
        if let Some(prompt) = self.prompt {
            query.push(" AND prompt = ").bind(prompt);
        }
        query
    }
}
