//! A `multipart/form-data` body written by hand, so that a test can also write a wrong one.

const BOUNDARY: &str = "----formdata-offprint-0123456789";

/// A form in the making; parts keep their order.
#[derive(Clone, Default)]
pub(crate) struct Form(Vec<u8>);

impl Form {
    /// A form with nothing but a manifest.
    pub(crate) fn manifest(manifest: &serde_json::Value) -> Self {
        Self::default().text("manifest", manifest.to_string())
    }

    /// A text part, without content type, as wrangler writes it.
    pub(crate) fn text(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.part(&format!("name=\"{name}\""), None, value.as_ref())
    }

    /// A file part, whose file name is the part's name.
    pub(crate) fn file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        let disposition = format!("name=\"{name}\"; filename=\"{name}\"");
        self.part(&disposition, Some("application/octet-stream"), content.as_ref())
    }

    fn part(mut self, disposition: &str, content_type: Option<&str>, content: &[u8]) -> Self {
        let mut head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; {disposition}\r\n");
        if let Some(content_type) = content_type {
            head.push_str(&format!("Content-Type: {content_type}\r\n"));
        }
        self.0.extend_from_slice(head.as_bytes());
        self.0.extend_from_slice(b"\r\n");
        self.0.extend_from_slice(content);
        self.0.extend_from_slice(b"\r\n");
        self
    }

    /// Content type and body.
    pub(crate) fn finish(self) -> (String, Vec<u8>) {
        let (content_type, mut body) = self.unfinished();
        body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
        (content_type, body)
    }

    /// Content type and a body without the closing boundary.
    pub(crate) fn unfinished(self) -> (String, Vec<u8>) {
        (format!("multipart/form-data; boundary={BOUNDARY}"), self.0)
    }
}
