//! The way of log lines from the stages to the store: masked, bounded, in batches.
//!
//! Lines wait a fifth of a second at the most, or until there are enough for a batch, so that who follows a build sees
//! it happen and the store is not asked to sync for each line. A log that is too long keeps its beginning and its
//! last lines, which say why a build failed, and a note on what lies between.

use std::collections::VecDeque;
use std::time::Duration;

use offprint_model::deploy::VersionStep;
use offprint_model::deployment::LogLine;
use offprint_model::time::Timestamp;
use offprint_store::{Claim, Clock, Store, StoreError};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::mask::{MaskedLine, Masker};

/// How long a line waits for others.
const WAIT: Duration = Duration::from_millis(200);
/// So many lines need not wait for more.
const BATCH_LINES: usize = 64;
/// So many lines and bytes are kept of an attempt, besides the last lines.
const LINES_MAX: u64 = 100_000;
const BYTES_MAX: u64 = 8 << 20;
/// So many last lines are kept when the log is too long.
const TAIL_LINES: usize = 200;
/// A program that writes faster than the store takes it waits.
const QUEUE_LINES: usize = 1024;

/// Takes the lines of one attempt.
pub(crate) struct LogSink {
    lines: mpsc::Sender<Entry>,
    writer: JoinHandle<Result<(), StoreError>>,
}

/// Takes what programs write. Cheap to clone.
#[derive(Clone)]
pub(crate) struct OutputLines(mpsc::Sender<Entry>);

enum Entry {
    Line(Line),
    /// What follows belongs to this step.
    Step(VersionStep),
}

struct Line {
    at: Timestamp,
    text: String,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A line of ours.
    Said,
    /// A part of a program's line, and whether it is the last one.
    Output { ends: bool },
}

impl LogSink {
    /// Begins to write to the log of what was claimed. `stop` is called when that fails: then the work is in
    /// vain.
    pub(crate) fn start(store: Store, claim: Claim, masker: Masker, stop: CancellationToken) -> Self {
        let (lines, entries) = mpsc::channel(QUEUE_LINES);
        let writer = Writer {
            store,
            claim,
            step: VersionStep::Collect,
            masker,
            line: MaskedLine::default(),
            kept: Kept::new(LINES_MAX, BYTES_MAX),
        };
        Self { lines, writer: tokio::spawn(writer.run(entries, stop)) }
    }

    /// Writes a line of our own.
    pub(crate) async fn say(&self, text: impl Into<String>) {
        for line in text.into().lines() {
            let line = Line { at: Clock::now(), text: line.to_owned(), kind: Kind::Said };
            // The only error is that the writer is gone, and its own error is told at the end.
            let _ = self.lines.send(Entry::Line(line)).await;
        }
    }

    /// What is written from here on belongs to this step of a version's build.
    pub(crate) async fn enter(&self, step: VersionStep) {
        let _ = self.lines.send(Entry::Step(step)).await;
    }

    /// Where programs write to.
    pub(crate) fn output(&self) -> OutputLines {
        OutputLines(self.lines.clone())
    }

    /// Returns when every line is stored. Clones of [`OutputLines`] must be gone.
    ///
    /// # Errors
    /// A line could not be stored; `LeaseLost` among others.
    pub(crate) async fn close(self) -> Result<(), StoreError> {
        drop(self.lines);
        match self.writer.await {
            Ok(written) => written,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    /// Ends the log of an attempt that came to no end. Where it was canceled, nothing is written any more; our own
    /// fault is told by the caller.
    pub(crate) async fn interrupted(self) {
        self.say("The server interrupted the build and will begin it anew.").await;
        let _ = self.close().await;
    }
}

impl OutputLines {
    /// Takes a part of a line, and waits when there are too many. `ends` says that the line is complete.
    pub(crate) async fn send(&self, text: String, ends: bool) {
        let line = Line { at: Clock::now(), text, kind: Kind::Output { ends } };
        let _ = self.0.send(Entry::Line(line)).await;
    }
}

struct Writer {
    store: Store,
    claim: Claim,
    /// The step of a version's build that writes.
    step: VersionStep,
    masker: Masker,
    /// A program's line that has not ended yet.
    line: MaskedLine,
    kept: Kept,
}

impl Writer {
    async fn run(
        mut self,
        mut entries: mpsc::Receiver<Entry>,
        stop: CancellationToken,
    ) -> Result<(), StoreError> {
        let written = self.write(&mut entries).await;
        if written.is_err() {
            stop.cancel();
            // Nobody shall wait for a reader that is gone.
            entries.close();
        }
        written
    }

    async fn write(&mut self, entries: &mut mpsc::Receiver<Entry>) -> Result<(), StoreError> {
        let mut waiting = Vec::with_capacity(QUEUE_LINES);
        while entries.recv_many(&mut waiting, QUEUE_LINES).await > 0 {
            let deadline = Instant::now() + WAIT;
            while waiting.len() < BATCH_LINES {
                let more = entries.recv_many(&mut waiting, QUEUE_LINES);
                if !matches!(tokio::time::timeout_at(deadline, more).await, Ok(1..)) {
                    break;
                }
            }
            let mut batch = Vec::with_capacity(waiting.len());
            for entry in waiting.drain(..) {
                match entry {
                    Entry::Line(line) => {
                        let line = self.masked(line);
                        self.kept.add(line, &mut batch);
                    }
                    Entry::Step(step) => {
                        self.finish(&mut batch).await?;
                        self.step = step;
                    }
                }
            }
            self.append(&batch).await?;
        }
        self.finish(&mut Vec::new()).await
    }

    /// Writes what has waited, and the last lines where there are too many.
    async fn finish(&mut self, batch: &mut Vec<LogLine>) -> Result<(), StoreError> {
        let unfinished = Line { at: Clock::now(), text: String::new(), kind: Kind::Output { ends: true } };
        let line = self.masked(unfinished);
        if !line.text.is_empty() {
            self.kept.add(line, batch);
        }
        self.kept.finish(Clock::now(), batch);
        self.append(&std::mem::take(batch)).await
    }

    fn masked(&mut self, line: Line) -> LogLine {
        let text = match line.kind {
            Kind::Said => MaskedLine::default().piece(&self.masker, &line.text, true),
            Kind::Output { ends } => self.line.piece(&self.masker, shown(&line.text), ends),
        };
        LogLine { at: line.at, text }
    }

    async fn append(&self, batch: &[LogLine]) -> Result<(), StoreError> {
        if batch.is_empty() {
            return Ok(());
        }
        match &self.claim {
            Claim::Deployment(lease) => self.store.append_log(lease, batch).await,
            Claim::Version(lease) => {
                let lines: Vec<&str> = batch.iter().map(|line| line.text.as_str()).collect();
                self.store.append_version_log(lease, self.step, &lines).await
            }
        }
    }
}

/// What a terminal would show of a line in the end: progress bars write over themselves.
fn shown(text: &str) -> &str {
    let text = text.trim_end_matches('\r');
    text.rsplit('\r').next().unwrap_or(text)
}

/// Which lines are kept.
struct Kept {
    lines_left: u64,
    bytes_left: u64,
    tail: VecDeque<LogLine>,
    full: bool,
    lines_out: u64,
    bytes_out: u64,
}

impl Kept {
    fn new(lines_max: u64, bytes_max: u64) -> Self {
        let tail = VecDeque::new();
        Self { lines_left: lines_max, bytes_left: bytes_max, tail, full: false, lines_out: 0, bytes_out: 0 }
    }

    /// Adds a line to the batch, or to the last lines once there are too many.
    fn add(&mut self, line: LogLine, batch: &mut Vec<LogLine>) {
        let bytes = line.text.len() as u64;
        if !self.full && self.lines_left > 0 && self.bytes_left >= bytes {
            self.lines_left -= 1;
            self.bytes_left -= bytes;
            batch.push(line);
            return;
        }
        if !self.full {
            self.full = true;
            let text =
                format!("The log is too long: from here on, only its last {TAIL_LINES} lines are kept.");
            batch.push(LogLine { at: line.at, text });
        }
        self.tail.push_back(line);
        if self.tail.len() > TAIL_LINES {
            self.lines_out += 1;
            self.bytes_out += self.tail.pop_front().map_or(0, |line| line.text.len() as u64);
        }
    }

    /// Adds the last lines, and what is missing before them.
    fn finish(&mut self, at: Timestamp, batch: &mut Vec<LogLine>) {
        if self.lines_out > 0 {
            let at = self.tail.front().map_or(at, |line| line.at);
            let text = format!("{} lines ({} bytes) are left out here.", self.lines_out, self.bytes_out);
            batch.push(LogLine { at, text });
            (self.lines_out, self.bytes_out) = (0, 0);
        }
        batch.extend(self.tail.drain(..));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(lines_max: u64, bytes_max: u64, lines: usize) -> Vec<String> {
        let (mut kept, mut batch) = (Kept::new(lines_max, bytes_max), Vec::new());
        let at = Timestamp::from_micros(1);
        for number in 0..lines {
            kept.add(LogLine { at, text: format!("{number:04}") }, &mut batch);
        }
        kept.finish(at, &mut batch);
        batch.into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn a_short_log_is_kept_whole() {
        assert_eq!(kept(10, 100, 3), ["0000", "0001", "0002"]);
        assert_eq!(kept(3, 12, 3).len(), 3);
    }

    #[test]
    fn a_long_log_keeps_its_beginning_and_its_end_and_says_so() {
        for (lines_max, bytes_max) in [(5, 1 << 20), (1 << 20, 21)] {
            let lines = kept(lines_max, bytes_max, 1000);
            assert_eq!(lines[..5], ["0000", "0001", "0002", "0003", "0004"]);
            assert!(lines[5].starts_with("The log is too long"), "{}", lines[5]);
            assert_eq!(lines[6], "795 lines (3180 bytes) are left out here.");
            assert_eq!((lines[7].as_str(), lines.last().unwrap().as_str()), ("0800", "0999"));
            assert_eq!(lines.len(), 207);
        }
        let little_more = kept(5, 100, 7);
        assert_eq!(little_more[6..], ["0005", "0006"], "nothing is missing");
    }

    #[test]
    fn progress_bars_show_their_end() {
        assert_eq!(shown("10%\r50%\r100%\r"), "100%");
        assert_eq!(shown("plain"), "plain");
        assert_eq!(shown("\r"), "");
    }
}
