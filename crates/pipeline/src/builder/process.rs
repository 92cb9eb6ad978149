//! The builder without walls, for machines that can make none and for people who trust what they build.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use offprint_sandbox::{Sandbox, Spec};
use tokio_util::sync::CancellationToken;

use super::{Bind, Builder, BuilderError, BuilderOptions, HOME, OutputSink, RunFuture, Step};

/// Runs steps as plain processes: they have all rights of the server and can read whatever it can. Limits hold, and
/// what a step starts dies with it, unless it takes pains to get away.
pub struct ProcessBuilder(Sandbox);

impl ProcessBuilder {
    /// Starts the builder, and warns. Needs a tokio runtime.
    ///
    /// # Errors
    /// Its directory for temporary files cannot be made.
    pub fn start(options: BuilderOptions) -> Result<Self, BuilderError> {
        let sandbox = Sandbox::plain(options)?;
        tracing::warn!(
            limits = sandbox.limited_by(),
            "builds run as plain processes: whoever can push can read everything that this server can, its data and \
             its secrets included"
        );
        Ok(Self(sandbox))
    }
}

impl Builder for ProcessBuilder {
    fn name(&self) -> &'static str {
        "process"
    }

    fn seen(&self, host: &Path, _inside: &Path) -> PathBuf {
        host.to_owned()
    }

    fn hand_over(&self, _directory: &Path) -> Result<(), BuilderError> {
        Ok(())
    }

    fn ssh_proxy(&self) -> Option<String> {
        None
    }

    fn run<'a>(&'a self, step: Step, output: OutputSink, stop: CancellationToken) -> RunFuture<'a> {
        Box::pin(async move {
            for bind in &step.binds {
                link(&step.home, bind).map_err(|source| BuilderError::Io {
                    doing: format!("cannot link {} into the home", bind.host.display()),
                    source,
                })?;
            }
            self.0.run(spec(step), output, stop).await
        })
    }
}

/// What would lie in the home is linked there, for programs that look nowhere else.
fn link(home: &Path, bind: &Bind) -> io::Result<()> {
    let Ok(below) = bind.inside.strip_prefix(HOME) else { return Ok(()) };
    let place = home.join(below);
    if fs::symlink_metadata(&place).is_ok() {
        return Ok(());
    }
    place.parent().map_or(Ok(()), fs::create_dir_all)?;
    symlink(&bind.host, place)
}

fn spec(step: Step) -> Spec {
    Spec {
        argv: step.argv,
        env: step.env,
        mounts: step.binds,
        workdir: step.workspace.join(step.workdir),
        home: step.home.clone(),
        counted: vec![step.workspace, step.home],
        network: step.network,
        limits: step.limits,
        service: None,
    }
}
