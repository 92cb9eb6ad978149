//! The first stage: says what will happen, and what the author should know before it does.

use super::{Context, StageError, too_short};
use crate::mask::SECRET_BYTES_MIN;

/// Begins the log of an attempt.
pub(super) async fn run(ctx: &Context<'_>, secrets: &[(String, String)]) -> Result<(), StageError> {
    let (log, deployment) = (ctx.log, ctx.deployment());
    if ctx.lease.attempt() > 1 {
        log.say(format!("The build was interrupted and begins anew (attempt {}).", ctx.lease.attempt()))
            .await;
    }
    let limits = &ctx.options().limits;
    log.say(format!(
        "Building the branch {} for {} (builder: {}, {} s at the most).",
        deployment.branch,
        deployment.environment.as_str(),
        ctx.options().builder.name(),
        limits.time.as_secs_f64(),
    ))
    .await;
    if ctx.work.untrusted {
        log.say("This commit comes from a fork: it is built without secrets and without the build cache.")
            .await;
    }
    for name in too_short(secrets) {
        log.say(format!(
            "Warning: the secret {name} has fewer than {SECRET_BYTES_MIN} characters and cannot be hidden in this log."
        ))
        .await;
    }
    Ok(())
}
