//! Builds that are canceled, that lose their server, or that are overtaken.

use std::path::Path;
use std::time::Duration;

use offprint_model::deployment::SkipReason;
use offprint_model::id::DeploymentId;
use offprint_model::stages::{StageName, StageStatus};
use offprint_pipeline::Pipeline;
use offprint_store::Claim;
use tempfile::TempDir;

use crate::house::{House, shape};

/// Writes its process id to a file, then sleeps until a file lets it go on.
fn patient(directory: &Path) -> String {
    let (pid, go) = (directory.join("pid"), directory.join("go"));
    format!(
        "echo $$ >{pid}; echo waiting; while ! test -e {go}; do sleep 0.02; done; mkdir dist; echo done >dist/index.html",
        pid = pid.display(),
        go = go.display()
    )
}

/// A build in the middle of its command, which goes on when there is a file `go` aside.
struct Waiting {
    house: House,
    aside: TempDir,
    pipeline: Pipeline,
    id: DeploymentId,
}

impl Waiting {
    async fn start() -> Self {
        let house = House::new(&[("index.html", "")]).await;
        let aside = tempfile::tempdir().unwrap();
        house.settings(Some(&patient(aside.path())), Some("dist")).await;
        let pipeline = house.pipeline().await;
        let id = house.push("main", "").await;
        house.said(&id, "waiting").await;
        Self { house, aside, pipeline, id }
    }
}

fn lives(directory: &Path) -> bool {
    let pid = std::fs::read_to_string(directory.join("pid")).unwrap();
    Path::new("/proc").join(pid.trim()).exists()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canceled_build_is_gone_and_nothing_goes_live() {
    let Waiting { house, aside, pipeline, id } = Waiting::start().await;
    assert!(lives(aside.path()));
    let canceled = house.world.store.cancel_deployment(&house.project, &id).await.unwrap();
    assert_eq!(shape(&canceled), ["success", "success", "success", "canceled", "idle"]);
    let gone = async {
        while lives(aside.path()) || house.work_dir().join(id.as_str()).exists() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), gone).await.expect("the build ends");
    assert_eq!(house.world.live(&house.project).await, None);
    assert_eq!(house.log(&id).await.last().map(String::as_str), Some("Canceled."));
    // The worker is free for the next.
    std::fs::write(aside.path().join("go"), "").unwrap();
    assert_eq!(shape(&house.built("main").await), ["success"; 5]);
    pipeline.shutdown().await;
    house.assert_clean();
    house.world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_ends_its_builds_and_the_next_one_begins_them_anew() {
    let Waiting { house, aside, pipeline, id } = Waiting::start().await;
    tokio::time::timeout(Duration::from_secs(10), pipeline.shutdown())
        .await
        .expect("it does not wait for builds");
    assert!(!lives(aside.path()));
    house.assert_clean();
    let building = house.world.store.deployment(&house.project, &id).await.unwrap();
    assert_eq!(building.stages.get(StageName::Build).status, StageStatus::Active);

    std::fs::write(aside.path().join("go"), "").unwrap();
    let pipeline = house.pipeline().await;
    let deployment = house.ended(&id).await;
    assert_eq!(shape(&deployment), ["success"; 5]);
    let kept = |name| deployment.stages.get(name) == building.stages.get(name);
    assert!(kept(StageName::Initialize) && kept(StageName::CloneRepo));
    assert_eq!(house.served("/index.html").await.as_deref(), Some("done\n"));
    pipeline.shutdown().await;
    house.world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_server_has_left_is_removed_and_its_build_begins_anew() {
    let house = House::new(&[("index.html", "a")]).await;
    let id = house.push("main", "").await;
    let store = &house.world.store;
    let lease = store
        .claim_build("killed", Duration::from_secs(3600), None)
        .await
        .unwrap()
        .and_then(Claim::deployment)
        .unwrap();
    assert_eq!(lease.deployment_id(), &id);
    std::fs::create_dir_all(house.work_dir().join(id.as_str()).join("workspace/half")).unwrap();
    std::fs::create_dir_all(house.work_dir().join("forgotten")).unwrap();
    let pipeline = house.pipeline().await;
    assert_eq!(shape(&house.ended(&id).await), ["success"; 5]);
    pipeline.shutdown().await;
    house.assert_clean();
    assert!(!store.holds_lease(&lease).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_build_that_is_slower_does_not_replace_a_newer_one() {
    let Waiting { house, aside, pipeline, id: slow } = Waiting::start().await;
    house.settings(Some("mkdir dist; echo newer >dist/index.html"), Some("dist")).await;
    assert_eq!(shape(&house.built("main").await), ["success"; 5]);
    std::fs::write(aside.path().join("go"), "").unwrap();
    assert_eq!(shape(&house.ended(&slow).await), ["success"; 5]);
    assert_eq!(house.served("/index.html").await.as_deref(), Some("newer\n"));
    pipeline.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_the_builds_of_a_branch_that_wait_only_the_newest_runs() {
    let house = House::new(&[("index.html", "")]).await;
    let (older, newer) = (house.push("main", "").await, house.push("main", "").await);
    let pipeline = house.pipeline().await;
    assert_eq!(shape(&house.ended(&newer).await), ["success"; 5]);
    let older = house.ended(&older).await;
    assert_eq!((older.skipped, shape(&older)), (Some(SkipReason::SupersededQueuedBuild), vec!["skipped"; 5]));
    pipeline.shutdown().await;
}
