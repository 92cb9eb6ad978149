//! What a repository asks for without saying so: its framework, its package manager, the caches of both.

use offprint_model::presets::{Contents, Preset, detect};
use serde_json::{Map, Value};

use crate::files::Files;
use crate::workspace::Folder;

/// Longer descriptions of packages are not read.
pub(crate) const FILE_BYTES_MAX: u64 = 4 << 20;
/// The description of a site that has packages of npm's.
pub(crate) const PACKAGE: &str = "package.json";

/// The root directory of a project with its `package.json` read.
pub(crate) struct Sources<F = Folder> {
    folder: F,
    package: Option<Map<String, Value>>,
}

impl<F: Files> Sources<F> {
    /// Reads what a directory says of itself. A `package.json` that is none counts as absent: the package
    /// manager will say what is wrong with it.
    pub(crate) fn read(folder: F) -> Self {
        let text = folder.text(PACKAGE, FILE_BYTES_MAX);
        let package = text.and_then(|text| match serde_json::from_str(&text) {
            Ok(Value::Object(package)) => Some(package),
            _ => None,
        });
        Self { folder, package }
    }

    /// The framework, where it is a known one.
    pub(crate) fn preset(&self) -> Option<&'static Preset> {
        detect(self)
    }

    /// The text of a short file.
    pub(crate) fn short_text(&self, name: &str) -> Option<String> {
        self.folder.text(name, 4096)
    }

    /// How the dependencies are installed, in order.
    pub(crate) fn installs(&self) -> Vec<Install> {
        let mut installs = Vec::new();
        if self.has_package() {
            installs.push(self.node_packages());
        }
        if self.folder.has("requirements.txt") {
            installs.push(PIP);
        }
        if self.folder.has("Gemfile") {
            installs.push(BUNDLER);
        }
        installs
    }

    /// Whether Node.js is needed at all.
    pub(crate) fn has_package(&self) -> bool {
        self.folder.has(PACKAGE)
    }

    fn node_packages(&self) -> Install {
        let has = |name: &str| self.folder.has(name);
        if has("pnpm-lock.yaml") {
            return PNPM_LOCKED;
        }
        if has("bun.lock") || has("bun.lockb") {
            return BUN_LOCKED;
        }
        if has("yarn.lock") {
            return if self.is_modern_yarn() { MODERN_YARN_LOCKED } else { YARN_LOCKED };
        }
        if has("package-lock.json") || has("npm-shrinkwrap.json") {
            return NPM_LOCKED;
        }
        match self.package_manager() {
            Some(("pnpm", _)) => PNPM,
            Some(("bun", _)) => BUN,
            Some(("yarn", _)) if self.is_modern_yarn() => MODERN_YARN,
            Some(("yarn", _)) => YARN,
            _ => NPM,
        }
    }

    /// `packageManager`: name and version, the hash behind it left out.
    pub(crate) fn package_manager(&self) -> Option<(&str, &str)> {
        let text = self.package.as_ref()?.get("packageManager")?.as_str()?;
        let (name, version) = text.split_once('@')?;
        Some((name, version.split('+').next().unwrap_or(version)))
    }

    /// Yarn from version 2 on keeps a file of its own, and its lock file has another head.
    fn is_modern_yarn(&self) -> bool {
        let by_field = || {
            self.package_manager().is_some_and(|(name, version)| name == "yarn" && !version.starts_with('1'))
        };
        self.folder.has(".yarnrc.yml") || by_field()
    }
}

impl<F: Files> Contents for Sources<F> {
    fn depends_on(&self, package: &str) -> bool {
        let has = |kind: &str| {
            let of_kind = self.package.as_ref().and_then(|all| all.get(kind)).and_then(Value::as_object);
            of_kind.is_some_and(|packages| packages.contains_key(package))
        };
        ["dependencies", "devDependencies", "optionalDependencies"].into_iter().any(has)
    }

    fn text(&self, file: &str) -> Option<String> {
        self.folder.text(file, FILE_BYTES_MAX)
    }
}

/// How dependencies are installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Install {
    /// What is run, for `sh -c`.
    pub(crate) command: &'static str,
    /// The program that is needed, as it is called in `tools`.
    pub(crate) program: &'static str,
    /// Where npm can bring the program.
    pub(crate) package: Option<Package>,
}

/// A package manager as a package of npm's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Package {
    /// Its name.
    pub(crate) name: &'static str,
    /// The version, where the site does not name one.
    pub(crate) version: &'static str,
    /// Shell text that succeeds where the program need not be brought.
    pub(crate) is_there: &'static str,
}

impl Install {
    /// The command as it is told.
    pub(crate) fn shown(&self) -> &'static str {
        if *self == PIP { "pip install -r requirements.txt" } else { self.command }
    }
}

const fn install(program: &'static str, command: &'static str, package: Option<Package>) -> Install {
    Install { command, program, package }
}

const fn package(name: &'static str, version: &'static str, is_there: &'static str) -> Option<Package> {
    Some(Package { name, version, is_there })
}

// The versions are those of the real service's build image (Pages API, "Build environment"). Yarn has two lines that
// read one another's lock files differently; a repository may also carry its own, which any Yarn starts.
const PNPM_PACKAGE: Option<Package> = package("pnpm", "10.11.1", "command -v pnpm >/dev/null 2>&1");
const YARN_PACKAGE: Option<Package> = package("yarn", "1.22.22", "command -v yarn >/dev/null 2>&1");
const MODERN_YARN_PACKAGE: Option<Package> = package(
    "@yarnpkg/cli-dist",
    "4.9.1",
    "case \"$(yarn --version 2>/dev/null)\" in ''|0.*|1.*) false;; esac",
);
const BUN_PACKAGE: Option<Package> = package("bun", "1.2.15", "command -v bun >/dev/null 2>&1");
const NPM_LOCKED: Install = install("npm", "npm ci", None);
const NPM: Install = install("npm", "npm install", None);
const PNPM_LOCKED: Install = install("pnpm", "pnpm install --frozen-lockfile", PNPM_PACKAGE);
const PNPM: Install = install("pnpm", "pnpm install", PNPM_PACKAGE);
const YARN_LOCKED: Install = install("yarn", "yarn install --frozen-lockfile", YARN_PACKAGE);
const MODERN_YARN_LOCKED: Install = install("yarn", "yarn install --immutable", MODERN_YARN_PACKAGE);
const YARN: Install = install("yarn", "yarn install", YARN_PACKAGE);
const MODERN_YARN: Install = install("yarn", "yarn install", MODERN_YARN_PACKAGE);
const BUN_LOCKED: Install = install("bun", "bun install --frozen-lockfile", BUN_PACKAGE);
const BUN: Install = install("bun", "bun install", BUN_PACKAGE);
// The system's Python refuses packages of a site's own, hence a place for them that the path begins with.
const PIP: Install = install(
    "python3",
    "python3 -m venv \"$HOME/.python\" && \"$HOME/.python/bin/pip\" install --disable-pip-version-check -r requirements.txt",
    None,
);
const BUNDLER: Install = install("bundle", "bundle install", None);

/// Directories that a framework's next build is faster with, relative to the root directory (Pages API, "Build
/// cache").
pub(crate) fn cached_directories(preset: &Preset) -> &'static [&'static str] {
    match preset.name {
        "Astro" => &["node_modules/.astro"],
        "Docusaurus" => &["node_modules/.cache", ".docusaurus", "build"],
        "Eleventy" => &[".cache"],
        "Gatsby" => &[".cache", "public"],
        "Next.js" | "Next.js (static)" => &[".next/cache"],
        "Nuxt" => &["node_modules/.cache/nuxt"],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn sources(files: &[(&str, &str)]) -> (tempfile::TempDir, Sources) {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(root.path().join(name), text).unwrap();
        }
        let read = Sources::read(Folder::open(root.path(), "").unwrap());
        (root, read)
    }

    #[test]
    fn the_lock_file_decides_how_packages_are_installed() {
        for (files, expected) in [
            (&[("package-lock.json", "")][..], "npm ci"),
            (&[("npm-shrinkwrap.json", "")], "npm ci"),
            (&[], "npm install"),
            (&[("pnpm-lock.yaml", ""), ("package-lock.json", "")], "pnpm install --frozen-lockfile"),
            (&[("yarn.lock", "")], "yarn install --frozen-lockfile"),
            (&[("yarn.lock", ""), (".yarnrc.yml", "")], "yarn install --immutable"),
            (&[("bun.lock", "")], "bun install --frozen-lockfile"),
            (&[("bun.lockb", "")], "bun install --frozen-lockfile"),
            (&[("package.json", r#"{"packageManager":"pnpm@9.1.0+sha512.abc"}"#)], "pnpm install"),
            (&[("package.json", "{")], "npm install"),
        ] {
            let files = [&[("package.json", "{}")], files].concat();
            let (_root, sources) = sources(&files);
            let commands: Vec<&str> = sources.installs().iter().map(|install| install.command).collect();
            assert_eq!(commands, [expected], "{files:?}");
        }
    }

    #[test]
    fn without_a_description_nothing_is_installed() {
        let (_root, none) = sources(&[("package-lock.json", ""), ("index.html", "")]);
        assert!(none.installs().is_empty() && !none.has_package());
        let (_root, python) = sources(&[("requirements.txt", "mkdocs")]);
        assert_eq!(python.installs(), [PIP]);
    }

    #[test]
    fn frameworks_are_found_among_dependencies_of_any_kind() {
        let (_root, astro) = sources(&[("package.json", r#"{"devDependencies":{"astro":"^5"}}"#)]);
        let preset = astro.preset().unwrap();
        assert_eq!((preset.name, cached_directories(preset)), ("Astro", &["node_modules/.astro"][..]));
        let (_root, broken) = sources(&[("package.json", r#"{"dependencies":["astro"]}"#)]);
        assert!(broken.preset().is_none());
        let (_root, pinned) = sources(&[("package.json", r#"{"packageManager":"pnpm@9.1.0+sha512.abc"}"#)]);
        assert_eq!(pinned.package_manager(), Some(("pnpm", "9.1.0")));
    }
}
