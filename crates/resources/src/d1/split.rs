//! Where one statement ends and the next begins.
//!
//! By the rules of SQLite's own `sqlite3_complete`: a semicolon outside of texts, quoted names and comments ends a
//! statement, but within `CREATE TRIGGER` only one behind `END` does. Works on pieces, so that a file of any length is
//! cut with the memory of its longest statement.

/// Where the words of a statement have led; the names are those of SQLite's documentation of the same rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Start,
    Normal,
    Explain,
    Create,
    Trigger,
    TriggerSemicolon,
    TriggerEnd,
}

/// What stands around the next byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Inside {
    #[default]
    Code,
    /// A text or a quoted name, up to this byte.
    Quotes(u8),
    LineComment,
    BlockComment,
}

/// Cuts SQL into statements.
#[derive(Debug, Default)]
pub(super) struct Splitter {
    /// What has been given and is not cut off yet.
    text: Vec<u8>,
    /// How much of it has been looked at.
    seen: usize,
    state: State,
    inside: Inside,
    /// Whether there is more than blanks and comments so far.
    is_statement: bool,
}

impl Splitter {
    /// Adds what follows.
    pub(super) fn push(&mut self, text: &[u8]) {
        self.text.extend_from_slice(text);
    }

    /// How much waits for its end.
    pub(super) fn pending(&self) -> usize {
        self.text.len()
    }

    /// The next statement that is complete. `None`: more is needed; at the `end` of everything, nothing is left.
    pub(super) fn next(&mut self, end: bool) -> Option<Vec<u8>> {
        while self.seen < self.text.len() {
            let complete = self.look(end)?;
            if complete {
                let is_statement = std::mem::take(&mut self.is_statement);
                let statement: Vec<u8> = self.text.drain(..self.seen).collect();
                (self.seen, self.state) = (0, State::Start);
                if is_statement {
                    return Some(statement);
                }
            }
        }
        if !end || !self.is_statement {
            return None;
        }
        self.is_statement = false;
        (self.seen, self.state, self.inside) = (0, State::Start, Inside::Code);
        Some(std::mem::take(&mut self.text))
    }

    /// Looks at one more token, and says whether a statement ends behind it. `None`: the token may go on.
    fn look(&mut self, end: bool) -> Option<bool> {
        let rest = &self.text[self.seen..];
        match self.inside {
            Inside::Quotes(quote) => self.skip(rest.iter().position(|byte| *byte == quote), 1),
            Inside::LineComment => self.skip(rest.iter().position(|byte| *byte == b'\n'), 1),
            Inside::BlockComment => {
                let found = rest.windows(2).position(|pair| pair == b"*/");
                // The last byte may be half of the end.
                if found.is_none() && !end {
                    self.seen = (self.text.len() - 1).max(self.seen);
                    return None;
                }
                self.skip(found, 2);
            }
            Inside::Code => return self.look_at_code(end),
        }
        Some(false)
    }

    /// Goes on behind what was found, or to the end of what there is.
    fn skip(&mut self, found: Option<usize>, length: usize) {
        match found {
            Some(at) => {
                self.seen += at + length;
                self.inside = Inside::Code;
            }
            None => self.seen = self.text.len(),
        }
    }

    fn look_at_code(&mut self, end: bool) -> Option<bool> {
        let rest = &self.text[self.seen..];
        let pair = rest.get(1);
        // A comment begins with two bytes, and a word ends where the next byte is none of it.
        if !end && pair.is_none() && (rest[0] == b'-' || rest[0] == b'/') {
            return None;
        }
        match (rest[0], pair) {
            (b';', _) => {
                self.seen += 1;
                let (state, complete) = self.state.semicolon();
                self.state = state;
                return Some(complete);
            }
            (b'-', Some(b'-')) => (self.seen, self.inside) = (self.seen + 2, Inside::LineComment),
            (b'/', Some(b'*')) => (self.seen, self.inside) = (self.seen + 2, Inside::BlockComment),
            (quote @ (b'\'' | b'"' | b'`'), _) => self.quoted(quote),
            (b'[', _) => self.quoted(b']'),
            (byte, _) if is_of_word(byte) => {
                let length = rest.iter().position(|byte| !is_of_word(*byte));
                if length.is_none() && !end {
                    return None;
                }
                let length = length.unwrap_or(rest.len());
                self.state = self.state.word(&rest[..length]);
                (self.seen, self.is_statement) = (self.seen + length, true);
            }
            (byte, _) if byte.is_ascii_whitespace() || byte == 0x0b => self.seen += 1,
            _ => self.other(1),
        }
        Some(false)
    }

    fn quoted(&mut self, quote: u8) {
        self.other(1);
        self.inside = Inside::Quotes(quote);
    }

    fn other(&mut self, length: usize) {
        self.state = self.state.word(b"");
        (self.seen, self.is_statement) = (self.seen + length, true);
    }
}

impl State {
    /// Behind a semicolon, and whether it ends the statement.
    const fn semicolon(self) -> (Self, bool) {
        match self {
            Self::Trigger | Self::TriggerSemicolon => (Self::TriggerSemicolon, false),
            Self::Start | Self::Normal | Self::Explain | Self::Create | Self::TriggerEnd => {
                (Self::Start, true)
            }
        }
    }

    /// Behind a word; an empty one stands for anything else.
    fn word(self, word: &[u8]) -> Self {
        let is = |keyword: &str| word.eq_ignore_ascii_case(keyword.as_bytes());
        match self {
            Self::Start if is("create") => Self::Create,
            Self::Start if is("explain") => Self::Explain,
            Self::Explain if is("create") => Self::Create,
            // EXPLAIN QUERY PLAN CREATE …
            Self::Explain if is("query") || is("plan") => Self::Explain,
            Self::Create if is("temp") || is("temporary") => Self::Create,
            Self::Create if is("trigger") => Self::Trigger,
            Self::TriggerSemicolon if is("end") => Self::TriggerEnd,
            Self::Trigger | Self::TriggerSemicolon | Self::TriggerEnd => Self::Trigger,
            Self::Start | Self::Normal | Self::Explain | Self::Create => Self::Normal,
        }
    }
}

const fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

/// The statements of a text.
pub(super) fn statements(sql: &str) -> Vec<String> {
    let mut splitter = Splitter::default();
    splitter.push(sql.as_bytes());
    let mut found = Vec::new();
    while let Some(statement) = splitter.next(true) {
        // Cut at ASCII characters, so still UTF-8.
        found.push(String::from_utf8_lossy(&statement).into_owned());
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn statements_end_at_semicolons_that_count() {
        for (sql, expected) in [
            ("", &[][..]),
            (" -- nothing\n; /* ; */ ;", &[]),
            ("SELECT 1", &["SELECT 1"]),
            ("SELECT 1; SELECT 2 ;\n", &["SELECT 1;", " SELECT 2 ;"]),
            ("SELECT ';', \";\", `;`, [;] -- ;\n; x", &["SELECT ';', \";\", `;`, [;] -- ;\n;", " x"]),
            ("SELECT 'it''s;' ; y", &["SELECT 'it''s;' ;", " y"]),
            ("SELECT 1 /* ; * / ; */; z", &["SELECT 1 /* ; * / ; */;", " z"]),
            ("SELECT 'open; SELECT 2", &["SELECT 'open; SELECT 2"]),
            (
                "CREATE TRIGGER t AFTER INSERT ON a BEGIN UPDATE a SET b = CASE WHEN 1 THEN 2 END; DELETE FROM c; END; X",
                &[
                    "CREATE TRIGGER t AFTER INSERT ON a BEGIN UPDATE a SET b = CASE WHEN 1 THEN 2 END; DELETE FROM c; END;",
                    " X",
                ],
            ),
            ("CREATE TEMP TRIGGER t BEGIN x; END ; y", &["CREATE TEMP TRIGGER t BEGIN x; END ;", " y"]),
            ("CREATE TABLE trigger_x (a); y", &["CREATE TABLE trigger_x (a);", " y"]),
            ("-1; é;", &["-1;", " é;"]),
        ] {
            assert_eq!(statements(sql), expected, "{sql}");
        }
    }

    proptest! {
        #[test]
        fn pieces_are_cut_like_the_whole(
            parts in prop::collection::vec("(SELECT|CREATE TRIGGER|END|;|'|\"|--|/\\*|\\*/|\n| |x|é|-|/)", 0..30),
            cut in 1_usize..5,
        ) {
            let sql = parts.concat();
            let mut splitter = Splitter::default();
            let mut found = Vec::new();
            for piece in sql.as_bytes().chunks(cut) {
                splitter.push(piece);
                while let Some(statement) = splitter.next(false) {
                    found.push(statement);
                }
            }
            while let Some(statement) = splitter.next(true) {
                found.push(statement);
            }
            let whole: Vec<Vec<u8>> = statements(&sql).into_iter().map(String::into_bytes).collect();
            prop_assert_eq!(found, whole);
        }
    }
}
