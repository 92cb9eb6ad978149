//! The build cache between two builds of a project.

use offprint_model::config::{BuildConfigPatch, EnvVarPatch, EnvironmentPatch, Patch};
use offprint_model::deployment::Commit;
use offprint_model::project::ProjectPatch;
use offprint_model::secret::Secret;
use offprint_store::{NewBuild, PullRequest};

use crate::house::{House, shape};
use crate::support::{branch, new_build};

/// A site of a framework whose `.cache` is kept; counts its builds there.
const PACKAGE: &str = r#"{"devDependencies": {"@11ty/eleventy": "3"}}"#;
const COUNT: &str = "mkdir -p .cache _site; echo x >>.cache/count; cp .cache/count _site/count; \
    echo y >>$npm_config_cache/count; cp $npm_config_cache/count _site/packages";

async fn house(caching: Patch<bool>) -> House {
    let house = House::new(&[("package.json", PACKAGE)]).await;
    house.variable("SKIP_DEPENDENCY_INSTALL", "1", false).await;
    // Where there is no cache, the variable leads nowhere.
    let command = format!("export npm_config_cache=${{npm_config_cache:-$HOME}}; {COUNT}");
    let change = BuildConfigPatch {
        build_command: Patch::Set(command),
        destination_dir: Patch::Set("_site".into()),
        build_caching: caching,
        ..BuildConfigPatch::default()
    };
    house.build_config(change).await;
    house
}

async fn counted(house: &House) -> (String, String) {
    let deployment = house.built("main").await;
    assert_eq!(shape(&deployment), ["success"; 5], "{:#?}", house.log(&deployment.id).await);
    let count = house.served("/count").await.unwrap().replace('\n', "");
    (count, house.served("/packages").await.unwrap().replace('\n', ""))
}

fn both(count: usize) -> (String, String) {
    ("x".repeat(count), "y".repeat(count))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_finds_what_the_one_before_has_left_until_the_cache_is_purged() {
    let house = house(Patch::Set(true)).await;
    let pipeline = house.pipeline().await;
    assert_eq!(counted(&house).await, both(1));
    // What a build leaves is kept after it went live: the next one may be faster than that.
    let patience = async {
        while !house.cache_has("of-.cache") {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), patience).await.unwrap();
    assert_eq!(counted(&house).await, both(2));
    house.world.store.purge_build_cache(&house.project).await.unwrap();
    assert_eq!(counted(&house).await, both(1));
    pipeline.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_caching_each_build_begins_with_nothing() {
    for caching in [Patch::Keep, Patch::Set(false)] {
        let house = house(caching).await;
        let pipeline = house.pipeline().await;
        for _ in 0..2 {
            assert_eq!(counted(&house).await, both(1));
        }
        pipeline.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_build_finds_neither_cache_nor_secrets_and_leaves_nothing() {
    let house = house(Patch::Set(true)).await;
    let variable = |value: &str, secret| EnvVarPatch {
        secret: Some(secret),
        value: Some(Secret::new(value.to_owned())),
    };
    let variables = [("SKIP_DEPENDENCY_INSTALL", variable("1", false)), ("KEY", variable("tr0ub4dor", true))];
    let variables = variables.map(|(name, value)| (name.to_owned(), Some(value))).into_iter().collect();
    let preview = EnvironmentPatch { env_vars: Patch::Set(variables), ..EnvironmentPatch::default() };
    let patch = ProjectPatch { preview, ..ProjectPatch::default() };
    house.world.store.update_project(&house.project, patch).await.unwrap();
    let pipeline = house.pipeline().await;
    assert_eq!(counted(&house).await, both(1));

    house.git(&["checkout", "--quiet", "-b", "theirs"]);
    let hash = house.commit("Theirs", &[("theirs.html", "")]);
    let commit = Commit { hash: hash.clone(), message: "Theirs".into(), dirty: false };
    let request = PullRequest {
        number: 7,
        branch: branch("theirs"),
        commit: commit.clone(),
        fork: true,
        open: true,
        title: "Mine".into(),
    };
    house.world.store.note_pull_request(&house.project, request, None).await.unwrap();
    house.world.store.approve_pull_request(&house.project, 7, &hash).await.unwrap();
    let show = format!("echo key:$KEY; echo cache:$npm_config_cache; export npm_config_cache=$HOME; {COUNT}");
    let change = BuildConfigPatch { build_command: Patch::Set(show), ..BuildConfigPatch::default() };
    house.build_config(change).await;
    let new = NewBuild { commit, untrusted: true, pull_request: Some(7), ..new_build("theirs", "") };
    let id = house.ask(new).await;
    let log = house.log(&house.ended(&id).await.id).await;
    assert!(log.iter().any(|line| line == "key:") && log.iter().any(|line| line == "cache:"), "{log:#?}");
    assert!(log.iter().any(|line| line.contains("comes from a fork")), "{log:#?}");

    house.git(&["checkout", "--quiet", "main"]);
    assert_eq!(counted(&house).await.0, "x".repeat(2), "what ours has left is there, and nothing of theirs");
    pipeline.shutdown().await;
}
