//! What a build runs and where it leaves the site: from the project's settings, the repository's Wrangler
//! configuration, and the framework's preset, in this order.

use offprint_model::config::BuildConfig;
use offprint_model::presets::Preset;

use crate::wrangler_file::WranglerFile;

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// For `sh -c`; `None`: nothing is built, the output directory is deployed as it is.
    pub(crate) command: Option<String>,
    /// Relative to the root directory; empty: the root directory itself.
    pub(crate) output: String,
    /// What the author should know of how this came about.
    pub(crate) notes: Vec<String>,
}

/// Decides. The preset counts only where neither a command nor an output directory is set.
pub(crate) fn plan(config: &BuildConfig, wrangler: &WranglerFile, preset: Option<&Preset>) -> Plan {
    let mut notes = Vec::new();
    let command = set(config.build_command.as_deref()).map(str::to_owned);
    let mut output = set(config.destination_dir.as_deref()).map(str::to_owned);
    match wrangler {
        WranglerFile::Silent => {}
        WranglerFile::Output { directory, file } => {
            notes.push(format!("{file} says that the site is in {directory}."));
            output = Some(directory.clone());
        }
        WranglerFile::Broken { file, why } => notes.push(format!("Warning: {file} cannot be read: {why}.")),
    }
    if let (None, None, Some(preset)) = (&command, &output, preset) {
        notes.push(format!(
            "The project sets neither a build command nor an output directory; it looks like {}: building with \
             `{}`, deploying {}.",
            preset.name, preset.command, preset.output
        ));
        return Plan { command: Some(preset.command.to_owned()), output: preset.output.to_owned(), notes };
    }
    if command.is_none() {
        notes.push("No build command is set: nothing is built.".to_owned());
    } else if output.is_none() {
        notes.push(
            "Warning: no output directory is set (destination_dir), so the whole root directory is deployed."
                .to_owned(),
        );
    }
    let output = output.unwrap_or_default();
    Plan { command, output: output.trim_matches('/').to_owned(), notes }
}

/// A setting that says something.
fn set(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use offprint_model::presets::{Contents, detect};

    struct Astro;

    impl Contents for Astro {
        fn depends_on(&self, package: &str) -> bool {
            package == "astro"
        }

        fn text(&self, _: &str) -> Option<String> {
            None
        }
    }

    fn planned(
        command: Option<&str>,
        output: Option<&str>,
        wrangler: Option<&str>,
    ) -> (Option<String>, String) {
        let config = BuildConfig {
            build_command: command.map(str::to_owned),
            destination_dir: output.map(str::to_owned),
            ..BuildConfig::default()
        };
        let wrangler = wrangler.map_or(WranglerFile::Silent, |directory| WranglerFile::Output {
            directory: directory.to_owned(),
            file: "wrangler.toml",
        });
        let plan = plan(&config, &wrangler, detect(&Astro));
        (plan.command, plan.output)
    }

    #[test]
    fn settings_come_before_the_preset_and_the_wrangler_file_before_both() {
        for (command, output, wrangler, expected) in [
            (None, None, None, (Some("npm run build"), "dist")),
            (Some(" "), Some(""), None, (Some("npm run build"), "dist")),
            (Some("make"), None, None, (Some("make"), "")),
            (Some("make"), Some("/out/"), None, (Some("make"), "out")),
            (None, Some("public"), None, (None, "public")),
            (None, Some("/"), None, (None, "")),
            (Some("make"), Some("out"), Some("./site"), (Some("make"), "./site")),
            (None, None, Some("site"), (None, "site")),
        ] {
            let (got, directory) = planned(command, output, wrangler);
            assert_eq!((got.as_deref(), directory.as_str()), expected, "{command:?} {output:?} {wrangler:?}");
        }
    }

    #[test]
    fn without_anything_the_folder_is_deployed() {
        let plan = plan(&BuildConfig::default(), &WranglerFile::Silent, None);
        assert_eq!((plan.command, plan.output.as_str()), (None, ""));
        assert_eq!(plan.notes, ["No build command is set: nothing is built."]);
    }
}
