//! Process 1 of the sandbox: runs the command, reaps, and ends everything when the server says so or is gone.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Pid, setsid};

use super::{confine, control_socket, relay, sweep};
use crate::control::{self, Orders, Report, TERMINATE};

/// What a shell answers for a program that is not there, or that it may not run.
const NOT_FOUND: i32 = 127;
const NOT_RUNNABLE: i32 = 126;

/// Runs the command that the server orders.
pub(super) fn run() -> io::Result<ExitCode> {
    // The command shares our user: it may neither look into this process nor hold it up.
    prctl::set_dumpable(false)?;
    let orders: Orders = control::read(control_socket()?)?;
    if !orders.walls {
        // Orphans come to us, so that none gets away.
        prctl::set_child_subreaper(true)?;
        setsid().map(drop).or_else(|error| if error == Errno::EPERM { Ok(()) } else { Err(error) })?;
    }
    if let Some(socket) = &orders.egress {
        relay::start(socket.clone())?;
    }
    let walls = orders.walls;
    let running = Arc::new(AtomicI32::new(0));
    let running_too = Arc::clone(&running);
    std::thread::spawn(move || end_with_the_server(walls, &running_too));
    let report = match start(&orders)? {
        Ok(command) => {
            running.store(command.as_raw(), Ordering::Relaxed);
            tell(&Report::Started)?;
            ended(command)?
        }
        Err(refused) => refused,
    };
    if !walls {
        sweep::descendants();
    }
    tell(&report)?;
    Ok(ExitCode::SUCCESS)
}

/// The server may ask for the command's end; nothing else comes from it any more. What ends this wait is the end of the
/// server, or its wish.
fn end_with_the_server(walls: bool, running: &AtomicI32) {
    let mut wish = [0; 1];
    while let Ok(socket) = control_socket() {
        match (&socket).read(&mut wish) {
            Ok(0) => break,
            Ok(_) if wish == [TERMINATE] && running.load(Ordering::Relaxed) > 0 => {
                let _ = kill(Pid::from_raw(running.load(Ordering::Relaxed)), Signal::SIGTERM);
            }
            Ok(_) | Err(_) => {}
        }
    }
    if !walls {
        sweep::descendants();
    }
    // As process 1 we take everything along.
    std::process::exit(1);
}

/// Starts the command. A command that cannot be run is an outcome, as it is for a shell.
fn start(orders: &Orders) -> io::Result<Result<Pid, Report>> {
    let Some((program, args)) = orders.argv.split_first() else {
        return Ok(Err(Report::Failed("there is no command".into())));
    };
    confine::this_thread(&orders.rlimits, orders.walls)?;
    let mut command = Command::new(program);
    command.args(args).env_clear().envs(orders.env.iter().map(|(name, value)| (name, value)));
    command.current_dir(&orders.workdir).stdin(Stdio::null());
    if orders.serves {
        command.stdin(io::stdout().as_fd().try_clone_to_owned()?);
        command.stdout(io::stderr().as_fd().try_clone_to_owned()?);
    }
    match command.spawn() {
        // We reap by ourselves, for there are orphans, too.
        Ok(child) => Ok(Ok(pid_of(child.id()))),
        Err(error) => Ok(Err(refused(program, orders, &error))),
    }
}

fn refused(program: &str, orders: &Orders, error: &io::Error) -> Report {
    let (what, code) = match error.kind() {
        io::ErrorKind::NotFound if !orders.workdir.is_dir() => {
            (format!("there is no directory {}", orders.workdir.display()), NOT_RUNNABLE)
        }
        io::ErrorKind::NotFound => (format!("{program}: command not found"), NOT_FOUND),
        _ => (format!("{program}: {error}"), NOT_RUNNABLE),
    };
    let _ = writeln!(io::stderr(), "{what}");
    Report::Exited(code)
}

/// Waits for the command and reaps whoever else ends meanwhile.
fn ended(command: Pid) -> io::Result<Report> {
    loop {
        match waitpid(None, None) {
            Ok(WaitStatus::Exited(pid, code)) if pid == command => return Ok(Report::Exited(code)),
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == command => {
                return Ok(Report::Signaled(signal as i32));
            }
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn pid_of(id: u32) -> Pid {
    Pid::from_raw(id.cast_signed())
}

fn tell(report: &Report) -> io::Result<()> {
    control::write(control_socket()?, report)
}
