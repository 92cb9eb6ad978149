//! What runs, within which limits, and how it can end.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::service::Service;

/// One command.
#[derive(Clone, Debug)]
pub struct Spec {
    /// The program, found on the PATH of `env`, and its arguments.
    pub argv: Vec<String>,
    /// The environment; it wins over what the sandbox sets itself.
    pub env: Vec<(String, String)>,
    /// What is visible besides a read-only system. A later one lies on top of an earlier one. Without walls nothing is
    /// moved, and the list only says what is counted.
    pub mounts: Vec<Mount>,
    /// Where it starts, as it sees it.
    pub workdir: PathBuf,
    /// Its HOME, as it sees it.
    pub home: PathBuf,
    /// Directories on this machine whose whole content counts as used disk space. Of other writable mounts only the
    /// growth counts.
    pub counted: Vec<PathBuf>,
    /// Whether it reaches the network.
    pub network: bool,
    /// How much it may use.
    pub limits: Limits,
    /// For a command that serves others; `None`: it works by itself, with an empty standard input.
    pub service: Option<Service>,
}

/// A directory or file of this machine that is visible inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Absolute path on this machine.
    pub host: PathBuf,
    /// Absolute path inside.
    pub inside: PathBuf,
    /// Whether it may be changed.
    pub writable: bool,
}

/// How much a command may use. Whoever passes one of them is killed, with all it has started; only CPU time is
/// rationed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From start to end.
    pub time: Duration,
    /// Memory of all processes together, in bytes; file system caches that can be dropped do not count.
    pub memory_bytes: u64,
    /// Processes and threads at one moment.
    pub pids: u64,
    /// Space on disk, in bytes; see [`Spec::counted`].
    pub disk_bytes: u64,
    /// How many CPUs' worth of time all processes together get.
    pub cpus: u32,
}

/// A limit that was passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// [`Limits::time`].
    Time,
    /// [`Limits::memory_bytes`].
    Memory,
    /// [`Limits::pids`].
    Pids,
    /// [`Limits::disk_bytes`].
    Disk,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By this signal, which the sandbox did not send.
    Signal(i32),
    /// The caller wanted it stopped.
    Canceled,
    /// It was killed because it used too much.
    Limit(Limit),
}

impl Limits {
    /// A sentence about a limit that was passed.
    pub fn describe(&self, limit: Limit) -> String {
        match limit {
            Limit::Time => format!("Killed: it ran longer than {} seconds.", self.time.as_secs_f64()),
            Limit::Memory => format!("Killed: it used more than {} of memory.", Bytes(self.memory_bytes)),
            Limit::Pids => format!("Killed: it had more than {} processes and threads.", self.pids),
            Limit::Disk => format!("Killed: it used more than {} of disk space.", Bytes(self.disk_bytes)),
        }
    }
}

/// A number of bytes, for people.
struct Bytes(u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
        // Exact or not at all: a limit is a number that somebody typed.
        match UNITS.iter().find(|(size, _)| self.0 >= *size && self.0.is_multiple_of(*size)) {
            Some((size, unit)) => write!(f, "{} {unit}", self.0 / size),
            None => write!(f, "{} bytes", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passed_limit_is_named_with_its_number() {
        let limits = Limits {
            time: Duration::from_millis(1500),
            memory_bytes: 4 << 30,
            pids: 1024,
            disk_bytes: 10_000,
            cpus: 2,
        };
        for (limit, words) in [
            (Limit::Time, "1.5 seconds"),
            (Limit::Memory, "4 GiB"),
            (Limit::Pids, "1024 processes"),
            (Limit::Disk, "10000 bytes"),
        ] {
            assert!(limits.describe(limit).contains(words), "{}", limits.describe(limit));
        }
    }
}
