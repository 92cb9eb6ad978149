//! The first look at a version that is to be built. One whose files are its site is taken as it is, at once, on every
//! server; one that has a command to run or Functions to be compiled goes on to those who build.

use std::collections::HashMap;

use bytes::Bytes;
use offprint_client::deploy::{Extras, is_no_asset};
use offprint_model::asset::{AssetKey, AssetPath};
use offprint_model::deploy::VersionStep;
use offprint_store::{NewContent, Store, StoreError, VersionLease, Wake};

use crate::files::Files;
use crate::ingest::{check_text, content};
use crate::stages::collect::LOST;
use crate::stages::functions::Source;
use crate::stages::plan::Unbuilt;
use crate::version_files::VersionFolder;

/// What is said of a version that has to be built where nobody builds.
pub(crate) const CANNOT_BUILD: &str = "The version has to be built, and this server does not build: its operator has \
    switched builds off, or it has no bubblewrap (see --builder). Build it elsewhere, and make a version of what comes of \
    it, for an app without a build command.";
const GIVEN_UP: &str =
    "The server could not finish this build; its operator finds the reason in the server's log.";

/// Looks at versions.
pub(crate) struct Collector {
    pub(crate) store: Store,
    pub(crate) wake: Wake,
    /// Whether this server builds.
    pub(crate) builds: bool,
}

/// What a look has shown.
enum Seen {
    /// The files of this directory are the site; what else is to be said.
    Site(VersionFolder, Vec<String>),
    /// Something has to run first.
    Unbuilt,
}

impl Collector {
    /// Takes a version to the end of its build, or hands it on.
    ///
    /// # Errors
    /// A fault of ours, or the lease was lost; a later attempt looks anew.
    pub(crate) async fn run(&self, lease: &VersionLease) -> Result<(), StoreError> {
        let work = self.store.version_work(lease).await?;
        let config = &work.project.build_config;
        let root_dir = config.root_dir.as_deref().unwrap_or_default();
        let Some(whole) = VersionFolder::read(&self.store, work.files, root_dir).await? else {
            return fail(&self.store, lease, LOST).await;
        };
        let seen = Unbuilt::read(&whole, config).and_then(|unbuilt| self.look(&unbuilt));
        match seen {
            Ok(Seen::Site(output, notes)) => self.take(lease, &output, notes).await,
            Ok(Seen::Unbuilt) if self.builds => {
                self.store.hand_to_builders(lease).await?;
                self.wake.pipeline();
                Ok(())
            }
            Ok(Seen::Unbuilt) => fail(&self.store, lease, CANNOT_BUILD).await,
            Err(why) => fail(&self.store, lease, &why).await,
        }
    }

    fn look(&self, unbuilt: &Unbuilt<VersionFolder>) -> Result<Seen, String> {
        if unbuilt.plan.command.is_some() {
            return Ok(Seen::Unbuilt);
        }
        let output = unbuilt.output()?;
        let mut notes = unbuilt.plan.notes.clone();
        match Source::of(&unbuilt.root, &output) {
            None => {}
            Some(Source::Script) if !self.builds => notes.push(
                "Warning: _worker.js is taken as it is, as one module, since this server does not build."
                    .into(),
            ),
            Some(_) => return Ok(Seen::Unbuilt),
        }
        Ok(Seen::Site(output, notes))
    }

    /// Makes the files of a directory the content of the build.
    async fn take(
        &self,
        lease: &VersionLease,
        output: &VersionFolder,
        mut notes: Vec<String>,
    ) -> Result<(), StoreError> {
        self.store.enter_version_step(lease, VersionStep::Collect).await?;
        let Some(extras) = self.extras(output).await? else { return fail(&self.store, lease, LOST).await };
        notes.extend(extras.warnings.iter().map(|warning| format!("Warning: {warning}.")));
        let content = match site(output, extras) {
            Ok(content) => content,
            Err(why) => return fail(&self.store, lease, &why).await,
        };
        notes.push(format!("Collected {} assets.", content.assets.len()));
        let notes: Vec<&str> = notes.iter().map(String::as_str).collect();
        self.store.append_version_log(lease, VersionStep::Collect, &notes).await?;
        match self.store.complete_version(lease, content).await {
            Err(StoreError::MissingAssets { .. } | StoreError::KeyMismatch { .. }) => {
                fail(&self.store, lease, LOST).await
            }
            completed => completed,
        }
    }

    /// Reads what is beside the assets. `None`: the bytes of a file are lost.
    async fn extras(&self, output: &VersionFolder) -> Result<Option<Extras>, StoreError> {
        let mut read: HashMap<&str, Bytes> = HashMap::new();
        for name in ["_headers", "_redirects", "_routes.json", "_worker.js"] {
            let Some(file) = output.file(name) else { continue };
            let Some(bytes) = self.store.source_file(file).await? else { return Ok(None) };
            read.insert(name, bytes);
        }
        Ok(Some(Extras::of_read(|name| read.remove(name))))
    }
}

/// The content that the files of a directory make, by the rules of an upload.
fn site(output: &VersionFolder, extras: Extras) -> Result<NewContent, String> {
    check_text(&extras)?;
    let mut assets: Vec<(AssetPath, AssetKey)> = Vec::new();
    for (path, file) in output.files().filter(|(path, _)| !is_no_asset(path)) {
        let path = AssetPath::parse(path).map_err(|rule| format!("{path} cannot be an asset: {rule}."))?;
        assets.push((path, file.key.clone()));
    }
    if assets.is_empty() && extras.worker.is_none() {
        return Err(format!("The version has no files below /{}.", output.place().display()));
    }
    Ok(content(assets, extras, None))
}

/// Ends the build of a version without success, and says why in its log, too.
///
/// # Errors
/// The store failed, or the lease was lost.
pub(crate) async fn fail(store: &Store, lease: &VersionLease, why: &str) -> Result<(), StoreError> {
    store.enter_version_step(lease, VersionStep::Collect).await?;
    store.append_version_log(lease, VersionStep::Collect, &[&format!("Error: {why}")]).await?;
    store.fail_version(lease, why).await
}

/// Ends the build of a version that we failed to build too often.
///
/// # Errors
/// As [`fail`].
pub(crate) async fn give_up(store: &Store, lease: &VersionLease) -> Result<(), StoreError> {
    fail(store, lease, GIVEN_UP).await
}
