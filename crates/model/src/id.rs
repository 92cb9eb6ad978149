//! Typed identifiers.
//!
//! An id is an opaque string on the wire: some clients send ids that are not UUIDs, and the right answer
//! to those is "not found", not "malformed". Mixing two kinds of id does not compile.

use std::fmt;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(String);

        impl $name {
            /// Wraps an id as it was read; any text is accepted.
            pub fn new(id: impl Into<String>) -> Self {
                Self(id.into())
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

ids! {
    /// A tenant: 32 lower-case hex digits, as in the Cloudflare API.
    AccountId;
    /// A project: a UUID.
    ProjectId;
    /// A deployment: a UUID whose first eight hex digits name its host.
    DeploymentId;
    /// What a deployment serves: a manifest, rules and perhaps a Worker.
    BuildId;
    /// One operation of publishing a build: create, retry, rollback.
    DeployId;
    /// A custom domain of a project: a UUID.
    DomainId;
    /// An API token: 32 hex digits.
    TokenId;
    /// A resource: 32 hex digits for a KV namespace and an R2 bucket, a UUID for a D1 database.
    ResourceId;
}

impl DeploymentId {
    /// The first eight characters: the deployment's own host label.
    pub fn short(&self) -> &str {
        self.0.get(..8).unwrap_or(&self.0)
    }
}
