//! The only way from a sandbox to the network: an HTTP proxy on a socket, run by the server.
//!
//! A sandbox has no network of its own. It asks the proxy for a name and a port; the proxy looks the name up, judges
//! the addresses, and connects to one that it has judged. So a name that leads to one address for the judge and to
//! another for the connection, a moment later, is of no use. What is not public is refused, unless the operator's
//! [`AllowList`] names it.

mod allow;
mod forward;
mod judge;
mod proxy;
mod refusals;

pub use allow::{AllowList, BadAllowEntry};
pub use forward::{NoWay, connect};
pub use judge::not_public;
pub use proxy::{Egress, bind, drop_hop_headers, to_origin_form};
