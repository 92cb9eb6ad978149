use super::*;

fn text(metrics: &Metrics) -> String {
    let functions = RuntimeCounts { starts: 5, crashes: 2, ..RuntimeCounts::default() };
    metrics.text(3, functions, Timestamp::from_micros(1_748_781_296_500_000))
}

#[test]
fn only_series_that_something_happened_in_are_written() {
    let metrics = Metrics::default();
    let empty = text(&metrics);
    assert!(!empty.contains("offprint_http_requests_total{"), "{empty}");
    for status in [200, 200, 299, 999] {
        let status = StatusCode::from_u16(status).unwrap();
        metrics.answered(Surface::Site, status, CacheOutcome::Hit, Duration::from_micros(7));
    }
    metrics.answered(Surface::Platform, StatusCode::OK, CacheOutcome::None, Duration::ZERO);
    metrics.sent(Surface::Site, 40);
    metrics.sent(Surface::Site, 2);
    let (one, two) = (metrics.connected(), metrics.connected());
    drop(one);
    let written = text(&metrics);
    drop(two);
    for line in [
        r#"offprint_http_requests_total{surface="site",status="200",cache="hit"} 2"#,
        r#"offprint_http_requests_total{surface="site",status="other",cache="hit"} 2"#,
        r#"offprint_http_requests_total{surface="platform",status="200",cache="none"} 1"#,
        r#"offprint_http_request_duration_seconds_count{surface="site",status="200",cache="hit"} 2"#,
        r#"offprint_http_response_body_bytes_total{surface="site"} 42"#,
        r#"offprint_http_response_body_bytes_total{surface="platform"} 0"#,
        "offprint_connections_accepted_total 2",
        "offprint_function_processes 3",
        "offprint_function_starts_total 5",
        r#"offprint_function_failures_total{kind="crash"} 2"#,
        "offprint_connections_open 1",
        "process_start_time_seconds 1748781296.5",
    ] {
        assert!(written.lines().any(|found| found == line), "{line} is not in:\n{written}");
    }
    assert_eq!(written.matches("offprint_http_requests_total{").count(), 3);
}

#[test]
fn every_status_and_outcome_has_a_place() {
    let metrics = Metrics::default();
    for status in 100..1000 {
        for cache in CacheOutcome::ALL {
            metrics.answered(Surface::Site, StatusCode::from_u16(status).unwrap(), cache, Duration::ZERO);
        }
    }
    let written = text(&metrics);
    let series = written.matches("offprint_http_requests_total{").count();
    assert_eq!(series, (STATUSES.len() + 1) * CacheOutcome::ALL.len());
    for status in STATUSES {
        let line =
            format!(r#"offprint_http_requests_total{{surface="site",status="{status}",cache="miss"}} 1"#);
        assert!(written.lines().any(|found| found == line), "{line}");
    }
}
