//! One page: its rows, how many there are in all, and what is on its other side.

use offprint_model::listing::{Entity, Filter, Order};

use super::columns::table;
use super::compile::Compiler;
use super::cursor::{Key, Print};
use super::keyset::{self, Part};
use super::query::Query;
use super::reach::Reach;
use super::rows::{self, record_of};
use super::total::{Count, Total};
use super::{ListPage, ListQuery, Listing, PAGE_ROWS_MAX, Place};
use crate::db::{Engine, Rows};
use crate::error::Result;
use crate::sql::Sql;

/// Asks for rows of one list.
#[derive(Clone, Copy)]
pub(super) struct Lister<'a> {
    pub(super) reach: &'a Reach,
    pub(super) entity: Entity,
    pub(super) filter: &'a Filter,
}

/// Asks for a page of one list.
pub(super) struct Pager<'a> {
    pub(super) lister: Lister<'a>,
    pub(super) print: Print,
    /// That of the page, or its reverse when the page is looked for backwards.
    pub(super) order: &'a Order,
}

impl Pager<'_> {
    /// The page that begins at the beginning, or after a key.
    pub(super) async fn page(
        &self,
        db: &impl Rows,
        asked: &ListQuery,
        from: Option<&[Key]>,
    ) -> Result<ListPage> {
        let backward = matches!(asked.place, Place::Before(_));
        let limit = asked.limit.clamp(1, PAGE_ROWS_MAX) as usize;
        let (mut items, total) = self.counted_rows(db, from, limit + 1).await?;
        let more = items.len() > limit;
        items.truncate(limit);
        // Whether there is anything on the other side: of the page, or of the cursor when the page is empty.
        let first = items.first().map(|row| row.key.as_slice()).or(from);
        let behind = match (from, first) {
            (Some(_), Some(first)) => self.lister.any_before(db, self.order, first, items.is_empty()).await?,
            _ => false,
        };
        let (has_next, has_previous) = if backward { (behind, more) } else { (more, behind) };
        if backward {
            items.reverse();
        }
        Ok(ListPage { items, total, has_next, has_previous, print: self.print })
    }

    /// So many rows, and how many there are in all: asked for along with the rows, if there are any.
    async fn counted_rows(
        &self,
        db: &impl Rows,
        from: Option<&[Key]>,
        limit: usize,
    ) -> Result<(Vec<Listing>, Total)> {
        let Lister { reach, entity, filter } = self.lister;
        let count = Count::of(reach, entity, filter);
        let (mut found, mut total) = (Vec::new(), None);
        for part in keyset::parts(self.order, from) {
            let left = limit - found.len();
            if left == 0 {
                break;
            }
            let count = Some(&count).filter(|_| total.is_none());
            let statement = self.lister.statement(db.engine(), "SELECT ", &part, left, count);
            let rows = db.all_of(statement).await?;
            if let (Some(count), Some(row)) = (count, rows.first()) {
                total = Some(count.read(row, rows::width(entity))?);
            }
            for row in &rows {
                found.push(record_of(entity, self.order, row)?);
            }
        }
        let total = match total {
            Some(total) => total,
            // Of all rows there is none.
            None if from.is_none() => Total { rows: 0, exact: true },
            None => count.ask(db).await?,
        };
        Ok((found, total))
    }
}

impl Lister<'_> {
    /// The first row in this order.
    pub(super) async fn first(&self, db: &impl Rows, order: &Order) -> Result<Option<Listing>> {
        for part in keyset::parts(order, None) {
            let rows = db.all_of(self.statement(db.engine(), "SELECT ", &part, 1, None)).await?;
            if let Some(row) = rows.first() {
                return record_of(self.entity, order, row).map(Some);
            }
        }
        Ok(None)
    }

    /// Whether there is a row before this key in this order; with `or_at`, or at it.
    async fn any_before(&self, db: &impl Rows, order: &Order, key: &[Key], or_at: bool) -> Result<bool> {
        for part in keyset::parts(&order.reversed(), Some(key)) {
            let mut query = Query::new(db.engine(), "SELECT 1");
            query.push(" FROM ").push(table(self.entity).name).push(" t0");
            self.push_where(&mut query);
            part.restrict(&mut query, self.entity, or_at);
            if db.engine() == Engine::Postgres {
                // Where many rows are expected, it would look for one from the end where none is.
                query.push(" ORDER BY ");
                part.order_by(&mut query, self.entity);
            }
            query.push(" LIMIT 1");
            if !db.all_of(query).await?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The statement that asks for a part of a page; with a count, its number comes last in each row.
    pub(super) fn statement(
        &self,
        engine: Engine,
        head: impl Into<Sql>,
        part: &Part<'_>,
        limit: usize,
        count: Option<&Count<'_>>,
    ) -> Query {
        let mut query = Query::new(engine, "");
        query.push(head);
        rows::select(&mut query, self.entity);
        if let Some(count) = count {
            query.push(", (");
            count.write(&mut query);
            query.push(")");
        }
        query.push(" FROM ").push(table(self.entity).name).push(" t0");
        rows::join(&mut query, self.entity);
        self.push_where(&mut query);
        part.restrict(&mut query, self.entity, false);
        query.push(" ORDER BY ");
        part.order_by(&mut query, self.entity);
        query.push(" LIMIT ").push_number(limit);
        query
    }

    fn push_where(&self, query: &mut Query) {
        query.push(" WHERE ");
        self.reach.restrict(query, self.entity, "t0");
        query.push(" AND ");
        Compiler::new(query).filter(self.entity, "t0", self.filter);
    }
}
