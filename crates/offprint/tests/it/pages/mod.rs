//! The endpoints, in files named after their paths.

mod assets;
mod projects;
