use std::collections::BTreeSet;

use super::*;
use crate::front::PREFIX;
use crate::{deploys_api, routes};

fn all() -> Vec<Operation> {
    operations(&mut Shapes::default())
}

/// Which methods a path takes is compared in the tests of the crate, where there is a router to ask.
#[test]
fn every_path_that_is_routed_is_described_and_the_other_way_round() {
    let pages = routes::table().into_iter().map(|(path, _)| format!("{PREFIX}{}", path.replace("{*", "{")));
    let deploys = deploys_api::table::table().into_iter().map(|(path, _)| format!("/api{path}"));
    let routed: BTreeSet<String> = pages.chain(deploys).collect();
    let described: BTreeSet<String> = all().into_iter().map(|operation| operation.path).collect();
    assert_eq!(routed, described);
}

#[test]
fn every_reference_leads_somewhere() {
    let document = describe();
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
    }
}

#[test]
fn nothing_is_named_twice() {
    let ids: BTreeSet<&str> = all().iter().map(|operation| operation.id).collect();
    assert_eq!(ids.len(), all().len());
    let mut shapes = Shapes::default();
    operations(&mut shapes);
    let parts = [shapes.into_schemas(), pages::schemas(), deploys::schemas()];
    let names: BTreeSet<&String> = parts.iter().flat_map(Map::keys).collect();
    assert_eq!(names.len(), parts.iter().map(Map::len).sum::<usize>());
    let renamed = names.iter().find(|name| name.ends_with(|c: char| c.is_ascii_digit()));
    assert_eq!(renamed, None, "two shapes have one name");
}

#[test]
fn every_section_has_operations_and_every_operation_a_section() {
    let document = describe();
    let sections: BTreeSet<&str> =
        document["tags"].as_array().unwrap().iter().map(|tag| tag["name"].as_str().unwrap()).collect();
    let paths = document["paths"].as_object().unwrap().values();
    let operations = paths.flat_map(|methods| methods.as_object().unwrap().values());
    let used: BTreeSet<&str> = operations.map(|operation| operation["tags"][0].as_str().unwrap()).collect();
    assert_eq!(sections, used);
}
