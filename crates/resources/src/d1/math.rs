//! SQL's mathematical functions. The real service has them, and our build of SQLite leaves them out.
//!
//! As in SQLite: what is no number gives NULL, and so does a result that is none.

use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, Result};

type OfOne = fn(f64) -> f64;
type OfTwo = fn(f64, f64) -> f64;

const OF_ONE: [(&str, OfOne); 20] = [
    ("acos", f64::acos),
    ("acosh", f64::acosh),
    ("asin", f64::asin),
    ("asinh", f64::asinh),
    ("atan", f64::atan),
    ("atanh", f64::atanh),
    ("cos", f64::cos),
    ("cosh", f64::cosh),
    ("degrees", f64::to_degrees),
    ("exp", f64::exp),
    ("ln", f64::ln),
    ("log", f64::log10),
    ("log10", f64::log10),
    ("log2", f64::log2),
    ("radians", f64::to_radians),
    ("sin", f64::sin),
    ("sinh", f64::sinh),
    ("sqrt", f64::sqrt),
    ("tan", f64::tan),
    ("tanh", f64::tanh),
];

const OF_TWO: [(&str, OfTwo); 5] = [
    ("atan2", f64::atan2),
    ("log", |base, number| number.ln() / base.ln()),
    ("mod", |a, b| a % b),
    ("pow", f64::powf),
    ("power", f64::powf),
];

/// Whole numbers stay what they are.
const ROUNDING: [(&str, OfOne); 4] =
    [("ceil", f64::ceil), ("ceiling", f64::ceil), ("floor", f64::floor), ("trunc", f64::trunc)];

/// Gives a connection these functions.
pub(super) fn add(connection: &Connection) -> Result<()> {
    // Innocuous: views and indexes of anybody may use them.
    let flags =
        FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_INNOCUOUS;
    for (name, function) in OF_ONE {
        connection.create_scalar_function(name, 1, flags, move |context| {
            Ok(number(context, 0).map(function).and_then(known))
        })?;
    }
    for (name, function) in OF_TWO {
        connection.create_scalar_function(name, 2, flags, move |context| {
            let numbers = number(context, 0).zip(number(context, 1));
            Ok(numbers.map(|(a, b)| function(a, b)).and_then(known))
        })?;
    }
    for (name, function) in ROUNDING {
        connection.create_scalar_function(name, 1, flags, move |context| match context.get_raw(0) {
            ValueRef::Integer(whole) => Ok(Value::Integer(whole)),
            _ => Ok(number(context, 0).map_or(Value::Null, |real| Value::Real(function(real)))),
        })?;
    }
    connection.create_scalar_function("pi", 0, flags, |_| Ok(std::f64::consts::PI))
}

fn number(context: &Context<'_>, n: usize) -> Option<f64> {
    match context.get_raw(n) {
        ValueRef::Integer(whole) => Some(whole as f64),
        ValueRef::Real(real) => Some(real),
        ValueRef::Text(text) => {
            std::str::from_utf8(text).ok()?.trim().parse().ok().filter(|n: &f64| n.is_finite())
        }
        ValueRef::Null | ValueRef::Blob(_) => None,
    }
}

fn known(number: f64) -> Option<f64> {
    (!number.is_nan()).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_give_numbers_or_null() {
        let connection = Connection::open_in_memory().unwrap();
        add(&connection).unwrap();
        for (sql, expected) in [
            ("sqrt(4)", Value::Real(2.0)),
            ("sqrt(-1)", Value::Null),
            ("pow(2, 10)", Value::Real(1024.0)),
            ("ceil(1.2)", Value::Real(2.0)),
            ("floor(7)", Value::Integer(7)),
            ("trunc(-1.5)", Value::Real(-1.0)),
            ("log(100)", Value::Real(2.0)),
            ("log(2, 8)", Value::Real(3.0)),
            ("mod(7, 4)", Value::Real(3.0)),
            ("degrees(pi())", Value::Real(180.0)),
            ("sin('0')", Value::Real(0.0)),
            ("sin('x')", Value::Null),
            ("sin(NULL)", Value::Null),
        ] {
            let found: Value = connection.query_row(&format!("SELECT {sql}"), [], |row| row.get(0)).unwrap();
            assert_eq!(found, expected, "{sql}");
        }
    }
}
