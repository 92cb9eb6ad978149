//! A way of running commands, chosen once for a server.

use std::path::{Path, PathBuf};
use std::time::Duration;

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::bubblewrap::Bubblewrap;
use crate::error::SandboxError;
use crate::helper;
use crate::identity::Identity;
use crate::limiter::Limiter;
use crate::options::SandboxOptions;
use crate::scratch::Scratch;
use crate::spawner::Spawner;
use crate::spec::{Exit, Limits, Spec};
use crate::step;

/// Runs commands, any number at once. Clones are the same sandbox.
#[derive(Clone, Debug)]
pub struct Sandbox(Arc<Shared>);

/// What all commands have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) options: SandboxOptions,
    /// `None`: without walls.
    pub(crate) walls: Option<Bubblewrap>,
    pub(crate) identity: Identity,
    pub(crate) limiter: Limiter,
    pub(crate) scratch: Scratch,
    pub(crate) spawner: Spawner,
}

impl Sandbox {
    /// Whether bwrap, which makes the walls, is on this machine.
    pub fn is_installed() -> bool {
        Self::walls_program().is_some()
    }

    /// Where bwrap, which makes the walls, is on this machine.
    pub fn walls_program() -> Option<PathBuf> {
        Bubblewrap::find().map(|bubblewrap| bubblewrap.program().to_owned())
    }

    /// A sandbox with walls. Runs a command to see that it works. Needs a tokio runtime.
    ///
    /// # Errors
    /// [`SandboxError::Unusable`] with the reason, and what fails in making the scratch directory.
    pub async fn with_walls(options: SandboxOptions) -> Result<Self, SandboxError> {
        let missing = || SandboxError::Unusable("bubblewrap (bwrap) is not installed".into());
        let walls = Bubblewrap::find().ok_or_else(missing)?;
        let made = Self::make(options, Some(walls), Identity::inside_walls())?;
        made.probe().await?;
        Ok(made)
    }

    /// The same without walls: what runs has all rights of this server. Needs a tokio runtime.
    ///
    /// # Errors
    /// What fails in making the scratch directory.
    pub fn plain(options: SandboxOptions) -> Result<Self, SandboxError> {
        Self::make(options, None, Identity::Own)
    }

    fn make(
        options: SandboxOptions,
        walls: Option<Bubblewrap>,
        identity: Identity,
    ) -> Result<Self, SandboxError> {
        let doing = format!("cannot use {} for temporary files", options.scratch.display());
        let scratch =
            Scratch::open(&options.scratch, &options.helper.args).map_err(SandboxError::io(doing))?;
        let spawner = Spawner::start().map_err(SandboxError::io("cannot start a thread"))?;
        let limiter = Limiter::detect();
        Ok(Self(Arc::new(Shared { options, walls, identity, limiter, scratch, spawner })))
    }

    /// Whether there are walls. Without them mounts are not moved.
    pub fn has_walls(&self) -> bool {
        self.0.walls.is_some()
    }

    /// What keeps commands within their limits here, for the operator.
    pub fn limited_by(&self) -> String {
        self.0.limiter.describe()
    }

    /// Gives everything below a directory to the user that commands run as. Nothing may run in it meanwhile.
    ///
    /// # Errors
    /// The tree cannot be read or changed.
    pub fn hand_over(&self, directory: &Path) -> Result<(), SandboxError> {
        let doing = format!("cannot hand {} over", directory.display());
        self.0.identity.own(directory).map_err(SandboxError::io(doing))
    }

    /// The `ProxyCommand` with which ssh leaves a sandbox with walls. It is in the sandbox's own configuration of ssh
    /// as well.
    pub fn ssh_proxy(&self) -> String {
        helper::ssh_proxy(&self.0.options.helper.args)
    }

    /// Runs a command to its end, and passes on what it prints and what there is to say about it; see the fields of
    /// [`Spec`]. When this returns, nothing that the command has started lives. `stop` ends it at once; so does
    /// dropping the future, a moment later.
    ///
    /// # Errors
    /// The command could not be started or watched.
    pub async fn run(
        &self,
        spec: Spec,
        lines: mpsc::Sender<String>,
        stop: CancellationToken,
    ) -> Result<Exit, SandboxError> {
        let stop = stop.child_token();
        // In a task of its own: when the caller drops this future, the end is still seen to.
        let running = tokio::spawn(step::run(Arc::clone(&self.0), spec, lines, stop.clone()));
        let _stop_when_dropped = stop.drop_guard();
        running.await.unwrap_or_else(|error| Err(SandboxError::NotStarted(error.to_string())))
    }

    async fn probe(&self) -> Result<(), SandboxError> {
        let spec = Spec {
            argv: vec!["true".into()],
            env: Vec::new(),
            mounts: Vec::new(),
            workdir: "/".into(),
            home: PathBuf::from("/"),
            counted: Vec::new(),
            network: true,
            limits: Limits {
                time: Duration::from_secs(20),
                memory_bytes: 1 << 30,
                pids: 64,
                disk_bytes: 1 << 20,
                cpus: 1,
            },
            service: None,
        };
        let (lines, mut said) = mpsc::channel(64);
        let outcome = self.run(spec, lines, CancellationToken::new()).await;
        let mut text = String::new();
        while let Some(line) = said.recv().await {
            text.push_str(&line);
        }
        match outcome {
            Ok(Exit::Code(0)) => Ok(()),
            Ok(exit) => Err(SandboxError::Unusable(format!("{exit:?} {text}"))),
            Err(SandboxError::NotStarted(reason)) => Err(SandboxError::Unusable(reason)),
            Err(error) => Err(error),
        }
    }
}
