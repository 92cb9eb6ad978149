//! The bounded way to match: a table of which suffix each run of tokens can still match.

use super::{Token, reach};

/// Matches like the backtracking search, in time bounded by path length times rule length.
///
/// On success `ends` holds the end of each token, the same greedy choice that backtracking makes.
pub(super) fn match_bounded(tokens: &[Token], subject: &str, ends: &mut Vec<usize>) -> bool {
    // Row t: can tokens[t..] match subject[position..] to its end?
    let mut rows = Rows::new(tokens.len() + 1, subject.len() + 1);
    rows.set(tokens.len(), subject.len());
    for (row, token) in tokens.iter().enumerate().rev() {
        fill_row(&mut rows, row, token, subject);
    }
    if !rows.get(0, 0) {
        return false;
    }
    let mut start = 0;
    for (row, token) in tokens.iter().enumerate() {
        let last = start + reach(token, subject, start);
        let first = match token {
            Token::Literal(_) => last,
            Token::Name { .. } => start + 1,
            Token::Splat => start,
        };
        let Some(end) = (first..=last).rev().find(|end| rows.get(row + 1, *end)) else { return false };
        ends.push(end);
        start = end;
    }
    true
}

fn fill_row(rows: &mut Rows, row: usize, token: &Token, subject: &str) {
    let bytes = subject.as_bytes();
    // For wildcards: whether an end that leads on lies at or after the position, within their reach.
    let mut leads_on = false;
    for start in (0..=bytes.len()).rev() {
        let matches = match token {
            Token::Literal(literal) => {
                bytes[start..].starts_with(literal.as_bytes()) && rows.get(row + 1, start + literal.len())
            }
            Token::Splat => {
                leads_on |= rows.get(row + 1, start);
                leads_on
            }
            Token::Name { in_host, .. } => {
                let stops = bytes.get(start).is_none_or(|byte| *byte == b'/' || (*in_host && *byte == b'.'));
                // The character here belongs to the name, which may end right behind it or later.
                leads_on = !stops && (leads_on || rows.get(row + 1, start + 1));
                leads_on
            }
        };
        if matches && subject.is_char_boundary(start) {
            rows.set(row, start);
        }
    }
}

/// One bit for each row and position: long rules against long paths stay within a few megabytes.
struct Rows {
    bits: Vec<u64>,
    width: usize,
}

impl Rows {
    fn new(rows: usize, width: usize) -> Self {
        Self { bits: vec![0; (rows * width).div_ceil(64)], width }
    }

    fn get(&self, row: usize, position: usize) -> bool {
        let at = row * self.width + position;
        self.bits[at / 64] >> (at % 64) & 1 == 1
    }

    fn set(&mut self, row: usize, position: usize) {
        let at = row * self.width + position;
        self.bits[at / 64] |= 1 << (at % 64);
    }
}
