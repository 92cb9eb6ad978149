//! wrangler: a package of npm, run by Node.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::Absent;

/// Its script, below the directory of the package.
const SCRIPT: &str = "bin/wrangler.js";

/// wrangler as it is installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrangler {
    /// The directory of its package.
    package: PathBuf,
}

#[derive(Deserialize)]
struct Manifest {
    name: String,
    version: String,
}

impl Wrangler {
    /// The package at a path: its directory, its script, or a link to that.
    pub(super) fn behind(path: &Path) -> Result<Self, Absent> {
        let real = path.canonicalize().map_err(|error| Absent::unusable(path, error))?;
        let found = real.ancestors().find(|directory| directory.join(SCRIPT).is_file());
        let package =
            found.ok_or_else(|| Absent::unusable(path, "it is no package of npm with wrangler in it"))?;
        Ok(Self { package: package.to_owned() })
    }

    /// The version of the package.
    pub(super) fn version(&self) -> Result<String, Absent> {
        let file = self.package.join("package.json");
        let text = fs::read(&file).map_err(|error| Absent::unusable(&file, error))?;
        match serde_json::from_slice::<Manifest>(&text) {
            Ok(manifest) if manifest.name == "wrangler" => Ok(manifest.version),
            Ok(manifest) => Err(Absent::unusable(&self.package, format!("it is {}", manifest.name))),
            Err(error) => Err(Absent::unusable(&file, error)),
        }
    }

    /// What Node is to run.
    pub fn script(&self) -> PathBuf {
        self.package.join(SCRIPT)
    }

    /// The directory that holds the package and all that it needs: the outermost `node_modules` around it.
    pub fn root(&self) -> &Path {
        let around = self.package.ancestors().filter(|directory| directory.ends_with("node_modules"));
        around.last().unwrap_or(&self.package)
    }
}
