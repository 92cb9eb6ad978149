//! Control groups, version 2: one hierarchy, of which a part must have been delegated to us.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{PIDS_OF_OUR_OWN, PREFIX, count, directory, mounted};
use crate::spec::Limits;

/// The resources that we limit.
const CONTROLLERS: [&str; 3] = ["memory", "pids", "cpu"];
/// The length of a turn of CPU time, in microseconds; the kernel's own default.
const CPU_PERIOD: u64 = 100_000;
/// The group that the server itself moves to, since a group with limited children may hold no processes.
const SERVER: &str = "server";

/// The directory in which groups with all three limits can be made; `None` where there is none.
pub(super) fn find(membership: &str, mountinfo: &str) -> Option<PathBuf> {
    let group = membership.lines().find_map(|line| line.strip_prefix("0::"))?;
    let (root, point) = mounted(mountinfo, "cgroup2", None)?;
    let own = directory(root, point, group);
    // With DelegateSubgroup= of systemd, or after our own restart, the room is one above.
    let above = own.parent().filter(|_| own.file_name().is_some_and(|name| name == SERVER));
    let base = above.map_or_else(|| own.clone(), Path::to_owned);
    let available = fs::read_to_string(base.join("cgroup.controllers")).ok()?;
    let has_all =
        |list: &str| CONTROLLERS.iter().all(|name| list.split_whitespace().any(|have| have == *name));
    if !has_all(&available) {
        return None;
    }
    let enabled = || has_all(&fs::read_to_string(base.join("cgroup.subtree_control")).unwrap_or_default());
    if !enabled() {
        let _ = enable(&base).or_else(|_| step_aside(&base).and_then(|()| enable(&base)));
    }
    let probe = base.join(format!("{PREFIX}{}-probe", std::process::id()));
    (enabled() && fs::create_dir(&probe).is_ok() && fs::remove_dir(&probe).is_ok()).then_some(base)
}

fn enable(base: &Path) -> io::Result<()> {
    fs::write(base.join("cgroup.subtree_control"), CONTROLLERS.map(|name| format!("+{name}")).join(" "))
}

/// Moves this process down, out of the way. Only where it is alone: other processes are not ours to move.
fn step_aside(base: &Path) -> io::Result<()> {
    let own = std::process::id().to_string();
    if fs::read_to_string(base.join("cgroup.procs"))?.trim() != own {
        return Err(io::Error::other("the control group is shared with other processes"));
    }
    let server = base.join(SERVER);
    fs::create_dir(&server).or_else(|error| if server.is_dir() { Ok(()) } else { Err(error) })?;
    fs::write(server.join("cgroup.procs"), own)
}

/// Makes the group of one command; what was made is in `groups`, also after an error.
pub(super) fn make(group: &Path, limits: &Limits, groups: &mut Vec<PathBuf>) -> io::Result<()> {
    fs::create_dir(group)?;
    groups.push(group.to_owned());
    let set = |file: &str, value: String| fs::write(group.join(file), value);
    set("memory.max", limits.memory_bytes.to_string())?;
    set("memory.oom.group", "1".into())?;
    // Absent where there is no swap.
    let swap = group.join("memory.swap.max");
    if swap.exists() {
        fs::write(swap, "0")?;
    }
    set("pids.max", (limits.pids + PIDS_OF_OUR_OWN).to_string())?;
    set("cpu.max", format!("{} {CPU_PERIOD}", CPU_PERIOD * u64::from(limits.cpus)))
}

/// Whether memory and processes ran out.
pub(super) fn passed(groups: &[PathBuf]) -> (bool, bool) {
    let any = |file: &str, name: &str| groups.iter().any(|group| count(&group.join(file), name) > 0);
    (any("memory.events", "oom_kill"), any("pids.events", "max"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_group_is_given_its_limits() {
        let limits =
            Limits { time: Duration::from_secs(1), memory_bytes: 1 << 30, pids: 100, disk_bytes: 1, cpus: 2 };
        let base = tempfile::tempdir().unwrap();
        let group = base.path().join("g");
        let mut groups = Vec::new();
        make(&group, &limits, &mut groups).unwrap();
        let read = |file: &str| fs::read_to_string(group.join(file)).unwrap();
        assert_eq!(read("memory.max"), "1073741824");
        assert_eq!(read("pids.max"), "108");
        assert_eq!(read("cpu.max"), "200000 100000");
        fs::write(group.join("memory.events"), "low 0\noom 1\noom_kill 1\n").unwrap();
        fs::write(group.join("pids.events"), "max 0\n").unwrap();
        assert_eq!(passed(&groups), (true, false));
    }

    #[test]
    fn a_hierarchy_without_our_controllers_is_no_use() {
        let base = tempfile::tempdir().unwrap();
        let mounts = format!("41 31 0:38 / {} rw - cgroup2 cgroup2 rw", base.path().display());
        fs::write(base.path().join("cgroup.controllers"), "hugetlb\n").unwrap();
        assert_eq!(find("0::/\n", &mounts), None);
        // All there, and on for children already: then groups can be made.
        for file in ["cgroup.controllers", "cgroup.subtree_control"] {
            fs::write(base.path().join(file), "cpu io memory pids\n").unwrap();
        }
        assert_eq!(find("0::/\n", &mounts).as_deref(), Some(base.path()));
    }
}
