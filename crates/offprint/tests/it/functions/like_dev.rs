//! Unmodified wrangler deploys the sample sites, and every route answers as under `wrangler pages dev` of the same
//! release, in one run that asks both.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, Method};
use serde_json::json;

use super::functions;
use crate::support::{Release, TestServer, Wrangler, client};

/// A sample site, how it is deployed, and what is asked of it.
struct Sample {
    site: &'static str,
    /// What follows `wrangler pages deploy`, and `wrangler pages dev`.
    arguments: &'static [&'static str],
    /// What else the former gets. (The latter cannot do without bundling.)
    deployed: &'static [&'static str],
    asked: &'static [(&'static str, &'static str, &'static str)],
}

/// A date that both releases' workerd knows, for sites that do not name one: today's is ahead of the older one's.
const DATE: &str = "2026-04-01";

const SAMPLES: [Sample; 8] = [
    Sample {
        site: "functions-ts",
        arguments: &["public"],
        deployed: &[],
        asked: &[
            ("GET", "/", ""),
            ("GET", "/about.txt", ""),
            ("GET", "/nothing", ""),
            ("GET", "/asset", ""),
            ("GET", "/api/hello?x=1", ""),
            ("POST", "/api/hello", "a body"),
            ("PUT", "/api/hello", "a body"),
            ("HEAD", "/api/hello", ""),
            ("GET", "/api/users/17", ""),
            ("GET", "/api/users/%C3%A4%20b", ""),
            ("GET", "/api/users/", ""),
            ("GET", "/files/a/b%20c", ""),
            ("GET", "/files", ""),
            ("GET", "/pass", ""),
            ("GET", "/boom", ""),
        ],
    },
    Sample {
        site: "functions-modules",
        arguments: &["public"],
        deployed: &[],
        asked: &[
            ("GET", "/", ""),
            ("GET", "/health", ""),
            ("HEAD", "/health", ""),
            ("POST", "/health", ""),
            ("GET", "/api/mods", ""),
            ("GET", "/api/nothing", ""),
        ],
    },
    Sample { site: "advanced-worker-js", arguments: &["public"], deployed: &[], asked: ADVANCED },
    Sample {
        site: "advanced-worker-js",
        arguments: &["public"],
        deployed: &["--no-bundle"],
        asked: ADVANCED,
    },
    Sample { site: "worker-js-directory", arguments: &["public"], deployed: &[], asked: DIRECTORY },
    Sample {
        site: "worker-js-directory",
        arguments: &["public"],
        deployed: &["--no-bundle"],
        asked: DIRECTORY,
    },
    Sample {
        site: "wrangler-toml",
        arguments: &[],
        deployed: &[],
        asked: &[("GET", "/", ""), ("GET", "/vars", ""), ("POST", "/vars", "x"), ("GET", "/nothing", "")],
    },
    Sample {
        site: "wrangler-jsonc-all-bindings",
        arguments: &[],
        deployed: &[],
        asked: &[("GET", "/", ""), ("GET", "/x", "")],
    },
];

const ADVANCED: &[(&str, &str, &str)] = &[
    ("GET", "/", ""),
    ("GET", "/about.txt", ""),
    ("GET", "/api/hello", ""),
    ("POST", "/api/x/y?z", "a body"),
    ("GET", "/api/static/x", ""),
    ("GET", "/nothing", ""),
];

const DIRECTORY: &[(&str, &str, &str)] = &[
    ("GET", "/", ""),
    ("GET", "/about.txt", ""),
    ("GET", "/sum", ""),
    ("GET", "/lazy", ""),
    ("POST", "/about.txt", "x"),
    ("GET", "/nothing", ""),
];

/// Headers that tell what answered, and how.
const TELLING: [&str; 9] = [
    "content-type",
    "location",
    "cache-control",
    "access-control-allow-origin",
    "x-mw",
    "x-head",
    "x-assets-status",
    "x-robots-tag",
    "x-from",
];

/// The configuration of the sample with all bindings, without those.
const LITTLE: &str =
    r#"{ "name": "demo-g", "pages_build_output_dir": "dist", "compatibility_date": "2026-01-15" }"#;

type Told = (u16, BTreeMap<&'static str, String>, String);

async fn ask(http: &Client, origin: &str, host: &str, asked: (&str, &str, &str)) -> Told {
    let (method, path, body) = asked;
    let method: Method = method.parse().unwrap();
    let request = http.request(method, format!("{origin}{path}")).header("host", host);
    let answer = request.body(body.to_owned()).send().await.unwrap();
    let header = |name: &'static str| {
        Some((name, answer.headers().get(name)?.to_str().unwrap().replace("; ", ";").to_lowercase()))
    };
    let (status, headers) = (answer.status().as_u16(), TELLING.into_iter().filter_map(header).collect());
    (status, headers, answer.text().await.unwrap())
}

/// `wrangler pages dev`, until it is dropped.
struct Dev {
    child: Child,
    origin: String,
}

impl Dev {
    async fn start(wrangler: &Wrangler, arguments: &[&str]) -> Self {
        // The port is free now; nobody else on this machine asks for one of these in the next moment.
        let port =
            std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
        let ports = [
            "--ip",
            "127.0.0.1",
            "--port",
            &port,
            "--inspector-port",
            "0",
            "--show-interactive-dev-session=false",
        ];
        let mut command: Command = wrangler.command();
        command.args(["pages", "dev"]).args(arguments).args(ports).stdin(Stdio::null());
        let log = std::fs::File::create(wrangler.directory.path().join("dev.log")).unwrap();
        command.stdout(log.try_clone().unwrap()).stderr(log);
        // Its own group, for it starts others.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut dev = Self { child: command.spawn().unwrap(), origin: format!("http://127.0.0.1:{port}") };
        let http = Client::new();
        for _ in 0..600 {
            if http.get(&dev.origin).send().await.is_ok() {
                return dev;
            }
            if dev.child.try_wait().unwrap().is_some() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("wrangler pages dev does not answer:\n{}", wrangler.directory.read("dev.log"));
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let group = format!("-{}", self.child.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
        let _ = self.child.wait();
    }
}

async fn compare(
    server: &TestServer,
    number: usize,
    sample: &Sample,
    release: Release,
) -> Option<Vec<String>> {
    let site = format!("samples/wrangler-deploy/{}/site", sample.site);
    let directory = crate::support::TestDirectory::copy_of(&site);
    let wrangler = Wrangler::inside(directory, release, server).await?;
    let project = format!("sample-{number}");
    let api = server.api();
    api.create_project(&project).await;
    let date = json!({ "deployment_configs": { "production": { "compatibility_date": DATE } } });
    api.patch(&crate::support::project(&project, "")).json(&date).ok().await;
    let named = ["--project-name", &project, "--branch", "main"];
    wrangler.run(&[&["pages", "deploy"][..], sample.arguments, sample.deployed, &named].concat()).await;

    if sample.site == "wrangler-jsonc-all-bindings" {
        // Under dev some of its bindings, of which the site uses none, want a database or an account of Cloudflare's.
        wrangler.directory.write("wrangler.jsonc", LITTLE);
    }
    let dated = ["--compatibility-date", DATE];
    let has_own_date = sample.arguments.is_empty();
    let arguments = [sample.arguments, if has_own_date { &[] } else { &dated }].concat();
    let dev = Dev::start(&wrangler, &arguments).await;
    let http = client().redirect(Policy::none()).build().unwrap();
    let host = format!("{project}.pages.localhost");
    server.page(&host, "/").await;
    let mut differences = Vec::new();
    for asked in sample.asked {
        let ours = ask(&http, &server.origin(), &host, *asked).await;
        let theirs = ask(&http, &dev.origin, &host, *asked).await;
        if ours != theirs && !is_known(sample.site, *asked, &ours, &theirs) {
            differences.push(format!("{} {asked:?}:\n  here {ours:?}\n  dev  {theirs:?}", sample.site));
        }
    }
    Some(differences)
}

/// Where `wrangler pages dev` does what the real service does not.
fn is_known(_site: &str, asked: (&str, &str, &str), ours: &Told, theirs: &Told) -> bool {
    // It shows an exception with its stack; the real service has a page that says nothing of it.
    asked.1 == "/boom" && ours.0 == theirs.0 && ours.0 == 500
}

async fn samples_answer_as_under_dev(release: Release) {
    let server = functions!();
    let mut differences = Vec::new();
    for (number, sample) in SAMPLES.iter().enumerate() {
        let Some(found) = compare(&server, number, sample, release).await else { return };
        differences.extend(found);
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[tokio::test]
async fn samples_answer_as_under_dev_of_the_pinned_wrangler() {
    samples_answer_as_under_dev(Release::Pinned).await;
}

#[tokio::test]
async fn samples_answer_as_under_dev_of_the_newest_wrangler() {
    samples_answer_as_under_dev(Release::Newest).await;
}
