//! Times as the Pages API writes them: RFC 3339, UTC, microseconds with trailing zeros dropped, `Z`.

use std::borrow::Cow;
use std::fmt;

use chrono::{DateTime, NaiveDateTime, SecondsFormat};
use offprint_model::time::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A time on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub Timestamp);

impl Time {
    /// Reads RFC 3339. An offset may be missing, as in some examples of the official description: then it
    /// is UTC. Digits beyond the microsecond are dropped.
    pub fn parse(text: &str) -> Option<Self> {
        let micros = DateTime::parse_from_rfc3339(text)
            .map(|time| time.timestamp_micros())
            .or_else(|_| text.parse::<NaiveDateTime>().map(|time| time.and_utc().timestamp_micros()))
            .ok()?;
        Some(Self(Timestamp::from_micros(micros)))
    }
}

impl Time {
    /// Reads the date of an HTTP header (RFC 9110, 5.6.7), in the form that everybody writes.
    pub fn parse_http(text: &str) -> Option<Self> {
        let time = DateTime::parse_from_rfc2822(text.trim()).ok()?;
        Some(Self(Timestamp::from_micros(time.timestamp_micros())))
    }
}

impl From<Timestamp> for Time {
    fn from(time: Timestamp) -> Self {
        Self(time)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Out of chrono's range means before or after some 260 000 years; the epoch is as good an answer.
        let time = DateTime::from_timestamp_micros(self.0.as_micros()).unwrap_or_default();
        let text = time.to_rfc3339_opts(SecondsFormat::Micros, true);
        let text = text.trim_end_matches('Z').trim_end_matches('0').trim_end_matches('.');
        write!(f, "{text}Z")
    }
}

impl JsonSchema for Time {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time" })
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom(format!("{text:?} is not an RFC 3339 time")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn microseconds_lose_their_trailing_zeros() {
        for (micros, expected) in [
            (1_748_781_296_123_456, "2025-06-01T12:34:56.123456Z"),
            (1_748_781_296_120_000, "2025-06-01T12:34:56.12Z"),
            (1_748_781_296_000_001, "2025-06-01T12:34:56.000001Z"),
            (1_748_781_290_000_000, "2025-06-01T12:34:50Z"),
            (0, "1970-01-01T00:00:00Z"),
        ] {
            let time = Time(Timestamp::from_micros(micros));
            assert_eq!(time.to_string(), expected);
            assert_eq!(Time::parse(expected), Some(time));
        }
    }

    #[test]
    fn dates_of_headers_are_read() {
        let time = Time::parse_http("Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(time, Time::parse("1994-11-06T08:49:37Z"));
        for bad in ["", "0", "1994-11-06", "Sun, 36 Nov 1994 08:49:37 GMT"] {
            assert_eq!(Time::parse_http(bad), None, "{bad}");
        }
    }

    #[test]
    fn other_spellings_are_read() {
        let expected = Time::parse("2021-03-09T00:58:59.045655Z");
        for text in ["2021-03-09T00:58:59.045655", "2021-03-09T01:58:59.0456559+01:00"] {
            assert_eq!(Time::parse(text), expected, "{text}");
        }
        assert_eq!(Time::parse("yesterday"), None);
    }
}
