//! One command, from its preparation to the proof of its death.

mod environment;

use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::control::{self, Descent, Entry, Orders, Report};
use crate::egress::Egress;
use crate::error::SandboxError;
use crate::helper::{EGRESS_SOCKET, NETWORK_INSIDE};
use crate::identity::Identity;
use crate::limiter::Cage;
use crate::output::pump;
use crate::proc;
use crate::sandbox::Shared;
use crate::scratch::ScratchDir;
use crate::spec::{Exit, Limit, Mount, Spec};
use crate::watch::{Disk, Watch};

/// How long the helper gets to end everything by itself; the kernel needs a while for big processes.
const ENDING: Duration = Duration::from_secs(12);
/// How long the reader of the lines gets for the last of them.
const LAST_LINES: Duration = Duration::from_secs(10);

/// Runs one command.
pub(crate) async fn run(
    shared: Arc<Shared>,
    spec: Spec,
    lines: mpsc::Sender<String>,
    stop: CancellationToken,
) -> Result<Exit, SandboxError> {
    let prepared = {
        let (shared, spec) = (Arc::clone(&shared), spec.clone());
        spawn_blocking(move || prepare(&shared, &spec)).await
    };
    let prepared = prepared.map_err(|error| SandboxError::NotStarted(error.to_string()))??;
    let has_proxy = spec.network && shared.walls.is_some();
    let egress = has_proxy
        .then(|| {
            let allow = shared.options.allow.clone();
            Egress::start(&prepared.scratch.network(), EGRESS_SOCKET, allow, lines.clone())
        })
        .transpose()
        .map_err(SandboxError::io("cannot make the socket of the egress proxy"))?;
    let running = Running::start(&shared, &spec, &prepared).await?;
    let exit = running.see_through(&spec, &prepared, &lines, &stop).await;
    if let Some(service) = &spec.service {
        service.meter.end();
    }
    for line in [
        exit.as_ref().ok().and_then(|exit| last_words(*exit, &spec)),
        egress.as_ref().and_then(Egress::summary),
    ] {
        let Some(line) = line else { continue };
        let _ = timeout(LAST_LINES, lines.send(line)).await;
    }
    drop(egress);
    // Removes what may be many temporary files.
    let _ = spawn_blocking(move || drop(prepared)).await;
    exit
}

fn last_words(exit: Exit, spec: &Spec) -> Option<String> {
    match exit {
        Exit::Limit(limit) => Some(spec.limits.describe(limit)),
        Exit::Code(_) | Exit::Signal(_) | Exit::Canceled => None,
    }
}

/// What a command needs on this machine; dropping removes it.
struct Prepared {
    cage: Arc<Cage>,
    scratch: ScratchDir,
    disk: Disk,
}

fn prepare(shared: &Shared, spec: &Spec) -> Result<Prepared, SandboxError> {
    let scratch = shared.scratch.make().map_err(SandboxError::io("cannot make temporary directories"))?;
    let temp = scratch.temp();
    let writable = || spec.mounts.iter().filter(|mount| mount.writable).map(|mount| mount.host.clone());
    for directory in writable().chain([temp.clone()]) {
        let doing = format!("cannot hand {} over", directory.display());
        shared.identity.own_once(&directory).map_err(SandboxError::io(doing))?;
    }
    let counted = spec.counted.iter().cloned().chain([temp]).collect();
    let grown = writable().filter(|host| !spec.counted.contains(host)).collect();
    let disk = Disk::new(&spec.limits, counted, grown);
    let cage = shared.limiter.cage(spec.limits).map_err(SandboxError::io("cannot make a control group"))?;
    let cage = Arc::new(cage);
    if let Some(service) = &spec.service {
        service.share.begin(&cage);
    }
    Ok(Prepared { cage, scratch, disk })
}

/// A helper that has been started.
struct Running {
    child: Child,
    /// The outermost process.
    root: i32,
    control: UnixStream,
    /// `None` once it is being passed on.
    output: Option<pipe::Receiver>,
    walls: bool,
}

/// Why waiting ended.
enum End {
    Report(Report),
    /// The helper has gone without a word.
    Gone,
    Canceled,
    Passed(Limit),
}

impl Running {
    async fn start(shared: &Shared, spec: &Spec, prepared: &Prepared) -> Result<Self, SandboxError> {
        let starting = || SandboxError::io("cannot start the sandbox");
        let (ours, theirs) = StdUnixStream::pair().map_err(starting())?;
        let (reader, writer) = std::io::pipe().map_err(starting())?;
        let stdout: OwnedFd = match &spec.service {
            Some(service) => service.socket.try_clone().map_err(starting())?,
            None => writer.try_clone().map_err(starting())?.into(),
        };
        let (entry, orders) = (entry(shared, spec, prepared), orders(shared, spec, prepared));
        let mut command = Command::new(&shared.options.helper.program);
        command.args(&shared.options.helper.args).arg(if entry.is_some() { "enter" } else { "hold" });
        // Without walls nothing but the helper can end what it holds, which it does when the control socket closes.
        command.env_clear().current_dir("/").kill_on_drop(shared.walls.is_some());
        command.stdin(Stdio::from(OwnedFd::from(theirs))).stdout(stdout).stderr(writer);
        let mut child = shared.spawner.spawn(command).await.map_err(starting())?;
        let pid = child.id().unwrap_or_default();
        if let Some(service) = &spec.service {
            service.meter.begin(pid.cast_signed());
        }
        if let Err(source) = prepared.cage.add(pid) {
            let _ = child.kill().await;
            return Err(starting()(source));
        }
        ours.set_nonblocking(true).map_err(starting())?;
        let mut control = UnixStream::from_std(ours).map_err(starting())?;
        let mut messages =
            entry.map(|entry| control::encode(&entry)).transpose().map_err(starting())?.unwrap_or_default();
        messages.extend(control::encode(&orders).map_err(starting())?);
        // A helper that has died already cannot read; what it said is told below.
        let _ = control.write_all(&messages).await;
        let output = pipe::Receiver::from_owned_fd(reader.into()).map_err(starting())?;
        let (root, output) = (pid.cast_signed(), Some(output));
        Ok(Self { child, root, control, output, walls: shared.walls.is_some() })
    }

    /// Waits for the end, or makes it, and for the proof.
    async fn see_through(
        mut self,
        spec: &Spec,
        prepared: &Prepared,
        lines: &mpsc::Sender<String>,
        stop: &CancellationToken,
    ) -> Result<Exit, SandboxError> {
        let watch = Watch {
            cage: Arc::clone(&prepared.cage),
            root: self.root,
            disk: prepared.disk.clone(),
            look: spec.service.as_ref().map(|service| service.look),
        };
        let passed = async {
            tokio::select! {
                () = tokio::time::sleep(spec.limits.time) => Limit::Time,
                limit = watch.until_passed() => limit,
            }
        };
        tokio::pin!(passed);
        let canceled = self.canceled(spec, stop)?;
        tokio::pin!(canceled);
        let mut reading: Option<JoinHandle<()>> = None;
        let end = loop {
            let end = tokio::select! {
                () = &mut canceled => End::Canceled,
                limit = &mut passed => End::Passed(limit),
                report = report(&mut self.control) => report.map_or(End::Gone, End::Report),
            };
            match end {
                End::Report(Report::Started) => reading = self.read(lines),
                end => break end,
            }
        };
        let was_started = reading.is_some();
        if matches!(end, End::Report(Report::Exited(_))) && reading.is_none() {
            reading = self.read(lines);
        }
        self.end(&prepared.cage).await;
        if let Some(mut reading) = reading {
            // Without a writer left the reading ends by itself, unless nobody takes the lines.
            if timeout(LAST_LINES, &mut reading).await.is_err() {
                reading.abort();
            }
        }
        match end {
            End::Report(report) => self.judged(report, prepared).await,
            End::Gone if was_started => self.judged(Report::Signaled(Signal::SIGKILL as i32), prepared).await,
            End::Gone => Err(SandboxError::NotStarted(self.complaint().await)),
            End::Canceled => Ok(Exit::Canceled),
            End::Passed(limit) => Ok(Exit::Limit(limit)),
        }
    }

    /// Returns when the command is to be stopped; one that serves has had its time to end by itself then.
    fn canceled(
        &self,
        spec: &Spec,
        stop: &CancellationToken,
    ) -> Result<impl Future<Output = ()> + use<>, SandboxError> {
        let service = spec.service.clone();
        // Apart from the socket that reports are read from, which may be in the middle of one.
        let asking = self.control.as_fd().try_clone_to_owned();
        let asking = StdUnixStream::from(asking.map_err(SandboxError::io("cannot control the sandbox"))?);
        let stop = stop.clone();
        Ok(async move {
            let Some(service) = service else { return stop.cancelled().await };
            let asked = async {
                stop.cancelled().await;
                let _ = (&asking).write(&[control::TERMINATE]);
                tokio::time::sleep(service.grace).await;
            };
            service.kill.run_until_cancelled(asked).await;
        })
    }

    /// Starts to pass the output on; before the command runs, there is only what goes wrong with the sandbox.
    fn read(&mut self, lines: &mpsc::Sender<String>) -> Option<JoinHandle<()>> {
        self.output.take().map(|output| tokio::spawn(pump(output, lines.clone())))
    }

    /// Makes sure that nothing lives.
    async fn end(&mut self, cage: &Cage) {
        // The helper reads the end of the server's wish in this, and takes everything along.
        let _ = self.control.shutdown().await;
        if self.walls {
            // Process 1 inside; with it the kernel kills all others, and only then bwrap ends.
            for pid in proc::children(self.root) {
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
        }
        if timeout(ENDING, self.child.wait()).await.is_err() {
            tracing::warn!(pid = self.root, "a sandbox does not end; killing its outermost process");
            let _ = self.child.kill().await;
        }
        // Without walls someone may have got away from the helper, but not out of the control group.
        for _ in 0..500 {
            if cage.is_empty() {
                return;
            }
            cage.kill();
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        tracing::error!("processes of a sandbox are left in their control group");
    }

    /// Whether an ordinary end was one.
    async fn judged(&self, report: Report, prepared: &Prepared) -> Result<Exit, SandboxError> {
        let exit = match report {
            Report::Exited(code) => Exit::Code(code),
            Report::Signaled(signal) => Exit::Signal(signal),
            Report::Failed(reason) => return Err(SandboxError::NotStarted(reason)),
            Report::Started => return Err(SandboxError::NotStarted("it started twice".into())),
        };
        if exit != Exit::Code(0)
            && let Some(limit) = prepared.cage.passed(&[])
        {
            return Ok(Exit::Limit(limit));
        }
        let too_large_a_file = Signal::SIGXFSZ as i32;
        if matches!(exit, Exit::Signal(signal) if signal == too_large_a_file)
            || exit == Exit::Code(128 + too_large_a_file)
        {
            return Ok(Exit::Limit(Limit::Disk));
        }
        let disk = prepared.disk.clone();
        let is_full = spawn_blocking(move || disk.may_be_full() && disk.was_full()).await;
        Ok(if is_full.unwrap_or(false) { Exit::Limit(Limit::Disk) } else { exit })
    }

    /// What was printed before anything ran.
    async fn complaint(&mut self) -> String {
        let mut text = Vec::new();
        if let Some(output) = self.output.take() {
            let _ = timeout(Duration::from_secs(1), output.take(4096).read_to_end(&mut text)).await;
        }
        let text = String::from_utf8_lossy(&text).trim().to_owned();
        if text.is_empty() { "its helper ended without a word".into() } else { text }
    }
}

/// The next message of the helper; `None` when there will be none. Not to be cancelled in the middle of a message
/// and called again: whoever cancels it ends the helper.
async fn report(control: &mut UnixStream) -> Option<Report> {
    let mut length = [0; 4];
    control.read_exact(&mut length).await.ok()?;
    let mut body = vec![0; control::body_length(length).ok()?];
    control.read_exact(&mut body).await.ok()?;
    serde_json::from_slice(&body).ok()
}

/// How the helper gets inside; `None` where there is no inside.
fn entry(shared: &Shared, spec: &Spec, prepared: &Prepared) -> Option<Entry> {
    let bubblewrap = shared.walls.as_ref()?;
    let user = match shared.identity {
        Identity::Own => None,
        Identity::Other(user) => Some(user),
    };
    let mut walls = bubblewrap.walls(user.is_some());
    walls.mount(&Mount { host: prepared.scratch.temp(), inside: "/tmp".into(), writable: true });
    for (name, file) in shared.scratch.stubs() {
        walls.stub(name, file);
    }
    for directory in &shared.options.tools {
        walls.show(directory.clone(), directory);
    }
    for mount in &spec.mounts {
        walls.mount(mount);
    }
    if spec.network {
        walls.network(prepared.scratch.network());
    }
    let helper = &shared.options.helper;
    let walls = walls.close(helper.file(), &helper.args);
    let descent = user.map(|user| Descent { user, staged: walls.staged });
    Some(Entry { program: bubblewrap.program().to_owned(), args: walls.args, descent })
}

fn orders(shared: &Shared, spec: &Spec, prepared: &Prepared) -> Orders {
    let walls = shared.walls.is_some();
    let mut rlimits = prepared.cage.rlimits();
    if !walls {
        // Without a user namespace the kernel counts everything of our user together, so there is room for what is
        // there already, and for what starts meanwhile. Watching is more exact and comes first. (It does not count for
        // root; then there are control groups.)
        let others = proc::threads_of(nix::unistd::geteuid().as_raw());
        rlimits.processes = rlimits.processes.map(|own| 2 * own + others + 256);
    }
    let temp = prepared.scratch.temp();
    Orders {
        argv: spec.argv.clone(),
        env: environment::environment(shared, spec, &temp),
        workdir: spec.workdir.clone(),
        walls,
        egress: (walls && spec.network).then(|| format!("{NETWORK_INSIDE}/{EGRESS_SOCKET}").into()),
        rlimits,
        serves: spec.service.is_some(),
    }
}
