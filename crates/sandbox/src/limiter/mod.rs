//! Keeps commands within memory, processes and CPU time: by control groups where this process may make them, by
//! limits of each process and by watching where not.

mod v1;
mod v2;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::control::Rlimits;
use crate::proc;
use crate::spec::{Limit, Limits};

/// bwrap, the helper and its threads count, too.
const PIDS_OF_OUR_OWN: u64 = 8;
/// Of the names of our control groups.
const PREFIX: &str = "offprint-";

/// What this machine limits with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Limiter {
    /// The unified hierarchy: the directory in which groups are made.
    Unified(PathBuf),
    /// One hierarchy for each resource; those that we may use.
    Split(v1::Hierarchies),
    /// No control groups.
    Watching,
}

/// The control groups of one command. Dropping removes them, once their processes are gone.
#[derive(Debug)]
pub(crate) struct Cage {
    limiter: Limiter,
    /// In the unified hierarchy one, else one for each resource.
    groups: Vec<PathBuf>,
    limits: Limits,
}

/// Groups of one server are told apart by this.
static NEXT: AtomicU64 = AtomicU64::new(1);

impl Limiter {
    /// Finds the best way, by trying.
    pub(crate) fn detect() -> Self {
        let membership = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let unified = || v2::find(&membership, &mounts).map(Self::Unified);
        let split = || v1::find(&membership, &mounts).map(Self::Split);
        let found = unified().or_else(split).unwrap_or(Self::Watching);
        found.remove_left_behind();
        found
    }

    /// For the operator.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Unified(base) => format!("control groups (version 2) in {}", base.display()),
            Self::Split(hierarchies) => format!("control groups (version 1) for {}", hierarchies.names()),
            Self::Watching => {
                "resource limits of each process, and watching; no control group can be made".into()
            }
        }
    }

    /// Makes the groups for one command.
    pub(crate) fn cage(&self, limits: Limits) -> io::Result<Cage> {
        let own = std::process::id().cast_signed();
        let started = proc::start_time(own).unwrap_or_default();
        let name = format!("{PREFIX}{own}-{started}-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let mut cage = Cage { limiter: self.clone(), groups: Vec::new(), limits };
        match self {
            Self::Unified(base) => v2::make(&base.join(name), &limits, &mut cage.groups)?,
            Self::Split(hierarchies) => hierarchies.make(&name, &limits, &mut cage.groups)?,
            Self::Watching => {}
        }
        Ok(cage)
    }

    /// Empty groups of servers that were killed.
    fn remove_left_behind(&self) {
        let bases = match self {
            Self::Unified(base) => vec![base.clone()],
            Self::Split(hierarchies) => hierarchies.bases(),
            Self::Watching => Vec::new(),
        };
        for entry in bases.iter().filter_map(|base| fs::read_dir(base).ok()).flatten().flatten() {
            let name = entry.file_name();
            if name
                .to_str()
                .and_then(owner)
                .is_some_and(|(pid, started)| proc::start_time(pid) != Some(started))
            {
                // A group with processes in it cannot be removed, so this harms nobody.
                let _ = fs::remove_dir(entry.path());
            }
        }
    }
}

impl Cage {
    /// Puts a process in; its children will be, too.
    pub(crate) fn add(&self, pid: u32) -> io::Result<()> {
        self.groups.iter().try_for_each(|group| fs::write(group.join("cgroup.procs"), pid.to_string()))
    }

    /// Gives it a share of the CPUs, 100 is usual; or only what others leave over. A kernel that does not know of shares
    /// gives all the same, and one without an idle class (before Linux 5.15) the smallest share.
    pub(crate) fn weigh(&self, weight: u32, leftovers: bool) {
        let (file, number): (_, fn(u32) -> u32) = match self.limiter {
            Limiter::Unified(_) => ("cpu.weight", |weight| weight),
            Limiter::Split(_) => ("cpu.shares", v1::shares),
            Limiter::Watching => return,
        };
        for group in &self.groups {
            let has_idle = set_if_there(group, "cpu.idle", u32::from(leftovers)).unwrap_or(false);
            // In the idle class there are no shares; who leaves it has the usual one, whatever it had before.
            if !(leftovers && has_idle) {
                let _ = set_if_there(group, file, number(if leftovers { 1 } else { weight }));
            }
        }
    }

    /// What each process must carry since no group does it.
    pub(crate) fn rlimits(&self) -> Rlimits {
        let (memory, cpus) = (self.counts("memory"), self.counts("cpu"));
        Rlimits {
            // Beside a group, too: where both hold, the group is the first to.
            processes: Some(self.limits.pids + 4 * PIDS_OF_OUR_OWN),
            file_bytes: Some(self.limits.disk_bytes),
            // Watching comes first, with a better message; this is for whoever is faster than it.
            data_bytes: (!memory).then_some(2 * self.limits.memory_bytes + (256 << 20)),
            cpus: (!cpus).then_some(self.limits.cpus),
        }
    }

    fn counts(&self, resource: &str) -> bool {
        match &self.limiter {
            Limiter::Unified(_) => true,
            Limiter::Split(hierarchies) => hierarchies.has(resource),
            Limiter::Watching => false,
        }
    }

    /// Whether [`Cage::passed`] has to be given the processes.
    pub(crate) fn needs_watching(&self) -> bool {
        !self.counts("memory") || !self.counts("pids")
    }

    /// A limit that was passed. `pids` are all processes inside; they are looked at where no group counts.
    pub(crate) fn passed(&self, pids: &[i32]) -> Option<Limit> {
        let (mut memory, mut processes) = match &self.limiter {
            Limiter::Unified(_) => v2::passed(&self.groups),
            Limiter::Split(_) => v1::passed(&self.groups),
            Limiter::Watching => (false, false),
        };
        if self.needs_watching() {
            let used = proc::used(pids);
            memory |= !self.counts("memory") && used.memory_bytes > self.limits.memory_bytes;
            processes |= !self.counts("pids") && used.threads > self.limits.pids + PIDS_OF_OUR_OWN;
        }
        if memory { Some(Limit::Memory) } else { processes.then_some(Limit::Pids) }
    }

    /// Kills what is in the groups, again and again until nothing is. Without groups there is nothing to do.
    pub(crate) fn kill(&self) {
        for group in &self.groups {
            // Only newer kernels of version 2 have this; it beats any fork bomb.
            let _ = fs::write(group.join("cgroup.kill"), "1");
            let inside = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
            for pid in inside.lines().filter_map(|line| line.parse().ok()) {
                let pid = nix::unistd::Pid::from_raw(pid);
                let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
            }
        }
    }

    /// Whether no process is left in the groups.
    pub(crate) fn is_empty(&self) -> bool {
        let empty =
            |group: &PathBuf| fs::read_to_string(group.join("cgroup.procs")).is_ok_and(|all| all.is_empty());
        self.groups.iter().all(empty)
    }
}

impl Drop for Cage {
    fn drop(&mut self) {
        for group in &self.groups {
            // A process that has just been killed may still be leaving.
            for _ in 0..50 {
                if fs::remove_dir(group).is_ok() || !group.exists() {
                    break;
                }
                std::thread::sleep(std::time::Duration::from_millis(2));
            }
        }
    }
}

/// Sets a value of a group, and says whether it has one of this name.
fn set_if_there(group: &Path, file: &str, value: u32) -> io::Result<bool> {
    let file = group.join(file);
    let is_there = file.exists();
    if is_there {
        fs::write(file, value.to_string())?;
    }
    Ok(is_there)
}

/// The process that has made a group, by its number and start.
fn owner(group: &str) -> Option<(i32, u64)> {
    let mut parts = group.strip_prefix(PREFIX)?.split('-');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// The number behind a name in a file of lines such as `oom_kill 3`.
fn count(file: &Path, name: &str) -> u64 {
    let text = fs::read_to_string(file).unwrap_or_default();
    let value = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok();
    text.lines().find_map(value).unwrap_or(0)
}

/// Where a file system of this type, with this option, is mounted, and which part of it.
fn mounted<'a>(mountinfo: &'a str, kind: &str, option: Option<&str>) -> Option<(&'a str, &'a str)> {
    mountinfo.lines().find_map(|line| {
        let (mount, source) = line.split_once(" - ")?;
        let mut mount = mount.split(' ');
        let (root, point) = (mount.nth(3)?, mount.next()?);
        let mut source = source.split(' ');
        let options = (source.next()? == kind).then(|| source.nth(1)).flatten()?;
        option.is_none_or(|option| options.split(',').any(|have| have == option)).then_some((root, point))
    })
}

/// The directory of a group, given where its hierarchy is mounted. A container may see only a part of it.
fn directory(root: &str, point: &str, group: &str) -> PathBuf {
    let below = group.strip_prefix(root).unwrap_or(group);
    let group = Path::new(point).join(below.trim_start_matches('/'));
    if group.is_dir() { group } else { point.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_gives_way_is_in_the_idle_class_or_has_the_smallest_share() {
        let base = tempfile::tempdir().unwrap();
        let group = base.path().join("group");
        fs::create_dir(&group).unwrap();
        let limits = Limits {
            time: std::time::Duration::from_secs(1),
            memory_bytes: 1,
            pids: 1,
            disk_bytes: 1,
            cpus: 1,
        };
        let limiter = Limiter::Unified(base.path().to_owned());
        let cage = Cage { limiter, groups: vec![group.clone()], limits };
        let weighed = |leftovers| {
            cage.weigh(50, leftovers);
            ["cpu.idle", "cpu.weight"].map(|file| fs::read_to_string(group.join(file)).ok())
        };
        let found = |idle: Option<&str>, weight: &str| [idle.map(str::to_owned), Some(weight.to_owned())];
        fs::write(group.join("cpu.weight"), "100").unwrap();
        assert_eq!([weighed(true), weighed(false)], [found(None, "1"), found(None, "50")]);
        fs::write(group.join("cpu.idle"), "0").unwrap();
        assert_eq!([weighed(true), weighed(false)], [found(Some("1"), "50"), found(Some("0"), "50")]);
    }

    #[test]
    fn groups_of_dead_servers_are_removed_and_those_of_living_ones_are_not() {
        let base = tempfile::tempdir().unwrap();
        let own = std::process::id().cast_signed();
        let started = proc::start_time(own).unwrap();
        // The second has our number and was another process, as after a restart in a container.
        let [mine, recycled, other] = [
            format!("offprint-{own}-{started}-1"),
            format!("offprint-{own}-1-1"),
            "offprint-mine".to_owned(),
        ];
        for name in [&mine, &recycled, &other] {
            fs::create_dir(base.path().join(name)).unwrap();
        }
        Limiter::Unified(base.path().to_owned()).remove_left_behind();
        let left = [&mine, &recycled, &other].map(|name| base.path().join(name).exists());
        assert_eq!(left, [true, false, true]);
    }
}
