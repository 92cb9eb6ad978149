//! What the two line-based rule files share: white space, line length, URL validation.

use url::Url;

/// Longest line that is read, in UTF-16 units.
pub(super) const LINE_LENGTH_MAX: usize = 2000;

/// White space as JavaScript's `trim` and `\s` know it: with U+FEFF, without U+0085.
pub(super) fn is_blank(character: char) -> bool {
    character == '\u{FEFF}' || (character.is_whitespace() && character != '\u{85}')
}

/// The line without surrounding blanks, so that CR and a leading byte order mark vanish.
pub(super) fn trim(line: &str) -> &str {
    line.trim_matches(is_blank)
}

/// True for lines that are left out because of their length.
pub(super) fn is_too_long(line: &str) -> bool {
    line.len() > LINE_LENGTH_MAX && line.encode_utf16().count() > LINE_LENGTH_MAX
}

/// The message for a line that is too long.
pub(super) fn too_long_message(line_number: usize) -> String {
    format!("Ignoring line {line_number} as it exceeds the maximum allowed length of {LINE_LENGTH_MAX}.")
}

/// What a URL in a rule file may be.
#[derive(Clone, Copy)]
pub(super) enum UrlPolicy {
    /// Source of a redirect: a path; a missing leading `/` is added.
    RedirectSource,
    /// Target of a redirect: a path or `https://…`; query and fragment count.
    RedirectTarget,
    /// Path of a header rule: a path, or `https://…` without a port.
    HeaderPath,
}

/// Validates a path or `https` URL and normalises its path.
///
/// The path is parsed below a scheme that is not special, so a `\` stays a `\`; the host is kept as
/// it is written, because the URL parser would refuse the placeholders in it.
pub(super) fn validate_url(token: &str, policy: UrlPolicy) -> Result<String, String> {
    let keep_search = matches!(policy, UrlPolicy::RedirectTarget);
    if let Some((host, path)) = split_absolute(token) {
        return match policy {
            UrlPolicy::RedirectSource => {
                Err(format!("Only relative URLs are allowed. Skipping absolute URL {token}."))
            }
            UrlPolicy::HeaderPath if has_port(host) => {
                Err(format!("Specifying ports is not supported. Skipping absolute URL {token}."))
            }
            _ => normalise_path(path, keep_search)
                .map(|path| format!("https://{host}{path}"))
                .ok_or_else(|| unparsable(token)),
        };
    }
    if token.starts_with('/') || matches!(policy, UrlPolicy::RedirectSource) {
        return normalise_path(token, keep_search).ok_or_else(|| unparsable(token));
    }
    Err("URLs should either be relative (e.g. begin with a forward-slash), or use HTTPS \
         (e.g. begin with \"https://\")."
        .to_owned())
}

fn unparsable(token: &str) -> String {
    format!("Error parsing URL segment {token}. Skipping.")
}

/// Splits `https://host/path`; any number of slashes may precede the host.
pub(super) fn split_absolute(token: &str) -> Option<(&str, &str)> {
    let host_and_path = token.strip_prefix("https://")?.trim_start_matches('/');
    if host_and_path.is_empty() {
        return None;
    }
    Some(host_and_path.find('/').map_or((host_and_path, ""), |at| host_and_path.split_at(at)))
}

fn has_port(host: &str) -> bool {
    host.rsplit_once(':')
        .is_some_and(|(_, port)| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()))
}

fn normalise_path(path: &str, keep_search: bool) -> Option<String> {
    let slash = if path.starts_with('/') { "" } else { "/" };
    let url = Url::parse(&format!("relative://{slash}{path}")).ok()?;
    let mut normalised = url.path().to_owned();
    if keep_search {
        if let Some(query) = url.query().filter(|query| !query.is_empty()) {
            normalised.push('?');
            normalised.push_str(query);
        }
        if let Some(fragment) = url.fragment().filter(|fragment| !fragment.is_empty()) {
            normalised.push('#');
            normalised.push_str(fragment);
        }
    }
    Some(normalised)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_are_those_of_javascript() {
        assert_eq!(trim("\u{FEFF} \u{A0}/a\u{2028}\r"), "/a");
        assert_eq!(trim("\u{85}/a"), "\u{85}/a");
    }

    #[test]
    fn paths_keep_their_slashes_and_backslashes() {
        for (path, normal) in [
            ("/a//b\\c", "/a//b\\c"),
            ("//host/x", "//host/x"),
            ("/a/../b?x#y", "/b"),
            ("/%2e%2E/é", "/%C3%A9"),
        ] {
            assert_eq!(normalise_path(path, false).as_deref(), Some(normal), "{path}");
        }
    }
}
