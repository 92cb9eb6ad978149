//! From the parts of a form to a deployment. Pure, so that it can run on a thread of its own and be tested
//! with any bytes.

use bytes::Bytes;
use offprint_model::deployment::{Commit, Trigger};
use offprint_model::name::BranchName;
use offprint_model::project::Project;
use offprint_store::{NewDeployment, UploadedConfiguration, WorkerKind};
use offprint_wire::error_code::ErrorCode;
use offprint_wire::json::InvalidMember;
use offprint_wire::worker_configuration::Metadata;
use offprint_wire::{manifest, routes_json, worker_bundle, worker_configuration};

use super::form::Parts;
use crate::error::{ApiError, Result};
use crate::state::Limits;

/// Makes a deployment of the parts of a form.
pub(super) fn read(parts: &Parts, project: &Project, limits: &Limits) -> Result<NewDeployment> {
    let manifest = parts.get("manifest").ok_or(ErrorCode::ManifestMissing)?;
    let assets = manifest::read(manifest, limits.files_max)?;
    let branch = branch(parts, project)?;
    let environment = project.environment_of(&branch);
    let (worker, metadata) = worker(parts)?;
    let configuration = text_of(parts, "wrangler_config_hash")?.map(|hash| -> Result<_> {
        Ok(UploadedConfiguration {
            patch: worker_configuration::patch(&hash, metadata.as_ref(), project.config(environment)),
            hash,
            destination_dir: text_of(parts, "pages_build_output_dir")?,
        })
    });
    Ok(NewDeployment {
        environment,
        branch,
        commit: commit(parts)?,
        trigger: Trigger::AdHoc,
        assets,
        headers: text_of(parts, "_headers")?,
        redirects: text_of(parts, "_redirects")?,
        routes: routes(parts)?,
        worker,
        functions_routing: parts.get("functions-filepath-routing-config.json").cloned(),
        configuration: configuration.transpose()?,
    })
}

/// The branch as typed; without one, the production branch (official description of the call).
pub(super) fn branch(parts: &Parts, project: &Project) -> Result<BranchName> {
    match text_of(parts, "branch")? {
        None => Ok(project.production_branch.clone()),
        Some(name) => BranchName::parse(&name)
            .map_err(|rule| InvalidMember::new("branch", format!("is not valid: {rule}")).into()),
    }
}

fn commit(parts: &Parts) -> Result<Commit> {
    let message = parts.get("commit_message").map(|bytes| std::str::from_utf8(bytes));
    let message = message.transpose().map_err(|_| ErrorCode::InvalidCommitMessage)?;
    let dirty = match text_of(parts, "commit_dirty")?.as_deref() {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(InvalidMember::new("commit_dirty", "must be true or false").into()),
    };
    Ok(Commit {
        hash: text_of(parts, "commit_hash")?.unwrap_or_default(),
        message: message.unwrap_or_default().to_owned(),
        dirty,
    })
}

/// A Worker's bytes, and what they are.
type Worker = (WorkerKind, Bytes);

/// The Worker in the one or the other form. A bundle is read to its end: a broken one is refused now, not
/// when the first visitor comes.
fn worker(parts: &Parts) -> Result<(Option<Worker>, Option<Metadata>)> {
    match (parts.get("_worker.bundle"), parts.get("_worker.js")) {
        (Some(_), Some(_)) => {
            Err(InvalidMember::new("_worker.js", "cannot be sent together with _worker.bundle").into())
        }
        (Some(bundle), None) => {
            let metadata = worker_bundle::read(bundle)?.metadata;
            Ok((Some((WorkerKind::Bundle, bundle.clone())), Some(metadata)))
        }
        (None, Some(script)) => {
            utf8("_worker.js", script)?;
            Ok((Some((WorkerKind::Script, script.clone())), None))
        }
        (None, None) => Ok((None, None)),
    }
}

fn routes(parts: &Parts) -> Result<Option<String>> {
    let routes = text_of(parts, "_routes.json")?;
    if let Some(text) = &routes {
        routes_json::check(text).map_err(|error| {
            ApiError::explained(ErrorCode::InvalidRoutes, format!("The _routes.json is not valid: {error}."))
        })?;
    }
    Ok(routes)
}

/// A part as text; an empty one is as good as none.
fn text_of(parts: &Parts, name: &'static str) -> Result<Option<String>> {
    let text = parts.get(name).map(|bytes| utf8(name, bytes)).transpose()?;
    Ok(text.filter(|text| !text.is_empty()).map(ToOwned::to_owned))
}

fn utf8<'a>(name: &'static str, bytes: &'a [u8]) -> Result<&'a str> {
    std::str::from_utf8(bytes).map_err(|_| InvalidMember::new(name, "must be valid UTF-8").into())
}

#[cfg(test)]
mod tests;
