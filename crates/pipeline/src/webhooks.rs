//! The worker that tells subscribers of events. Each call is signed, so that who is called can tell it from a forgery.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;
use offprint_store::{Clock, Store, StoreError, SubscriptionSeq, WebhookCall};
use offprint_wire::deploys::record::Shown;
use reqwest::Client;
use tokio::task::{self, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::feedback::{MayReach, guard};

const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// A call that nobody has ended for so long is made again: its server was killed.
const PATIENCE: Duration = Duration::from_secs(60);

/// Makes the calls of each subscription one after the other. Several are called at once, so that one that is slow to
/// answer, or never does, keeps none of the others waiting.
#[derive(Clone)]
pub(crate) struct Teller {
    pub(crate) store: Store,
    pub(crate) idle: Duration,
    /// Which addresses may be called; `None`: none.
    pub(crate) may_reach: Option<MayReach>,
    pub(crate) stop: CancellationToken,
}

/// What is under way.
#[derive(Default)]
struct Calls {
    tasks: JoinSet<Result<(), StoreError>>,
    called: HashMap<task::Id, SubscriptionSeq>,
}

impl Teller {
    pub(crate) async fn run(self) {
        let mut calls = Calls::default();
        while !self.stop.is_cancelled() {
            let outcome = self.step(&mut calls).await;
            if matches!(outcome, Ok(true)) {
                continue;
            }
            if let Err(error) = outcome {
                tracing::error!(%error, "cannot tell subscribers of events");
            }
            tokio::select! {
                () = calls.one_ends() => {}
                () = tokio::time::sleep(self.idle) => {}
                () = self.stop.cancelled() => {}
            }
        }
        while !calls.tasks.is_empty() {
            calls.one_ends().await;
        }
    }

    /// Looks for events and begins one call. Says whether there was anything to do.
    async fn step(&self, calls: &mut Calls) -> Result<bool, StoreError> {
        let events = self.store.call_webhooks_of_events().await?;
        let called: Vec<SubscriptionSeq> = calls.called.values().copied().collect();
        let claimed = self.store.claim_webhook_call(PATIENCE, &called).await?;
        let Some(call) = claimed else { return Ok(events) };
        let (teller, subscription) = (self.clone(), call.subscription);
        let task = calls.tasks.spawn(async move {
            let outcome = teller.tell(&call).await;
            teller.store.end_webhook_call(&call, outcome).await
        });
        calls.called.insert(task.id(), subscription);
        Ok(true)
    }

    async fn tell(&self, call: &WebhookCall) -> Result<u16, String> {
        let may_reach = self.may_reach.as_ref().ok_or("the address may not be called by this server")?;
        let resolver = guard(&call.url, may_reach).map_err(|why| format!("the address {why}"))?;
        let mut client = Client::builder()
            .user_agent(concat!("offprint/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .dns_resolver(Arc::new(resolver))
            .timeout(CALL_TIMEOUT);
        if call.url.starts_with("http:") {
            client = client.tls_certs_only([]);
        }
        let client = client.build().map_err(|error| error.to_string())?;
        // What `GET` of the event answers.
        let body = serde_json::to_string(&Shown::of(&call.event)).map_err(|error| error.to_string())?;
        let seconds = Clock::now().as_micros() / 1_000_000;
        let mut request = client
            .post(&call.url)
            .header("content-type", "application/json")
            .header("x-offprint-event", call.event.text("type").unwrap_or_default())
            .header("x-offprint-delivery", call.event.id())
            .header("x-offprint-timestamp", seconds)
            .body(body.clone());
        if let Some(secret) = &call.secret {
            let signature = sign(secret.expose(), seconds, &body);
            request = request.header("x-offprint-signature", format!("sha256={signature}"));
        }
        let response = request.send().await.map_err(|error| error.without_url().to_string())?;
        match response.status() {
            status if status.is_success() => Ok(status.as_u16()),
            status => Err(format!("the answer has status {}", status.as_u16())),
        }
    }
}

impl Calls {
    /// Waits until a call has ended; for ever when there is none.
    async fn one_ends(&mut self) {
        let Some(ended) = self.tasks.join_next_with_id().await else { return std::future::pending().await };
        let task = match ended {
            Ok((task, Ok(()))) => task,
            Ok((task, Err(error))) => {
                tracing::error!(%error, "cannot note what became of a call");
                task
            }
            Err(error) => {
                tracing::error!(%error, "a call of a subscriber ended early");
                error.id()
            }
        };
        self.called.remove(&task);
    }
}

/// HMAC-SHA256 over the time, a dot and the body, in hex digits.
fn sign(secret: &str, seconds: i64, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, format!("{seconds}.{body}").as_bytes());
    tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
