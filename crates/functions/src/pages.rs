//! The answers that are given in place of a Function's own.

use std::borrow::Cow;

use http::{HeaderValue, Response, StatusCode, header};

use crate::body::{Body, full};

/// A page of the server itself.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) title: &'static str,
    pub(crate) text: Cow<'static, str>,
}

macro_rules! page {
    ($status:ident, $title:literal, $text:literal) => {
        Page { status: StatusCode::$status, title: $title, text: Cow::Borrowed($text) }
    };
}

/// The server has not been put together yet.
pub(crate) const STARTING: Page = page!(
    SERVICE_UNAVAILABLE,
    "The server is starting",
    "It will serve this site in a moment. Please try again."
);

impl Page {
    /// The answer.
    pub(crate) fn answer(&self) -> Response<Body> {
        let title = self.title;
        let text = escaped(&self.text);
        let html = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n\
             <style>body{{font:1.1rem/1.5 system-ui,sans-serif;max-width:36rem;margin:20vh auto;\
             padding:0 1.5rem;color:#222;background:#fff}}h1{{font-size:1.5rem}}\
             @media(prefers-color-scheme:dark){{body{{color:#ddd;background:#181818}}}}</style>\n\
             </head>\n<body>\n<h1>{title}</h1>\n<p>{text}</p>\n</body>\n</html>\n"
        );
        let mut answer = Response::new(full(html));
        *answer.status_mut() = self.status;
        let headers = answer.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        answer
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
