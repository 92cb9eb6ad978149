//! What is told beside the rows of a page: how many there are in all, and whether some come before.
//!
//! Both are questions of their own. Asked in the same statement they see what it sees, and need no way to the database and
//! back.

use offprint_model::listing::Order;

use super::columns::table;
use super::cursor::Key;
use super::keyset::{self, Part};
use super::pager::Lister;
use super::query::Query;
use super::total::{Count, Total};
use crate::db::{Row, Rows};
use crate::error::Result;

/// The questions.
pub(super) struct Beside<'a> {
    lister: Lister<'a>,
    count: Count<'a>,
    /// The order of the page, the other way round.
    back: Order,
    /// After which the page begins.
    from: Option<&'a [Key]>,
}

/// The answers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    pub(super) total: Total,
    /// Whether there are rows up to where the page begins.
    pub(super) behind: bool,
}

impl<'a> Beside<'a> {
    pub(super) fn new(lister: Lister<'a>, order: &Order, from: Option<&'a [Key]>) -> Self {
        let count = Count::of(lister.reach, lister.entity, lister.filter);
        Self { lister, count, back: order.reversed(), from }
    }

    /// Writes the questions, as two columns.
    pub(super) fn write(&self, query: &mut Query) {
        query.push("(");
        self.count.write(query);
        query.push("), coalesce(");
        if let Some(from) = self.from {
            for part in keyset::parts(&self.back, Some(from)) {
                self.write_any(query, &part);
                query.push(", ");
            }
        }
        // It takes two at least.
        query.push("NULL, CAST(0 AS BIGINT))");
    }

    /// Writes whether there is a row in a part, or where it begins.
    fn write_any(&self, query: &mut Query, part: &Part<'_>) {
        let entity = self.lister.entity;
        query.push("(SELECT CAST(1 AS BIGINT) FROM ").push(table(entity).name).push(" t0");
        self.lister.restrict(query, part, true);
        // Without an order PostgreSQL would, where it expects many rows, look for one from the end where none is.
        query.push(" ORDER BY ");
        part.order_by(query, entity);
        query.push(" LIMIT 1)");
    }

    /// Reads the answers from a row, from this column on.
    pub(super) fn read(&self, row: &Row, column: usize) -> Result<Told> {
        Ok(Told { total: self.count.read(row, column)?, behind: row.at::<bool>(column + 1)? })
    }

    /// The answers where a statement has found no row; `None` when they have to be asked for, since it has looked at a part
    /// of the list only.
    pub(super) fn of_nothing(&self) -> Option<Told> {
        let nothing = Told { total: Total { rows: 0, exact: true }, behind: false };
        self.from.is_none().then_some(nothing)
    }

    /// Asks for nothing else.
    pub(super) async fn ask(&self, db: &impl Rows) -> Result<Told> {
        let mut query = Query::new(db.engine(), "SELECT ");
        self.write(&mut query);
        let rows = db.all_of(query).await?;
        rows.first().map_or(Ok(Told { total: Total { rows: 0, exact: true }, behind: false }), |row| {
            self.read(row, 0)
        })
    }
}
