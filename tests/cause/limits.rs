//! Requests that nginx refuses or does not find for everybody, with no error log beside.

use crate::only;
use crate::support::{Lines, Random, TEN, options, report, time_local, write_lines};
use downtime::report::Report;

/// The stretch in which requests are refused.
const STRETCH: std::ops::Range<i64> = 2400..3300;

/// One request: its client, its number in its second, whether chance refuses it.
struct Asked {
    client: u64,
    nth: u64,
    unlucky: bool,
}

/// An hour and a half of requests; those of the stretch that are refused get this status, and bodies of these lengths.
fn site(status: u16, bodies: &[u32], refused: impl Fn(&Asked) -> bool) -> Lines {
    let mut random = Random(503);
    let mut lines = Lines::new();
    for second in 0..5400 {
        let asked = (0..40).filter(|_| random.below(2) == 0).count() as u64;
        for nth in 0..asked {
            let client = random.below(400);
            let path = ["/", "/app/", "/api/items", "/api/cart", "/login"][random.below(5) as usize];
            let asked = Asked { client, nth, unlucky: random.below(5) > 0 };
            let (status, bytes, took) = if STRETCH.contains(&second) && refused(&asked) {
                (status, bodies[lines.len() % bodies.len()], 0.0)
            } else {
                (200, 900 + random.below(20_000) as u32, 0.02 + 0.01 * random.below(20) as f64)
            };
            let line = format!(
                "198.51.{}.{} - - [{}] \"GET {path} HTTP/1.1\" {status} {bytes} \"-\" \"Mozilla/5.0\" {took:.3}",
                client / 200,
                client % 200 + 1,
                time_local(TEN + second, 0)
            );
            lines.push((TEN + second, line));
        }
    }
    lines
}

fn told(lines: &Lines) -> Report {
    let dir = tempfile::tempdir().unwrap();
    write_lines(&dir.path().join("access.log"), lines);
    report(&options(&[dir.path().to_path_buf()]))
}

/// nginx's own page of 503.
const OWN: [u32; 1] = [197];

#[test]
fn a_rate_that_all_share_shows_in_how_evenly_requests_get_through() {
    let report = told(&site(503, &OWN, |a| a.nth >= 4));
    let cause = only(&report).cause.as_ref().unwrap();
    assert_eq!((cause.category.as_str(), cause.confidence), ("limit.rate", "likely"), "{}", cause.summary);
    assert!(cause.summary.contains("about 4 requests a second"), "{}", cause.summary);
    let served = |e: &downtime::report::Evidence| e.text.contains(" 200 ");
    assert!(cause.evidence.iter().any(served), "{:#?}", cause.evidence);
}

#[test]
fn requests_that_are_refused_by_chance_show_a_limit_and_no_rate() {
    let report = told(&site(503, &OWN, |a| a.unlucky));
    let cause = only(&report).cause.as_ref().unwrap();
    assert_eq!((cause.category.as_str(), cause.confidence), ("limit.rate", "possible"), "{}", cause.summary);
    assert!(!cause.summary.contains("a second got through"), "{}", cause.summary);
}

#[test]
fn what_refuses_some_clients_only_or_has_no_page_of_nginx_is_no_limit() {
    let some = told(&site(503, &OWN, |a| a.client % 5 > 0));
    let cause = only(&some).cause.as_ref().unwrap();
    assert!(!cause.category.starts_with("limit."), "{}", cause.summary);
    // Four of five got no answer, and not all.
    assert!(cause.summary.contains("answered to most"), "{}", cause.summary);
    let lengths = [611, 702, 1330, 945, 18, 520];
    let report = told(&site(503, &lengths, |a| a.nth >= 4));
    let cause = only(&report).cause.as_ref().unwrap();
    assert_eq!(cause.category, "upstream.app_error", "{}", cause.summary);
}

#[test]
fn what_all_are_refused_or_do_not_find_in_a_busy_log_is_an_outage() {
    for (status, category) in [(429, "limit.rate"), (404, "content.missing"), (403, "content.forbidden")] {
        let report = told(&site(status, &[169], |a| a.nth >= 4));
        let incident = only(&report);
        let cause = incident.cause.as_ref().unwrap();
        assert_eq!(cause.category, category, "{}", cause.summary);
        let edges = (incident.start / 1000 - TEN, incident.end.unwrap() / 1000 - TEN);
        assert!((edges.0 - 2400).abs() <= 2 && (edges.1 - 3300).abs() <= 2, "{edges:?}");
    }
}

#[test]
fn as_many_that_come_beside_those_that_are_served_are_none() {
    let mut lines = site(200, &[900], |_| false);
    for n in 0..18_000_i64 {
        let second = TEN + 2400 + n / 20;
        let line = format!(
            "203.0.113.{} - - [{}] \"GET /api/items HTTP/1.1\" 429 169 \"-\" \"bot\" 0.000",
            n % 90 + 1,
            time_local(second, 0)
        );
        lines.push((second, line));
    }
    lines.sort_by_key(|l| l.0);
    let report = told(&lines);
    assert!(report.incidents.is_empty(), "{:#?}", report.incidents);
}
