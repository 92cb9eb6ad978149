//! Ends: of a deployment, of the runtime, and of what an earlier run has left.

use std::fs;

use offprint_functions::FunctionRuntime;
use offprint_sandbox::Sandbox;

use crate::bundles::fetch;
use crate::house::House;

#[tokio::test]
async fn a_deployment_that_is_forgotten_leaves_nothing() {
    let Some(house) = House::new().await else { return };
    let key = house.deploy(fetch("return new Response('up')")).await;
    assert_eq!(house.get(&key, "/").await.text, "up");
    assert_eq!(left(&house), 1);
    house.runtime.forget(key).await;
    assert_eq!((house.runtime.live_processes(), left(&house)), (0, 0));
}

#[tokio::test]
async fn a_shutdown_lets_requests_finish_and_leaves_nothing() {
    let Some(house) = House::new().await else { return };
    let key = house.deploy(fetch("await scheduler.wait(1000); return new Response('finished')")).await;
    house.check(&key).await.unwrap();
    let shutdown = async {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        house.runtime.shutdown().await;
    };
    let (answer, ()) = tokio::join!(house.get(&key, "/"), shutdown);
    assert_eq!((answer.status, answer.text.as_str()), (200, "finished"));
    assert_eq!((house.runtime.live_processes(), left(&house)), (0, 0));
    // From now on nothing starts.
    assert_eq!(house.get(&key, "/").await.status, 410);
}

#[tokio::test]
async fn what_an_earlier_run_has_left_is_removed() {
    let left = |directory: &std::path::Path| {
        fs::create_dir_all(directory.join("7/p1/s")).unwrap();
        fs::write(directory.join("7/config.capnp"), "old").unwrap();
        std::os::unix::net::UnixListener::bind(directory.join("7/p1/s/assets")).unwrap();
    };
    let Some(house) = House::with(|options| left(&options.directory)).await else { return };
    assert!(!house.directory().join("7").exists());
}

#[tokio::test]
async fn a_directory_with_a_long_path_is_no_obstacle() {
    let long = |options: &mut offprint_functions::WorkerdOptions| {
        options.directory = options.directory.join("long".repeat(50));
    };
    if let Some(house) = House::with(long).await {
        let key = house.deploy(fetch("return env.ASSETS.fetch(request)")).await;
        assert_eq!(house.get(&key, "/a").await.text, "GET https://demo.example/a of demo");
    }
    if let Some(house) = House::plain(long).await {
        let key = house.deploy(fetch("return env.ASSETS.fetch(request)")).await;
        assert_eq!(house.get(&key, "/a").await.text, "GET https://demo.example/a of demo");
    }
}

#[tokio::test]
async fn without_walls_functions_run_and_end_all_the_same() {
    let Some(house) = House::plain(|_| {}).await else { return };
    let key = house.deploy(fetch("return new Response('up')")).await;
    assert_eq!(house.get(&key, "/").await.text, "up");
    house.runtime.shutdown().await;
    assert_eq!((house.runtime.live_processes(), left(&house)), (0, 0));
    assert!(Sandbox::is_installed() || left(&house) == 0);
}

/// Directories of deployments.
fn left(house: &House) -> usize {
    fs::read_dir(house.directory()).unwrap().filter(|entry| entry.as_ref().unwrap().path().is_dir()).count()
}
