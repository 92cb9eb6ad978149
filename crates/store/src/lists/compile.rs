//! From a filter to a condition.
//!
//! Negations are pushed down to the tests, so that the condition has only AND, OR and tests: there, SQL's "unknown" does
//! what "no" does. A negated test of a field that may be absent says what it means for null.

use offprint_model::listing::{Entity, Field, Filter, Quantifier, Relation, Test, Value};
use offprint_model::time::Timestamp;

use super::columns::{Column, column, table};
use super::query::Query;
use crate::sql;

/// Names of rows, by how deep the relation is through which one came to them.
const ROWS: [&str; 9] = ["t0", "t1", "t2", "t3", "t4", "t5", "t6", "t7", "t8"];
const MICROS_A_MILLI: i64 = 1000;

/// Writes a filter into a statement.
pub(super) struct Compiler<'a> {
    query: &'a mut Query,
    depth: usize,
}

impl<'a> Compiler<'a> {
    pub(super) const fn new(query: &'a mut Query) -> Self {
        Self { query, depth: 0 }
    }

    /// Writes the condition on a row.
    pub(super) fn filter(&mut self, entity: Entity, row: &'static str, filter: &Filter) {
        self.write(entity, row, filter, false);
    }

    fn write(&mut self, entity: Entity, row: &'static str, filter: &Filter, negated: bool) {
        match (filter, negated) {
            (Filter::All(all), false) | (Filter::Any(all), true) => {
                self.join(entity, row, all, negated, " AND ", "1 = 1");
            }
            (Filter::Any(all), false) | (Filter::All(all), true) => {
                self.join(entity, row, all, negated, " OR ", "1 = 0");
            }
            (Filter::Not(inner), _) => self.write(entity, row, inner, !negated),
            (Filter::Field(field, test), _) => self.test(entity, row, field, test, negated),
            (Filter::Related(relation, quantifier, inner), _) => {
                self.related(entity, row, relation, (*quantifier, negated), inner);
            }
        }
    }

    fn join(
        &mut self,
        entity: Entity,
        row: &'static str,
        all: &[Filter],
        negated: bool,
        between: &'static str,
        none: &'static str,
    ) {
        self.query.push("(");
        for (n, filter) in all.iter().enumerate() {
            if n > 0 {
                self.query.push(between);
            }
            self.write(entity, row, filter, negated);
        }
        if all.is_empty() {
            self.query.push(none);
        }
        self.query.push(")");
    }

    fn related(
        &mut self,
        entity: Entity,
        row: &'static str,
        relation: &Relation,
        (quantifier, negated): (Quantifier, bool),
        inner: &Filter,
    ) {
        self.depth = (self.depth + 1).min(ROWS.len() - 1);
        let other = ROWS[self.depth];
        let (exists, inner_negated) = match quantifier {
            Quantifier::Some => (true, false),
            Quantifier::None => (false, false),
            Quantifier::Every => (false, true),
        };
        let (theirs, ours) = link(entity, relation);
        let to = table(relation.to);
        self.query.push(if exists == negated {
            "NOT EXISTS (SELECT 1 FROM "
        } else {
            "EXISTS (SELECT 1 FROM "
        });
        self.query.push(to.name).push(" ").push(other).push(" WHERE ");
        self.query
            .push(other)
            .push(".")
            .push(theirs)
            .push(" = ")
            .push(row)
            .push(".")
            .push(ours)
            .push(" AND ");
        if let Some(there) = to.there {
            super::columns::write_computed(self.query, there, other);
            self.query.push(" AND ");
        }
        self.write(relation.to, other, inner, inner_negated);
        self.query.push(")");
        self.depth -= 1;
    }

    fn test(&mut self, entity: Entity, row: &'static str, field: &Field, test: &Test, negated: bool) {
        let column = column(entity, field);
        let (test, negated) = match test {
            Test::Ne(value) => (Test::Eq(value.clone()), !negated),
            Test::NotIn(values) => (Test::In(values.clone()), !negated),
            Test::NotLike(pattern) => (Test::Like(pattern.clone()), !negated),
            Test::IsNotNull => (Test::IsNull, !negated),
            other => (other.clone(), negated),
        };
        if test == Test::IsNull {
            column.write(self.query, row);
            self.query.push(if negated { " IS NOT NULL" } else { " IS NULL" });
            return;
        }
        if !negated {
            return self.positive(column, row, &test, true);
        }
        self.query.push("(");
        if field.nullable {
            column.write(self.query, row);
            self.query.push(" IS NULL OR ");
        }
        self.query.push("NOT ");
        self.positive(column, row, &test, false);
        self.query.push(")");
    }

    /// Writes a test that null does not pass. `seek`: the number of what a field refers to may be looked up, which lets
    /// an index be used; it must not be negated then, since there may be no such number.
    fn positive(&mut self, column: Column, row: &'static str, test: &Test, seek: bool) {
        self.query.push("(");
        match test {
            Test::Eq(value) => self.one_of(column, row, std::slice::from_ref(value), seek),
            Test::In(values) => self.one_of(column, row, values, seek),
            Test::Gt(Value::Time(time)) => {
                self.compare(column, row, " >= ", &Value::Time(after(floor(*time))))
            }
            Test::Gte(Value::Time(time)) => self.compare(column, row, " >= ", &Value::Time(ceiling(*time))),
            Test::Lt(Value::Time(time)) => self.compare(column, row, " < ", &Value::Time(ceiling(*time))),
            Test::Lte(Value::Time(time)) => {
                self.compare(column, row, " < ", &Value::Time(after(floor(*time))))
            }
            Test::Gt(value) => self.compare(column, row, " > ", value),
            Test::Gte(value) => self.compare(column, row, " >= ", value),
            Test::Lt(value) => self.compare(column, row, " < ", value),
            Test::Lte(value) => self.compare(column, row, " <= ", value),
            Test::Like(pattern) => {
                self.query.push(if pattern.ignores_case { "lower(" } else { "(" });
                column.write(self.query, row);
                let like = sql::like_pattern(self.query.engine(), pattern);
                self.query.push(")").push(sql::LIKE).bind(like);
            }
            // The others were turned around before.
            Test::Ne(_) | Test::NotIn(_) | Test::NotLike(_) | Test::IsNull | Test::IsNotNull => {
                self.query.push("1 = 0");
            }
        }
        self.query.push(")");
    }

    fn one_of(&mut self, column: Column, row: &'static str, values: &[Value], seek: bool) {
        if values.is_empty() {
            self.query.push("1 = 0");
            return;
        }
        if values.iter().any(|value| matches!(value, Value::Time(_))) {
            return self.one_of_times(column, row, values);
        }
        match column {
            Column::Reference { key, table, id } if seek => {
                self.query.push(row).push(".").push(key);
                let many = values.len() > 1;
                self.query.push(if many { " IN (SELECT r.seq FROM " } else { " = (SELECT r.seq FROM " });
                self.query.push(table).push(" r WHERE r.").push(id);
                self.equal(values);
                self.query.push(")");
            }
            Column::Plain(_) | Column::Reference { .. } | Column::Computed(_) => {
                column.write(self.query, row);
                self.equal(values);
            }
        }
    }

    fn equal(&mut self, values: &[Value]) {
        match values {
            [one] => self.query.push(" = ").bind(one),
            many => self.query.push(" IN ").bind_all(many),
        };
    }

    /// A time is the same as another when both are shown so: within the same millisecond.
    fn one_of_times(&mut self, column: Column, row: &'static str, values: &[Value]) {
        for (n, value) in values.iter().enumerate() {
            if n > 0 {
                self.query.push(" OR ");
            }
            match value {
                Value::Time(time) if floor(*time) == *time => {
                    self.query.push("(");
                    self.compare(column, row, " >= ", value);
                    self.query.push(" AND ");
                    self.compare(column, row, " < ", &Value::Time(after(*time)));
                    self.query.push(")");
                }
                // Nothing is shown with more digits.
                _ => drop(self.query.push("1 = 0")),
            }
        }
    }

    fn compare(&mut self, column: Column, row: &'static str, operator: &'static str, value: &Value) {
        column.write(self.query, row);
        self.query.push(operator).bind(value);
    }
}

/// The column there, and the one here, that say what is related.
fn link(entity: Entity, relation: &Relation) -> (&'static str, &'static str) {
    match (entity, relation.to) {
        (_, Entity::Workspace) => ("seq", "account_seq"),
        (_, Entity::App) => ("seq", "project_seq"),
        (Entity::App, _) => ("project_seq", "seq"),
        (Entity::Deploy, Entity::Build) => ("seq", "build_seq"),
        (Entity::Build, Entity::Deploy) => ("build_seq", "seq"),
        (_, to) => (table(to).key, "seq"),
    }
}

fn floor(time: Timestamp) -> Timestamp {
    Timestamp::from_micros(time.as_micros().div_euclid(MICROS_A_MILLI).saturating_mul(MICROS_A_MILLI))
}

fn ceiling(time: Timestamp) -> Timestamp {
    if floor(time) == time { time } else { after(floor(time)) }
}

/// The next millisecond.
fn after(time: Timestamp) -> Timestamp {
    Timestamp::from_micros(time.as_micros().saturating_add(MICROS_A_MILLI))
}
