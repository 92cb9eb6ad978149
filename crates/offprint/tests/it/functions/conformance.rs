//! The recorded answers of Cloudflare Pages, asked of the whole server, Workers included.
//!
//! The sites are deployed as people do it: with `offprint deploy`, and by wrangler where `functions/` is to be compiled.
//! The edge's own tests ask the same of the edge alone.

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::functions;
use crate::cli::Shell;
use crate::support::{Release, TestDirectory, TestServer, Wrangler};
use cases::{Answer, Case, SiteSpec};

#[allow(dead_code, reason = "the edge's tests use more of it")]
#[path = "../../../../edge/tests/serving/cases.rs"]
pub(crate) mod cases;

/// As the recorded server was set up.
pub(crate) const SETTINGS: [(&str, &str); 4] = [
    ("OFFPRINT_STRICT", "true"),
    ("OFFPRINT_DOMAIN", "pages.dev"),
    ("OFFPRINT_TRUST_PROXY", "true"),
    ("OFFPRINT_DOMAIN_CHECK", "operator"),
];

/// Deploys a site to production and to a branch for each of its preview hosts, and lets its domains answer.
pub(crate) async fn deploy(server: &TestServer, site: &SiteSpec) -> Option<()> {
    let api = server.api();
    api.create_project(&site.name).await;
    let labels = site.hosts.iter().filter_map(|host| host.strip_suffix(".pages.dev")?.split_once('.'));
    let branches: Vec<&str> = ["main"].into_iter().chain(labels.map(|(label, _)| label)).collect();
    let shell = Shell::at(server).with("OFFPRINT_DATA", server.data().to_str().unwrap());
    if site.requires.iter().any(|what| what == "functions") {
        let directory = TestDirectory::copy_of(&format!("conformance/serving/sites/{}", site.name));
        let wrangler = Wrangler::inside(directory, Release::Newest, server).await?;
        for branch in branches {
            let project = ["--project-name", &site.name, "--branch", branch];
            wrangler.run(&[&["pages", "deploy", "public"][..], &project].concat()).await;
        }
    } else {
        for branch in branches {
            let directory = site.public.to_str().unwrap();
            shell.run(&["deploy", directory, "--project", &site.name, "--branch", branch]).await;
        }
    }
    for host in site.hosts.iter().filter(|host| !host.ends_with(".pages.dev")) {
        let domain = serde_json::json!({ "name": host });
        api.post(&crate::support::project(&site.name, "/domains")).json(&domain).ok().await;
        shell.run(&["domain", "activate", host]).await;
    }
    Some(())
}

/// A connection that sends what it is given, to the letter.
struct Line(SendRequest<Full<Bytes>>);

impl Line {
    async fn open(server: &TestServer) -> Self {
        let stream = TcpStream::connect(server.address()).await.unwrap();
        let (sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Self(sender)
    }

    async fn ask(&mut self, request: Request<()>) -> Answer {
        self.0.ready().await.unwrap();
        let answer = self.0.send_request(request.map(|()| Full::default())).await.unwrap();
        let (parts, body) = answer.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    async fn ask_case(&mut self, case: &Case) -> Answer {
        let tag = match case.etag_request() {
            None => None,
            Some(request) => self.ask(request).await.headers.get("etag").cloned(),
        };
        self.ask(case.request(tag.as_ref().map(|tag| tag.to_str().unwrap()))).await
    }
}

#[tokio::test]
async fn answers_are_those_of_cloudflare_pages_workers_included() {
    let server = functions!(&SETTINGS);
    let sites = cases::sites();
    for site in &sites {
        if deploy(&server, site).await.is_none() {
            return;
        }
    }
    let mut line = Line::open(&server).await;
    let (mut passed, mut of_workers, mut failed) = (0, 0, Vec::new());
    for case in cases::cases() {
        let site = sites.iter().find(|site| site.name == case.site).unwrap();
        let complaints = case.complaints(site, &line.ask_case(&case).await);
        if complaints.is_empty() {
            passed += 1;
            of_workers += usize::from(!site.requires.is_empty());
        } else if !case.is_uncertain {
            failed.push(format!("{} {}: {}", case.id, case.path(), complaints.join("; ")));
        }
    }
    println!("{passed} passed, {of_workers} of them at sites with a Worker");
    assert!(failed.is_empty(), "{} failed:\n{}", failed.len(), failed.join("\n"));
    assert!(passed > 750 && of_workers >= 70, "only {passed} and {of_workers} were asked");
}
