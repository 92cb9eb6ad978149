//! What runs Functions, as the rest of the house sees it.

use std::fmt;
use std::net::IpAddr;

use futures_util::future::BoxFuture;
use http::{Request, Response, request};
use offprint_model::request_path::Scheme;

use crate::body::Body;
use crate::key::DeploymentKey;

/// Runs Functions, or says why not.
pub trait FunctionRuntime: Send + Sync + 'static {
    /// Answers a request by a deployment's Functions, streaming both ways.
    ///
    /// The request is as the visitor sent it, in origin form with its `Host`, or with an absolute URL. Headers that
    /// only the server may set are dropped here and set anew. A WebSocket works when the request still has the
    /// extension that hyper's server gave it: the answer is then a 101 to be sent as it is, with its `Connection` and
    /// `Upgrade`, and both sides are joined by a task of the runtime.
    ///
    /// What goes wrong while Functions run is an answer, too. `Err` means that they did not run at all.
    fn answer(
        &self,
        key: DeploymentKey,
        visitor: Visitor,
        request: Request<Body>,
    ) -> BoxFuture<'_, Result<Response<Body>, Box<Declined>>>;

    /// Starts a deployment's Functions once, before it is activated, and gives back what its author should know: lines
    /// for the deployment's log.
    ///
    /// # Errors
    /// See [`CheckFailure`].
    fn check(&self, key: DeploymentKey) -> BoxFuture<'_, Result<Vec<String>, CheckFailure>>;

    /// Ends what runs for a deployment that has been deleted, and removes what was kept for running it.
    fn forget(&self, key: DeploymentKey) -> BoxFuture<'_, ()>;

    /// How many processes live now.
    fn live_processes(&self) -> usize;

    /// What has happened so far.
    fn counts(&self) -> RuntimeCounts {
        RuntimeCounts::default()
    }

    /// Lets requests under way finish, for a while, and ends everything.
    fn shutdown(&self) -> BoxFuture<'_, ()>;
}

/// What a runtime has counted since it was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RuntimeCounts {
    /// Processes that came to run.
    pub starts: u64,
    /// Processes that did not.
    pub failed_starts: u64,
    /// Processes that ended by themselves.
    pub crashes: u64,
    /// Processes that were ended because they used too much memory.
    pub out_of_memory: u64,
    /// Processes that were ended because they computed without a pause.
    pub spinning: u64,
}

/// Who asks, as far as the connection tells.
#[derive(Clone, Debug)]
pub struct Visitor {
    /// The visitor's address; `None` when it is not known.
    pub address: Option<IpAddr>,
    /// What the visitor uses.
    pub scheme: Scheme,
    /// The TLS session, when this server has ended it.
    pub tls: Option<TlsSession>,
    /// Whether a trusted proxy has sent the request, and what it says of the visitor in headers is to be believed.
    pub is_vouched_for: bool,
}

/// What a handshake agreed on.
#[derive(Clone, Copy, Debug)]
pub struct TlsSession {
    /// `TLSv1.3`, `TLSv1.2`.
    pub version: &'static str,
    /// OpenSSL's or IANA's name of the cipher suite.
    pub cipher: &'static str,
}

/// Functions did not run for a request, and nothing of its body has been read.
pub struct Declined {
    /// The request without its body, to be answered otherwise.
    pub head: request::Parts,
    /// Whether the project wants its static assets to be served instead.
    pub fail_open: bool,
    /// The answer to be given if not.
    pub response: Response<Body>,
}

impl fmt::Debug for Declined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.response.status();
        f.debug_struct("Declined")
            .field("fail_open", &self.fail_open)
            .field("status", &status)
            .finish_non_exhaustive()
    }
}

/// Why a deployment's Functions were not found to be in order.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckFailure {
    /// The author must mend something: lines for the deployment's log.
    #[error("{}", .0.join("\n"))]
    Refused(Vec<String>),
    /// This server could not check them; it is no fault of the site's.
    #[error("{0}")]
    Unchecked(String),
}
