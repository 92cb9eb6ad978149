//! Kills what a command without walls has left behind.

use std::collections::HashSet;
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::proc;

/// After this long, whoever still forks faster than it dies is left to the operator.
const PATIENCE: Duration = Duration::from_secs(10);

/// Kills all descendants of this process and reaps them.
pub(super) fn descendants() {
    let end = Instant::now() + PATIENCE;
    let mut stopped = HashSet::new();
    while Instant::now() < end {
        let living = proc::descendants(Pid::this().as_raw());
        // All are stopped before the first is killed: killing makes room in which the others would go on forking.
        if living.iter().all(|pid| stopped.contains(pid)) {
            signal_all(&living, Signal::SIGKILL);
        } else {
            signal_all(&living, Signal::SIGSTOP);
        }
        if none_left() {
            return;
        }
        stopped = living.into_iter().collect();
        thread::sleep(Duration::from_millis(1));
    }
}

fn signal_all(pids: &[i32], signal: Signal) {
    for pid in pids {
        let _ = kill(Pid::from_raw(*pid), signal);
    }
}

/// Reaps who has ended; true when there are no children.
fn none_left() -> bool {
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) => return false,
            Err(Errno::ECHILD) => return true,
            Ok(_) | Err(_) => {}
        }
    }
}
