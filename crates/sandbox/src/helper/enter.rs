//! The way in: leaves root's rights behind and becomes the program that makes the walls.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use nix::fcntl::{OFlag, open};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::Mode;
use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};

use crate::control::{self, Descent, Entry, staged};

/// Returns only with an error.
pub(super) fn run() -> io::Result<()> {
    // The command's standard input comes later; until then it is the control socket.
    let entry: Entry = control::read(super::control_socket()?)?;
    if let Some(descent) = &entry.descent {
        descend(descent)?;
    }
    let error = Command::new(&entry.program).args(&entry.args).env_clear().exec();
    Err(io::Error::new(error.kind(), format!("{}: {error}", entry.program.display())))
}

/// Becomes an ordinary user. That user may not walk through the server's directories, so the ones it needs are
/// first brought to a place of this process's own.
fn descend(descent: &Descent) -> io::Result<()> {
    unshare(CloneFlags::CLONE_NEWNS)?;
    let nothing: Option<&str> = None;
    mount(nothing, "/", nothing, MsFlags::MS_REC | MsFlags::MS_PRIVATE, nothing)?;
    // Behind the separation, since mounts of another namespace cannot be bound; before `/tmp` is hidden.
    let opened = descent.staged.iter().map(|path| opened(path)).collect::<io::Result<Vec<_>>>()?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(Some("tmpfs"), "/tmp", Some("tmpfs"), flags, Some("mode=0755,size=1m"))?;
    for (number, source) in opened.iter().enumerate() {
        stage(source, Path::new(&staged(number)))?;
    }
    drop(opened);
    let (user, group) = (Uid::from_raw(descent.user), Gid::from_raw(descent.user));
    setgroups(&[])?;
    setresgid(group, group, group)?;
    setresuid(user, user, user)?;
    Ok(())
}

fn opened(path: &Path) -> io::Result<OwnedFd> {
    open(path, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())
        .map_err(|error| io::Error::other(format!("{}: {error}", path.display())))
}

fn stage(source: &OwnedFd, target: &Path) -> io::Result<()> {
    let source = format!("/proc/self/fd/{}", source.as_raw_fd());
    if fs::metadata(&source)?.is_dir() {
        fs::create_dir(target)?;
    } else {
        File::create(target)?;
    }
    let nothing: Option<&str> = None;
    mount(Some(source.as_str()), target, nothing, MsFlags::MS_BIND | MsFlags::MS_REC, nothing)?;
    Ok(())
}
