//! From bytes in a pipe to lines.

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::mpsc;

/// Longer lines are cut, and go on in the next.
pub(crate) const LINE_BYTES_MAX: usize = 16 * 1024;

/// Reads until everyone who could write has ended, and passes the lines on.
pub(crate) async fn pump(mut pipe: impl AsyncRead + Unpin, lines: mpsc::Sender<String>) {
    let mut splitter = Splitter::default();
    let mut chunk = vec![0; 64 * 1024];
    loop {
        let length = match pipe.read(&mut chunk).await {
            Ok(0) | Err(_) => break,
            Ok(length) => length,
        };
        for line in splitter.push(&chunk[..length]) {
            // Nobody listens: then the bytes are read all the same, or the program would hang.
            let _ = lines.send(line).await;
        }
    }
    if let Some(rest) = splitter.rest() {
        let _ = lines.send(rest).await;
    }
}

/// Splits chunks into lines.
#[derive(Default)]
struct Splitter {
    /// The beginning of a line.
    pending: Vec<u8>,
}

impl Splitter {
    fn push(&mut self, chunk: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for piece in chunk.split_inclusive(|byte| *byte == b'\n') {
            self.pending.extend(piece);
            if self.pending.ends_with(b"\n") {
                self.pending.pop();
                self.strip_return();
                self.cut(&mut lines, LINE_BYTES_MAX);
                lines.push(text(&std::mem::take(&mut self.pending)));
            } else {
                // One byte more may be the carriage return of the line's end.
                self.cut(&mut lines, LINE_BYTES_MAX + 1);
            }
        }
        lines
    }

    /// Cuts whole lines off until no more than `most` bytes are pending.
    fn cut(&mut self, lines: &mut Vec<String>, most: usize) {
        while self.pending.len() > most {
            let end = character_boundary(&self.pending, LINE_BYTES_MAX);
            lines.push(text(&self.pending[..end]));
            self.pending.drain(..end);
        }
    }

    fn strip_return(&mut self) {
        if self.pending.ends_with(b"\r") {
            self.pending.pop();
        }
    }

    fn rest(mut self) -> Option<String> {
        self.strip_return();
        (!self.pending.is_empty()).then(|| text(&self.pending))
    }
}

fn text(line: &[u8]) -> String {
    String::from_utf8_lossy(line).into_owned()
}

/// The last place up to `most` where no character is cut in two, if the bytes are text at all.
fn character_boundary(bytes: &[u8], most: usize) -> usize {
    let is_inside = |at: usize| bytes.get(at).is_some_and(|byte| byte & 0b1100_0000 == 0b1000_0000);
    (most.saturating_sub(3)..=most).rev().find(|at| !is_inside(*at)).unwrap_or(most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split(chunks: &[&[u8]]) -> Vec<String> {
        let mut splitter = Splitter::default();
        let mut lines: Vec<String> = chunks.iter().flat_map(|chunk| splitter.push(chunk)).collect();
        lines.extend(splitter.rest());
        lines
    }

    #[test]
    fn ends_of_lines_are_taken_off() {
        assert_eq!(split(&[b"a\nb\r", b"\n\nc"]), ["a", "b", "", "c"]);
        assert_eq!(split(&[b"\xff\n"]), ["\u{fffd}"]);
    }

    #[test]
    fn long_lines_are_cut_between_characters() {
        let long = "ä".repeat(LINE_BYTES_MAX);
        let text = format!("x{long}\nend\n");
        let lines = split(&[text.as_bytes()]);
        assert!(lines.iter().all(|line| line.len() <= LINE_BYTES_MAX && !line.contains('\u{fffd}')));
        assert_eq!(lines.last().unwrap(), "end");
        assert_eq!(lines[..lines.len() - 1].concat(), text.lines().next().unwrap());
        let exact = format!("{}\r\n", "a".repeat(LINE_BYTES_MAX));
        assert_eq!(split(&[exact.as_bytes()]).len(), 1);
    }

    proptest! {
        #[test]
        fn where_chunks_end_does_not_matter(text in "[a-c\r\n\u{e4}]{0,200}", at in 0_usize..200) {
            let bytes = text.as_bytes();
            let at = at.min(bytes.len());
            prop_assert_eq!(split(&[&bytes[..at], &bytes[at..]]), split(&[bytes]));
        }
    }
}
