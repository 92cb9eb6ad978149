//! One page: its rows, and what its statement tells beside them.

use offprint_model::listing::{Entity, Filter, Order};

use super::beside::{Beside, Told};
use super::columns::table;
use super::compile::Compiler;
use super::cursor::{Key, Print};
use super::keyset::{self, Part};
use super::query::Query;
use super::reach::Reach;
use super::rows::{self, record_of};
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
    lister: Lister<'a>,
    print: Print,
    /// That of the page, or its reverse when the page is looked for backwards.
    order: &'a Order,
    backward: bool,
    limit: usize,
    parts: Vec<Part<'a>>,
    beside: Beside<'a>,
}

impl<'a> Pager<'a> {
    /// For the page that begins at the beginning, or after a key.
    pub(super) fn new(
        lister: Lister<'a>,
        print: Print,
        order: &'a Order,
        asked: &ListQuery,
        from: Option<&'a [Key]>,
    ) -> Self {
        Self {
            lister,
            print,
            order,
            backward: matches!(asked.place, Place::Before(_)),
            limit: asked.limit.clamp(1, PAGE_ROWS_MAX) as usize,
            parts: keyset::parts(order, from),
            beside: Beside::new(lister, order, from),
        }
    }

    /// The page, when one statement gives it all.
    pub(super) async fn at_once(&self, db: &impl Rows) -> Result<Option<ListPage>> {
        let Some((part, more)) = self.parts.split_first() else { return Ok(None) };
        let (found, told) = self.rows_of(db, part, self.limit + 1, true).await?;
        let is_whole = more.is_empty() || found.len() > self.limit;
        let told = told.or(self.beside.of_nothing());
        Ok(told.filter(|_| is_whole).map(|told| self.made(found, told)))
    }

    /// The page, by as many statements as it takes.
    pub(super) async fn page(&self, db: &impl Rows) -> Result<ListPage> {
        let (mut found, mut told) = (Vec::new(), None);
        for part in &self.parts {
            let left = self.limit + 1 - found.len();
            if left == 0 {
                break;
            }
            let (rows, beside) = self.rows_of(db, part, left, told.is_none()).await?;
            found.extend(rows);
            told = told.or(beside);
        }
        let told = match told.or(self.beside.of_nothing()) {
            Some(told) => told,
            None => self.beside.ask(db).await?,
        };
        Ok(self.made(found, told))
    }

    /// So many rows of a part, and what is told beside them, if there are any.
    async fn rows_of(
        &self,
        db: &impl Rows,
        part: &Part<'_>,
        limit: usize,
        asks_beside: bool,
    ) -> Result<(Vec<Listing>, Option<Told>)> {
        let Lister { entity, .. } = self.lister;
        let beside = Some(&self.beside).filter(|_| asks_beside);
        let rows = db.all_of(self.lister.statement(db.engine(), "SELECT ", part, limit, beside)).await?;
        let told = match (beside, rows.first()) {
            (Some(beside), Some(row)) => Some(beside.read(row, rows::width(entity))?),
            _ => None,
        };
        let found: Result<_> = rows.iter().map(|row| record_of(entity, self.order, row)).collect();
        Ok((found?, told))
    }

    fn made(&self, mut items: Vec<Listing>, told: Told) -> ListPage {
        let more = items.len() > self.limit;
        items.truncate(self.limit);
        let (has_next, has_previous) = if self.backward { (told.behind, more) } else { (more, told.behind) };
        if self.backward {
            items.reverse();
        }
        ListPage { items, total: told.total, has_next, has_previous, print: self.print }
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

    /// The statement that asks for a part of a page; what is told beside it comes last in each row.
    pub(super) fn statement(
        &self,
        engine: Engine,
        head: impl Into<Sql>,
        part: &Part<'_>,
        limit: usize,
        beside: Option<&Beside<'_>>,
    ) -> Query {
        let mut query = Query::new(engine, "");
        query.push(head);
        rows::select(&mut query, self.entity);
        if let Some(beside) = beside {
            query.push(", ");
            beside.write(&mut query);
        }
        query.push(" FROM ").push(table(self.entity).name).push(" t0");
        rows::join(&mut query, self.entity);
        self.restrict(&mut query, part, false);
        query.push(" ORDER BY ");
        part.order_by(&mut query, self.entity);
        query.push(" LIMIT ").push_number(limit);
        query
    }

    /// Writes which rows are of the list, and of a part of it; with `or_at`, also the one after which that begins.
    pub(super) fn restrict(&self, query: &mut Query, part: &Part<'_>, or_at: bool) {
        query.push(" WHERE ");
        self.reach.restrict(query, self.entity, "t0");
        query.push(" AND ");
        Compiler::new(query).filter(self.entity, "t0", self.filter);
        part.restrict(query, self.entity, or_at);
    }
}
