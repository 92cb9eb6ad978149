//! Everything a command says: answers on standard output, remarks on standard error.

use std::fmt::{Arguments, Write as _};
use std::io::{self, ErrorKind, Write as _};
use std::sync::Mutex;

use indicatif::ProgressBar;
use offprint_client::ClientError;
use offprint_client::deploy::DeployError;
use serde::Serialize;

/// The progress bar on the terminal, which remarks must not tear.
static BAR: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// Makes this the progress bar on the terminal; the one before disappears.
pub(crate) fn set_bar(bar: Option<ProgressBar>) {
    let before = std::mem::replace(&mut *BAR.lock().unwrap_or_else(|e| e.into_inner()), bar);
    if let Some(before) = before {
        before.finish_and_clear();
    }
}

/// An answer: one line on standard output.
///
/// # Errors
/// It cannot be written. A reader that has gone away (`| head`) is no error.
pub(crate) fn line(text: Arguments<'_>) -> anyhow::Result<()> {
    raw(format!("{text}\n").as_bytes())
}

/// An answer as bytes.
///
/// # Errors
/// As [`line()`].
pub(crate) fn raw(bytes: &[u8]) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// An answer as JSON.
///
/// # Errors
/// As [`line()`].
pub(crate) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    line(format_args!("{}", serde_json::to_string_pretty(value)?))
}

/// An answer as a table with aligned columns, or as JSON objects with the heads as keys.
///
/// # Errors
/// As [`line()`].
pub(crate) fn table<const N: usize>(
    heads: &[&str; N],
    rows: &[[String; N]],
    as_json: bool,
) -> anyhow::Result<()> {
    if !as_json {
        return raw(aligned(heads, rows).as_bytes());
    }
    let objects = rows.iter().map(|row| {
        heads.iter().zip(row).map(|(head, cell)| (*head, cell)).collect::<std::collections::BTreeMap<_, _>>()
    });
    json(&objects.collect::<Vec<_>>())
}

/// A remark for the person at the terminal.
pub(crate) fn note(text: Arguments<'_>) {
    let write = || {
        // There is no one left to tell if this fails.
        let _ = writeln!(io::stderr(), "{text}");
    };
    match BAR.lock().unwrap_or_else(|e| e.into_inner()).as_ref() {
        Some(bar) => bar.suspend(write),
        None => write(),
    }
}

/// Says what went wrong and what to do next.
pub(crate) fn complain(error: &anyhow::Error) {
    set_bar(None);
    note(format_args!("{}", complaint(error)));
}

fn complaint(error: &anyhow::Error) -> String {
    let mut text = String::new();
    if let Some(DeployError::Failed { log, .. }) = error.downcast_ref() {
        for line in log {
            let _ = writeln!(text, "  | {line}");
        }
    }
    let mut causes: Vec<String> = error.chain().map(ToString::to_string).collect();
    causes.dedup();
    let _ = write!(text, "error: {}", causes.join(": "));
    if let Some(advice) = client_error(error).and_then(ClientError::advice) {
        let _ = write!(text, "\nhint: {advice}");
    }
    text
}

fn client_error(error: &anyhow::Error) -> Option<&ClientError> {
    error.chain().find_map(|cause| match cause.downcast_ref() {
        Some(DeployError::Client(error)) => Some(error),
        _ => cause.downcast_ref(),
    })
}

fn aligned<const N: usize>(heads: &[&str; N], rows: &[[String; N]]) -> String {
    let heads = heads.map(str::to_uppercase);
    let rows: Vec<[String; N]> = std::iter::once(heads)
        .chain(rows.iter().map(|row| row.clone().map(|cell| one_line(&cell))))
        .collect();
    let width = |column: usize| rows.iter().map(|row| console::measure_text_width(&row[column])).max();
    let widths: [usize; N] = std::array::from_fn(|column| width(column).unwrap_or(0));
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            let gap = width - console::measure_text_width(cell) + 2;
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', gap));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Text of a stranger for the terminal: no colours, and nothing that moves the cursor.
pub(crate) fn plain(text: &str) -> String {
    let text = console::strip_ansi_codes(text);
    text.chars().map(|c| if c.is_control() && c != '\t' { ' ' } else { c }).collect()
}

/// Names come from others: no cell may break the table or play with the terminal.
fn one_line(cell: &str) -> String {
    cell.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_cells_stay_on_their_line() {
        let rows = [["a".into(), "one\ntwo\u{1b}[2J".into()], ["longer".into(), String::new()]];
        let expected = "NAME    NOTE\na       one two [2J\nlonger\n";
        assert_eq!(aligned(&["name", "note"], &rows), expected);
    }

    #[test]
    fn lines_of_a_build_lose_their_colours_and_cannot_play_with_the_terminal() {
        let line = "\u{1b}[32mok\u{1b}[0m\tdone\u{7}\u{1b}]0;title\u{7}";
        let shown = plain(line);
        assert!(shown.starts_with("ok\tdone") && !shown.contains(['\u{1b}', '\u{7}']), "{shown:?}");
    }

    #[test]
    fn a_complaint_names_each_cause_once() {
        let io = io::Error::new(ErrorKind::PermissionDenied, "not yours");
        let error = DeployError::Io { path: "dist/a".into(), source: io };
        let error = anyhow::Error::from(error).context("cannot deploy");
        assert_eq!(complaint(&error), "error: cannot deploy: cannot read dist/a: not yours");
    }
}
