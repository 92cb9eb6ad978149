//! Which asset answers a path: clean URLs, canonical redirects, the 404 walk, single-page mode.
//!
//! Cloudflare Pages serving rules, "HTML resolution", "Canonical redirects" and "Not found". The
//! functions are generic over the lookup, so that the edge gets its own kind of asset back and no
//! name is looked up twice.

use crate::request_path::push_encoded_component;

/// What HTML resolution says about a decoded path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolution<A> {
    /// This asset answers.
    Serve(A),
    /// The canonical (decoded) path is another one: answer 308. See [`canonical_location`].
    Redirect(String),
    /// No asset: go on with [`not_found`].
    Missing,
}

/// What to answer when resolution found nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotFound<A> {
    /// The nearest `404.html`, to be sent with status 404.
    Page(A),
    /// No `404.html` on the way up but an `/index.html`: a single-page app, answered as a normal asset.
    SinglePage(A),
    /// Neither: 404 without a body.
    Empty,
}

/// Resolves a decoded path to an asset (Cloudflare Pages serving rules, "HTML resolution").
///
/// `lookup` is the exact lookup in the manifest.
pub fn resolve<A>(path: &str, lookup: impl Fn(&str) -> Option<A>) -> Resolution<A> {
    if path.ends_with('/') { resolve_directory(path, lookup) } else { resolve_page(path, lookup) }
}

fn resolve_directory<A>(path: &str, lookup: impl Fn(&str) -> Option<A>) -> Resolution<A> {
    if let Some(asset) = lookup(&format!("{path}index.html")) {
        return Resolution::Serve(asset);
    }
    // Unconditionally, although nothing may exist there: that is what Pages does.
    if let Some(parent) = path.strip_suffix("index/").filter(|parent| parent.ends_with('/')) {
        return Resolution::Redirect(parent.to_owned());
    }
    let page = &path[..path.len() - 1];
    if lookup(&format!("{page}.html")).is_some() {
        return Resolution::Redirect(page.to_owned());
    }
    Resolution::Missing
}

fn resolve_page<A>(path: &str, lookup: impl Fn(&str) -> Option<A>) -> Resolution<A> {
    if let Some(asset) = lookup(path) {
        return match path.strip_suffix(".html") {
            None => Resolution::Serve(asset),
            Some(stem) => resolve_html(stem, asset, lookup),
        };
    }
    if let Some(parent) = path.strip_suffix("index").filter(|parent| parent.ends_with('/')) {
        return Resolution::Redirect(parent.to_owned());
    }
    if let Some(asset) = lookup(&format!("{path}.html")) {
        return Resolution::Serve(asset);
    }
    if lookup(&format!("{path}/index.html")).is_some() {
        return Resolution::Redirect(format!("{path}/"));
    }
    Resolution::Missing
}

/// A request that names an existing `.html` asset in full.
fn resolve_html<A>(stem: &str, asset: A, lookup: impl Fn(&str) -> Option<A>) -> Resolution<A> {
    if let Some(parent) = stem.strip_suffix("index").filter(|parent| parent.ends_with('/')) {
        return Resolution::Redirect(parent.to_owned());
    }
    // `/dual.html` stays where it is when a file `/dual` has taken the clean URL.
    if stem == "/" || lookup(stem).is_some() {
        return Resolution::Serve(asset);
    }
    Resolution::Redirect(stem.to_owned())
}

/// Walks up from a decoded path to the nearest `404.html` (Cloudflare Pages serving rules, "Not found").
///
/// Whether a project is a single-page app is decided here, for each request, and not by a flag.
pub fn not_found<A>(path: &str, lookup: impl Fn(&str) -> Option<A>) -> NotFound<A> {
    let mut rest = path;
    let mut candidate = String::with_capacity(path.len() + "/404.html".len());
    while let Some(at) = rest.rfind('/') {
        rest = &rest[..at];
        candidate.clear();
        candidate.push_str(rest);
        candidate.push_str("/404.html");
        if let Some(asset) = lookup(&candidate) {
            return NotFound::Page(asset);
        }
    }
    lookup("/index.html").map_or(NotFound::Empty, NotFound::SinglePage)
}

/// The `Location` of a canonical redirect (Cloudflare Pages serving rules, "Canonical redirects").
///
/// `search` is the request's own, appended verbatim. The beginning is cleaned so that no path can
/// turn into another host.
pub fn canonical_location(path: &str, search: &str) -> String {
    let mut encoded = String::with_capacity(path.len() + search.len() + 8);
    for (at, segment) in path.split('/').enumerate() {
        if at > 0 {
            encoded.push('/');
        }
        push_encoded_component(&mut encoded, segment);
    }
    encoded.push_str(search);
    match leading_separators(&encoded) {
        0 | 1 => encoded,
        run => format!("/{}", &encoded[run..]),
    }
}

/// Length of the longest leading run of things that some client takes for a slash or for nothing.
fn leading_separators(location: &str) -> usize {
    let mut rest = location;
    'run: loop {
        for separator in ["/", "\\", "%2F", "%2f", "%5C", "%5c", "%09"] {
            if let Some(tail) = rest.strip_prefix(separator) {
                rest = tail;
                continue 'run;
            }
        }
        let trimmed = rest.trim_start();
        if trimmed.len() == rest.len() {
            return location.len() - rest.len();
        }
        rest = trimmed;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(files: &[&str], path: &str) -> String {
        match resolve(path, |name| files.iter().find(|file| **file == name).copied()) {
            Resolution::Serve(file) => format!("200 {file}"),
            Resolution::Redirect(path) => format!("308 {path}"),
            Resolution::Missing => "missing".to_owned(),
        }
    }

    #[test]
    fn every_row_of_the_resolution_table_holds() {
        type Row = (&'static [&'static str], &'static [(&'static str, &'static str)]);
        let table: &[Row] = &[
            (
                &["/file.html"],
                &[
                    ("/file", "200 /file.html"),
                    ("/file/", "308 /file"),
                    ("/file.html", "308 /file"),
                    ("/file.html/", "missing"),
                    ("/file/index.html", "missing"),
                    ("/file/index", "308 /file/"),
                    ("/file/index/", "308 /file/"),
                ],
            ),
            (
                &["/dir/index.html"],
                &[
                    ("/dir/", "200 /dir/index.html"),
                    ("/dir", "308 /dir/"),
                    ("/dir/index.html", "308 /dir/"),
                    ("/dir/index", "308 /dir/"),
                    ("/dir/index/", "308 /dir/"),
                    ("/dir.html", "missing"),
                ],
            ),
            (
                &["/both.html", "/both/index.html"],
                &[
                    ("/both", "200 /both.html"),
                    ("/both/", "200 /both/index.html"),
                    ("/both.html", "308 /both"),
                ],
            ),
            (
                &["/index.html"],
                &[
                    ("/", "200 /index.html"),
                    ("/index", "308 /"),
                    ("/index/", "308 /"),
                    ("/index.html", "308 /"),
                ],
            ),
            (&[], &[("/x/index", "308 /x/"), ("/x/index/", "308 /x/"), ("/x/index.html", "missing")]),
            (
                &["/dual", "/dual.html"],
                &[("/dual", "200 /dual"), ("/dual.html", "200 /dual.html"), ("/dual/", "308 /dual")],
            ),
            (&["/x.html.html"], &[("/x.html", "200 /x.html.html"), ("/x.html.html", "308 /x.html")]),
            (&["/x.html", "/x.html.html"], &[("/x.html.html", "200 /x.html.html")]),
            (&["/.html"], &[("/.html", "200 /.html")]),
            (&["/d/.html"], &[("/d/.html", "308 /d/")]),
            (&["/d.html/index.html"], &[("/d.html", "308 /d.html/")]),
            (
                &["/index/index.html", "/index.html"],
                &[("/index/", "200 /index/index.html"), ("/index", "308 /")],
            ),
            (&["/a/index"], &[("/a/index", "200 /a/index")]),
            (&["/page.HTML"], &[("/page.HTML", "200 /page.HTML"), ("/page", "missing")]),
        ];
        for (files, rows) in table {
            for (path, expected) in *rows {
                assert_eq!(answer(files, path), *expected, "{path} in {files:?}");
            }
        }
    }

    #[test]
    fn the_404_walk_starts_at_the_parent() {
        let walk = |files: &'static [&'static str], path: &str| {
            not_found(path, |name| files.iter().find(|file| **file == name).copied())
        };
        let files = &["/404.html", "/blog/404.html"];
        assert_eq!(walk(files, "/blog"), NotFound::Page("/404.html"));
        assert_eq!(walk(files, "/blog/"), NotFound::Page("/blog/404.html"));
        assert_eq!(walk(files, "/blog/a/b"), NotFound::Page("/blog/404.html"));
        assert_eq!(walk(&["/index.html", "/b/404.html"], "/a"), NotFound::SinglePage("/index.html"));
        assert_eq!(walk(&["/index.html", "/b/404.html"], "/b/x"), NotFound::Page("/b/404.html"));
        assert_eq!(walk(&["/a.html"], "/x"), NotFound::Empty);
    }

    #[test]
    fn canonical_locations_are_encoded_and_cannot_leave_the_site() {
        for (path, search, location) in [
            ("/user@host", "", "/user%40host"),
            ("/[id]", "?a=b c", "/%5Bid%5D?a=b c"),
            ("/a&b", "", "/a%26b"),
            ("/100%", "", "/100%25"),
            ("/é/", "", "/%C3%A9/"),
            ("//evil.example/", "", "/evil.example/"),
            ("/\\evil.example/", "", "/evil.example/"),
            ("/\t/evil", "", "/evil"),
            ("/a//b/", "", "/a//b/"),
            ("/", "?x", "/?x"),
        ] {
            assert_eq!(canonical_location(path, search), location, "{path}");
        }
    }

    proptest::proptest! {
        #[test]
        fn locations_always_stay_on_the_site(path in "/[/\\\\%a-z0-9 \\t]{0,12}") {
            let location = canonical_location(&path, "");
            proptest::prop_assert!(location.starts_with('/'));
            proptest::prop_assert!(!location.starts_with("//") && !location.starts_with("/\\"));
        }
    }
}
