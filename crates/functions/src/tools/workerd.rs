//! workerd itself.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::Absent;

/// Where npm puts the program itself, below the directory in which it has installed something.
const PROGRAM: &str = if cfg!(target_arch = "aarch64") {
    "node_modules/@cloudflare/workerd-linux-arm64/bin/workerd"
} else {
    "node_modules/@cloudflare/workerd-linux-64/bin/workerd"
};

/// How long it may take to say its version.
const PATIENCE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(10);

/// The program at a path: itself, or behind the script or the package of npm that is there.
pub(super) fn program_behind(path: &Path) -> Result<PathBuf, Absent> {
    let real = path.canonicalize().map_err(|error| Absent::unusable(path, error))?;
    if real.is_file() && !is_script(&real).map_err(|error| Absent::unusable(path, error))? {
        return Ok(real);
    }
    // As Node looks for packages: beside, and then further up.
    let beside = real.ancestors().map(|directory| directory.join(PROGRAM));
    beside.into_iter().find(|program| program.is_file()).ok_or_else(|| {
        Absent::unusable(
            path,
            "it is npm's package, without the program for this machine (@cloudflare/workerd-linux-…)",
        )
    })
}

fn is_script(path: &Path) -> std::io::Result<bool> {
    let mut first = Vec::new();
    File::open(path)?.take(2).read_to_end(&mut first)?;
    Ok(first == b"#!")
}

/// Asks the program for its version: `2026-11-17`. That it answers shows that it runs here.
pub(super) fn version(program: &PathBuf) -> Result<String, Absent> {
    let unusable = |why: String| Absent::unusable(program, why);
    let child = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.map_err(|error| unusable(error.to_string()))?;
    let began = Instant::now();
    // What it says fits into the pipe, so it need not be read meanwhile.
    while child.try_wait().map_err(|error| unusable(error.to_string()))?.is_none() {
        if began.elapsed() > PATIENCE {
            let _ = child.kill();
            let _ = child.wait();
            return Err(unusable("it does not say its version".into()));
        }
        std::thread::sleep(PAUSE);
    }
    let output = child.wait_with_output().map_err(|error| unusable(error.to_string()))?;
    let said = String::from_utf8_lossy(&output.stdout);
    match said.trim().strip_prefix("workerd ") {
        Some(version) if output.status.success() => Ok(version.to_owned()),
        _ => {
            let complaint = String::from_utf8_lossy(&output.stderr);
            let first = complaint.lines().chain(said.lines()).find(|line| !line.trim().is_empty());
            Err(unusable(format!("asked for its version it says: {}", first.unwrap_or("nothing"))))
        }
    }
}
