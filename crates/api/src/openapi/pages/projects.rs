//! Projects and their custom domains.

use offprint_wire::asset::UploadToken;
use offprint_wire::domain::Domain;
use offprint_wire::project::Project;

use super::super::operation::Operation;
use super::super::schema::{Shapes, list, reference};
use super::{ACCOUNT, PROJECT, Section};

pub(super) fn operations(shapes: &mut Shapes) -> Vec<Operation> {
    let section = Section("Projects");
    let project = shapes.of::<Project>();
    let projects = format!("{ACCOUNT}/pages/projects");
    let mut all = vec![
        section
            .get(&projects, "listProjects", "The projects, newest first.")
            .pages_of(shapes, &project, 10, 100),
        section
            .post(&projects, "createProject", "Make a project.")
            .takes(reference("NewProject"))
            .yields(&project),
        section.get(PROJECT, "getProject", "A project.").yields(&project),
        section
            .patch(PROJECT, "updateProject", "Change a project: a JSON merge patch.")
            .may_take(reference("ProjectChange"))
            .yields(&project),
        section.delete(PROJECT, "deleteProject", "Delete a project with its deployments.").done(),
        section
            .get(&format!("{PROJECT}/upload-token"), "getUploadToken", "Leave to upload files.")
            .yields(&shapes.of::<UploadToken>()),
        section
            .post(
                &format!("{PROJECT}/purge_build_cache"),
                "purgeBuildCache",
                "Have the next build begin afresh.",
            )
            .done(),
    ];
    all.extend(domains(&section, shapes));
    all
}

fn domains(section: &Section, shapes: &mut Shapes) -> Vec<Operation> {
    let domain = shapes.of::<Domain>();
    let domains = format!("{PROJECT}/domains");
    let one = format!("{domains}/{{domain_name}}");
    vec![
        section.get(&domains, "listDomains", "The custom domains of a project.").yields(&list(&domain)),
        section
            .post(&domains, "addDomain", "Add a custom domain, and check it once.")
            .takes(reference("NewDomain"))
            .yields(&domain),
        section.get(&one, "getDomain", "A custom domain.").yields(&domain),
        section.patch(&one, "checkDomain", "Check a custom domain again.").yields(&domain),
        section.delete(&one, "removeDomain", "Remove a custom domain.").done(),
    ]
}
