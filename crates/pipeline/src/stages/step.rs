//! Running one command of a build: its lines go to the log, or to whoever asked.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{Context, StageError};
use crate::builder::{Builder, BuilderError, Exit, Step};
use crate::log_sink::OutputLines;

/// Lines of this length are taken for parts of a longer one: builders cut at 16 KiB, between characters.
const CUT_BYTES: usize = 16 * 1024 - 3;
const QUEUE_LINES: usize = 256;
/// So many lines of what a program says are read at the most.
const CAPTURED_LINES_MAX: usize = 20_000;

/// Runs a command with its output in the log.
pub(super) async fn run_logged(ctx: &Context<'_>, step: Step) -> Result<Exit, StageError> {
    let (sink, lines) = mpsc::channel(QUEUE_LINES);
    let running = ctx.options().builder.run(step, sink, ctx.stop.clone());
    let (exit, ()) = tokio::join!(running, forward(lines, ctx.log.output()));
    Ok(exit?)
}

async fn forward(mut lines: mpsc::Receiver<String>, output: OutputLines) {
    while let Some(line) = lines.recv().await {
        let ends = line.len() < CUT_BYTES;
        output.send(line, ends).await;
    }
}

/// Runs a command and returns what it printed.
pub(crate) async fn run_captured(
    builder: &Arc<dyn Builder>,
    step: Step,
    stop: CancellationToken,
) -> Result<(Exit, Vec<String>), BuilderError> {
    let (sink, mut lines) = mpsc::channel(QUEUE_LINES);
    let collect = async {
        let mut collected = Vec::new();
        while let Some(line) = lines.recv().await {
            if collected.len() < CAPTURED_LINES_MAX {
                collected.push(line);
            }
        }
        collected
    };
    let (exit, collected) = tokio::join!(builder.run(step, sink, stop), collect);
    Ok((exit?, collected))
}
