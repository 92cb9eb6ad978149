//! What the APIs work with.

use std::net::IpAddr;
use std::sync::Arc;

use offprint_functions::Tails;
use offprint_resources::Resources;
use offprint_store::{Store, Wake};
use offprint_wire::error_code::ErrorCode;
use offprint_wire::urls::SiteUrls;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::auth::UploadTokens;
use crate::d1::import::Imports;
use crate::error::Result;
use crate::memory::MemoryBudget;

/// What the binary hands in.
#[derive(Clone)]
pub struct ApiState {
    /// The memory of the server.
    pub store: Store,
    /// What bindings of Functions lead to.
    pub resources: Resources,
    /// To poke the pipeline and the edge.
    pub wake: Wake,
    /// How much a client may send.
    pub limits: Limits,
    /// Where the sites are reached.
    pub urls: SiteUrls,
    /// Where the server itself is reached, without a slash at its end: what forges and hooks call.
    pub public_url: String,
    /// Who decides whether a custom domain answers.
    pub domain_check: DomainCheck,
    /// Whether there is somebody who builds from git.
    pub builds: bool,
    /// What Functions say.
    pub tails: Tails,
    /// When the server is about to stop: answers that have no end of their own then end.
    pub stop: CancellationToken,
}

/// The address of whoever asks, as an extension of his request. The binary knows it.
#[derive(Clone, Copy, Debug)]
pub struct ClientAddress(pub IpAddr);

/// Who decides whether a custom domain answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DomainCheck {
    /// Name resolution: a name that leads to this server answers for the project that adds it first. Right
    /// where the projects trust one another.
    #[default]
    Resolve,
    /// The operator alone, through the command.
    Operator,
}

/// How much a client may send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// One asset.
    pub file_bytes_max: usize,
    /// Files of one deployment. Clients learn it from the upload token.
    pub files_max: usize,
    /// The body of one asset upload, base64 and all.
    pub upload_body_bytes_max: usize,
    /// All bodies of asset uploads and deployments that are in memory at once. At least one body of the
    /// largest kind is always let in.
    pub upload_memory_bytes_max: usize,
    /// `_worker.bundle` or `_worker.js`.
    pub worker_bytes_max: usize,
    /// The form field `manifest`.
    pub manifest_bytes_max: usize,
}

impl Default for Limits {
    /// The limits of Cloudflare Pages, with room for its largest legal requests (Pages API, "Limits").
    fn default() -> Self {
        const MIB: usize = 1024 * 1024;
        Self {
            file_bytes_max: 25 * MIB,
            files_max: 20_000,
            upload_body_bytes_max: 64 * MIB,
            upload_memory_bytes_max: 192 * MIB,
            worker_bytes_max: 25 * MIB,
            manifest_bytes_max: 32 * MIB,
        }
    }
}

/// The bodies of webhooks that are in memory at once. Strangers send them, so they have a budget of their own: they
/// keep nobody waiting but one another.
const WEBHOOK_MEMORY_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Each asks the store a few times a second.
const LOG_STREAMS_MAX: usize = 256;

/// What the handlers work with.
pub(crate) struct Context {
    pub(crate) store: Store,
    pub(crate) resources: Resources,
    pub(crate) wake: Wake,
    pub(crate) limits: Limits,
    pub(crate) urls: SiteUrls,
    pub(crate) public_url: String,
    pub(crate) domain_check: DomainCheck,
    pub(crate) builds: bool,
    pub(crate) tails: Tails,
    pub(crate) stop: CancellationToken,
    pub(crate) upload_tokens: UploadTokens,
    pub(crate) memory: MemoryBudget,
    pub(crate) webhook_memory: MemoryBudget,
    pub(crate) log_streams: Arc<Semaphore>,
    pub(crate) imports: Imports,
}

/// The handlers' state.
pub(crate) type Ctx = Arc<Context>;

impl Context {
    pub(crate) fn new(state: ApiState) -> Ctx {
        Arc::new(Self {
            upload_tokens: UploadTokens::new(state.store.signing_key()),
            memory: MemoryBudget::new(state.limits.upload_memory_bytes_max),
            webhook_memory: MemoryBudget::new(WEBHOOK_MEMORY_BYTES_MAX),
            log_streams: Arc::new(Semaphore::new(LOG_STREAMS_MAX)),
            imports: Imports::default(),
            store: state.store,
            resources: state.resources,
            wake: state.wake,
            limits: state.limits,
            urls: state.urls,
            public_url: state.public_url,
            domain_check: state.domain_check,
            builds: state.builds,
            tails: state.tails,
            stop: state.stop,
        })
    }

    /// A build is asked for, or one has ended without its worker; the forge may want to know.
    pub(crate) fn wake_builders(&self) {
        self.wake.pipeline();
        self.wake.feedback();
    }

    /// Refuses what would wait for a builder for ever.
    pub(crate) fn check_builds(&self) -> Result<()> {
        if self.builds { Ok(()) } else { Err(ErrorCode::BuildsUnavailable.into()) }
    }
}
