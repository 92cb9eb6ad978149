//! Answers that stand ready: an asset in memory, asked for in the plainest way, costs a search and a copy.
//!
//! What a site answers at a path depends on little else as long as nobody asks for a range, shows credentials
//! or sends a body: on whether the client has the asset already, and on which compressed forms it takes. For
//! each of these the head of the answer is made once, by the ordinary way of a request (see `handler::ready`),
//! and kept in the form in which HTTP/1.1 sends it. The bytes of the body stay where they are (see `shelf`).
//!
//! An answer belongs to a site, and sites do not change: the host is looked up in the routing table for every
//! request, and what was made for another site than the one found there is as good as nothing. So an
//! activation needs to tell nobody. Whatever is not ready goes the ordinary way, and so does all that is out
//! of the ordinary; this is a shortcut and never says anything of its own.

mod rack;

use std::sync::Arc;

use arc_swap::Guard;
use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use offprint_model::accept_encoding::{Choice, accepts_identity_naively, choose};
use offprint_model::encoding::{Encoding, EncodingSet};
use offprint_model::entity_tag;

use crate::assets::{Assets, Blob, Form};
use crate::edge::CacheOutcome;
use crate::handler::House;
use crate::sites::SiteSlot;
use crate::table::SiteRoute;
pub(crate) use rack::Rack;

/// A request for an asset as most are: `GET` or `HEAD`, without a body, without `Authorization`, `Range` and
/// `If-Range`, and with at most one line of each header that has a say here.
#[derive(Clone, Copy, Debug)]
pub struct PlainRequest<'r> {
    /// Whether it is `HEAD`.
    pub is_head: bool,
    /// The one `Host` header.
    pub host: &'r [u8],
    /// The request target; begins with `/`.
    pub target: &'r str,
    /// `Accept-Encoding`.
    pub accept_encoding: Option<&'r [u8]>,
    /// `If-None-Match`.
    pub if_none_match: Option<&'r [u8]>,
}

/// An answer to a [`PlainRequest`].
pub struct ReadyAnswer {
    made: Found,
    variety: Variety,
    body: Bytes,
    is_head: bool,
}

impl ReadyAnswer {
    /// The head as HTTP/1.1 sends it, from the status line on, in two parts: the second is the line of
    /// `Content-Length`, where the answer has one. `Date` and the empty line are for the listener to add, and what
    /// speaks of the connection, which belongs between the two.
    pub fn head(&self) -> (&[u8], &[u8]) {
        self.made().map_or((&[], &[]), |head| head.lines.split_at(head.fields_end))
    }

    /// The bytes that follow.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        self.made().map_or(StatusCode::INTERNAL_SERVER_ERROR, |head| head.status)
    }

    /// Where the bytes came from.
    pub fn cache(&self) -> CacheOutcome {
        let has_body = !self.is_head && self.status() != StatusCode::NOT_MODIFIED;
        if has_body { CacheOutcome::Hit } else { CacheOutcome::None }
    }

    fn made(&self) -> Option<&Head> {
        self.made.as_ref()?.head(self.variety)
    }
}

/// Where an answer belongs.
#[derive(Clone, Copy)]
pub(crate) struct Place<'r> {
    pub(crate) site: &'r Arc<SiteSlot>,
    pub(crate) is_preview: bool,
    /// As in the URL that rules look at.
    pub(crate) host: &'r str,
    /// As it came, encoded.
    pub(crate) path: &'r str,
}

impl<'r> Place<'r> {
    pub(crate) fn new(route: &SiteRoute<'r>, host: &'r str, path: &'r str) -> Self {
        Self { site: route.site, is_preview: route.is_preview, host, path }
    }
}

/// The answers at one place; immutable, so that they can be exchanged as a whole.
pub(crate) struct Ready {
    site: Arc<SiteSlot>,
    is_preview: bool,
    host: Box<str>,
    path: Box<str>,
    pub(crate) asset: ReadyAsset,
    heads: Vec<(Variety, Head)>,
}

/// What is answered with, and what decides how.
#[derive(Clone)]
pub(crate) struct ReadyAsset {
    pub(crate) blob: Arc<Blob>,
    /// `None`: a page that says that there is nothing, which no client has already.
    pub(crate) etag: Option<HeaderValue>,
    pub(crate) is_compressible: bool,
    /// Whether it stands in for something that the site does not have.
    pub(crate) is_substitute: bool,
    /// Whether an earlier site of the same host may have what is missing.
    pub(crate) may_be_earlier: bool,
}

/// How an answer is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variety {
    /// In full, in the form that was negotiated.
    Whole(Option<Encoding>),
    /// The client has it.
    NotModified,
}

/// The head of one answer.
#[derive(Clone)]
pub(crate) struct Head {
    pub(crate) status: StatusCode,
    pub(crate) lines: Box<[u8]>,
    /// Where in these lines that of `Content-Length` begins.
    pub(crate) fields_end: usize,
    /// The form that follows; it is not the negotiated one where the site had settled the matter itself.
    pub(crate) form: Form,
}

type Found = Guard<Option<Arc<Ready>>>;

impl Ready {
    pub(crate) fn new(place: Place<'_>, asset: ReadyAsset) -> Self {
        let Place { site, is_preview, host, path } = place;
        Self {
            site: Arc::clone(site),
            is_preview,
            host: host.into(),
            path: path.into(),
            asset,
            heads: Vec::new(),
        }
    }

    fn is_at(&self, place: &Place<'_>) -> bool {
        *self.path == *place.path
            && Arc::ptr_eq(&self.site, place.site)
            && *self.host == *place.host
            && self.is_preview == place.is_preview
    }

    /// The answer of one variety.
    pub(crate) fn head(&self, variety: Variety) -> Option<&Head> {
        self.heads.iter().find(|(of, _)| *of == variety).map(|(_, head)| head)
    }

    /// The same answers and one more.
    pub(crate) fn with(&self, variety: Variety, head: Head) -> Self {
        let mut heads = Vec::with_capacity(self.heads.len() + 1);
        heads.extend_from_slice(&self.heads);
        heads.push((variety, head));
        Self {
            site: Arc::clone(&self.site),
            is_preview: self.is_preview,
            host: self.host.clone(),
            path: self.path.clone(),
            asset: self.asset.clone(),
            heads,
        }
    }

    /// About how much memory they take.
    fn memory_bytes(&self) -> usize {
        let heads = self.heads.iter().map(|(_, head)| size_of::<(Variety, Head)>() + head.lines.len());
        size_of::<Self>() + 64 + self.host.len() + self.path.len() + heads.sum::<usize>()
    }
}

impl ReadyAsset {
    /// How this request is answered; `None` where that is for the ordinary way to find out.
    pub(crate) fn variety(
        &self,
        request: &PlainRequest<'_>,
        route: &SiteRoute<'_>,
        house: &House,
    ) -> Option<Variety> {
        if self.may_be_earlier && route.has_earlier() {
            return None;
        }
        let coding = self.coding(request.accept_encoding, house)?;
        let is_current = match (&self.etag, request.if_none_match) {
            (Some(etag), Some(tag)) => entity_tag::is_current(tag, etag.as_bytes()),
            _ => false,
        };
        Some(if is_current { Variety::NotModified } else { Variety::Whole(coding) })
    }

    /// The coding as the ordinary way chooses it, which is also how it is with a client that takes no form.
    fn coding(&self, accepted: Option<&[u8]>, house: &House) -> Option<Option<Encoding>> {
        let Some(accepted) = accepted else { return Some(None) };
        if house.is_strict {
            return accepts_identity_naively(std::iter::once(accepted)).then_some(None);
        }
        let available =
            if self.is_compressible { house.assets.known_encodings(&self.blob)? } else { EncodingSet::EMPTY };
        match choose(Some(accepted), available) {
            Choice::Identity => Some(None),
            Choice::Coded(encoding) => Some(Some(encoding)),
            Choice::NotAcceptable => None,
        }
    }
}

/// The answer that is ready at a place, with its bytes.
pub(crate) fn answer(
    house: &House,
    place: &Place<'_>,
    route: &SiteRoute<'_>,
    request: &PlainRequest<'_>,
) -> Option<ReadyAnswer> {
    let made = house.ready.find(place);
    let ready = made.as_ref()?;
    let variety = ready.asset.variety(request, route, house)?;
    let head = ready.head(variety)?;
    let body = match variety {
        Variety::NotModified => Bytes::new(),
        // The length of a page that is changed on the way out is not said without having its bytes.
        Variety::Whole(_) if request.is_head => {
            Assets::length(&ready.asset.blob, head.form)?;
            Bytes::new()
        }
        Variety::Whole(_) => ready.asset.blob.bytes(head.form)?,
    };
    Some(ReadyAnswer { variety, body, is_head: request.is_head, made })
}
