//! How a project and its forge reach one another: the webhook's address and the credentials. An extension of the
//! Pages API. Credentials are written and never read.

use offprint_model::config::Patch;
use offprint_model::secret::Secret;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::json::{Node, Object, Read};
use crate::source::Source;

/// `…/source`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SourceAccess {
    /// The repository, as in the project.
    #[serde(flatten)]
    pub source: Source,
    /// Where the forge sends its webhooks.
    pub webhook_url: String,
    /// The secret with which it signs them, only when it has just been made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_secret: Option<String>,
    /// Whether there is such a secret. Without one, no webhook is believed.
    pub webhook_secret_set: bool,
    /// Whether there is a token for cloning over HTTP and for the forge's API.
    pub token_set: bool,
    /// Whether there is a key for cloning over ssh.
    pub ssh_key_set: bool,
    /// Whether the host keys of the ssh server are known.
    pub known_hosts_set: bool,
}

/// A change to the credentials; `null` removes one.
#[derive(Clone, Default)]
pub struct SourceAccessPatch {
    /// With which the forge signs.
    pub webhook_secret: Patch<Secret<String>>,
    /// For cloning over HTTP and for the forge's API.
    pub token: Patch<Secret<String>>,
    /// A private key.
    pub ssh_key: Patch<Secret<String>>,
    /// Lines of a `known_hosts` file.
    pub known_hosts: Patch<Secret<String>>,
}

const SECRET_BYTES: std::ops::RangeInclusive<usize> = 16..=1024;
const TOKEN_BYTES_MAX: usize = 4096;
const FILE_BYTES_MAX: usize = 64 * 1024;

/// Reads the body of `PATCH …/source`.
///
/// # Errors
/// The member that breaks a rule; the value is not repeated.
pub fn read_patch(body: &[u8]) -> Read<SourceAccessPatch> {
    let value = crate::json::parse(body)?;
    let object = Node::root(&value).object()?;
    Ok(SourceAccessPatch {
        webhook_secret: patch(&object, "webhook_secret", read_secret)?,
        token: patch(&object, "token", read_token)?,
        ssh_key: patch(&object, "ssh_key", read_ssh_key)?,
        known_hosts: patch(&object, "known_hosts", read_file)?,
    })
}

fn patch(
    object: &Object<'_>,
    name: &str,
    read: impl FnOnce(&Node<'_>) -> Read<String>,
) -> Read<Patch<Secret<String>>> {
    object.patch(name, |node| read(node).map(Secret::new))
}

/// It comes back in a header (GitLab's is the secret itself), where only visible characters are safe.
fn read_secret(node: &Node<'_>) -> Read<String> {
    let text = node.str()?;
    let fits = SECRET_BYTES.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    if fits { Ok(text.to_owned()) } else { Err(node.refuse("must have 16 to 1024 visible ASCII characters")) }
}

fn read_token(node: &Node<'_>) -> Read<String> {
    let text = node.str()?;
    let fits = (1..=TOKEN_BYTES_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    if fits { Ok(text.to_owned()) } else { Err(node.refuse("must have 1 to 4096 visible ASCII characters")) }
}

fn read_ssh_key(node: &Node<'_>) -> Read<String> {
    let text = read_file(node)?;
    let is_key = text.starts_with("-----BEGIN ") && text.contains(" PRIVATE KEY-----\n");
    if is_key {
        Ok(text)
    } else {
        Err(node.refuse("must be a private key in PEM form, without a passphrase"))
    }
}

/// A text file, which ends with a line break: ssh takes no other.
fn read_file(node: &Node<'_>) -> Read<String> {
    let text = node.str()?.replace("\r\n", "\n");
    let legal = |c: char| c == '\n' || c == '\t' || !c.is_control();
    if text.trim().is_empty() || text.len() > FILE_BYTES_MAX || !text.chars().all(legal) {
        return Err(node.refuse("must be a text of at most 65536 bytes"));
    }
    Ok(format!("{}\n", text.trim_end_matches('\n')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const KEY: &str = "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----";

    fn read(json: &serde_json::Value) -> Read<SourceAccessPatch> {
        read_patch(json.to_string().as_bytes())
    }

    fn text(patch: &Patch<Secret<String>>) -> Option<&str> {
        match patch {
            Patch::Set(secret) => Some(secret.expose()),
            Patch::Keep | Patch::Clear => None,
        }
    }

    #[test]
    fn credentials_are_set_removed_and_kept_one_by_one() {
        let patch = read(&json!({"token": "ghp_1", "ssh_key": KEY, "known_hosts": null})).ok().unwrap();
        assert_eq!(text(&patch.token), Some("ghp_1"));
        assert_eq!(text(&patch.ssh_key), Some(&*format!("{KEY}\n")));
        assert!(matches!(patch.known_hosts, Patch::Clear) && matches!(patch.webhook_secret, Patch::Keep));
        let windows = read(&json!({"known_hosts": "a ssh-ed25519 A\r\nb ssh-rsa B\r\n"})).ok().unwrap();
        assert_eq!(text(&windows.known_hosts), Some("a ssh-ed25519 A\nb ssh-rsa B\n"));
    }

    #[test]
    fn what_is_no_credential_is_refused_and_not_repeated() {
        for (name, value) in [
            ("token", json!("")),
            ("token", json!("hidden\nvalue")),
            ("token", json!("hidden value")),
            ("token", json!(1)),
            ("webhook_secret", json!("hidden")),
            ("webhook_secret", json!("hidden value with blanks")),
            ("ssh_key", json!("hidden")),
            ("ssh_key", json!("-----BEGIN PUBLIC KEY-----\nhidden")),
            ("known_hosts", json!("hidden\u{0}")),
            ("known_hosts", json!(" \n")),
            ("known_hosts", json!("x".repeat(65537))),
        ] {
            let refused = read(&json!({ name: value })).err().unwrap();
            assert!(refused.path == name && !refused.rule.contains("hidden"), "{refused}");
        }
    }
}
