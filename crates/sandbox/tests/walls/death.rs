//! Everything that a command starts dies with it.

use std::time::{Duration, Instant};

use offprint_sandbox::Exit;
use tokio_util::sync::CancellationToken;

use super::support::{Bench, assert_gone, processes_with};

/// Three ways of getting away from a parent, each with a number to be found by.
fn escapes(number: &str) -> String {
    format!(
        "setsid sleep {number} & (nohup sleep {number} >/dev/null 2>&1 &) ; \
         perl -e 'use POSIX; fork and exit; POSIX::setsid(); fork and exit; $SIG{{$_}}=\"IGNORE\" for keys %SIG; \
         exec \"sleep\", \"{number}\"' & "
    )
}

#[tokio::test]
async fn what_a_command_leaves_behind_dies_with_it() {
    let Some(bench) = Bench::with_walls().await else { return };
    let outcome = bench.sh(&format!("{} sleep 0.5; pgrep -fc 'sleep 77001' || true", escapes("77001"))).await;
    assert!(
        outcome.lines.last().is_some_and(|count| count.trim().parse::<u32>().unwrap() >= 3),
        "{outcome:?}"
    );
    assert_gone("77001");
}

#[tokio::test]
async fn a_stop_is_immediate_and_leaves_nobody() {
    let Some(bench) = Bench::with_walls().await else { return };
    let stop = CancellationToken::new();
    let script = format!("{} trap '' TERM; echo begun; while :; do sleep 77002; done", escapes("77002"));
    let stopping = async {
        while processes_with("77002").len() < 4 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        stop.cancel();
        Instant::now()
    };
    let (outcome, stopped) = tokio::join!(bench.run_until(bench.script(&script), stop.clone()), stopping);
    assert_eq!(outcome.exit, Exit::Canceled);
    assert_gone("77002");
    assert!(stopped.elapsed() < Duration::from_secs(3), "{:?}", stopped.elapsed());
}

#[tokio::test]
async fn a_stop_before_the_start_is_no_error() {
    let Some(bench) = Bench::with_walls().await else { return };
    for milliseconds in [0, 1, 3, 6, 10, 20, 40] {
        let stop = CancellationToken::new();
        let stopping = async {
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
            stop.cancel();
        };
        let (outcome, ()) =
            tokio::join!(bench.run_until(bench.script("sleep 77003"), stop.clone()), stopping);
        assert_eq!(outcome.exit, Exit::Canceled, "after {milliseconds} ms: {outcome:?}");
        assert_gone("77003");
    }
}

#[tokio::test]
async fn a_dropped_run_ends() {
    let Some(bench) = Bench::with_walls().await else { return };
    let (lines, mut said) = tokio::sync::mpsc::channel(8);
    let sandbox = bench.sandbox.clone();
    let spec = bench.script("echo begun; sleep 77004");
    let running = tokio::spawn(async move { sandbox.run(spec, lines, CancellationToken::new()).await });
    assert_eq!(said.recv().await.unwrap(), "begun");
    running.abort();
    let start = Instant::now();
    while !processes_with("77004").is_empty() {
        assert!(start.elapsed() < Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn temporary_files_go_whatever_was_done_to_them() {
    let Some(bench) = Bench::with_walls().await else { return };
    bench.sh("mkdir -p /tmp/a/b/c && touch /tmp/a/b/c/d && chmod 0 /tmp/a/b /tmp/a; exit 0").await;
    let left: Vec<_> =
        std::fs::read_dir(bench.path("scratch")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["etc"]);
}
