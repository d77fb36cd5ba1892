//! What servers were marked as failed for, where the error log says only that none is left.

use crate::only;
use crate::support::{Lines, Random, TEN, options, report, time_error, time_local, write_lines};
use downtime::report::{Cause, Report};

/// How servers fail in the made outage.
#[derive(Clone, Copy, PartialEq)]
enum Failure {
    /// With 500, which `proxy_next_upstream` names: nothing is written of it.
    Answers,
    /// The same of the last server too, whose answer is passed on.
    Last,
    /// Not in time, with a record each.
    Hangs,
}

/// An hour of six requests a second at two servers. For two minutes both fail; each is asked by one request in ten
/// seconds, and for the others none is left. One request elsewhere hangs in between, as one does now and then.
fn told(failure: Failure, with_statuses: bool) -> Report {
    let (mut random, mut lines, mut errors) = (Random(5), Lines::new(), Lines::new());
    let fails = 1800..1920;
    for n in 0..6 * 3600_i64 {
        let (second, nth) = (n / 6, n % 6);
        let client = format!("198.51.100.{}", random.below(250));
        let asked = nth == 0 && (second - 1800) % 10 == 0;
        let stray = second == 1850 && nth == 3 && failure == Failure::Answers;
        let hangs = stray || asked && failure == Failure::Hangs;
        let (status, took, peers, statuses) = match (fails.contains(&second), asked || stray) {
            (false, _) => (200, 0.05, "192.0.2.1:80", "200"),
            (true, false) => (502, 0.0, "app", "502"),
            (true, true) if failure == Failure::Last => (500, 0.0, "192.0.2.1:80", "500"),
            (true, true) if hangs => (502, 3.0, "192.0.2.1:80, 192.0.2.2:80, app", "504, 504, 502"),
            (true, true) => (502, 0.4, "192.0.2.1:80, 192.0.2.2:80, app", "500, 500, 502"),
        };
        let logged = TEN + second + took as i64;
        let upstream =
            if with_statuses { format!(" ua=\"{peers}\" us=\"{statuses}\"") } else { String::new() };
        let line = format!(
            "{client} - - [{}] \"GET /a HTTP/1.1\" {status} 157 \"-\" \"Mozilla/5.0\" rt={took:.3}{upstream}",
            time_local(logged, 0)
        );
        lines.push((logged, line));
        let mut record = |text: &str| {
            let line = format!(
                "{} [error] 7#7: *{n} {text}, client: {client}, server: a.example, request: \"GET /a HTTP/1.1\", \
                 upstream: \"http://192.0.2.1:80/a\", host: \"a.example\"",
                time_error(logged, 0)
            );
            errors.push((logged, line));
        };
        if status == 502 {
            if hangs {
                record(
                    "upstream timed out (110: Connection timed out) while reading response header from upstream",
                );
            }
            record("no live upstreams while connecting to upstream");
        }
    }
    lines.sort_by_key(|line| line.0);
    errors.sort_by_key(|line| line.0);
    let dir = tempfile::tempdir().unwrap();
    write_lines(&dir.path().join("access.log"), &lines);
    write_lines(&dir.path().join("error.log"), &errors);
    report(&options(&[dir.path().to_path_buf()]))
}

fn cause(report: &Report) -> &Cause {
    only(report).cause.as_ref().unwrap()
}

#[test]
fn servers_that_answered_are_marked_without_a_record() {
    let report = told(Failure::Answers, true);
    let cause = cause(&report);
    assert_eq!(
        (cause.category.as_str(), cause.confidence),
        ("upstream.app_error", "certain"),
        "{}",
        cause.summary
    );
    assert!(cause.summary.contains("$upstream_status"), "{}", cause.summary);
    assert!(cause.evidence.iter().any(|e| e.text.contains("us=\"500, 500, 502\"")), "{:#?}", cause.evidence);
}

/// The answer of the last server is passed on, and shows what the others did.
#[test]
fn answers_among_the_requests_without_a_server_tell_what_marked_them() {
    let report = told(Failure::Last, false);
    let cause = cause(&report);
    assert_eq!(
        (cause.category.as_str(), cause.confidence),
        ("upstream.app_error", "likely"),
        "{}",
        cause.summary
    );
    assert!(cause.summary.contains("were answered with 500"), "{}", cause.summary);
}

#[test]
fn one_timeout_does_not_leave_servers_out_for_two_minutes() {
    let report = told(Failure::Answers, false);
    assert_ne!(
        (cause(&report).category.as_str(), cause(&report).confidence),
        ("upstream.timeout", "certain")
    );
}

#[test]
fn a_record_for_each_time_that_servers_are_left_out_is_why() {
    for with_statuses in [false, true] {
        let report = told(Failure::Hangs, with_statuses);
        let cause = cause(&report);
        assert_eq!(
            (cause.category.as_str(), cause.confidence),
            ("upstream.timeout", "certain"),
            "{}",
            cause.summary
        );
        assert!(cause.summary.contains("are their echo"), "{}", cause.summary);
    }
}
