//! Uploads of files, and the WebSockets of live logs.

use offprint_wire::asset::UploadResult;
use serde_json::json;

use super::super::operation::{Operation, Security};
use super::super::schema::{Shapes, list, reference, text};
use super::Section;

pub(super) fn operations(shapes: &mut Shapes) -> Vec<Operation> {
    let section = Section("Uploads");
    let hashes = || reference("AssetKeys");
    let mut all = vec![
        section
            .post(
                "/pages/assets/check-missing",
                "checkMissingAssets",
                "Which of these files are not here yet?",
            )
            .takes(hashes())
            .yields(&list(&text())),
        section
            .post("/pages/assets/upload", "uploadAssets", "Upload files.")
            .takes(reference("AssetUploads"))
            .yields(&shapes.of::<UploadResult>()),
        section
            .post(
                "/pages/assets/upsert-hashes",
                "keepAssets",
                "Keep these files: a deployment will name them.",
            )
            .takes(hashes())
            .done(),
    ];
    all = all.into_iter().map(|operation| operation.secured(Security::Uploader)).collect();
    let watch = Section("Deployments")
        .get(
            "/pages/tails/{secret}",
            "watchTail",
            "The WebSocket of a live log, with the subprotocol trace-v1.",
        )
        .secured(Security::Open)
        .with_status("101")
        .answers_as("application/octet-stream", json!({}));
    all.push(watch);
    all
}
