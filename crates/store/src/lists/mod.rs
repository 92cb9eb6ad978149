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

mod beside;
mod columns;
mod compile;
mod cursor;
mod keyset;
mod pager;
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
use crate::sql;
use cursor::{Key, Print};
use pager::{Lister, Pager};
pub(crate) use query::Query;

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
    print: Print,
}

/// A row of a list.
#[derive(Clone, Debug)]
pub struct Listing {
    /// What it is.
    pub record: Record,
    /// What leads to its site, where it has one.
    pub site: Option<SitePlace>,
    /// Its place in the order that was asked for.
    key: Vec<Key>,
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
        let lister = Lister { reach, entity, filter: &asked.filter };
        let pager = Pager::new(lister, print, &order, asked, from.as_deref());
        // A single statement sees one state by itself; a transaction around it costs as much as it does.
        let mut page = match pager.at_once(self.db()).await? {
            Some(page) => page,
            None => pager.page(&self.db().read().await?).await?,
        };
        for item in &mut page.items {
            self.finish_record(&mut item.record).await?;
        }
        Ok(page)
    }

    /// The cursor of the place of a row of a page.
    ///
    /// # Errors
    /// `Corrupt` when the keys cannot be written, which those of a page can.
    pub fn cursor(&self, page: &ListPage, row: &Listing) -> Result<String> {
        cursor::write(self.keys(), page.print, &row.key)
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
            let query = lister.statement(engine, sql::EXPLAIN, &part, asked.limit as usize, None);
            for row in self.db().all_of(query).await? {
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
        let Some(mut found) = lister.first(tx, &order).await? else { return Ok(None) };
        self.finish_record(&mut found.record).await?;
        Ok(Some(found))
    }

    /// The steps of a build or deploy, in order. The caller may see the whole: its id comes from there.
    pub async fn steps(&self, of: Entity, id: &str) -> Result<Vec<Record>> {
        rows::steps(self.db(), of, id).await
    }
}

fn by_id(entity: Entity, id: &str) -> Option<Filter> {
    Filter::eq(entity, "id", Value::Text(id.to_owned()))
}
