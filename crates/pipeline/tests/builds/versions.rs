//! Builds of versions: with the same settings, cache and limits as those of commits, under a lease that is kept.

use std::time::Duration;

use offprint_model::asset::AssetPath;
use offprint_model::config::BuildConfigPatch;
use offprint_model::config::Patch;
use offprint_model::listing::{Entity, Record};
use offprint_model::secret::Secret;
use offprint_pipeline::PipelineOptions;
use offprint_store::{DeployWish, Reach};

use crate::house::House;

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

struct App {
    house: House,
    reach: Reach,
    version: String,
}

impl App {
    /// A version of the house's project with these files.
    async fn new(files: &[(&str, &str)]) -> Self {
        let house = House::new(&[]).await;
        let store = &house.world.store;
        let principal = store.authenticate(&Secret::new("secret".to_owned())).await.unwrap().unwrap();
        let reach = principal.reach();
        let made = store.create_version(&reach, house.project.app_id(), "first", None).await.unwrap();
        let version = made.record.id().to_owned();
        for (path, text) in files {
            let path = AssetPath::parse(path).unwrap();
            let bytes = text.as_bytes().to_vec().into();
            store.put_version_file(&reach, &version, path, bytes, true).await.unwrap();
        }
        Self { house, reach, version }
    }

    async fn ask(&self) -> String {
        let made = self.house.world.store.create_version_build(&self.reach, &self.version).await.unwrap();
        self.house.wake.pipeline();
        made.record.id().to_owned()
    }

    /// Waits until a build has ended; its status and its error.
    async fn ended(&self, id: &str) -> (String, Option<String>) {
        let look = async {
            loop {
                let build = self.build(id).await;
                if !matches!(build.text("status"), Some("pending" | "running")) {
                    return build;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let build = tokio::time::timeout(PATIENCE, look).await.expect("the build ends");
        (build.text("status").unwrap().to_owned(), build.text("error").map(str::to_owned))
    }

    async fn build(&self, id: &str) -> Record {
        self.house.world.store.find(&self.reach, Entity::Build, id).await.unwrap().unwrap().record
    }

    /// The log of a step.
    async fn log(&self, id: &str, step: &str) -> String {
        let steps = self.house.world.store.steps(Entity::Build, id).await.unwrap();
        let step = steps.iter().find(|found| found.text("name") == Some(step)).unwrap();
        step.text("log").unwrap_or_default().to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_build_keeps_its_lease() {
    let app = App::new(&[("index.html", "page")]).await;
    let aside = tempfile::tempdir().unwrap();
    let begun = aside.path().join("begun");
    let command = format!("echo once >>{}; sleep 1.2; mkdir dist; cp index.html dist", begun.display());
    app.house.settings(Some(&command), Some("dist")).await;
    let options = PipelineOptions { lease_ttl: Duration::from_millis(300), ..app.house.options() };
    let pipeline = app.house.start(options).await;
    let id = app.ask().await;
    assert_eq!(app.ended(&id).await, ("completed".to_owned(), None));
    assert_eq!(std::fs::read_to_string(begun).unwrap(), "once\n");
    app.house.world.store.create_deploy(&app.reach, &DeployWish::Build(id)).await.unwrap();
    app.house.wake.pipeline();
    let live = async {
        while app.house.served("/index.html").await.as_deref() != Some("page") {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, live).await.expect("it goes live");
    pipeline.shutdown().await;
    app.house.assert_clean();
    app.house.world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_that_takes_too_much_is_stopped_and_says_so() {
    let app = App::new(&[("index.html", "page")]).await;
    app.house.settings(Some("echo begun; sleep 60"), None).await;
    let mut options = app.house.options();
    let builds = options.builds.as_mut().unwrap();
    builds.limits.time = Duration::from_millis(300);
    let pipeline = app.house.start(options).await;
    let id = app.ask().await;
    let (status, error) = app.ended(&id).await;
    assert_eq!(status, "failed");
    assert!(error.unwrap().contains("a build may take 0.3 s"));
    assert!(app.log(&id, "build").await.contains("begun"));
    pipeline.shutdown().await;

    let mut options = app.house.options();
    options.builds.as_mut().unwrap().limits.disk_bytes = 3;
    let pipeline = app.house.start(options).await;
    let id = app.ask().await;
    let (_, error) = app.ended(&id).await;
    assert_eq!(error.as_deref(), Some("The version has 4 bytes, and a build may use 3 on the disk."));
    pipeline.shutdown().await;
    app.house.assert_clean();
    app.house.world.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_use_the_cache_of_their_app() {
    let app = App::new(&[("package.json", r#"{"devDependencies":{"astro":"^5"}}"#)]).await;
    app.house.variable("SKIP_DEPENDENCY_INSTALL", "true", false).await;
    let set = |text: &str| Patch::Set(text.to_owned());
    let change = BuildConfigPatch {
        build_caching: Patch::Set(true),
        build_command: set(
            "mkdir -p dist node_modules/.astro; cp node_modules/.astro/kept dist/index.html || echo first >dist/index.html; \
             echo warm >node_modules/.astro/kept",
        ),
        destination_dir: set("dist"),
        ..BuildConfigPatch::default()
    };
    app.house.build_config(change).await;
    let pipeline = app.house.pipeline().await;
    for said in [false, true] {
        let id = app.ask().await;
        assert_eq!(app.ended(&id).await.0, "completed");
        let restored = app.log(&id, "build").await.contains("Restored node_modules/.astro");
        assert_eq!(restored, said);
        // The cache is kept after the end.
        let kept = async {
            while !app.house.cache_has("of-node_modules~.astro") {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, kept).await.expect("the cache is kept");
    }
    pipeline.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_output_keeps_its_order_and_its_step() {
    let app = App::new(&[("index.html", "page")]).await;
    app.house.settings(Some("seq 1 20000; mkdir dist; cp index.html dist"), Some("dist")).await;
    let pipeline = app.house.pipeline().await;
    let id = app.ask().await;
    assert_eq!(app.ended(&id).await.0, "completed");
    let log = app.log(&id, "build").await;
    let numbers: Vec<&str> =
        log.lines().filter(|line| line.bytes().all(|byte| byte.is_ascii_digit())).collect();
    let written: Vec<String> = (1..=20_000).map(|number| number.to_string()).collect();
    assert!(numbers == written, "{} lines", numbers.len());
    assert!(app.log(&id, "store").await.starts_with("Stored 0 of 1 assets; the others were there"));
    pipeline.shutdown().await;
}
