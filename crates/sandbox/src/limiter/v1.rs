//! Control groups, version 1: a hierarchy for each resource.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{PIDS_OF_OUR_OWN, count, directory, mounted};
use crate::spec::Limits;

/// The length of a turn of CPU time, in microseconds; the kernel's own default.
const CPU_PERIOD: u64 = 100_000;

/// Resources with the directories in which groups can be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hierarchies(Vec<(&'static str, PathBuf)>);

/// The hierarchies in which we may make groups; `None` without any.
pub(super) fn find(membership: &str, mountinfo: &str) -> Option<Hierarchies> {
    let usable = |resource: &'static str| {
        let base = base(membership, mountinfo, resource)?;
        let probe = base.join(format!("{}{}-probe", super::PREFIX, std::process::id()));
        fs::create_dir(&probe).ok()?;
        fs::remove_dir(&probe).ok()?;
        Some((resource, base))
    };
    let found: Vec<_> = ["memory", "pids", "cpu"].into_iter().filter_map(usable).collect();
    (!found.is_empty()).then_some(Hierarchies(found))
}

/// Where our own group is.
fn base(membership: &str, mountinfo: &str, resource: &str) -> Option<PathBuf> {
    // Lines such as `4:memory:/path` and `2:cpu,cpuacct:/`.
    let group = membership.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (resources, path) = (fields.next()?, fields.next()?);
        resources.split(',').any(|have| have == resource).then_some(path)
    })?;
    let (root, point) = mounted(mountinfo, "cgroup", Some(resource))?;
    Some(directory(root, point, group))
}

impl Hierarchies {
    pub(super) fn has(&self, resource: &str) -> bool {
        self.0.iter().any(|(have, _)| *have == resource)
    }

    pub(super) fn names(&self) -> String {
        self.0.iter().map(|(resource, _)| *resource).collect::<Vec<_>>().join(", ")
    }

    pub(super) fn bases(&self) -> Vec<PathBuf> {
        self.0.iter().map(|(_, base)| base.clone()).collect()
    }

    /// Makes the groups of one command; what was made is in `groups`, also after an error.
    pub(super) fn make(&self, name: &str, limits: &Limits, groups: &mut Vec<PathBuf>) -> io::Result<()> {
        for (resource, base) in &self.0 {
            let group = base.join(name);
            fs::create_dir(&group)?;
            groups.push(group.clone());
            let set = |file: &str, value: u64| fs::write(group.join(file), value.to_string());
            match *resource {
                "memory" => {
                    set("memory.limit_in_bytes", limits.memory_bytes)?;
                    // Absent where the kernel does not count swap.
                    let with_swap = group.join("memory.memsw.limit_in_bytes");
                    if with_swap.exists() {
                        fs::write(with_swap, limits.memory_bytes.to_string())?;
                    }
                }
                "pids" => set("pids.max", limits.pids + PIDS_OF_OUR_OWN)?,
                _ => {
                    set("cpu.cfs_period_us", CPU_PERIOD)?;
                    set("cpu.cfs_quota_us", CPU_PERIOD * u64::from(limits.cpus))?;
                }
            }
        }
        Ok(())
    }
}

/// What version 1 counts as a share of this weight: 1024 is usual there.
pub(super) fn shares(weight: u32) -> u32 {
    weight.saturating_mul(1024) / 100
}

/// Whether memory and processes ran out in any of the groups.
pub(super) fn passed(groups: &[PathBuf]) -> (bool, bool) {
    let any = |file: &str, name: &str| groups.iter().any(|group: &PathBuf| more(group, file, name));
    (any("memory.oom_control", "oom_kill"), any("pids.events", "max"))
}

fn more(group: &Path, file: &str, name: &str) -> bool {
    count(&group.join(file), name) > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /nowhere/cpu rw,relatime - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 /docker/abc /nowhere/memory rw - cgroup cgroup rw,memory
41 31 0:38 / /nowhere/unified rw,relatime shared:9 - cgroup2 cgroup2 rw
";

    #[test]
    fn our_own_group_is_found() {
        let membership = "8:pids:/\n4:memory:/docker/abc/x\n1:cpu,cpuacct:/\n0::/\n";
        // A group's directory that is not visible here stands for the mount itself.
        assert_eq!(base(membership, MOUNTS, "memory").unwrap(), Path::new("/nowhere/memory"));
        assert_eq!(base(membership, MOUNTS, "cpu").unwrap(), Path::new("/nowhere/cpu"));
        assert_eq!(base(membership, MOUNTS, "pids"), None);
        assert_eq!(mounted(MOUNTS, "cgroup2", None), Some(("/", "/nowhere/unified")));
    }
}
