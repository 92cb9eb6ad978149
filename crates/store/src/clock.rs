//! The only reader of the system clock, so that all the times of one operation can be made to agree.

use std::time::{SystemTime, UNIX_EPOCH};

use offprint_model::time::Timestamp;

const MICROS_A_DAY: i64 = 86_400_000_000;

/// The system clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock;

impl Clock {
    /// The time now, cut to microseconds: the resolution that is stored.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
    pub fn now() -> Timestamp {
        let micros = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
            // A clock set before 1970 is wrong, but no reason to stop.
            Err(_) => 0,
        };
        Timestamp::from_micros(micros)
    }

    /// The day now, UTC, as `YYYY-MM-DD`.
    pub fn today() -> String {
        day_of(Self::now())
    }
}

/// The day of a time, UTC, as `YYYY-MM-DD`.
fn day_of(at: Timestamp) -> String {
    // Days since 0000-03-01, counted in eras of 400 years of 146,097 days, years beginning in March: so the
    // leap day is a year's last and months have fixed lengths before it.
    let days = at.as_micros().div_euclid(MICROS_A_DAY) + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        for (seconds, day) in [
            (0, "1970-01-01"),
            (86_399, "1970-01-01"),
            (951_782_400, "2000-02-29"),
            (1_709_251_199, "2024-02-29"),
            (1_709_251_200, "2024-03-01"),
            (4_107_542_400, "2100-03-01"),
            (1_795_305_600, "2026-11-22"),
        ] {
            assert_eq!(day_of(Timestamp::from_micros(seconds * 1_000_000)), day);
        }
    }
}
