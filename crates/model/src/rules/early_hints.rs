//! Early hints: the `Link` header made from the `<link>` elements of an HTML page.
//!
//! Cloudflare Pages serving rules, "Early Hints". The page is scanned once, when its site is made
//! ready, and never per request.

use url::Url;

use super::html::{Tag, Tags};
use crate::request_path::RequestUrl;

/// What a page asks browsers to fetch early.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EarlyHints {
    links: Vec<HintLink>,
    base: Option<String>,
}

/// One qualifying `<link>` element; the attributes are as written, entities not decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HintLink {
    /// The `href`, neither empty nor `data:`.
    pub href: String,
    /// The whole `rel` attribute.
    pub rel: String,
    /// The `as` attribute.
    pub destination: Option<String>,
}

impl EarlyHints {
    /// Scans a page. Any bytes are a page; most have no hints.
    pub fn scan(html: &[u8]) -> Self {
        let mut hints = Self::default();
        for tag in Tags::new(html).filter(|tag| !tag.is_end) {
            if tag.is("link") {
                hints.links.extend(hint_of(&tag));
            } else if tag.is("base") && hints.base.is_none() {
                hints.base = tag.attribute("href");
            }
        }
        if hints.links.is_empty() {
            hints.base = None;
        }
        hints
    }

    /// True if there is no header to send.
    pub fn is_empty(&self) -> bool {
        self.links.is_empty()
    }

    /// True if the header is the same for every request: no `<base>` to resolve against.
    pub fn is_constant(&self) -> bool {
        self.base.is_none()
    }

    /// The value of the `Link` header for a request, or `None` if there is nothing to send.
    ///
    /// With a `<base href>` each link becomes an absolute URL; links that do not resolve are left out.
    pub fn header(&self, url: &RequestUrl<'_>) -> Option<String> {
        let base = match &self.base {
            Some(href) => Some(url.to_url()?.join(href).ok()?),
            None => None,
        };
        self.render(base.as_ref())
    }

    /// The value of the `Link` header where it is constant.
    pub fn constant_header(&self) -> Option<String> {
        if self.is_constant() { self.render(None) } else { None }
    }

    fn render(&self, base: Option<&Url>) -> Option<String> {
        let mut value = String::new();
        for link in &self.links {
            let href = match base {
                Some(base) => match base.join(&link.href) {
                    Ok(url) => String::from(url),
                    Err(_) => continue,
                },
                None => link.href.clone(),
            };
            if !value.is_empty() {
                value.push_str(", ");
            }
            value.push_str(&format!("<{href}>; rel=\"{}\"", link.rel));
            if let Some(destination) = &link.destination {
                value.push_str("; as=");
                value.push_str(destination);
            }
        }
        (!value.is_empty()).then_some(value)
    }
}

/// A link element qualifies by its `rel`, and only if it has no other attributes than these three:
/// a hint cannot carry `crossorigin` or `type`, and without them the browser would fetch twice.
fn hint_of(tag: &Tag<'_>) -> Option<HintLink> {
    let rel = tag.attribute("rel")?;
    let qualifies = rel.split_ascii_whitespace().any(|word| {
        ["preload", "preconnect", "modulepreload"].iter().any(|known| word.eq_ignore_ascii_case(known))
    });
    if !qualifies || !tag.has_only(&["rel", "as", "href"]) {
        return None;
    }
    let href = tag.attribute("href").filter(|href| !href.is_empty() && !href.starts_with("data:"))?;
    let destination = tag.attribute("as").filter(|destination| !destination.is_empty());
    // A line break in an attribute cannot stand in a header.
    let sendable = |text: &str| !text.contains(char::is_control);
    (sendable(&href) && sendable(&rel) && destination.as_deref().is_none_or(sendable)).then_some(HintLink {
        href,
        rel,
        destination,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request_path::Scheme;

    const URL: RequestUrl<'static> = RequestUrl {
        scheme: Scheme::Https,
        authority: "h.example",
        host: "h.example",
        path: "/dir/page",
        search: "",
    };

    fn header(html: &str) -> String {
        EarlyHints::scan(html.as_bytes()).header(&URL).unwrap_or_default()
    }

    #[test]
    fn qualifying_links_are_sent_in_order() {
        let html = r#"<!doctype html><head><LINK REL=preload HREF=/a.css as="style">
            <link rel="x PreConnect" href='https://f.example'/><link rel="modulepreload" href="/m.js">
            <body><link href="/a.css" rel="preload" as=style>"#;
        assert_eq!(
            header(html),
            "</a.css>; rel=\"preload\"; as=style, <https://f.example>; rel=\"x PreConnect\", \
             </m.js>; rel=\"modulepreload\", </a.css>; rel=\"preload\"; as=style"
        );
    }

    #[test]
    fn what_does_not_qualify_is_left_out() {
        for html in [
            r#"<link rel="stylesheet" href="/a.css">"#,
            r#"<link rel="preload" href="/a.woff2" as="font" crossorigin>"#,
            r#"<link rel="preload" as="style">"#,
            r#"<link rel="preload" href="">"#,
            r#"<link rel="preload" href="data:,x">"#,
            r#"<!-- <link rel="preload" href="/a"> -->"#,
            r#"<script>"<link rel='preload' href='/a'>"</script>"#,
            r#"<noscript><link rel="preload" href="/a"></noscript>"#,
            r#"<title><link rel="preload" href="/a"></title>"#,
            r#"<a title='<link rel="preload" href="/a">'>"#,
            r#"<linkrel rel="preload" href="/a">"#,
            "<link rel=preload href='/a\n'>",
            r#"</link rel="preload" href="/a">"#,
            "<link",
            "<link rel=preload href=/a",
            "<",
            "",
        ] {
            assert_eq!(header(html), "", "{html}");
        }
    }

    #[test]
    fn a_base_makes_links_absolute() {
        let html = r#"<base href="../b/"><base href="/ignored/"><link rel=preload href=x.js as=script>"#;
        assert_eq!(header(html), "<https://h.example/b/x.js>; rel=\"preload\"; as=script");
        assert!(!EarlyHints::scan(html.as_bytes()).is_constant());
    }

    #[test]
    fn entities_stay_as_written() {
        assert_eq!(header("<link rel=preload href='/a?b&amp;c'>"), "</a?b&amp;c>; rel=\"preload\"");
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_a_page(html in "(<link |<!--|-->|<script>|</script|[<>/='\"a-]|\\PC){0,80}") {
            EarlyHints::scan(html.as_bytes()).header(&URL);
        }
    }
}
