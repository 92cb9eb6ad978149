//! Content types: what an uploading client claims for a file name, and how it is sent.
//!
//! Cloudflare Pages serving rules, "Content types". The table is the `mime` 3 database which every
//! Pages client uses; it lives in `content_types.tsv`, sorted by extension. Content is never sniffed.

use std::borrow::Cow;
use std::sync::LazyLock;

/// The type of names without an extension and of extensions nobody knows.
pub const OCTET_STREAM: &str = "application/octet-stream";

static TABLE: LazyLock<Vec<(&str, &str)>> = LazyLock::new(|| {
    include_str!("content_types.tsv").lines().filter_map(|line| line.split_once('\t')).collect()
});

/// The content type of a path, by the extension of its last segment; letter case is ignored.
pub fn of_path(path: &str) -> &'static str {
    extension(path).and_then(of_extension).unwrap_or(OCTET_STREAM)
}

/// The content type of an extension (without its dot), if the table knows it.
pub fn of_extension(extension: &str) -> Option<&'static str> {
    let lower: Cow<'_, str> = if extension.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(extension.to_ascii_lowercase())
    } else {
        Cow::Borrowed(extension)
    };
    let at = TABLE.binary_search_by(|(known, _)| (*known).cmp(&lower)).ok()?;
    Some(TABLE[at].1)
}

/// Every extension which the table maps to this type, in alphabetical order.
///
/// An asset key covers the file's extension, which an upload does not carry: the verifier tries these.
pub fn extensions_of(content_type: &str) -> impl Iterator<Item = &'static str> {
    let essence = essence(content_type).to_owned();
    TABLE
        .iter()
        .filter(move |(_, known)| known.eq_ignore_ascii_case(&essence))
        .map(|(extension, _)| *extension)
}

/// The extension of a path's last segment: what follows the last dot.
///
/// Dot files (`.htaccess`) and names that end in a dot have none.
pub fn extension(path: &str) -> Option<&str> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let (stem, extension) = name.rsplit_once('.')?;
    (!stem.is_empty() && !extension.is_empty()).then_some(extension)
}

/// The `Content-Type` to send: text gets a charset if it has none.
pub fn for_serving(content_type: &str) -> Cow<'_, str> {
    if content_type.starts_with("text/") && !content_type.contains("charset") {
        Cow::Owned(format!("{content_type}; charset=utf-8"))
    } else {
        Cow::Borrowed(content_type)
    }
}

/// True for the types which Cloudflare compresses on the way out.
///
/// The list is Cloudflare's documented one, not a judgement: `text/markdown`, `text/csv` and `woff2`
/// are absent from it.
pub fn is_compressible(content_type: &str) -> bool {
    let essence = essence(content_type);
    COMPRESSIBLE.iter().any(|known| known.eq_ignore_ascii_case(essence))
}

/// The type without its parameters.
pub fn essence(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or(content_type).trim()
}

#[rustfmt::skip]
static COMPRESSIBLE: &[&str] = &[
    "text/html", "text/css", "application/javascript", "application/json", "image/svg+xml", "text/plain",
    "text/javascript", "application/xml", "text/xml", "application/manifest+json", "application/wasm",
    "application/rss+xml", "application/xhtml+xml", "application/ld+json", "application/geo+json",
    "application/graphql+json", "application/vnd.api+json", "application/x-javascript",
    "application/javascript-binast", "application/x-protobuf", "application/x-perl",
    "application/x-httpd-cgi", "image/vnd.microsoft.icon", "image/x-icon", "font/ttf", "font/otf",
    "font/x-woff", "application/vnd.ms-fontobject", "application/ttf", "application/x-ttf",
    "application/otf", "application/x-otf", "application/truetype", "application/opentype",
    "application/x-opentype", "application/eot", "application/font", "application/font-woff",
    "application/font-sfnt", "text/richtext", "text/x-script", "text/x-component",
    "text/x-java-source", "text/x-markdown", "text/js", "multipart/bag", "multipart/mixed",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_whole() {
        assert_eq!(TABLE.len(), 1173);
        assert!(TABLE.is_sorted_by(|left, right| left.0 < right.0));
    }

    #[test]
    fn the_extension_decides() {
        for (path, expected) in [
            ("/index.html", "text/html"),
            ("/a/LOUD.JPEG", "image/jpeg"),
            ("/app.mjs", "application/javascript"),
            ("/app.js.map", "application/json"),
            ("/favicon.ico", "image/vnd.microsoft.icon"),
            ("/x.ts", "video/mp2t"),
            ("/site.webmanifest", "application/manifest+json"),
            ("/font.woff2", "font/woff2"),
            ("/no-extension", OCTET_STREAM),
            ("/.htaccess", OCTET_STREAM),
            ("/tail.", OCTET_STREAM),
            ("/v1.2/name", OCTET_STREAM),
            ("/x.qqq", OCTET_STREAM),
        ] {
            assert_eq!(of_path(path), expected, "{path}");
        }
    }

    #[test]
    fn only_text_gets_a_charset() {
        assert_eq!(for_serving("text/html"), "text/html; charset=utf-8");
        assert_eq!(for_serving("text/plain;charset=latin1"), "text/plain;charset=latin1");
        assert_eq!(for_serving("application/javascript"), "application/javascript");
    }

    #[test]
    fn extensions_lead_back_to_their_type() {
        assert_eq!(extensions_of("text/html").collect::<Vec<_>>(), ["htm", "html", "shtml"]);
        assert_eq!(extensions_of("text/css; charset=utf-8").collect::<Vec<_>>(), ["css"]);
        assert_eq!(extensions_of("x/y").count(), 0);
    }

    #[test]
    fn compression_follows_the_documented_list() {
        assert!(is_compressible("text/html; charset=utf-8"));
        assert!(is_compressible("image/svg+xml"));
        assert!(!is_compressible("text/markdown"));
        assert!(!is_compressible("font/woff2"));
        assert!(!is_compressible("image/png"));
    }
}
