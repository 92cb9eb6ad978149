//! The files of a version as they would lie in a workspace, without writing them anywhere: what is to be done with most
//! versions is seen from their names.

use std::collections::HashMap;
use std::path::{Component, Path};
use std::sync::Arc;

use offprint_model::presets::telling_files;
use offprint_store::{SourceFile, Store, StoreError};

use crate::files::{Files, NoFolder, VERSION, Words};
use crate::framework::{FILE_BYTES_MAX, PACKAGE};
use crate::workspace::relative;
use crate::wrangler_file;

/// A directory of a version.
#[derive(Clone)]
pub(crate) struct VersionFolder {
    /// Those of the whole version, by path.
    files: Arc<[SourceFile]>,
    /// The text of those that say how the site is built, by path.
    texts: Arc<HashMap<String, String>>,
    /// Where it is; begins with a slash and ends with one.
    prefix: String,
}

impl VersionFolder {
    /// The whole of a version; of the files in its root directory, those are read that say how it is built. `None`: the bytes
    /// of one are lost.
    ///
    /// # Errors
    /// The store failed.
    pub(crate) async fn read(
        store: &Store,
        files: Vec<SourceFile>,
        root_dir: &str,
    ) -> Result<Option<Self>, StoreError> {
        let whole = Self::of(files, HashMap::new());
        let names = telling_files().chain(wrangler_file::NAMES).chain([PACKAGE]);
        let Ok(root) = whole.folder(root_dir) else { return Ok(Some(whole)) };
        let mut texts = HashMap::new();
        for file in names.filter_map(|name| root.file(name)).filter(|file| file.size <= FILE_BYTES_MAX) {
            let Some(bytes) = store.source_file(file).await? else { return Ok(None) };
            if let Ok(text) = String::from_utf8(bytes.to_vec()) {
                texts.insert(file.path.as_str().to_owned(), text);
            }
        }
        Ok(Some(Self { texts: Arc::new(texts), ..whole }))
    }

    fn of(files: Vec<SourceFile>, texts: HashMap<String, String>) -> Self {
        Self { files: files.into(), texts: Arc::new(texts), prefix: "/".to_owned() }
    }

    /// The files in it and below, each with its path in it.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&str, &SourceFile)> {
        let begin = self.files.partition_point(|file| file.path.as_str() < self.prefix.as_str());
        self.files[begin..]
            .iter()
            .map_while(|file| Some((file.path.as_str().strip_prefix(&self.prefix)?, file)))
    }

    /// A file of it.
    pub(crate) fn file(&self, name: &str) -> Option<&SourceFile> {
        let path = self.inside(name)?;
        let found = self.files.binary_search_by(|file| file.path.as_str().cmp(&path)).ok()?;
        self.files.get(found)
    }

    /// The path of something below; empty for the whole. `None`: it leads out.
    fn inside(&self, path: &str) -> Option<String> {
        let typed = relative(path);
        let mut parts: Vec<&str> = self.prefix.split('/').filter(|part| !part.is_empty()).collect();
        for part in typed.components() {
            match part {
                Component::ParentDir => drop(parts.pop()?),
                part => parts.push(part.as_os_str().to_str()?),
            }
        }
        Some(parts.iter().map(|part| format!("/{part}")).collect())
    }
}

impl Files for VersionFolder {
    fn folder(&self, path: &str) -> Result<Self, NoFolder> {
        let place = self.inside(path).ok_or(NoFolder::Outside)?;
        let folder = Self { prefix: format!("{place}/"), ..self.clone() };
        // A version that has no files is a directory all the same.
        let there = place.is_empty() || folder.files().next().is_some();
        there.then_some(folder).ok_or(NoFolder::Absent)
    }

    fn has(&self, name: &str) -> bool {
        self.file(name).is_some()
    }

    fn text(&self, name: &str, bytes_max: u64) -> Option<String> {
        let text = self.texts.get(&self.inside(name)?)?;
        (text.len() as u64 <= bytes_max).then(|| text.clone())
    }

    fn names(&self, count: usize) -> Vec<String> {
        let first = |path: &str| match path.split_once('/') {
            Some((directory, _)) => format!("{directory}/"),
            None => path.to_owned(),
        };
        let mut names: Vec<String> = self.files().map(|(path, _)| first(path)).collect();
        names.sort_unstable();
        names.dedup();
        names.truncate(count);
        names
    }

    fn place(&self) -> &Path {
        Path::new(self.prefix.trim_matches('/'))
    }

    fn words(&self) -> &'static Words {
        &VERSION
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use offprint_model::asset::{AssetKey, AssetPath, BlobHash};

    fn whole(paths: &[&str]) -> VersionFolder {
        let file = |path: &&str| SourceFile {
            path: AssetPath::parse(path).unwrap(),
            key: AssetKey::parse("key").unwrap(),
            blob: BlobHash::of(b""),
            size: 0,
        };
        let mut files: Vec<_> = paths.iter().map(file).collect();
        files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        let texts = HashMap::from([("/site/package.json".to_owned(), "{}".to_owned())]);
        VersionFolder::of(files, texts)
    }

    #[test]
    fn names_are_found_where_a_workspace_would_have_them() {
        let whole =
            whole(&["a.html", "site/package.json", "site/dist/x/y.css", "site-2/b.html", "site.html"]);
        assert_eq!(whole.names(9), ["a.html", "site-2/", "site.html", "site/"]);
        assert_eq!(whole.names(2).len(), 2);
        let site = whole.folder("/site/").unwrap();
        assert_eq!(site.place(), Path::new("site"));
        assert_eq!(site.names(9), ["dist/", "package.json"]);
        assert_eq!(site.text("./package.json", 2).as_deref(), Some("{}"));
        assert_eq!(site.text("package.json", 1), None, "too long");
        assert!(site.has("dist/x/y.css") && !site.has("dist/x") && !site.has("y.css"));
        let files: Vec<_> = site.folder("dist").unwrap().files().map(|(path, _)| path.to_owned()).collect();
        assert_eq!(files, ["x/y.css"]);
        assert!(site.folder("../site-2").unwrap().has("b.html"));
        assert_eq!(site.folder("../..").err(), Some(NoFolder::Outside));
        assert_eq!(site.folder("out").err(), Some(NoFolder::Absent));
        assert_eq!(whole.folder("site.html").err(), Some(NoFolder::Absent));
    }

    #[test]
    fn a_version_without_files_is_an_empty_directory() {
        let nothing = whole(&[]);
        assert!(nothing.folder("").unwrap().files().next().is_none());
        assert_eq!(nothing.folder("dist").err(), Some(NoFolder::Absent));
    }
}
