//! Lists: filtered, ordered, page by page.
//!
//! A page begins after (or ends before) a row, not at a number: the thousandth page costs what the first does, and a row
//! that is added meanwhile moves nothing. The description of an entity ([`Entity`]) says what may be asked; `columns`
//! says in which column each field is; `compile` makes the condition, `keyset` the order and the place in it. Text of a
//! client is bound to a statement and never a part of it: [`Query`] takes nothing but constants. Which rows the caller may
//! see is a part of every statement.
//!
//! What lost: numbered pages (each costs what it skips), and ORDER BY with a nullable column alone, since the databases
//! put nulls at different ends.

mod columns;
mod compile;
mod cursor;
mod keyset;
mod query;
mod reach;
mod rows;
mod total;

pub use cursor::BadCursor;
pub use reach::{Deleted, Reach};
pub use total::{COUNTED_MAX, Total};

use offprint_model::listing::{Entity, Filter, Order, Record, Value};

use crate::db::{Engine, Rows, Tx};
use crate::error::Result;
use crate::open::Store;
use crate::sql::{self, Sql};
use columns::table;
use compile::Compiler;
use cursor::{Key, Print};
use keyset::Part;
pub(crate) use query::Query;
use rows::record_of;

/// Rows of a page, at the most.
pub const PAGE_ROWS_MAX: u32 = 100;

/// What is asked of a list.
#[derive(Clone, Debug)]
pub struct ListQuery {
    /// The condition.
    pub filter: Filter,
    /// The order.
    pub order: Order,
    /// Where the page is.
    pub place: Place,
    /// How many rows; between 1 and [`PAGE_ROWS_MAX`].
    pub limit: u32,
}

/// Where a page is. The texts are cursors of the same list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// At the beginning.
    First,
    /// After a row.
    After(String),
    /// Before a row.
    Before(String),
}

/// A page of a list.
#[derive(Clone, Debug)]
pub struct ListPage {
    /// The rows, in order.
    pub items: Vec<Listing>,
    /// How many rows pass the filter, on all pages.
    pub total: Total,
    /// Whether there are rows after the last of these.
    pub has_next: bool,
    /// Whether there are rows before the first of these.
    pub has_previous: bool,
}

/// A row of a list.
#[derive(Clone, Debug)]
pub struct Listing {
    /// What it is.
    pub record: Record,
    /// The cursor of its place.
    pub cursor: String,
    /// What leads to its site, where it has one.
    pub site: Option<SitePlace>,
}

/// Where a deploy answers on this server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SitePlace {
    /// The project's name.
    pub project: String,
    /// The id of the deployment.
    pub deployment: String,
    /// Whether it is for production.
    pub production: bool,
}

impl Store {
    /// A page of what the caller may see.
    ///
    /// # Errors
    /// `BadCursor` when the cursor is not one, or of another list.
    pub async fn list(&self, reach: &Reach, entity: Entity, asked: &ListQuery) -> Result<ListPage> {
        let print = cursor::print(entity, &asked.filter, &asked.order);
        let (from, order) = self.beginning(print, asked)?;
        let backward = matches!(asked.place, Place::Before(_));
        let tx = self.db().read().await?;
        let limit = asked.limit.clamp(1, PAGE_ROWS_MAX) as usize;
        let lister = Lister { reach, entity, filter: &asked.filter };
        let mut found = lister.rows(&tx, &order, from.as_deref(), limit + 1).await?;
        let more = found.len() > limit;
        found.truncate(limit);
        // Whether there is anything on the other side: of the page, or of the cursor when the page is empty.
        let first = found.first().map(|row| row.key.as_slice()).or(from.as_deref());
        let behind = match (&from, first) {
            (Some(_), Some(first)) => lister.any_before(&tx, &order, first, found.is_empty()).await?,
            _ => false,
        };
        let (has_next, has_previous) = if backward { (behind, more) } else { (more, behind) };
        if backward {
            found.reverse();
        }
        let total = total::total(&tx, reach, entity, &asked.filter).await?;
        let mut items = Vec::with_capacity(found.len());
        for row in found {
            let cursor = cursor::write(self.keys(), print, &row.key)?;
            items.push(Listing { record: row.record, cursor, site: row.site });
        }
        for item in &mut items {
            self.finish_record(&mut item.record).await?;
        }
        Ok(ListPage { items, total, has_next, has_previous })
    }

    /// The row after which a page is looked for, and the order in which it is.
    fn beginning(&self, print: Print, asked: &ListQuery) -> Result<(Option<Vec<Key>>, Order)> {
        let key = |text: &str| cursor::read(self.keys(), print, &asked.order, text).map(Some);
        Ok(match &asked.place {
            Place::First => (None, asked.order.clone()),
            Place::After(text) => (key(text)?, asked.order.clone()),
            Place::Before(text) => (key(text)?, asked.order.reversed()),
        })
    }

    /// How the database goes about a page: a line for each step, in its own words, for whoever wants to know why a list
    /// is slow.
    ///
    /// # Errors
    /// As [`Store::list`].
    pub async fn plan_of_list(
        &self,
        reach: &Reach,
        entity: Entity,
        asked: &ListQuery,
    ) -> Result<Vec<String>> {
        let print = cursor::print(entity, &asked.filter, &asked.order);
        let (from, order) = self.beginning(print, asked)?;
        let lister = Lister { reach, entity, filter: &asked.filter };
        let engine = self.db().engine();
        // The column with the words.
        let step = match engine {
            Engine::Sqlite => 3,
            Engine::Postgres => 0,
        };
        let mut plan = Vec::new();
        for part in keyset::parts(&order, from.as_deref()) {
            let query = lister.page(engine, sql::EXPLAIN, &part, asked.limit as usize);
            for row in self.db().read().await?.all_of(query).await? {
                plan.push(row.at(step)?);
            }
        }
        Ok(plan)
    }

    /// One of what the caller may see, by its id; `None` when there is none such.
    pub async fn find(&self, reach: &Reach, entity: Entity, id: &str) -> Result<Option<Listing>> {
        let tx = self.db().read().await?;
        self.find_in(&tx, reach, entity, id).await
    }

    /// The same within a transaction.
    pub(crate) async fn find_in(
        &self,
        tx: &Tx,
        reach: &Reach,
        entity: Entity,
        id: &str,
    ) -> Result<Option<Listing>> {
        // No id has a NUL, and not every database takes one in a text.
        let Some(filter) = by_id(entity, id).filter(|_| !id.contains('\0')) else { return Ok(None) };
        let lister = Lister { reach, entity, filter: &filter };
        let order = Order::new(entity, Vec::new());
        let found = lister.rows(tx, &order, None, 1).await?.pop();
        let Some(row) = found else { return Ok(None) };
        let mut record = row.record;
        self.finish_record(&mut record).await?;
        Ok(Some(Listing { record, cursor: String::new(), site: row.site }))
    }

    /// The steps of a build or deploy, in order. The caller may see the whole: its id comes from there.
    pub async fn steps(&self, of: Entity, id: &str) -> Result<Vec<Record>> {
        rows::steps(self.db(), of, id).await
    }
}

fn by_id(entity: Entity, id: &str) -> Option<Filter> {
    Filter::eq(entity, "id", Value::Text(id.to_owned()))
}

/// A row as it was read.
struct Found {
    record: Record,
    key: Vec<Key>,
    site: Option<SitePlace>,
}

/// Asks for rows of one list.
struct Lister<'a> {
    reach: &'a Reach,
    entity: Entity,
    filter: &'a Filter,
}

impl Lister<'_> {
    /// So many rows in this order, from the beginning or after a key.
    async fn rows(&self, tx: &Tx, order: &Order, after: Option<&[Key]>, limit: usize) -> Result<Vec<Found>> {
        let mut found = Vec::new();
        for part in keyset::parts(order, after) {
            let left = limit - found.len();
            if left == 0 {
                break;
            }
            let query = self.page(tx.engine(), "SELECT ", &part, left);
            for row in tx.all_of(query).await? {
                found.push(record_of(self.entity, order, &row)?);
            }
        }
        Ok(found)
    }

    /// Whether there is a row before this key in this order; with `or_at`, or at it.
    async fn any_before(&self, tx: &Tx, order: &Order, key: &[Key], or_at: bool) -> Result<bool> {
        for part in keyset::parts(&order.reversed(), Some(key)) {
            let mut query = Query::new(tx.engine(), "SELECT 1");
            self.push_from_where(&mut query);
            part.restrict(&mut query, self.entity, or_at);
            if tx.engine() == Engine::Postgres {
                // Where many rows are expected, it would look for one from the end where none is.
                query.push(" ORDER BY ");
                part.order_by(&mut query, self.entity);
            }
            query.push(" LIMIT 1");
            if !tx.all_of(query).await?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The statement that asks for a part of a page.
    fn page(&self, engine: Engine, head: impl Into<Sql>, part: &Part<'_>, limit: usize) -> Query {
        let mut query = Query::new(engine, "");
        query.push(head);
        rows::select(&mut query, self.entity);
        self.push_from_where(&mut query);
        part.restrict(&mut query, self.entity, false);
        query.push(" ORDER BY ");
        part.order_by(&mut query, self.entity);
        query.push(" LIMIT ").push_number(limit);
        query
    }

    fn push_from_where(&self, query: &mut Query) {
        query.push(" FROM ").push(table(self.entity).name).push(" t0 WHERE ");
        self.reach.restrict(query, self.entity, "t0");
        query.push(" AND ");
        Compiler::new(query).filter(self.entity, "t0", self.filter);
    }
}
