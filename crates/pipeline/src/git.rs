//! How git reaches a repository: the address, and a home of its own with the credentials.
//!
//! git runs in the sandbox like everything else, since what a server sends it is not to be trusted either. Its
//! settings come from a home that exists for git alone and is gone before the build begins. A token is handed over
//! by a credential helper which answers for the repository's own host only: a submodule or a large-file server
//! elsewhere does not get it. It is in no argument and in no file of the repository.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use offprint_model::secret::Secret;
use offprint_model::source::{CloneScheme, CloneUrl, Source, SourceKind};
use offprint_store::SourceCredentials;

use crate::workspace::make_private;

/// What a git command needs besides its arguments.
pub(crate) struct GitAccess {
    /// The address of the repository.
    pub(crate) url: String,
    /// Variables for git, the token among them.
    pub(crate) env: Vec<(String, String)>,
    /// For a local repository: its directory, or with submodules that of all of them; without links, to be made
    /// visible at the same place.
    pub(crate) local: Option<PathBuf>,
    /// What the author should know.
    pub(crate) warning: Option<&'static str>,
}

/// Why a repository cannot be reached.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GitError {
    /// The project's settings do not lead to one; the text is for their owner.
    #[error("{0}")]
    Author(String),
    /// The home could not be written.
    #[error("cannot prepare a home for git")]
    Io(#[from] io::Error),
}

const HELPER: &str = r#"!f() { test \"$1\" = get && printf 'username=%s\\npassword=%s\\n' \"$OFFPRINT_GIT_USER\" \"$OFFPRINT_GIT_TOKEN\"; }; f"#;
const LFS_FILTER: &str = "[filter \"lfs\"]\n\tclean = git-lfs clean -- %f\n\tsmudge = git-lfs smudge -- %f\n\
    \tprocess = git-lfs filter-process\n\trequired = true\n";
/// `$HOME` and not `~`, which ssh takes from the list of users.
const SSH: &str = r#"ssh -F none -i "$HOME/.ssh/key" -o IdentitiesOnly=yes -o BatchMode=yes -o UserKnownHostsFile="$HOME/.ssh/known_hosts""#;

impl GitAccess {
    /// Fills a home for git and returns what leads to the repository. `local_repositories` is the directory below
    /// which the operator lets repositories of this machine be cloned; `proxy` is what ssh has to run to get out.
    ///
    /// # Errors
    /// The settings lead to no repository that may be reached; the home cannot be written.
    pub(crate) fn prepare(
        home: &Path,
        source: &Source,
        credentials: &SourceCredentials,
        local_repositories: Option<&Path>,
        ssh_proxy: Option<&str>,
    ) -> Result<Self, GitError> {
        let url = source.clone_url().ok_or_else(|| {
            GitError::Author(
                "The project does not say where its repository is cloned from. Set clone_url.".into(),
            )
        })?;
        make_private(home)?;
        let mut access = Self { url: url.as_str().to_owned(), env: base_env(), local: None, warning: None };
        let mut config = String::from(
            "[safe]\n\tdirectory = *\n[advice]\n\tdetachedHead = false\n[init]\n\tdefaultBranch = main\n\
             [gc]\n\tauto = 0\n[core]\n\thooksPath = /dev/null\n[credential]\n\thelper =\n",
        );
        match url.scheme() {
            CloneScheme::Http | CloneScheme::Https => {
                access.give_token(source.kind, &url, credentials, &mut config)
            }
            CloneScheme::Ssh => access.give_key(home, credentials, ssh_proxy)?,
            CloneScheme::Local => {
                let (path, all) = local_repository(&url, local_repositories).map_err(GitError::Author)?;
                access.url = path.display().to_string();
                // Its submodules may be local, too; no more of this machine is visible.
                access.local = Some(if source.submodules { all } else { path });
                config.push_str("[protocol \"file\"]\n\tallow = always\n");
            }
        }
        if source.lfs {
            config.push_str(LFS_FILTER);
        }
        write_private(&home.join(".gitconfig"), &config)?;
        Ok(access)
    }

    fn give_token(
        &mut self,
        kind: SourceKind,
        url: &CloneUrl,
        credentials: &SourceCredentials,
        config: &mut String,
    ) {
        let Some(token) = &credentials.token else { return };
        let (user, password) = login(kind, token);
        self.env.push(("OFFPRINT_GIT_USER".into(), user.to_owned()));
        self.env.push(("OFFPRINT_GIT_TOKEN".into(), password.to_owned()));
        let origin = origin(url.as_str());
        config.push_str(&format!("[credential \"{origin}\"]\n\thelper = \"{HELPER}\"\n"));
    }

    fn give_key(
        &mut self,
        home: &Path,
        credentials: &SourceCredentials,
        ssh_proxy: Option<&str>,
    ) -> Result<(), GitError> {
        let Some(key) = &credentials.ssh_key else {
            return Err(GitError::Author(
                "The repository is reached by SSH, and the project has no key for it. Set its ssh_key."
                    .into(),
            ));
        };
        let directory = home.join(".ssh");
        make_private(&directory)?;
        // ssh refuses a key that lacks its last line break.
        write_private(&directory.join("key"), &format!("{}\n", key.expose().replace('\r', "").trim_end()))?;
        let known = credentials.known_hosts.as_ref().map(|known| known.expose().trim_end().to_owned());
        write_private(
            &directory.join("known_hosts"),
            &known.as_ref().map_or_else(String::new, |k| format!("{k}\n")),
        )?;
        let check = if known.is_some() { "yes" } else { "accept-new" };
        let mut command = format!("{SSH} -o StrictHostKeyChecking={check}");
        if let Some(proxy) = ssh_proxy {
            command.push_str(&format!(" -o ProxyCommand='{proxy}'"));
        }
        self.env.push(("GIT_SSH_COMMAND".into(), command));
        if known.is_none() {
            self.warning = Some(
                "Warning: the project has no known_hosts, so nobody checks that the repository's server is the right one.",
            );
        }
        Ok(())
    }
}

fn base_env() -> Vec<(String, String)> {
    let set = [("GIT_TERMINAL_PROMPT", "0"), ("GIT_CONFIG_NOSYSTEM", "1"), ("LC_ALL", "C.UTF-8")];
    set.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The user name that a forge expects beside a token. A plain server may want a name of its own: `name:token`.
fn login(kind: SourceKind, token: &Secret<String>) -> (&str, &str) {
    let token = token.expose();
    match kind {
        SourceKind::Github => ("x-access-token", token),
        SourceKind::Gitlab => ("oauth2", token),
        SourceKind::Forgejo | SourceKind::Gitea => ("oauth2", token),
        SourceKind::Git => token.split_once(':').unwrap_or(("git", token)),
    }
}

/// Scheme, host and port of an HTTP address.
fn origin(url: &str) -> &str {
    let host = url.find("://").map_or(0, |at| at + 3);
    let end = url[host..].find('/').map_or(url.len(), |at| host + at);
    &url[..end]
}

/// The directory of a local repository, if the operator allows it, and that of all which he allows.
fn local_repository(url: &CloneUrl, allowed: Option<&Path>) -> Result<(PathBuf, PathBuf), String> {
    let refused = || {
        "The repository is a directory of the server, and its operator does not allow that for this place \
         (--local-repositories)."
            .to_owned()
    };
    let allowed = allowed.and_then(|allowed| fs::canonicalize(allowed).ok()).ok_or_else(refused)?;
    let path = fs::canonicalize(url.local_path().unwrap_or_default()).map_err(|_| refused())?;
    if path.starts_with(&allowed) && path != allowed { Ok((path, allowed)) } else { Err(refused()) }
}

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn source(kind: SourceKind, url: &str) -> Source {
        Source { clone_url: Some(CloneUrl::parse(url).unwrap()), ..Source::new(kind, "owner", "repository") }
    }

    fn secret(text: &str) -> Option<Secret<String>> {
        Some(Secret::new(text.to_owned()))
    }

    /// What git itself makes of the home: the credentials that it would use for an address.
    fn asked(home: &Path, env: &[(String, String)], address: &str) -> String {
        let mut ask = Command::new("git");
        ask.args(["credential", "fill"]).env("HOME", home).envs(env.iter().cloned());
        ask.env("GIT_ASKPASS", "true")
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped());
        let mut child = ask.spawn().unwrap();
        let (protocol, host) = address.split_once("://").unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(format!("protocol={protocol}\nhost={host}\n\n").as_bytes())
            .unwrap();
        String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
    }

    #[test]
    fn a_token_is_for_the_repositorys_own_host_only() {
        let home = tempfile::tempdir().unwrap();
        let credentials = SourceCredentials { token: secret("t0k\"en $x"), ..SourceCredentials::default() };
        let source = source(SourceKind::Github, "https://git.example.com:8443/a/b.git");
        let access = GitAccess::prepare(home.path(), &source, &credentials, None, None).unwrap();
        let own = asked(home.path(), &access.env, "https://git.example.com:8443");
        assert!(own.contains("username=x-access-token\npassword=t0k\"en $x\n"), "{own}");
        for other in
            ["https://git.example.com", "https://elsewhere.example.com", "http://git.example.com:8443"]
        {
            let answer = asked(home.path(), &access.env, other);
            assert!(!answer.contains("t0k"), "{other}: {answer}");
        }
        let config = fs::read_to_string(home.path().join(".gitconfig")).unwrap();
        assert!(!config.contains("t0k") && !access.url.contains("t0k"));
    }

    #[test]
    fn a_plain_server_may_want_a_name() {
        assert_eq!(login(SourceKind::Git, &Secret::new("me:tok".into())), ("me", "tok"));
        assert_eq!(login(SourceKind::Git, &Secret::new("tok".into())), ("git", "tok"));
    }

    #[test]
    fn a_key_is_written_for_git_alone() {
        let home = tempfile::tempdir().unwrap();
        let source = source(SourceKind::Git, "git@git.example.com:a/b.git");
        let none = GitAccess::prepare(home.path(), &source, &SourceCredentials::default(), None, None);
        assert!(none.err().unwrap().to_string().contains("ssh_key"));
        let credentials = SourceCredentials { ssh_key: secret("KEY\r\nEND"), ..SourceCredentials::default() };
        let access =
            GitAccess::prepare(home.path(), &source, &credentials, None, Some("relay %h %p")).unwrap();
        assert_eq!(fs::read_to_string(home.path().join(".ssh/key")).unwrap(), "KEY\nEND\n");
        assert!(access.warning.is_some());
        let (_, command) = access.env.iter().find(|(name, _)| name == "GIT_SSH_COMMAND").unwrap();
        assert!(
            command.contains("accept-new") && command.contains("ProxyCommand='relay %h %p'"),
            "{command}"
        );
    }

    #[test]
    fn local_repositories_are_the_operators_choice() {
        let root = tempfile::tempdir().unwrap();
        let allowed = root.path().join("allowed");
        fs::create_dir_all(allowed.join("site.git")).unwrap();
        fs::create_dir_all(root.path().join("other.git")).unwrap();
        std::os::unix::fs::symlink(root.path().join("other.git"), allowed.join("link.git")).unwrap();
        let url = |name: &str| CloneUrl::parse(root.path().join(name).to_str().unwrap()).unwrap();
        assert!(local_repository(&url("allowed/site.git"), Some(&allowed)).is_ok());
        for (name, allowed) in [
            ("other.git", Some(allowed.as_path())),
            ("allowed/link.git", Some(&allowed)),
            ("allowed/absent.git", Some(&allowed)),
            ("allowed/site.git", None),
        ] {
            assert!(
                local_repository(&url(name), allowed).unwrap_err().contains("--local-repositories"),
                "{name}"
            );
        }
    }
}
