//! Builds that take too much.

use std::time::Duration;

use super::Ground;

/// Whatever a build has done, the server goes on.
async fn still_builds(ground: &Ground) {
    ground.build("next", "echo fine").await.went_live();
}

#[tokio::test]
async fn a_fork_bomb_is_stopped() {
    let Some(ground) = Ground::start(&[("OFFPRINT_BUILD_PIDS", "100")]).await else { return };
    let built = ground.build("bomb", "b() { b | b & }; b; b; sleep 60").await;
    built.was_stopped("more than 100 processes");
    still_builds(&ground).await;
}

#[tokio::test]
async fn a_full_disk_is_prevented() {
    let Some(ground) = Ground::start(&[("OFFPRINT_BUILD_DISK", "67108864")]).await else { return };
    let script = "i=0; while head -c 4M /dev/zero > fill$i; do i=$((i+1)); done; sleep 60";
    ground.build("filler", script).await.was_stopped("more than 64 MiB of disk space");
    still_builds(&ground).await;
    // Nobody waits for the tidying up, so a build is over a little before its directory is gone.
    let left = || std::fs::read_dir(ground.server.data().join("builds")).unwrap().next().is_some();
    for _ in 0..200 {
        if !left() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("a build's directory is left behind");
}

#[tokio::test]
async fn memory_is_bounded() {
    let Some(ground) = Ground::start(&[("OFFPRINT_BUILD_MEMORY", "268435456")]).await else { return };
    let script = "x=0123456789abcdef; while :; do x=$x$x; done";
    ground.build("eater", script).await.was_stopped("more than 256 MiB of memory");
    still_builds(&ground).await;
}

#[tokio::test]
async fn time_is_bounded() {
    let Some(ground) = Ground::start(&[("OFFPRINT_BUILD_TIMEOUT", "2")]).await else { return };
    ground
        .build("sleeper", "trap '' TERM INT; while :; do sleep 60.5; done")
        .await
        .was_stopped("longer than");
    still_builds(&ground).await;
}
