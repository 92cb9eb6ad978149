//! The worker that tells subscribers of events. Each call is signed, so that who is called can tell it from a forgery.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;
use offprint_store::{Clock, Store, StoreError, WebhookCall};
use offprint_wire::deploys::record::Shown;
use reqwest::Client;
use tokio_util::sync::CancellationToken;

use crate::feedback::{MayReach, guard};

const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// A call that nobody has ended for so long is made again: its server was killed.
const PATIENCE: Duration = Duration::from_secs(60);

/// Makes calls, one after the other.
pub(crate) struct Teller {
    pub(crate) store: Store,
    pub(crate) idle: Duration,
    /// Which addresses may be called; `None`: none.
    pub(crate) may_reach: Option<MayReach>,
    pub(crate) stop: CancellationToken,
}

impl Teller {
    pub(crate) async fn run(self) {
        while !self.stop.is_cancelled() {
            match self.step().await {
                Ok(true) => {}
                Ok(false) => {
                    self.stop.run_until_cancelled(tokio::time::sleep(self.idle)).await;
                }
                Err(error) => {
                    tracing::error!(%error, "cannot tell subscribers of events");
                    self.stop.run_until_cancelled(tokio::time::sleep(self.idle)).await;
                }
            }
        }
    }

    /// Looks for events and makes one call. Says whether there was anything to do.
    async fn step(&self) -> Result<bool, StoreError> {
        let events = self.store.call_webhooks_of_events().await?;
        let Some(call) = self.store.claim_webhook_call(PATIENCE).await? else { return Ok(events) };
        let outcome = self.tell(&call).await;
        self.store.end_webhook_call(&call, outcome).await?;
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

/// HMAC-SHA256 over the time, a dot and the body, in hex digits.
fn sign(secret: &str, seconds: i64, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, format!("{seconds}.{body}").as_bytes());
    tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
