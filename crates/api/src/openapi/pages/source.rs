//! Builds from git: extensions, but for the call of a deploy hook.

use offprint_wire::deploy_hook::{DeployHook, Deployed};
use offprint_wire::deployment::Deployment;
use offprint_wire::pull_request::PullRequest;
use offprint_wire::source_access::SourceAccess;
use offprint_wire::webhook::Answer;
use serde_json::json;

use super::super::operation::{Operation, Security};
use super::super::schema::{Shapes, list, reference};
use super::{PROJECT, Section};

pub(super) fn operations(shapes: &mut Shapes) -> Vec<Operation> {
    let section = Section("Builds from git");
    let mut all = of_projects(&section, shapes);
    all = all.into_iter().map(Operation::extension).collect();
    all.push(
        section
            .post(
                "/pages/webhooks/deploy_hooks/{hook_id}",
                "callDeployHook",
                "Build the branch of a deploy hook.",
            )
            .secured(Security::Open)
            .yields(&shapes.of::<Deployed>()),
    );
    all.push(
        section
            .post(
                "/pages/webhooks/git/{project_id}",
                "receiveWebhook",
                "Take a forge's webhook, which is signed with the project's secret.",
            )
            .secured(Security::Open)
            .takes(json!({ "type": "object", "description": "What the forge sends." }))
            .yields(&shapes.of::<Answer>())
            .extension(),
    );
    all
}

fn of_projects(section: &Section, shapes: &mut Shapes) -> Vec<Operation> {
    let (hook, access) = (shapes.of::<DeployHook>(), shapes.of::<SourceAccess>());
    let (source, hooks) = (format!("{PROJECT}/source"), format!("{PROJECT}/deploy_hooks"));
    let requests = format!("{PROJECT}/pull_requests");
    vec![
        section.get(&source, "getSource", "How a project and its forge reach one another.").yields(&access),
        section
            .patch(&source, "updateSource", "Set or remove the credentials of a repository.")
            .may_take(reference("SourceChange"))
            .yields(&access),
        section
            .post(
                &format!("{source}/webhook_secret"),
                "renewWebhookSecret",
                "Make a new secret for webhooks.",
            )
            .yields(&access),
        section.get(&hooks, "listDeployHooks", "The deploy hooks of a project.").yields(&list(&hook)),
        section
            .post(&hooks, "createDeployHook", "Make a deploy hook for a branch.")
            .takes(reference("NewDeployHook"))
            .yields(&hook),
        section
            .delete(&format!("{hooks}/{{hook_id}}"), "deleteDeployHook", "Make a deploy hook worthless.")
            .done(),
        section
            .get(&requests, "listPullRequests", "The pull requests that the forge told of.")
            .yields(&list(&shapes.of::<PullRequest>())),
        section
            .post(
                &format!("{requests}/{{number}}/approve"),
                "approvePullRequest",
                "Build one commit of a fork, as a preview without secrets.",
            )
            .takes(reference("Approval"))
            .yields(&shapes.of::<Deployment>()),
    ]
}
