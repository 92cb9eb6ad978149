//! A custom domain, as the Pages API shows it.

use std::borrow::Cow;

use offprint_model::name::Hostname;
use offprint_model::project::{Domain as Model, DomainStatus};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::json::{Node, Read};
use crate::time::Time;

/// A custom domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Domain {
    /// A UUID.
    pub id: String,
    /// The same.
    pub domain_id: String,
    /// The host name.
    pub name: String,
    /// `initializing`, `pending` or `active`.
    #[schemars(extend("enum" = ["initializing", "pending", "active"]))]
    pub status: Cow<'static, str>,
    /// Whether the name leads here.
    pub verification_data: VerificationData,
    /// Whether a certificate could be had.
    pub validation_data: ValidationData,
    /// Always `google`.
    pub certificate_authority: Cow<'static, str>,
    /// Always empty: there are no zones.
    pub zone_tag: String,
    /// When it was added.
    pub created_on: Time,
}

/// Whether a name leads here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VerificationData {
    /// `pending` or `active`.
    #[schemars(extend("enum" = ["pending", "active"]))]
    pub status: Cow<'static, str>,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
}

/// Whether a certificate could be had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ValidationData {
    /// `initializing`, `pending` or `active`.
    #[schemars(extend("enum" = ["initializing", "pending", "active"]))]
    pub status: Cow<'static, str>,
    /// Always `http`.
    pub method: Cow<'static, str>,
}

impl From<&Model> for Domain {
    fn from(model: &Model) -> Self {
        let verification = match model.status {
            DomainStatus::Initializing | DomainStatus::Pending => "pending",
            DomainStatus::Active => "active",
        };
        Self {
            id: model.id.to_string(),
            domain_id: model.id.to_string(),
            name: model.name.to_string(),
            status: Cow::Borrowed(model.status.as_str()),
            verification_data: VerificationData {
                status: Cow::Borrowed(verification),
                error_message: model.error.clone(),
            },
            validation_data: ValidationData {
                status: Cow::Borrowed(model.status.as_str()),
                method: Cow::Borrowed("http"),
            },
            certificate_authority: Cow::Borrowed("google"),
            zone_tag: String::new(),
            created_on: Time(model.created),
        }
    }
}

/// Reads the body of `POST …/domains`: `{"name": "www.example.com"}`.
///
/// # Errors
/// The member that breaks a rule.
pub fn read_request(body: &[u8]) -> Read<Hostname> {
    let value = crate::json::parse(body)?;
    Node::root(&value).object()?.required("name", |name| {
        Hostname::parse(name.str()?).map_err(|rule| name.refuse(format!("is not valid: {rule}")))
    })
}
