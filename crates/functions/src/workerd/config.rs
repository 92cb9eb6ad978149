//! The configuration of one deployment's processes.
//!
//! A text file beside the files that it embeds: modules in `m/`, values in `v/`. Addresses of sockets are relative to the
//! directory that a process starts in, so that each has its own and their paths are short wherever the server keeps them.
//! A compiled configuration starts no sooner (64 to 73 ms, within the noise).
//!
//! There are two texts: a process tells of its calls, or it is quiet. A tail worker is asked about every call, and that
//! costs nearly as much as a small call itself (9,000 against 5,000 requests/s on one core), whoever wants to know.

use std::fmt::Write;

use bytes::Bytes;

use super::capnp::text;
use super::outlets::Outlet;
use super::program::Program;
use crate::bindings::Resource;
use crate::plan::{ModuleKind, Plan, Variable};
use crate::tail;

/// The socket that requests come in by, as the configuration names it.
pub(super) const SOCKET: &str = "http";
/// The header that tells a process whether the visitor uses https; it takes it away.
pub(super) const PROTO_HEADER: &str = "offprint-proto";
/// The header with what becomes `request.cf`; the process takes it away.
pub(super) const CF_HEADER: &str = "offprint-cf";
/// Where the sockets of a process are, in the directory that it starts in.
pub(super) const SOCKETS: &str = "s";

/// The service that is told of every call.
const TAILER: &str = r#"    (name = "tailer", worker = (compatibilityDate = "2025-01-01",
      modules = [(name = "tail.js", esModule = embed "tail.js")],
      bindings = [(name = "SINK", service = "tail")])),
"#;

/// Longer secrets do not fit into an environment.
const ENVIRONMENT_BYTES_MAX: usize = 100_000;

/// Everything that a deployment's processes are started with.
pub(super) struct Config {
    /// The text of the file, for a process that tells of its calls.
    pub(super) telling: String,
    /// The same for one that is quiet.
    pub(super) quiet: String,
    /// The files that it embeds, by their paths beside it.
    pub(super) files: Vec<(String, Bytes)>,
    /// The environment: secrets, which so are in no file.
    pub(super) environment: Vec<(String, String)>,
    /// The sockets that a process is to find, by name.
    pub(super) outlets: Vec<(String, Outlet)>,
}

impl Config {
    /// What a plan becomes. `heap_bytes` bounds the heap of JavaScript.
    pub(super) fn new(plan: &Plan, program: &Program, heap_bytes: u64) -> Self {
        let mut made = Self {
            telling: String::new(),
            quiet: String::new(),
            files: vec![
                ("tail.js".into(), Bytes::from_static(tail::WORKER.as_bytes())),
                ("missing.js".into(), Bytes::from_static(include_bytes!("missing.js"))),
            ],
            environment: Vec::new(),
            outlets: Vec::new(),
        };
        let modules = made.modules(plan);
        let variables = made.variables(plan);
        let (services, bindings) = made.services(plan);
        let date = text(&program.compatibility_date(plan).date);
        let flags: Vec<_> = plan.compatibility_flags.iter().map(|flag| text(flag)).collect();
        let render = |tailer: &str, tails: &str| {
            format!(
                r#"using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  v8Flags = ["--max-old-space-size={heap}"],
  logging = (structuredLogging = true),
  services = [
    (name = "user", worker = .user),
{tailer}{services}  ],
  sockets = [(name = "{SOCKET}", service = "user",
    http = (forwardedProtoHeader = "{PROTO_HEADER}", cfBlobHeader = "{CF_HEADER}"))],
  extensions = [(modules = [
    (name = "offprint:missing", internal = true, esModule = embed "missing.js")])],
);
const user :Workerd.Worker = (
  compatibilityDate = {date},
  compatibilityFlags = [{flags}],
  modules = [
{modules}  ],
  bindings = [
{variables}{bindings}  ],
  cacheApiOutbound = "cache",
{tails});
"#,
                heap = heap_bytes >> 20,
                flags = flags.join(", "),
            )
        };
        let (telling, quiet) = (render(TAILER, "  tails = [\"tailer\"],\n"), render("", ""));
        (made.telling, made.quiet) = (telling, quiet);
        made
    }

    fn file(&mut self, path: String, content: Bytes) -> String {
        let embedded = format!("embed {}", text(&path));
        self.files.push((path, content));
        embedded
    }

    fn modules(&mut self, plan: &Plan) -> String {
        let mut list = String::new();
        for (number, module) in plan.modules.iter().enumerate() {
            let kind = match module.kind {
                ModuleKind::EsModule => "esModule",
                ModuleKind::CommonJs => "commonJsModule",
                ModuleKind::Wasm => "wasm",
                ModuleKind::Text => "text",
                ModuleKind::Data => "data",
                ModuleKind::Json => "json",
            };
            let file = self.file(format!("m/{number}"), module.body.clone());
            let _ = writeln!(list, "    (name = {}, {kind} = {file}),", text(&module.name));
        }
        list
    }

    fn variables(&mut self, plan: &Plan) -> String {
        let mut list = String::new();
        for (number, (name, variable)) in plan.variables.iter().enumerate() {
            let mut embed =
                |value: &String| self.file(format!("v/{number}"), Bytes::from(value.clone().into_bytes()));
            let value = match variable {
                Variable::Text(value) => format!("text = {}", embed(value)),
                Variable::Json(value) => format!("json = {}", embed(value)),
                Variable::Secret(value) => {
                    let value = value.expose();
                    if value.len() > ENVIRONMENT_BYTES_MAX || value.contains('\0') {
                        format!("text = {}", embed(value))
                    } else {
                        let name = format!("SECRET_{number}");
                        self.environment.push((name.clone(), value.clone()));
                        format!("fromEnvironment = {}", text(&name))
                    }
                }
            };
            let _ = writeln!(list, "    (name = {}, {value}),", text(name));
        }
        list
    }

    /// The services behind sockets, and the bindings that lead to them.
    fn services(&mut self, plan: &Plan) -> (String, String) {
        let mut services = String::new();
        let mut external = |made: &mut Self, name: &str, outlet: Outlet, http: &str| {
            let address = text(&format!("unix:{SOCKETS}/{name}"));
            let _ = writeln!(
                services,
                "    (name = {}, external = (address = {address}, http = ({http}))),",
                text(name)
            );
            made.outlets.push((name.to_owned(), outlet));
        };
        let proto = format!("forwardedProtoHeader = \"{PROTO_HEADER}\"");
        external(self, "assets", Outlet::Assets, &proto);
        external(self, "internet", Outlet::Egress, "style = proxy");
        external(self, "tail", Outlet::Tail, "");
        external(self, "cache", Outlet::Resource(plan.cache.clone()), "");
        let mut bindings = "    (name = \"ASSETS\", service = \"assets\"),\n".to_owned();
        for (number, (name, resource)) in plan.resources.iter().enumerate() {
            let service = format!("b{number}");
            external(self, &service, Outlet::Resource(resource.clone()), "");
            let _ = writeln!(bindings, "    (name = {}, {}),", text(name), binding(resource, &service));
        }
        for (number, (name, target)) in plan.services.iter().enumerate() {
            let service = format!("s{number}");
            external(self, &service, Outlet::Service(target.clone()), &proto);
            let _ = writeln!(bindings, "    (name = {}, service = {}),", text(name), text(&service));
        }
        for (name, what) in &plan.missing {
            let message = text(&format!("The binding {name} ({what}) does not exist on this server."));
            let _ = writeln!(
                bindings,
                "    (name = {}, wrapped = (moduleName = \"offprint:missing\", \
                 innerBindings = [(name = \"message\", text = {message})])),",
                text(name)
            );
        }
        (services, bindings)
    }
}

/// How a resource's service is bound.
fn binding(resource: &Resource, service: &str) -> String {
    let service = text(service);
    match resource {
        Resource::Kv { .. } => format!("kvNamespace = {service}"),
        Resource::R2 { .. } => format!("r2Bucket = {service}"),
        Resource::D1 { .. } => format!(
            "wrapped = (moduleName = \"cloudflare-internal:d1-api\", \
             innerBindings = [(name = \"fetcher\", service = {service})])"
        ),
        Resource::Cache { .. } => format!("service = {service}"),
    }
}
