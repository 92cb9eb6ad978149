//! A typed client of any Pages-compatible API.
//!
//! Knows nothing of the server: it speaks the Cloudflare Pages v4 API to whoever answers it. In reading order:
//! [`error`] says what can go wrong and what to do next, [`retry`] when a call is made again, [`types`] what
//! the API answers, [`PagesApi`] and [`PagesClient`] are the calls, [`follow`] reads a log while it is written,
//! [`tail`] what Functions say while they run, and [`deploy`] is the engine that brings a folder live.

pub mod deploy;
pub mod error;
pub mod follow;
pub mod retry;
pub mod tail;
pub mod types;

mod api;
mod form;
mod sse;
mod transport;

pub use api::deployments::NewDeployment;
pub use api::source::SourceAccessChange;
pub use api::tokens::{NewToken, TokenPermission};
pub use api::uploads::UploadSession;
pub use api::{ClientOptions, PagesApi, PagesClient};
pub use error::{ClientError, ErrorKind};
