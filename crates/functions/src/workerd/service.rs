//! Service bindings: one project asks another of its account.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use offprint_model::request_path::Scheme;
use offprint_store::ShortId;

use super::Inner;
use crate::body::{Body, full};
use crate::key::DeploymentKey;
use crate::pages;
use crate::plan::ServiceTarget;
use crate::runtime::Visitor;

/// Who has passed a request on (RFC 8586). Which call of a Worker belongs to which request cannot be told, but a Worker
/// that passes on what it was asked passes this on, too, and so a loop is noticed.
const CDN_LOOP: HeaderName = HeaderName::from_static("cdn-loop");
const OURS: &str = "offprint";
/// So many Workers may one request lead through, as in the real service.
const HOPS_MAX: usize = 32;

impl Inner {
    /// Answers by the production of a project: by its Functions, or by its assets when it has none. What `_routes.json`
    /// says is for visitors; a Worker that another one calls is always asked.
    // Boxed, since the way from here leads back here.
    pub(super) fn serve<'a>(
        self: Arc<Self>,
        target: &'a ServiceTarget,
        mut request: Request<Body>,
    ) -> BoxFuture<'a, Response<Body>> {
        Box::pin(async move {
            if hops(request.headers()) >= HOPS_MAX {
                return pages::LOOPS.answer();
            }
            request.headers_mut().append(CDN_LOOP, HeaderValue::from_static(OURS));
            let Some(deployment) = self.production(target).await else {
                let mut response = Response::new(full(format!("There is {}.\n", absent(target))));
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

    async fn production(&self, target: &ServiceTarget) -> Option<ShortId> {
        let found = self.store.project(&target.account, &target.project).await;
        let production = found.ok().and_then(|(_, project)| project.canonical);
        production.and_then(|id| ShortId::parse(id.short()))
    }

    /// What service bindings are to lead to and there is not yet: a sentence for each, for whoever deploys them.
    pub(super) async fn absent_services(&self, bound: &BTreeMap<String, ServiceTarget>) -> Vec<String> {
        let mut sentences = Vec::new();
        for (binding, target) in bound {
            if self.production(target).await.is_none() {
                let what = absent(target);
                sentences.push(format!(
                    "The binding {binding} leads nowhere yet: there is {what}; it answers 502."
                ));
            }
        }
        sentences
    }

    async fn has_functions(&self, key: &DeploymentKey) -> bool {
        if self.deployment(key).live().is_some() {
            return true;
        }
        let found = self.store.functions_of(&key.project, key.deployment).await;
        found.is_ok_and(|found| found.document.worker.is_some())
    }
}

fn absent(target: &ServiceTarget) -> String {
    format!("no production of a project {}", target.project)
}

/// How many Workers a request has been passed on by.
fn hops(headers: &HeaderMap) -> usize {
    let lines = headers.get_all(CDN_LOOP).into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).filter(|hop| hop.trim() == OURS).count()
}
