//! Who uses too much is killed, and the log says why.

use std::time::{Duration, Instant};

use offprint_sandbox::{Exit, Limit};

use super::support::{Bench, Outcome, assert_gone};

fn assert_stopped(outcome: &Outcome, limit: Limit, words: &str) {
    assert_eq!(outcome.exit, Exit::Limit(limit), "{outcome:?}");
    assert!(outcome.lines.last().unwrap().contains(words), "{outcome:?}");
}

#[tokio::test]
async fn time() {
    let Some(bench) = Bench::with_walls().await else { return };
    let mut spec = bench.script("trap '' TERM INT HUP; echo begun; sleep 1000.25");
    spec.limits.time = Duration::from_secs(1);
    let start = Instant::now();
    assert_stopped(&bench.run(spec).await, Limit::Time, "longer than 1 seconds");
    assert!(start.elapsed() < Duration::from_secs(10));
    assert_gone("1000.25");
}

#[tokio::test]
async fn memory() {
    let Some(bench) = Bench::with_walls().await else { return };
    let mut spec = bench.command(&["perl", "-e", "my @all; while (1) { push @all, 'x' x (1 << 20) }"]);
    spec.limits.memory_bytes = 128 << 20;
    assert_stopped(&bench.run(spec).await, Limit::Memory, "more than 128 MiB of memory");
}

#[tokio::test]
async fn memory_of_many_processes() {
    let Some(bench) = Bench::with_walls().await else { return };
    let script = "for i in 1 2 3 4 5 6 7 8; do perl -e '$x = \"x\" x (40 << 20); sleep 60' & done; wait";
    let mut spec = bench.script(script);
    spec.limits.memory_bytes = 128 << 20;
    assert_stopped(&bench.run(spec).await, Limit::Memory, "more than 128 MiB of memory");
}

#[tokio::test]
async fn processes() {
    let Some(bench) = Bench::with_walls().await else { return };
    let mut spec = bench.command(&["bash", "-c", "b() { b | b & }; b; b; sleep 61.25"]);
    spec.limits.pids = 60;
    let start = Instant::now();
    assert_stopped(&bench.run(spec).await, Limit::Pids, "more than 60 processes");
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    assert_gone("61.25");
}

#[tokio::test]
async fn disk_by_one_file_and_by_many() {
    let Some(bench) = Bench::with_walls().await else { return };
    for script in [
        "head -c 1G /dev/zero > big",
        "i=0; while true; do head -c 1M /dev/zero > ~/$i || exit 1; i=$((i+1)); done",
        "i=0; while true; do head -c 1M /dev/zero > /tmp/$i || exit 1; i=$((i+1)); done",
    ] {
        let mut spec = bench.script(script);
        spec.limits.disk_bytes = 32 << 20;
        assert_stopped(&bench.run(spec).await, Limit::Disk, "more than 32 MiB of disk space");
        bench.sh("rm -rf big ~/*").await;
    }
}

#[tokio::test]
async fn disk_by_files_that_were_deleted_while_open() {
    let Some(bench) = Bench::with_walls().await else { return };
    let script = "for my $i (1..64) { open my $f, '>', 'f' or die; unlink 'f'; print $f 'x' x (4 << 20); $f->flush; \
        push @all, $f } sleep 60";
    let mut spec = bench.command(&["perl", "-MIO::Handle", "-e", script]);
    spec.limits.disk_bytes = 64 << 20;
    assert_stopped(&bench.run(spec).await, Limit::Disk, "disk space");
}

#[tokio::test]
async fn shared_memory_is_small() {
    let Some(bench) = Bench::with_walls().await else { return };
    let outcome = bench.run(bench.script("head -c 200M /dev/zero > /dev/shm/x")).await;
    assert_eq!(outcome.exit, Exit::Code(1));
    assert!(outcome.says(&["No space left"]), "{outcome:?}");
}

#[tokio::test]
async fn a_flood_of_output_waits_for_its_reader() {
    let Some(bench) = Bench::with_walls().await else { return };
    let outcome = bench.sh("yes | head -n 200000; head -c 100000 /dev/zero | tr '\\0' a").await;
    assert_eq!(outcome.lines.len(), 200_000 + 7);
    assert!(outcome.lines.iter().all(|line| line.len() <= 16 * 1024));
}
