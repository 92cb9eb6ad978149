//! R2.

use offprint_wire::r2::{Bucket, Buckets, ListInfo, Object, Stored};
use serde_json::json;

use super::super::operation::Operation;
use super::super::schema::{Shapes, reference, text, whole_number, words};
use super::{ACCOUNT, Section, enveloped_page};

pub(super) fn operations(shapes: &mut Shapes) -> Vec<Operation> {
    let section = Section("R2");
    let bucket = shapes.of::<Bucket>();
    let buckets = format!("{ACCOUNT}/r2/buckets");
    let one = format!("{buckets}/{{bucket_name}}");
    let mut all = vec![
        section
            .get(&buckets, "listR2Buckets", "The buckets of an account, by name.")
            .query("name_contains", text(), "Only those with this in their names.")
            .query("start_after", text(), "Only those behind this name.")
            .query("direction", words(&["asc", "desc"]), "From which end.")
            .yields(&shapes.of::<Buckets>()),
        section
            .post(&buckets, "createR2Bucket", "Make a bucket.")
            .takes(reference("NewR2Bucket"))
            .yields(&bucket),
        section.get(&one, "getR2Bucket", "A bucket.").yields(&bucket),
        section.delete(&one, "deleteR2Bucket", "Delete a bucket, which must be empty.").done(),
    ];
    all.extend(objects(&section, &one, shapes));
    all
}

fn objects(section: &Section, one: &str, shapes: &mut Shapes) -> Vec<Operation> {
    let objects = format!("{one}/objects");
    let object = format!("{objects}/{{object_key}}");
    vec![
        section
            .get(&objects, "listR2Objects", "The objects of a bucket, by key.")
            .query("prefix", text(), "Only those that begin so.")
            .query("delimiter", text(), "What is the same up to this is one prefix.")
            .query("start_after", text(), "Only those behind this key.")
            .query("cursor", text(), "What `result_info` of the page before names.")
            .query("per_page", whole_number(1, 1000), "Objects of a page.")
            .answers(enveloped_page(&shapes.of::<Object>(), &shapes.of::<ListInfo>())),
        section
            .get(&object, "getR2Object", "The bytes of an object, or a range of them.")
            .answers_as("*/*", json!({})),
        section
            .put(&object, "putR2Object", "Put an object.")
            .takes_as("application/octet-stream", json!({}))
            .yields(&shapes.of::<Stored>()),
        section.delete(&object, "deleteR2Object", "Delete an object.").done(),
    ]
}
