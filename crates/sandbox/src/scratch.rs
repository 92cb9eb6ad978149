//! A directory for each command: its temporary files, its socket, the files it sees in `/etc`.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::helper;
use crate::tree::remove_tree;

/// Files below the inside's `/etc` that tell nothing about this machine.
const STUBS: [(&str, &str); 7] = [
    ("passwd", "root:x:0:0:root:/:/usr/sbin/nologin\nbuild:x:1000:1000:build:/home/build:/bin/sh\n"),
    ("group", "root:x:0:\nbuild:x:1000:\n"),
    ("hosts", "127.0.0.1 localhost\n::1 localhost\n"),
    ("hostname", "sandbox\n"),
    // There is no resolver inside: the proxy resolves names.
    ("resolv.conf", ""),
    ("nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n"),
    ("ssh_config", "Host *\n  ProxyCommand SSH_PROXY\n"),
];

/// Where the stub of ssh's configuration goes; the others go to `/etc` itself.
pub(crate) const SSH_CONFIG: &str = "ssh_config";

/// All scratch directories of a server.
#[derive(Debug)]
pub(crate) struct Scratch {
    root: PathBuf,
    next: AtomicU64,
}

impl Scratch {
    /// Empties the directory and writes what all commands share.
    pub(crate) fn open(root: &Path, helper_args: &[String]) -> io::Result<Self> {
        remove_tree(root)?;
        // Sockets in here open the network to whoever reaches them.
        DirBuilder::new().recursive(true).mode(0o700).create(root)?;
        let root = root.canonicalize()?;
        let etc = root.join("etc");
        let ssh_proxy = helper::ssh_proxy(helper_args);
        fs::create_dir(&etc)?;
        fs::set_permissions(&etc, Permissions::from_mode(0o755))?;
        for (name, content) in STUBS {
            fs::write(etc.join(name), content.replace("SSH_PROXY", &ssh_proxy))?;
            fs::set_permissions(etc.join(name), Permissions::from_mode(0o644))?;
        }
        Ok(Self { root, next: AtomicU64::new(1) })
    }

    /// Names and files of the stubs.
    pub(crate) fn stubs(&self) -> impl Iterator<Item = (&'static str, PathBuf)> {
        STUBS.into_iter().map(|(name, _)| (name, self.root.join("etc").join(name)))
    }

    /// A directory for one command.
    pub(crate) fn make(&self) -> io::Result<ScratchDir> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let root = self.root.join(number.to_string());
        fs::create_dir(&root)?;
        let made = ScratchDir { root };
        for directory in [made.temp(), made.network()] {
            fs::create_dir(&directory)?;
            fs::set_permissions(&directory, Permissions::from_mode(0o755))?;
        }
        Ok(made)
    }
}

/// The directory of one command; dropping removes it.
#[derive(Debug)]
pub(crate) struct ScratchDir {
    root: PathBuf,
}

impl ScratchDir {
    /// For `/tmp`.
    pub(crate) fn temp(&self) -> PathBuf {
        self.root.join("temp")
    }

    /// For the egress proxy's socket.
    pub(crate) fn network(&self) -> PathBuf {
        self.root.join("network")
    }
}

impl Drop for ScratchDir {
    fn drop(&mut self) {
        if let Err(error) = remove_tree(&self.root) {
            tracing::warn!(%error, directory = %self.root.display(), "cannot remove temporary files");
        }
    }
}
