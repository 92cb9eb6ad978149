//! The sockets by which a process gets at anything but itself, one for each thing.
//!
//! Each process has its own, in a directory that only it sees. So what a request may do is settled by the socket it
//! comes through, and nothing that code writes into a request changes that.

use std::convert::Infallible;
use std::io;
use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Duration;

use http::{Request, Response, StatusCode, Uri};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use offprint_sandbox::egress::bind;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::Inner;
use super::config::PROTO_HEADER;
use super::progress::Progress;
use crate::assets::Assets;
use crate::bindings::{Bindings, Resource};
use crate::body::{Body, BoxError, empty, full, read_whole};
use crate::egress::{Allowance, Egress};
use crate::key::DeploymentKey;
use crate::pages;
use crate::plan::ServiceTarget;
use crate::tail::Tails;

/// Connections that one socket has at a time; more wait.
const CONNECTIONS_MAX: usize = 256;
/// Events of one request: workerd bounds what it gathers to less.
const TAIL_BYTES_MAX: usize = 16 << 20;

/// What a socket leads to.
#[derive(Clone, Debug)]
pub(super) enum Outlet {
    /// The deployment's own assets.
    Assets,
    /// The network.
    Egress,
    /// Whoever watches the deployment.
    Tail,
    /// Something that it keeps.
    Resource(Resource),
    /// Another project.
    Service(ServiceTarget),
}

/// What outlets lead to, the same for all processes.
#[derive(Clone)]
pub(super) struct House {
    pub(super) assets: Assets,
    pub(super) bindings: Bindings,
    pub(super) tails: Tails,
    pub(super) egress: Egress,
    /// For bindings to other projects.
    pub(super) runtime: Weak<Inner>,
}

/// The sockets of one process. Dropping closes them and their connections.
pub(super) struct Outlets {
    _stop: DropGuard,
}

/// Whose they are.
#[derive(Clone)]
pub(super) struct Owner {
    pub(super) key: DeploymentKey,
    pub(super) allowance: Arc<Allowance>,
    pub(super) progress: Progress,
}

impl Outlets {
    /// Makes the sockets in `directory`, under their names.
    ///
    /// # Errors
    /// A socket cannot be made.
    pub(super) fn open(
        directory: &Path,
        outlets: &[(String, Outlet)],
        house: &House,
        owner: &Owner,
    ) -> io::Result<Self> {
        let stop = CancellationToken::new();
        for (name, outlet) in outlets {
            let listener = bind(directory, name)?;
            let served = Served { outlet: outlet.clone(), house: house.clone(), owner: owner.clone() };
            tokio::spawn(Arc::new(served).serve(listener, stop.clone()));
        }
        Ok(Self { _stop: stop.drop_guard() })
    }
}

/// One socket.
struct Served {
    outlet: Outlet,
    house: House,
    owner: Owner,
}

impl Served {
    async fn serve(self: Arc<Self>, listener: UnixListener, stop: CancellationToken) {
        let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let accept = async {
            loop {
                let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
                let Ok((stream, _)) = listener.accept().await else {
                    // Out of descriptors, for one, passes when connections end.
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    continue;
                };
                let (served, stop) = (Arc::clone(&self), stop.clone());
                tokio::spawn(async move {
                    stop.run_until_cancelled(served.connection(stream)).await;
                    drop(permit);
                });
            }
        };
        stop.run_until_cancelled(accept).await;
    }

    async fn connection(self: Arc<Self>, stream: UnixStream) {
        let service = service_fn(move |request: Request<Incoming>| {
            let served = Arc::clone(&self);
            async move {
                served.owner.progress.made();
                let request = request.map(|body| body.map_err(BoxError::from).boxed_unsync());
                Ok::<_, Infallible>(served.answer(request).await)
            }
        });
        let served = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        if let Err(error) = served.await {
            tracing::debug!(%error, "a connection of a process broke");
        }
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let (house, owner) = (&self.house, &self.owner);
        match &self.outlet {
            Outlet::Assets => house.assets.answer(owner.key.clone(), absolute(request)).await,
            Outlet::Egress => house.egress.answer(&owner.allowance, request).await,
            Outlet::Resource(resource) => house.bindings.answer(resource, request).await,
            Outlet::Tail => self.tail(request).await,
            Outlet::Service(target) => match house.runtime.upgrade() {
                Some(runtime) => runtime.serve(target, absolute(request)).await,
                None => pages::FAILED.answer(),
            },
        }
    }

    async fn tail(&self, request: Request<Body>) -> Response<Body> {
        match read_whole(request.into_body(), TAIL_BYTES_MAX).await {
            Ok(events) => {
                self.house.tails.receive(&self.owner.key, events).await;
                Response::new(empty())
            }
            Err(error) => {
                let mut response = Response::new(full(format!("{error}\n")));
                *response.status_mut() = StatusCode::BAD_REQUEST;
                response
            }
        }
    }
}

/// Puts scheme and host, which come in headers, into the URL.
fn absolute(mut request: Request<Body>) -> Request<Body> {
    let scheme = request.headers_mut().remove(PROTO_HEADER);
    let scheme = if scheme.is_some_and(|scheme| scheme == "https") { "https" } else { "http" };
    let host = request.headers().get(http::header::HOST).and_then(|host| host.to_str().ok());
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let uri =
        Uri::builder().scheme(scheme).authority(host.unwrap_or("localhost")).path_and_query(path).build();
    if let Ok(uri) = uri {
        *request.uri_mut() = uri;
    }
    request
}
