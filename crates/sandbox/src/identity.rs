//! Whose rights a sandboxed program has on this machine.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::geteuid;

use crate::tree;

/// User and group that root's sandboxes run as. No distribution gives this number away, and it is small enough for
/// containers that know 65,536 users.
const USER: u32 = 65_533;

/// Who runs inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Identity {
    /// The user that the server runs as.
    Own,
    /// Another user; for a server that is root.
    Other(u32),
}

impl Identity {
    /// Inside walls nobody has root's rights, not even those of owning its files.
    pub(crate) fn inside_walls() -> Self {
        if geteuid().is_root() { Self::Other(USER) } else { Self::Own }
    }

    /// Gives a whole tree to who runs inside.
    pub(crate) fn own(self, root: &Path) -> io::Result<()> {
        match self {
            Self::Own => Ok(()),
            Self::Other(user) => tree::give(root, user),
        }
    }

    /// As [`Identity::own`], unless the top of the tree shows that this has been done.
    pub(crate) fn own_once(self, root: &Path) -> io::Result<()> {
        match self {
            Self::Other(user) if fs::symlink_metadata(root)?.uid() != user => tree::give(root, user),
            Self::Own | Self::Other(_) => Ok(()),
        }
    }
}
