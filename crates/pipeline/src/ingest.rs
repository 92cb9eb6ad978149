//! Takes what a build has left into the store, by the rules of an upload.
//!
//! The assets are found and hashed as `offprint deploy` does it. What the account has already is not read a second
//! time. The build is hostile: a link that leads out of the repository would publish a file of the server, a pipe
//! would block us, a rule file without end would fill the memory. Each fails the deployment.

use std::collections::HashSet;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use offprint_client::deploy::{DeployError, DeployOptions, Extras, LocalAsset, assets_of};
use offprint_model::asset::{AssetKey, AssetPath, KeyHasher};
use offprint_model::content_type;
use offprint_store::{NewContent, ProjectScope, Store, StoreError, Upload, WorkerKind};
use offprint_wire::routes_json;

use crate::compiled::Compiled;
use crate::files::Files;
use crate::workspace::Folder;

/// `_redirects` with the most rules of the longest kind has 4.2 MB.
const RULES_BYTES_MAX: u64 = 5 << 20;
const ROUTES_BYTES_MAX: u64 = 64 << 10;
/// So many assets or bytes are stored together.
const BATCH_ASSETS: usize = 500;
const BATCH_BYTES: u64 = 16 << 20;

/// How much one site may hold. The same limits hold for uploads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SiteLimits {
    /// Bytes of one asset.
    pub file_bytes_max: u64,
    /// Assets.
    pub files_max: usize,
    /// Bytes of `_worker.js`.
    pub worker_bytes_max: u64,
}

/// A site whose assets are stored.
pub(crate) struct Ingested {
    /// To be attached to the deployment.
    pub(crate) content: NewContent,
    /// What its author should know.
    pub(crate) notes: Vec<String>,
    /// How many of the assets were new to the account.
    pub(crate) stored: usize,
}

/// Stores the assets of an output directory, and puts the compiled Functions beside them. The inner error is the author's, and says what to do.
///
/// # Errors
/// The store failed.
pub(crate) async fn ingest(
    store: &Store,
    scope: &ProjectScope,
    output: &Folder,
    compiled: Option<Compiled>,
    limits: SiteLimits,
) -> Result<Result<Ingested, String>, StoreError> {
    let (folder, has_bundle) = (output.clone(), compiled.is_some());
    let (assets, extras) = match blocking(move || scan(&folder, has_bundle, limits)).await {
        Ok(scanned) => scanned,
        Err(why) => return Ok(Err(why)),
    };
    let account = scope.account_scope();
    let mut seen = HashSet::new();
    let unique: Vec<&LocalAsset> = assets.iter().filter(|asset| seen.insert(asset.key.as_str())).collect();
    let keys: Vec<AssetKey> = unique.iter().map(|asset| asset.key.clone()).collect();
    let missing: HashSet<AssetKey> = store.missing_keys(&account, &keys).await?.into_iter().collect();
    let new: Vec<LocalAsset> =
        unique.into_iter().filter(|asset| missing.contains(&asset.key)).cloned().collect();
    for batch in batches(&new, |asset| asset.size) {
        let (batch, folder) = (batch.to_vec(), output.clone());
        match blocking(move || read_batch(&folder, &batch)).await {
            Ok(uploads) => store.put_assets(&account, uploads).await.map(drop)?,
            Err(why) => return Ok(Err(why)),
        }
    }
    let (notes, stored) = (extras.warnings.clone(), new.len());
    let assets = assets.into_iter().map(|asset| (asset.path, asset.key)).collect();
    Ok(Ok(Ingested { content: content(assets, extras, compiled), notes, stored }))
}

/// Finds and hashes the assets, and reads the rules and, where there is no bundle of it, the Worker.
fn scan(output: &Folder, has_bundle: bool, limits: SiteLimits) -> Result<(Vec<LocalAsset>, Extras), String> {
    check_extra(output, "_headers", RULES_BYTES_MAX)?;
    check_extra(output, "_redirects", RULES_BYTES_MAX)?;
    check_extra(output, "_routes.json", ROUTES_BYTES_MAX)?;
    if !has_bundle {
        check_extra(output, "_worker.js", limits.worker_bytes_max)?;
    }
    let options = DeployOptions {
        within: Some(output.workspace().to_owned()),
        file_bytes_max: limits.file_bytes_max,
        ..DeployOptions::new(output.path())
    };
    let extras = if has_bundle { Extras::beside_bundle } else { Extras::of_site };
    let extras = extras(output.path()).map_err(|error| told(output, &error))?;
    check_text(&extras)?;
    let assets = assets_of(&options, limits.files_max, &(Arc::new(|_| {}) as _))
        .map_err(|error| told(output, &error))?;
    if assets.is_empty() && extras.worker.is_none() && !has_bundle {
        let place = shown(output);
        return Err(format!(
            "{place} holds nothing to deploy. Does the build write the site somewhere else?"
        ));
    }
    Ok((assets, extras))
}

/// A file beside the assets is one, lies in the repository, and is no longer than this.
fn check_extra(output: &Folder, name: &str, bytes_max: u64) -> Result<(), String> {
    let path = output.path().join(name);
    let real = match fs::canonicalize(&path) {
        Ok(real) => real,
        Err(error) if error.kind() == ErrorKind::NotFound && fs::symlink_metadata(&path).is_err() => {
            return Ok(());
        }
        Err(_) => return Err(format!("{name} is a link that leads nowhere. Put the file itself there.")),
    };
    if !real.starts_with(output.workspace()) {
        let whole = output.words().whole;
        return Err(format!("{name} is a link that leads out of the {whole}. Put the file itself there."));
    }
    match fs::metadata(&real) {
        // A Worker of several modules; whoever reads it says what to do.
        Ok(found) if found.is_dir() && name == "_worker.js" => Ok(()),
        Ok(found) if !found.is_file() => Err(format!("{name} is no file. Remove or rename it.")),
        Ok(found) if found.len() > bytes_max => {
            Err(format!("{name} has {} bytes, and {bytes_max} are allowed.", found.len()))
        }
        Ok(_) => Ok(()),
        Err(error) => Err(format!("{name} cannot be read: {error}.")),
    }
}

/// What the deployment call would refuse.
pub(crate) fn check_text(extras: &Extras) -> Result<(), String> {
    if extras.worker.as_ref().is_some_and(|worker| std::str::from_utf8(worker).is_err()) {
        return Err("_worker.js must be valid UTF-8.".to_owned());
    }
    let Some(routes) = &extras.routes else { return Ok(()) };
    let text = std::str::from_utf8(routes).map_err(|_| "_routes.json must be valid UTF-8.".to_owned())?;
    routes_json::check(text).map_err(|error| format!("The _routes.json is not valid: {error}."))
}

/// Reads assets and checks that they are still what was hashed.
fn read_batch(output: &Folder, batch: &[LocalAsset]) -> Result<Vec<Upload>, String> {
    let read = |asset: &LocalAsset| {
        let file = asset.file(output.path());
        let bytes = fs::read(&file).map_err(|error| format!("{} cannot be read: {error}.", asset.path))?;
        let key_hasher = KeyHasher::of_bytes(&bytes);
        if key_hasher.key(asset.path.extension()) != asset.key {
            return Err(format!("{} changed while it was deployed. Deploy again.", asset.path));
        }
        let content_type = content_type::of_path(asset.path.as_str()).to_owned();
        Ok(Upload { key: asset.key.clone(), bytes: Bytes::from(bytes), content_type, key_hasher })
    };
    batch.iter().map(read).collect()
}

/// Things of these sizes in groups that fit into memory together.
pub(crate) fn batches<T>(all: &[T], size: impl Fn(&T) -> u64) -> Vec<&[T]> {
    let (mut batches, mut begin, mut bytes) = (Vec::new(), 0, 0_u64);
    for (at, one) in all.iter().enumerate() {
        if at > begin && (bytes + size(one) > BATCH_BYTES || at - begin == BATCH_ASSETS) {
            batches.push(&all[begin..at]);
            (begin, bytes) = (at, 0);
        }
        bytes += size(one);
    }
    batches.extend(Some(&all[begin..]).filter(|rest| !rest.is_empty()));
    batches
}

/// What a site with these files makes.
pub(crate) fn content(
    assets: Vec<(AssetPath, AssetKey)>,
    extras: Extras,
    compiled: Option<Compiled>,
) -> NewContent {
    let text = |bytes: Option<Bytes>| bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let content = NewContent {
        assets,
        headers: text(extras.headers),
        redirects: text(extras.redirects),
        routes: text(extras.routes),
        worker: extras.worker.map(|script| (WorkerKind::Script, script)),
        functions_routing: None,
        configuration: None,
    };
    match compiled {
        None => content,
        Some(compiled) => NewContent {
            // A site's own routes go before those that were made from its files.
            routes: content.routes.or(compiled.routes),
            worker: Some((WorkerKind::Bundle, compiled.bundle)),
            functions_routing: compiled.routing,
            configuration: compiled.configuration,
            ..content
        },
    }
}

/// The error in words for the author, who does not know where on the server his source lies, and who may not have it in a
/// repository.
fn told(output: &Folder, error: &DeployError) -> String {
    let text = match error {
        DeployError::Io { source, .. } => format!("{error}: {source}"),
        other => other.to_string(),
    };
    let whole = format!("the {}", output.words().whole);
    let sentence = text.replace(&format!("{}/", output.workspace().display()), "");
    let sentence = sentence.replace(&output.workspace().display().to_string(), &whole);
    let sentence = sentence.replace("out of the repository", &format!("out of {whole}"));
    let end = if sentence.ends_with('.') { "" } else { "." };
    let mut chars = sentence.chars();
    let first = chars.next().map(|char| char.to_ascii_uppercase()).into_iter().collect::<String>();
    // A file name keeps its letters.
    if sentence.starts_with("cannot") { format!("{first}{}{end}", chars.as_str()) } else { sentence + end }
}

/// A directory as its author knows it.
pub(crate) fn shown(folder: &impl Files) -> String {
    let path = folder.place();
    if path == Path::new("") {
        format!("The {}", folder.words().whole)
    } else {
        format!("The directory {}", path.display())
    }
}

/// Runs work that reads files on a thread for that.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    const LIMITS: SiteLimits = SiteLimits { file_bytes_max: 100, files_max: 5, worker_bytes_max: 50 };

    struct Built(tempfile::TempDir);

    impl Built {
        fn new(files: &[(&str, &str)]) -> Self {
            let root = tempfile::tempdir().unwrap();
            for (name, text) in files {
                let path = root.path().join("repository/dist").join(name);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            fs::write(root.path().join("secret"), "s").unwrap();
            Self(root)
        }

        fn dist(&self) -> std::path::PathBuf {
            self.0.path().join("repository/dist")
        }

        fn scan(&self) -> Result<(Vec<LocalAsset>, Extras), String> {
            scan(&Folder::open(&self.0.path().join("repository"), "dist").unwrap(), false, LIMITS)
        }

        fn refusal(&self) -> String {
            self.scan().unwrap_err()
        }
    }

    #[test]
    fn a_site_is_found_as_an_upload_would_bring_it() {
        let built =
            Built::new(&[("index.html", "<h1>hi</h1>"), ("_headers", "/*\n  a: b\n"), ("a/b.css", "")]);
        symlink("../index.html", built.dist().join("a/c.html")).unwrap();
        let (assets, extras) = built.scan().unwrap();
        let paths: Vec<&str> = assets.iter().map(|asset| asset.path.as_str()).collect();
        assert_eq!(paths, ["/a/b.css", "/a/c.html", "/index.html"]);
        assert_eq!(assets[2].key.as_str(), "e5e943f01929441dfbb0d4956a759fda");
        let content = content(Vec::new(), extras, None);
        assert_eq!(content.headers.as_deref(), Some("/*\n  a: b\n"));
    }

    #[test]
    fn links_out_of_the_repository_fail_the_deployment() {
        for name in ["key.txt", "_headers", "_redirects", "_worker.js", "deep/key.txt"] {
            let built = Built::new(&[("index.html", ""), ("deep/x", "")]);
            symlink(built.0.path().join("secret"), built.dist().join(name)).unwrap();
            let refusal = built.refusal();
            assert!(refusal.contains(name) && refusal.contains("leads out of the repository"), "{refusal}");
            assert!(!refusal.contains(built.0.path().to_str().unwrap()), "{refusal}");
        }
        let built = Built::new(&[("index.html", "")]);
        symlink(built.0.path(), built.dist().join("all")).unwrap();
        assert!(built.refusal().contains("dist/all is a link that leads out of the repository"));
    }

    #[test]
    fn what_is_too_much_is_named() {
        let long = "x".repeat(101);
        assert!(
            Built::new(&[("big.js", &long)])
                .refusal()
                .starts_with("dist/big.js has 101 bytes, 100 are allowed")
        );
        let many: Vec<(String, &str)> = (0..6).map(|n| (format!("{n}.txt"), "")).collect();
        let many: Vec<(&str, &str)> = many.iter().map(|(name, text)| (name.as_str(), *text)).collect();
        assert!(Built::new(&many).refusal().contains("6 files"));
        let worker = Built::new(&[("_worker.js", &long)]);
        assert_eq!(worker.refusal(), "_worker.js has 101 bytes, and 50 are allowed.");
    }

    #[test]
    fn what_is_no_site_is_refused() {
        let empty = Built::new(&[("_headers", "x")]);
        assert!(empty.refusal().starts_with("The directory dist holds nothing to deploy."));
        let routes = Built::new(&[("_worker.js", "export default {}"), ("_routes.json", "{}")]);
        assert!(routes.refusal().starts_with("The _routes.json is not valid"));
        let pipe = Built::new(&[("index.html", "")]);
        nix::unistd::mkfifo(&pipe.dist().join("_redirects"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(pipe.refusal(), "_redirects is no file. Remove or rename it.");
        fs::remove_file(pipe.dist().join("_redirects")).unwrap();
        nix::unistd::mkfifo(&pipe.dist().join("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(pipe.refusal().starts_with("dist/pipe is neither a file nor a directory"));
    }

    #[test]
    fn batches_are_bounded() {
        let asset = |size: u64| LocalAsset {
            path: AssetPath::parse("a").unwrap(),
            key: AssetKey::parse("k").unwrap(),
            size,
        };
        let sizes = |sizes: &[u64]| {
            let assets: Vec<LocalAsset> = sizes.iter().map(|size| asset(*size)).collect();
            batches(&assets, |asset| asset.size).iter().map(|batch| batch.len()).collect::<Vec<_>>()
        };
        assert_eq!(sizes(&[]), Vec::<usize>::new());
        assert_eq!(sizes(&[BATCH_BYTES + 1, 1, BATCH_BYTES, 1]), [1, 1, 1, 1]);
        assert_eq!(sizes(&[1; 1100]), [500, 500, 100]);
    }
}
