//! Service bindings: one project asks another of its account.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use http::{Request, Response, StatusCode};
use offprint_model::request_path::Scheme;
use offprint_store::ShortId;

use super::Inner;
use crate::body::{Body, full};
use crate::key::DeploymentKey;
use crate::plan::ServiceTarget;
use crate::runtime::Visitor;

impl Inner {
    /// Answers by the production of a project: by its Functions, or by its assets when it has none. What `_routes.json`
    /// says is for visitors; a Worker that another one calls is always asked.
    // Boxed, since the way from here leads back here.
    pub(super) fn serve<'a>(
        self: Arc<Self>,
        target: &'a ServiceTarget,
        request: Request<Body>,
    ) -> BoxFuture<'a, Response<Body>> {
        Box::pin(async move {
            let found = self.store.project(&target.account, &target.project).await;
            let production = found.ok().and_then(|(_, project)| project.canonical);
            let Some(deployment) = production.and_then(|id| ShortId::parse(id.short())) else {
                let project = &target.project;
                let mut response =
                    Response::new(full(format!("There is no production of a project {project}.\n")));
                *response.status_mut() = StatusCode::BAD_GATEWAY;
                return response;
            };
            let key = DeploymentKey { project: target.project.clone(), deployment };
            let is_https = request.uri().scheme_str() == Some("https");
            let scheme = if is_https { Scheme::Https } else { Scheme::Http };
            // A Worker says of the visitor what it wants; it could pass on what it was told just as well.
            let visitor = Visitor { address: None, scheme, tls: None, is_vouched_for: true };
            if !self.has_functions(&key).await {
                return self.house.assets.answer(key, request).await;
            }
            self.answer(key, visitor, request).await.unwrap_or_else(|declined| declined.response)
        })
    }

    async fn has_functions(&self, key: &DeploymentKey) -> bool {
        if self.deployment(key).live().is_some() {
            return true;
        }
        let found = self.store.functions_of(&key.project, key.deployment).await;
        found.is_ok_and(|found| found.document.worker.is_some())
    }
}
