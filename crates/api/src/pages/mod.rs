//! Cloudflare Pages: projects, deployments, assets, domains.

pub(crate) mod assets;
pub(crate) mod deploy_hooks;
pub(crate) mod deployments;
pub(crate) mod domains;
pub(crate) mod projects;
