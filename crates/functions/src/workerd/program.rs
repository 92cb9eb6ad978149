//! The program: that it runs, and what it can.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use offprint_store::Clock;
use tokio::process::Command;
use tokio::time::timeout;

use super::options::WorkerdError;
use crate::plan::Plan;

/// How long its answers may take on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(30);
/// Asks for a date that no version has, to be told the newest.
const QUESTION: &str = r#"using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (services = [(name = "main", worker = (
  compatibilityDate = "2099-12-31", modules = [(name = "m", esModule = "export default {}")]))]);
"#;
/// What comes before the date in the answer.
const ANSWER: &str = "the newest date supported by this server binary is";

/// A workerd that was tried out.
#[derive(Clone, Debug)]
pub(super) struct Program {
    pub(super) path: PathBuf,
    /// As it says itself: `workerd 2026-11-17`.
    pub(super) version: String,
    /// The newest compatibility date that it knows.
    newest_date: String,
}

/// The date that a deployment runs with.
pub(super) struct CompatibilityDate {
    pub(super) date: String,
    /// For the deployment's log, when it is not the one that was asked for.
    pub(super) warning: Option<String>,
}

impl Program {
    /// Runs the program.
    ///
    /// # Errors
    /// `Unusable` with what it said.
    pub(super) async fn try_out(path: &Path, scratch: &Path) -> Result<Self, WorkerdError> {
        let version = run(path, &["--version".as_ref()]).await?.trim().to_owned();
        let question = scratch.join("question.capnp");
        let io = |source| WorkerdError::Io { doing: format!("cannot write {}", question.display()), source };
        std::fs::write(&question, QUESTION).map_err(io)?;
        let answer = run(path, &["serve".as_ref(), question.as_ref()]).await?;
        let newest_date = date_in(&answer, ANSWER).or_else(|| date_in(&version, "workerd"));
        let newest_date = newest_date.ok_or_else(|| {
            WorkerdError::Unusable(format!("{} does not answer as workerd does: {answer}", path.display()))
        })?;
        Ok(Self { path: path.to_owned(), version, newest_date })
    }

    /// The date that a plan runs with: a later one than today's, or than the program knows, would keep it from
    /// starting.
    pub(super) fn compatibility_date(&self, plan: &Plan) -> CompatibilityDate {
        let newest = self.newest_date.clone().min(Clock::today());
        if plan.newest_date {
            return CompatibilityDate { date: newest, warning: None };
        }
        let wanted = &plan.compatibility_date;
        if *wanted <= newest {
            return CompatibilityDate { date: wanted.clone(), warning: None };
        }
        // A project's settings begin with the day it was made, which nobody has chosen.
        let warning = plan.has_chosen_date.then(|| {
            let version = &self.version;
            format!("The compatibility date {wanted} is newer than this server's {version} supports; {newest} is used.")
        });
        CompatibilityDate { date: newest, warning }
    }
}

/// What the program prints.
async fn run(path: &Path, args: &[&std::ffi::OsStr]) -> Result<String, WorkerdError> {
    let unusable = |why: String| WorkerdError::Unusable(format!("{}: {why}", path.display()));
    let mut command = Command::new(path);
    command.args(args).env_clear().stdin(Stdio::null()).kill_on_drop(true);
    let output = timeout(PATIENCE, command.output()).await;
    let output = output.map_err(|_| unusable("it does not answer".into()))?;
    let output = output.map_err(|error| unusable(error.to_string()))?;
    let text = [output.stdout, output.stderr].concat();
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// The date behind some words.
fn date_in(text: &str, words: &str) -> Option<String> {
    let (_, behind) = text.split_once(words)?;
    let date: String = behind
        .trim_start_matches([' ', '"', '\\'])
        .chars()
        .take_while(|c| matches!(c, '0'..='9' | '-'))
        .collect();
    (date.len() == "2026-01-01".len()).then_some(date)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_date_is_read_from_what_the_program_says() {
        let said = "service main: This Worker requires compatibility date \"2099-12-31\", but the newest date \
                    supported by this server binary is \"2026-11-24\".";
        assert_eq!(date_in(said, ANSWER).as_deref(), Some("2026-11-24"));
        assert_eq!(date_in("workerd 2026-11-17\n", "workerd").as_deref(), Some("2026-11-17"));
        assert_eq!(date_in("workerd: not found", "workerd"), None);
    }
}
