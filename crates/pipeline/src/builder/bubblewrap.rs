//! The builder with walls: namespaces made by bubblewrap.

use std::path::{Path, PathBuf};

use offprint_sandbox::{Mount, Sandbox, Spec};
use tokio_util::sync::CancellationToken;

use super::{Builder, BuilderError, BuilderOptions, HOME, OutputSink, RunFuture, Step, WORKSPACE};

/// Runs steps that see a read-only system, their workspace and home, and nothing of this machine or its network.
pub struct BubblewrapBuilder(Sandbox);

impl BubblewrapBuilder {
    /// Whether bubblewrap is on this machine.
    pub fn is_installed() -> bool {
        Sandbox::is_installed()
    }

    /// Starts the builder and sees whether it works. Needs a tokio runtime.
    ///
    /// # Errors
    /// It does not work here, with the reason.
    pub async fn start(options: BuilderOptions) -> Result<Self, BuilderError> {
        let sandbox = Sandbox::with_walls(options).await?;
        tracing::info!(limits = sandbox.limited_by(), "builds run in bubblewrap");
        Ok(Self(sandbox))
    }
}

impl Builder for BubblewrapBuilder {
    fn name(&self) -> &'static str {
        "bubblewrap"
    }

    fn seen(&self, _host: &Path, inside: &Path) -> PathBuf {
        inside.to_owned()
    }

    fn hand_over(&self, directory: &Path) -> Result<(), BuilderError> {
        self.0.hand_over(directory)
    }

    fn ssh_proxy(&self) -> Option<String> {
        Some(self.0.ssh_proxy())
    }

    fn run<'a>(&'a self, step: Step, output: OutputSink, stop: CancellationToken) -> RunFuture<'a> {
        Box::pin(self.0.run(spec(step), output, stop))
    }
}

fn spec(step: Step) -> Spec {
    let own = |host: &Path, inside: &str| Mount { host: host.into(), inside: inside.into(), writable: true };
    let mut mounts = vec![own(&step.workspace, WORKSPACE), own(&step.home, HOME)];
    mounts.extend(step.binds);
    Spec {
        argv: step.argv,
        env: step.env,
        mounts,
        workdir: Path::new(WORKSPACE).join(step.workdir),
        home: HOME.into(),
        counted: vec![step.workspace, step.home],
        network: step.network,
        limits: step.limits,
        service: None,
    }
}
