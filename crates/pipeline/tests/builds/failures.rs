//! A build that fails says why, ends at its stage, and changes nothing of what is live.

use std::sync::atomic::Ordering;
use std::time::Duration;

use offprint_model::config::{BuildConfigPatch, Patch};
use offprint_pipeline::PipelineOptions;

use crate::house::{House, shape};

const BUILD_FAILED: [&str; 5] = ["success", "success", "success", "failure", "idle"];
const DEPLOY_FAILED: [&str; 5] = ["success", "success", "success", "success", "failure"];

/// Builds with these settings on top of a site that is live; returns the stages and the log.
async fn failed(command: &str, output: &str) -> (Vec<&'static str>, String) {
    let house = House::new(&[("index.html", "live")]).await;
    let pipeline = house.pipeline().await;
    house.built("main").await;
    house.settings(Some(command), Some(output)).await;
    let deployment = house.built("main").await;
    assert_eq!(house.served("/index.html").await.as_deref(), Some("live"));
    assert_ne!(house.world.live(&house.project).await, Some(deployment.id.clone()));
    let log = house.log(&deployment.id).await.join("\n");
    pipeline.shutdown().await;
    house.assert_clean();
    house.world.assert_sound().await;
    (shape(&deployment), log)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_command_fails_the_build() {
    let (shape, log) = failed("echo before; exit 3", "dist").await;
    assert_eq!(shape, BUILD_FAILED);
    assert!(
        log.ends_with("Error: The build command ended with exit code 3. The lines above say why."),
        "{log}"
    );
    let (_, log) = failed("no-such-program", "dist").await;
    assert!(log.contains("exit code 127: this server does not have a program that it calls"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_output_directory_is_named() {
    let (shape, log) = failed("mkdir -p public/x", "dist").await;
    assert_eq!(shape, BUILD_FAILED);
    let end = "Error: The output directory 'dist' is not there after the build. The repository has: index.html, public/. \
               Set destination_dir to where the build leaves the site.";
    assert!(log.ends_with(end), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_to_the_servers_files_is_not_published() {
    let (shape, log) =
        failed("mkdir dist; echo x >dist/index.html; ln -s /etc/passwd dist/p.txt", "dist").await;
    assert_eq!(shape, DEPLOY_FAILED);
    assert!(log.contains("Error: dist/p.txt is a link that leads out of the repository"), "{log}");
    let (_, log) = failed("mkdir dist; ln -s /etc/passwd dist/_headers", "dist").await;
    assert!(log.contains("Error: _headers is a link that leads out of the repository"), "{log}");
    let (shape, log) = failed("ln -s /etc dist", "dist").await;
    assert_eq!(shape, BUILD_FAILED);
    assert!(log.contains("The output directory 'dist' leads out of the repository"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_may_take_only_so_long() {
    let house = House::new(&[("index.html", "")]).await;
    house.settings(Some("sleep 600"), None).await;
    let mut options = house.options();
    options.builds.as_mut().unwrap().limits.time = Duration::from_millis(300);
    let pipeline = house.start(options).await;
    let deployment = house.built("main").await;
    assert_eq!(shape(&deployment), BUILD_FAILED);
    let log = house.log(&deployment.id).await.join("\n");
    assert!(log.contains("The build command was stopped: a build may take 0.3 s."), "{log}");
    pipeline.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_root_directory_that_is_not_there_is_named() {
    let house = House::new(&[("site/index.html", "")]).await;
    let root_dir = Patch::Set("web".into());
    house.build_config(BuildConfigPatch { root_dir, ..BuildConfigPatch::default() }).await;
    let pipeline = house.pipeline().await;
    let deployment = house.built("main").await;
    let log = house.log(&deployment.id).await.join("\n");
    assert!(log.contains("The root directory 'web' is not in the repository, which has: site/."), "{log}");
    pipeline.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_of_ours_is_tried_again_and_then_given_up() {
    let house = House::new(&[("index.html", "")]).await;
    house.shell.faults.store(2, Ordering::SeqCst);
    let options = PipelineOptions { attempts_max: 3, ..house.options() };
    let pipeline = house.start(options).await;
    let deployment = house.built("main").await;
    assert_eq!(shape(&deployment), ["success"; 5]);
    let log = house.log(&deployment.id).await.join("\n");
    assert!(log.contains("The build was interrupted and begins anew (attempt 3)."), "{log}");

    house.shell.faults.store(usize::MAX, Ordering::SeqCst);
    let deployment = house.built("main").await;
    assert_eq!(shape(&deployment), ["success", "success", "failure", "idle", "idle"]);
    let log = house.log(&deployment.id).await.join("\n");
    assert!(log.ends_with("its operator finds the reason in the server's log."), "{log}");
    pipeline.shutdown().await;
    house.assert_clean();
    house.world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_a_builder_says_so() {
    let house = House::new(&[("index.html", "")]).await;
    let pipeline = house.start(PipelineOptions { builds: None, ..house.options() }).await;
    let deployment = house.built("main").await;
    assert_eq!(shape(&deployment), ["failure", "idle", "idle", "idle", "idle"]);
    assert!(house.log(&deployment.id).await[0].contains("--builder"));
    pipeline.shutdown().await;
}
