//! Who is calling, and what they may do.
//!
//! Handlers ask for what they need by the type of an argument: [`Caller`], [`InAccount`], [`InProject`],
//! [`Uploader`]. There is no way to a store call but through the scope that one of them yields.

mod credentials;
mod resource;
mod scope;
mod upload_token;
mod uploader;

pub(crate) use credentials::{Caller, Credentials, address, authenticate};
pub(crate) use resource::{D1, InResource, Kv, R2};
pub(crate) use scope::{InAccount, InProject, Manage, Read, Write, path_parameter};
pub(crate) use upload_token::UploadTokens;
pub(crate) use uploader::Uploader;
