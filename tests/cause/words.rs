//! What is said of an incident that a tired reader would take at its word, on made logs.

use crate::support::{Lines, Random, TEN, options, report, time_error, time_local, write_lines};
use downtime::report::{Incident, Report};

/// One made answer: when it was asked for, what, the status, and the milliseconds it took.
struct Made {
    second: i64,
    method: &'static str,
    path: &'static str,
    status: u16,
    took: i64,
}

/// An hour of eight requests a second over six paths, each answered as `answer` says; with the records of an error log.
fn told(answer: impl Fn(&mut Made), record: impl Fn(&Made) -> Option<&'static str>) -> Report {
    let (mut random, mut lines, mut errors) = (Random(77), Lines::new(), Lines::new());
    for n in 0..8 * 3600 {
        let paths = ["/", "/app/", "/api/items", "/api/cart", "/login", "/search"];
        let path = paths[random.below(6) as usize];
        let took = 50 + random.below(100) as i64;
        let method = if n % 7 == 0 { "POST" } else { "GET" };
        let mut made = Made { second: n / 8, method, path, status: 200, took };
        answer(&mut made);
        let logged = TEN + made.second + made.took / 1000;
        let client = format!("198.51.100.{}", random.below(250));
        let line = format!(
            "{client} - - [{}] \"{method} {path} HTTP/1.1\" {} 1234 \"-\" \"Mozilla/5.0\" {}.{:03}",
            time_local(logged, 0),
            made.status,
            made.took / 1000,
            made.took % 1000
        );
        lines.push((logged, line));
        if let Some(text) = record(&made) {
            let line = format!(
                "{} [error] 7#7: *{n} {text}, client: {client}, server: a.example, request: \"{method} {path} HTTP/1.1\", \
                 upstream: \"http://192.0.2.1:80{path}\", host: \"a.example\"",
                time_error(logged, 0)
            );
            errors.push((logged, line));
        }
    }
    lines.sort_by_key(|line| line.0);
    errors.sort_by_key(|line| line.0);
    let dir = tempfile::tempdir().unwrap();
    write_lines(&dir.path().join("access.log"), &lines);
    write_lines(&dir.path().join("error.log"), &errors);
    report(&options(&[dir.path().to_path_buf()]))
}

fn visible(report: &Report) -> Vec<&Incident> {
    report.incidents.iter().filter(|i| i.client_visible).collect()
}

#[test]
fn a_title_gives_the_share_of_the_place_it_names_and_an_end_stops_at_the_next_incident() {
    let fails = |m: &mut Made| match m.second {
        1200..1500 if m.path == "/search" => m.status = 500,
        1800..2000 => m.status = 500,
        _ => {}
    };
    let report = told(fails, |_| None);
    let found = visible(&report);
    assert_eq!(found.len(), 2, "{:#?}", report.incidents);
    assert_eq!(found[0].title, "100 % of requests failed on /search");
    let after = found[0].timeline.iter().find(|e| e.what.starts_with("first good answer after")).unwrap();
    let what = &after.what;
    assert!(what.contains(" 0 failed") && what.ends_with("until the next incident"), "{what}");
}

/// Every request hangs: half are given up after four seconds (499), the others time out after five (504).
#[test]
fn what_has_its_records_is_not_said_to_have_none() {
    const TIMED_OUT: &str =
        "upstream timed out (110: Connection timed out) while reading response header from upstream";
    let hangs = |m: &mut Made| {
        if (1200..1300).contains(&m.second) {
            (m.status, m.took) = if m.took % 2 == 0 { (499, 4000) } else { (504, 5001) };
        }
    };
    let report = told(hangs, |m| (m.status == 504).then_some(TIMED_OUT));
    let found = visible(&report);
    assert_eq!(found.len(), 1, "{:#?}", report.incidents);
    let incident = found[0];
    let cause = incident.cause.as_ref().unwrap();
    assert_eq!(cause.category, "upstream.timeout", "{}", cause.summary);
    for c in incident.other_causes.iter().chain([cause]) {
        let of_timeouts = c.summary.contains("504") && c.summary.contains("says nothing");
        assert!(!of_timeouts, "{}", c.summary);
    }
    // Those that came at the end are logged behind it, and so are their records.
    let timeouts = incident.impact.statuses[&504];
    assert!(cause.summary.contains(&format!("{timeouts} records")), "{timeouts}: {}", cause.summary);
    let last = incident.timeline.iter().find(|e| e.what.starts_with("last failed request")).unwrap();
    assert_eq!(last.what, "last failed request is logged");
    assert!(incident.end.is_some_and(|end| last.time > end));
}

/// Some requests fail for a while, with a record each; the records alone go on when all is well again.
#[test]
fn records_that_go_on_are_not_said_to_end() {
    let refused = "connect() failed (111: Connection refused) while connecting to upstream";
    let fails = |m: &mut Made| {
        if (1200..1400).contains(&m.second) && m.path.starts_with("/a") {
            m.status = 502;
        }
    };
    for goes_on in [false, true] {
        let report = told(fails, |m| {
            let speaks = m.status == 502 || goes_on && m.second >= 1400 && m.path.starts_with("/a");
            speaks.then_some(refused)
        });
        let found = visible(&report);
        let failing = found.iter().find(|i| i.impact.failed > 0).unwrap();
        let cause = failing.cause.as_ref().unwrap();
        assert_eq!(cause.category, "upstream.refused", "{}", cause.summary);
        assert_eq!(cause.summary.contains("they end when"), !goes_on, "{}", cause.summary);
    }
}

/// What writes fails, on every page; what reads is well.
#[test]
fn failures_of_one_method_are_called_so() {
    let posts = |m: &mut Made| {
        if (1200..1500).contains(&m.second) && m.method == "POST" {
            m.status = 500;
        }
    };
    let report = told(posts, |_| None);
    let found = visible(&report);
    assert_eq!(found.len(), 1, "{:#?}", report.incidents);
    assert!(
        found[0].why.contains("; of POST 343 of 343 failed, of all others 0 of 2,057"),
        "{}",
        found[0].why
    );
    let all = told(|m| m.status = if (1200..1500).contains(&m.second) { 500 } else { 200 }, |_| None);
    assert!(!visible(&all)[0].why.contains("POST"), "{}", visible(&all)[0].why);
}
