//! Looks at processes from outside, through `/proc`.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use nix::unistd::{SysconfVar, sysconf};

use crate::service::CpuTime;

/// All processes below one, itself left out.
pub(crate) fn descendants(ancestor: i32) -> Vec<i32> {
    let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
    for pid in all() {
        if let Some(parent) = parent(pid) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut found = children.remove(&ancestor).unwrap_or_default();
    let mut next = 0;
    while let Some(pid) = found.get(next) {
        found.extend(children.remove(pid).unwrap_or_default());
        next += 1;
    }
    found
}

/// The processes that one has started itself.
pub(crate) fn children(parent_pid: i32) -> Vec<i32> {
    all().filter(|pid| parent(*pid) == Some(parent_pid)).collect()
}

fn all() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn parent(pid: i32) -> Option<i32> {
    i32::try_from(stat(pid, 4)?).ok()
}

/// When a process was started, in ticks since the machine was: with its number it names a process for good.
pub(crate) fn start_time(pid: i32) -> Option<u64> {
    stat(pid, 22)
}

/// A field of a process's status, counted from 1 as in proc(5); one behind the name.
fn stat(pid: i32, field: usize) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything, closing parentheses included.
    let (_, behind_the_name) = stat.rsplit_once(')')?;
    behind_the_name.split_ascii_whitespace().nth(field.checked_sub(3)?)?.parse().ok()
}

/// CPU time that a process has used, and has waited for while others had the CPUs.
pub(crate) fn cpu_time(pid: i32) -> CpuTime {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let counted = |thread: fs::DirEntry| {
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        let mut nanos = text.split_ascii_whitespace().map_while(|number| number.parse().ok());
        Some((nanos.next()?, nanos.next()?))
    };
    let each: Vec<(u64, u64)> = threads.filter_map(counted).collect();
    if each.is_empty() {
        return CpuTime { used: used_cpu_time(pid), waited: Duration::ZERO };
    }
    let sum = |nanos: fn(&(u64, u64)) -> u64| Duration::from_nanos(each.iter().map(nanos).sum());
    CpuTime { used: sum(|thread| thread.0), waited: sum(|thread| thread.1) }
}

/// CPU time that a process has used, in ticks of the kernel.
fn used_cpu_time(pid: i32) -> Duration {
    let ticks = stat(pid, 14).unwrap_or(0) + stat(pid, 15).unwrap_or(0);
    let a_second = sysconf(SysconfVar::CLK_TCK).ok().flatten().and_then(|ticks| u64::try_from(ticks).ok());
    Duration::from_millis(1000 * ticks / a_second.unwrap_or(100).max(1))
}

/// What some processes use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Use {
    /// Memory that is theirs alone or shared among them, in bytes.
    pub(crate) memory_bytes: u64,
    /// Threads, which is what the kernel counts.
    pub(crate) threads: u64,
}

/// What these processes use. Who has ended meanwhile uses nothing.
pub(crate) fn used(pids: &[i32]) -> Use {
    let mut sum = Use::default();
    for pid in pids {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        for line in status.lines() {
            match line.split_once(':') {
                Some(("RssAnon" | "RssShmem", value)) => sum.memory_bytes += 1024 * number(value),
                Some(("Threads", value)) => sum.threads += number(value),
                _ => {}
            }
        }
    }
    sum
}

fn number(text: &str) -> u64 {
    text.split_ascii_whitespace().next().and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

/// How many threads a user has, on the whole machine.
pub(crate) fn threads_of(user: u32) -> u64 {
    let is_theirs =
        |pid: &i32| fs::metadata(format!("/proc/{pid}")).is_ok_and(|process| process.uid() == user);
    used(&all().filter(is_theirs).collect::<Vec<_>>()).threads
}

/// Bytes on disk in files that have been deleted and that these processes hold open: no walk finds those.
pub(crate) fn deleted_bytes(pids: &[i32]) -> u64 {
    let mut seen = HashSet::new();
    let mut bytes = 0;
    for pid in pids {
        let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        for entry in open {
            let Ok(metadata) = fs::metadata(entry.path()) else { continue };
            if metadata.nlink() == 0 && metadata.is_file() && seen.insert((metadata.dev(), metadata.ino())) {
                bytes += metadata.blocks() * 512;
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn children_and_their_use_are_found() {
        let mut child =
            Command::new("sh").args(["-c", "sleep 60 & wait"]).stdout(Stdio::null()).spawn().unwrap();
        let me = i32::try_from(std::process::id()).unwrap();
        let id = i32::try_from(child.id()).unwrap();
        let grandchild = || descendants(id).len() == 1;
        while !grandchild() {
            std::thread::yield_now();
        }
        let all = descendants(me);
        assert!(all.contains(&id) && all.contains(&descendants(id)[0]));
        assert!(used(&[id]).memory_bytes > 0);
        assert_eq!(used(&[id]).threads, 1);
        for pid in descendants(id) {
            nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL)
                .unwrap();
        }
        child.wait().unwrap();
    }

    #[test]
    fn a_deleted_file_that_is_open_still_counts() {
        use std::io::Write;
        let me = [i32::try_from(std::process::id()).unwrap()];
        let before = deleted_bytes(&me);
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&[1; 1 << 20]).unwrap();
        file.sync_all().unwrap();
        assert!(deleted_bytes(&me) >= before + (1 << 20));
    }
}
