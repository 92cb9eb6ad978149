//! Whether an event is one that was asked for.

use std::net::IpAddr;

use offprint_wire::tail::{Filter, TailEvent};

/// The header by which a Function, too, learns where a request came from.
const CLIENT_IP: &str = "cf-connecting-ip";

/// Whether all filters let an event through. Chance decides anew with each call about a sampling rate.
pub fn admits(filters: &[Filter], event: &TailEvent) -> bool {
    filters.iter().all(|filter| admits_one(filter, event))
}

fn admits_one(filter: &Filter, event: &TailEvent) -> bool {
    match filter {
        Filter::SamplingRate(rate) => rand::random::<f64>() < *rate,
        Filter::Outcome(outcomes) => outcomes.contains(&event.outcome),
        Filter::Method(methods) => event
            .method()
            .is_some_and(|method| methods.iter().any(|wanted| wanted.eq_ignore_ascii_case(method))),
        Filter::Header { name, contains } => event
            .header(name)
            .is_some_and(|value| contains.as_deref().is_none_or(|wanted| value.contains(wanted))),
        Filter::ClientIp(addresses) => event
            .header(CLIENT_IP)
            .is_some_and(|address| addresses.iter().any(|wanted| is_same_address(wanted, address))),
        Filter::Query(text) => event.logs.iter().any(|log| log.line().contains(text)),
    }
}

/// The same address may be written in several ways.
fn is_same_address(one: &str, other: &str) -> bool {
    let canonical = |text: &str| text.trim().parse().map(|address: IpAddr| address.to_canonical());
    match (canonical(one), canonical(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => one.trim() == other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn event() -> TailEvent {
        serde_json::from_value(json!({
            "outcome": "exception",
            "exceptions": [{ "name": "Error", "message": "boom", "timestamp": 1 }],
            "logs": [{ "message": ["hello", { "a": [1] }, "world"], "level": "log", "timestamp": 1 }],
            "eventTimestamp": 1,
            "event": { "request": { "url": "https://a.example/x", "method": "GET", "headers": {
                "cf-connecting-ip": "2001:db8::1", "user-agent": "curl/8", "x-empty": "",
            } } },
        }))
        .unwrap()
    }

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    fn header(name: &str, contains: Option<&str>) -> Filter {
        Filter::Header { name: name.into(), contains: contains.map(Into::into) }
    }

    #[test]
    fn each_filter_lets_its_own_through() {
        for (filter, expected) in [
            (Filter::Outcome(texts(&["ok", "exception"])), true),
            (Filter::Outcome(texts(&["ok"])), false),
            (Filter::Method(texts(&["post", "get"])), true),
            (Filter::Method(texts(&["PUT"])), false),
            (header("User-Agent", None), true),
            (header("user-agent", Some("curl")), true),
            (header("user-agent", Some("wget")), false),
            (header("x-empty", None), true),
            (header("x-other", None), false),
            (Filter::ClientIp(texts(&["1.2.3.4", "2001:DB8:0::1"])), true),
            (Filter::ClientIp(texts(&["1.2.3.4"])), false),
            (Filter::Query("hello {\"a\":[1]} wor".into()), true),
            (Filter::Query("boom".into()), false),
            (Filter::SamplingRate(1.0), true),
            (Filter::SamplingRate(0.0), false),
        ] {
            assert_eq!(admits(std::slice::from_ref(&filter), &event()), expected, "{filter:?}");
        }
    }

    #[test]
    fn all_must_agree_and_none_is_no_hindrance() {
        assert!(admits(&[], &event()));
        let (yes, no) = (Filter::Method(texts(&["GET"])), Filter::Method(texts(&["PUT"])));
        assert!(admits(&[yes.clone(), yes.clone()], &event()));
        assert!(!admits(&[yes, no], &event()));
    }

    #[test]
    fn what_has_no_request_is_let_through_by_no_filter_about_requests() {
        let event = TailEvent { event: Value::Null, ..event() };
        for filter in [Filter::Method(texts(&["GET"])), header("a", None), Filter::ClientIp(texts(&["::1"]))]
        {
            assert!(!admits(&[filter], &event));
        }
    }

    #[test]
    fn a_sample_is_about_as_large_as_was_asked_for() {
        let taken = (0..10_000).filter(|_| admits(&[Filter::SamplingRate(0.25)], &event())).count();
        assert!((2_000..3_000).contains(&taken), "{taken} of 10000");
    }
}
