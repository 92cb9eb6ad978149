//! Which commit is cloned, and what is said when it cannot be.

use std::fs;

use offprint_model::deployment::SkipReason;

use crate::house::{House, git_in, shape};

const CLONE_FAILED: [&str; 5] = ["success", "success", "failure", "idle", "idle"];

#[tokio::test(flavor = "multi_thread")]
async fn the_commit_that_was_pushed_is_built_and_not_what_came_after() {
    let house = House::new(&[("index.html", "1")]).await;
    let first = house.git(&["rev-parse", "HEAD"]);
    house.commit("Second", &[("index.html", "2")]);
    let pipeline = house.pipeline().await;
    let id = house.push("main", &first).await;
    assert_eq!(shape(&house.ended(&id).await), ["success"; 5]);
    assert_eq!(house.served("/index.html").await.as_deref(), Some("1"));
    house.git(&["checkout", "--quiet", "-b", "feature/x"]);
    house.commit("Third", &[("index.html", "3")]);
    let preview = house.built("feature/x").await;
    assert_eq!(preview.commit.message, "Third");
    pipeline.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_branch_or_commit_that_is_gone_is_named() {
    let house = House::new(&[("index.html", "1")]).await;
    let pipeline = house.pipeline().await;
    let gone = house.built("gone").await;
    assert_eq!(shape(&gone), CLONE_FAILED);
    let log = house.log(&gone.id).await.join("\n");
    assert!(log.contains("couldn't find remote ref refs/heads/gone"), "{log}");
    assert!(log.contains("Error: The branch gone could not be fetched"), "{log}");

    let id = house.push("main", &"1".repeat(40)).await;
    assert_eq!(shape(&house.ended(&id).await), CLONE_FAILED);
    let log = house.log(&id).await.join("\n");
    assert!(log.contains("is not in the branch main any more"), "{log}");

    let id = house.push("a:b", "").await;
    house.ended(&id).await;
    let log = house.log(&id).await.join("\n");
    assert!(log.contains("'a:b' cannot be the name of a branch in git."), "{log}");
    pipeline.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_that_is_not_allowed_is_not_read() {
    let house = House::new(&[("index.html", "1")]).await;
    let mut options = house.options();
    options.builds.as_mut().unwrap().local_repositories = None;
    let pipeline = house.start(options).await;
    let deployment = house.built("main").await;
    assert_eq!(shape(&deployment), CLONE_FAILED);
    let log = house.log(&deployment.id).await.join("\n");
    assert!(log.contains("--local-repositories"), "{log}");
    pipeline.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_nobody_could_read_before_may_ask_for_no_deployment() {
    let house = House::new(&[("index.html", "1")]).await;
    house.commit("[skip ci] only a note", &[("note.txt", "")]);
    let pipeline = house.pipeline().await;
    let deployment = house.built("main").await;
    assert_eq!(deployment.skipped, Some(SkipReason::CommitMessage));
    assert_eq!(shape(&deployment), ["success", "success", "skipped", "skipped", "skipped"]);
    assert_eq!(house.world.live(&house.project).await, None);
    pipeline.shutdown().await;
    house.world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn submodules_are_fetched_when_asked_for() {
    for wanted in [true, false] {
        let house = House::with_source(&[("index.html", "1")], |source| source.submodules = wanted).await;
        let library = house.repository().with_file_name("library");
        fs::create_dir(&library).unwrap();
        git_in(&library, &["init", "--quiet", "--initial-branch", "main"]);
        fs::write(library.join("style.css"), "css").unwrap();
        git_in(&library, &["add", "--all"]);
        git_in(&library, &["commit", "--quiet", "--message", "Library"]);
        house.git(&["submodule", "--quiet", "add", library.to_str().unwrap(), "library"]);
        house.commit("With a library", &[]);
        let pipeline = house.pipeline().await;
        let deployment = house.built("main").await;
        assert_eq!(shape(&deployment), ["success"; 5], "{:#?}", house.log(&deployment.id).await);
        let style = house.served("/library/style.css").await;
        assert_eq!(style.as_deref(), wanted.then_some("css"));
        pipeline.shutdown().await;
    }
}
