//! Cloudflare Pages: projects, deployments, assets, domains; and what starts builds from git.

pub(crate) mod assets;
pub(crate) mod deploy_hooks;
pub(crate) mod deployments;
pub(crate) mod domains;
pub(crate) mod projects;
pub(crate) mod tails;
pub(crate) mod webhooks;
