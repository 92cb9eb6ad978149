//! Early hints (RFC 8297): what a page needs is said before the page itself.
//!
//! Asset serving rules, "Early Hints": `Link` headers with `rel=preload`, `preconnect` or `modulepreload` are sent
//! in an interim answer 103. Only browsers that go to a page get it; to others it is noise.

use http::header::LINK;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};

const RELATIONS: [&str; 3] = ["preload", "preconnect", "modulepreload"];

/// Whether whoever asks would make use of hints.
pub(super) fn are_wanted<B>(request: &Request<B>) -> bool {
    (request.method() == Method::GET || request.method() == Method::HEAD)
        && request.headers().get("sec-fetch-mode").is_some_and(|mode| mode == "navigate")
}

/// The interim answer to send before this one, if it has links that are worth it.
pub(super) fn of<B>(response: &Response<B>) -> Option<Response<()>> {
    if response.status() != StatusCode::OK {
        return None;
    }
    let mut links = HeaderMap::new();
    for link in response.headers().get_all(LINK).iter().filter(|link| is_hint(link)) {
        links.append(LINK, link.clone());
    }
    if links.is_empty() {
        return None;
    }
    let mut hints = Response::new(());
    *hints.status_mut() = StatusCode::EARLY_HINTS;
    *hints.headers_mut() = links;
    Some(hints)
}

/// Whether one of the links in a header has a relation that helps early.
fn is_hint(header: &HeaderValue) -> bool {
    let Ok(text) = header.to_str() else { return false };
    split(text, ',').any(|link| {
        let mut parameters = split(link, ';').skip(1).filter_map(|parameter| parameter.split_once('='));
        // The first one counts (RFC 8288, 3.3).
        let relations = parameters.find(|(name, _)| name.trim().eq_ignore_ascii_case("rel"));
        relations.is_some_and(|(_, relations)| {
            let mut relations = relations.trim().trim_matches('"').split_ascii_whitespace();
            relations.any(|relation| RELATIONS.iter().any(|known| relation.eq_ignore_ascii_case(known)))
        })
    })
}

/// Splits at a separator that stands neither in quotes nor in the brackets of an address.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut in_quotes, mut in_address) = (false, false);
    text.split(move |c| {
        match c {
            '"' if !in_address => in_quotes = !in_quotes,
            '<' if !in_quotes => in_address = true,
            '>' if !in_quotes => in_address = false,
            _ => {}
        }
        c == separator && !in_quotes && !in_address
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_that_help_early_are_told_from_others() {
        for (link, expected) in [
            ("</a.css>; rel=preload; as=style", true),
            ("</a.css>; as=style; REL=\"Preload\"", true),
            ("<https://cdn.example>; rel=preconnect", true),
            ("</a.js>;rel=modulepreload", true),
            ("</next>; rel=\"next preload\"", true),
            ("</a>; rel=canonical, </b.css>; rel=preload", true),
            ("</a>; rel=canonical", false),
            ("</a>; rel=prefetch", false),
            ("</a>; title=\"x; rel=preload\"; rel=next", false),
            ("</a?x=1,2;rel=preload>; rel=next", false),
            ("</a>; rel=next; rel=preload", false),
            ("</a>; rel", false),
            ("rel=preload", false),
            ("", false),
        ] {
            assert_eq!(is_hint(&HeaderValue::from_static(link)), expected, "{link}");
        }
    }

    #[test]
    fn hints_have_the_links_and_nothing_else() {
        let response = |status: u16| {
            let links = ["</a>; rel=next", "</b.css>; rel=preload", "</c.js>; rel=modulepreload"];
            let response = Response::builder().status(status).header("etag", "\"x\"");
            links.iter().fold(response, |response, link| response.header("link", *link)).body(()).unwrap()
        };
        let hints = of(&response(200)).unwrap();
        assert_eq!((hints.status().as_u16(), hints.headers().len()), (103, 2));
        assert!(
            hints
                .headers()
                .get_all("link")
                .iter()
                .eq(["</b.css>; rel=preload", "</c.js>; rel=modulepreload"])
        );
        assert!(of(&response(404)).is_none() && of(&Response::new(())).is_none());
    }

    #[test]
    fn only_a_browser_that_goes_to_a_page_wants_hints() {
        let request = |method: Method, mode: Option<&str>| {
            let request = Request::builder().method(method);
            let request =
                mode.into_iter().fold(request, |request, mode| request.header("sec-fetch-mode", mode));
            are_wanted(&request.body(()).unwrap())
        };
        assert!(request(Method::GET, Some("navigate")) && request(Method::HEAD, Some("navigate")));
        assert!(!request(Method::POST, Some("navigate")) && !request(Method::GET, Some("cors")));
        assert!(!request(Method::GET, None));
    }
}
