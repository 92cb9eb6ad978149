//! What a sandbox is made with.

use std::fs;
use std::path::PathBuf;

use crate::egress::AllowList;

/// How the sandboxes of a server work.
#[derive(Clone, Debug)]
pub struct SandboxOptions {
    /// The program that enters the sandbox.
    pub helper: Helper,
    /// A directory for temporary files and sockets, used by this server alone; what is in it is removed at the start.
    pub scratch: PathBuf,
    /// What may be reached although it is not public.
    pub allow: AllowList,
    /// Directories that are visible read-only under their own paths; their `bin`, or they themselves, lead the PATH.
    pub tools: Vec<PathBuf>,
}

/// What Linux puts behind the name of a running program whose file has been replaced.
const REPLACED: &str = " (deleted)";

/// A program that calls [`crate::helper::main`] with its arguments behind those named here.
#[derive(Clone, Debug)]
pub struct Helper {
    /// Its path.
    pub program: PathBuf,
    /// What comes before the arguments of [`crate::helper::main`].
    pub args: Vec<String>,
}

impl Helper {
    /// This very program, with a hidden subcommand. It is started even when an update has replaced its
    /// file.
    pub fn this_program(subcommand: &str) -> Self {
        Self { program: "/proc/self/exe".into(), args: vec![subcommand.to_owned()] }
    }

    /// The file to be made visible inside. After an update that is the new one, for the kernel does not let a file
    /// without a name be mounted elsewhere.
    pub(crate) fn file(&self) -> PathBuf {
        let Ok(target) = fs::read_link(&self.program) else { return self.program.clone() };
        let name = target.to_string_lossy();
        name.strip_suffix(REPLACED).map_or_else(|| target.clone(), PathBuf::from)
    }
}
