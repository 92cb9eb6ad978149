//! What Functions may not do, and what becomes of those that do.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use offprint_functions::{FunctionRuntime, Tails};
use offprint_model::config::EnvironmentPatch;

use crate::bundles::fetch;
use crate::house::{House, PATIENCE, get, processes_with};

const MISCHIEF: &str = r#"
    const path = new URL(request.url).pathname;
    if (path === "/loop") for (;;);
    if (path === "/heap") { const all = []; for (;;) all.push({ text: "x".repeat(10) + all.length }); }
    if (path === "/buffers") { const all = []; for (;;) all.push(new Uint8Array(16 << 20).fill(1)); }
    if (path === "/wait") await new Promise((resolve) => setTimeout(resolve, 60_000));
    if (path === "/slow") await new Promise((resolve) => setTimeout(resolve, 3_000));
    globalThis.id ??= crypto.randomUUID();
    return new Response(globalThis.id);
"#;

/// So many requests are enough to use up the memory of a process.
const REQUESTS_MAX: usize = 400;

/// Waits until something is so.
async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn an_endless_loop_is_ended_and_costs_nobody_else_anything() {
    let Some(house) = House::with(|options| options.limits.compute = Duration::from_secs(2)).await else {
        return;
    };
    let (bad, good) = (house.deploy(fetch(MISCHIEF)).await, house.deploy(fetch(MISCHIEF)).await);
    let before = house.get(&good, "/").await.text;
    let (looped, neighbour) = tokio::join!(house.get(&bad, "/loop"), house.get(&good, "/"));
    assert_eq!(looped.status, 503);
    assert!(looped.text.contains("computed for too long"), "{}", looped.text);
    assert_eq!(neighbour.text, before);
    // The next request finds another process.
    assert_eq!(house.get(&bad, "/").await.status, 200);
}

/// Whether the only process of a house gets what others leave over; `None` where the kernel has no control group with an
/// idle class for it.
fn gives_way(house: &House) -> Option<bool> {
    let pid = *processes_with("serve", &house.directory().display().to_string()).first()?;
    let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    // Lines such as `1:cpu:/path`, and `0::/path` for version 2.
    let places = groups.lines().filter_map(|line| {
        let (_, resources_and_path) = line.split_once(':')?;
        let (resources, path) = resources_and_path.split_once(':')?;
        Some(format!("/sys/fs/cgroup/{resources}{path}/cpu.idle"))
    });
    let idle = places.filter_map(|place| std::fs::read_to_string(place).ok()).next()?;
    Some(idle.trim() == "1")
}

#[tokio::test]
async fn who_computes_much_gives_way_to_the_others_for_a_while() {
    let compute = Duration::from_secs(6);
    let Some(house) = House::with(|options| options.limits.compute = compute).await else { return };
    let bad = house.deploy(fetch(MISCHIEF)).await;
    assert_eq!(house.get(&bad, "/").await.status, 200);
    let Some(at_first) = gives_way(&house) else {
        // A matter of the machine, and not of what is installed.
        return eprintln!("SKIPPED: no control group with an idle class can be made here");
    };
    assert!(!at_first);
    let looping = house.get(&bad, "/loop");
    let (looped, ()) = tokio::join!(looping, until("it gives way", || gives_way(&house) == Some(true)));
    assert_eq!(looped.status, 503);
    // What it did is remembered for the next process, which computes little.
    assert_eq!(house.get(&bad, "/").await.status, 200);
    assert_eq!(gives_way(&house), Some(true));
    until("it has its share again", || gives_way(&house) == Some(false)).await;
}

#[tokio::test]
async fn who_leaks_memory_is_replaced_before_it_runs_out_and_no_request_fails() {
    let Some(house) = House::with(|options| options.limits.memory_bytes = 128 << 20).await else { return };
    let leaking = fetch(
        "(globalThis.kept ??= []).push(new Uint8Array(1 << 20).fill(1));
        return new Response(String(kept.length));",
    );
    let deployment = house.deploy(leaking).await;
    let mut most = 0;
    for _ in 0..REQUESTS_MAX {
        let answer = house.get(&deployment, "/").await;
        assert_eq!(answer.status, 200, "after {most}: {answer:?}");
        let kept: u32 = answer.text.parse().unwrap();
        if kept < most {
            return assert!(most > 30, "it was replaced with {most} MiB");
        }
        most = kept;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("it has {most} MiB and was not replaced");
}

#[tokio::test]
async fn a_loop_behind_the_answer_is_ended() {
    let Some(house) = House::with(|options| options.limits.compute = Duration::from_secs(1)).await else {
        return;
    };
    let later =
        "ctx.waitUntil(new Promise(() => setTimeout(() => { for (;;); }, 200))); return new Response('ok')";
    let key = house.deploy(fetch(later)).await;
    assert_eq!(house.get(&key, "/").await.text, "ok");
    // Nobody asks any more.
    until("it is ended", || house.runtime.counts().spinning == 1).await;
    assert_eq!(house.get(&key, "/").await.text, "ok");
}

#[tokio::test]
async fn waiting_is_no_loop() {
    let Some(house) = House::with(|options| options.limits.compute = Duration::from_secs(1)).await else {
        return;
    };
    let key = house.deploy(fetch(MISCHIEF)).await;
    let (slow, other) = tokio::join!(house.get(&key, "/slow"), house.get(&key, "/"));
    assert_eq!((slow.status, slow.text), (200, other.text));
}

#[tokio::test]
async fn memory_runs_out_for_who_takes_it_only() {
    let Some(house) = House::new().await else { return };
    let (bad, good) = (house.deploy(fetch(MISCHIEF)).await, house.deploy(fetch(MISCHIEF)).await);
    let before = house.get(&good, "/").await.text;
    for bomb in ["/heap", "/buffers"] {
        let answer = house.get(&bad, bomb).await;
        // V8 refuses some of it with an exception, which is the Function's own.
        assert!([500, 503].contains(&answer.status), "{bomb}: {answer:?}");
        assert!(answer.status == 500 || answer.text.contains("too much memory"), "{bomb}: {answer:?}");
    }
    assert_eq!(house.get(&good, "/").await.text, before);
    assert_eq!(house.get(&bad, "/").await.status, 200);
}

#[tokio::test]
async fn an_answer_that_does_not_begin_is_given_up() {
    let Some(house) = House::with(|options| options.limits.answer = Duration::from_secs(1)).await else {
        return;
    };
    let key = house.deploy(fetch(MISCHIEF)).await;
    let before = house.get(&key, "/").await.text;
    let answer = house.get(&key, "/wait").await;
    assert!(answer.status == 504 && answer.text.contains("does not answer"), "{answer:?}");
    // Its process has done nothing wrong.
    assert_eq!(house.get(&key, "/").await.text, before);
}

#[tokio::test]
async fn a_process_that_is_killed_costs_its_requests_and_no_more() {
    let Some(house) = House::new().await else { return };
    let key = house.deploy(fetch(MISCHIEF)).await;
    let first = house.get(&key, "/").await.text;
    let kill = async {
        let word = house.directory().display().to_string();
        tokio::time::sleep(Duration::from_millis(200)).await;
        for pid in processes_with("serve\0../config.capnp", &word) {
            let _ = std::process::Command::new("kill").args(["-9", &pid.to_string()]).status();
        }
    };
    let (answer, ()) = tokio::join!(house.get(&key, "/wait"), kill);
    assert!(answer.status == 502 && answer.text.contains("crashed"), "{answer:?}");
    let second = house.get(&key, "/").await;
    assert!(second.status == 200 && second.text != first, "{second:?}");
}

#[tokio::test]
async fn who_crashes_with_every_request_is_left_alone() {
    let Some(house) = House::new().await else { return };
    let key =
        house.deploy(fetch("const all = []; for (;;) all.push({ n: all.length, t: 'x'.repeat(9) })")).await;
    for _ in 0..3 {
        let answer = house.get(&key, "/").await;
        assert!(answer.status == 503 && answer.text.contains("too much memory"), "{answer:?}");
    }
    let start = Instant::now();
    let answer = house.get(&key, "/").await;
    assert!(answer.status == 503 && answer.text.contains("crashed too often"), "{answer:?}");
    assert!(start.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn idle_processes_end_previews_before_production() {
    let change = |options: &mut offprint_functions::WorkerdOptions| {
        options.limits.idle_preview = Duration::from_millis(500);
    };
    let Some(house) = House::with(change).await else { return };
    let production = house.deploy(fetch(MISCHIEF)).await;
    let preview = house.deploy_to("feature", fetch(MISCHIEF)).await;
    let (stays, goes) = (house.get(&production, "/").await.text, house.get(&preview, "/").await.text);
    assert_eq!(house.runtime.live_processes(), 2);
    until("the preview's process ends", || house.runtime.live_processes() == 1).await;
    assert_eq!(house.get(&production, "/").await.text, stays);
    assert_ne!(house.get(&preview, "/").await.text, goes);
    // A request under way keeps a process, however long it takes.
    assert_eq!(house.get(&preview, "/slow").await.status, 200);
}

#[tokio::test]
async fn more_deployments_than_processes_take_turns() {
    let Some(house) = House::with(|options| options.limits.processes = 2).await else { return };
    let mut keys = Vec::new();
    for _ in 0..6 {
        keys.push(house.deploy(fetch(MISCHIEF)).await);
    }
    for key in keys.iter().chain(&keys) {
        assert_eq!(house.get(key, "/").await.status, 200);
        assert!(house.runtime.live_processes() <= 2);
    }
    // All at once: they wait for one another.
    let answers = join_all(keys.iter().map(|key| house.get(key, "/"))).await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    // The one that was used last is still there.
    let (first, second) = (house.get(&keys[0], "/").await.text, house.get(&keys[1], "/").await.text);
    house.get(&keys[2], "/").await;
    assert_eq!(house.get(&keys[1], "/").await.text, second);
    assert_ne!(house.get(&keys[0], "/").await.text, first);
}

#[tokio::test]
async fn a_project_has_so_many_requests_and_fails_open_if_it_wants_to() {
    let Some(house) = House::with(|options| options.limits.requests_of_project = 1).await else { return };
    let open = house.deploy(fetch(MISCHIEF)).await;
    house.configure(EnvironmentPatch { fail_open: Some(false), ..EnvironmentPatch::default() }).await;
    let closed = house.deploy(fetch(MISCHIEF)).await;
    assert_eq!(house.get(&open, "/").await.status, 200);
    let slow = house.send(&open, get("/slow"));
    let others = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        for (key, fail_open) in [(&open, true), (&closed, false)] {
            let declined = house.send(key, get("/x?y")).await.unwrap_err();
            assert_eq!((declined.fail_open, declined.response.status().as_u16()), (fail_open, 503));
            assert_eq!(declined.head.uri, "/x?y");
        }
    };
    let (answer, ()) = tokio::join!(slow, others);
    assert_eq!(crate::house::read(answer.unwrap()).await.status, 200);
    assert_eq!(house.get(&closed, "/").await.status, 200);
}

#[tokio::test]
async fn a_busy_deployment_gets_more_processes_and_gives_them_back() {
    let change = |options: &mut offprint_functions::WorkerdOptions| {
        options.limits.processes_of_deployment = 2;
    };
    let Some(house) = House::with(change).await else { return };
    let work = "let n = 0; for (let i = 0; i < 2e6; i++) n += Math.sqrt(i); \
                globalThis.id ??= crypto.randomUUID(); return new Response(globalThis.id)";
    let key = house.deploy(fetch(work)).await;
    let mut ids = std::collections::BTreeSet::new();
    let start = Instant::now();
    while ids.len() < 2 {
        assert!(start.elapsed() < PATIENCE, "no second process came");
        let answers = join_all((0..24).map(|_| house.get(&key, "/"))).await;
        ids.extend(answers.into_iter().map(|answer| answer.text));
    }
    assert_eq!(house.runtime.live_processes(), 2);
    house.get(&key, "/").await;
    until("the second process ends", || house.runtime.live_processes() == 1).await;
    assert!(ids.contains(&house.get(&key, "/").await.text));
}

/// Its processes do not all tell of their calls, but those that do are asked while somebody watches.
#[tokio::test]
async fn whoever_watches_a_busy_deployment_sees_every_call() {
    let tails = Tails::default();
    let change = |options: &mut offprint_functions::WorkerdOptions| {
        options.limits.processes_of_deployment = 2;
        options.tails = tails.clone();
    };
    let Some(house) = House::with(change).await else { return };
    let work = "let n = 0; for (let i = 0; i < 2e6; i++) n += Math.sqrt(i); return new Response(String(n))";
    let key = house.deploy(fetch(work)).await;
    let start = Instant::now();
    while house.runtime.live_processes() < 2 {
        assert!(start.elapsed() < PATIENCE, "no second process came");
        join_all((0..24).map(|_| house.get(&key, "/"))).await;
    }
    let started = tails.start(key.clone(), Vec::new()).unwrap();
    let mut watcher = tails.watch(started.secret.expose()).unwrap();
    let mut unseen: std::collections::BTreeSet<String> = (0..20).map(|n| format!("/seen/{n}!")).collect();
    for path in &unseen {
        assert_eq!(house.get(&key, path).await.status, 200);
    }
    while !unseen.is_empty() {
        let event = tokio::time::timeout(PATIENCE, watcher.next()).await;
        let event = event.unwrap_or_else(|_| panic!("{unseen:?} were not seen")).unwrap();
        unseen.retain(|path| !event.contains(path.as_str()));
    }
}
