//! Which tools a build finds on its path, and what is said about them.

use std::path::PathBuf;

use super::{Context, StageError};
use crate::framework::Sources;
use crate::tools::{Choice, Installed, TOOLS, Tool, Wanted, choose, installed_in};

/// The chosen directories, to be put before the path.
#[derive(Debug, Default)]
pub(super) struct Toolchain {
    directories: Vec<PathBuf>,
}

impl Toolchain {
    /// Chooses what the variables and files of a site ask for, and says so.
    pub(super) async fn choose(
        ctx: &Context<'_>,
        sources: &Sources,
        variables: &[(String, String)],
    ) -> Result<Self, StageError> {
        let mut chain = Self::default();
        for tool in &TOOLS {
            let variable = |name: &str| {
                variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
            };
            let wanted = tool.wanted(variable, |name| sources.short_text(name));
            // What nobody asks for is not looked for, but a site of packages should know its Node.js.
            if wanted.is_some() || (tool.program == "node" && sources.has_package()) {
                chain.add(ctx, tool, wanted).await?;
            }
        }
        Ok(chain)
    }

    async fn add(
        &mut self,
        ctx: &Context<'_>,
        tool: &'static Tool,
        wanted: Option<Wanted>,
    ) -> Result<(), StageError> {
        let options = ctx.options();
        let host = ctx.builds.host_tools.installed(tool.program, options, ctx.dirs, ctx.stop).await?;
        let mut installed = installed_in(&options.tools, tool.program);
        installed.extend(host.clone());
        let choice = match &wanted {
            Some(wanted) => choose(&wanted.text, &installed),
            None => host.map_or_else(|| choose("*", &installed), Choice::Fits),
        };
        ctx.log.say(told(tool, wanted.as_ref(), &choice)).await;
        if let Choice::Fits(Installed { bin: Some(bin), .. })
        | Choice::Instead(Installed { bin: Some(bin), .. }) = choice
        {
            self.directories.push(bin);
        }
        Ok(())
    }

    /// Shell text that puts the chosen tools, and what npm and pip install for the build alone, on the path.
    pub(super) fn prelude(&self) -> String {
        let mut path = String::from("$HOME/.tools/bin:$HOME/.python/bin:");
        for directory in &self.directories {
            path.push_str(&format!("{}:", quoted(&directory.display().to_string())));
        }
        format!("PATH=\"{path}$PATH\"; export PATH\n")
    }
}

/// For use between double quotes in the shell.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len());
    for char in text.chars() {
        if matches!(char, '"' | '\\' | '$' | '`') {
            quoted.push('\\');
        }
        quoted.push(char);
    }
    quoted
}

fn told(tool: &Tool, wanted: Option<&Wanted>, choice: &Choice) -> String {
    let name = tool.name;
    match (wanted, choice) {
        (Some(wanted), Choice::Fits(found)) => {
            format!("Using {name} {} ({} asks for {}).", found.version, wanted.by, wanted.text)
        }
        (Some(wanted), Choice::Instead(found)) => format!(
            "Warning: {} asks for {name} {}, which this server does not have; using {}. Its operator can add \
             versions with --build-tools.",
            wanted.by, wanted.text, found.version
        ),
        (Some(wanted), Choice::Absent) => format!(
            "Warning: {} asks for {name} {}, and this server has no {name} at all. Its operator can add it with \
             --build-tools.",
            wanted.by, wanted.text
        ),
        (None, Choice::Fits(found) | Choice::Instead(found)) => format!("Using {name} {}.", found.version),
        (None, Choice::Absent) => format!("Warning: this server has no {name}."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::Version;

    #[test]
    fn the_log_says_which_version_runs_and_which_is_not_there() {
        let wanted = Wanted { text: "22.16.0".into(), by: ".nvmrc" };
        let found = Installed { version: Version::find("20.1.2").unwrap(), bin: None };
        let say = |wanted, choice| told(&TOOLS[0], wanted, &choice);
        assert_eq!(say(None, Choice::Fits(found.clone())), "Using Node.js 20.1.2.");
        assert_eq!(
            say(Some(&wanted), Choice::Fits(found.clone())),
            "Using Node.js 20.1.2 (.nvmrc asks for 22.16.0)."
        );
        let instead = say(Some(&wanted), Choice::Instead(found));
        assert!(
            instead.contains("asks for Node.js 22.16.0") && instead.contains("using 20.1.2"),
            "{instead}"
        );
        assert!(say(Some(&wanted), Choice::Absent).contains("no Node.js at all"));
    }

    #[test]
    fn a_path_with_signs_of_the_shell_stays_a_path() {
        let chain = Toolchain { directories: vec![PathBuf::from("/t/$x \"y\"")] };
        let prelude = chain.prelude();
        assert_eq!(
            prelude,
            "PATH=\"$HOME/.tools/bin:$HOME/.python/bin:/t/\\$x \\\"y\\\":$PATH\"; export PATH\n"
        );
    }
}
