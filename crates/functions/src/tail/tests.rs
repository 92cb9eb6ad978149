use super::*;
use offprint_model::name::ProjectName;
use offprint_store::ShortId;
use serde_json::json;

fn key(n: u32) -> DeploymentKey {
    DeploymentKey { project: ProjectName::parse("demo").unwrap(), deployment: ShortId(n) }
}

fn event(method: &str, outcome: &str) -> TailEvent {
    serde_json::from_value(json!({
        "outcome": outcome,
        "event": { "request": { "url": "https://a.example/", "method": method,
            "headers": { "offprint-tail": "all", "host": "a.example" } } },
    }))
    .unwrap()
}

async fn next(watcher: &mut Watcher) -> Value {
    serde_json::from_str(&watcher.next().await.expect("an event")).unwrap()
}

/// A tail of the first deployment, watched.
fn watched(tails: &Tails, filters: Vec<Filter>) -> Watcher {
    let started = tails.start(key(1), filters).unwrap();
    tails.watch(started.secret.expose()).unwrap()
}

#[tokio::test]
async fn events_go_to_all_who_watch_the_deployment_and_whose_filters_let_them_through() {
    let tails = Tails::default();
    let mut all = watched(&tails, Vec::new());
    let mut posts = watched(&tails, vec![Filter::Method(vec!["POST".into()])]);
    let other = tails.start(key(2), Vec::new()).unwrap();
    let mut other = tails.watch(other.secret.expose()).unwrap();
    tails.publish(&key(1), vec![event("GET", "ok"), event("POST", "ok")], 0);
    tails.publish(&key(2), vec![event("PUT", "ok")], 0);
    assert_eq!(next(&mut all).await["event"]["request"]["method"], "GET");
    assert_eq!(next(&mut all).await["event"]["request"]["method"], "POST");
    assert_eq!(next(&mut posts).await["event"]["request"]["method"], "POST");
    assert_eq!(next(&mut other).await["event"]["request"]["method"], "PUT");
}

#[tokio::test]
async fn events_name_the_deployment_and_not_what_is_between_server_and_process() {
    let tails = Tails::default();
    let mut watcher = watched(&tails, Vec::new());
    let posted = json!({ "events": [event("GET", "ok")], "leftOut": 0 });
    tails.receive(&key(1), posted.to_string().into()).await;
    let event = next(&mut watcher).await;
    assert_eq!(event["scriptName"], "pages-worker--demo-00000001");
    assert_eq!(event["event"]["request"]["headers"], json!({ "host": "a.example" }));
    tails.receive(&key(1), Bytes::from_static(b"nonsense")).await;
}

#[tokio::test]
async fn everything_is_wanted_while_somebody_watches_and_only_then() {
    let tails = Tails::default();
    let started = tails.start(key(1), Vec::new()).unwrap();
    assert_eq!(tails.wants(&key(1)), Wants::Exceptions, "nobody has connected");
    let first = tails.watch(started.secret.expose()).unwrap();
    assert_eq!((tails.wants(&key(1)), tails.wants(&key(2))), (Wants::Everything, Wants::Exceptions));
    let second = tails.watch(started.secret.expose()).unwrap();
    drop(first);
    assert_eq!(tails.wants(&key(1)), Wants::Everything, "the second has taken the place of the first");
    drop(second);
    assert_eq!(tails.wants(&key(1)), Wants::Exceptions);
}

#[tokio::test]
async fn a_tail_that_is_ended_ends_its_watcher() {
    let tails = Tails::default();
    let started = tails.start(key(1), Vec::new()).unwrap();
    let mut watcher = tails.watch(started.secret.expose()).unwrap();
    tails.end(&key(2), &started.id);
    tails.publish(&key(1), vec![event("GET", "ok")], 0);
    assert!(watcher.next().await.is_some(), "it is a tail of another deployment");
    tails.end(&key(1), &started.id);
    assert!(watcher.next().await.is_none());
    assert!(tails.watch(started.secret.expose()).is_none());
    assert_eq!(tails.wants(&key(1)), Wants::Exceptions);
    tails.end(&key(1), &started.id);
}

#[tokio::test(start_paused = true)]
async fn a_tail_expires_watched_or_not() {
    let tails = Tails::default();
    let unwatched = tails.start(key(1), Vec::new()).unwrap();
    let mut watcher = watched(&tails, Vec::new());
    assert!(watcher.next().await.is_none(), "time passes when nothing else happens");
    assert!(tails.watch(unwatched.secret.expose()).is_none());
    assert!(tails.state().tails.is_empty() && tails.state().of.is_empty());
}

#[tokio::test]
async fn many_may_watch_and_no_more() {
    let tails = Tails::default();
    let mut watchers: Vec<_> = (0..TAILS_OF_DEPLOYMENT).map(|_| watched(&tails, Vec::new())).collect();
    assert!(tails.start(key(1), Vec::new()).is_err());
    assert!(tails.start(key(2), Vec::new()).is_ok());
    tails.publish(&key(1), vec![event("GET", "ok")], 0);
    for watcher in &mut watchers {
        next(watcher).await;
    }
    // A tail that nobody watches any more makes room.
    drop(watchers.pop());
    assert!(tails.start(key(1), Vec::new()).is_ok());
    assert_eq!(tails.state().of[&key(1)].len(), TAILS_OF_DEPLOYMENT);
}

#[tokio::test]
async fn a_slow_watcher_is_told_what_he_missed_and_holds_nobody_up() {
    let tails = Tails::default();
    let (mut slow, mut quick) = (watched(&tails, Vec::new()), watched(&tails, Vec::new()));
    for _ in 0..600 {
        tails.publish(&key(1), vec![event("GET", "ok")], 0);
        next(&mut quick).await;
    }
    let notice = next(&mut slow).await;
    assert_eq!(notice["event"]["type"], "overload");
    assert_eq!(notice["event"]["message"], "Events come faster than they can be shown: 88 were left out.");
    assert!(notice["logs"].is_array() && notice["exceptions"].is_array());
    for _ in 0..512 {
        assert_eq!(next(&mut slow).await["outcome"], "ok");
    }
    // What was lost before it came here is told in the same way.
    tails.publish(&key(1), vec![event("GET", "ok")], 5);
    assert!(next(&mut slow).await["event"]["message"].as_str().unwrap().contains("5 were left out"));
    assert_eq!(next(&mut slow).await["event"]["request"]["method"], "GET");
}

#[tokio::test]
async fn failures_are_kept_whoever_watches() {
    let tails = Tails::default();
    tails.publish(&key(1), vec![event("GET", "ok"), event("GET", "exception")], 0);
    tails.publish(&key(1), vec![event("PUT", "exceededCpu"), event("GET", "canceled")], 0);
    let kept = tails.failures(&key(1));
    let outcomes: Vec<&str> = kept.iter().map(|event| event.outcome.as_str()).collect();
    assert_eq!(outcomes, ["exceededCpu", "exception"]);
    assert!(tails.failures(&key(2)).is_empty());
}
