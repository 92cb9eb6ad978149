//! `offprint runtime`: installing and finding what Functions need.

use std::fs;

use super::{Said, Shell};
use crate::support::Peers;

/// A shell whose npm keeps what it fetches for the next test; its data directory is `data`.
fn shell() -> Option<Shell> {
    let cache = Peers::find()?.npm_cache();
    let shell = Shell::new().with("npm_config_cache", cache.to_str().unwrap());
    Some(shell.with("npm_config_prefer_offline", "true").with("OFFPRINT_DATA", "data"))
}

fn row<'s>(said: &'s Said, program: &str) -> &'s str {
    said.out.lines().find(|line| line.starts_with(program)).unwrap_or_default()
}

#[tokio::test]
async fn both_programs_are_installed_once_and_found_from_then_on() {
    let Some(shell) = shell() else { return };
    let before = shell.fails(&["runtime", "status"]).await;
    before.says("is not installed; `offprint runtime install` installs it");
    let installed = shell.run(&["runtime", "install"]).await;
    installed.says("Installed workerd 2026-11-17 and wrangler 4.86.0 in data/tools/runtime-");
    let again = shell.run(&["runtime", "install"]).await;
    again.says("Nothing to do: there are workerd 2026-11-17 and wrangler 4.86.0 in data/tools/runtime-");
    let status = shell.run(&["runtime", "status"]).await;
    for (program, version) in [("workerd", "2026-11-17"), ("wrangler", "4.86.0")] {
        let row = row(&status, program);
        assert!(
            row.contains(version) && row.contains("installed") && row.contains("/data/tools/"),
            "{}",
            status.out
        );
    }
    if std::path::Path::new("/usr/bin/bwrap").exists() {
        let row = row(&status, "bubblewrap");
        assert!(row.contains("works") && row.contains("/usr/bin/bwrap"), "{}", status.out);
    }
    let json = shell.run(&["runtime", "status", "--json"]).await.json();
    let program = json[0]["path"].as_str().unwrap();
    assert!(!fs::read(program).unwrap().starts_with(b"#!"), "{program} is a script");

    // One that is damaged is replaced.
    fs::write(program, "damaged").unwrap();
    shell.fails(&["runtime", "status"]).await.says("cannot be used");
    shell.run(&["runtime", "install"]).await.says("Installed workerd");
    shell.run(&["runtime", "status"]).await;
    let left = fs::read_dir(shell.path().join("data/tools")).unwrap().count();
    assert_eq!(left, 2, "the installation and the file that guards it");
}

#[tokio::test]
async fn without_npm_it_says_what_to_do() {
    let shell = Shell::new().with("PATH", "/nowhere").with("OFFPRINT_DATA", "data");
    shell.fails(&["runtime", "install"]).await.says("npm is not on the PATH").says("--workerd");
    assert_eq!(fs::read_dir(shell.path().join("data/tools")).unwrap().count(), 1);
    let status = shell.fails(&["runtime", "status", "--config", "own.toml"]).await;
    status.says("cannot read the configuration file own.toml");
    shell.home.write("own.toml", "wrangler = 'elsewhere/wrangler'\n");
    let status = shell.fails(&["runtime", "status", "--config", "own.toml"]).await;
    status.says("workerd is not installed");
}
