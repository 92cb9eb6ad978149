//! Which requests of a site belong to its Worker.

use offprint_model::rules::routes::{Routes, RoutesSpec};
use serde_json::Value;

/// The Worker's share of a site.
pub(super) enum WorkerRoutes {
    /// There is no Worker; a `_routes.json` without one is ignored.
    None,
    /// Everything: advanced mode without a `_routes.json`.
    All,
    /// What the rules say.
    Rules(Routes),
}

impl WorkerRoutes {
    pub(super) fn of(has_worker: bool, file: Option<&str>) -> Self {
        match file {
            _ if !has_worker => Self::None,
            None => Self::All,
            // An invalid file fails the deployment, so this is damage: the Worker is the safer side,
            // since its checks may guard the assets.
            Some(file) => {
                decode(file).and_then(|spec| Routes::compile(&spec).ok()).map_or(Self::All, Self::Rules)
            }
        }
    }

    pub(super) fn reach(&self, path: &str) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Rules(routes) => routes.reaches_worker(path),
        }
    }
}

fn decode(file: &str) -> Option<RoutesSpec> {
    let json: Value = serde_json::from_str(file).ok()?;
    let list = |key: &str| -> Option<Vec<String>> {
        json.get(key)?.as_array()?.iter().map(|rule| rule.as_str().map(str::to_owned)).collect()
    };
    Some(RoutesSpec {
        version: json.get("version")?.as_u64()?,
        include: list("include")?,
        exclude: list("exclude")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_counts_only_with_a_worker() {
        let file = Some(r#"{"version":1,"include":["/api/*"],"exclude":[]}"#);
        assert!(!WorkerRoutes::of(false, file).reach("/api/x"));
        assert!(WorkerRoutes::of(true, file).reach("/api/x"));
        assert!(!WorkerRoutes::of(true, file).reach("/about"));
        assert!(WorkerRoutes::of(true, None).reach("/about"));
        assert!(WorkerRoutes::of(true, Some("{")).reach("/about"));
    }
}
