//! A store, a repository made with git, and a pipeline that builds.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use offprint_functions::tools::Places;
use offprint_model::config::{BuildConfigPatch, EnvVarPatch, EnvironmentPatch, Patch};
use offprint_model::deployment::{Commit, Deployment, Trigger};
use offprint_model::id::DeploymentId;
use offprint_model::project::ProjectPatch;
use offprint_model::secret::Secret;
use offprint_model::source::{CloneUrl, Source, SourceKind};
use offprint_pipeline::builder::{BuildLimits, Builder};
use offprint_pipeline::{BuildOptions, Pipeline, PipelineOptions, SiteLimits};
use offprint_store::{NewBuild, NewProject, ProjectScope, Wake};

use crate::shell::Shell;
use crate::support::{World, new_build, new_project, source};

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct House {
    pub(crate) world: World,
    pub(crate) wake: Wake,
    pub(crate) project: ProjectScope,
    pub(crate) shell: Arc<Shell>,
    files: tempfile::TempDir,
}

impl House {
    /// A project whose repository has one commit with these files on `main`.
    pub(crate) async fn new(files: &[(&str, &str)]) -> Self {
        Self::with_source(files, |_| {}).await
    }

    pub(crate) async fn with_source(files: &[(&str, &str)], change: impl FnOnce(&mut Source)) -> Self {
        let world = World::new().await;
        let directory = tempfile::tempdir().unwrap();
        let repository = directory.path().join("repositories/site");
        fs::create_dir_all(&repository).unwrap();
        let mut source = Source {
            kind: SourceKind::Git,
            clone_url: Some(CloneUrl::parse(repository.to_str().unwrap()).unwrap()),
            ..source()
        };
        change(&mut source);
        let new = NewProject { source: Some(source), ..new_project("demo") };
        world.store.create_project(&world.account, new).await.unwrap();
        let (project, _) = world.lookup("demo").await;
        let house = Self { world, wake: Wake::default(), project, shell: Arc::default(), files: directory };
        house.git(&["init", "--quiet", "--initial-branch", "main"]);
        house.commit("First", files);
        house
    }

    pub(crate) fn repository(&self) -> PathBuf {
        self.files.path().join("repositories/site")
    }

    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        git_in(&self.repository(), arguments)
    }

    /// Commits files; returns the commit's hash.
    pub(crate) fn commit(&self, message: &str, files: &[(&str, &str)]) -> String {
        for (name, text) in files {
            let path = self.repository().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Sets the build command and the output directory.
    pub(crate) async fn settings(&self, command: Option<&str>, output: Option<&str>) {
        let set = |text: Option<&str>| text.map_or(Patch::Clear, |text| Patch::Set(text.to_owned()));
        let change = BuildConfigPatch {
            build_command: set(command),
            destination_dir: set(output),
            ..Default::default()
        };
        self.build_config(change).await;
    }

    pub(crate) async fn build_config(&self, change: BuildConfigPatch) {
        let patch = ProjectPatch { build_config: Patch::Set(change), ..ProjectPatch::default() };
        self.world.store.update_project(&self.project, patch).await.unwrap();
    }

    /// Sets a variable of production.
    pub(crate) async fn variable(&self, name: &str, value: &str, secret: bool) {
        let variable = EnvVarPatch { secret: Some(secret), value: Some(Secret::new(value.to_owned())) };
        let variables = [(name.to_owned(), Some(variable))].into_iter().collect();
        let production = EnvironmentPatch { env_vars: Patch::Set(variables), ..EnvironmentPatch::default() };
        let patch = ProjectPatch { production, ..ProjectPatch::default() };
        self.world.store.update_project(&self.project, patch).await.unwrap();
    }

    pub(crate) fn options(&self) -> PipelineOptions {
        PipelineOptions {
            idle: Duration::from_millis(20),
            variants: false,
            builds: Some(BuildOptions {
                builder: self.shell.clone() as Arc<dyn Builder>,
                workers: 2,
                per_account: None,
                limits: BuildLimits {
                    time: Duration::from_secs(60),
                    memory_bytes: 1 << 30,
                    pids: 100,
                    disk_bytes: 1 << 30,
                    cpus: 2,
                },
                clone_timeout: Duration::from_secs(60),
                work_dir: self.work_dir(),
                cache_dir: self.files.path().join("cache"),
                tools: Vec::new(),
                functions_tools: Places::default(),
                local_repositories: Some(self.files.path().join("repositories")),
                site_limits: SiteLimits {
                    file_bytes_max: 1 << 20,
                    files_max: 100,
                    worker_bytes_max: 1 << 20,
                },
                url_of: Arc::new(|project, id| format!("https://{}.{project}.example", id.short())),
            }),
            ..PipelineOptions::default()
        }
    }

    pub(crate) fn work_dir(&self) -> PathBuf {
        self.files.path().join("builds")
    }

    pub(crate) async fn pipeline(&self) -> Pipeline {
        self.start(self.options()).await
    }

    pub(crate) async fn start(&self, options: PipelineOptions) -> Pipeline {
        Pipeline::start(self.world.store.clone(), self.wake.clone(), options).await.unwrap()
    }

    /// Asks for a build of a branch's head, or of a commit.
    pub(crate) async fn push(&self, from: &str, hash: &str) -> DeploymentId {
        let commit = Commit { hash: hash.to_owned(), ..Commit::default() };
        self.ask(NewBuild { commit, trigger: Trigger::GitPush, ..new_build(from, "") }).await
    }

    pub(crate) async fn ask(&self, new: NewBuild) -> DeploymentId {
        let made = self.world.store.create_build(&self.project, new, None).await.unwrap();
        self.wake.pipeline();
        made.id
    }

    /// Builds and waits for the end.
    pub(crate) async fn built(&self, from: &str) -> Deployment {
        let id = self.push(from, "").await;
        self.ended(&id).await
    }

    pub(crate) async fn ended(&self, id: &DeploymentId) -> Deployment {
        self.until("it ends", id, |deployment| deployment.stages.is_terminal()).await
    }

    pub(crate) async fn until(
        &self,
        what: &str,
        id: &DeploymentId,
        holds: impl Fn(&Deployment) -> bool,
    ) -> Deployment {
        let look = async {
            loop {
                let deployment = self.world.store.deployment(&self.project, id).await.unwrap();
                if holds(&deployment) {
                    return deployment;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        match tokio::time::timeout(PATIENCE, look).await {
            Ok(deployment) => deployment,
            Err(_) => panic!("{what}; the log: {:#?}", self.log(id).await),
        }
    }

    /// Waits until a line of the log contains a text.
    pub(crate) async fn said(&self, id: &DeploymentId, text: &str) {
        let look = async {
            while !self.log(id).await.iter().any(|line| line.contains(text)) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        assert!(tokio::time::timeout(PATIENCE, look).await.is_ok(), "{text} in {:#?}", self.log(id).await);
    }

    pub(crate) async fn log(&self, id: &DeploymentId) -> Vec<String> {
        let lines = self.world.store.logs(&self.project, id).await.unwrap();
        lines.into_iter().map(|line| line.text).collect()
    }

    /// The text of an asset of what is live.
    pub(crate) async fn served(&self, path: &str) -> Option<String> {
        let update = self.world.store.routing_since(0).await.unwrap();
        let live = update.projects.into_iter().find_map(|(_, routes)| routes?.production)?;
        let document = self.world.store.load_site(&live.site).await.unwrap();
        let asset = document.manifest.iter().find(|(known, _)| known.as_str() == path)?.1.clone();
        Some(String::from_utf8(self.world.store.blobs().read(&asset.blob).await.unwrap().to_vec()).unwrap())
    }

    /// Whether the cache of the project holds an entry that is complete.
    pub(crate) fn cache_has(&self, entry: &str) -> bool {
        let project = self.files.path().join("cache").join(self.project.project_id().as_str());
        fs::read_dir(project).unwrap().any(|epoch| epoch.unwrap().path().join(entry).join("read").exists())
    }

    /// No directory of a build is left.
    pub(crate) fn assert_clean(&self) {
        let left: Vec<PathBuf> = fs::read_dir(self.work_dir())
            .map(|all| all.map(|one| one.unwrap().path()).collect())
            .unwrap_or_default();
        assert_eq!(left, Vec::<PathBuf>::new());
    }
}

/// Statuses of the five stages.
pub(crate) fn shape(deployment: &Deployment) -> Vec<&'static str> {
    deployment.stages.iter().map(|(_, stage)| stage.status.as_str()).collect()
}

/// Runs git with settings of its own.
pub(crate) fn git_in(directory: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    for (name, value) in
        [("user.name", "Test"), ("user.email", "test@example.com"), ("protocol.file.allow", "always")]
    {
        command.arg("-c").arg(format!("{name}={value}"));
    }
    let out =
        command.args(arguments).current_dir(directory).env("GIT_CONFIG_NOSYSTEM", "1").output().unwrap();
    assert!(out.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap().trim().to_owned()
}
