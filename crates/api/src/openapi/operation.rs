//! One operation of the description, whichever API it belongs to.

use http::Method;
use serde_json::{Map, Value, json};

use super::schema::{reference, text};

/// What authenticates a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Security {
    /// `Authorization: Bearer` with an API key of the Deploys API.
    Key,
    /// An API token of the Pages API, which is the same, or e-mail and key.
    Token,
    /// The upload token of a project, or an API token.
    Uploader,
    /// Something in the address or the body that only the right caller knows.
    Open,
}

impl Security {
    fn described(self) -> Value {
        match self {
            Self::Key | Self::Uploader => json!([{ "bearer": [] }]),
            Self::Token => json!([{ "bearer": [] }, { "authEmail": [], "authKey": [] }]),
            Self::Open => json!([]),
        }
    }

    /// How this API refuses.
    fn refusal(self) -> &'static str {
        match self {
            Self::Key => "#/components/responses/Problem",
            Self::Token | Self::Uploader | Self::Open => "#/components/responses/Failure",
        }
    }
}

/// An operation.
pub(super) struct Operation {
    pub(super) method: Method,
    /// The whole path.
    pub(super) path: String,
    pub(super) id: &'static str,
    summary: &'static str,
    tag: &'static str,
    parameters: Vec<Value>,
    /// Schemas by media type, and whether there must be a body.
    body: Option<(Map<String, Value>, bool)>,
    status: &'static str,
    /// Schemas of a success by media type.
    answers: Map<String, Value>,
    security: Security,
    is_extension: bool,
}

/// Method, path, operation id, summary.
pub(super) type Words = (Method, String, &'static str, &'static str);

impl Operation {
    pub(super) fn new(security: Security, tag: &'static str, (method, path, id, summary): Words) -> Self {
        Self {
            method,
            path,
            id,
            summary,
            tag,
            parameters: Vec::new(),
            body: None,
            status: "200",
            answers: Map::new(),
            security,
            is_extension: false,
        }
    }

    /// What a success answers in JSON.
    pub(super) fn answers(self, schema: Value) -> Self {
        self.answers_as("application/json", schema)
    }

    /// What a success answers in this media type.
    pub(super) fn answers_as(mut self, media_type: &str, schema: Value) -> Self {
        self.answers.insert(media_type.to_owned(), schema);
        self
    }

    /// A success has this status.
    pub(super) fn with_status(self, status: &'static str) -> Self {
        Self { status, ..self }
    }

    /// JSON that must be sent.
    pub(super) fn takes(self, schema: Value) -> Self {
        self.takes_as("application/json", schema)
    }

    /// JSON that may be sent.
    pub(super) fn may_take(self, schema: Value) -> Self {
        let mut taking = self.takes(schema);
        if let Some((_, required)) = &mut taking.body {
            *required = false;
        }
        taking
    }

    /// What must be sent, in this media type.
    pub(super) fn takes_as(mut self, media_type: &str, schema: Value) -> Self {
        let (types, _) = self.body.get_or_insert_with(|| (Map::new(), true));
        types.insert(media_type.to_owned(), schema);
        self
    }

    /// A parameter of the query that may be left out; to the Pages API one without a value is as one that is not there.
    pub(super) fn query(self, name: &str, schema: Value, about: &str) -> Self {
        let mut parameter =
            json!({ "name": name, "in": "query", "required": false, "schema": schema, "description": about });
        if self.security != Security::Key {
            parameter["allowEmptyValue"] = json!(true);
        }
        self.parameter(parameter)
    }

    /// Any parameter that is not in the path.
    pub(super) fn parameter(mut self, parameter: Value) -> Self {
        self.parameters.push(parameter);
        self
    }

    /// The real service has no such call.
    pub(super) fn extension(self) -> Self {
        Self { is_extension: true, ..self }
    }

    /// What authenticates it, where that is not what its API asks for elsewhere.
    pub(super) fn secured(self, security: Security) -> Self {
        Self { security, ..self }
    }

    /// As it stands in the document.
    pub(super) fn described(self) -> Value {
        let mut parameters: Vec<Value> = path_parameters(&self.path).map(path_parameter).collect();
        parameters.extend(self.parameters);
        if self.security == Security::Key && self.method == Method::POST {
            parameters.push(idempotency_key());
        }
        let content = |types: Map<String, Value>| {
            let content =
                types.into_iter().map(|(media_type, schema)| (media_type, json!({ "schema": schema })));
            Value::Object(content.collect())
        };
        let refusal = json!({ "$ref": self.security.refusal() });
        let mut described = json!({
            "operationId": self.id,
            "summary": self.summary,
            "tags": [self.tag],
            "parameters": parameters,
            "security": self.security.described(),
            "responses": {
                self.status: {
                    "description": "Done.",
                    "headers": { "x-request-id": { "required": true, "schema": text() } },
                    "content": content(self.answers),
                },
                "414": { "description": "The address is longer than 64 KiB. Neither API has seen the call: no body." },
                "4XX": refusal,
                "5XX": refusal,
            },
        });
        if let Some((types, required)) = self.body {
            described["requestBody"] = json!({ "required": required, "content": content(types) });
        }
        if self.is_extension {
            described["x-extension"] = json!(true);
        }
        described
    }
}

/// The names in braces.
fn path_parameters(path: &str) -> impl Iterator<Item = &str> {
    path.split('{').skip(1).filter_map(|rest| rest.split('}').next())
}

fn path_parameter(name: &str) -> Value {
    json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string", "minLength": 1 } })
}

fn idempotency_key() -> Value {
    json!({
        "name": "Idempotency-Key", "in": "header", "required": false,
        "schema": { "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$" },
        "description": "The same key with the same call is answered as the first time, for 24 hours.",
    })
}

/// Both ways to refuse, by the name under which operations refer to them.
pub(super) fn refusals() -> Value {
    let refusal = |schema: &str| {
        json!({
            "description": "Why the call was refused.",
            "headers": { "x-request-id": { "required": true, "schema": text() } },
            "content": { "application/json": { "schema": reference(schema) } },
        })
    };
    json!({ "Problem": refusal("Problem"), "Failure": refusal("Failure") })
}
