//! Pages of long lists.

/// Which part of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Counts from 1.
    pub page: u64,
    /// Items a page.
    pub per_page: u64,
}

impl Page {
    /// `LIMIT` and `OFFSET`. A page far beyond the end is empty, not an overflow.
    pub(crate) fn limit_offset(self) -> (i64, i64) {
        let bounded = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        let skipped = self.page.saturating_sub(1).saturating_mul(self.per_page);
        (bounded(self.per_page), bounded(skipped))
    }
}

/// Part of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed<T> {
    /// The items of the page.
    pub items: Vec<T>,
    /// How many there are in all.
    pub total: u64,
}
