//! The other half of `POST …/deployments`: a build of the repository, asked for by a person or a program.

use axum::extract::Request;
use offprint_model::deployment::{Commit, Trigger};
use offprint_model::name::BranchName;
use offprint_store::{NewBuild, ProjectScope};
use offprint_wire::deployment::Deployment;
use offprint_wire::json::{self, Node};

use crate::body;
use crate::error::Result;
use crate::state::Context;

/// A branch's name in JSON.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// The branch that a body in JSON names, if it names one. No body at all is as good.
pub(super) async fn branch_of_json(request: Request) -> Result<Option<BranchName>> {
    let body = body::read(request, BODY_BYTES_MAX).await?;
    let value = json::parse(&body)?;
    let branch = Node::root(&value).object()?.optional("branch", |node| {
        BranchName::parse(node.str()?).map_err(|rule| node.refuse(format!("is not valid: {rule}")))
    })?;
    Ok(branch)
}

/// Asks for a build of a branch's newest commit. Neither branch control nor watch paths have a say: somebody wants it.
pub(super) async fn create(
    ctx: &Context,
    scope: &ProjectScope,
    project: &offprint_model::project::Project,
    branch: BranchName,
) -> Result<Deployment> {
    ctx.check_builds()?;
    let new = NewBuild {
        environment: project.environment_of(&branch),
        branch,
        commit: Commit::default(),
        trigger: Trigger::AdHoc,
        skip: None,
        untrusted: false,
        pull_request: None,
    };
    let deployment = ctx.store.create_build(scope, new, None).await?;
    ctx.wake_builders();
    Ok(Deployment::new(&deployment, &ctx.urls))
}
