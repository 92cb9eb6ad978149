//! Notices when a command has passed a limit.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::statvfs::statvfs;

use crate::limiter::Cage;
use crate::proc;
use crate::spec::{Limit, Limits};
use crate::tree;

/// How often the control groups are asked.
const TURN: Duration = Duration::from_millis(100);
/// How often processes are looked at where no control group counts.
const TURN_WITHOUT_GROUP: Duration = Duration::from_millis(50);
/// At the latest after this, directories are walked, however full the file system is.
const WALK_AT_THE_LATEST: Duration = Duration::from_secs(10);
/// A walk may take one part in so many of the time.
const WALK_SHARE: u32 = 10;

/// Watches one command.
pub(crate) struct Watch {
    /// What limits it.
    pub(crate) cage: Arc<Cage>,
    /// Its outermost process.
    pub(crate) root: i32,
    /// Its disk space.
    pub(crate) disk: Disk,
    /// How often to look; `None`: as is usual.
    pub(crate) look: Option<Duration>,
}

impl Watch {
    /// Returns when a limit has been passed.
    pub(crate) async fn until_passed(mut self) -> Limit {
        let usual = if self.cage.needs_watching() { TURN_WITHOUT_GROUP } else { TURN };
        let turn = self.look.unwrap_or(usual);
        loop {
            tokio::time::sleep(turn).await;
            // Both read files, some of them many.
            let looked = tokio::task::spawn_blocking(move || {
                let passed = self.look();
                (self, passed)
            });
            match looked.await {
                Ok((watch, None)) => self = watch,
                Ok((_, Some(limit))) => return limit,
                // The runtime is going down, and the command with it.
                Err(_) => return std::future::pending().await,
            }
        }
    }

    fn look(&mut self) -> Option<Limit> {
        let pids = if self.cage.needs_watching() { proc::descendants(self.root) } else { Vec::new() };
        self.cage.passed(&pids).or_else(|| self.disk.is_full(self.root).then_some(Limit::Disk))
    }
}

/// The disk space of one command. There are no quotas that an ordinary process may set, so it is watched: the free
/// space of the file system, which costs nothing to ask, says when a walk is worth while.
#[derive(Clone)]
pub(crate) struct Disk {
    most: u64,
    counted: Vec<PathBuf>,
    grown: Vec<PathBuf>,
    /// What was in `grown` at the start.
    before: u64,
    free: u64,
    walked: Instant,
    walk_took: Duration,
}

impl Disk {
    /// Begins to watch: `counted` counts in full, of `grown` only what is added from now on.
    pub(crate) fn new(limits: &Limits, counted: Vec<PathBuf>, grown: Vec<PathBuf>) -> Self {
        let start = Instant::now();
        let before = bytes_in(&grown);
        let mut disk = Self {
            most: limits.disk_bytes,
            counted,
            grown,
            before,
            free: 0,
            walked: start,
            walk_took: start.elapsed(),
        };
        disk.free = disk.free_now();
        disk
    }

    /// Whether the limit has been passed; walks when there is reason to.
    fn is_full(&mut self, root: i32) -> bool {
        let since = self.walked.elapsed();
        let shrunk = self.free.saturating_sub(self.free_now()) > self.most / 8;
        if since < WALK_SHARE * self.walk_took || !(shrunk || since > WALK_AT_THE_LATEST) {
            return false;
        }
        self.walked = Instant::now();
        self.free = self.free_now();
        let grown = bytes_in(&self.grown).saturating_sub(self.before);
        let used = bytes_in(&self.counted).saturating_add(grown);
        let used = used.saturating_add(proc::deleted_bytes(&proc::descendants(root)));
        self.walk_took = self.walked.elapsed();
        used > self.most
    }

    /// Whether a command that has ended had passed the limit unnoticed.
    pub(crate) fn was_full(&self) -> bool {
        let grown = bytes_in(&self.grown).saturating_sub(self.before);
        bytes_in(&self.counted).saturating_add(grown) > self.most
    }

    /// A walk costs something; a command that ended within moments of the last look is spared it when the file
    /// system has not noticeably filled up.
    pub(crate) fn may_be_full(&self) -> bool {
        self.free.saturating_sub(self.free_now()) > self.most / 8
    }

    /// Free bytes of the file systems concerned. Directories on one file system count it several times, which only
    /// makes for an earlier walk.
    fn free_now(&self) -> u64 {
        self.counted.iter().chain(&self.grown).map(|path| free(path)).sum()
    }
}

fn bytes_in(paths: &[PathBuf]) -> u64 {
    paths.iter().fold(0_u64, |sum, path| sum.saturating_add(tree::disk_bytes(path)))
}

fn free(path: &Path) -> u64 {
    statvfs(path).map_or(0, |file_system| {
        // Empty files take no blocks: each free inode stands for the space that an entry counts as.
        let blocks = file_system.blocks_free() * file_system.fragment_size();
        blocks + file_system.files_free() * tree::ENTRY_BYTES
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn disk(counted: &Path, grown: &Path, most: u64) -> Disk {
        let limits =
            Limits { time: Duration::from_secs(1), memory_bytes: 1, pids: 1, disk_bytes: most, cpus: 1 };
        Disk::new(&limits, vec![counted.to_owned()], vec![grown.to_owned()])
    }

    #[test]
    fn shared_directories_count_by_their_growth() {
        let (own, shared) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let megabyte = vec![1; 1 << 20];
        fs::write(shared.path().join("before"), &megabyte).unwrap();
        let disk = disk(own.path(), shared.path(), 1 << 20);
        assert!(!disk.was_full());
        fs::write(shared.path().join("a"), &megabyte[..1 << 19]).unwrap();
        assert!(!disk.was_full());
        fs::write(own.path().join("b"), &megabyte[..1 << 19]).unwrap();
        assert!(disk.was_full());
    }
}
