//! The walls: which namespaces, and what of this machine is visible in them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::control::staged;
use crate::helper::{NETWORK_INSIDE, PROGRAM_INSIDE};
use crate::scratch::SSH_CONFIG;
use crate::spec::Mount;

/// Where bwrap is when it is not on the server's PATH, which we do not read.
const PROGRAMS: [&str; 3] = ["/usr/bin/bwrap", "/usr/local/bin/bwrap", "/bin/bwrap"];

/// Folders at the root that a merged system links into `/usr`.
const SYSTEM: [&str; 7] = ["bin", "sbin", "lib", "lib32", "lib64", "libx32", "nix/store"];

/// Of `/etc` what programs need to run at all, and what holds no secret: `/etc/ssl/private`, for one, stays out.
const ETC: [&str; 15] = [
    "alternatives",
    "ca-certificates",
    "ca-certificates.conf",
    "crypto-policies",
    "fonts",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "mime.types",
    "pki/ca-trust",
    "pki/tls/certs",
    "protocols",
    "services",
    "ssl/certs",
];

/// Bytes of shared memory; as much as container engines give.
const SHARED_MEMORY_BYTES: &str = "67108864";

/// A bwrap that was found.
#[derive(Clone, Debug)]
pub(crate) struct Bubblewrap {
    program: PathBuf,
    /// Arguments about the system, the same for all commands.
    system: Vec<String>,
}

/// The arguments of one sandbox, and what they need to find at [`staged`] places.
#[derive(Debug, Default)]
pub(crate) struct Walls {
    /// For bwrap.
    pub(crate) args: Vec<String>,
    /// Sources to be staged; empty when they can be reached as they are.
    pub(crate) staged: Vec<PathBuf>,
    stage: bool,
}

impl Bubblewrap {
    /// Finds the program and looks at the system once.
    pub(crate) fn find() -> Option<Self> {
        let program = PROGRAMS.iter().map(PathBuf::from).find(|path| path.is_file())?;
        Some(Self { program, system: system() })
    }

    /// The program.
    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// Walls around a command. `stage`: whoever runs bwrap cannot walk to the mounts' sources.
    pub(crate) fn walls(&self, stage: bool) -> Walls {
        let mut walls = Walls { stage, ..Walls::default() };
        let namespaces = "--unshare-user --disable-userns --unshare-ipc --unshare-pid --unshare-net --unshare-uts \
            --unshare-cgroup-try --uid 1000 --gid 1000 --hostname sandbox --new-session --die-with-parent \
            --as-pid-1 --cap-drop ALL";
        walls.args.extend(namespaces.split_whitespace().map(String::from));
        walls.args.extend(self.system.iter().cloned());
        walls
    }
}

fn system() -> Vec<String> {
    let mut args = vec!["--ro-bind".to_owned(), "/usr".into(), "/usr".into()];
    for name in SYSTEM {
        let path = Path::new("/").join(name);
        let at = path.display().to_string();
        match fs::read_link(&path) {
            Ok(target) => args.extend(["--symlink".into(), target.display().to_string(), at]),
            Err(_) => args.extend(["--ro-bind-try".into(), at.clone(), at]),
        }
    }
    for name in ETC {
        let at = format!("/etc/{name}");
        // A link's target is within what is mounted, or the name is as good as absent.
        args.extend(["--ro-bind-try".into(), at.clone(), at]);
    }
    let others = format!(
        "--proc /proc --dev /dev --size {SHARED_MEMORY_BYTES} --tmpfs /dev/shm --dir /var --symlink ../tmp /var/tmp \
         --dir /run"
    );
    args.extend(others.split_whitespace().map(String::from));
    args
}

impl Walls {
    /// Makes a path of this machine visible.
    pub(crate) fn mount(&mut self, mount: &Mount) {
        let source = if self.stage {
            self.staged.push(mount.host.clone());
            staged(self.staged.len() - 1)
        } else {
            mount.host.display().to_string()
        };
        let how = if mount.writable { "--bind" } else { "--ro-bind" };
        self.args.extend([how.into(), source, mount.inside.display().to_string()]);
    }

    /// As [`Walls::mount`], read-only.
    pub(crate) fn show(&mut self, host: PathBuf, inside: impl Into<PathBuf>) {
        self.mount(&Mount { host, inside: inside.into(), writable: false });
    }

    /// Files in `/etc` that tell nothing about this machine.
    pub(crate) fn stub(&mut self, name: &str, file: PathBuf) {
        let inside = if name == SSH_CONFIG { "/etc/ssh/ssh_config".into() } else { format!("/etc/{name}") };
        self.show(file, inside);
    }

    /// Where the egress proxy's socket is.
    pub(crate) fn network(&mut self, directory: PathBuf) {
        self.show(directory, NETWORK_INSIDE);
    }

    /// Closes the walls: everything between the mounts becomes read-only, and the helper runs inside.
    pub(crate) fn close(mut self, helper: PathBuf, helper_args: &[String]) -> Self {
        self.show(helper, PROGRAM_INSIDE);
        let read_only = ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/", "--", PROGRAM_INSIDE];
        self.args.extend(read_only.map(String::from));
        self.args.extend(helper_args.iter().cloned());
        self.args.push("hold".into());
        self
    }
}
