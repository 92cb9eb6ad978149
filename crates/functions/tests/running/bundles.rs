//! Bundles as wrangler makes them.

use std::fs;
use std::path::Path;

use bytes::Bytes;
use serde_json::{Value, json};

/// The type of an ES module.
pub(crate) const ES: &str = "application/javascript+module";

/// A bundle of one module that exports this `fetch`.
pub(crate) fn fetch(body: &str) -> Bytes {
    script(&format!("export default {{ async fetch(request, env, ctx) {{ {body} }} }}"))
}

/// A bundle of one module.
pub(crate) fn script(source: &str) -> Bytes {
    bundle(&json!({}), &[("main.js", ES, source.as_bytes())])
}

/// A bundle with this metadata, whose first module is the main one.
pub(crate) fn bundle(metadata: &Value, modules: &[(&str, &str, &[u8])]) -> Bytes {
    let mut metadata = metadata.clone();
    metadata["main_module"] = json!(modules[0].0);
    let mut form = Vec::new();
    let mut part = |disposition: &str, body: &[u8]| {
        form.extend(format!("------formdata-undici-01\r\n{disposition}\r\n\r\n").into_bytes());
        form.extend(body);
        form.extend(b"\r\n");
    };
    part("Content-Disposition: form-data; name=\"metadata\"", metadata.to_string().as_bytes());
    for (name, kind, body) in modules {
        let name = name.replace('"', "%22");
        let disposition = format!(
            "Content-Disposition: form-data; name=\"{name}\"; filename=\"{name}\"\r\nContent-Type: {kind}"
        );
        part(&disposition, body);
    }
    form.extend(b"------formdata-undici-01--\r\n");
    form.into()
}

/// The bundle in a captured form of `testdata/samples/wrangler-deploy`.
pub(crate) fn captured(sample: &str) -> Bytes {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../testdata/samples/wrangler-deploy")
        .join(sample)
        .join("deployment-create.body");
    let form = fs::read(path).unwrap();
    let find = |bytes: &[u8], wanted: &[u8]| {
        bytes.windows(wanted.len()).position(|window| window == wanted).expect("the form has such a part")
    };
    let boundary = [b"\r\n", &form[..find(&form, b"\r\n")]].concat();
    let part = &form[find(&form, b"name=\"_worker.bundle\"")..];
    let body = &part[find(part, b"\r\n\r\n") + 4..];
    Bytes::copy_from_slice(&body[..find(body, &boundary)])
}
