//! `/pages/webhooks`: what others call to start a build. None of it has a token: a deploy hook is known by its
//! address, a forge by the signature of what it sends.

pub(crate) mod deploy_hooks;
pub(crate) mod git;
mod sender;
