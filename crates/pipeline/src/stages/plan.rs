//! What a build runs and where it leaves the site: from the project's settings, the repository's Wrangler
//! configuration, and the framework's preset, in this order.

use offprint_model::config::BuildConfig;
use offprint_model::presets::Preset;

use crate::files::{Files, NoFolder, Words};
use crate::framework::Sources;
use crate::ingest::shown;
use crate::wrangler_file::{self, WranglerFile};

/// So many names are told of a directory in which something was looked for.
const NAMES_TOLD: usize = 20;

/// What is to be built: what its files say of it, and what is to be done.
pub(crate) struct Unbuilt<F> {
    /// The root directory.
    pub(crate) root: F,
    pub(crate) sources: Sources<F>,
    pub(crate) wrangler_file: WranglerFile,
    pub(crate) plan: Plan,
}

impl<F: Files> Unbuilt<F> {
    /// Looks at the root directory. The error is for the author.
    pub(crate) fn read(whole: &F, config: &BuildConfig) -> Result<Self, String> {
        let root_dir = config.root_dir.as_deref().unwrap_or_default();
        let root = whole.folder(root_dir).map_err(|no| no_root(whole, root_dir, &no))?;
        let sources = Sources::read(root.clone());
        let wrangler_file = wrangler_file::read(&root);
        let plan = plan(config, &wrangler_file, sources.preset(), root.words());
        Ok(Self { root, sources, wrangler_file, plan })
    }

    /// The directory that is deployed. The error is for the author.
    pub(crate) fn output(&self) -> Result<F, String> {
        let (root, plan, words) = (&self.root, &self.plan, self.root.words());
        root.folder(&plan.output).map_err(|no| match no {
            NoFolder::Absent => format!(
                "The output directory '{}' is not there{}. {} has: {}. Set {} to where the build leaves the site.",
                plan.output,
                if plan.command.is_some() { " after the build" } else { "" },
                shown(root),
                listed(root),
                words.output
            ),
            NoFolder::Outside => format!(
                "The output directory '{}' leads out of the {whole}. Let the build write into the {whole}.",
                plan.output,
                whole = words.whole
            ),
        })
    }
}

fn no_root(whole: &impl Files, root_dir: &str, no: &NoFolder) -> String {
    let words = whole.words();
    match no {
        NoFolder::Absent => format!(
            "The root directory '{root_dir}' is not in the {}, which has: {}. Set {} to the directory in which the site \
             is built.",
            words.whole,
            listed(whole),
            words.root
        ),
        NoFolder::Outside => format!("The root directory '{root_dir}' leads out of the {}.", words.whole),
    }
}

fn listed(folder: &impl Files) -> String {
    let names = folder.names(NAMES_TOLD + 1);
    match names.len() {
        0 => "nothing".to_owned(),
        count if count > NAMES_TOLD => format!("{}, …", names[..NAMES_TOLD].join(", ")),
        _ => names.join(", "),
    }
}

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
fn plan(config: &BuildConfig, wrangler: &WranglerFile, preset: Option<&Preset>, words: &Words) -> Plan {
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
        notes.push(format!(
            "Warning: no output directory is set ({}), so the whole root directory is deployed.",
            words.output
        ));
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
    use crate::files::REPOSITORY;
    use crate::workspace::Folder;
    use offprint_model::presets::{Contents, detect};
    use std::fs;

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
        let plan = plan(&config, &wrangler, detect(&Astro), &REPOSITORY);
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
        let plan = plan(&BuildConfig::default(), &WranglerFile::Silent, None, &REPOSITORY);
        assert_eq!((plan.command, plan.output.as_str()), (None, ""));
        assert_eq!(plan.notes, ["No build command is set: nothing is built."]);
    }

    #[test]
    fn a_missing_output_directory_is_named_with_what_is_there() {
        let workspace = tempfile::tempdir().unwrap();
        fs::create_dir_all(workspace.path().join("site/build")).unwrap();
        fs::write(workspace.path().join("site/package.json"), "").unwrap();
        let whole = Folder::open(workspace.path(), "").unwrap();
        let output = |root: &str, output: &str| {
            let config = BuildConfig {
                build_command: Some("make".into()),
                destination_dir: Some(output.into()),
                root_dir: Some(root.into()),
                ..BuildConfig::default()
            };
            Unbuilt::read(&whole, &config)?.output().map(drop)
        };
        assert_eq!(output("site", "build"), Ok(()));
        assert_eq!(
            output("site", "dist").unwrap_err(),
            "The output directory 'dist' is not there after the build. The directory site has: build/, package.json. \
             Set destination_dir to where the build leaves the site."
        );
        assert_eq!(
            output("web", "dist").unwrap_err(),
            "The root directory 'web' is not in the repository, which has: site/. Set root_dir to the directory in which \
             the site is built."
        );
        std::os::unix::fs::symlink("/etc", workspace.path().join("site/out")).unwrap();
        assert!(output("site", "out").unwrap_err().contains("leads out of the repository"));
        assert!(output("..", "").unwrap_err().contains("leads out of the repository"));
    }
}
