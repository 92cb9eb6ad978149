//! Tails: live logs of Functions, the filters that they are asked for with, and the events that they carry.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::json::{Node, Read};
use crate::time::Time;

/// The subprotocol of a tail's WebSocket.
pub const PROTOCOL: &str = "trace-v1";

/// A tail that was started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tail {
    /// Its id.
    pub id: String,
    /// The WebSocket to connect to.
    pub url: String,
    /// When it ends by itself.
    pub expires_at: Time,
}

/// What an event must be like to be carried. Of several filters all must agree (Pages API, "tail").
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// This share of the events, from 0 to 1.
    SamplingRate(f64),
    /// One of these outcomes.
    Outcome(Vec<String>),
    /// One of these methods of the request, in any letter case.
    Method(Vec<String>),
    /// The request has this header and, where `contains` is given, that text in its value.
    Header {
        /// Its name, in any letter case.
        name: String,
        /// Part of the value.
        contains: Option<String>,
    },
    /// The request came from one of these addresses; `self` is the address of whoever asks.
    ClientIp(Vec<String>),
    /// What was logged has this text in it.
    Query(String),
}

/// Reads the body of a request for a tail: `{"filters": [object…]}`, or nothing.
///
/// # Errors
/// The member that breaks a rule.
pub fn read_filters(body: &[u8]) -> Read<Vec<Filter>> {
    let value = crate::json::parse(body)?;
    let filters = Node::root(&value).object()?.optional("filters", read_list)?;
    Ok(filters.unwrap_or_default())
}

/// Reads a list of filters.
///
/// # Errors
/// The member that breaks a rule.
pub fn read_list(list: &Node<'_>) -> Read<Vec<Filter>> {
    let mut filters = Vec::new();
    for element in list.elements()? {
        for (kind, node) in element.object()?.entries().filter(|(_, node)| !node.is_null()) {
            filters.push(read_filter(kind, &node)?);
        }
    }
    Ok(filters)
}

/// The body of a request for a tail with these filters.
pub fn filters_body(filters: &[Filter]) -> Value {
    json!({ "filters": filters.iter().map(Filter::to_json).collect::<Vec<_>>() })
}

impl Filter {
    fn to_json(&self) -> Value {
        match self {
            Self::SamplingRate(rate) => json!({ "sampling_rate": rate }),
            Self::Outcome(outcomes) => json!({ "outcome": outcomes }),
            Self::Method(methods) => json!({ "method": methods }),
            Self::Header { name, contains: None } => json!({ "header": { "key": name } }),
            Self::Header { name, contains: Some(text) } => {
                json!({ "header": { "key": name, "query": text } })
            }
            Self::ClientIp(addresses) => json!({ "client_ip": addresses }),
            Self::Query(text) => json!({ "query": text }),
        }
    }
}

/// A filter of a kind that we do not know is refused: left out, it would show what nobody asked for.
fn read_filter(kind: &str, node: &Node<'_>) -> Read<Filter> {
    Ok(match kind {
        "sampling_rate" => match node.value().as_f64() {
            Some(rate) if (0.0..=1.0).contains(&rate) => Filter::SamplingRate(rate),
            _ => return Err(node.refuse("must be a number from 0 to 1")),
        },
        "outcome" => Filter::Outcome(node.texts()?),
        "method" => Filter::Method(node.texts()?),
        "header" => {
            let header = node.object()?;
            Filter::Header {
                name: header.required("key", Node::text)?,
                contains: header.optional("query", Node::text)?,
            }
        }
        "client_ip" => Filter::ClientIp(node.texts()?),
        "query" => Filter::Query(node.text()?),
        _ => {
            let kinds = "sampling_rate, outcome, method, header, client_ip, query";
            return Err(node.refuse(format!("is no filter; there are {kinds}")));
        }
    })
}

/// What one call of a Function came to. Members that are missing where an event comes from get their defaults, so
/// that clients find every member that they read without looking.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct TailEvent {
    /// `ok`, `canceled`, `exception`, `exceededCpu`, `exceededMemory` or `unknown`.
    pub outcome: String,
    /// Whose Function it was.
    pub script_name: Option<String>,
    /// What was thrown and caught by nobody.
    pub exceptions: Vec<Exception>,
    /// What was written to the console.
    pub logs: Vec<Log>,
    /// Milliseconds since the Unix epoch at which the call began.
    pub event_timestamp: i64,
    /// Whether more was logged than an event can hold.
    pub truncated: bool,
    /// What called the Function.
    pub event: Value,
    /// Its number; always 0.
    pub id: u64,
}

/// What was thrown.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(rename = "TailException")]
pub struct Exception {
    /// The kind, such as `TypeError`.
    pub name: String,
    /// What it says: a text in most cases.
    pub message: Value,
    /// Where it was thrown, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stack: Option<String>,
    /// Milliseconds since the Unix epoch.
    pub timestamp: i64,
}

impl Exception {
    /// What it says, as a text.
    pub fn message_text(&self) -> Cow<'_, str> {
        text_of(&self.message)
    }
}

/// What one call of the console wrote.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(rename = "TailLog")]
pub struct Log {
    /// The arguments.
    pub message: Vec<Value>,
    /// `debug`, `info`, `log`, `warn` or `error`.
    pub level: String,
    /// Milliseconds since the Unix epoch.
    pub timestamp: i64,
}

impl Log {
    /// The arguments as the console shows them: in one line.
    pub fn line(&self) -> String {
        let mut line = String::new();
        for (n, argument) in self.message.iter().enumerate() {
            if n > 0 {
                line.push(' ');
            }
            line.push_str(&text_of(argument));
        }
        line
    }
}

/// A text as it is, everything else as JSON.
fn text_of(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        other => Cow::Owned(other.to_string()),
    }
}

impl TailEvent {
    /// An event that is no call, but a word to whoever watches: `kind` is `overload` or `overload-stop`.
    pub fn notice(kind: &str, message: &str, event_timestamp: i64) -> Self {
        Self {
            outcome: "ok".to_owned(),
            event_timestamp,
            event: json!({ "type": kind, "message": message }),
            ..Self::default()
        }
    }

    /// Whether the Function failed. A client that went away is no failure of it.
    pub fn has_failed(&self) -> bool {
        !self.exceptions.is_empty() || !matches!(self.outcome.as_str(), "ok" | "canceled")
    }

    /// Whether what was thrown or logged has this text in it.
    pub fn mentions(&self, text: &str) -> bool {
        let thrown = self.exceptions.iter().any(|exception| {
            exception.name.contains(text)
                || exception.message_text().contains(text)
                || exception.stack.as_ref().is_some_and(|stack| stack.contains(text))
        });
        thrown || self.logs.iter().any(|log| log.line().contains(text))
    }

    /// The method of the request that called the Function.
    pub fn method(&self) -> Option<&str> {
        self.event.pointer("/request/method").and_then(Value::as_str)
    }

    /// The address that was requested.
    pub fn url(&self) -> Option<&str> {
        self.event.pointer("/request/url").and_then(Value::as_str)
    }

    /// A header of the request, its name in any letter case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let headers = self.event.pointer("/request/headers")?.as_object()?;
        let (_, value) = headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        value.as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(filters: &str) -> String {
        read_filters(format!("{{\"filters\":{filters}}}").as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn filters_are_read_as_wrangler_sends_them() {
        let body = br#"{"filters":[{"sampling_rate":0.25},{"outcome":["ok","canceled"]},{"method":["GET"]},
            {"header":{"key":"x-a","query":"b"}},{"header":{"key":"x-c"}},{"client_ip":["self","1.2.3.4"]},
            {"query":"text"},{},{"query":null}]}"#;
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            read_filters(body).unwrap(),
            [
                Filter::SamplingRate(0.25),
                Filter::Outcome(texts(&["ok", "canceled"])),
                Filter::Method(texts(&["GET"])),
                Filter::Header { name: "x-a".into(), contains: Some("b".into()) },
                Filter::Header { name: "x-c".into(), contains: None },
                Filter::ClientIp(texts(&["self", "1.2.3.4"])),
                Filter::Query("text".into()),
            ]
        );
        let sent = filters_body(&read_filters(body).unwrap()).to_string();
        assert_eq!(read_filters(sent.as_bytes()), read_filters(body), "what we send is what we read");
        for nothing in [&b""[..], b"{}", br#"{"filters":null}"#, br#"{"filters":[]}"#] {
            assert_eq!(read_filters(nothing), Ok(Vec::new()));
        }
    }

    #[test]
    fn what_is_no_filter_is_refused_by_its_place() {
        assert_eq!(refusal("{}"), "filters must be an array");
        assert_eq!(refusal("[1]"), "filters[0] must be an object");
        assert_eq!(
            refusal("[{\"sampling_rate\":1.5}]"),
            "filters[0].sampling_rate must be a number from 0 to 1"
        );
        assert_eq!(refusal("[{},{\"header\":{}}]"), "filters[1].header.key is required");
        assert!(
            refusal("[{\"version\":\"x\"}]").starts_with("filters[0].version is no filter; there are sampl")
        );
    }

    #[test]
    fn an_event_has_every_member_that_clients_read() {
        let event: TailEvent =
            serde_json::from_str(r#"{"outcome":"ok","scriptName":null,"more":1}"#).unwrap();
        let json = serde_json::to_value(&event).unwrap();
        assert_eq!((&json["logs"], &json["exceptions"]), (&serde_json::json!([]), &serde_json::json!([])));
        let notice = serde_json::to_value(TailEvent::notice("overload", "much", 7)).unwrap();
        assert_eq!(notice["event"], serde_json::json!({"type": "overload", "message": "much"}));
        assert_eq!((&notice["logs"], &notice["eventTimestamp"]), (&serde_json::json!([]), &7.into()));
    }

    #[test]
    fn a_client_that_went_away_is_no_failure() {
        let event = |outcome: &str| TailEvent { outcome: outcome.into(), ..TailEvent::default() };
        assert!(!event("ok").has_failed() && !event("canceled").has_failed());
        assert!(event("exceededCpu").has_failed() && event("unknown").has_failed());
        let late = TailEvent { exceptions: vec![Exception::default()], ..event("ok") };
        assert!(late.has_failed(), "what was thrown after the answer counts, too");
    }
}
