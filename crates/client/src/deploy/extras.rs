//! The files at the top of a folder that are not assets but say how to serve them.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use bytes::Bytes;

use super::error::DeployError;

/// Rules and Worker of a folder.
#[derive(Clone, Debug, Default)]
pub struct Extras {
    /// `_headers`.
    pub headers: Option<Bytes>,
    /// `_redirects`.
    pub redirects: Option<Bytes>,
    /// `_worker.js`.
    pub worker: Option<Bytes>,
    /// `_routes.json`, where there is a Worker to route to.
    pub routes: Option<Bytes>,
    /// What a person should know.
    pub warnings: Vec<String>,
}

impl Extras {
    /// Reads them, where they exist, for a folder whose Functions nobody has compiled.
    ///
    /// # Errors
    /// One cannot be read, or is a Worker that needs bundling.
    pub fn read(root: &Path) -> Result<Self, DeployError> {
        let mut extras = Self::of_site(root)?;
        if root.join("functions").is_dir() {
            let what =
                "functions/ is left out: Functions need bundling, which `wrangler pages deploy` does for now";
            extras.warnings.insert(0, what.to_owned());
        }
        Ok(extras)
    }

    /// Reads them, where they exist, for a folder that is a site.
    ///
    /// # Errors
    /// As [`Extras::read`].
    pub fn of_site(root: &Path) -> Result<Self, DeployError> {
        let worker_path = root.join("_worker.js");
        if worker_path.is_dir() {
            return Err(DeployError::WorkerNeedsBundling(worker_path));
        }
        let extras = Self { worker: read(&worker_path)?, ..Self::beside_bundle(root)? };
        Ok(extras.without_idle_routes())
    }

    /// Makes the same of files that somebody has read, by their names.
    pub fn of_read(mut file: impl FnMut(&str) -> Option<Bytes>) -> Self {
        let mut filled = |name: &str| file(name).filter(|bytes| !bytes.is_empty());
        let extras = Self {
            headers: filled("_headers").map(|bytes| readable(&bytes)),
            redirects: filled("_redirects").map(|bytes| readable(&bytes)),
            worker: filled("_worker.js"),
            routes: filled("_routes.json"),
            warnings: Vec::new(),
        };
        extras.without_idle_routes()
    }

    fn without_idle_routes(mut self) -> Self {
        if self.worker.is_none() && self.routes.take().is_some() {
            let what = "_routes.json is left out: there is no _worker.js to route to";
            self.warnings.push(what.to_owned());
        }
        self
    }

    /// Reads all but the Worker, where they exist, for a site whose Functions have been compiled.
    ///
    /// # Errors
    /// One cannot be read.
    pub fn beside_bundle(root: &Path) -> Result<Self, DeployError> {
        Ok(Self {
            headers: text(root, "_headers")?,
            redirects: text(root, "_redirects")?,
            routes: read(&root.join("_routes.json"))?,
            ..Self::default()
        })
    }
}

/// An empty file is not sent.
fn text(root: &Path, name: &str) -> Result<Option<Bytes>, DeployError> {
    let bytes = read(&root.join(name))?;
    Ok(bytes.map(|bytes| readable(&bytes)))
}

/// Like wrangler: read as UTF-8, what is none replaced.
fn readable(bytes: &[u8]) -> Bytes {
    String::from_utf8_lossy(bytes).into_owned().into_bytes().into()
}

fn read(path: &Path) -> Result<Option<Bytes>, DeployError> {
    match fs::read(path) {
        Ok(bytes) => Ok((!bytes.is_empty()).then(|| bytes.into())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(DeployError::io(path)(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_and_routes_need_a_worker() {
        let root = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| fs::write(root.path().join(name), bytes).unwrap();
        write("_headers", b"/*\n  x: \xff\n");
        write("_redirects", b"");
        write("_routes.json", b"{}");
        let extras = Extras::read(root.path()).unwrap();
        assert_eq!(extras.headers.unwrap(), "/*\n  x: \u{fffd}\n".as_bytes());
        assert!(extras.redirects.is_none() && extras.routes.is_none());
        assert_eq!(extras.warnings.len(), 1);

        write("_worker.js", b"export default {}");
        let extras = Extras::read(root.path()).unwrap();
        assert!(extras.worker.is_some() && extras.routes.is_some() && extras.warnings.is_empty());
    }

    #[test]
    fn what_somebody_has_read_is_judged_by_the_same_rules() {
        let file = |name: &str| match name {
            "_headers" => Some(Bytes::from_static(b"/*\n  x: \xff\n")),
            "_redirects" => Some(Bytes::new()),
            "_routes.json" => Some(Bytes::from_static(b"{}")),
            _ => None,
        };
        let extras = Extras::of_read(file);
        assert_eq!(extras.headers.unwrap(), "/*\n  x: \u{fffd}\n".as_bytes());
        assert!(extras.redirects.is_none() && extras.routes.is_none());
        assert_eq!(extras.warnings.len(), 1);
    }

    #[test]
    fn a_worker_of_many_modules_is_refused_and_functions_are_mentioned() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("functions")).unwrap();
        assert!(Extras::read(root.path()).unwrap().warnings[0].contains("wrangler"));
        fs::create_dir(root.path().join("_worker.js")).unwrap();
        assert!(Extras::read(root.path()).unwrap_err().to_string().contains("wrangler"));
    }
}
