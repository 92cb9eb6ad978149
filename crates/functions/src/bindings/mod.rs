//! What Functions keep: KV, D1, R2 and the Cache API, over HTTP on a socket for each bound resource.
//!
//! workerd speaks to a binding in plain HTTP/1.1. Each resource that a deployment is bound to has a unix socket of its
//! own in front of that deployment's process: which resource is meant is decided by who made the socket, and never by
//! what the request says.

use http::{Request, Response, StatusCode};
use offprint_model::config::Environment;
use offprint_model::id::ProjectId;
use offprint_store::{AccountScope, ShortId, Store};

use crate::body::{Body, full};

/// What a socket leads to. The account is the one that the deployment belongs to: a binding that names another
/// account's resource finds nothing.
#[derive(Clone, Debug)]
pub enum Resource {
    /// A KV namespace, by its id.
    Kv {
        /// The account.
        account: AccountScope,
        /// The namespace's id.
        namespace: String,
    },
    /// A D1 database, by its id.
    D1 {
        /// The account.
        account: AccountScope,
        /// The database's id.
        database: String,
    },
    /// An R2 bucket, by its name.
    R2 {
        /// The account.
        account: AccountScope,
        /// The bucket's name.
        bucket: String,
    },
    /// The Cache API of a deployment.
    Cache {
        /// The project.
        project: ProjectId,
        /// Production or preview.
        environment: Environment,
        /// The deployment.
        deployment: ShortId,
    },
}

/// Serves all resources. Clones share everything.
#[derive(Clone)]
pub struct Bindings {
    _store: Store,
}

impl Bindings {
    /// Serves from this store.
    pub fn new(store: Store) -> Self {
        Self { _store: store }
    }

    /// Answers one request that workerd makes for a binding.
    pub async fn answer(&self, _resource: &Resource, _request: Request<Body>) -> Response<Body> {
        let mut response = Response::new(full("this server does not have this binding yet\n"));
        *response.status_mut() = StatusCode::NOT_IMPLEMENTED;
        response
    }
}
