//! The history of builds and deploys, as the Deploys API shows it: rows with a status, a number, and steps.
//!
//! A deployment of the Pages API is a build and a deploy here, and the other way round: whoever changes the one
//! changes the other, in the same transaction. A build or deploy that has ended does not change: the SQL of every
//! change says so, and that is how a cancel and a completion that meet resolve to one truth.
//!
//! The numbers of an app rise by one from 1, without a gap: they are taken from the project's row in the transaction
//! that adds the row.

mod builds;
mod deploys;
mod run;
mod steps;

pub(crate) use builds::{BuildRow, add_build, end_build, enter_build_step, follow_build};
pub(crate) use deploys::{
    DeployRow, add_deploy, deploy_completed, deploy_running, end_deploys_of, end_step, sealed_and_live,
    start_step,
};
pub(crate) use steps::StepEnd;
