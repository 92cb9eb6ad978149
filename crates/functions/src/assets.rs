//! The way back: how a running Function gets at the assets of its own deployment.
//!
//! The edge, which serves them, asks this crate to run Functions; so the handler that closes the circle is set after
//! both have been made.

use std::sync::{Arc, OnceLock};

use futures_util::future::BoxFuture;
use http::{Request, Response};

use crate::body::Body;
use crate::key::DeploymentKey;
use crate::pages;

/// Answers a request by the assets of a deployment, with its rules, and never by its Functions. The request has an
/// absolute URL.
pub type AssetsHandler =
    Arc<dyn Fn(DeploymentKey, Request<Body>) -> BoxFuture<'static, Response<Body>> + Send + Sync>;

/// A place for the handler. Clones are the same place.
#[derive(Clone, Default)]
pub struct Assets(Arc<OnceLock<AssetsHandler>>);

impl Assets {
    /// From now on `handler` answers. Only the first call counts.
    pub fn serve_with(&self, handler: AssetsHandler) {
        let _ = self.0.set(handler);
    }

    /// Answers by a deployment's assets.
    pub(crate) async fn answer(&self, key: DeploymentKey, request: Request<Body>) -> Response<Body> {
        match self.0.get() {
            Some(handler) => handler(key, request).await,
            None => pages::STARTING.answer(),
        }
    }
}
