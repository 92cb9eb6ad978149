//! What Functions keep: KV, D1, R2 and the Cache API, over HTTP on a socket for each bound resource.
//!
//! workerd speaks to a binding in plain HTTP/1.1. Each resource that a deployment is bound to has a unix socket of its
//! own in front of that deployment's process: which resource is meant is decided by who made the socket, and never by
//! what the request says.

mod cache;
mod d1;
mod known;
mod kv;
mod r2;
mod reply;

use std::sync::Arc;

use http::{Request, Response};
use offprint_model::config::Environment;
use offprint_model::id::ProjectId;
use offprint_model::resource::ResourceKind;
use offprint_resources::Resources;
use offprint_store::{AccountScope, ShortId};

use crate::body::Body;
use cache::Caches;
use known::Known;

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
    resources: Resources,
    known: Arc<Known>,
    caches: Arc<Caches>,
}

impl Bindings {
    /// Serves these resources.
    pub fn new(resources: Resources) -> Self {
        Self { resources, known: Arc::default(), caches: Arc::default() }
    }

    /// Answers one request that workerd makes for a binding.
    pub async fn answer(&self, resource: &Resource, request: Request<Body>) -> Response<Body> {
        match resource {
            Resource::Kv { account, namespace } => {
                let found = self.known.find(&self.resources, account, ResourceKind::Kv, namespace).await;
                match found {
                    Ok(found) => kv::answer(&self.resources, &found, request).await,
                    Err(failure) => failure.into(),
                }
            }
            Resource::D1 { account, database } => {
                let found = self.known.find(&self.resources, account, ResourceKind::D1, database).await;
                match found {
                    Ok(found) => d1::answer(&self.resources, &found, request).await,
                    Err(failure) => failure.into(),
                }
            }
            Resource::R2 { account, bucket } => {
                let found = self.known.find(&self.resources, account, ResourceKind::R2, bucket).await;
                match found {
                    Ok(found) => r2::answer(&self.resources, &found, request).await,
                    Err(failure) => failure.into(),
                }
            }
            Resource::Cache { project, environment, .. } => {
                self.caches.answer((project.clone(), *environment), request).await
            }
        }
    }
}
