//! Text in the language of Cap'n Proto's configuration files.

use std::fmt::Write;

/// A string with its quotes. Escapes are those of C: JSON's `\uXXXX` is a mistake there, and UTF-8 stands for itself.
pub(super) fn text(value: &str) -> String {
    let mut quoted = String::with_capacity(value.len() + 2);
    quoted.push('"');
    for c in value.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_ascii_control() => {
                let _ = write!(quoted, "\\x{:02x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_end_or_change_a_string_is_escaped() {
        assert_eq!(text("a \"b\" \\ é\n\r\u{7f}\t"), "\"a \\\"b\\\" \\\\ é\\n\\x0d\\x7f\\t\"");
    }
}
