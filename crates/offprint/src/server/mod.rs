//! The server: wires store, pipeline, edge and APIs together, and takes them down in order.

mod listener;
mod platform;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use offprint_api::{ApiState, Limits};
use offprint_edge::{Edge, EdgeOptions};
use offprint_model::name::ProjectName;
use offprint_pipeline::{Pipeline, PipelineOptions};
use offprint_store::{Bootstrap, Store, StoreOptions, Wake};
use offprint_wire::urls::SiteUrls;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::cli::output;
use crate::config::ServeConfig;
use crate::config::checked::PublicUrl;
use crate::logging;

/// A server that runs.
pub(crate) struct Server {
    /// The address it listens on.
    pub(crate) address: SocketAddr,
    /// Where clients reach it.
    pub(crate) public_url: PublicUrl,
    /// The first account, and its token where this start made it.
    pub(crate) bootstrap: Bootstrap,
    urls: SiteUrls,
    stop: CancellationToken,
    tasks: TaskTracker,
    pipeline: Pipeline,
}

impl Server {
    /// Opens the store and starts every part. Once this returns, connections are accepted.
    ///
    /// # Errors
    /// The store cannot be opened, or the address cannot be bound.
    pub(crate) async fn start(config: ServeConfig) -> anyhow::Result<Self> {
        let store = open_store(&config).await?;
        let bootstrap = store
            .bootstrap(
                config.account_id.clone(),
                config.bootstrap_token.clone(),
                "Offprint",
                "admin@localhost",
            )
            .await
            .context("cannot make the first account")?;
        let listener = TcpListener::bind(config.listen)
            .await
            .with_context(|| format!("cannot listen on {} (is another server running?)", config.listen))?;
        let address = listener.local_addr()?;
        let public_url = config.public_url.clone().unwrap_or_else(|| PublicUrl::of_listener(address));

        let wake = Wake::default();
        let stop = CancellationToken::new();
        let tasks = TaskTracker::new();
        let edge = Edge::start(store.clone(), wake.clone(), edge_options(&config, &public_url))
            .await
            .context("cannot read the routing table")?;
        let pipeline = Pipeline::start(store.clone(), wake.clone(), PipelineOptions::default())
            .await
            .context("cannot start the pipeline")?;
        if let Some(interval) = config.gc_interval {
            tasks.spawn(collect(store.clone(), interval, config.blob_grace, stop.clone()));
        }
        let urls = SiteUrls {
            scheme: public_url.scheme.clone(),
            domain: config.domain.clone(),
            port: public_url.port,
        };
        let platform = platform::router(store.clone(), &public_url.to_string())
            .merge(offprint_api::router(api_state(store, wake, &config, urls.clone())));
        let doors = Arc::new(listener::Doors { edge, platform });
        tasks.spawn(listener::serve(listener, doors, stop.clone(), config.shutdown_grace));
        Ok(Self { address, public_url, bootstrap, urls, stop, tasks, pipeline })
    }

    /// The API as this process itself reaches it, whatever the public URL leads through.
    pub(crate) fn loopback_api(&self) -> String {
        format!("{}/client/v4", PublicUrl::of_listener(self.address))
    }

    /// The URL of a project's production.
    pub(crate) fn site_url(&self, project: &ProjectName) -> String {
        self.urls.project(project)
    }

    /// Stops accepting, lets requests and the running stage finish, and returns.
    pub(crate) async fn shutdown(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.pipeline.shutdown().await;
    }
}

/// Opens the store that the configuration names.
///
/// # Errors
/// The directory cannot be used, or its contents are from a newer version.
pub(crate) async fn open_store(config: &ServeConfig) -> anyhow::Result<Store> {
    let options = StoreOptions {
        admit_foreign_keys: config.admit_foreign_keys,
        blob_grace: config.blob_grace,
        project_delete_deployments_max: config.project_delete_deployments_max,
        ..StoreOptions::new(config.data.clone())
    };
    Store::open(options).await.with_context(|| format!("cannot open the store in {}", config.data.display()))
}

/// Opens the store of a server for its operator, who never means to make a new one.
///
/// # Errors
/// There is no store, or as [`open_store`].
pub(crate) async fn open_existing_store(config: &ServeConfig) -> anyhow::Result<Store> {
    let data = config.data.display();
    ensure!(Store::exists(&config.data), "{data} holds no store; name the server's directory with --data");
    open_store(config).await
}

fn edge_options(config: &ServeConfig, public_url: &PublicUrl) -> EdgeOptions {
    EdgeOptions {
        cache_bytes: config.cache_bytes,
        platform_host: Some(public_url.host.clone()),
        trust_proxy: config.trust_proxy,
        scheme: public_url.scheme.clone(),
        ..EdgeOptions::new(config.domain.clone())
    }
}

fn limits(config: &ServeConfig) -> Limits {
    let defaults = Limits::default();
    // An asset travels as base64 in JSON, so a raised limit needs a body of four thirds and a little.
    let body = (config.file_bytes_max / 3).saturating_mul(4).saturating_add(64 * 1024);
    Limits {
        file_bytes_max: config.file_bytes_max,
        files_max: config.files_max,
        upload_body_bytes_max: defaults.upload_body_bytes_max.max(body),
        ..defaults
    }
}

fn api_state(store: Store, wake: Wake, config: &ServeConfig, urls: SiteUrls) -> ApiState {
    ApiState { store, wake, limits: limits(config), urls, domain_check: config.domain_check }
}

/// Collects unused blobs now and then; a failed collection is tried again the next time.
async fn collect(store: Store, interval: Duration, grace: Duration, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(interval)).await.is_some() {
        match store.collect(grace).await {
            Ok(collected) => tracing::info!(blobs = collected.blobs, bytes = collected.bytes, "collected"),
            Err(error) => tracing::error!(%error, "cannot collect unused blobs"),
        }
    }
}

/// `offprint serve`: runs until it is told to stop.
///
/// # Errors
/// As [`Server::start`].
pub(crate) async fn run(config: ServeConfig) -> anyhow::Result<()> {
    logging::start(&config.log, config.log_format)?;
    let server = Server::start(config).await?;
    if let Some(token) = &server.bootstrap.token {
        output::line(format_args!("The first account was made. Its token is shown this once:"))?;
        output::line(format_args!("export CLOUDFLARE_API_BASE_URL={}/client/v4", server.public_url))?;
        output::line(format_args!("export CLOUDFLARE_ACCOUNT_ID={}", server.bootstrap.account))?;
        output::line(format_args!("export CLOUDFLARE_API_TOKEN={}", token.expose()))?;
    }
    // Scripts wait for this line; it is printed once connections are accepted.
    output::line(format_args!("listening on http://{}", server.address))?;
    told_to_stop().await?;
    tracing::info!("stopping; requests in flight may finish");
    server.shutdown().await;
    Ok(())
}

/// Returns at the first interrupt or termination signal.
///
/// # Errors
/// Signals cannot be received.
pub(crate) async fn told_to_stop() -> anyhow::Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminate.recv() => {}
    }
    Ok(())
}
