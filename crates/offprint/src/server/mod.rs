//! The server: wires store, pipeline, edge and APIs together, and takes them down in order.

mod access_log;
mod activity;
mod body;
mod builds;
mod date;
mod doors;
mod fetch_root;
pub(crate) mod functions;
mod http1;
mod http2;
mod lane;
mod listener;
mod metrics;
mod platform;
mod protocol;
mod stop;
mod tls;
mod vigil;
mod workers;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use offprint_api::{ApiState, Limits};
use offprint_edge::{Edge, EdgeOptions};
use offprint_functions::FunctionRuntime;
use offprint_model::name::ProjectName;
use offprint_pipeline::Pipeline;
use offprint_resources::Resources;
use offprint_store::{Bootstrap, Store, StoreOptions, Wake};
use offprint_wire::urls::SiteUrls;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::cli::output;
use crate::config::ServeConfig;
use crate::config::checked::PublicUrl;
use crate::logging;
use crate::own_directory::OwnDirectory;
use access_log::AccessLog;
use doors::Doors;
use functions::Functions;
use listener::Connections;
use metrics::Metrics;
use tls::Tls;

/// A server that runs.
pub(crate) struct Server {
    /// The address it listens on.
    pub(crate) address: SocketAddr,
    /// Where clients reach it.
    pub(crate) public_url: PublicUrl,
    /// The first account, and its token where this start made it.
    pub(crate) bootstrap: Bootstrap,
    urls: SiteUrls,
    tls: Option<Tls>,
    access_log: Option<AccessLog>,
    stop: CancellationToken,
    tasks: TaskTracker,
    pipeline: Pipeline,
    functions: Arc<dyn FunctionRuntime>,
    /// Last, since all of the others are gone when these go.
    #[expect(dead_code, reason = "dropping them removes the directories")]
    own: [OwnDirectory; 2],
}

impl Server {
    /// Opens the store and starts every part. Once this returns, connections are accepted.
    ///
    /// # Errors
    /// The store cannot be opened, or the address cannot be bound.
    pub(crate) async fn start(config: ServeConfig) -> anyhow::Result<Self> {
        let tls = config.tls.clone().map(Tls::load).transpose()?;
        let metrics = Arc::new(Metrics::default());
        let open_log = |log| AccessLog::start(log, Arc::clone(&metrics));
        let access_log = config.access_log.as_ref().map(open_log).transpose()?;
        let store = open_store(&config).await?;
        let bootstrap = first_account(&config, &store).await?;
        let listener = listener::bind(config.listen)
            .with_context(|| format!("cannot listen on {} (is another server running?)", config.listen))?;
        let address = listener.local_addr()?;
        let of_listener = || PublicUrl::of_listener(address, config.tls.is_some());
        let public_url = config.public_url.clone().unwrap_or_else(of_listener);

        let wake = Wake::default();
        let stop = CancellationToken::new();
        let tasks = TaskTracker::new();
        let urls = site_urls(&config, &public_url);
        let resources = Resources::open(store.clone()).context("cannot open the contents of resources")?;
        tasks.spawn(resources.clone().keep_house(stop.clone()));
        let own = [own_directory(&config, "functions")?, own_directory(&config, "sandbox")?];
        let functions = functions::start(&config, &store, &resources, &urls, own[0].path()).await?;
        let edge = start_edge(&config, &public_url, &store, &wake, &functions).await?;
        let mut pipeline_options =
            builds::pipeline_options(&config, &urls, &public_url, &functions.runtime, own[1].path()).await?;
        pipeline_options.fetch_root = Some(fetch_root::through(&edge, &urls));
        let builds = pipeline_options.builds.is_some();
        let pipeline = Pipeline::start(store.clone(), wake.clone(), pipeline_options).await;
        let pipeline = pipeline.context("cannot start the pipeline")?;
        start_chores(&config, &store, tls.as_ref(), access_log.as_ref(), &tasks, &stop);
        let platform = platform::router(
            store.clone(),
            Arc::clone(&metrics),
            Arc::clone(&functions.runtime),
            &public_url.to_string(),
        )
        .merge(offprint_api::router(ApiState {
            store,
            resources,
            wake,
            limits: limits(&config),
            urls: urls.clone(),
            public_url: public_url.to_string(),
            domain_check: config.domain_check,
            builds,
            tails: functions.tails.clone(),
            stop: stop.clone(),
        }));
        let doors = Arc::new(Doors {
            edge,
            worker_body_bytes_max: config.functions.body_bytes_max,
            platform,
            metrics,
            access_log: access_log.clone(),
        });
        let connections = Connections::new(doors, tls.clone(), !config.strict);
        tasks.spawn(connections.serve(listener, stop.clone(), config.shutdown_grace));
        let functions = functions.runtime;
        Ok(Self {
            address,
            public_url,
            bootstrap,
            urls,
            tls,
            access_log,
            stop,
            tasks,
            pipeline,
            functions,
            own,
        })
    }

    /// Where this process itself reaches the server, whatever the public URL leads through.
    pub(crate) fn origin(&self) -> PublicUrl {
        PublicUrl::of_listener(self.address, self.tls.is_some())
    }

    /// The URL of a project's production.
    pub(crate) fn site_url(&self, project: &ProjectName) -> String {
        self.urls.project(project)
    }

    /// At every hangup signal, looks again at the files that others change under a running server.
    ///
    /// # Errors
    /// Signals cannot be received.
    async fn told_to_look_again(&self) -> anyhow::Result<()> {
        if self.tls.is_none() && self.access_log.is_none() {
            // Nothing to look at: then the signal keeps its usual meaning, which is to stop.
            return std::future::pending().await;
        }
        let mut hangup = signal(SignalKind::hangup())?;
        while hangup.recv().await.is_some() {
            if let Some(tls) = &self.tls {
                tls.look().await;
            }
            if let Some(log) = &self.access_log {
                log.reopen();
            }
        }
        Ok(())
    }

    /// Stops accepting, lets requests and the running stage finish, and returns.
    pub(crate) async fn shutdown(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.pipeline.shutdown().await;
        self.functions.shutdown().await;
        if let Some(log) = &self.access_log {
            log.close().await;
        }
    }
}

/// Starts what is done from time to time.
fn start_chores(
    config: &ServeConfig,
    store: &Store,
    tls: Option<&Tls>,
    access_log: Option<&AccessLog>,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) {
    if let Some(interval) = config.gc_interval {
        tasks.spawn(collect(store.clone(), interval, config.blob_grace, stop.clone()));
    }
    if let Some(tls) = tls {
        tasks.spawn(tls.clone().keep_current(stop.clone()));
    }
    if let Some(log) = access_log {
        tasks.spawn(log.clone().tell_of_dropped(stop.clone()));
    }
}

/// What this process alone needs of a kind, below the data directory that others may use as well.
fn own_directory(config: &ServeConfig, kind: &str) -> anyhow::Result<OwnDirectory> {
    let shared = config.data.join(kind);
    OwnDirectory::take(&shared).with_context(|| format!("cannot use {}", shared.display()))
}

async fn first_account(config: &ServeConfig, store: &Store) -> anyhow::Result<Bootstrap> {
    let (account, token) = (config.account_id.clone(), config.bootstrap_token.clone());
    let made = store.bootstrap(account, token, "Offprint", "admin@localhost").await;
    made.context("cannot make the first account")
}

/// A key, a path of usual length, and what JSON adds.
const MANIFEST_BYTES_A_FILE: usize = 256;

/// Opens the store that the configuration names.
///
/// # Errors
/// The directory cannot be used, or its contents are from a newer version.
pub(crate) async fn open_store(config: &ServeConfig) -> anyhow::Result<Store> {
    let options = StoreOptions {
        database: config.database.clone(),
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

fn site_urls(config: &ServeConfig, public_url: &PublicUrl) -> SiteUrls {
    SiteUrls { scheme: public_url.scheme.clone(), domain: config.domain.clone(), port: public_url.port }
}

/// Starts the edge, and closes the circle: it has Functions run, and they find their assets with it.
async fn start_edge(
    config: &ServeConfig,
    public_url: &PublicUrl,
    store: &Store,
    wake: &Wake,
    functions: &Functions,
) -> anyhow::Result<Edge> {
    let (runtime, options) = (Arc::clone(&functions.runtime), edge_options(config, public_url));
    let edge = Edge::start(store.clone(), wake.clone(), runtime, options).await;
    let edge = edge.context("cannot read the routing table")?;
    functions.assets.serve_with(edge.assets_handler());
    Ok(edge)
}

fn edge_options(config: &ServeConfig, public_url: &PublicUrl) -> EdgeOptions {
    EdgeOptions {
        cache_bytes: config.cache_bytes,
        platform_host: Some(public_url.host.clone()),
        trust_proxy: config.trust_proxy,
        scheme: public_url.scheme.clone(),
        strict: config.strict,
        skew_protection: config.skew_protection,
        ..EdgeOptions::new(config.domain.clone())
    }
}

fn limits(config: &ServeConfig) -> Limits {
    let defaults = Limits::default();
    // An asset travels as base64 in JSON, so a raised limit needs a body of four thirds and a little.
    let body = (config.file_bytes_max / 3).saturating_mul(4).saturating_add(64 * 1024);
    // Were there room for one of the largest only, a client on a slow line would keep all others waiting.
    let two_bodies = body.saturating_mul(2);
    Limits {
        file_bytes_max: config.file_bytes_max,
        files_max: config.files_max,
        upload_body_bytes_max: defaults.upload_body_bytes_max.max(body),
        upload_memory_bytes_max: defaults.upload_memory_bytes_max.max(two_bodies),
        manifest_bytes_max: defaults
            .manifest_bytes_max
            .max(config.files_max.saturating_mul(MANIFEST_BYTES_A_FILE)),
        ..defaults
    }
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
    let scheme = if server.tls.is_some() { "https" } else { "http" };
    output::line(format_args!("listening on {scheme}://{}", server.address))?;
    tokio::select! {
        told = told_to_stop() => told?,
        never = server.told_to_look_again() => never?,
    }
    tracing::info!("stopping; requests in flight may finish");
    server.shutdown().await;
    Ok(())
}

/// Returns at the first interrupt or termination signal.
///
/// # Errors
/// Signals cannot be received.
pub(crate) async fn told_to_stop() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminate.recv() => {}
    }
    Ok(())
}
