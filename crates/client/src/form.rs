//! A multipart form as bytes.
//!
//! Written by hand so that a call can be made again: the whole body is one cheap-to-clone buffer.

use bytes::Bytes;

/// A form under construction.
pub(crate) struct Form {
    boundary: String,
    body: Vec<u8>,
}

impl Form {
    pub(crate) fn new() -> Self {
        // 128 random bits: no content holds them by accident.
        let boundary = format!("offprint-{:032x}", rand::random::<u128>());
        Self { boundary, body: Vec::new() }
    }

    /// A field without content type, as browsers send text.
    pub(crate) fn text(&mut self, name: &'static str, value: &[u8]) {
        self.part(&format!("name=\"{name}\""), "", value);
    }

    /// A file part of the same name.
    pub(crate) fn file(&mut self, name: &'static str, value: &[u8]) {
        let disposition = format!("name=\"{name}\"; filename=\"{name}\"");
        self.part(&disposition, "Content-Type: application/octet-stream\r\n", value);
    }

    fn part(&mut self, disposition: &str, headers: &str, value: &[u8]) {
        let boundary = &self.boundary;
        let head = format!("--{boundary}\r\nContent-Disposition: form-data; {disposition}\r\n{headers}\r\n");
        self.body.extend_from_slice(head.as_bytes());
        self.body.extend_from_slice(value);
        self.body.extend_from_slice(b"\r\n");
    }

    /// The content type and the body.
    pub(crate) fn finish(mut self) -> (String, Bytes) {
        self.body.extend_from_slice(format!("--{}--\r\n", self.boundary).as_bytes());
        (format!("multipart/form-data; boundary={}", self.boundary), self.body.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_laid_out_as_wrangler_does() {
        let mut form = Form::new();
        form.text("branch", b"main");
        form.file("_headers", b"/*\n  a: b\n");
        let b = form.boundary.clone();
        let (content_type, body) = form.finish();
        assert_eq!(content_type, format!("multipart/form-data; boundary={b}"));
        let expected = format!(
            "--{b}\r\nContent-Disposition: form-data; name=\"branch\"\r\n\r\nmain\r\n\
             --{b}\r\nContent-Disposition: form-data; name=\"_headers\"; filename=\"_headers\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n/*\n  a: b\n\r\n--{b}--\r\n"
        );
        assert_eq!(body, expected.as_bytes());
    }
}
