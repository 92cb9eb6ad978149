//! The versions of the tools that the server has anyway: asked once, inside of the walls, and remembered.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::builder::{BuildLimits, BuilderError, Exit, Step};
use crate::stages::BuildOptions;
use crate::stages::step::run_captured;
use crate::tools::{Installed, Version};
use crate::workspace::WorkDirs;

/// How long a program may think about its version.
const PATIENCE: Duration = Duration::from_secs(20);

/// What is known of the server's own tools.
#[derive(Default)]
pub(crate) struct HostTools(Mutex<HashMap<&'static str, Option<Version>>>);

impl HostTools {
    /// The version of a program that builds find without further doing; `None`: there is none.
    ///
    /// # Errors
    /// The builder failed.
    pub(crate) async fn installed(
        &self,
        program: &'static str,
        options: &BuildOptions,
        dirs: &WorkDirs,
        stop: &CancellationToken,
    ) -> Result<Option<Installed>, BuilderError> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(program).copied();
        let version = match known {
            Some(version) => version,
            None => {
                let (exit, lines) =
                    run_captured(&options.builder, step(program, options, dirs), stop.clone()).await?;
                let version =
                    lines.iter().find_map(|line| Version::find(line)).filter(|_| exit == Exit::Code(0));
                // A step that was stopped has said nothing.
                if matches!(exit, Exit::Code(_)) {
                    self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(program, version);
                }
                version
            }
        };
        Ok(version.map(|version| Installed { version, bin: None }))
    }
}

fn step(program: &str, options: &BuildOptions, dirs: &WorkDirs) -> Step {
    // Not in the workspace: what is there is the author's.
    let question = if matches!(program, "go" | "hugo") { "version" } else { "--version" };
    Step {
        argv: vec!["sh".into(), "-c".into(), format!("cd / && exec {program} {question} 2>&1")],
        env: Vec::new(),
        workspace: dirs.workspace(),
        workdir: PathBuf::new(),
        home: dirs.home(),
        binds: Vec::new(),
        network: false,
        limits: BuildLimits { time: PATIENCE, ..options.limits },
    }
}
