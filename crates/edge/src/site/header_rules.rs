//! `_headers` rules in the form in which they are applied to answers.

use http::header::{self, Entry};
use http::{HeaderMap, HeaderName, HeaderValue};
use offprint_model::request_path::RequestUrl;
use offprint_model::rules::headers::{self, HeaderAction, HeaderRules, HeaderValueRef};

/// The header rules of a site, with names and constant values ready to send.
pub(crate) struct SiteHeaders {
    rules: HeaderRules,
    /// By number; `None` for what may not or cannot be sent.
    names: Box<[Option<HeaderName>]>,
    values: Box<[Option<HeaderValue>]>,
}

/// These frame the message or belong to the connection. A site that could set them could make one
/// answer look like two to a proxy in front of us.
const RESERVED: [HeaderName; 7] = [
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::CONNECTION,
    header::UPGRADE,
    header::TRAILER,
    header::TE,
    HeaderName::from_static("keep-alive"),
];

impl SiteHeaders {
    /// Parses and compiles a `_headers` file.
    pub(crate) fn compile(file: &str) -> Self {
        let rules = HeaderRules::compile(&headers::parse(file));
        let name = |name: &str| HeaderName::try_from(name).ok().filter(|name| !RESERVED.contains(name));
        Self {
            names: rules.names().map(name).collect(),
            values: rules.settings().iter().map(|set| HeaderValue::from_str(&set.value).ok()).collect(),
            rules,
        }
    }

    /// Applies the rules that match a request to an answer's headers. Says whether there were any.
    pub(crate) fn apply(&self, url: &RequestUrl<'_>, headers: &mut HeaderMap) -> bool {
        let mut is_changed = false;
        self.rules.for_each_change(url.host, url.path, |name, action| {
            let Some(name) = &self.names[name] else { return };
            is_changed = true;
            match action {
                HeaderAction::Remove => {
                    headers.remove(name);
                }
                HeaderAction::Replace(value) => {
                    if let Some(value) = self.value(value) {
                        headers.insert(name, value);
                    }
                }
                HeaderAction::Append(value) => {
                    if let Some(value) = self.value(value) {
                        append(headers, name, value);
                    }
                }
                HeaderAction::AppendLine(value) => {
                    if let Some(value) = self.value(value) {
                        headers.append(name, value);
                    }
                }
            }
        });
        is_changed
    }

    fn value(&self, value: HeaderValueRef) -> Option<HeaderValue> {
        match value {
            HeaderValueRef::Literal(number) => self.values[number].clone(),
            HeaderValueRef::Substituted(text) => HeaderValue::try_from(text).ok(),
        }
    }
}

fn append(headers: &mut HeaderMap, name: &HeaderName, value: HeaderValue) {
    match headers.entry(name) {
        Entry::Occupied(mut present) => {
            let joined = [present.get().as_bytes(), b", ", value.as_bytes()].concat();
            // Two valid values make a valid one.
            if let Ok(joined) = HeaderValue::from_bytes(&joined) {
                present.insert(joined);
            }
        }
        Entry::Vacant(vacant) => {
            vacant.insert(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use offprint_model::request_path::Scheme;

    #[test]
    fn rules_cannot_break_the_framing() {
        let file = "/*\n Content-Length: 1\n Transfer-Encoding: chunked\n ! Connection\n X-A: é\n B d: 1\n X-B: :splat";
        let url = RequestUrl { scheme: Scheme::Https, authority: "h", host: "h", path: "/p", search: "" };
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("5"));
        SiteHeaders::compile(file).apply(&url, &mut headers);
        assert_eq!(headers[header::CONTENT_LENGTH], "5");
        assert_eq!(headers["x-a"].as_bytes(), "é".as_bytes());
        assert_eq!(headers["x-b"], "p");
        assert_eq!(headers.len(), 3);
    }
}
