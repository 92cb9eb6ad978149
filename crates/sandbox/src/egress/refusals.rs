//! What was refused, told to whoever reads the command's output.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use tokio::sync::mpsc;

/// So many different refusals are told one by one; a program that scans a network shall not fill the log.
const TOLD_MAX: usize = 20;

/// Gathers the refusals of one command.
#[derive(Debug)]
pub(super) struct Refusals {
    lines: mpsc::Sender<String>,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    told: HashSet<String>,
    count: u64,
    untold: u64,
}

impl Refusals {
    pub(super) fn new(lines: mpsc::Sender<String>) -> Self {
        Self { lines, seen: Mutex::default() }
    }

    /// Notes one, and tells it unless it was told before.
    pub(super) async fn note(&self, line: String) {
        let is_new = {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.count += 1;
            let is_new = seen.told.len() < TOLD_MAX && seen.told.insert(line.clone());
            seen.untold += u64::from(!is_new);
            is_new
        };
        if is_new {
            let _ = self.lines.send(line).await;
        }
    }

    /// A last line when not everything was told.
    pub(super) fn summary(&self) -> Option<String> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let (count, untold) = (seen.count, seen.untold);
        (untold > 0).then(|| format!("network: {count} connections were refused in all"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_scan_does_not_fill_the_log() {
        let (sender, mut lines) = mpsc::channel(1000);
        let refusals = Refusals::new(sender);
        for number in 0..100 {
            refusals.note(format!("refused {number}")).await;
            refusals.note("refused 0".into()).await;
        }
        let summary = refusals.summary().unwrap();
        assert!(summary.contains("200 connections"), "{summary}");
        drop(refusals);
        let mut told = 0;
        while lines.recv().await.is_some() {
            told += 1;
        }
        assert_eq!(told, TOLD_MAX);
    }
}
