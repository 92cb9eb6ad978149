//! Schemas of entities, their lists and filters, from their descriptions; and of what is answered beside them.

use offprint_model::listing::{
    DEPTH_MAX, Direction, Entity, Field, KEYS_MAX, Kind, NODES_MAX, PATTERN_CHARS_MAX, Relation, VALUES_MAX,
};
use offprint_store::PAGE_ROWS_MAX;
use offprint_wire::deploys::filter::TEXT_CHARS_MAX;
use offprint_wire::deploys::problem::ProblemCode;
use serde_json::{Map, Value, json};

use super::super::schema::{members, reference, text, whole};
use super::bodies::{WITHOUT_NUL, sent};
use crate::deploys_api::list::{INCLUDE_DELETED, Is, shorthands};

/// A backslash takes the next character as it is, so there must be one.
const LIKE: &str = r"^([^\\\u0000]|\\[^\u0000])*$";

/// All schemas by name.
pub(in crate::openapi) fn all() -> Map<String, Value> {
    let mut schemas = Map::new();
    for entity in Entity::ALL {
        let name = entity.name();
        schemas.insert(name.to_owned(), object(entity, &[]));
        schemas.insert(format!("{name}Filter"), filter(entity));
        if !matches!(entity, Entity::BuildStep | Entity::DeployStep) {
            schemas.insert(format!("{name}OrderBy"), order(entity));
            schemas.insert(format!("{name}Page"), page(entity));
        }
    }
    for (entity, steps) in [(Entity::Build, "BuildStep"), (Entity::Deploy, "DeployStep")] {
        let steps = json!({ "type": "array", "items": reference(steps) });
        schemas.insert(format!("{}WithSteps", entity.name()), object(entity, &[("steps", steps)]));
    }
    let secret = json!({ "type": "string", "description": "What authenticates; shown this once." });
    schemas.insert("NewApiKeyWithSecret".into(), object(Entity::ApiKey, &[("secret", secret)]));
    let shared = [
        ("TextTest", Kind::Text),
        ("NumberTest", Kind::Number),
        ("TimeTest", Kind::Time),
        ("FlagTest", Kind::Flag),
    ];
    schemas.extend(shared.map(|(name, kind)| (name.to_owned(), tests(kind))));
    schemas.extend(general());
    schemas.extend(sent());
    schemas
}

fn object(entity: Entity, more: &[(&str, Value)]) -> Value {
    let mut properties = Map::new();
    for field in entity.fields() {
        properties.insert(field.name.to_owned(), schema_of(entity, field));
    }
    properties.extend(more.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone())));
    let required: Vec<&String> = properties.keys().collect();
    json!({
        "type": "object",
        "required": required,
        "properties": properties,
        "additionalProperties": false,
    })
}

fn schema_of(entity: Entity, field: &Field) -> Value {
    let mut schema = value_of(field.kind);
    match (entity, field.name) {
        (_, "metadata" | "data") => schema = json!({ "type": "object" }),
        (_, "appIds" | "filter") => schema = json!({ "type": "array", "items": { "type": "string" } }),
        (Entity::App, "config") => schema = reference("AppConfig"),
        (Entity::App, "target") => schema = reference("Target"),
        _ => {}
    }
    if field.nullable {
        schema = match (schema.get("type").and_then(Value::as_str), schema.get("enum")) {
            (Some(_), Some(_)) | (None, _) => json!({ "anyOf": [schema, { "type": "null" }] }),
            (Some(kind), None) => {
                schema["type"] = json!([kind, "null"]);
                schema
            }
        };
    }
    if schema.get("$ref").is_none() {
        schema["description"] = json!(field.about);
    }
    schema
}

fn value_of(kind: Kind) -> Value {
    match kind {
        Kind::Id | Kind::Text => json!({ "type": "string" }),
        Kind::Word(words) => json!({ "type": "string", "enum": words }),
        Kind::Number => json!({ "type": "integer" }),
        Kind::Time => json!({ "type": "string", "format": "date-time" }),
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Json => json!({}),
    }
}

/// What a field may be compared with.
fn compared_with(kind: Kind) -> Value {
    match kind {
        Kind::Id | Kind::Text => {
            json!({ "type": "string", "pattern": WITHOUT_NUL, "maxLength": TEXT_CHARS_MAX })
        }
        kind => value_of(kind),
    }
}

fn filter(entity: Entity) -> Value {
    let own = reference(&format!("{}Filter", entity.name()));
    let mut properties = Map::new();
    for name in ["AND", "OR"] {
        properties.insert(name.into(), json!({ "type": "array", "items": own }));
    }
    properties.insert("NOT".into(), own);
    for field in entity.fields().iter().filter(|field| field.queried) {
        properties.insert(field.name.into(), tests_of(field));
    }
    for relation in entity.relations() {
        properties.insert(relation.name.into(), related(relation));
    }
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

/// Tests of words are each field's own; those of the other kinds are shared.
fn tests_of(field: &Field) -> Value {
    match field.kind {
        Kind::Id | Kind::Text => reference("TextTest"),
        Kind::Number => reference("NumberTest"),
        Kind::Time => reference("TimeTest"),
        Kind::Flag => reference("FlagTest"),
        Kind::Word(_) | Kind::Json => tests(field.kind),
    }
}

fn tests(kind: Kind) -> Value {
    let value = compared_with(kind);
    let mut properties = Map::new();
    for operator in kind.operators() {
        let operand = match *operator {
            "in" | "notIn" => json!({ "type": "array", "items": value, "maxItems": VALUES_MAX }),
            "isNull" | "isNotNull" => json!({ "type": "boolean" }),
            "like" | "ilike" | "notLike" | "notIlike" => {
                json!({ "type": "string", "pattern": LIKE, "maxLength": PATTERN_CHARS_MAX })
            }
            _ => value.clone(),
        };
        properties.insert((*operator).to_owned(), operand);
    }
    json!({ "anyOf": [
        value,
        { "type": "null" },
        { "type": "object", "properties": properties, "additionalProperties": false, "minProperties": 1 },
    ] })
}

fn related(relation: &Relation) -> Value {
    let inner = reference(&format!("{}Filter", relation.to.name()));
    if !relation.many {
        return inner;
    }
    json!({
        "type": "object",
        "properties": { "some": inner, "none": inner, "every": inner },
        "additionalProperties": false,
        "minProperties": 1,
    })
}

fn order(entity: Entity) -> Value {
    let directions: Vec<&str> = Direction::NAMED.iter().map(|(name, _)| *name).collect();
    let direction = json!({ "type": "string", "enum": directions });
    let fields = entity.fields().iter().filter(|field| field.queried);
    let properties: Map<String, Value> = fields.map(|field| (field.name.into(), direction.clone())).collect();
    json!({
        "type": "array",
        "maxItems": KEYS_MAX,
        "items": {
            "type": "object",
            "properties": properties,
            "additionalProperties": false,
            "minProperties": 1,
            "maxProperties": 1,
        },
    })
}

fn page(entity: Entity) -> Value {
    json!({
        "type": "object",
        "required": ["data", "pageInfo"],
        "properties": {
            "data": { "type": "array", "items": reference(entity.name()), "maxItems": PAGE_ROWS_MAX },
            "pageInfo": reference("PageInfo"),
        },
        "additionalProperties": false,
    })
}

/// The parameters of a list.
pub(super) fn list_parameters(entity: Entity) -> Vec<Value> {
    let name = entity.name();
    let query = |name: &str, schema: Value, about: String| json!({ "name": name, "in": "query", "required": false, "schema": schema, "description": about });
    let json_of = |name: &str, schema: String, about: String| {
        json!({
            "name": name, "in": "query", "required": false, "description": about,
            "content": { "application/json": { "schema": reference(&schema) } },
        })
    };
    let text = || json!({ "type": "string" });
    let mut parameters = vec![
        query(
            "limit",
            json!({ "type": "integer", "minimum": 1, "maximum": PAGE_ROWS_MAX, "default": PAGE_ROWS_MAX }),
            "Rows of the page.".into(),
        ),
        query("after", text(), "The page after this cursor.".into()),
        query("before", text(), "The page before this cursor; not together with after.".into()),
        query("ids", text(), format!("Only these, separated by commas; {VALUES_MAX} at the most.")),
        json_of(
            "filter",
            format!("{name}Filter"),
            format!("A condition as JSON: {DEPTH_MAX} levels and {NODES_MAX} conditions at the most."),
        ),
        json_of(
            "orderBy",
            format!("{name}OrderBy"),
            "The order as JSON; the newest first without it, and always by id in the end.".into(),
        ),
    ];
    for shorthand in shorthands(entity) {
        let Some(field) = entity.field(shorthand.field) else { continue };
        let how = match shorthand.is {
            Is::Equal => "is this",
            Is::After => "is after this",
            Is::Before => "is before this",
        };
        parameters.push(query(shorthand.name, compared_with(field.kind), format!("{} {how}.", field.name)));
    }
    if entity == Entity::App {
        let words: Vec<&str> = INCLUDE_DELETED.iter().map(|(word, _)| *word).collect();
        let schema = json!({ "type": "string", "enum": words, "default": "false" });
        parameters.push(query("include_deleted", schema, "Whether deleted apps are listed.".into()));
    }
    parameters
}

/// How an app is built.
fn app_config() -> Value {
    let or_null = |about: &str| json!({ "type": ["string", "null"], "description": about });
    whole(json!({
        "nodeVersion": or_null("The version of Node.js that its builds ask for."),
        "env": {
            "type": "object",
            "additionalProperties": text(),
            "description": "The variables of its builds that are no secrets.",
        },
        "buildCommand": or_null("Ours: the command that builds it, `build_command` of the Pages API."),
        "outputDirectory": or_null(
            "Ours: where the command leaves the site, relative to the root directory; `destination_dir` of the Pages API.",
        ),
        "rootDirectory": or_null("Ours: where the command runs; `root_dir` of the Pages API."),
    }))
}

/// What is answered beside entities.
fn general() -> Map<String, Value> {
    let codes: Vec<&str> = ProblemCode::ALL.iter().map(|code| code.as_str()).collect();
    let file = json!({ "name": text(), "path": text(), "isDirectory": { "type": "boolean" }, "size": { "type": "integer" } });
    let mut content = file.clone();
    content["content"] = json!({ "type": ["string", "null"] });
    content["contentBase64"] = json!({ "type": ["string", "null"] });
    let cursor = json!({ "type": ["string", "null"] });
    members(json!({
        "Success": whole(json!({ "success": { "type": "boolean" } })),
        "PageInfo": whole(json!({
            "total": { "type": "integer", "description": "Rows that pass the filter, on all pages." },
            "totalIsExact": { "type": "boolean", "description": "False when there are more than total." },
            "hasNextPage": { "type": "boolean" },
            "hasPreviousPage": { "type": "boolean" },
            "startCursor": cursor,
            "endCursor": cursor,
        })),
        "Problem": whole(json!({
            "error": whole(json!({
                "code": { "type": "string", "enum": codes },
                "message": text(),
                "details": { "type": "array", "items": whole(json!({ "path": text(), "message": text() })) },
            })),
            "requestId": text(),
        })),
        "File": whole(file),
        "FileContent": whole(content),
        "FileList": whole(json!({ "data": { "type": "array", "items": reference("File") } })),
        "AppConfig": app_config(),
        "Target": { "oneOf": [
            whole(json!({ "type": { "const": "local" } })),
            whole(json!({
                "type": { "const": "pages" }, "baseUrl": text(), "accountId": text(), "projectName": text(),
            })),
        ] },
    }))
}
