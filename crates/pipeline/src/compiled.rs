//! What wrangler makes of the Functions of a site: the parts that a direct upload would bring.

use bytes::Bytes;
use offprint_model::config::EnvironmentConfig;
use offprint_store::UploadedConfiguration;
use offprint_wire::{worker_bundle, worker_configuration};
use serde::Deserialize;

use crate::files::Files;
use crate::workspace::Folder;

/// The names of the parts, in uploads and here.
pub(crate) const BUNDLE: &str = "_worker.bundle";
pub(crate) const ROUTES: &str = "_routes.json";
pub(crate) const ROUTING: &str = "functions-filepath-routing-config.json";
/// What wrangler says of the configuration that it has read.
pub(crate) const METADATA: &str = "metadata.json";

/// Far more than wrangler writes.
const SMALL_BYTES_MAX: u64 = 4 << 20;

/// The Functions of a site, compiled.
pub(crate) struct Compiled {
    /// `_worker.bundle`.
    pub(crate) bundle: Bytes,
    /// The `_routes.json` that wrangler has made; a site may have its own.
    pub(crate) routes: Option<String>,
    /// `functions-filepath-routing-config.json`.
    pub(crate) routing: Option<Bytes>,
    /// The settings of the Wrangler file, where the site has one.
    pub(crate) configuration: Option<UploadedConfiguration>,
}

#[derive(Deserialize)]
struct Metadata {
    wrangler_config_hash: String,
    build_output_directory: Option<String>,
}

impl Compiled {
    /// Reads what wrangler has left in a directory. `current` are the settings of the environment that a Wrangler file
    /// replaces. The error is for the author.
    pub(crate) fn read(
        folder: &Folder,
        bundle_bytes_max: u64,
        current: &EnvironmentConfig,
    ) -> Result<Self, String> {
        let bundle = folder.bytes(BUNDLE, bundle_bytes_max).ok_or_else(|| {
            format!("The compiled Functions have more than the {bundle_bytes_max} bytes that are allowed.")
        })?;
        let metadata = worker_bundle::read(&bundle).map_err(|error| error.to_string())?.metadata;
        let configuration = folder.text(METADATA, SMALL_BYTES_MAX).map(|text| {
            let said: Metadata = serde_json::from_str(&text)
                .map_err(|error| format!("wrangler's word on the Wrangler file cannot be read: {error}."))?;
            let patch = worker_configuration::patch(&said.wrangler_config_hash, Some(&metadata), current);
            let (hash, destination_dir) = (said.wrangler_config_hash, said.build_output_directory);
            Ok::<_, String>(UploadedConfiguration { hash, destination_dir, patch })
        });
        Ok(Self {
            routes: folder.text(ROUTES, SMALL_BYTES_MAX),
            routing: folder.bytes(ROUTING, SMALL_BYTES_MAX).map(Bytes::from),
            configuration: configuration.transpose()?,
            bundle: bundle.into(),
        })
    }
}
