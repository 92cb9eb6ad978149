//! The description that the server itself publishes, and whether answers are as it says: so every member is in every
//! answer, of either API.

use std::collections::BTreeMap;

use jsonschema::Validator;
use reqwest::Client;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

/// The description, compiled.
pub(crate) struct Published {
    /// Schemas of successes by method, in capitals, and whole path; `None`: not of JSON.
    answers: BTreeMap<(String, String), Option<Validator>>,
    problem: Validator,
    failure: Validator,
}

impl Published {
    /// The description of a server. It is the same for all, so it is read once.
    pub(crate) async fn of(http: &Client, origin: &str) -> &'static Self {
        static PUBLISHED: OnceCell<Published> = OnceCell::const_new();
        let read = async || {
            let answer = http.get(format!("{origin}/openapi.json")).send().await.unwrap();
            Self::compile(&answer.json().await.unwrap())
        };
        PUBLISHED.get_or_init(read).await
    }

    fn compile(document: &Value) -> Self {
        let components = &document["components"];
        let compile = |schema: &Value| {
            let whole = json!({ "allOf": [schema], "components": components });
            jsonschema::options().should_validate_formats(true).build(&whole).unwrap()
        };
        let named = |name: &str| compile(&json!({ "$ref": format!("#/components/schemas/{name}") }));
        let mut answers = BTreeMap::new();
        for (path, methods) in document["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                let responses = operation["responses"].as_object().unwrap();
                let success = responses.iter().find(|(status, _)| !status.ends_with("XX")).unwrap().1;
                let schema = &success["content"]["application/json"]["schema"];
                let validator = (!schema.is_null()).then(|| compile(schema));
                answers.insert((method.to_uppercase(), path.clone()), validator);
            }
        }
        Self { answers, problem: named("Problem"), failure: named("Failure") }
    }

    /// Every operation below a prefix: method, and what follows the prefix.
    pub(crate) fn operations(&self, prefix: &str) -> Vec<(String, String)> {
        let below =
            |(method, path): &(String, String)| Some((method.clone(), path.strip_prefix(prefix)?.to_owned()));
        self.answers.keys().filter_map(below).collect()
    }

    /// Checks an answer. `path` is the whole path, with or without a query.
    pub(crate) fn check(&self, method: &str, path: &str, status: u16, json: &Value) -> Result<(), String> {
        // A base that ends with a slash doubles the one that follows; the server forgives that.
        let path = path.split('?').next().unwrap_or(path).replacen("//", "/", 1);
        let fits = |pattern: &str| {
            pattern.split('/').count() == path.split('/').count()
                && pattern.split('/').zip(path.split('/')).all(|(a, b)| a.starts_with('{') || a == b)
        };
        let found = self.answers.iter().find(|((of, pattern), _)| of == method && fits(pattern));
        let validator = match (status, found) {
            (200..=299, Some((_, Some(validator)))) => validator,
            (200..=299, Some((_, None))) => return Ok(()),
            (200..=299, None) => return Err("is not described".to_owned()),
            _ if path.starts_with("/api") => &self.problem,
            _ => &self.failure,
        };
        let problems: Vec<String> = validator
            .iter_errors(json)
            .map(|error| format!("at {}: {error}", error.instance_path))
            .take(5)
            .collect();
        if problems.is_empty() { Ok(()) } else { Err(problems.join("; ")) }
    }
}
