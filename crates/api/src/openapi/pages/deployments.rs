//! Deployments, their logs, and the live logs of their Functions.

use offprint_wire::deployment::Deployment;
use offprint_wire::log::DeploymentLog;
use offprint_wire::tail::{Tail, TailEvent};
use serde_json::json;

use super::super::operation::Operation;
use super::super::schema::{Shapes, event_of_stream, list, reference, text, words};
use super::{PROJECT, Section};

pub(super) fn operations(shapes: &mut Shapes) -> Vec<Operation> {
    let section = Section("Deployments");
    let deployment = shapes.of::<Deployment>();
    let deployments = format!("{PROJECT}/deployments");
    let one = format!("{deployments}/{{deployment_id}}");
    let mut all = vec![
        section
            .get(&deployments, "listDeployments", "The deployments of a project, newest first.")
            .query("env", words(&["production", "preview"]), "Only those of one environment.")
            .pages_of(shapes, &deployment, 25, 25),
        section
            .post(
                &deployments,
                "createDeployment",
                "Deploy uploaded files, or build a branch of the repository.",
            )
            .takes_as("multipart/form-data", reference("NewDeployment"))
            .may_take(reference("NewBuildOfBranch"))
            .yields(&deployment),
        section.get(&one, "getDeployment", "A deployment.").yields(&deployment),
        section
            .delete(&one, "deleteDeployment", "Delete a deployment that is not live.")
            .query("force", words(&["true", "false", "1", "0"]), "Also one that a branch's host leads to.")
            .done(),
        section
            .post(&format!("{one}/retry"), "retryDeployment", "Deploy the same again.")
            .yields(&deployment),
        section
            .post(
                &format!("{one}/rollback"),
                "rollbackDeployment",
                "Serve an earlier deployment again, at once.",
            )
            .yields(&deployment),
        section
            .post(&format!("{one}/cancel"), "cancelDeployment", "Stop a deployment that has not ended.")
            .yields(&deployment)
            .extension(),
    ];
    all.extend(logs(&section, &one, shapes));
    all
}

fn logs(section: &Section, one: &str, shapes: &mut Shapes) -> Vec<Operation> {
    let last_line = json!({
        "name": "Last-Event-ID", "in": "header", "required": false,
        "schema": { "type": "integer", "minimum": 0 },
        "description": "The number of the last line that was seen.",
    });
    vec![
        section
            .get(&format!("{one}/history/logs"), "getDeploymentLog", "The log of a deployment.")
            .query("size", json!({}), "Makes no difference: the log comes whole.")
            .yields(&shapes.of::<DeploymentLog>()),
        section
            .get(
                &format!("{one}/history/logs/stream"),
                "followDeploymentLog",
                "The log as it is written, as server-sent events.",
            )
            .query(
                "after",
                json!({ "type": "integer", "minimum": 0 }),
                "Begin after the line with this number.",
            )
            .parameter(last_line)
            .answers_as("text/event-stream", event_of_stream())
            .extension(),
        section
            .post(&format!("{one}/tails"), "startTail", "Ask for the live log of a deployment's Functions.")
            .may_take(reference("TailRequest"))
            .yields(&shapes.of::<Tail>()),
        section.delete(&format!("{one}/tails/{{tail_id}}"), "endTail", "End a live log.").done(),
        section
            .get(&format!("{one}/exceptions"), "listExceptions", "Recent calls of Functions that failed.")
            .parameter(json!({
                "name": "filters", "in": "query", "required": false,
                "description": "The filters of a tail, as JSON.",
                "content": { "application/json": { "schema": reference("TailFilters") } },
            }))
            .query("search", text(), "A text that was thrown or logged.")
            .query("limit", json!({ "type": "integer", "minimum": 0 }), "So many at the most.")
            .yields(&list(&shapes.of::<TailEvent>()))
            .extension(),
    ]
}
