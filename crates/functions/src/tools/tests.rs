use super::*;
use std::os::unix::fs::{PermissionsExt, symlink};

/// A directory with files, those with `#!` or of workerd to be run.
struct Tree(tempfile::TempDir);

/// Where npm puts the program on this machine.
fn program() -> String {
    let machine = if cfg!(target_arch = "aarch64") { "linux-arm64" } else { "linux-64" };
    format!("node_modules/@cloudflare/workerd-{machine}/bin/workerd")
}

impl Tree {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().canonicalize().unwrap().join(name)
    }

    fn with(self, name: &str, content: &[u8]) -> Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        self
    }

    /// As npm installs both into a directory.
    fn installed(self, at: &str, version: &str) -> Self {
        let package = format!("{{\"name\":\"wrangler\",\"version\":\"{version}\"}}");
        self.with(&format!("{at}node_modules/workerd/bin/workerd"), b"#!/usr/bin/env node\n")
            .with(&format!("{at}{}", program()), b"\x7fELF")
            .with(&format!("{at}node_modules/wrangler/bin/wrangler.js"), b"#!/usr/bin/env node\n")
            .with(&format!("{at}node_modules/wrangler/package.json"), package.as_bytes())
    }
}

#[test]
fn the_program_is_found_behind_what_npm_puts_on_the_path() {
    let tree = Tree::new().installed("a/", "1.0.0").with("own/workerd", b"\x7fELF");
    fs::create_dir_all(tree.path("a/node_modules/.bin")).unwrap();
    symlink("../workerd/bin/workerd", tree.path("a/node_modules/.bin/workerd")).unwrap();
    for name in
        ["a/node_modules/.bin/workerd", "a/node_modules/workerd", "a/node_modules/workerd/bin/workerd"]
    {
        assert_eq!(
            workerd::program_behind(&tree.path(name)),
            Ok(tree.path(&format!("a/{}", program()))),
            "{name}"
        );
    }
    assert_eq!(workerd::program_behind(&tree.path("own/workerd")), Ok(tree.path("own/workerd")));
}

#[test]
fn a_package_without_the_program_for_this_machine_says_so() {
    let tree = Tree::new().with("node_modules/workerd/bin/workerd", b"#!/usr/bin/env node\n");
    let why = workerd::program_behind(&tree.path("node_modules/workerd")).unwrap_err().to_string();
    assert!(why.contains("without the program for this machine"), "{why}");
    let why = workerd::program_behind(&tree.path("absent")).unwrap_err().to_string();
    assert!(why.contains("absent cannot be used: No such file"), "{why}");
}

#[test]
fn wrangler_is_found_by_its_package_or_its_script() {
    let tree = Tree::new().installed("a/", "4.0.1");
    fs::create_dir_all(tree.path("bin")).unwrap();
    symlink("../a/node_modules/wrangler/bin/wrangler.js", tree.path("bin/wrangler")).unwrap();
    for name in ["bin/wrangler", "a/node_modules/wrangler", "a/node_modules/wrangler/bin/wrangler.js"] {
        let found = Wrangler::behind(&tree.path(name)).unwrap();
        assert_eq!(found.script(), tree.path("a/node_modules/wrangler/bin/wrangler.js"), "{name}");
        assert_eq!(found.root(), tree.path("a/node_modules"));
        assert_eq!(found.version(), Ok("4.0.1".into()));
    }
    assert!(Wrangler::behind(&tree.path("a")).is_err());
}

#[test]
fn the_setting_goes_before_the_folder_and_that_before_the_path() {
    let tree = Tree::new()
        .installed("tools/runtime-old/", "2.0.0")
        .installed("path/", "3.0.0")
        .installed("named/", "4.0.0");
    fs::create_dir_all(tree.path("bin")).unwrap();
    symlink("../path/node_modules/wrangler/bin/wrangler.js", tree.path("bin/wrangler")).unwrap();
    let places = Places {
        folder: tree.path("tools"),
        wrangler: Some(tree.path("named/node_modules/wrangler")),
        path: vec![tree.path("empty"), tree.path("bin")],
        ..Places::default()
    };
    let version = |places: &Places| places.wrangler().map(|found| (found.version, found.origin));
    assert_eq!(version(&places), Ok(("4.0.0".into(), Origin::Setting)));
    let places = Places { wrangler: None, ..places };
    assert_eq!(version(&places), Ok(("2.0.0".into(), Origin::Unpinned)));
    let pinned = install::directory(Path::new("tools/")).display().to_string() + "/";
    let tree = tree.installed(&pinned, "1.0.0");
    assert_eq!(version(&places), Ok(("1.0.0".into(), Origin::Pinned)));
    assert_eq!(places.installations().len(), 2);
    let places = Places { folder: tree.path("nowhere"), ..places };
    assert_eq!(version(&places), Ok(("3.0.0".into(), Origin::Path)));
    let places = Places { path: Vec::new(), ..places };
    assert_eq!(version(&places), Err(Absent::Nowhere("wrangler")));
}

#[test]
fn what_the_operator_names_is_taken_or_refused_and_never_passed_over() {
    let tree = Tree::new().installed("tools/runtime-old/", "2.0.0").with("named", b"text");
    let places = Places {
        folder: tree.path("tools"),
        wrangler: Some(tree.path("named")),
        workerd: Some(tree.path("named")),
        path: Vec::new(),
    };
    assert!(places.wrangler().unwrap_err().to_string().contains("named cannot be used"));
    assert!(places.workerd().unwrap_err().to_string().contains("named cannot be used"));
}

#[test]
fn what_is_no_workerd_that_runs_here_is_quoted() {
    let why = workerd::version(&"/bin/cat".into()).unwrap_err().to_string();
    assert!(why.starts_with("/bin/cat cannot be used: asked for its version it says: cat"), "{why}");
    let why = workerd::version(&"/bin/false".into()).unwrap_err().to_string();
    assert!(why.contains("it says:"), "{why}");
    let tree = Tree::new().with("workerd", b"\x7fELF, but of another machine");
    assert!(workerd::version(&tree.path("workerd")).is_err());
}
