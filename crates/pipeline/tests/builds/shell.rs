//! A builder without any walls: runs the commands as they are, in a group of their own that dies with the step.
//! What the walls are worth is tested where they are made.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};

use offprint_pipeline::builder::{Builder, BuilderError, Exit, Limit, OutputSink, RunFuture, Step};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

/// Runs steps with the shell of this machine.
#[derive(Default)]
pub(crate) struct Shell {
    /// So many of the next steps fail by our own fault.
    pub(crate) faults: AtomicUsize,
}

impl Builder for Shell {
    fn name(&self) -> &'static str {
        "shell"
    }

    fn seen(&self, host: &Path, _: &Path) -> PathBuf {
        host.to_owned()
    }

    fn hand_over(&self, _: &Path) -> Result<(), BuilderError> {
        Ok(())
    }

    fn ssh_proxy(&self) -> Option<String> {
        None
    }

    fn run<'a>(&'a self, step: Step, output: OutputSink, stop: CancellationToken) -> RunFuture<'a> {
        Box::pin(async move {
            let faulty =
                self.faults.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
            if faulty.is_ok() {
                return Err(BuilderError::NotStarted("a fault that a test asked for".into()));
            }
            let mut child = start(&step);
            let pipes = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
            let group = child.id().unwrap();
            let exit = {
                let ended = async {
                    let (_, _, status) =
                        tokio::join!(pump(pipes.0, &output), pump(pipes.1, &output), child.wait());
                    Exit::Code(status.unwrap().code().unwrap_or(128))
                };
                tokio::select! {
                    exit = ended => exit,
                    () = stop.cancelled() => Exit::Canceled,
                    () = tokio::time::sleep(step.limits.time) => Exit::Limit(Limit::Time),
                }
            };
            let group = format!("-{group}");
            let _ = std::process::Command::new("kill")
                .args(["-KILL", "--", &group])
                .stderr(Stdio::null())
                .status();
            let _ = child.wait().await;
            Ok(exit)
        })
    }
}

fn start(step: &Step) -> Child {
    let mut command = Command::new(&step.argv[0]);
    command
        .args(&step.argv[1..])
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("HOME", &step.home);
    command.envs(step.env.iter().cloned()).current_dir(step.workspace.join(&step.workdir)).process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command.spawn().unwrap()
}

async fn pump(pipe: impl AsyncRead + Unpin, output: &OutputSink) {
    let mut lines = BufReader::new(pipe).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let _ = output.send(line).await;
    }
}
