//! The modules of a bundle.

use bytes::Bytes;
use offprint_wire::worker_bundle::{Module as Part, WorkerBundle};

use super::NoPlan;

/// One module.
#[derive(Clone, Debug)]
pub(crate) struct Module {
    /// The name by which others import it.
    pub(crate) name: String,
    pub(crate) kind: ModuleKind,
    pub(crate) body: Bytes,
}

/// What a module is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ModuleKind {
    EsModule,
    CommonJs,
    Wasm,
    Text,
    Data,
    Json,
}

impl Module {
    /// The one module of a Worker that came as a mere script.
    pub(super) fn script(body: Bytes) -> Self {
        Self { name: "_worker.js".into(), kind: ModuleKind::EsModule, body }
    }
}

/// The modules in a bundle, the main one first. `bytes` are those that the bundle was read from.
pub(super) fn of(bytes: &Bytes, bundle: &WorkerBundle<'_>) -> Result<Vec<Module>, NoPlan> {
    let main = &bundle.metadata.main_module;
    let mut modules = Vec::with_capacity(bundle.modules.len());
    for part in &bundle.modules {
        let Some(kind) = kind(part)? else { continue };
        let module = Module { name: name(part.name), kind, body: bytes.slice_ref(part.body) };
        if part.name == main {
            modules.insert(0, module);
        } else {
            modules.push(module);
        }
    }
    Ok(modules)
}

/// What a part is, by the type that the client gave it; `None`: nothing that runs.
fn kind(part: &Part<'_>) -> Result<Option<ModuleKind>, NoPlan> {
    let essence = part.content_type.split(';').next().unwrap_or("").trim();
    Ok(Some(match essence {
        "application/javascript+module" => ModuleKind::EsModule,
        "application/javascript" => ModuleKind::CommonJs,
        "application/wasm" => ModuleKind::Wasm,
        "text/plain" => ModuleKind::Text,
        "application/octet-stream" => ModuleKind::Data,
        "application/json" => ModuleKind::Json,
        "application/source-map" => return Ok(None),
        other => {
            return Err(NoPlan::Unusable(format!(
                "The module {:?} of the Functions has the type {other:?}, which does not run on this server. \
                 ES modules, CommonJS, WebAssembly, text, JSON and data do.",
                part.name
            )));
        }
    }))
}

/// A part's name as it was meant: in a form's header, quotes and line ends are percent-encoded.
fn name(part: &str) -> String {
    part.replace("%22", "\"").replace("%0D", "\r").replace("%0A", "\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use offprint_wire::worker_bundle;

    fn bundle(parts: &[(&str, &str)]) -> Bytes {
        let mut text =
            "--b\r\nContent-Disposition: form-data; name=\"metadata\"\r\n\r\n{\"main_module\":\"m.js\"}\r\n"
                .to_owned();
        for (name, kind) in parts {
            text += &format!(
                "--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\nContent-Type: {kind}\r\n\r\nbody\r\n"
            );
        }
        (text + "--b--\r\n").into()
    }

    #[test]
    fn the_main_module_comes_first_and_maps_are_left_out() {
        let bytes = bundle(&[
            ("a %22q%22/ö.txt", "text/plain"),
            ("m.js", "application/javascript+module"),
            ("m.js.map", "application/source-map"),
            ("b", "application/octet-stream; x=y"),
        ]);
        let modules = of(&bytes, &worker_bundle::read(&bytes).unwrap()).unwrap();
        let seen: Vec<_> = modules.iter().map(|module| (module.name.as_str(), module.kind)).collect();
        assert_eq!(
            seen,
            [("m.js", ModuleKind::EsModule), ("a \"q\"/ö.txt", ModuleKind::Text), ("b", ModuleKind::Data)]
        );
    }

    #[test]
    fn a_type_that_does_not_run_is_named() {
        let bytes = bundle(&[("m.js", "application/javascript+module"), ("x.py", "text/x-python")]);
        let error = of(&bytes, &worker_bundle::read(&bytes).unwrap()).unwrap_err().to_string();
        assert!(error.contains("\"x.py\"") && error.contains("text/x-python"), "{error}");
    }
}
