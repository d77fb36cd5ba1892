//! What statuses, lengths and times of answers prove where no error log tells why requests failed.

use crate::support::{Lines, Random, TEN, options, report, time_error, time_local, write_lines};
use crate::{only, said};
use downtime::report::{Cause, Report};

/// How one request was answered: status, length of the body, seconds.
type Answered = (u16, u32, f64);

/// nginx's own pages of 502, 503 and 504.
const BAD_GATEWAY: u32 = 157;
const UNAVAILABLE: u32 = 197;
const TIMED_OUT: u32 = 167;

/// An hour of ten requests a second, but for what `trouble` makes of those of its seconds, by second and number. A request
/// is logged when it ends.
fn site(trouble: impl Fn(i64, u64) -> Option<Answered>) -> Lines {
    let mut random = Random(811);
    let mut lines = Lines::new();
    for second in 0..3600 {
        for nth in 0..10 {
            let usual = (200, 900 + random.below(20_000) as u32, 0.02 + 0.01 * random.below(10) as f64);
            let (status, bytes, took) = trouble(second, nth).unwrap_or(usual);
            let client = random.below(400);
            let path = ["/", "/app/", "/api/items", "/api/cart", "/login"][random.below(5) as usize];
            let ended = TEN + second + took as i64;
            let line = format!(
                "198.51.{}.{} - - [{}] \"GET {path} HTTP/1.1\" {status} {bytes} \"-\" \"Mozilla/5.0\" {took:.3}",
                client / 200,
                client % 200 + 1,
                time_local(ended, 0)
            );
            lines.push((ended, line));
        }
    }
    lines.sort_by_key(|l| l.0);
    lines
}

fn told(access: &Lines, error: &Lines) -> Report {
    let dir = tempfile::tempdir().unwrap();
    write_lines(&dir.path().join("access.log"), access);
    if !error.is_empty() {
        write_lines(&dir.path().join("error.log"), error);
    }
    report(&options(&[dir.path().to_path_buf()]))
}

fn cause(report: &Report) -> &Cause {
    only(report).cause.as_ref().unwrap()
}

/// Each server that does not answer in time is marked as failed for a while, in which nginx asks none.
#[test]
fn refusals_at_once_among_timeouts_are_servers_marked_as_failed() {
    let lines = site(|second, nth| {
        let hangs = (1800..1920).contains(&second);
        let asked = second % 15 < 3 && nth < 4;
        hangs.then_some(if asked { (504, TIMED_OUT, 10.0) } else { (502, BAD_GATEWAY, 0.0) })
    });
    let report = told(&lines, &Lines::new());
    let cause = cause(&report);
    assert_eq!(cause.category, "upstream.timeout", "{}", cause.summary);
    assert!(cause.summary.contains("marked as failed"), "{}", cause.summary);
}

#[test]
fn what_was_waited_for_was_not_refused() {
    let bad = |late: bool| {
        let lines = site(|second, nth| {
            let took = if late && nth % 3 == 0 { 0.4 + 0.1 * (second % 5) as f64 } else { 0.0 };
            (1800..1920).contains(&second).then_some((502, BAD_GATEWAY, took))
        });
        told(&lines, &Lines::new())
    };
    let at_once = bad(false);
    assert_eq!(cause(&at_once).category, "upstream.refused");
    let some = bad(true);
    let named = only(&some).cause.as_ref().map(|c| c.category.as_str());
    assert_ne!(named, Some("upstream.refused"), "{:?}", only(&some).cause);
}

#[test]
fn a_limit_of_half_a_minute_is_known_by_nginx_s_own_page() {
    let lines =
        site(|second, nth| ((1800..1830).contains(&second) && nth >= 3).then_some((503, UNAVAILABLE, 0.0)));
    let report = told(&lines, &Lines::new());
    assert_eq!(cause(&report).category, "limit.rate", "{}", cause(&report).summary);
}

/// One request a second gets through, of hundreds of clients: hardly one of them is served and asks again.
#[test]
fn a_limit_that_hardly_anybody_passes_is_one_that_all_share() {
    let lines =
        site(|second, nth| ((1800..1815).contains(&second) && nth >= 1).then_some((503, UNAVAILABLE, 0.0)));
    let report = told(&lines, &Lines::new());
    assert_eq!(cause(&report).category, "limit.rate", "{}", cause(&report).summary);
}

/// The site is closed for ten seconds, in the midst of a second at both ends.
#[test]
fn who_is_served_in_the_last_second_before_a_site_is_closed_shows_no_limit() {
    let lines = site(|second, nth| {
        let closed = match second {
            1800 => nth >= 7,
            1801..1810 => true,
            1810 => nth < 4,
            _ => false,
        };
        closed.then_some((503, UNAVAILABLE, 0.0))
    });
    let report = told(&lines, &Lines::new());
    assert!(!cause(&report).category.starts_with("limit."), "{}", cause(&report).summary);
}

/// Requests failed, and for a few seconds no line was written: that nobody came is no reason for the failures.
#[test]
fn a_short_silence_beside_failures_explains_them_not() {
    let mut lines =
        site(|second, _| (1800..1900).contains(&second).then_some((500, 611 + second as u32 % 90, 0.02)));
    lines.retain(|(second, _)| !(TEN + 1900..TEN + 1908).contains(second));
    let report = told(&lines, &Lines::new());
    let incident = only(&report);
    assert!((incident.start / 1000 - TEN - 1800).abs() <= 1, "{}", incident.why);
    assert_eq!(cause(&report).category, "upstream.app_error", "{}", cause(&report).summary);
}

/// A worker that dies again and again is one thing to say.
#[test]
fn crashes_that_follow_on_each_other_are_told_once() {
    let mut error: Lines = (0..12)
        .map(|n| said(1800 + 5 * n, "alert", 70, &format!("worker process {} exited on signal 11", 200 + n)))
        .collect();
    error
        .insert(0, (TEN + 60, format!("{} [notice] 70#70: start worker processes", time_error(TEN + 60, 0))));
    let report = told(&site(|_, _| None), &error);
    let crashes: Vec<_> = report.findings.iter().filter(|f| f.kind == "worker-crash").collect();
    assert_eq!(crashes.len(), 1, "{crashes:#?}");
    assert_eq!(crashes[0].time / 1000 - TEN, 1800);
    assert_eq!(crashes[0].end.map(|e| e / 1000 - TEN), Some(1855));
}
