//! The beginning: says what will happen, and what the author should know before it does.

use super::Context;
use crate::mask::SECRET_BYTES_MIN;

/// Begins the log of an attempt.
pub(super) async fn run(ctx: &Context<'_>, attempt: u32) {
    let (log, subject) = (ctx.log, ctx.subject);
    if attempt > 1 {
        log.say(format!("The build was interrupted and begins anew (attempt {attempt}).")).await;
    }
    log.say(format!(
        "Building {} (builder: {}, {} s at the most).",
        subject.title,
        ctx.options().builder.name(),
        ctx.options().limits.time.as_secs_f64(),
    ))
    .await;
    if subject.untrusted {
        log.say("This commit comes from a fork: it is built without secrets and without the build cache.")
            .await;
    }
    for name in subject.too_short() {
        log.say(format!(
            "Warning: the secret {name} has fewer than {SECRET_BYTES_MIN} characters and cannot be hidden in this log."
        ))
        .await;
    }
}
