//! Where the programs that Functions need are looked for.

use std::env;

use offprint_functions::tools::Places;

use super::ServeConfig;

/// The name of the server's own folder of tools in its data directory.
const FOLDER: &str = "tools";

/// The places that the settings name, and those that are looked at anyway.
#[expect(clippy::disallowed_methods, reason = "the configuration reads the environment")]
pub(crate) fn tools(config: &ServeConfig) -> Places {
    let path = env::var_os("PATH").unwrap_or_default();
    Places {
        folder: config.data.join(FOLDER),
        workerd: config.functions.workerd.clone(),
        wrangler: config.builds.wrangler.clone(),
        path: env::split_paths(&path).collect(),
    }
}
