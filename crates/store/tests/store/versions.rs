//! Builds of versions: the look, the line they share with builds of repositories, their logs, and their ends.

use offprint_model::asset::AssetPath;
use offprint_model::config::Patch;
use offprint_model::deploy::VersionStep;
use offprint_model::listing::{Entity, Record};
use offprint_model::secret::Secret;
use offprint_store::{AppPatch, Claim, Reach, StoreError, VersionLease};

use crate::support::{TTL, World};

struct Apps {
    world: World,
    reach: Reach,
}

impl Apps {
    async fn new() -> Self {
        let world = World::new().await;
        let principal = world.store.authenticate(&Secret::new("secret".to_owned())).await.unwrap().unwrap();
        Self { reach: principal.reach(), world }
    }

    /// A version of an app with one file.
    async fn version(&self, app: &str) -> String {
        let store = &self.world.store;
        let made = store.create_version(&self.reach, app, "first", None).await.unwrap();
        let id = made.record.id().to_owned();
        let path = AssetPath::parse("index.html").unwrap();
        store.put_version_file(&self.reach, &id, path, "page".into(), true).await.unwrap();
        id
    }

    async fn ask(&self, version: &str) -> String {
        let made = self.world.store.create_version_build(&self.reach, version).await.unwrap();
        made.record.id().to_owned()
    }

    /// Asks for a build, looks at it, and hands it on.
    async fn handed_on(&self, version: &str) -> String {
        let id = self.ask(version).await;
        let lease = self.world.store.claim_version(TTL).await.unwrap().unwrap();
        assert_eq!(lease.build_id(), id);
        self.world.store.hand_to_builders(&lease).await.unwrap();
        id
    }

    async fn claim(&self, per_account: Option<u32>) -> Option<Claim> {
        self.world.store.claim_build("w", TTL, per_account).await.unwrap()
    }

    async fn claim_version(&self) -> VersionLease {
        match self.claim(None).await {
            Some(Claim::Version(lease)) => lease,
            other => panic!("{other:?} is no version"),
        }
    }

    async fn build(&self, id: &str) -> Record {
        self.world.store.find(&self.reach, Entity::Build, id).await.unwrap().unwrap().record
    }

    async fn status(&self, id: &str) -> String {
        self.build(id).await.text("status").unwrap().to_owned()
    }

    /// Name, status and log of each step.
    async fn steps(&self, id: &str) -> Vec<(String, String, Option<String>)> {
        let text = |step: &Record, name| step.text(name).map(str::to_owned);
        let steps = self.world.store.steps(Entity::Build, id).await.unwrap();
        steps
            .iter()
            .map(|step| (text(step, "name").unwrap(), text(step, "status").unwrap(), text(step, "log")))
            .collect()
    }
}

fn step(name: &str, status: &str, log: Option<&str>) -> (String, String, Option<String>) {
    (name.to_owned(), status.to_owned(), log.map(str::to_owned))
}

#[tokio::test]
async fn a_version_is_looked_at_and_then_waits_for_a_builder() {
    let apps = Apps::new().await;
    let project = apps.world.project("demo").await;
    let store = &apps.world.store;
    let id = apps.ask(&apps.version(project.app_id()).await).await;
    assert!(apps.claim(None).await.is_none(), "nobody has looked");
    let look = store.claim_version(TTL).await.unwrap().unwrap();
    assert!(store.claim_version(TTL).await.unwrap().is_none());
    assert_eq!((apps.status(&id).await.as_str(), look.attempt()), ("pending", 1));
    let work = store.version_work(&look).await.unwrap();
    assert_eq!(
        (work.name.as_str(), work.files.len(), work.files[0].path.as_str()),
        ("first", 1, "/index.html")
    );
    assert_eq!(store.source_file(&work.files[0]).await.unwrap().unwrap(), "page");
    store.hand_to_builders(&look).await.unwrap();
    assert!(matches!(store.hand_to_builders(&look).await, Err(StoreError::LeaseLost)));
    assert!(store.claim_version(TTL).await.unwrap().is_none());

    let lease = apps.claim_version().await;
    assert_eq!((lease.build_id(), lease.attempt()), (id.as_str(), 1), "a look is no attempt");
    assert!(apps.claim(None).await.is_none());
    let claim = Claim::Version(lease.clone());
    store.renew_claim(&claim, TTL).await.unwrap();
    assert!(store.holds_claim(&claim).await.unwrap());
    store.release_claim(&claim).await.unwrap();
    assert!(!store.holds_claim(&claim).await.unwrap());
    let late = store.enter_version_step(&lease, VersionStep::Build).await;
    assert!(matches!(late, Err(StoreError::LeaseLost)), "{late:?}");
    let again = apps.claim_version().await;
    assert_eq!(again.attempt(), 2);
    apps.world.assert_sound().await;
}

#[tokio::test]
async fn versions_and_repositories_wait_in_one_line_and_share_what_an_account_may_have() {
    let apps = Apps::new().await;
    let git = apps.world.git_project("git").await;
    let project = apps.world.project("demo").await;
    let version = apps.version(project.app_id()).await;
    let preview = apps.world.push(&git, "x", "1").await.id;
    let first = apps.handed_on(&version).await;
    let production = apps.world.push(&git, "main", "1").await.id;
    let second = apps.handed_on(&version).await;
    let mut claimed = Vec::new();
    for _ in 0..3 {
        claimed.push(apps.claim(Some(3)).await.unwrap());
    }
    let ids: Vec<&str> = claimed.iter().map(Claim::id).collect();
    assert_eq!(ids, [first.as_str(), production.as_str(), second.as_str()]);
    assert!(apps.claim(Some(3)).await.is_none(), "the account has its share");
    apps.world.store.release_claim(&claimed[0]).await.unwrap();
    assert_eq!(apps.claim(Some(3)).await.unwrap().id(), first, "one that was given back counts no more");
    assert_eq!(apps.claim(Some(4)).await.unwrap().id(), preview.as_str());
    apps.world.assert_sound().await;
}

#[tokio::test]
async fn the_log_is_kept_by_step_and_read_while_it_grows() {
    let apps = Apps::new().await;
    let project = apps.world.project("demo").await;
    let id = apps.handed_on(&apps.version(project.app_id()).await).await;
    let store = &apps.world.store;
    let lease = apps.claim_version().await;
    store.enter_version_step(&lease, VersionStep::Collect).await.unwrap();
    store.append_version_log(&lease, VersionStep::Collect, &["one"]).await.unwrap();
    store.enter_version_step(&lease, VersionStep::Build).await.unwrap();
    store.append_version_log(&lease, VersionStep::Build, &["two", "thr\0ee"]).await.unwrap();
    store.append_version_log(&lease, VersionStep::Build, &["four"]).await.unwrap();
    assert_eq!(apps.status(&id).await, "running");
    let steps = apps.steps(&id).await;
    assert_eq!(steps[0], step("collect", "completed", Some("one")));
    assert_eq!(steps[1], step("build", "running", Some("two\nthr\u{fffd}ee\nfour")));
    assert_eq!(steps[2], step("store", "pending", None));
    // Another attempt begins anew; what has ended keeps its times.
    let before = store.steps(Entity::Build, &id).await.unwrap();
    store.release_claim(&Claim::Version(lease)).await.unwrap();
    let lease = apps.claim_version().await;
    for at in [VersionStep::Collect, VersionStep::Build] {
        store.enter_version_step(&lease, at).await.unwrap();
    }
    assert_eq!(store.steps(Entity::Build, &id).await.unwrap(), before);
    store.fail_version(&lease, "broken").await.unwrap();
    assert_eq!(apps.steps(&id).await[1].1, "failed");
    assert_eq!(apps.steps(&id).await[2], step("store", "skipped", None));
    assert_eq!(apps.build(&id).await.text("error"), Some("broken"));
    let late = store.append_version_log(&lease, VersionStep::Build, &["late"]).await;
    assert!(matches!(late, Err(StoreError::LeaseLost)), "{late:?}");
    apps.world.assert_sound().await;
    // Its log goes with the project.
    store.delete_project(&project).await.unwrap();
    apps.world.assert_sound().await;
}

#[tokio::test]
async fn what_was_not_built_is_left_out_and_what_is_complete_can_be_deployed() {
    let apps = Apps::new().await;
    let project = apps.world.project("demo").await;
    let id = apps.ask(&apps.version(project.app_id()).await).await;
    let store = &apps.world.store;
    let lease = store.claim_version(TTL).await.unwrap().unwrap();
    store.enter_version_step(&lease, VersionStep::Collect).await.unwrap();
    let content = apps.world.content(&[("/index.html", "page")]).await;
    store.complete_version(&lease, content.clone()).await.unwrap();
    let steps: Vec<_> = apps.steps(&id).await.into_iter().map(|(name, status, _)| (name, status)).collect();
    let told = |name: &str, status: &str| (name.to_owned(), status.to_owned());
    assert_eq!(steps, [told("collect", "completed"), told("build", "skipped"), told("store", "completed")]);
    let again = store.complete_version(&lease, content).await;
    assert!(matches!(again, Err(StoreError::LeaseLost)), "{again:?}");
    store.create_deploy(&apps.reach, &offprint_store::DeployWish::Build(id)).await.unwrap();
    apps.world.run_jobs().await;
    assert!(apps.world.live(&project).await.is_some());
    apps.world.assert_sound().await;
}

#[tokio::test]
async fn who_cancels_or_deletes_the_app_takes_the_lease_away() {
    let apps = Apps::new().await;
    let project = apps.world.project("demo").await;
    let version = apps.version(project.app_id()).await;
    let store = &apps.world.store;
    let cancelled = apps.handed_on(&version).await;
    let lease = apps.claim_version().await;
    store.enter_version_step(&lease, VersionStep::Collect).await.unwrap();
    store.cancel_build(&apps.reach, &cancelled, Some("enough")).await.unwrap();
    assert!(!store.holds_claim(&Claim::Version(lease.clone())).await.unwrap());
    for late in [
        store.fail_version(&lease, "late").await,
        store.complete_version(&lease, apps.world.content(&[("/index.html", "page")]).await).await,
        store.renew_claim(&Claim::Version(lease), TTL).await,
    ] {
        assert!(matches!(late, Err(StoreError::LeaseLost)), "{late:?}");
    }
    assert_eq!(apps.status(&cancelled).await, "cancelled");
    assert_eq!(apps.build(&cancelled).await.text("error"), Some("Canceled: enough"));

    let runs = apps.handed_on(&version).await;
    let waits = apps.ask(&version).await;
    let lease = apps.claim_version().await;
    assert_eq!(lease.build_id(), runs);
    store.delete_app(&apps.reach, project.app_id()).await.unwrap();
    assert!(!store.holds_claim(&Claim::Version(lease)).await.unwrap());
    assert!(store.claim_version(TTL).await.unwrap().is_none() && apps.claim(None).await.is_none());
    store.restore_app(&apps.reach, project.app_id()).await.unwrap();
    for id in [&waits, &runs] {
        assert_eq!(apps.build(id).await.text("error"), Some("Canceled: the app was deleted"));
    }
    apps.world.assert_sound().await;
}

#[tokio::test]
async fn a_killed_workers_lease_ends_with_the_next_start() {
    let apps = Apps::new().await;
    let project = apps.world.project("demo").await;
    let id = apps.handed_on(&apps.version(project.app_id()).await).await;
    let lease = apps.claim_version().await;
    assert!(apps.claim(None).await.is_none());
    let sole = apps.world.store.take_over_jobs().await.unwrap();
    assert!(sole.is_some() && !apps.world.store.holds_claim(&Claim::Version(lease)).await.unwrap());
    assert_eq!(apps.claim_version().await.build_id(), id);
}

#[tokio::test]
async fn how_an_app_is_built_is_one_thing_in_both_views() {
    let apps = Apps::new().await;
    let project = apps.world.project("demo").await;
    let set = |text: &str| Patch::Set(text.to_owned());
    let build = offprint_model::config::BuildConfigPatch {
        build_command: set("make\n\"x\""),
        destination_dir: set("dist"),
        ..Default::default()
    };
    let patch = AppPatch { build, ..AppPatch::default() };
    let app = apps.world.store.update_app(&apps.reach, project.app_id(), patch).await.unwrap().record;
    let Some(offprint_model::listing::Value::Json(config)) = app.get("config") else { panic!("{app:?}") };
    assert_eq!(
        config,
        r#"{"buildCommand":"make\n\"x\"","env":{},"nodeVersion":null,"outputDirectory":"dist","rootDirectory":null}"#
    );
    let read = apps.world.lookup("demo").await.1.build_config;
    assert_eq!((read.build_command.as_deref(), read.root_dir), (Some("make\n\"x\""), None));
}
