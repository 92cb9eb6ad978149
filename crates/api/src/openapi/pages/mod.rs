//! The operations of the Pages API. Those marked as extensions are not in the real service.

mod account;
mod assets;
mod bodies;
mod d1;
mod deployments;
mod kv;
mod projects;
mod r2;
mod source;

use http::Method;
use serde_json::{Map, Value, json};

use super::operation::{Operation, Security};
use super::schema::{Shapes, members, reference, whole_number};
use crate::front::PREFIX;

/// The sections of the page.
pub(super) const TAGS: [(&str, &str); 8] = [
    ("Accounts", "Pages API: who calls, and the accounts and tokens there are."),
    ("Projects", "Pages API: sites."),
    ("Deployments", "Pages API: immutable published versions of a project, their logs and stages."),
    ("Uploads", "Pages API: files, before a deployment names them."),
    ("Builds from git", "Pages API, extended: repositories, deploy hooks, webhooks, pull requests."),
    ("KV", "KV namespaces and their pairs, as bindings of Functions lead to them."),
    ("D1", "D1 databases, as bindings of Functions lead to them."),
    ("R2", "R2 buckets and their objects, as bindings of Functions lead to them."),
];

const ACCOUNT: &str = "/accounts/{account_id}";
const PROJECT: &str = "/accounts/{account_id}/pages/projects/{project_name}";

/// All operations.
pub(super) fn operations(shapes: &mut Shapes) -> Vec<Operation> {
    let mut all = account::operations(shapes);
    all.extend(projects::operations(shapes));
    all.extend(deployments::operations(shapes));
    all.extend(assets::operations(shapes));
    all.extend(source::operations(shapes));
    all.extend(kv::operations(shapes));
    all.extend(d1::operations(shapes));
    all.extend(r2::operations(shapes));
    all
}

/// What is sent, and the envelopes of what is answered.
pub(super) fn schemas() -> Map<String, Value> {
    let mut all = bodies::sent();
    all.extend(members(json!({
        "Envelope": {
            "type": "object",
            "description": "What is around the answer of a call that did what it was asked.",
            "required": ["result", "success", "errors", "messages"],
            "properties": {
                "success": { "const": true },
                "errors": { "type": "array", "maxItems": 0 },
                "messages": { "type": "array" },
            },
        },
        "Failure": {
            "type": "object",
            "description": "Why a call did not do what it was asked.",
            "required": ["result", "success", "errors", "messages"],
            "properties": {
                "result": { "type": "null" },
                "success": { "const": false },
                "errors": { "type": "array", "minItems": 1, "items": reference("Fault") },
                "messages": { "type": "array" },
            },
        },
    })));
    all
}

/// Operations of one section.
struct Section(&'static str);

impl Section {
    fn operation(&self, method: Method, path: &str, id: &'static str, summary: &'static str) -> Operation {
        Operation::new(Security::Token, self.0, (method, format!("{PREFIX}{path}"), id, summary))
    }

    fn get(&self, path: &str, id: &'static str, summary: &'static str) -> Operation {
        self.operation(Method::GET, path, id, summary)
    }

    fn post(&self, path: &str, id: &'static str, summary: &'static str) -> Operation {
        self.operation(Method::POST, path, id, summary)
    }

    fn put(&self, path: &str, id: &'static str, summary: &'static str) -> Operation {
        self.operation(Method::PUT, path, id, summary)
    }

    fn patch(&self, path: &str, id: &'static str, summary: &'static str) -> Operation {
        self.operation(Method::PATCH, path, id, summary)
    }

    fn delete(&self, path: &str, id: &'static str, summary: &'static str) -> Operation {
        self.operation(Method::DELETE, path, id, summary)
    }
}

/// An envelope around this.
fn enveloped(result: &Value) -> Value {
    json!({ "allOf": [reference("Envelope"), { "type": "object", "properties": { "result": result } }] })
}

/// An envelope around a list, of which `info` says where the page is.
fn enveloped_page(items: &Value, info: &Value) -> Value {
    json!({ "allOf": [reference("Envelope"), {
        "type": "object",
        "required": ["result_info"],
        "properties": { "result": { "type": "array", "items": items }, "result_info": info },
    }] })
}

impl Operation {
    /// Answers with a result.
    fn yields(self, result: &Value) -> Self {
        self.answers(enveloped(result))
    }

    /// Answers that it is done.
    fn done(self) -> Self {
        self.yields(&json!({ "type": "null" }))
    }

    /// Answers with a page of a list that is asked for by number.
    fn pages_of(self, shapes: &mut Shapes, items: &Value, per_page: u64, per_page_max: u64) -> Self {
        let mut size = whole_number(1, per_page_max);
        size["default"] = json!(per_page);
        let mut page = whole_number(1, u64::MAX);
        page["default"] = json!(1);
        self.query("page", page, "Which page.")
            .query("per_page", size, "Items of a page.")
            .answers(enveloped_page(items, &shapes.of::<offprint_wire::envelope::ResultInfo>()))
    }
}
