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
use crate::db::Row;
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

/// The question how many rows there are.
pub(super) struct Count<'a> {
    reach: &'a Reach,
    entity: Entity,
    filter: &'a Filter,
    /// What the counters answer, if they do.
    tally: Option<Tally<'a>>,
}

impl<'a> Count<'a> {
    pub(super) fn of(reach: &'a Reach, entity: Entity, filter: &'a Filter) -> Self {
        Self { reach, entity, filter, tally: Tally::of(reach, entity, filter) }
    }

    /// Writes the statement, which gives one number.
    pub(super) fn write(&self, query: &mut Query) {
        if let Some(tally) = &self.tally {
            return tally.write(query, self.reach);
        }
        query.push("SELECT count(*) FROM (SELECT 1 FROM ").push(table(self.entity).name).push(" t0 WHERE ");
        self.reach.restrict(query, self.entity, "t0");
        query.push(" AND ");
        Compiler::new(query).filter(self.entity, "t0", self.filter);
        query.push(" LIMIT ").push_number(COUNTED_MAX + 1).push(") counted");
    }

    /// Reads the number from a row of an answer.
    pub(super) fn read(&self, row: &Row, column: usize) -> Result<Total> {
        let rows = u64::try_from(row.at::<i64>(column)?).unwrap_or_default();
        let most = COUNTED_MAX as u64;
        Ok(match self.tally {
            Some(_) => Total { rows, exact: true },
            None => Total { rows: rows.min(most), exact: rows <= most },
        })
    }
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

    fn write(&self, query: &mut Query, reach: &Reach) {
        query.push("SELECT CAST(coalesce(sum(n), 0) AS BIGINT) FROM tally WHERE kind = ");
        query.bind(self.kind).push(" AND account_seq");
        one_of(query, &reach.accounts);
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
    }
}
