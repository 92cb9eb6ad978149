//! D1.

use offprint_wire::d1::{Answer, Database, Exported, Imported, Progress, UploadTarget};
use serde_json::json;

use super::super::operation::{Operation, Security};
use super::super::schema::{Shapes, list, reference, text};
use super::{ACCOUNT, Section};

pub(super) fn operations(shapes: &mut Shapes) -> Vec<Operation> {
    let section = Section("D1");
    let database = shapes.of::<Database>();
    let databases = format!("{ACCOUNT}/d1/database");
    let one = format!("{databases}/{{database_id}}");
    let mut all = vec![
        section
            .get(&databases, "listD1Databases", "The databases of an account, newest first.")
            .query("name", text(), "The one of this name.")
            .pages_of(shapes, &database, 100, 10_000),
        section
            .post(&databases, "createD1Database", "Make a database.")
            .takes(reference("NewD1Database"))
            .yields(&database),
        section.get(&one, "getD1Database", "A database, by its id or name.").yields(&database),
        section.delete(&one, "deleteD1Database", "Delete a database with all that is in it.").done(),
    ];
    all.extend(sql(&section, &one, shapes));
    all.extend(files(&section, &one, shapes));
    all
}

fn sql(section: &Section, one: &str, shapes: &mut Shapes) -> Vec<Operation> {
    let answers = list(&shapes.of::<Answer>());
    vec![
        section
            .post(&format!("{one}/query"), "queryD1Database", "Run SQL; rows are objects.")
            .takes(reference("D1Queries"))
            .yields(&answers),
        section
            .post(&format!("{one}/raw"), "queryD1DatabaseRaw", "Run SQL; rows are lists.")
            .takes(reference("D1Queries"))
            .yields(&answers),
        section
            .get(&format!("{one}/time_travel/bookmark"), "getD1Bookmark", "Refused: no history is kept.")
            .yields(&json!({})),
        section
            .post(&format!("{one}/time_travel/restore"), "restoreD1Database", "Refused: no history is kept.")
            .yields(&json!({})),
        section
            .post(
                "/graphql",
                "askGraphql",
                "The two questions of `wrangler d1 info` and `wrangler r2 bucket info`.",
            )
            .takes(reference("GraphqlQuestion"))
            .answers(json!({ "type": "object", "required": ["data", "errors"] })),
    ]
}

fn files(section: &Section, one: &str, shapes: &mut Shapes) -> Vec<Operation> {
    let (target, imported) = (shapes.of::<UploadTarget>(), shapes.of::<Progress<Imported>>());
    let file = || json!({ "description": "SQL." });
    vec![
        section
            .post(&format!("{one}/import"), "importD1Database", "A step of an import.")
            .takes(reference("D1Import"))
            .yields(&json!({ "anyOf": [target, imported] })),
        section
            .post(
                &format!("{one}/export"),
                "exportD1Database",
                "A link to all that is in a database, as SQL.",
            )
            .may_take(reference("D1Export"))
            .yields(&shapes.of::<Progress<Exported>>()),
        section
            .put("/d1/imports/{token}", "uploadD1Import", "The link of an import: the file of SQL.")
            .secured(Security::Open)
            .takes_as("application/octet-stream", file())
            .done(),
        section
            .get("/d1/exports/{token}", "downloadD1Export", "The link of an export.")
            .secured(Security::Open)
            .answers_as("application/sql", file()),
    ]
}
