//! What the tests stand on: the real server, actors that talk to it, and the released clients.

mod api;
#[path = "../../../../store/tests/support/cluster.rs"]
mod cluster;
mod deploys;
mod forge;
mod form;
mod git_server;
mod openapi;
mod peers;
mod push;
mod recorder;
mod server;
mod site;
mod socket;
mod wrangler;

pub(crate) use cluster::Cluster;

pub(crate) use api::{Answer, Api, Call, project, projects};
pub(crate) use deploys::{Deploys, id};
pub(crate) use forge::{Dialect, FORGE_TOKEN, FakeForge};
pub(crate) use form::Form;
pub(crate) use git_server::{GitServer, Repository};
pub(crate) use openapi::{Operation, operations, resource_operations};
pub(crate) use peers::{Peers, TestDirectory, skip, testdata};
pub(crate) use push::Webhook;
pub(crate) use recorder::{Recorded, Recorder};
pub(crate) use server::{ACCOUNT, TOKEN, TestServer, client, fixture, host_of};
pub(crate) use site::{Site, asset_key, base64, upload, upload_body, upload_token, went_live};
pub(crate) use socket::Socket;
pub(crate) use wrangler::{Release, Wrangler};

use std::sync::{Arc, Mutex};

/// Answers that broke the published description, gathered while a test runs and reported at its end.
#[derive(Clone, Default)]
pub(crate) struct Violations(Arc<Mutex<Vec<String>>>);

impl Violations {
    /// Checks one answer of the API and keeps what is wrong with it.
    pub(crate) fn check(&self, method: &str, path: &str, status: u16, body: &[u8]) {
        if let Err(problem) = openapi::check(method, path, status, body) {
            self.0.lock().unwrap().push(format!("{method} {path} -> {status}: {problem}"));
        }
    }

    /// Keeps something that is wrong.
    pub(crate) fn note(&self, problem: String) {
        self.0.lock().unwrap().push(problem);
    }

    fn report(&self) -> String {
        self.0.lock().unwrap().join("\n")
    }
}
