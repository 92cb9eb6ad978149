//! `offprint deployment tail` and `offprint deployment exceptions`: what Functions say, now and lately.

use offprint_client::tail::{Filter, TailEvent};
use offprint_model::time::Timestamp;
use offprint_wire::time::Time;

use super::deployment::{DeploymentArgs, find};
use super::output;

/// Which calls.
#[derive(clap::Args)]
pub(crate) struct FilterArgs {
    /// Only calls that ended so; may be given several times
    #[arg(long, value_enum)]
    status: Vec<Status>,
    /// Only requests with this method; may be given several times
    #[arg(long)]
    method: Vec<String>,
    /// Only requests with this header and, where a text is given, that text in its value
    #[arg(long, value_name = "NAME[:TEXT]")]
    header: Option<String>,
    /// Only requests from this address; self is one's own; may be given several times
    #[arg(long, value_name = "ADDRESS")]
    ip: Vec<String>,
}

/// How a call ended.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Status {
    /// With an answer
    Ok,
    /// Without, or with an exception after it
    Error,
    /// The client went away
    Canceled,
}

/// What to watch.
#[derive(clap::Args)]
pub(crate) struct TailArgs {
    #[command(flatten)]
    filter: FilterArgs,
    /// Only calls that logged this text
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// Only this share of the calls, such as 0.25
    #[arg(long, value_name = "RATE")]
    sampling_rate: Option<f64>,
    /// Print each event as a line of JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    which: DeploymentArgs,
}

/// What to look for.
#[derive(clap::Args)]
pub(crate) struct ExceptionsArgs {
    #[command(flatten)]
    filter: FilterArgs,
    /// Only calls that threw or logged this text
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// How many at the most
    #[arg(long, default_value_t = 20, value_name = "COUNT")]
    limit: usize,
    /// Print the API's answer as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    which: DeploymentArgs,
}

impl FilterArgs {
    fn filters(self) -> Vec<Filter> {
        let mut filters = Vec::new();
        if !self.status.is_empty() {
            let outcomes = self.status.iter().flat_map(|status| status.outcomes());
            filters.push(Filter::Outcome(outcomes.map(|outcome| (*outcome).to_owned()).collect()));
        }
        if !self.method.is_empty() {
            filters.push(Filter::Method(self.method));
        }
        if let Some(header) = self.header {
            let (name, text) = header.split_once(':').unwrap_or((&header, ""));
            let contains = Some(text.trim().to_owned()).filter(|text| !text.is_empty());
            filters.push(Filter::Header { name: name.trim().to_owned(), contains });
        }
        if !self.ip.is_empty() {
            filters.push(Filter::ClientIp(self.ip));
        }
        filters
    }
}

impl Status {
    /// The outcomes that are called so, as wrangler does.
    const fn outcomes(self) -> &'static [&'static str] {
        match self {
            Self::Ok => &["ok"],
            Self::Error => &["exception", "exceededCpu", "exceededMemory", "unknown"],
            Self::Canceled => &["canceled"],
        }
    }
}

/// Watches until it is interrupted, or the server ends it.
///
/// # Errors
/// The API refused, or the connection broke.
pub(crate) async fn tail(args: TailArgs) -> anyhow::Result<()> {
    let mut filters = args.filter.filters();
    filters.extend(args.search.map(Filter::Query));
    filters.extend(args.sampling_rate.map(Filter::SamplingRate));
    let (client, project, id) = find(args.which).await?;
    let mut tailing = client.tail(&project, &id, &filters).await?;
    output::note(format_args!("Watching {id}; end with Ctrl-C."));
    loop {
        let event = tokio::select! {
            event = tailing.next() => event?,
            interrupted = tokio::signal::ctrl_c() => {
                interrupted?;
                return Ok(tailing.end().await?);
            }
        };
        match event {
            Some(event) if args.json => output::line(format_args!("{}", serde_json::to_string(&event)?))?,
            Some(event) => print(&event)?,
            None => {
                output::note(format_args!("The server has ended the tail."));
                return Ok(());
            }
        }
    }
}

/// Prints the recent failures, the oldest first, so that the newest stands last.
///
/// # Errors
/// The API refused.
pub(crate) async fn exceptions(args: ExceptionsArgs) -> anyhow::Result<()> {
    let filters = args.filter.filters();
    let (client, project, id) = find(args.which).await?;
    let events = client.exceptions(&project, &id, &filters, args.search.as_deref(), args.limit).await?;
    if args.json {
        return output::json(&events);
    }
    if events.is_empty() {
        output::note(format_args!("Nothing of the kind has happened since the server was started."));
    }
    events.iter().rev().try_for_each(print)
}

/// One call. What a Function says must not play with the terminal.
fn print(event: &TailEvent) -> anyhow::Result<()> {
    lines(event).iter().try_for_each(|line| output::line(format_args!("{}", output::plain(line))))
}

fn lines(event: &TailEvent) -> Vec<String> {
    let at = Time(Timestamp::from_micros(event.event_timestamp.saturating_mul(1000)));
    let word = event.event.get("message").and_then(serde_json::Value::as_str);
    let mut lines = vec![match (event.method(), word) {
        (Some(method), _) => format!("{at} {} {method} {}", event.outcome, event.url().unwrap_or_default()),
        (None, Some(word)) => format!("{at} {word}"),
        (None, None) => format!("{at} {}", event.outcome),
    }];
    for log in &event.logs {
        let text = log.line();
        let mut rest = text.lines();
        lines.push(format!("  ({}) {}", log.level, rest.next().unwrap_or_default()));
        lines.extend(rest.map(|line| format!("    {line}")));
    }
    for exception in &event.exceptions {
        lines.push(format!("  {}: {}", exception.name, exception.message_text()));
        lines.extend(exception.stack.iter().flat_map(|stack| stack.lines()).map(|line| format!("  {line}")));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_event_is_shown_with_what_was_logged_and_thrown() {
        let event: TailEvent = serde_json::from_value(json!({
            "outcome": "exception",
            "eventTimestamp": 1_795_863_594_520_i64,
            "event": { "request": { "url": "https://a.example/boom", "method": "GET" } },
            "logs": [{ "level": "log", "message": ["two\nlines", { "a": 1 }], "timestamp": 1 }],
            "exceptions": [{ "name": "TypeError", "message": "kaputt", "stack": "    at x (index.js:1:2)" }],
        }))
        .unwrap();
        assert_eq!(
            lines(&event),
            [
                "2026-11-28T10:59:54.52Z exception GET https://a.example/boom",
                "  (log) two",
                "    lines {\"a\":1}",
                "  TypeError: kaputt",
                "      at x (index.js:1:2)",
            ]
        );
        let notice = TailEvent::notice("overload", "5 were left out.", 0);
        assert_eq!(lines(&notice), ["1970-01-01T00:00:00Z 5 were left out."]);
    }

    #[test]
    fn arguments_become_the_filters_of_a_tail() {
        let args = |header: &str| FilterArgs {
            status: vec![Status::Ok, Status::Error],
            method: vec!["GET".into()],
            header: Some(header.into()),
            ip: Vec::new(),
        };
        let body = offprint_wire::tail::filters_body(&args("x-a: b:c").filters());
        assert_eq!(
            body["filters"],
            json!([
                { "outcome": ["ok", "exception", "exceededCpu", "exceededMemory", "unknown"] },
                { "method": ["GET"] },
                { "header": { "key": "x-a", "query": "b:c" } },
            ])
        );
        assert_eq!(args("x-a").filters()[2], Filter::Header { name: "x-a".into(), contains: None });
    }
}
