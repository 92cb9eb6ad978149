//! `_worker.bundle`: a multipart body without its header, whose boundary is its first line.
//!
//! Pages API, "The worker bundle and its companions". Its part `metadata` says which module is the main
//! one and how the Worker is configured; every other part is a module. Parsing is a pure function over
//! the bytes and copies none of the modules.

use std::borrow::Cow;

use memchr::memmem;

use crate::worker_configuration::{self, Metadata};

const PARTS_MAX: usize = 10_000;
const BOUNDARY_BYTES_MAX: usize = 200;

/// A bundle that cannot be read, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("The _worker.bundle is not valid: {0}.")]
pub struct InvalidBundle(pub Cow<'static, str>);

/// A Worker as it was uploaded.
#[derive(Clone, Debug)]
pub struct WorkerBundle<'a> {
    /// What the part `metadata` says.
    pub metadata: Metadata,
    /// The modules, in the order they were sent.
    pub modules: Vec<Module<'a>>,
}

/// One module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Module<'a> {
    /// The name by which other modules import it.
    pub name: &'a str,
    /// Its media type, which says what kind of module it is; empty when absent.
    pub content_type: &'a str,
    /// Its bytes.
    pub body: &'a [u8],
}

/// Reads a bundle.
///
/// # Errors
/// See [`InvalidBundle`].
pub fn read(bytes: &[u8]) -> Result<WorkerBundle<'_>, InvalidBundle> {
    let (metadata, modules): (Vec<_>, Vec<_>) =
        parts(bytes)?.into_iter().partition(|part| part.name == "metadata");
    let [metadata] = metadata.as_slice() else {
        return Err(InvalidBundle("it must have exactly one part \"metadata\"".into()));
    };
    let metadata = worker_configuration::read_metadata(metadata.body)
        .map_err(|error| InvalidBundle(format!("in its metadata, {error}").into()))?;
    if !modules.iter().any(|module| module.name == metadata.main_module) {
        let main = &metadata.main_module;
        return Err(InvalidBundle(format!("its main_module {main:?} is not among its parts").into()));
    }
    Ok(WorkerBundle { metadata, modules })
}

fn parts(bytes: &[u8]) -> Result<Vec<Module<'_>>, InvalidBundle> {
    let invalid = |why: &'static str| InvalidBundle(why.into());
    let line_end = memmem::find(bytes, b"\r\n").ok_or(invalid("it has no boundary in its first line"))?;
    let delimiter = &bytes[..line_end];
    if !delimiter.starts_with(b"--") || !(3..=BOUNDARY_BYTES_MAX).contains(&delimiter.len()) {
        return Err(invalid("its first line is not a boundary"));
    }
    let separator = [b"\r\n", delimiter].concat();
    let finder = memmem::Finder::new(&separator);
    let mut parts = Vec::new();
    let mut rest = &bytes[line_end + 2..];
    loop {
        let end = finder.find(rest).ok_or(invalid("it ends early"))?;
        parts.push(part(&rest[..end])?);
        if parts.len() > PARTS_MAX {
            return Err(invalid("it has too many parts"));
        }
        rest = &rest[end + separator.len()..];
        if rest.starts_with(b"--") {
            return Ok(parts);
        }
        rest = rest.strip_prefix(b"\r\n").ok_or(invalid("a boundary is not followed by a line break"))?;
    }
}

fn part(bytes: &[u8]) -> Result<Module<'_>, InvalidBundle> {
    let invalid = |why: &'static str| InvalidBundle(why.into());
    let head_end = memmem::find(bytes, b"\r\n\r\n").ok_or(invalid("a part has no headers"))?;
    let head = std::str::from_utf8(&bytes[..head_end])
        .map_err(|_| invalid("the headers of a part are not UTF-8"))?;
    let header = |wanted: &str| {
        head.split("\r\n").find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.trim().eq_ignore_ascii_case(wanted).then_some(value.trim())
        })
    };
    let name = header("content-disposition")
        .and_then(|value| parameter(value, "name"))
        .filter(|name| !name.is_empty())
        .ok_or(invalid("a part has no name"))?;
    Ok(Module { name, content_type: header("content-type").unwrap_or(""), body: &bytes[head_end + 4..] })
}

/// The quoted parameter of a header's value. (Clients write a quote inside a name as `%22`.)
fn parameter<'a>(value: &'a str, wanted: &str) -> Option<&'a str> {
    let mut rest = value.split_once(';')?.1;
    loop {
        let (name, after) = rest.split_once("=\"")?;
        let (text, after) = after.split_once('"')?;
        if name.trim_matches([' ', ';']).eq_ignore_ascii_case(wanted) {
            return Some(text);
        }
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle(parts: &[(&str, &str)]) -> Vec<u8> {
        let mut text = String::new();
        for (name, body) in parts {
            text += &format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{body}\r\n");
        }
        (text + "--b--\r\n").into_bytes()
    }

    #[test]
    fn modules_are_found_with_their_types() {
        let bytes = b"------x-01\r\nContent-Disposition: form-data; name=\"metadata\"\r\n\r\n{\"main_module\":\"a.js\"}\r\n\
            ------x-01\r\ncontent-disposition: form-data; filename=\"a;name=b.js\"; name=\"a.js\"\r\n\
            Content-Type: application/javascript+module\r\n\r\nline\r\n--x\r\n\r\n------x-01--\r\n";
        let read = read(bytes).unwrap();
        assert_eq!(
            read.modules,
            [Module {
                name: "a.js",
                content_type: "application/javascript+module",
                body: b"line\r\n--x\r\n"
            }]
        );
    }

    #[test]
    fn broken_bundles_say_what_is_wrong() {
        let ok = r#"{"main_module":"m"}"#;
        for (bytes, why) in [
            (vec![], "no boundary"),
            (b"hello\r\n".to_vec(), "not a boundary"),
            (b"--b\r\nx".to_vec(), "ends early"),
            (b"--b\r\nx\r\n--b--".to_vec(), "no headers"),
            (b"--b\r\nContent-Type: a\r\n\r\nx\r\n--b--".to_vec(), "no name"),
            (bundle(&[("m", "x")]), "exactly one part \"metadata\""),
            (bundle(&[("metadata", ok)]), "main_module \"m\" is not among"),
            (bundle(&[("metadata", "{"), ("m", "x")]), "not valid JSON"),
            (bundle(&[("metadata", "{}"), ("m", "x")]), "main_module is required"),
        ] {
            let error = read(&bytes).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
        assert!(read(&bundle(&[("metadata", ok), ("m", "x")])).is_ok());
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let _ = read(&bytes);
        }

        #[test]
        fn a_cut_bundle_is_refused(cut in 0usize..60) {
            let whole = bundle(&[("metadata", r#"{"main_module":"m"}"#), ("m", "export default {}")]);
            let end = whole.len() - 5 - cut;
            proptest::prop_assert!(read(&whole[..end]).is_err());
        }
    }
}
