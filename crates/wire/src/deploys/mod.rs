//! The shapes of the Deploys API: what its clients ask of lists, what they read, and what they are refused with.
//!
//! "Contract" in the comments means the published description of that API at `/openapi.json`; what it took over from
//! its public model and what is our choice is said there.

pub mod filter;
pub mod order;
pub mod problem;
pub mod record;
