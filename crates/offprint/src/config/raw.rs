//! The settings exactly as typed: flags, variables and the keys of `offprint.toml`.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Deserialize;

/// Settings of the server. Each is a flag, an `OFFPRINT_*` variable and a key of `offprint.toml`.
#[derive(Clone, Debug, Default, Deserialize, clap::Args)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(crate) struct ServeFlags {
    /// Configuration file [default: offprint.toml, where it exists]
    #[arg(long, env = "OFFPRINT_CONFIG", value_name = "FILE")]
    #[serde(skip)]
    pub(crate) config: Option<PathBuf>,

    /// Directory that holds everything the server remembers [default: .offprint]
    #[arg(long, env = "OFFPRINT_DATA", value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,

    /// PostgreSQL database for the metadata, as postgres://USER@HOST/DATABASE; the password may come from PGPASSWORD or
    /// ~/.pgpass [default: SQLite in the data directory]
    #[arg(long, env = "OFFPRINT_DATABASE", value_name = "URL", hide_env_values = true)]
    pub(crate) database: Option<String>,

    /// Address and port to listen on; port 0 picks a free one [default: 127.0.0.1:8788]
    #[arg(long, env = "OFFPRINT_LISTEN", value_name = "ADDR:PORT")]
    pub(crate) listen: Option<String>,

    /// Sites answer below this domain, as PROJECT.DOMAIN [default: pages.localhost]
    #[arg(long, env = "OFFPRINT_DOMAIN", value_name = "DOMAIN")]
    pub(crate) domain: Option<String>,

    /// URL under which clients reach the server; its scheme and port are those of the sites
    /// [default: http:// and the address listened on]
    #[arg(long, env = "OFFPRINT_PUBLIC_URL", value_name = "URL")]
    pub(crate) public_url: Option<String>,

    /// PEM file of the certificate and its chain: the server speaks HTTPS; read again when it changes
    #[arg(long, env = "OFFPRINT_TLS_CERT", value_name = "FILE")]
    pub(crate) tls_cert: Option<PathBuf>,

    /// PEM file of the certificate's private key
    #[arg(long, env = "OFFPRINT_TLS_KEY", value_name = "FILE")]
    pub(crate) tls_key: Option<PathBuf>,

    /// Answer and limit exactly as Cloudflare Pages does, without what Offprint adds
    #[arg(long, env = "OFFPRINT_STRICT", num_args = 0..=1, default_missing_value = "true")]
    pub(crate) strict: Option<bool>,

    /// Seconds that assets of a replaced deployment stay reachable where the new one lacks them; 0: not at all
    /// [default: 604800]
    #[arg(long, env = "OFFPRINT_SKEW_PROTECTION", value_name = "SECONDS")]
    pub(crate) skew_protection: Option<u64>,

    /// Largest asset, in bytes [default: 104857600; strict: 26214400]
    #[arg(long, env = "OFFPRINT_FILE_BYTES_MAX", value_name = "BYTES")]
    pub(crate) file_bytes_max: Option<usize>,

    /// Most assets in one deployment [default: 100000; strict: 20000]
    #[arg(long, env = "OFFPRINT_FILES_MAX", value_name = "COUNT")]
    pub(crate) files_max: Option<usize>,

    /// Most deployments a project may have and still be deleted in one call; 0 sets no limit [default: 100]
    #[arg(long, env = "OFFPRINT_PROJECT_DELETE_DEPLOYMENTS_MAX", value_name = "COUNT")]
    pub(crate) project_delete_deployments_max: Option<u64>,

    /// Accept assets whose key is not the hash of their content
    #[arg(long, env = "OFFPRINT_ADMIT_FOREIGN_KEYS", num_args = 0..=1, default_missing_value = "true")]
    pub(crate) admit_foreign_keys: Option<bool>,

    /// Who lets a custom domain answer: resolve (it leads here) or operator (`offprint domain activate`)
    /// [default: resolve]
    #[arg(long, env = "OFFPRINT_DOMAIN_CHECK", value_name = "WHO")]
    pub(crate) domain_check: Option<String>,

    /// Believe X-Forwarded-Proto and the last address of X-Forwarded-For; only behind a proxy that sets them
    #[arg(long, env = "OFFPRINT_TRUST_PROXY", num_args = 0..=1, default_missing_value = "true")]
    pub(crate) trust_proxy: Option<bool>,

    /// Seconds that an unused blob is kept [default: 3600]
    #[arg(long, env = "OFFPRINT_BLOB_GRACE", value_name = "SECONDS")]
    pub(crate) blob_grace: Option<u64>,

    /// Seconds between two collections of unused blobs; 0 never collects [default: 3600]
    #[arg(long, env = "OFFPRINT_GC_INTERVAL", value_name = "SECONDS")]
    pub(crate) gc_interval: Option<u64>,

    /// Bytes of memory for hot assets [default: 268435456]
    #[arg(long, env = "OFFPRINT_CACHE_BYTES", value_name = "BYTES")]
    pub(crate) cache_bytes: Option<u64>,

    /// Seconds that requests in flight get to finish at shutdown [default: 30]
    #[arg(long, env = "OFFPRINT_SHUTDOWN_GRACE", value_name = "SECONDS")]
    pub(crate) shutdown_grace: Option<u64>,

    /// Id of the first account, 32 hex digits, made where it is absent
    #[arg(long, env = "OFFPRINT_ACCOUNT_ID", value_name = "ID")]
    pub(crate) account_id: Option<String>,

    /// Token of the first account, made where it is absent
    #[arg(long, env = "OFFPRINT_BOOTSTRAP_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub(crate) bootstrap_token: Option<String>,

    /// What to log, in the form of RUST_LOG [default: info]
    #[arg(long, env = "OFFPRINT_LOG", value_name = "FILTER")]
    pub(crate) log: Option<String>,

    /// Log format: text or json [default: text]
    #[arg(long, env = "OFFPRINT_LOG_FORMAT", value_name = "FORMAT")]
    pub(crate) log_format: Option<String>,

    /// File for a line of JSON about every request; - is standard output [default: none]
    #[arg(long, env = "OFFPRINT_ACCESS_LOG", value_name = "FILE", allow_hyphen_values = true)]
    pub(crate) access_log: Option<PathBuf>,

    /// Share of the requests that are logged there, above 0 and at most 1 [default: 1]
    #[arg(long, env = "OFFPRINT_ACCESS_LOG_SAMPLE", value_name = "RATE")]
    pub(crate) access_log_sample: Option<f64>,

    /// What runs builds: bubblewrap, process (no walls: whoever can push can read everything here) or off
    /// [default: bubblewrap where it works, else off]
    #[arg(long, env = "OFFPRINT_BUILDER", value_name = "NAME")]
    pub(crate) builder: Option<String>,

    /// Builds that run at once [default: 2]
    #[arg(long, env = "OFFPRINT_BUILD_WORKERS", value_name = "COUNT")]
    pub(crate) build_workers: Option<usize>,

    /// Builds of one account that run at once; 0 sets no limit [default: 1]
    #[arg(long, env = "OFFPRINT_BUILDS_PER_ACCOUNT", value_name = "COUNT")]
    pub(crate) builds_per_account: Option<u32>,

    /// Seconds that a build may take [default: 1200]
    #[arg(long, env = "OFFPRINT_BUILD_TIMEOUT", value_name = "SECONDS")]
    pub(crate) build_timeout: Option<u64>,

    /// Bytes of memory for one build [default: 4294967296]
    #[arg(long, env = "OFFPRINT_BUILD_MEMORY", value_name = "BYTES")]
    pub(crate) build_memory: Option<u64>,

    /// CPUs for one build [default: 2]
    #[arg(long, env = "OFFPRINT_BUILD_CPUS", value_name = "COUNT")]
    pub(crate) build_cpus: Option<u32>,

    /// Processes and threads of one build [default: 1024]
    #[arg(long, env = "OFFPRINT_BUILD_PIDS", value_name = "COUNT")]
    pub(crate) build_pids: Option<u64>,

    /// Bytes of disk for one build [default: 10737418240]
    #[arg(long, env = "OFFPRINT_BUILD_DISK", value_name = "BYTES")]
    pub(crate) build_disk: Option<u64>,

    /// Host names, host:port, addresses and networks that builds reach although they are not public, separated by
    /// commas
    #[arg(long, env = "OFFPRINT_BUILD_ALLOW", value_name = "LIST")]
    pub(crate) build_allow: Option<String>,

    /// Directory of tools for builds, read-only; it, or its bin, leads their PATH; may be given several times,
    /// in the variable separated by colons
    #[arg(long, env = "OFFPRINT_BUILD_TOOLS", value_name = "DIR", value_delimiter = ':')]
    pub(crate) build_tools: Option<Vec<PathBuf>>,

    /// wrangler, which compiles Functions in builds: the directory of its package, or its script
    /// [default: the one in the server's own folder of tools, else the one on the PATH]
    #[arg(long, env = "OFFPRINT_WRANGLER", value_name = "PATH")]
    pub(crate) wrangler: Option<PathBuf>,

    /// Repositories below this directory of the server's machine may be built [default: none]
    #[arg(long, env = "OFFPRINT_LOCAL_REPOSITORIES", value_name = "DIR")]
    pub(crate) local_repositories: Option<PathBuf>,

    /// Seconds between two looks for new commits in repositories that are polled; 0 never looks [default: 60]
    #[arg(long, env = "OFFPRINT_POLL_INTERVAL", value_name = "SECONDS")]
    pub(crate) poll_interval: Option<u64>,

    /// What runs Functions: auto (workerd where it is found), workerd (or the server does not start) or off
    /// [default: auto]
    #[arg(long, env = "OFFPRINT_FUNCTIONS", value_name = "NAME")]
    pub(crate) functions: Option<String>,

    /// The program workerd [default: the one in the server's own folder of tools, else the one on the PATH]
    #[arg(long, env = "OFFPRINT_WORKERD", value_name = "FILE")]
    pub(crate) workerd: Option<PathBuf>,

    /// What is around the processes of Functions: bubblewrap, or process (no walls but those of workerd itself)
    /// [default: bubblewrap where it works, else process]
    #[arg(long, env = "OFFPRINT_FUNCTIONS_ISOLATION", value_name = "NAME")]
    pub(crate) functions_isolation: Option<String>,

    /// Processes of Functions at one moment [default: 64]
    #[arg(long, env = "OFFPRINT_FUNCTIONS_PROCESSES", value_name = "COUNT")]
    pub(crate) functions_processes: Option<usize>,

    /// The same of one project [default: 16]
    #[arg(long, env = "OFFPRINT_FUNCTIONS_PROCESSES_PER_PROJECT", value_name = "COUNT")]
    pub(crate) functions_processes_per_project: Option<usize>,

    /// Bytes of memory for one process of Functions [default: 268435456]
    #[arg(long, env = "OFFPRINT_FUNCTIONS_MEMORY", value_name = "BYTES")]
    pub(crate) functions_memory: Option<u64>,

    /// Seconds without a request after which production's Functions stop; the next request starts them [default: 600]
    #[arg(long, env = "OFFPRINT_FUNCTIONS_IDLE", value_name = "SECONDS")]
    pub(crate) functions_idle: Option<u64>,

    /// The same for previews [default: 60]
    #[arg(long, env = "OFFPRINT_FUNCTIONS_IDLE_PREVIEW", value_name = "SECONDS")]
    pub(crate) functions_idle_preview: Option<u64>,

    /// Seconds that Functions may take to start [default: 10]
    #[arg(long, env = "OFFPRINT_FUNCTIONS_START_TIMEOUT", value_name = "SECONDS")]
    pub(crate) functions_start_timeout: Option<u64>,

    /// Seconds that a Function may compute without a pause before it answers [default: 30]
    #[arg(long, env = "OFFPRINT_FUNCTIONS_COMPUTE_TIMEOUT", value_name = "SECONDS")]
    pub(crate) functions_compute_timeout: Option<u64>,

    /// Seconds until a Function must have begun its answer [default: 100]
    #[arg(long, env = "OFFPRINT_FUNCTIONS_ANSWER_TIMEOUT", value_name = "SECONDS")]
    pub(crate) functions_answer_timeout: Option<u64>,

    /// Longest request body for a Function, in bytes [default: 104857600]
    #[arg(long, env = "OFFPRINT_FUNCTIONS_BODY_BYTES_MAX", value_name = "BYTES")]
    pub(crate) functions_body_bytes_max: Option<u64>,

    /// Host names, host:port, addresses and networks that Functions reach although they are not public, separated by
    /// commas
    #[arg(long, env = "OFFPRINT_FUNCTIONS_ALLOW", value_name = "LIST")]
    pub(crate) functions_allow: Option<String>,
}

/// Which store, for the commands that an operator runs beside a server.
#[derive(clap::Args)]
pub(crate) struct StoreFlags {
    /// The server's configuration file [default: offprint.toml, where it exists]
    #[arg(long, env = "OFFPRINT_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// The server's data directory; the server may run meanwhile [default: .offprint]
    #[arg(long, env = "OFFPRINT_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
    /// The server's PostgreSQL database [default: SQLite in the data directory]
    #[arg(long, env = "OFFPRINT_DATABASE", value_name = "URL", hide_env_values = true)]
    database: Option<String>,
}

impl StoreFlags {
    /// The same as flags of the server, nothing else set.
    pub(crate) fn of_server(self) -> ServeFlags {
        ServeFlags { config: self.config, data: self.data, database: self.database, ..Default::default() }
    }
}

/// Where settings are looked for when no file is named.
const DEFAULT_FILE: &str = "offprint.toml";

impl ServeFlags {
    /// Fills what was not typed from the configuration file.
    ///
    /// # Errors
    /// A named file that cannot be read, or a file with an unknown key or a value of the wrong type.
    pub(crate) fn with_file(self) -> anyhow::Result<Self> {
        let path = match &self.config {
            Some(path) => path.clone(),
            None if Path::new(DEFAULT_FILE).exists() => DEFAULT_FILE.into(),
            None => return Ok(self),
        };
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read the configuration file {}", path.display()))?;
        let file: Self = toml::from_str(&text)
            .with_context(|| format!("{} is not a valid configuration", path.display()))?;
        Ok(self.or(file))
    }

    fn or(self, file: Self) -> Self {
        Self {
            config: self.config,
            data: self.data.or(file.data),
            database: self.database.or(file.database),
            listen: self.listen.or(file.listen),
            domain: self.domain.or(file.domain),
            public_url: self.public_url.or(file.public_url),
            tls_cert: self.tls_cert.or(file.tls_cert),
            tls_key: self.tls_key.or(file.tls_key),
            strict: self.strict.or(file.strict),
            skew_protection: self.skew_protection.or(file.skew_protection),
            file_bytes_max: self.file_bytes_max.or(file.file_bytes_max),
            files_max: self.files_max.or(file.files_max),
            project_delete_deployments_max: self
                .project_delete_deployments_max
                .or(file.project_delete_deployments_max),
            admit_foreign_keys: self.admit_foreign_keys.or(file.admit_foreign_keys),
            domain_check: self.domain_check.or(file.domain_check),
            trust_proxy: self.trust_proxy.or(file.trust_proxy),
            blob_grace: self.blob_grace.or(file.blob_grace),
            gc_interval: self.gc_interval.or(file.gc_interval),
            cache_bytes: self.cache_bytes.or(file.cache_bytes),
            shutdown_grace: self.shutdown_grace.or(file.shutdown_grace),
            account_id: self.account_id.or(file.account_id),
            bootstrap_token: self.bootstrap_token.or(file.bootstrap_token),
            log: self.log.or(file.log),
            log_format: self.log_format.or(file.log_format),
            access_log: self.access_log.or(file.access_log),
            access_log_sample: self.access_log_sample.or(file.access_log_sample),
            builder: self.builder.or(file.builder),
            build_workers: self.build_workers.or(file.build_workers),
            builds_per_account: self.builds_per_account.or(file.builds_per_account),
            build_timeout: self.build_timeout.or(file.build_timeout),
            build_memory: self.build_memory.or(file.build_memory),
            build_cpus: self.build_cpus.or(file.build_cpus),
            build_pids: self.build_pids.or(file.build_pids),
            build_disk: self.build_disk.or(file.build_disk),
            build_allow: self.build_allow.or(file.build_allow),
            build_tools: self.build_tools.or(file.build_tools),
            wrangler: self.wrangler.or(file.wrangler),
            local_repositories: self.local_repositories.or(file.local_repositories),
            poll_interval: self.poll_interval.or(file.poll_interval),
            functions: self.functions.or(file.functions),
            workerd: self.workerd.or(file.workerd),
            functions_isolation: self.functions_isolation.or(file.functions_isolation),
            functions_processes: self.functions_processes.or(file.functions_processes),
            functions_processes_per_project: self
                .functions_processes_per_project
                .or(file.functions_processes_per_project),
            functions_memory: self.functions_memory.or(file.functions_memory),
            functions_idle: self.functions_idle.or(file.functions_idle),
            functions_idle_preview: self.functions_idle_preview.or(file.functions_idle_preview),
            functions_start_timeout: self.functions_start_timeout.or(file.functions_start_timeout),
            functions_compute_timeout: self.functions_compute_timeout.or(file.functions_compute_timeout),
            functions_answer_timeout: self.functions_answer_timeout.or(file.functions_answer_timeout),
            functions_body_bytes_max: self.functions_body_bytes_max.or(file.functions_body_bytes_max),
            functions_allow: self.functions_allow.or(file.functions_allow),
        }
    }
}
