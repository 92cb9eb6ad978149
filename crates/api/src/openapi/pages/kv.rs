//! KV.

use offprint_wire::envelope::CursorInfo;
use offprint_wire::kv::{BulkResult, BulkValues, Key, Namespace};
use serde_json::json;

use super::super::operation::Operation;
use super::super::schema::{Shapes, reference, text, whole_number, words};
use super::{ACCOUNT, Section, enveloped_page};

pub(super) fn operations(shapes: &mut Shapes) -> Vec<Operation> {
    let section = Section("KV");
    let namespace = shapes.of::<Namespace>();
    let namespaces = format!("{ACCOUNT}/storage/kv/namespaces");
    let one = format!("{namespaces}/{{namespace_id}}");
    let mut all = vec![
        section
            .get(&namespaces, "listKvNamespaces", "The namespaces of an account.")
            .query("order", words(&["title", "id"]), "By title, or with `id` the newest first.")
            .pages_of(shapes, &namespace, 20, 1000),
        section
            .post(&namespaces, "createKvNamespace", "Make a namespace.")
            .takes(reference("KvTitle"))
            .yields(&namespace),
        section.get(&one, "getKvNamespace", "A namespace.").yields(&namespace),
        section
            .put(&one, "renameKvNamespace", "Give a namespace another title.")
            .takes(reference("KvTitle"))
            .yields(&namespace),
        section.delete(&one, "deleteKvNamespace", "Delete a namespace with all pairs.").done(),
        section
            .get(&format!("{one}/keys"), "listKvKeys", "The keys of a namespace, by name.")
            .query("prefix", text(), "Only those that begin so.")
            .query("limit", whole_number(1, 1000), "Keys of a page.")
            .query("cursor", text(), "What `result_info` of the page before names.")
            .answers(enveloped_page(&shapes.of::<Key>(), &shapes.of::<CursorInfo>())),
    ];
    all.extend(pairs(&section, &one));
    all.extend(bulk(&section, &one, shapes));
    all
}

fn pairs(section: &Section, one: &str) -> Vec<Operation> {
    let value = format!("{one}/values/{{key_name}}");
    let seconds = || json!({ "type": "integer", "minimum": 60 });
    vec![
        section
            .get(&value, "getKvValue", "The value of a key, as it was put.")
            .answers_as("application/octet-stream", json!({})),
        section
            .put(
                &value,
                "putKvValue",
                "Put a pair: the body is the value, or a form with value and metadata.",
            )
            .query("expiration", seconds(), "When the pair goes, in seconds since 1970.")
            .query("expiration_ttl", seconds(), "After how many seconds the pair goes.")
            .takes_as("application/octet-stream", json!({}))
            .takes_as("multipart/form-data", reference("KvForm"))
            .done(),
        section.delete(&value, "deleteKvValue", "Delete a pair.").done(),
        section
            .get(&format!("{one}/metadata/{{key_name}}"), "getKvMetadata", "What was put beside a value.")
            .yields(&json!({})),
    ]
}

fn bulk(section: &Section, one: &str, shapes: &mut Shapes) -> Vec<Operation> {
    let bulk = format!("{one}/bulk");
    let result = shapes.of::<BulkResult>();
    vec![
        section
            .put(&bulk, "putKvPairs", "Put many pairs: all or none.")
            .takes(reference("KvPairs"))
            .yields(&result),
        section
            .delete(&bulk, "deleteKvPairs", "Delete many pairs: all or none.")
            .takes(reference("KvKeys"))
            .yields(&result),
        section
            .post(&format!("{bulk}/delete"), "deleteKvPairsByPost", "Delete many pairs: all or none.")
            .takes(reference("KvKeys"))
            .yields(&result),
        section
            .post(&format!("{bulk}/get"), "getKvPairs", "The values of many keys.")
            .takes(reference("KvBulkGet"))
            .yields(&shapes.of::<BulkValues>()),
    ]
}
