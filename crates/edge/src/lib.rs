//! Answers requests for sites: host → site → asset, exactly as Cloudflare Pages does. What a site's Worker is to answer
//! goes to the runtime of Functions, and what that asks of the site's assets comes back.
//!
//! Knows no API, no job and no token. While it answers a request it asks no database: which site a host
//! leads to stands in a table in memory ([`Edge`] keeps it current), and what a site says is compiled
//! when it is first asked for. Read `handler` for the life of a request, top to bottom.

mod assets;
mod body;
mod edge;
mod handler;
mod host;
mod interned;
mod pages;
mod ready;
mod refresh;
mod shelf;
mod site;
mod sites;
mod table;
mod worker;

pub use body::EdgeBody;
pub use edge::{CacheOutcome, Destination, Edge, EdgeOptions, Outcome, Served, SiteHost};
pub use ready::{PlainRequest, ReadyAnswer};
pub use worker::WorkerTurn;
