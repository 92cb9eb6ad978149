//! Which files of a folder are assets: wrangler's rules.
//!
//! Symbolic links are followed, as wrangler does; a link that leads back up is an error instead of an endless
//! walk. Only names are read here: sizes are the hashing threads' business.

use std::fs::{self, DirEntry};
use std::path::{Path, PathBuf};

use offprint_model::asset::{ASSET_PATH_BYTES_MAX, AssetPath};

use super::error::DeployError;

/// Left out at the top of the folder: they are not assets but say how to serve them.
const LEFT_OUT_AT_TOP: [&str; 6] =
    ["_worker.js", "_redirects", "_headers", "_routes.json", "functions", ".wrangler"];
/// Left out at any depth, except below a directory whose name begins with a dot: wrangler's pattern
/// `**/name` does not reach in there.
const LEFT_OUT_ANYWHERE: [&str; 3] = [".DS_Store", "node_modules", ".git"];
/// Where `offprint try` keeps everything, keys and tokens included. Left out wherever it is: of all rules the
/// only one that wrangler does not have.
pub const STORE_NAME: &str = ".offprint";

/// The assets of a folder, in the order of their paths. Links lead nowhere but below `within`, where that is
/// given.
pub(crate) fn walk(root: &Path, within: Option<&Path>) -> Result<Vec<AssetPath>, DeployError> {
    if !fs::metadata(root).map_err(DeployError::io(root))?.is_dir() {
        return Err(DeployError::NotADirectory(root.to_owned()));
    }
    let within =
        within.map(|within| fs::canonicalize(within).map_err(DeployError::io(within))).transpose()?;
    let mut walker = Walker { assets: Vec::new(), links: Vec::new(), within };
    walker.enter(root, "", false)?;
    walker.assets.sort_unstable();
    Ok(walker.assets)
}

struct Walker {
    assets: Vec<AssetPath>,
    /// The real directories that were entered by a link and are being walked.
    links: Vec<PathBuf>,
    /// Where links may lead; `None`: anywhere.
    within: Option<PathBuf>,
}

impl Walker {
    /// Walks a directory. `site` is its path in the site, without a slash at the end; `hidden` says that
    /// it, or one above it, has a name with a leading dot.
    fn enter(&mut self, directory: &Path, site: &str, hidden: bool) -> Result<(), DeployError> {
        // No asset could have a longer path; this also bounds how deep the walk goes.
        if site.len() >= ASSET_PATH_BYTES_MAX {
            return Err(DeployError::BadName {
                path: directory.to_owned(),
                why: "its path is too long".into(),
            });
        }
        for entry in fs::read_dir(directory).map_err(DeployError::io(directory))? {
            let entry = entry.map_err(DeployError::io(directory))?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else {
                return Err(DeployError::BadName { path: entry.path(), why: "its name is not UTF-8".into() });
            };
            if !is_left_out(site, name, hidden) {
                self.visit(&entry, &format!("{site}/{name}"), hidden || name.starts_with('.'))?;
            }
        }
        Ok(())
    }

    fn visit(&mut self, entry: &DirEntry, site: &str, hidden: bool) -> Result<(), DeployError> {
        let path = entry.path();
        let kind = entry.file_type().map_err(DeployError::io(&path))?;
        if kind.is_symlink() {
            return self.follow(&path, site, hidden);
        }
        if kind.is_dir() {
            return self.enter(&path, site, hidden);
        }
        if !kind.is_file() {
            return Err(DeployError::Special(path));
        }
        self.add(&path, site)
    }

    fn follow(&mut self, path: &Path, site: &str, hidden: bool) -> Result<(), DeployError> {
        let target = fs::metadata(path).map_err(DeployError::io(path))?;
        let real = fs::canonicalize(path).map_err(DeployError::io(path))?;
        if self.within.as_ref().is_some_and(|within| !real.starts_with(within)) {
            return Err(DeployError::Outside(path.to_owned()));
        }
        if target.is_file() {
            return self.add(path, site);
        }
        if !target.is_dir() {
            return Err(DeployError::Special(path.to_owned()));
        }
        let parent = path.parent().unwrap_or(path);
        let here = fs::canonicalize(parent).map_err(DeployError::io(parent))?;
        if here.starts_with(&real) || self.links.iter().any(|open| open.starts_with(&real)) {
            return Err(DeployError::Loop(path.to_owned()));
        }
        self.links.push(real);
        let walked = self.enter(path, site, hidden);
        self.links.pop();
        walked
    }

    fn add(&mut self, path: &Path, site: &str) -> Result<(), DeployError> {
        let asset = AssetPath::parse(site)
            .map_err(|rule| DeployError::BadName { path: path.to_owned(), why: rule.to_string() })?;
        self.assets.push(asset);
        Ok(())
    }
}

/// Whether a path below the top of a folder is no asset, by the same rules. It begins without a slash.
pub fn is_no_asset(path: &str) -> bool {
    let (mut above, mut hidden) = ("", false);
    path.split('/').any(|name| {
        let left_out = is_left_out(above, name, hidden);
        (above, hidden) = (name, hidden || name.starts_with('.'));
        left_out
    })
}

fn is_left_out(site: &str, name: &str, hidden: bool) -> bool {
    name == STORE_NAME
        || (site.is_empty() && LEFT_OUT_AT_TOP.contains(&name))
        || (!hidden && LEFT_OUT_ANYWHERE.contains(&name))
}

/// Where an asset lies.
pub(crate) fn file_of(root: &Path, asset: &AssetPath) -> PathBuf {
    root.join(&asset.as_str()[1..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for file in files {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, file).unwrap();
        }
        root
    }

    fn walked(root: &Path) -> Vec<String> {
        walk(root, None).unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_wrangler_leaves_out_is_left_out() {
        let files = [
            "index.html",
            "_headers",
            "_redirects",
            "_routes.json",
            "_worker.js",
            "functions/a.js",
            ".wrangler/x",
            "sub/_headers",
            "sub/functions/a.js",
            "sub/node_modules/a.js",
            "node_modules/a.js",
            ".git/HEAD",
            "sub/.git",
            ".DS_Store",
            "sub/.DS_Store",
            ".well-known/security.txt",
            ".well-known/node_modules/a.js",
            ".hidden",
            ".offprint/token",
            ".well-known/.offprint/secret.key",
        ];
        let root = folder(&files);
        let expected = [
            "/.hidden",
            "/.well-known/node_modules/a.js",
            "/.well-known/security.txt",
            "/index.html",
            "/sub/_headers",
            "/sub/functions/a.js",
        ];
        assert_eq!(walked(root.path()), expected);
        let mut kept: Vec<_> = files.iter().filter(|file| !is_no_asset(file)).collect();
        kept.sort_unstable();
        assert!(kept.iter().map(|file| format!("/{file}")).eq(expected), "{kept:?}");
    }

    #[test]
    fn links_are_followed_and_loops_are_told() {
        let root = folder(&["a/b/c.txt"]);
        let other = folder(&["x.txt"]);
        symlink(other.path(), root.path().join("linked")).unwrap();
        symlink(root.path().join("a/b/c.txt"), root.path().join("c")).unwrap();
        assert_eq!(walked(root.path()), ["/a/b/c.txt", "/c", "/linked/x.txt"]);

        let up = root.path().join("a/b/up");
        symlink(root.path().join("a"), &up).unwrap();
        assert!(matches!(walk(root.path(), None), Err(DeployError::Loop(path)) if path == up));
        fs::remove_file(&up).unwrap();

        // Two folders that link to one another.
        symlink(root.path(), other.path().join("back")).unwrap();
        assert!(matches!(walk(root.path(), None), Err(DeployError::Loop(_))));
    }

    #[test]
    fn links_lead_no_further_than_is_allowed() {
        let workspace = folder(&["site/index.html", "shared/a.txt"]);
        let outside = folder(&["secret.txt"]);
        let site = workspace.path().join("site");
        symlink("../shared", site.join("shared")).unwrap();
        symlink("../shared/a.txt", site.join("a.txt")).unwrap();
        let paths: Vec<String> =
            walk(&site, Some(workspace.path())).unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(paths, ["/a.txt", "/index.html", "/shared/a.txt"]);
        for target in [outside.path().to_owned(), outside.path().join("secret.txt")] {
            let link = site.join("link");
            symlink(target, &link).unwrap();
            let refused = walk(&site, Some(workspace.path()));
            assert!(matches!(refused, Err(DeployError::Outside(path)) if path == link));
            assert!(walk(&site, None).is_ok());
            fs::remove_file(&link).unwrap();
        }
    }

    #[test]
    fn what_cannot_be_served_is_named() {
        let root = folder(&["a\\b"]);
        let error = walk(root.path(), None).unwrap_err();
        assert!(error.to_string().contains("a\\b cannot be part of a site"), "{error}");
        let broken = folder(&[]);
        symlink("nowhere", broken.path().join("broken")).unwrap();
        assert!(walk(broken.path(), None).unwrap_err().to_string().ends_with("broken"));
        assert!(matches!(walk(&root.path().join("a\\b"), None), Err(DeployError::NotADirectory(_))));
    }
}
