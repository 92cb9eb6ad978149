//! `…/projects/{project_name}/source`: how the project and its forge reach one another. An extension of the Pages API.
//! Credentials go in and never come out, but for a new webhook secret, which is shown once.

use axum::extract::State;
use offprint_model::config::Patch;
use offprint_model::project::Project;
use offprint_model::secret::Secret;
use offprint_store::{ProjectScope, SourceCredentialsPatch};
use offprint_wire::error_code::ErrorCode;
use offprint_wire::source::Source;
use offprint_wire::source_access::{SourceAccess, read_patch};
use uuid::Uuid;

use crate::answer::Success;
use crate::auth::{InProject, Read, Write};
use crate::body::SmallBody;
use crate::error::Result;
use crate::front::PREFIX;
use crate::state::{Context, Ctx};

pub(crate) async fn show(State(ctx): State<Ctx>, caller: InProject<Read>) -> Result<Success<SourceAccess>> {
    Ok(Success(shown(&ctx, &caller.scope, &caller.project, None).await?))
}

pub(crate) async fn update(
    State(ctx): State<Ctx>,
    caller: InProject<Write>,
    SmallBody(body): SmallBody,
) -> Result<Success<SourceAccess>> {
    let patch = read_patch(&body)?;
    let patch = SourceCredentialsPatch {
        webhook_secret: patch.webhook_secret,
        token: patch.token,
        ssh_key: patch.ssh_key,
        known_hosts: patch.known_hosts,
    };
    ctx.store.change_source_credentials(&caller.scope, patch).await?;
    Ok(Success(shown(&ctx, &caller.scope, &caller.project, None).await?))
}

/// `POST …/source/webhook_secret`: makes a new one; the old one is worthless at once.
pub(crate) async fn renew_webhook_secret(
    State(ctx): State<Ctx>,
    caller: InProject<Write>,
) -> Result<Success<SourceAccess>> {
    // Two of them have 244 random bits.
    let secret = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
    let patch = SourceCredentialsPatch {
        webhook_secret: Patch::Set(Secret::new(secret.clone())),
        ..SourceCredentialsPatch::default()
    };
    ctx.store.change_source_credentials(&caller.scope, patch).await?;
    Ok(Success(shown(&ctx, &caller.scope, &caller.project, Some(secret)).await?))
}

async fn shown(
    ctx: &Context,
    scope: &ProjectScope,
    project: &Project,
    webhook_secret: Option<String>,
) -> Result<SourceAccess> {
    let source = project.source.as_ref().ok_or(ErrorCode::NoSource)?;
    let credentials = ctx.store.source_credentials(scope).await?;
    Ok(SourceAccess {
        source: Source::from(source),
        webhook_url: format!("{}{PREFIX}/pages/webhooks/git/{}", ctx.public_url, project.id),
        webhook_secret,
        webhook_secret_set: credentials.webhook_secret.is_some(),
        token_set: credentials.token.is_some(),
        ssh_key_set: credentials.ssh_key.is_some(),
        known_hosts_set: credentials.known_hosts.is_some(),
    })
}
