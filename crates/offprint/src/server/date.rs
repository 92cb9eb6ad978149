//! The `Date` header, for where hyper does not add it.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use chrono::DateTime;
use http::HeaderValue;
use offprint_model::time::Timestamp;
use offprint_store::Clock;

/// A date that was written, and until when it is right.
struct Written {
    value: HeaderValue,
    until: Instant,
}

thread_local! {
    static WRITTEN: RefCell<Option<Written>> = const { RefCell::new(None) };
}

/// The time now, as a header says it. Written once a second.
pub(super) fn now() -> HeaderValue {
    with_value(HeaderValue::clone)
}

/// Hands the same over as bytes.
pub(super) fn with_now<R>(take: impl FnOnce(&[u8]) -> R) -> R {
    with_value(|value| take(value.as_bytes()))
}

fn with_value<R>(take: impl FnOnce(&HeaderValue) -> R) -> R {
    WRITTEN.with_borrow_mut(|written| {
        let instant = Instant::now();
        match written {
            Some(written) if instant < written.until => take(&written.value),
            _ => take(&written.insert(write(instant, Clock::now())).value),
        }
    })
}

fn write(instant: Instant, now: Timestamp) -> Written {
    const SECOND: i64 = 1_000_000;
    let left = SECOND - now.as_micros().rem_euclid(SECOND);
    let text = DateTime::from_timestamp_micros(now.as_micros()).unwrap_or_default();
    // RFC 9110, 5.6.7.
    let text = text.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let value = HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(""));
    Written { value, until: instant + Duration::from_micros(left.unsigned_abs()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_written_for_the_rest_of_its_second() {
        let instant = Instant::now();
        let written = write(instant, Timestamp::from_micros(784_111_777_250_000));
        assert_eq!(written.value, "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(written.until - instant, Duration::from_millis(750));
    }

    #[test]
    fn the_date_now_is_used_again_until_its_second_is_over() {
        let first = now();
        assert_eq!(first.len(), 29);
        WRITTEN.with_borrow_mut(|written| {
            let written = written.as_mut().unwrap();
            written.value = HeaderValue::from_static("used again");
            written.until = Instant::now() + Duration::from_secs(60);
        });
        assert_eq!(now(), "used again");
        WRITTEN.with_borrow_mut(|written| written.as_mut().unwrap().until = Instant::now());
        assert_ne!(now(), "used again");
    }
}
