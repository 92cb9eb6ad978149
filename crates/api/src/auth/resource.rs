//! The resource of the path: a KV namespace, a D1 database or an R2 bucket.

use std::marker::PhantomData;

use axum::extract::FromRequestParts;
use http::request::Parts;
use offprint_model::id::ResourceId;
use offprint_model::resource::ResourceKind;
use offprint_store::{AccountScope, Resource, StoreError};

use crate::auth::scope::{InAccount, Needs, path_parameter};
use crate::error::{ApiError, Result};
use crate::state::Ctx;

/// A kind of resource as a type.
pub(crate) trait Kind: Send {
    const KIND: ResourceKind;
}

/// A KV namespace, named in the path by its id.
pub(crate) struct Kv;

impl Kind for Kv {
    const KIND: ResourceKind = ResourceKind::Kv;
}

/// A D1 database, named in the path by its id or its name.
pub(crate) struct D1;

impl Kind for D1 {
    const KIND: ResourceKind = ResourceKind::D1;
}

/// An R2 bucket, named in the path by its name.
pub(crate) struct R2;

impl Kind for R2 {
    const KIND: ResourceKind = ResourceKind::R2;
}

/// The caller may do `P` with a resource of this kind, and this is the one.
pub(crate) struct InResource<P, K> {
    pub(crate) scope: AccountScope,
    pub(crate) resource: Resource,
    kind: PhantomData<(P, K)>,
}

impl<P: Needs, K: Kind> FromRequestParts<Ctx> for InResource<P, K> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, ctx: &Ctx) -> Result<Self> {
        let scope = InAccount::<P>::from_request_parts(parts, ctx).await?.scope;
        let resource = match K::KIND {
            ResourceKind::Kv => {
                let id = ResourceId::new(path_parameter(parts, "namespace_id").await?);
                ctx.store.resource(&scope, K::KIND, &id).await?
            }
            ResourceKind::D1 => {
                let name = path_parameter(parts, "database_id").await?;
                match ctx.store.resource(&scope, K::KIND, &ResourceId::new(&name)).await {
                    Err(StoreError::NotFound(_)) => {
                        ctx.store.resource_by_name(&scope, K::KIND, &name).await?
                    }
                    found => found?,
                }
            }
            ResourceKind::R2 => {
                let name = path_parameter(parts, "bucket_name").await?;
                ctx.store.resource_by_name(&scope, K::KIND, &name).await?
            }
        };
        Ok(Self { scope, resource, kind: PhantomData })
    }
}
