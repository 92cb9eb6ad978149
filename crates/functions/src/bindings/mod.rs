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

use std::collections::BTreeMap;
use std::sync::Arc;

use http::{Request, Response};
use offprint_model::config::Environment;
use offprint_model::id::ProjectId;
use offprint_model::resource::ResourceKind;
use offprint_resources::Resources;
use offprint_store::{AccountScope, ShortId};

use crate::body::Body;
use cache::Caches;
use known::{Known, NotKnown};
use reply::Failure;

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

/// Where to look for a resource.
enum Place<'a> {
    /// By its id or name, among those that an account has made.
    Registry(&'a AccountScope, ResourceKind, &'a str),
    /// In the cache of an environment.
    Cache((ProjectId, Environment)),
}

impl Resource {
    fn place(&self) -> Place<'_> {
        match self {
            Self::Kv { account, namespace } => Place::Registry(account, ResourceKind::Kv, namespace),
            Self::D1 { account, database } => Place::Registry(account, ResourceKind::D1, database),
            Self::R2 { account, bucket } => Place::Registry(account, ResourceKind::R2, bucket),
            Self::Cache { project, environment, .. } => Place::Cache((project.clone(), *environment)),
        }
    }
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
        let (account, kind, name) = match resource.place() {
            Place::Cache(of) => return self.caches.answer(of, request).await,
            Place::Registry(account, kind, name) => (account, kind, name),
        };
        match self.known.find(&self.resources, account, kind, name).await {
            Ok(found) => match kind {
                ResourceKind::Kv => kv::answer(&self.resources, &found, request).await,
                ResourceKind::D1 => d1::answer(&self.resources, &found, request).await,
                ResourceKind::R2 => r2::answer(&self.resources, &found, request).await,
            },
            Err(NotKnown::Absent(text)) => absent(kind, text, request.into_body()).await,
            Err(NotKnown::Failed(failure)) => failure.into(),
        }
    }

    /// What bindings are to lead to and there is not: a sentence for each, for whoever deploys them.
    pub(crate) async fn absent(&self, bound: &BTreeMap<String, Resource>) -> Vec<String> {
        let mut sentences = Vec::new();
        for (binding, resource) in bound {
            let Place::Registry(account, kind, name) = resource.place() else { continue };
            let found = self.known.find(&self.resources, account, kind, name).await;
            if let Err(NotKnown::Absent(text)) = found {
                let sentence =
                    format!("The binding {binding} leads nowhere: {text}; using it throws an error.");
                sentences.push(sentence);
            }
        }
        sentences
    }
}

/// An answer for a binding that leads nowhere, of which workerd makes an exception. It would take the status 404 for a
/// key or an object that is not there, and a Function for a namespace that has lost what was in it.
async fn absent(kind: ResourceKind, text: String, mut body: Body) -> Response<Body> {
    // workerd hears an answer only when its request has been taken.
    if let Err(failure) = reply::throw_away(&mut body).await {
        return failure.into();
    }
    match kind {
        ResourceKind::Kv => Failure::new(400, text).into(),
        ResourceKind::D1 => d1::failed(text).unwrap_or_else(Response::from),
        ResourceKind::R2 => r2::no_bucket(),
    }
}
