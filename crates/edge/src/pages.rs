//! The answers that no site gives: each its own status, so that people and programs can tell them apart.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};

use crate::body::EdgeBody;
use crate::edge::{CacheOutcome, Served};

/// A page of the server itself.
pub(crate) struct Page {
    status: StatusCode,
    html: &'static str,
}

macro_rules! page {
    ($status:expr, $title:literal, $text:literal) => {
        Page {
            status: $status,
            html: concat!(
                "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n",
                "<meta name=\"viewport\" content=\"width=device-width\">\n<title>",
                $title,
                "</title>\n",
                "<style>body{font:1.1rem/1.5 system-ui,sans-serif;max-width:36rem;margin:20vh auto;",
                "padding:0 1.5rem;color:#222;background:#fff}h1{font-size:1.5rem}",
                "@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}}</style>\n",
                "</head>\n<body>\n<h1>",
                $title,
                "</h1>\n<p>",
                $text,
                "</p>\n</body>\n</html>\n"
            ),
        }
    };
}

/// The host belongs to no project, or to none of its deployments.
pub(crate) static UNKNOWN_HOST: Page = page!(
    StatusCode::NOT_FOUND,
    "There is no site here",
    "No project, branch or deployment answers at this address. Is it spelled right?"
);

/// The deployment was deleted.
pub(crate) static DELETED: Page = page!(
    StatusCode::GONE,
    "This deployment was deleted",
    "There was a deployment at this address once. It has been deleted and will not come back."
);

/// The project exists, production is empty.
pub(crate) static NO_PRODUCTION: Page = page!(
    StatusCode::NOT_FOUND,
    "Nothing has been deployed yet",
    "This project exists, but it has no production deployment yet. Its previews have addresses of their own."
);

/// The site cannot be loaded from the store.
pub(crate) static UNAVAILABLE: Page = page!(
    StatusCode::SERVICE_UNAVAILABLE,
    "This site cannot be read right now",
    "The server cannot read the files of this site at the moment. Its log says why."
);

impl Page {
    /// The answer; without its body for `HEAD`.
    pub(crate) fn answer(&self, is_head: bool) -> Served {
        let body = if is_head {
            EdgeBody::empty()
        } else {
            EdgeBody::whole(Bytes::from_static(self.html.as_bytes()))
        };
        let mut answer = Response::new(body);
        *answer.status_mut() = self.status;
        let headers = answer.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(self.html.len()));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        Served { response: answer, cache: CacheOutcome::None }
    }
}
