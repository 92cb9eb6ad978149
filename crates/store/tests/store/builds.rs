//! Builds from a repository: content that comes late or never, retries, what strangers may not.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use offprint_model::asset::AssetPath;
use offprint_model::config::{EnvVarPatch, Environment, EnvironmentPatch, Patch};
use offprint_model::deployment::{Commit, LogLine, SkipReason};
use offprint_model::project::ProjectPatch;
use offprint_model::secret::Secret;
use offprint_model::stages::{StageName, StageStatus};
use offprint_store::{
    Clock, Entity, JobKind, NewBuild, NewContent, Page, StoreError, Upload, UploadedConfiguration, WorkerKind,
};

use crate::support::{World, branch, built, deploying, failed, key_of, new_build, upload};

#[tokio::test]
async fn a_push_is_built_and_goes_live() {
    let world = World::new().await;
    let project = world.git_project("demo").await;
    let made = world.push(&project, "main", "c0ffee").await;
    assert!(made.source.is_some() && made.skipped.is_none() && !made.stages.is_terminal());
    let lease = world.claim_build().await.unwrap();
    assert_eq!((lease.deployment_id(), lease.kind()), (&made.id, JobKind::Build));
    let work = world.store.work(&lease).await.unwrap();
    assert!(work.content.is_none() && !work.untrusted && work.pull_request.is_none());
    assert_eq!(work.deployment.commit.hash, "c0ffee");
    world.build(&lease, &[("/index.html", "built")]).await.unwrap();
    assert_eq!(world.live(&project).await, Some(made.id.clone()));
    let live = world.store.deployment(&project, &made.id).await.unwrap();
    assert!(StageName::ALL.iter().all(|name| live.stages.get(*name).status == StageStatus::Success));
    world.assert_sound().await;

    let world = world.reopen().await;
    let (project, _) = world.lookup("demo").await;
    let second = world.push(&project, "main", "beef").await;
    let lease = world.claim_build().await.unwrap();
    world.build(&lease, &[("/index.html", "second")]).await.unwrap();
    assert_eq!(world.live(&project).await, Some(second.id));
    let rolled = world.store.rollback(&project, &made.id).await.unwrap();
    assert_eq!(rolled.aliases.len(), 1);
    assert_eq!(world.live(&project).await, Some(made.id));
    world.assert_sound().await;
}

#[tokio::test]
async fn a_project_without_a_repository_builds_nothing() {
    let world = World::new().await;
    let project = world.project("demo").await;
    let refused = world.store.create_build(&project, new_build("main", "c0ffee"), None).await;
    assert!(matches!(refused, Err(StoreError::NoSource)));
    let gone = world.git_project("gone").await;
    world.store.delete_project(&gone).await.unwrap();
    let refused = world.store.create_build(&gone, new_build("main", "c0ffee"), None).await;
    assert!(matches!(refused, Err(StoreError::NotFound(Entity::Project))));
}

#[tokio::test]
async fn a_build_without_content_is_in_nobodys_way() {
    let world = World::new().await;
    let project = world.git_project("demo").await;
    let waiting = world.push(&project, "waiting", "1").await;
    let failing = world.push(&project, "failing", "2").await;
    let first = world.claim_build().await.unwrap();
    let lease = world.claim_build().await.unwrap();
    assert_eq!(lease.deployment_id(), &failing.id);
    let refused = world.store.seal(&lease).await;
    assert!(matches!(refused.map(drop), Err(StoreError::IllegalStages(_))));
    world.store.finish_failed(&lease, failed(failing.stages)).await.unwrap();
    world.store.release(&first).await.unwrap();
    let refused = world.store.rollback(&project, &failing.id).await;
    assert!(matches!(refused, Err(StoreError::NotRollbackable(_))));
    let routes = world.store.routing_since(0).await.unwrap().projects.remove(0).1.unwrap();
    assert!(routes.deployments.is_empty() && routes.branches.is_empty());
    world.store.collect(Duration::ZERO).await.unwrap();
    assert!(!world.store.has_open_job(9).await.unwrap(), "nothing that compression waits for");
    world.assert_sound().await;
    world.store.delete_deployment(&project, &failing.id, false).await.unwrap();
    world.store.delete_deployment(&project, &waiting.id, false).await.unwrap();
    assert!(world.claim_build().await.is_none());
    world.assert_sound().await;
}

#[tokio::test]
async fn a_skipped_push_is_recorded_and_has_ended() {
    let world = World::new().await;
    let project = world.git_project("demo").await;
    let waiting = world.push(&project, "main", "1").await;
    let new = NewBuild { skip: Some(SkipReason::CommitMessage), ..new_build("main", "2") };
    let skipped = world.store.create_build(&project, new, None).await.unwrap();
    assert_eq!(skipped.skipped, Some(SkipReason::CommitMessage));
    assert!(skipped.stages.iter().all(|(_, stage)| stage.status == StageStatus::Skipped));
    assert!(matches!(
        world.store.cancel_deployment(&project, &skipped.id).await,
        Err(StoreError::NotCancelable)
    ));
    let lease = world.claim_build().await.unwrap();
    assert_eq!(lease.deployment_id(), &waiting.id, "what is not built supersedes nothing");
    assert!(world.claim_build().await.is_none());
    world.assert_sound().await;
    // A person may want it all the same.
    let retried = world.store.retry_deployment(&project, &skipped.id).await.unwrap();
    assert!(retried.skipped.is_none() && retried.commit.hash == "2");
    assert_eq!(world.claim_build().await.unwrap().deployment_id(), &retried.id);
    world.store.delete_deployment(&project, &skipped.id, false).await.unwrap();
    world.assert_sound().await;
}

#[tokio::test]
async fn a_build_may_find_out_late_that_it_is_not_wanted() {
    let world = World::new().await;
    let project = world.git_project("demo").await;
    let made = world.push(&project, "main", "").await;
    let lease = world.claim_build().await.unwrap();
    let commit =
        |hash: &str, message: &str| Commit { hash: hash.into(), message: message.into(), dirty: false };
    world.store.set_commit(&lease, commit("abc", "[skip ci] words")).await.unwrap();
    world.store.skip_deployment(&lease, SkipReason::CommitMessage).await.unwrap();
    let read = world.store.deployment(&project, &made.id).await.unwrap();
    assert_eq!((read.skipped, read.commit.hash.as_str()), (Some(SkipReason::CommitMessage), "abc"));
    assert!(read.stages.is_terminal() && !read.stages.is_success());
    let late = world.store.skip_deployment(&lease, SkipReason::CommitMessage).await;
    assert!(matches!(late, Err(StoreError::LeaseLost)));
    assert!(world.claim_build().await.is_none());
    world.assert_sound().await;
}

#[tokio::test]
async fn what_is_known_of_a_commit_stays() {
    let world = World::new().await;
    let project = world.git_project("demo").await;
    let new = NewBuild { commit: Commit::default(), ..new_build("main", "") };
    let made = world.store.create_build(&project, new, None).await.unwrap();
    let lease = world.claim_build().await.unwrap();
    let read = async || world.store.deployment(&project, &made.id).await.unwrap().commit;
    for (hash, message, expected) in [
        ("abc", "", ("abc", "")),
        ("def", "of another", ("abc", "")),
        ("abc", "words", ("abc", "words")),
        ("abc", "other words", ("abc", "words")),
    ] {
        let commit = Commit { hash: hash.into(), message: message.into(), dirty: false };
        world.store.set_commit(&lease, commit).await.unwrap();
        let commit = read().await;
        assert_eq!((commit.hash.as_str(), commit.message.as_str()), expected);
    }
}

#[tokio::test]
async fn content_of_an_earlier_attempt_is_let_go_of() {
    let world = World::new().await;
    let project = world.git_project("demo").await;
    let made = world.push(&project, "main", "1").await;
    let lease = world.claim_build().await.unwrap();
    world.store.set_stages(&lease, built(made.stages)).await.unwrap();
    let first = NewContent {
        worker: Some((WorkerKind::Script, Bytes::from_static(b"worker"))),
        ..world.content(&[("/index.html", "first")]).await
    };
    world.store.attach_content(&lease, first).await.unwrap();
    let old = world.store.work(&lease).await.unwrap();
    assert!(old.deployment.uses_functions);
    let sealed = world.store.seal(&lease).await.unwrap();
    world.store.attach_content(&lease, world.content(&[("/index.html", "second")]).await).await.unwrap();
    let new = world.store.work(&lease).await.unwrap();
    assert!(!new.deployment.uses_functions);
    let (old, new) = (old.content.unwrap().0, new.content.unwrap().0);
    assert_ne!(old, new);
    world.assert_sound().await;
    let stages = deploying(world.store.deployment(&project, &made.id).await.unwrap().stages);
    let stale = world.store.activate(sealed, &lease, crate::support::succeeded(stages)).await;
    assert!(matches!(stale, Err(StoreError::IllegalStages(_))), "{stale:?}");
    world.store.collect(Duration::ZERO).await.unwrap();
    assert!(world.store.load_site(&old).await.is_err());
    world.store.load_site(&new).await.unwrap();

    // Another worker takes it up where the content is there already.
    world.store.release(&lease).await.unwrap();
    let late = world.store.attach_content(&lease, NewContent::default()).await;
    assert!(matches!(late, Err(StoreError::LeaseLost)));
    assert!(matches!(world.store.project_scope(&lease).await.map(drop), Err(StoreError::LeaseLost)));
    assert!(matches!(world.store.set_commit(&lease, Commit::default()).await, Err(StoreError::LeaseLost)));
    assert!(!world.store.holds_lease(&lease).await.unwrap());
    let lease = world.claim_build().await.unwrap();
    assert!(world.store.work(&lease).await.unwrap().content.is_some());
    crate::support::run(&world.store, &lease).await.unwrap();
    assert_eq!(world.live(&project).await, Some(made.id));
    world.assert_sound().await;
}

#[tokio::test]
async fn content_that_was_not_uploaded_is_refused() {
    let world = World::new().await;
    let project = world.git_project("demo").await;
    world.push(&project, "main", "1").await;
    let lease = world.claim_build().await.unwrap();
    let assets = vec![(AssetPath::parse("/a.html").unwrap(), key_of("/a.html", b"missing"))];
    let refused = world.store.attach_content(&lease, NewContent { assets, ..NewContent::default() }).await;
    assert!(matches!(refused, Err(StoreError::MissingAssets { total: 1, .. })));
    assert!(world.store.work(&lease).await.unwrap().content.is_none());
    world.assert_sound().await;
}

#[tokio::test]
async fn a_retry_builds_again_from_the_same_commit_and_settings() {
    let world = World::new().await;
    let project = world.git_project("demo").await;
    let set = |value: &str| ProjectPatch { production: variable("S", value), ..ProjectPatch::default() };
    world.store.update_project(&project, set("old")).await.unwrap();
    let first = world.push(&project, "main", "1").await;
    let lease = world.claim_build().await.unwrap();
    world.build(&lease, &[("/index.html", "first")]).await.unwrap();
    world.store.update_project(&project, set("new")).await.unwrap();

    let retried = world.store.retry_deployment(&project, &first.id).await.unwrap();
    assert!(retried.config == first.config && retried.commit == first.commit);
    assert_eq!(retried.source, first.source);
    let lease = world.claim_build().await.unwrap();
    assert_eq!(lease.deployment_id(), &retried.id);
    assert!(world.store.work(&lease).await.unwrap().content.is_none());
    assert_eq!(world.live(&project).await, Some(first.id.clone()));
    world.build(&lease, &[("/index.html", "again")]).await.unwrap();
    assert_eq!(world.live(&project).await, Some(retried.id));

    // What was uploaded into the same project is deployed as it is.
    let uploaded = world.deploy(&project, "main", &[("/index.html", "uploaded")]).await;
    let again = world.store.retry_deployment(&project, &uploaded.id).await.unwrap();
    assert!(world.claim_build().await.is_none());
    world.run_jobs().await;
    assert_eq!(world.live(&project).await, Some(again.id));
    world.assert_sound().await;
}

fn variable(name: &str, value: &str) -> EnvironmentPatch {
    let patch = |secret, value: &str| {
        Some(EnvVarPatch { secret: Some(secret), value: Some(Secret::new(value.to_owned())) })
    };
    let vars = BTreeMap::from([
        (name.to_owned(), patch(true, value)),
        (format!("{name}_PLAIN"), patch(false, value)),
    ]);
    EnvironmentPatch { env_vars: Patch::Set(vars), ..EnvironmentPatch::default() }
}

fn configuration() -> Option<UploadedConfiguration> {
    let patch = EnvironmentPatch { compatibility_date: Some("2025-01-01".into()), ..Default::default() };
    Some(UploadedConfiguration { hash: "abc".into(), destination_dir: Some("dist".into()), patch })
}

#[tokio::test]
async fn settings_in_a_repository_become_the_projects() {
    let world = World::new().await;
    let project = world.git_project("demo").await;
    let made = world.push(&project, "main", "1").await;
    let lease = world.claim_build().await.unwrap();
    let content = NewContent { configuration: configuration(), ..NewContent::default() };
    world.store.attach_content(&lease, content).await.unwrap();
    let read = world.store.deployment(&project, &made.id).await.unwrap();
    assert_eq!(read.config.compatibility_date, "2025-01-01");
    assert_eq!(read.build_config.destination_dir.as_deref(), Some("dist"));
    let (_, after) = world.lookup("demo").await;
    assert_eq!(after.production.wrangler_config_hash.as_deref(), Some("abc"));
    assert!(after.preview.wrangler_config_hash.is_none());
}

#[tokio::test]
async fn a_stranger_sees_no_secrets_and_changes_no_settings() {
    let world = World::new().await;
    let project = world.git_project("demo").await;
    let preview = ProjectPatch {
        preview: variable("S", "hush"),
        production: variable("S", "hush"),
        ..ProjectPatch::default()
    };
    world.store.update_project(&project, preview).await.unwrap();
    let request = crate::pull_requests::fork(7, "main", "bad");
    world.store.note_pull_request(&project, request, None).await.unwrap();
    world.store.approve_pull_request(&project, 7, "bad").await.unwrap();
    // What the caller believes does not matter: the forge said that it is a fork.
    for untrusted in [true, false] {
        let new = NewBuild { untrusted, pull_request: Some(7), ..new_build("main", "bad") };
        let made = world.store.create_build(&project, new, None).await.unwrap();
        assert_eq!(made.environment, Environment::Preview);
        assert_eq!(made.config.env_vars.keys().collect::<Vec<_>>(), ["S_PLAIN"]);
        let lease = world.claim_build().await.unwrap();
        let work = world.store.work(&lease).await.unwrap();
        assert!(work.untrusted && work.pull_request == Some(7));
        assert!(!work.deployment.config.env_vars.contains_key("S"));
        let content =
            NewContent { configuration: configuration(), ..world.content(&[("/a.html", "a")]).await };
        world.store.attach_content(&lease, content).await.unwrap();
        world.store.release(&lease).await.unwrap();
        let lease = world.claim_build().await.unwrap();
        world.build(&lease, &[("/index.html", "bad")]).await.unwrap();
    }
    let (_, after) = world.lookup("demo").await;
    assert!(after.preview.wrangler_config_hash.is_none() && after.build_config.destination_dir.is_none());
    assert!(after.canonical.is_none());
    let routes = world.store.routing_since(0).await.unwrap().projects.remove(0).1.unwrap();
    let labels: Vec<&str> = routes.branches.iter().map(|(label, _)| label.as_str()).collect();
    assert_eq!(labels, ["pull-7"], "the branch `main` of a fork has no part in ours");
    world.assert_sound().await;
}

#[tokio::test]
async fn a_slow_older_build_does_not_replace_a_newer_one() {
    let world = World::new().await;
    let project = world.git_project("demo").await;
    for branch in ["main", "x"] {
        world.push(&project, branch, "1").await;
        let slow = world.claim_build().await.unwrap();
        let new = world.push(&project, branch, "2").await;
        let quick = world.claim_build().await.unwrap();
        world.build(&quick, &[("/index.html", "new")]).await.unwrap();
        world.build(&slow, &[("/index.html", "old")]).await.unwrap();
        let newest = world.store.deployment(&project, &new.id).await.unwrap();
        assert_eq!(newest.aliases.len(), 1, "{branch}");
    }
    world.assert_sound().await;
}

#[tokio::test]
async fn the_log_is_read_from_where_one_was() {
    let world = World::new().await;
    let project = world.git_project("demo").await;
    let made = world.push(&project, "main", "1").await;
    let lease = world.claim_build().await.unwrap();
    let line = |n: u32| offprint_model::deployment::LogLine {
        at: offprint_store::Clock::now(),
        text: format!("line {n}"),
    };
    world.store.append_log(&lease, &[line(1), line(2), line(3)]).await.unwrap();
    let tail = async |after, limit| {
        let tail = world.store.logs_after(&project, &made.id, after, limit).await.unwrap();
        let lines: Vec<_> = tail.lines.into_iter().map(|(n, line)| (n, line.text)).collect();
        (lines, tail.deployment.stages.is_terminal())
    };
    let named = |n: u64| (n, format!("line {n}"));
    assert_eq!(tail(0, 2).await, (vec![named(1), named(2)], false));
    assert_eq!(tail(2, 2).await, (vec![named(3)], false));
    assert_eq!(tail(3, 2).await, (vec![], false));
    assert_eq!(tail(u64::MAX, 2).await.0, vec![]);
    world.store.append_log(&lease, &[line(4)]).await.unwrap();
    world.build(&lease, &[]).await.unwrap();
    assert_eq!(tail(3, 9).await, (vec![named(4)], true));
    let other = world.project("other").await;
    let foreign = world.store.logs_after(&other, &made.id, 0, 9).await;
    assert!(matches!(foreign.map(drop), Err(StoreError::NotFound(Entity::Deployment))));
}

#[tokio::test]
async fn a_purged_cache_has_another_number() {
    let world = World::new().await;
    let project = world.git_project("demo").await;
    world.push(&project, "main", "1").await;
    let lease = world.claim_build().await.unwrap();
    let before = world.store.work(&lease).await.unwrap().cache_epoch;
    world.store.purge_build_cache(&project).await.unwrap();
    assert_eq!(world.store.work(&lease).await.unwrap().cache_epoch, before + 1);
    assert_eq!(world.store.build_cache_epochs().await.unwrap()[project.project_id()], before + 1);
}

#[tokio::test]
async fn a_project_goes_with_everything_of_its_repository() {
    let world = World::new().await;
    let project = world.git_project("demo").await;
    let token = offprint_store::SourceCredentialsPatch {
        token: Patch::Set(Secret::new("token".to_owned())),
        ..Default::default()
    };
    world.store.change_source_credentials(&project, token).await.unwrap();
    let hook = world.store.create_deploy_hook(&project, "hook", &branch("main")).await.unwrap();
    world.store.note_pull_request(&project, crate::pull_requests::fork(1, "x", "1"), None).await.unwrap();
    let delivery = offprint_store::Delivery { id: "1".into(), digest: [1; 32] };
    world.store.create_build(&project, new_build("main", "1"), Some(delivery)).await.unwrap();
    let heads = [(branch("main"), "1".to_owned())].into();
    world.store.note_heads(&project, &heads).await.unwrap();
    let lease = world.claim_build().await.unwrap();
    world.store.attach_content(&lease, world.content(&[("/a.html", "a")]).await).await.unwrap();
    world.store.delete_project(&project).await.unwrap();
    assert!(!world.store.holds_lease(&lease).await.unwrap());
    assert!(matches!(
        world.store.hook_target(&hook.id).await.map(drop),
        Err(StoreError::NotFound(Entity::DeployHook))
    ));
    let id = project.project_id();
    assert!(matches!(
        world.store.webhook_target(id).await.map(drop),
        Err(StoreError::NotFound(Entity::Project))
    ));
    let later = offprint_model::time::Timestamp::from_micros(i64::MAX);
    assert!(world.store.due_feedback(later, 9).await.unwrap().is_empty());
    world.store.collect(Duration::ZERO).await.unwrap();
    world.assert_sound().await;
    let again = world.git_project("demo").await;
    assert!(world.store.heads(&again).await.unwrap().is_none());
    assert!(world.store.pull_requests(&again).await.unwrap().is_empty());
    let page = Page { page: 1, per_page: 9 };
    assert_eq!(world.store.list_deployments(&again, None, page).await.unwrap().total, 0);
    assert!(world.claim_build().await.is_none());
}

#[tokio::test]
async fn texts_with_zero_bytes_do_no_harm() {
    let world = World::new().await;
    let project = world.git_project("demo").await;
    let mut new = new_build("main", "1");
    new.commit.message = "before\0after".into();
    let made = world.store.create_build(&project, new, None).await.unwrap();
    assert!(made.commit.message.starts_with("before") && made.commit.message.ends_with("after"));
    let lease = world.claim_build().await.unwrap();
    let text = r"one\u0000 two\\u0000".to_owned() + "\0 three";
    world.store.append_log(&lease, &[LogLine { at: Clock::now(), text }]).await.unwrap();
    let read = world.store.logs(&project, &made.id).await.unwrap();
    assert_eq!(read.last().unwrap().text, r"one\u0000 two\\u0000 three");
    let odd = Upload { content_type: "text/html\0".into(), ..upload("/a.html", b"odd") };
    world.store.put_assets(&world.account, vec![odd]).await.unwrap();
}
