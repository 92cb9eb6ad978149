//! Every step of the store fails once: the first, then the second, and so on until none is left to fail. After
//! each the store is opened again, its promises are checked, and what was acknowledged is there.
//!
//! A binary of its own with one test: the countdown belongs to the process.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

use std::time::Duration;

use offprint_model::asset::{AssetPath, BlobHash};
use offprint_model::config::Patch;
use offprint_model::deploy::VersionStep;
use offprint_model::deployment::{Deployment, SkipReason};
use offprint_model::encoding::EncodingSet;
use offprint_model::id::DeploymentId;
use offprint_model::name::Hostname;
use offprint_model::project::DomainStatus;
use offprint_model::secret::Secret;
use offprint_model::time::Timestamp;
use offprint_store::failpoints::{disarm, fail_nth};
use offprint_store::invariants::check_invariants;
use offprint_store::{
    AccountScope, Claim, Delivery, NewContent, NewDeployment, NewProject, ProjectScope, Result,
    SourceCredentialsPatch, Store, StoreError, StoreOptions,
};

use support::{
    TTL, branch, built, key_of, make_variants, new_build, new_deployment, new_project, run, scope_of, source,
    upload,
};

/// What the store has acknowledged.
#[derive(Default)]
struct Acknowledged {
    account: bool,
    project: bool,
    keys: Vec<(&'static str, &'static str)>,
    deployments: Vec<DeploymentId>,
    live: Option<DeploymentId>,
    /// Deleted, or perhaps so: a failed deletion may have happened.
    perhaps_gone: Vec<DeploymentId>,
    /// The live deployment may have been changed by a call that failed.
    unsure: bool,
}

/// Long enough to be compressed.
const SHARED: &str = "a { color: red } b { color: red } c { color: red } d { color: red } e { color: red }";
const FIRST: &[(&str, &str)] = &[("/index.html", "first"), ("/shared.css", SHARED)];
const SECOND: &[(&str, &str)] = &[("/index.html", "second"), ("/shared.css", SHARED)];

#[tokio::test]
async fn whichever_step_fails_the_promises_hold() {
    let mut steps = 0;
    loop {
        steps += 1;
        let dir = tempfile::tempdir().unwrap();
        let mut known = Acknowledged::default();
        fail_nth(steps);
        let result = life(&dir, &mut known).await;
        let failed = disarm();
        match (&result, &failed) {
            (Ok(()), None) | (Err(StoreError::Injected(_)), Some(_)) => {}
            // The use of a token is noted beside the request that uses it.
            (Ok(()), Some(step)) if step.starts_with("store::note_use") => {}
            (result, failed) => panic!("step {steps}, {failed:?}, became {result:?}"),
        }
        check(&dir, &known, &format!("step {steps}, {result:?}")).await;
        if failed.is_none() {
            break;
        }
    }
    println!("{steps} steps");
    assert!(steps > 80, "only {steps} steps are instrumented");
}

/// Everything that may happen to a site.
async fn life(dir: &tempfile::TempDir, known: &mut Acknowledged) -> Result<()> {
    let store = Store::open(StoreOptions::new(dir.path())).await?;
    let account = scope_of(&store, "0123456789abcdef0123456789abcdef", "secret").await?;
    known.account = true;
    store.create_project(&account, new_project("demo")).await?;
    known.project = true;
    let (project, _) = lookup(&store, &account).await?;
    store.create_project(&account, new_project("doomed")).await?;

    let first = deploy(&store, &account, &project, FIRST, "main", known).await?;
    let second = deploy(&store, &account, &project, SECOND, "main", known).await?;
    let preview = deploy(&store, &account, &project, SECOND, "x", known).await?;
    let host = Hostname::parse("www.example.com").expect("it is one");
    store.add_domain(&project, &host).await?;
    store.set_domain_status(&project, &host, DomainStatus::Active, None).await?;

    while make_variants(&store).await? {}
    known.unsure = true;
    store.rollback(&project, &first.id).await?;
    (known.live, known.unsure) = (Some(first.id.clone()), false);
    let retried = store.retry_deployment(&project, &second.id).await?;
    known.deployments.push(retried.id.clone());
    finish(&store, known, &retried).await?;

    builds(&store, &account).await?;
    versions(&store, &account, &project).await?;
    for id in [&first.id, &preview.id] {
        known.perhaps_gone.push(id.clone());
        store.delete_deployment(&project, id, true).await?;
    }
    let doomed = offprint_model::name::ProjectName::parse("doomed").expect("it is one");
    store.delete_project(&store.project(&account, &doomed).await?.0).await?;
    // From here on keys may go.
    known.keys.clear();
    store.collect(Duration::ZERO).await?;
    Ok(())
}

/// Everything that may happen to builds.
async fn builds(store: &Store, account: &AccountScope) -> Result<()> {
    let new = NewProject { source: Some(source()), ..new_project("git") };
    store.create_project(account, new).await?;
    let name = offprint_model::name::ProjectName::parse("git").expect("it is one");
    let (project, _) = store.project(account, &name).await?;
    let token = Patch::Set(Secret::new("token".to_owned()));
    let patch = SourceCredentialsPatch { token, ..SourceCredentialsPatch::default() };
    store.change_source_credentials(&project, patch).await?;
    let hook = store.create_deploy_hook(&project, "hook", &branch("main")).await?;
    store.delete_deploy_hook(&project, &hook.id).await?;
    store.note_heads(&project, &[(branch("main"), "1".to_owned())].into()).await?;

    let delivery = Delivery { id: "1".into(), digest: [1; 32] };
    store.create_build(&project, new_build("main", "1"), Some(delivery)).await?;
    let second = store.create_build(&project, new_build("main", "2"), None).await?;
    build(store, account, &second.id).await?;
    let retried = store.retry_deployment(&project, &second.id).await?;
    store.cancel_deployment(&project, &retried.id).await?;
    store.create_build(&project, new_build("x", "3"), None).await?;
    let lease =
        store.claim_build("test", TTL, None).await?.and_then(Claim::deployment).expect("there is a job");
    store.skip_deployment(&lease, SkipReason::CommitMessage).await?;
    for item in store.due_feedback(Timestamp::from_micros(i64::MAX), 9).await? {
        store.feedback_done(item.id).await?;
    }
    store.purge_build_cache(&project).await?;
    store.delete_project(&project).await
}

/// Everything that may happen to the build of a version.
async fn versions(store: &Store, account: &AccountScope, project: &ProjectScope) -> Result<()> {
    let principal = store.authenticate(&Secret::new("secret".to_owned())).await?.expect("the token is good");
    let reach = principal.reach();
    let made = store.create_version(&reach, project.app_id(), "first", None).await?;
    let version = made.record.id().to_owned();
    let path = AssetPath::parse("/index.html").expect("it is one");
    store.put_version_file(&reach, &version, path.clone(), "source".into(), true).await?;
    let mut asked = Vec::new();
    for _ in 0..3 {
        asked.push(store.create_version_build(&reach, &version).await?.record.id().to_owned());
    }
    let look = store.claim_version(TTL).await?.expect("there is a version");
    store.fail_version(&look, "broken").await?;
    let look = store.claim_version(TTL).await?.expect("there is another one");
    store.hand_to_builders(&look).await?;
    let claim = store.claim_build("test", TTL, None).await?.expect("it waits for a builder");
    store.renew_claim(&claim, TTL).await?;
    let Claim::Version(lease) = claim else { panic!("it is a version") };
    store.enter_version_step(&lease, VersionStep::Build).await?;
    store.append_version_log(&lease, VersionStep::Build, &["a line"]).await?;
    store.put_assets(account, vec![upload("/index.html", b"built")]).await?;
    let assets = vec![(path, key_of("/index.html", b"built"))];
    store.complete_version(&lease, NewContent { assets, ..NewContent::default() }).await?;
    store.cancel_build(&reach, &asked[2], None).await
}

async fn build(store: &Store, account: &AccountScope, id: &DeploymentId) -> Result<()> {
    let lease =
        store.claim_build("test", TTL, None).await?.and_then(Claim::deployment).expect("there is a job");
    assert_eq!(lease.deployment_id(), id, "the first was superseded");
    let stages = built(store.work(&lease).await?.deployment.stages);
    store.set_stages(&lease, stages).await?;
    let uploads = vec![upload("/index.html", b"built")];
    store.put_assets(account, uploads).await?;
    let assets = vec![(AssetPath::parse("/index.html").expect("it is one"), key_of("/index.html", b"built"))];
    store.attach_content(&lease, NewContent { assets, ..NewContent::default() }).await?;
    run(store, &lease).await
}

async fn lookup(
    store: &Store,
    account: &AccountScope,
) -> Result<(ProjectScope, offprint_model::project::Project)> {
    store.project(account, &offprint_model::name::ProjectName::parse("demo").expect("it is one")).await
}

async fn deploy(
    store: &Store,
    account: &AccountScope,
    project: &ProjectScope,
    files: &[(&'static str, &'static str)],
    branch: &str,
    known: &mut Acknowledged,
) -> Result<Deployment> {
    let uploads = files.iter().map(|(path, text)| upload(path, text.as_bytes())).collect();
    store.put_assets(account, uploads).await?;
    known.keys.extend(files);
    let worker = Some((offprint_store::WorkerKind::Script, "worker".into()));
    let new = NewDeployment { worker, ..new_deployment(project, branch, files) };
    let made = store.create_deployment(project, new).await?;
    known.deployments.push(made.id.clone());
    finish(store, known, &made).await?;
    Ok(made)
}

async fn finish(store: &Store, known: &mut Acknowledged, made: &Deployment) -> Result<()> {
    let lease = store.claim_upload("test", TTL).await?.expect("there is a job");
    store.renew(&lease, TTL).await?;
    known.unsure = made.branch.as_str() == "main";
    run(store, &lease).await?;
    if made.branch.as_str() == "main" {
        known.live = Some(made.id.clone());
    }
    known.unsure = false;
    Ok(())
}

async fn check(dir: &tempfile::TempDir, known: &Acknowledged, step: &str) {
    let store = Store::open(StoreOptions::new(dir.path())).await.unwrap();
    assert_eq!(check_invariants(&store).await.unwrap(), Vec::<String>::new(), "{step}");
    if !known.project {
        return;
    }
    assert!(known.account);
    let account = scope_of(&store, "0123456789abcdef0123456789abcdef", "secret").await.unwrap();
    let (project, read) = lookup(&store, &account).await.unwrap();
    let keys: Vec<_> = known.keys.iter().map(|(path, text)| key_of(path, text.as_bytes())).collect();
    assert!(store.missing_keys(&account, &keys).await.unwrap().is_empty(), "{step}");
    for id in &known.deployments {
        let there = store.deployment(&project, id).await.is_ok();
        assert!(there || known.perhaps_gone.contains(id), "{step}: an acknowledged deployment is lost");
    }
    assert!(known.unsure || read.canonical == known.live, "{step}: another deployment is live");

    // Life goes on: what was interrupted is taken up, and the next deployment goes live.
    let uploads = FIRST.iter().map(|(path, text)| upload(path, text.as_bytes())).collect();
    store.put_assets(&account, uploads).await.unwrap();
    let made = store.create_deployment(&project, new_deployment(&project, "main", FIRST)).await.unwrap();
    while let Some(lease) = store.claim_upload("test", TTL).await.unwrap() {
        run(&store, &lease).await.unwrap();
    }
    while make_variants(&store).await.unwrap() {}
    let shared = BlobHash::of(SHARED.as_bytes());
    let variants = store.blobs().variants(&shared).await.unwrap().unwrap();
    assert_eq!(variants.encodings(), EncodingSet::ALL, "{step}");
    assert_eq!(lookup(&store, &account).await.unwrap().1.canonical, Some(made.id), "{step}");
    store.collect(Duration::ZERO).await.unwrap();
    assert_eq!(check_invariants(&store).await.unwrap(), Vec::<String>::new(), "{step}, afterwards");
}
