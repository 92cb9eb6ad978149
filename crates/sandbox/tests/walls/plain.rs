//! Without walls: limits hold, and what does not take pains to get away dies.

use std::time::Duration;

use offprint_sandbox::{Exit, Limit};
use tokio_util::sync::CancellationToken;

use super::support::{Bench, assert_gone, processes_with};

#[tokio::test]
async fn a_plain_command_runs_in_its_directory_with_an_environment_of_its_own() {
    let bench = Bench::plain();
    let outcome = bench.sh("pwd; echo err >&2; env").await;
    assert_eq!(outcome.lines[0], bench.path("workspace").canonicalize().unwrap().display().to_string());
    assert!(outcome.says(&["err"]) && !outcome.says(&["CARGO_MANIFEST_DIR="]), "{outcome:?}");
    assert_eq!(bench.run(bench.script("exit 4")).await.exit, Exit::Code(4));
    assert_eq!(bench.run(bench.command(&["no-such-program"])).await.exit, Exit::Code(127));
}

#[tokio::test]
async fn plain_orphans_die() {
    let bench = Bench::plain();
    let script = "setsid sleep 78001 & (nohup sleep 78001 >/dev/null 2>&1 &) ; sleep 0.3";
    bench.sh(script).await;
    assert_gone("78001");
}

#[tokio::test]
async fn a_plain_command_is_stopped_with_its_orphans() {
    let bench = Bench::plain();
    let stop = CancellationToken::new();
    let stopping = async {
        while processes_with("78002").len() < 3 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        stop.cancel();
    };
    let script = "trap '' TERM; setsid sleep 78002 & while :; do sleep 78002; done";
    let (outcome, ()) = tokio::join!(bench.run_until(bench.script(script), stop.clone()), stopping);
    assert_eq!(outcome.exit, Exit::Canceled);
    assert_gone("78002");
}

#[test]
fn a_plain_command_does_not_outlive_the_runtime_that_runs_it() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let bench = runtime.block_on(async { Bench::plain() });
    let (lines, mut said) = tokio::sync::mpsc::channel(8);
    let (sandbox, spec) = (bench.sandbox.clone(), bench.script("echo begun; sleep 78003"));
    runtime.spawn(async move { sandbox.run(spec, lines, CancellationToken::new()).await });
    assert_eq!(runtime.block_on(said.recv()).unwrap(), "begun");
    drop(runtime);
    let start = std::time::Instant::now();
    while !processes_with("78003").is_empty() {
        assert!(start.elapsed() < Duration::from_secs(10));
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[tokio::test]
async fn plain_commands_have_limits() {
    let bench = Bench::plain();
    // No bomb here: should a limit fail, nothing else would hold it.
    let mut spec = bench.script("i=0; while [ $i -lt 400 ]; do sleep 78.25 & i=$((i+1)); done; wait");
    spec.limits.pids = 60;
    let outcome = bench.run(spec).await;
    assert_eq!(outcome.exit, Exit::Limit(Limit::Pids), "{outcome:?}");
    assert_gone("78.25");
    let mut spec = bench.script("head -c 1G /dev/zero > big");
    spec.limits.disk_bytes = 32 << 20;
    assert_eq!(bench.run(spec).await.exit, Exit::Limit(Limit::Disk));
}
