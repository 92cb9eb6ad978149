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

/// A bundle that the runtime refuses, or that throws at its start.
pub(crate) const NOT_STARTED: Page = page!(
    INTERNAL_SERVER_ERROR,
    "The Functions of this site do not start",
    "This address is answered by a Function of the site, and its Functions cannot be started. For its authors: the log \
     of the deployment says why."
);

/// Crashes without end.
pub(crate) const BACKS_OFF: Page = page!(
    SERVICE_UNAVAILABLE,
    "The Functions of this site have crashed too often",
    "They will be started again in a moment. Please try again later."
);

/// A cap was reached.
pub(crate) const BUSY: Page = page!(
    SERVICE_UNAVAILABLE,
    "This site is too busy",
    "More requests for its Functions are under way than the server allows. Please try again in a moment."
);

/// The deployment went away while it was asked for.
pub(crate) const GONE: Page = page!(
    GONE,
    "This deployment was deleted",
    "There was a deployment at this address once. It has been deleted and will not come back."
);

/// The server's fault.
pub(crate) const FAILED: Page = page!(
    SERVICE_UNAVAILABLE,
    "The Functions of this site cannot be started right now",
    "The server cannot start them at the moment. Its log says why."
);

/// The process ended while it answered.
pub(crate) const CRASHED: Page = page!(
    BAD_GATEWAY,
    "A Function of this site has crashed",
    "What answers for it ended, or broke the answer off, before the answer had begun. Please try again."
);

/// Service bindings lead back to where the request has been.
pub(crate) const LOOPS: Page = page!(
    LOOP_DETECTED,
    "The Functions of this site ask one another in a circle",
    "A request of theirs has been passed on too often."
);

/// The process used too much memory.
pub(crate) const OUT_OF_MEMORY: Page = page!(
    SERVICE_UNAVAILABLE,
    "A Function of this site has used too much memory",
    "The process that answers for it was ended, and will be started again with the next request."
);

/// The process was caught in a loop.
pub(crate) const SPINNING: Page = page!(
    SERVICE_UNAVAILABLE,
    "A Function of this site has computed for too long",
    "It computed without a pause for longer than the server allows, and was ended. It will be started again with the \
     next request."
);

/// The head of the answer did not come.
pub(crate) const TIMED_OUT: Page = page!(
    GATEWAY_TIMEOUT,
    "A Function of this site does not answer",
    "It has not begun to answer in the time that the server allows. Please try again."
);

/// A Function changed the protocol of a request that did not ask for it.
pub(crate) const NOT_ASKED_FOR: Page = page!(
    BAD_GATEWAY,
    "A Function of this site gave a wrong answer",
    "It switched to another protocol, which the request did not ask for."
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
