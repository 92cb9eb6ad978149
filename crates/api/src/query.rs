//! Query parameters.

use std::collections::BTreeMap;

use axum::extract::Query;
use http::Uri;
use offprint_store::Page;
use offprint_wire::error_code::ErrorCode;
use offprint_wire::json::InvalidMember;

use crate::error::Result;

/// The parameters of a request; of one that is repeated, the last.
pub(crate) struct Parameters(BTreeMap<String, String>);

/// Which page of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Paging {
    /// From 1.
    pub(crate) page: u64,
    pub(crate) per_page: u64,
}

/// Page numbers beyond this are as empty as this one, and do not overflow anybody's arithmetic.
const PAGE_MAX: u64 = 1 << 32;

impl Parameters {
    pub(crate) fn of(uri: &Uri) -> Result<Self> {
        let Query(parameters) = Query::try_from_uri(uri).map_err(|_| ErrorCode::InvalidListOptions)?;
        Ok(Self(parameters))
    }

    /// A parameter that is there and not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Whether a switch is on; one that is not there is off.
    pub(crate) fn switch(&self, name: &str) -> Result<bool> {
        let words = [("true", true), ("1", true), ("false", false), ("0", false)];
        Ok(self.word(name, &words)?.unwrap_or(false))
    }

    /// One of a few words, or `None` where there is none.
    pub(crate) fn word<T: Copy>(&self, name: &str, words: &[(&str, T)]) -> Result<Option<T>> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning);
        let list = || words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
        let found = found.ok_or_else(|| InvalidMember::new(name, format!("must be one of {}", list())))?;
        Ok(Some(found))
    }

    /// `page` and `per_page`: whole numbers from 1, `per_page` at most `per_page_max` (Pages API, "Paging").
    pub(crate) fn paging(&self, per_page_default: u64, per_page_max: u64) -> Result<Paging> {
        let number = |name, default| match self.get(name) {
            None => Ok(default),
            Some(text) => match text.parse::<u64>() {
                Ok(number) if number >= 1 => Ok(number),
                _ => Err(ErrorCode::InvalidListOptions),
            },
        };
        let per_page = number("per_page", per_page_default)?;
        if per_page > per_page_max {
            return Err(ErrorCode::InvalidListOptions.into());
        }
        Ok(Paging { page: number("page", 1)?.min(PAGE_MAX), per_page })
    }
}

impl Paging {
    /// How many items come before the page.
    pub(crate) const fn skipped(self) -> u64 {
        (self.page - 1).saturating_mul(self.per_page)
    }
}

impl From<Paging> for Page {
    fn from(paging: Paging) -> Self {
        Self { page: paging.page, per_page: paging.per_page }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paging(query: &str) -> Option<(u64, u64)> {
        let uri: Uri = format!("/x?{query}").parse().unwrap();
        let paging = Parameters::of(&uri).ok()?.paging(10, 25).ok()?;
        Some((paging.page, paging.per_page))
    }

    #[test]
    fn pages_begin_at_one_and_have_a_largest_size() {
        for (query, expected) in [
            ("", Some((1, 10))),
            ("page=&per_page=", Some((1, 10))),
            ("page=3&per_page=25", Some((3, 25))),
            ("page=99999999999999", Some((PAGE_MAX, 10))),
            ("page=0", None),
            ("page=-1", None),
            ("page=x", None),
            ("per_page=0", None),
            ("per_page=26", None),
            ("page=1.5", None),
        ] {
            assert_eq!(paging(query), expected, "{query}");
        }
    }
}
