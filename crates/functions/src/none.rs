//! No Functions: this server has nothing to run them with.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use http::{Request, Response, StatusCode};
use offprint_store::Store;

use crate::body::Body;
use crate::key::DeploymentKey;
use crate::pages::Page;
use crate::runtime::{CheckFailure, Declined, FunctionRuntime, Visitor};

/// More deployments than this are not remembered.
const REMEMBERED_MAX: usize = 10_000;

/// Runs nothing, and says why and what the operator can do.
#[derive(Clone)]
pub struct NoRuntime {
    store: Store,
    reason: String,
    /// Which deployments want their assets to be served instead; it never changes for any of them.
    fail_open: Arc<Mutex<HashMap<DeploymentKey, bool>>>,
}

impl NoRuntime {
    /// `reason` is a sentence for the operator and for authors: why nothing runs, and what to do.
    pub fn new(store: Store, reason: impl Into<String>) -> Self {
        Self { store, reason: reason.into(), fail_open: Arc::default() }
    }

    /// The sentence.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    async fn fails_open(&self, key: &DeploymentKey) -> bool {
        let known = || self.fail_open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known().get(key).copied() {
            return known;
        }
        let Ok(found) = self.store.functions_of(&key.project, key.deployment).await else { return false };
        let fail_open = found.deployment.config.fail_open;
        let mut known = known();
        if known.len() >= REMEMBERED_MAX {
            known.clear();
        }
        known.insert(key.clone(), fail_open);
        fail_open
    }
}

impl FunctionRuntime for NoRuntime {
    fn answer(
        &self,
        key: DeploymentKey,
        _visitor: Visitor,
        request: Request<Body>,
    ) -> BoxFuture<'_, Result<Response<Body>, Box<Declined>>> {
        Box::pin(async move {
            let fail_open = self.fails_open(&key).await;
            let page = Page {
                status: StatusCode::NOT_IMPLEMENTED,
                title: "Functions do not run here",
                text: format!("This address is answered by a Function of the site. {}", self.reason).into(),
            };
            let (head, _) = request.into_parts();
            Err(Box::new(Declined { head, fail_open, response: page.answer() }))
        })
    }

    fn check(&self, _key: DeploymentKey) -> BoxFuture<'_, Result<Vec<String>, CheckFailure>> {
        let line =
            format!("This deployment has Functions, and they do not run on this server. {}", self.reason);
        Box::pin(async move { Ok(vec![line]) })
    }

    fn forget(&self, _key: DeploymentKey) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }

    fn live_processes(&self) -> usize {
        0
    }

    fn shutdown(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}
