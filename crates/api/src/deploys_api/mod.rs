//! The Deploys API: apps, versions, builds and deploys, with lists that are filtered, ordered and paged.
//!
//! A second view of what the Pages API shows, below `/api`. In reading order: `around` is what happens to every request,
//! `caller` says who asks, `list` answers every list, `table` names the endpoints; the rest are the endpoints, one file for
//! each kind of thing.

mod api_keys;
mod app_fields;
mod app_versions;
mod apps;
mod around;
mod body;
mod builds;
mod caller;
mod deploys;
mod events;
mod files;
pub(crate) mod list;
mod problem;
mod shown;
pub(crate) mod table;
mod webhooks;
mod workspaces;

pub(crate) use around::router;
