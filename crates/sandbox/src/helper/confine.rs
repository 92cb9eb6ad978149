//! What a process can only give up by itself: resource limits and system calls.

use std::io;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::resource::{Resource, setrlimit};
use nix::unistd::Pid;

use crate::control::Rlimits;

/// Open files of one process; what npm and its like get along with.
const OPEN_FILES: u64 = 65_536;

/// Confines the calling thread and whatever it starts from now on.
pub(super) fn this_thread(rlimits: &Rlimits, walls: bool) -> io::Result<()> {
    restrict_cpus(rlimits.cpus);
    let limits = [
        (Resource::RLIMIT_CORE, Some(0)),
        (Resource::RLIMIT_NOFILE, Some(OPEN_FILES)),
        (Resource::RLIMIT_FSIZE, rlimits.file_bytes),
        (Resource::RLIMIT_DATA, rlimits.data_bytes),
        (Resource::RLIMIT_NPROC, rlimits.processes),
    ];
    for (resource, limit) in limits {
        lower(resource, limit)?;
    }
    if walls {
        refuse_system_calls()?;
    }
    Ok(())
}

/// Sets a limit, or a lower one where the machine itself sets a lower one.
fn lower(resource: Resource, limit: Option<u64>) -> io::Result<()> {
    let Some(limit) = limit else { return Ok(()) };
    let (_, hard) = nix::sys::resource::getrlimit(resource)?;
    let limit = limit.min(hard);
    Ok(setrlimit(resource, limit, limit)?)
}

/// Where nothing else rations CPU time. A program may widen this again, so it is a courtesy and no wall; hence a
/// failure does not matter.
fn restrict_cpus(cpus: Option<u32>) {
    let Some(cpus) = cpus else { return };
    let Ok(allowed) = sched_getaffinity(Pid::from_raw(0)) else { return };
    let mut some = CpuSet::new();
    let usable = (0..CpuSet::count()).filter(|cpu| allowed.is_set(*cpu).unwrap_or(false));
    for cpu in usable.take(cpus as usize) {
        let _ = some.set(cpu);
    }
    let _ = sched_setaffinity(Pid::from_raw(0), &some);
}

/// The second wall, behind namespaces and missing rights: system calls that no build needs and that have been ways
/// out of sandboxes.
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
fn refuse_system_calls() -> io::Result<()> {
    use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, apply_filter};

    let refusals = [
        // Programs know how to do without these; "not permitted" would end them.
        (system_calls::absent(), nix::libc::ENOSYS),
        (system_calls::forbidden()?, nix::libc::EPERM),
    ];
    for (rules, errno) in refusals {
        let refuse = SeccompAction::Errno(errno.cast_unsigned());
        let architecture = std::env::consts::ARCH.try_into().map_err(io::Error::other)?;
        let filter = SeccompFilter::new(rules, SeccompAction::Allow, refuse, architecture);
        let program: BpfProgram = filter.and_then(TryInto::try_into).map_err(io::Error::other)?;
        apply_filter(&program).map_err(io::Error::other)?;
    }
    Ok(())
}

/// No filter for this processor: the namespaces stand alone.
#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
fn refuse_system_calls() -> io::Result<()> {
    Ok(())
}

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod system_calls {
    use std::collections::BTreeMap;
    use std::io;

    use nix::libc;
    use seccompiler::{SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompRule};

    type Rules = BTreeMap<i64, Vec<SeccompRule>>;

    /// `clone3` hides its flags from a filter, `io_uring` hides system calls from it.
    pub(super) fn absent() -> Rules {
        [libc::SYS_clone3, libc::SYS_io_uring_setup, libc::SYS_io_uring_enter, libc::SYS_io_uring_register]
            .map(always)
            .into()
    }

    pub(super) fn forbidden() -> io::Result<Rules> {
        let mut rules: Rules = [
            // Other processes.
            libc::SYS_ptrace,
            libc::SYS_process_vm_readv,
            libc::SYS_process_vm_writev,
            libc::SYS_kcmp,
            libc::SYS_pidfd_getfd,
            // Namespaces and mounts.
            libc::SYS_unshare,
            libc::SYS_setns,
            libc::SYS_mount,
            libc::SYS_umount2,
            libc::SYS_pivot_root,
            libc::SYS_chroot,
            libc::SYS_open_tree,
            libc::SYS_move_mount,
            libc::SYS_fsopen,
            libc::SYS_fsconfig,
            libc::SYS_fsmount,
            libc::SYS_fspick,
            libc::SYS_mount_setattr,
            // The kernel itself.
            libc::SYS_bpf,
            libc::SYS_perf_event_open,
            libc::SYS_userfaultfd,
            libc::SYS_keyctl,
            libc::SYS_add_key,
            libc::SYS_request_key,
            libc::SYS_open_by_handle_at,
            libc::SYS_name_to_handle_at,
            libc::SYS_init_module,
            libc::SYS_finit_module,
            libc::SYS_delete_module,
            libc::SYS_kexec_load,
            libc::SYS_reboot,
            libc::SYS_swapon,
            libc::SYS_swapoff,
            libc::SYS_acct,
            libc::SYS_quotactl,
            libc::SYS_syslog,
            libc::SYS_settimeofday,
            libc::SYS_clock_settime,
            libc::SYS_adjtimex,
            libc::SYS_clock_adjtime,
            libc::SYS_fanotify_init,
            libc::SYS_vhangup,
        ]
        .map(always)
        .into();
        let new_user = libc::CLONE_NEWUSER as u64;
        rules.insert(libc::SYS_clone, vec![when(0, SeccompCmpOp::MaskedEq(new_user), new_user)?]);
        // Typing into the terminal of whoever started the server.
        let terminal = [libc::TIOCSTI, libc::TIOCLINUX];
        let terminal = terminal.map(|request| when(1, SeccompCmpOp::Eq, request));
        rules.insert(libc::SYS_ioctl, terminal.into_iter().collect::<io::Result<_>>()?);
        Ok(rules)
    }

    fn always(call: i64) -> (i64, Vec<SeccompRule>) {
        (call, Vec::new())
    }

    fn when(argument: u8, how: SeccompCmpOp, value: u64) -> io::Result<SeccompRule> {
        SeccompCondition::new(argument, SeccompCmpArgLen::Dword, how, value)
            .and_then(|condition| SeccompRule::new(vec![condition]))
            .map_err(io::Error::other)
    }
}
