//! Kinds of trouble, and of what only looks like it, in made logs: what must be said of each.
//!
//! Each case is a site with its ordinary noise, in some format and zone, to which one thing happens.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "kinds/failures_only.rs"]
mod failures_only;
#[path = "kinds/late.rs"]
mod late;
#[path = "kinds/limits.rs"]
mod limits;
#[path = "kinds/silences.rs"]
mod silences;
#[path = "kinds/site.rs"]
mod site;
mod support;
#[path = "kinds/waits.rs"]
mod waits;

use downtime::report::{Incident, Report, Severity};
use site::{Format, Hit, Site};
use support::Random;

const HALF: f64 = 1200.0;

/// Makes the requests of a robot, by their number.
type MadeBy = Box<dyn Fn(u64) -> Hit>;

fn quiet(name: &str, report: &Report) {
    let seen: Vec<_> = report.incidents.iter().map(|i| format!("{}: {}", i.title, i.why)).collect();
    assert!(seen.is_empty(), "{name}: {seen:#?}");
}

/// The only incident, which must lie within `within` seconds of `from..to`.
fn only<'a>(
    name: &str,
    site: &Site,
    report: &'a Report,
    (from, to): (f64, f64),
    within: f64,
) -> &'a Incident {
    let seen: Vec<_> =
        report.incidents.iter().map(|i| format!("{}: {} {:?}", i.title, i.why, i.phases)).collect();
    assert_eq!(report.incidents.len(), 1, "{name}: {seen:#?}, {:#?}", report.findings);
    let i = &report.incidents[0];
    let at = |ms: i64| ms as f64 / 1000.0 - site.start as f64;
    let (start, end) = (at(i.start), i.end.map(at).unwrap());
    assert!(
        (start - from).abs() <= within && (end - to).abs() <= within,
        "{name}: {start} to {end}, not {from} to {to}: {}",
        i.why
    );
    i
}

fn said(report: &Report, kind: &str) -> bool {
    report.findings.iter().any(|f| f.kind == kind)
}

#[test]
fn a_slow_upstream_in_every_format_with_times() {
    for (seed, format, offset) in
        [(1, Format::Timed, 0), (2, Format::Json, 330), (3, Format::TimedPeers, -180)]
    {
        let site = Site { seed, format, offset, ..Site::default() };
        let mut hits = site.hits();
        for h in
            hits.iter_mut().filter(|h| !h.path.starts_with("/static") && (HALF..HALF + 120.0).contains(&h.at))
        {
            h.took *= 8.0;
        }
        let report = site.report(&hits, &[]);
        let i = only("slow", &site, &report, (HALF, HALF + 120.0), 4.0);
        assert_eq!((i.severity, i.client_visible), (Severity::Slowdown, true));
        assert!(i.impact.slow.unwrap() > 100, "{:?}", i.impact);
        assert_eq!(i.cause.as_ref().unwrap().category, "upstream.slow");
    }
}

#[test]
fn one_endpoint_slow_is_named() {
    let site = Site { format: Format::Timed, rate: 12.0, ..Site::default() };
    let mut hits = site.hits();
    for h in hits.iter_mut().filter(|h| h.path.starts_with("/search") && (HALF..HALF + 200.0).contains(&h.at))
    {
        h.took += 4.0;
    }
    let report = site.report(&hits, &[]);
    let i = only("one endpoint slow", &site, &report, (HALF, HALF + 200.0), 8.0);
    assert_eq!(i.scope.endpoints, ["/search"], "{:?}", i.scope);
}

#[test]
fn a_wave_of_499_without_times() {
    let site = Site { seed: 33, rate: 8.0, format: Format::Combined, ..Site::default() };
    let mut hits = site.hits();
    for (i, h) in hits.iter_mut().enumerate() {
        if !h.path.starts_with("/static") && (HALF..HALF + 150.0).contains(&h.at) {
            (h.status, h.took) = if i % 10 < 8 { (499, 4.0 + (i % 7) as f64 / 7.0) } else { (200, 6.0) };
        }
    }
    let report = site.report(&hits, &[]);
    let i = only("499", &site, &report, (HALF, HALF + 150.0), 8.0);
    assert_eq!((i.severity, i.client_visible), (Severity::Slowdown, true));
    assert!(i.impact.statuses[&499] > 300, "{:?}", i.impact);
    // One client that hangs up on everything is its own affair.
    let mut hits = site.hits();
    hits.extend((0..900).map(|i| Hit {
        at: HALF + f64::from(i) / 6.0,
        client: "203.0.113.9".into(),
        path: "/api/stock".into(),
        status: 499,
        took: 0.2,
    }));
    quiet("one client's 499", &site.report(&hits, &[]));
}

#[test]
fn content_that_is_gone_or_forbidden() {
    for (seed, status, rate, format) in
        [(4, 404, 6.0, Format::Combined), (5, 403, 2.0, Format::Timed), (6, 410, 25.0, Format::Json)]
    {
        let site = Site { seed, rate, format, offset: 60, ..Site::default() };
        let mut hits = site.hits();
        for h in
            hits.iter_mut().filter(|h| h.path.starts_with("/static/") && (HALF..HALF + 150.0).contains(&h.at))
        {
            h.status = status;
        }
        let report = site.report(&hits, &[]);
        let i = only("missing", &site, &report, (HALF, HALF + 150.0), 3.0 + 6.0 / rate);
        assert!(i.client_visible && i.impact.failed > 10, "{:?}", i.impact);
        let cause = &i.cause.as_ref().unwrap().category;
        assert_eq!(cause, if status == 403 { "content.forbidden" } else { "content.missing" });
    }
}

/// A tenth of the requests find nothing, among robots that never do: little among all, and everything of its paths.
#[test]
fn a_small_part_of_the_content_that_is_gone_is_named() {
    for seed in [11, 12, 13] {
        let site = Site { seed, rate: 4.5, seconds: 600.0, ..Site::default() };
        let mut hits = site.hits();
        for h in hits.iter_mut().filter(|h| (240.0..285.0).contains(&h.at) && h.path.ends_with("app.css")) {
            (h.status, h.took) = (404, 0.0);
        }
        let report = site.report(&hits, &[]);
        let i = only("a page is gone", &site, &report, (240.0, 285.0), 9.0);
        assert!(i.title.contains("/static/app.css"), "{}", i.title);
    }
}

#[test]
fn scans_and_single_clients_are_findings() {
    let scan = |status: u16, clients: u64, path: fn(u64) -> String| {
        move |i: u64| Hit {
            client: format!("203.0.113.{}", 7 + i % clients),
            path: path(i),
            status,
            took: 0.01,
            ..Hit::default()
        }
    };
    let cases: [(&str, MadeBy, &str); 5] = [
        ("a scan for what was never there", Box::new(scan(404, 2, |i| format!("/wp-{i}/x.php"))), "scan"),
        ("a tour through old numbers", Box::new(scan(404, 1, |i| format!("/item/{}", 900_000 + i))), "scan"),
        ("a scan that meets 403", Box::new(scan(403, 2, |i| format!("/.git/{i}"))), "scan"),
        ("a retry loop", Box::new(scan(500, 1, |_| "/api/report".into())), "one-client"),
        ("a scanner provoking errors", Box::new(scan(500, 2, |i| format!("/?id={i}%27"))), "one-client"),
    ];
    for (seed, (name, hit, kind)) in cases.into_iter().enumerate() {
        for format in [Format::Combined, Format::Timed] {
            let site = Site { seed: 20 + seed as u64, format, ..Site::default() };
            let mut hits = site.hits();
            hits.extend((0..1800).map(|i| Hit { at: HALF + i as f64 / 20.0, ..hit(i) }));
            let report = site.report(&hits, &[]);
            quiet(name, &report);
            assert!(said(&report, kind), "{name}: {:#?}", report.findings);
        }
    }
}

#[test]
fn what_one_client_meets_alone_at_night_is_no_outage() {
    // So few others ask that the retries are nearly all there is.
    for (seed, probe) in [(80, false), (81, true)] {
        let site = Site { seed, rate: 0.05, seconds: 14_400.0, ..Site::default() };
        let mut hits = site.hits();
        let hit = |at: f64, client: &str, path: &str, status: u16| Hit {
            at,
            client: client.into(),
            path: path.into(),
            status,
            took: 0.01,
        };
        hits.extend((0..400).map(|i| hit(6000.0 + f64::from(i), "203.0.113.9", "/api/report", 500)));
        if probe {
            hits.extend((0..960).map(|i| hit(15.0 * f64::from(i), "10.0.0.3", "/healthz", 200)));
        }
        let report = site.report(&hits, &[]);
        quiet("retries at night", &report);
        assert!(said(&report, "one-client"), "{:#?}", report.findings);
    }
}

#[test]
fn a_few_failures_are_told_from_retries_by_who_met_them() {
    let site = Site { seed: 87, rate: 0.7, seconds: 14_400.0, ..Site::default() };
    let mut hits = site.hits();
    // Ordinary bunches: one client tries the same thing fourteen times, every hour.
    for bunch in 0..3 {
        hits.extend((0..14).map(|i| Hit {
            at: 900.0 + 4200.0 * f64::from(bunch) + 2.0 * f64::from(i),
            client: format!("203.0.113.{bunch}"),
            path: "/cart".into(),
            status: 500,
            took: 0.02,
        }));
    }
    let mut report = site.report(&hits, &[]);
    quiet("bunches", &report);
    let mut nth = 0;
    for h in hits.iter_mut().filter(|h| (8000.0..8060.0).contains(&h.at) && h.status == 200) {
        nth += 1;
        if nth % 2 == 0 {
            h.status = 502;
        }
    }
    report = site.report(&hits, &[]);
    only("half of a minute's visitors", &site, &report, (8000.0, 8060.0), 12.0);
}

#[test]
fn a_page_that_never_works_is_no_outage_when_robots_find_it() {
    let site = Site { seed: 82, rate: 1.0, seconds: 7200.0, ..Site::default() };
    let mut hits = site.hits();
    hits.extend((0..300).map(|i| Hit {
        at: 3000.0 + f64::from(i) * 3.0,
        client: format!("203.0.113.{}", i * 7 % 150),
        path: "/old/export.cgi".into(),
        status: 500,
        took: 0.01,
    }));
    let report = site.report(&hits, &[]);
    quiet("robots at a broken page", &report);
    assert!(said(&report, "broken-page"), "{:#?}", report.findings);
    // The same page, had it worked before, is an outage of that page.
    hits.extend((0..100).map(|i| Hit {
        at: 1000.0 + f64::from(i) * 20.0,
        client: format!("198.51.100.{}", i % 50),
        path: "/old/export.cgi".into(),
        status: 200,
        took: 0.01,
    }));
    let report = site.report(&hits, &[]);
    let i = only("a page that worked", &site, &report, (3000.0, 3900.0), 12.0);
    assert_eq!(i.scope.endpoints, ["/old/export.cgi"], "{:?}", i.scope);
}

#[test]
fn a_slow_job_every_hour_is_no_slowdown() {
    let site = Site { seed: 83, rate: 0.3, seconds: 14_400.0, format: Format::Timed, ..Site::default() };
    let mut hits = site.hits();
    for hour in 0..4 {
        hits.extend((0..60).map(|i| Hit {
            at: 600.0 + 3600.0 * f64::from(hour) + 1.5 * f64::from(i),
            client: "10.0.0.8".into(),
            path: format!("/api/stock/{i}"),
            status: 200,
            took: 2.0,
        }));
    }
    let report = site.report(&hits, &[]);
    quiet("a slow job", &report);
}

#[test]
fn a_pause_is_a_finding_and_a_minute_of_it_an_incident() {
    for (seconds, incidents) in [(20.0, 0), (150.0, 1)] {
        let site = Site { seed: 84, rate: 12.0, format: Format::Timed, ..Site::default() };
        let mut hits = site.hits();
        for h in hits.iter_mut().filter(|h| (HALF..HALF + seconds).contains(&h.at)) {
            h.took = h.took.max(0.05) * 5.0;
        }
        let report = site.report(&hits, &[]);
        assert_eq!(report.incidents.len(), incidents, "{seconds} s: {:#?}", report.incidents);
        assert_eq!(said(&report, "pause"), incidents == 0, "{:#?}", report.findings);
    }
}

#[test]
fn answers_grow_late_before_they_fail() {
    let site = Site { seed: 85, rate: 12.0, format: Format::TimedPeers, ..Site::default() };
    let mut hits = site.hits();
    for h in
        hits.iter_mut().filter(|h| (HALF..HALF + 120.0).contains(&h.at) && !h.path.starts_with("/static"))
    {
        h.took += (h.at - HALF) / 10.0;
        if h.took > 6.0 {
            (h.took, h.status) = (6.0, 504);
        }
    }
    let report = site.report(&hits, &[]);
    let i = only("a ramp into timeouts", &site, &report, (HALF, HALF + 120.0), 12.0);
    let kinds: Vec<&str> = i.phases.iter().map(|p| p.kind).collect();
    assert_eq!(kinds.first(), Some(&"slow"), "{kinds:?}");
    assert!(i.impact.failed > 100 && kinds.len() > 1, "{kinds:?}: {:?}", i.impact);
}

#[test]
fn an_answer_that_is_no_http_failed() {
    let site = Site { seed: 89, rate: 8.0, ..Site::default() };
    let mut hits = site.hits();
    for h in hits.iter_mut().filter(|h| (HALF..HALF + 60.0).contains(&h.at) && h.path.starts_with("/item")) {
        h.status = 9;
    }
    only("009", &site, &site.report(&hits, &[]), (HALF, HALF + 60.0), 6.0);
}

#[test]
fn an_upstream_that_answers_503_is_no_maintenance() {
    // nginx's own page for it has 190 bytes, or 197 with its version.
    for (format, share, bytes, category) in [
        (Format::Combined, 1.0, 190, "operator.maintenance"),
        (Format::Combined, 1.0, 17, "upstream.app_error"),
        // Its page to some, while others like them are served: it refused them itself.
        (Format::Combined, 0.4, 190, "limit.rate"),
        (Format::Combined, 0.4, 17, "upstream.app_error"),
        (Format::TimedPeers, 1.0, 17, "upstream.app_error"),
    ] {
        let site = Site { seed: 86, rate: 8.0, format, ..Site::default() };
        let mut hits = site.hits();
        for (n, h) in hits.iter_mut().enumerate() {
            if (HALF..HALF + 90.0).contains(&h.at) && (n * 7 % 10) < (share * 10.0) as usize {
                h.status = 503;
            }
        }
        let of_503 =
            |line: &mut (i64, String)| line.1 = line.1.replace(" 503 153 ", &format!(" 503 {bytes} "));
        let report = site.report_with(&hits, &[], |lines| lines.iter_mut().for_each(of_503));
        let i = only("503", &site, &report, (HALF, HALF + 90.0), 6.0);
        assert_eq!(i.cause.as_ref().unwrap().category, category, "{format:?} {share} {bytes}");
    }
}

#[test]
fn an_outage_behind_a_balancer_or_for_a_single_visitor_is_one() {
    for clients in [1, 2] {
        let site = Site { seed: 30, clients, format: Format::Combined, ..Site::default() };
        let mut hits = site.hits();
        for h in hits.iter_mut().filter(|h| (HALF..HALF + 100.0).contains(&h.at)) {
            h.status = 503;
        }
        let report = site.report(&hits, &[]);
        let i = only("balancer", &site, &report, (HALF, HALF + 100.0), 2.0);
        assert_eq!(i.severity, Severity::Outage);
    }
}

#[test]
fn an_outage_inside_a_retry_storm_is_dated_by_the_others() {
    let site = Site { seed: 31, rate: 8.0, ..Site::default() };
    let mut hits = site.hits();
    for h in hits.iter_mut().filter(|h| (HALF..HALF + 60.0).contains(&h.at)) {
        h.status = 500;
    }
    let storm = |i: i32| Hit {
        at: HALF - 120.0 + f64::from(i) / 10.0,
        client: "203.0.113.9".into(),
        path: "/api/report".into(),
        status: 500,
        took: 0.01,
    };
    hits.extend((0..3000).map(storm));
    let report = site.report(&hits, &[]);
    only("storm and outage", &site, &report, (HALF, HALF + 60.0), 2.0);
}

#[test]
fn a_small_endpoint_that_fails_is_found_and_named() {
    for (seed, format) in [(40, Format::Json), (41, Format::Combined)] {
        let site = Site { seed, rate: 12.0, format, ..Site::default() };
        let mut hits = site.hits();
        for h in
            hits.iter_mut().filter(|h| h.path.starts_with("/cart") && (HALF..HALF + 240.0).contains(&h.at))
        {
            h.status = 500;
        }
        let report = site.report(&hits, &[]);
        let i = only("small endpoint", &site, &report, (HALF, HALF + 240.0), 12.0);
        assert_eq!(i.scope.endpoints, ["/cart"], "{:?}", i.scope);
        assert!(!i.scope.all);
    }
}

/// Requests for a part of the site that is nothing among all of it, one every ten seconds.
fn rare(site: &Site, client: impl Fn(u64) -> u64, failing: impl Fn(f64) -> bool) -> Vec<Hit> {
    let mut r = Random(site.seed + 7);
    let mut hits = site.hits();
    let mut at: f64 = 0.0;
    for i in 0.. {
        at -= (1.0 - r.share()).ln() * 10.0;
        if at >= site.seconds {
            break;
        }
        let n = client(i);
        hits.push(Hit {
            at,
            client: format!("198.19.{}.{}", n / 250, n % 250 + 1),
            path: "/partner/feed".into(),
            status: if failing(at) { 502 } else { 200 },
            took: 0.02,
        });
    }
    hits.sort_by(|a, b| a.at.total_cmp(&b.at));
    hits
}

#[test]
fn a_part_of_half_a_hundredth_that_fails_is_found_among_healthy_traffic() {
    // The second one holds more requests than are read again.
    for (seed, rate, format) in [(42, 15.0, Format::Combined), (43, 45.0, Format::Timed)] {
        let site = Site { seed, rate, format, ..Site::default() };
        let hits = rare(&site, |i| i * 7 % 400, |at| (HALF..HALF + 420.0).contains(&at));
        let report = site.report(&hits, &[]);
        let i = only("a rare part", &site, &report, (HALF, HALF + 420.0), 37.0);
        assert_eq!(i.scope.endpoints, ["/partner/feed"], "{:?}", i.scope);
        assert!(i.title.contains("/partner/feed") && i.severity == Severity::Degradation, "{}", i.title);
        let bounds =
            (i.start_bounds.0 / 1000 - site.start) as f64..=(i.start_bounds.1 / 1000 - site.start) as f64;
        assert!(bounds.contains(&HALF), "{bounds:?}");
    }
}

/// Each failure has its record: what the error log tells reached clients, however few they were.
#[test]
fn a_small_part_whose_failures_the_error_log_tells_is_not_hidden() {
    let site = Site { seed: 45, rate: 15.0, ..Site::default() };
    let hits = rare(&site, |i| i * 7 % 400, |at| (HALF..HALF + 420.0).contains(&at));
    let refused = |h: &Hit| {
        let Hit { client, path, .. } = h;
        format!(
            "[error] 71#71: *9 connect() failed (111: Connection refused) while connecting to upstream, client: {client}, \
             server: a.example, request: \"GET {path} HTTP/1.1\", upstream: \"http://10.0.0.9:80/\", host: \"a.example\""
        )
    };
    let failed = hits.iter().filter(|h| h.status == 502);
    let errors: Vec<(f64, String)> = failed.map(|h| (h.at + h.took, refused(h))).collect();
    let report = site.report(&hits, &errors);
    let i = only("told by the error log", &site, &report, (HALF, HALF + 420.0), 37.0);
    assert!(i.client_visible && i.severity == Severity::Degradation, "{i:?}");
    assert_eq!(i.cause.as_ref().unwrap().category, "upstream.refused");
    assert_eq!(i.scope.endpoints, ["/partner/feed"], "{:?}", i.scope);

    // As few on as many pages, so that no part of the site stands out.
    let spread: Vec<Hit> = hits
        .iter()
        .enumerate()
        .map(|(n, h)| match h.path.as_str() {
            "/partner/feed" => Hit { path: ["/", "/search", "/login", "/cart"][n % 4].into(), ..h.clone() },
            _ => h.clone(),
        })
        .collect();
    let report = site.report(&spread, &errors);
    let i = only("spread", &site, &report, (HALF, HALF + 420.0), 37.0);
    assert!(i.client_visible && i.severity == Severity::Degradation, "{i:?}");
}

/// Where a method and a path stand in quotation marks, no request line of the error log equals them: the records are of
/// these requests all the same, and the application did not "answer so itself".
#[test]
fn requests_without_a_protocol_are_joined_to_their_records() {
    let site = Site { seed: 48, rate: 15.0, ..Site::default() };
    let mut hits = site.hits();
    let mut errors = Vec::new();
    for h in hits.iter_mut().filter(|h| (HALF..HALF + 90.0).contains(&h.at)) {
        h.status = 502;
        let Hit { client, path, .. } = h;
        let record = format!(
            "[error] 71#71: *9 upstream sent too big header while reading response header from upstream, client: {client}, \
             server: a.example, request: \"GET {path} HTTP/1.1\", upstream: \"http://10.0.0.9:80{path}\", host: \"a.example\""
        );
        errors.push((h.at + h.took, record));
    }
    let report = site.report_with(&hits, &errors, |lines| {
        for (_, line) in lines {
            let (before, after) = line.split_once(" HTTP/1.1\"").unwrap();
            let path = before.split_once('?').map_or(before, |b| b.0);
            *line = format!("{path}\"{after}");
        }
    });
    let i = only("too big", &site, &report, (HALF, HALF + 90.0), 2.0);
    let cause = i.cause.as_ref().unwrap();
    assert_eq!(cause.category, "upstream.header_too_big", "{cause:?}");
    assert!(!cause.summary.contains("have no record"), "{cause:?}");
}

/// What is reported every few minutes must not be told as over while it lasts, however seldom the part is asked for.
#[test]
fn a_small_part_that_still_fails_when_the_log_ends_is_open() {
    for (seed, rate) in [(46, 15.0), (47, 45.0)] {
        let site = Site { seed, rate, seconds: HALF + 420.0, ..Site::default() };
        let mut hits = rare(&site, |i| i * 7 % 400, |at| at >= HALF);
        let last = hits.iter().rfind(|h| h.path == "/partner/feed").unwrap().clone();
        hits.push(Hit { at: site.seconds - 1.0, ..last });
        let report = site.report(&hits, &[]);
        let seen: Vec<_> = report.incidents.iter().map(|i| (&i.title, i.open_start, i.end)).collect();
        assert_eq!(report.incidents.len(), 1, "{seed}: {seen:?}");
        let i = &report.incidents[0];
        assert!(i.open_end && i.end.is_none() && !i.open_start, "{seed}: {seen:?}");
    }
}

/// In a log of minutes every page that fails now and then is looked at: none of them is an outage.
#[test]
fn pages_that_fail_now_and_then_are_no_outage_in_a_short_log() {
    for seed in 2000..2120 {
        let mut r = Random(seed);
        let rate = 0.5 * (12.0_f64).powf(r.share());
        let site = Site { seed, rate, seconds: 300.0 + 3000.0 * r.share(), ..Site::default() };
        let flaky = [("/cart", 0.3 * r.share()), ("/login", 0.1), ("/search", 0.05 * r.share())];
        let mut hits = site.hits();
        for h in &mut hits {
            let share = flaky.iter().find(|f| h.path.starts_with(f.0)).map_or(0.002, |f| f.1);
            if r.share() < share {
                h.status = if r.share() < 0.5 { 500 } else { 502 };
            }
        }
        quiet(&format!("seed {seed}"), &site.report(&hits, &[]));
    }
}

/// The least a log of minutes can tell: all of nine requests, of nearly as many clients, where all were good before.
#[test]
fn a_page_asked_for_every_ten_seconds_is_judged_in_a_short_log() {
    let site = Site { seed: 49, rate: 1.4, seconds: 1300.0, ..Site::default() };
    let hits = rare(&site, |i| i * 7 % 400, |at| at >= HALF);
    let report = site.report(&hits, &[]);
    assert_eq!(report.incidents.len(), 1, "{:?}", report.findings);
    let i = &report.incidents[0];
    assert!(i.open_end && i.scope.endpoints == ["/partner/feed"], "{i:?}");
    assert!((i.start / 1000 - site.start - HALF as i64).abs() <= 25, "{}", i.why);
}

#[test]
fn a_part_that_fails_for_one_client_or_always_is_no_outage() {
    let site = Site { seed: 44, rate: 15.0, ..Site::default() };
    let one = rare(&site, |_| 1, |at| (HALF..HALF + 420.0).contains(&at));
    let mut others = site.hits();
    others.extend(one.into_iter().filter(|h| h.path == "/partner/feed"));
    quiet("one client", &site.report(&others, &[]));
    // Robots find a page that never worked.
    let robots = rare(&site, |i| i * 7 % 400, |_| true);
    let seen: Vec<Hit> = robots
        .into_iter()
        .filter(|h| h.path != "/partner/feed" || (HALF..HALF + 420.0).contains(&h.at))
        .collect();
    quiet("never worked", &site.report(&seen, &[]));
}

#[test]
fn bodies_cut_short_are_seen_by_clients() {
    let site = Site { seed: 50, rate: 8.0, ..Site::default() };
    let hits = site.hits();
    let errors: Vec<(f64, String)> = hits
        .iter()
        .enumerate()
        .filter(|(i, h)| i % 4 == 0 && (HALF..HALF + 120.0).contains(&h.at))
        .map(|(i, h)| {
            let text = format!(
                "[error] 71#71: *{i} upstream prematurely closed connection while reading upstream, client: {}, server: \
                 example.net, request: \"GET {} HTTP/1.1\", upstream: \"http://127.0.0.1:8080{}\", host: \"example.net\"",
                h.client, h.path, h.path
            );
            (h.at + h.took, text)
        })
        .collect();
    let report = site.report(&hits, &errors);
    let i = only("cut short", &site, &report, (HALF, HALF + 120.0), 3.0);
    assert_eq!((i.severity, i.client_visible), (Severity::Degradation, true));
    assert!(i.impact.failed > 100, "{:?}", i.impact);
}

#[test]
fn a_killed_nginx_is_told_by_its_serials() {
    let site = Site { seed: 51, rate: 6.0, ..Site::default() };
    let hits: Vec<Hit> = site.hits().into_iter().filter(|h| !(HALF..HALF + 80.0).contains(&h.at)).collect();
    let noise = |at: f64, pid: u32, serial: u64| {
        let text = format!(
            "[error] {pid}#{pid}: *{serial} open() \"/var/www/favicon.ico\" failed (2: No such file or directory), client: \
             198.51.100.7, server: example.net, request: \"GET /favicon.ico HTTP/1.1\", host: \"example.net\""
        );
        (at, text)
    };
    let before: Vec<(f64, String)> =
        (0..20).map(|i| noise(60.0 * f64::from(i) + 3.0, 71, 1000 + 400 * i as u64)).collect();
    let after = |pid, first: u64| {
        (0..15).map(move |i: i32| noise(HALF + 95.0 + 60.0 * f64::from(i), pid, first + 400 * i as u64))
    };
    let errors: Vec<_> = before.iter().cloned().chain(after(94, 37)).collect();
    let report = site.report(&hits, &errors);
    let i = only("killed", &site, &report, (HALF, HALF + 80.0), 2.0);
    assert_eq!((i.severity, i.cause.as_ref().unwrap().category.as_str()), (Severity::Outage, "process.down"));
    assert_eq!(i.cause.as_ref().unwrap().evidence.len(), 2);
    // The same workers going on, or new ones after a reload, prove nothing.
    let errors: Vec<_> = before.into_iter().chain(after(94, 9000)).collect();
    let report = site.report(&hits, &errors);
    let i = only("quiet network", &site, &report, (HALF, HALF + 80.0), 2.0);
    assert_eq!(i.severity, Severity::Unknown);
}

#[test]
fn an_outage_that_a_probe_sees_best_keeps_its_edges() {
    let site = Site { seed: 52, rate: 1.0, ..Site::default() };
    let mut hits = site.hits();
    let probe = |i: i32| Hit {
        at: f64::from(i) + 0.5,
        client: "10.0.0.1".into(),
        path: "/".into(),
        status: 200,
        took: 0.004,
    };
    hits.extend((0..2400).step_by(2).map(probe));
    for h in hits.iter_mut().filter(|h| (HALF..HALF + 90.0).contains(&h.at)) {
        h.status = 500;
    }
    let report = site.report(&hits, &[]);
    only("probe", &site, &report, (HALF, HALF + 90.0), 2.5);
}

#[test]
fn crashing_workers_drop_requests_without_a_line() {
    let site = Site { seed: 53, rate: 8.0, offset: 120, ..Site::default() };
    let hits: Vec<Hit> = site
        .hits()
        .into_iter()
        .enumerate()
        .filter(|(i, h)| !(HALF..HALF + 100.0).contains(&h.at) || i % 4 > 0)
        .map(|h| h.1)
        .collect();
    let errors: Vec<_> = (0..25)
        .map(|i| {
            (
                HALF + 4.0 * f64::from(i),
                format!("[alert] 71#71: worker process {} exited on signal 11 (core dumped)", 80 + i),
            )
        })
        .collect();
    let report = site.report(&hits, &errors);
    let i = only("crash", &site, &report, (HALF, HALF + 97.0), 5.0);
    assert!(i.client_visible);
    assert_eq!(i.cause.as_ref().unwrap().category, "process.crash");
}

/// Of a busy log only some of the requests around a candidate are read again.
#[test]
fn a_busy_site_is_judged_by_a_part_of_its_requests() {
    let site = Site { seed: 54, rate: 60.0, seconds: 1500.0, ..Site::default() };
    let ordinary = site.hits();
    let from = 750.0;
    let inside = |h: &Hit| (from..from + 100.0).contains(&h.at);
    let mut hits = ordinary.clone();
    hits.extend((0..2500).map(|i| Hit {
        at: from + f64::from(i) / 25.0,
        client: "203.0.113.9".into(),
        path: "/api/report".into(),
        status: 500,
        took: 0.01,
    }));
    let report = site.report(&hits, &[]);
    quiet("a storm", &report);
    assert!(said(&report, "one-client"), "{:#?}", report.findings);
    let mut hits = ordinary.clone();
    for h in hits.iter_mut().filter(|h| inside(h) && h.path.starts_with("/static")) {
        h.status = 404;
    }
    let report = site.report(&hits, &[]);
    let i = only("missing", &site, &report, (from, from + 100.0), 2.0);
    assert_eq!(i.cause.as_ref().unwrap().category, "content.missing");
    let mut hits = ordinary;
    for h in hits.iter_mut().filter(|h| inside(h) && h.path.starts_with("/cart")) {
        h.status = 500;
    }
    let report = site.report(&hits, &[]);
    let i = only("an endpoint", &site, &report, (from, from + 100.0), 2.0);
    assert_eq!(i.scope.endpoints, ["/cart"], "{:?}", i.scope);
}

#[test]
fn healthy_sites_are_quiet() {
    for (seed, rate, format) in [
        (60, 0.3, Format::Combined),
        (61, 2.0, Format::Timed),
        (62, 10.0, Format::Json),
        (63, 30.0, Format::TimedPeers),
    ] {
        let site = Site { seed, rate, format, ..Site::default() };
        quiet("healthy", &site.report(&site.hits(), &[]));
    }
}

#[test]
fn uploads_above_the_limit_are_a_finding() {
    for (records, told) in [(4, false), (40, true)] {
        let site = Site { seed: 91, ..Site::default() };
        let errors: Vec<(f64, String)> = (0..records)
            .map(|i| {
                let text = format!(
                    "[error] 7#7: *{} client intended to send too large body: 2097153 bytes, client: 198.18.0.{}, \
                     server: example.com, request: \"POST /upload HTTP/1.1\", host: \"example.com\"",
                    900 + i,
                    1 + i % 9
                );
                (HALF + f64::from(i), text)
            })
            .collect();
        let report = site.report(&site.hits(), &errors);
        quiet("413", &report);
        assert_eq!(said(&report, "refused-requests"), told, "{:#?}", report.findings);
    }
}

/// Two things that are no outage each are none when they meet.
#[test]
fn a_crowd_on_a_broken_page_and_a_retry_loop_are_none() {
    for (loop_hits, seed) in [(180, 92), (800, 93)] {
        let site = Site { seed, rate: 0.4, seconds: 14_400.0, ..Site::default() };
        let mut hits = site.hits();
        let hit = |at: f64, client: String, path: &str, status| Hit {
            at,
            client,
            path: path.into(),
            status,
            took: 0.01,
        };
        hits.extend((0..300u32).map(|i| {
            let client = format!("10.105.{}.{}", i / 200, i % 200);
            hit(6000.0 + 7.0 * f64::from(i), client, "/old/export.cgi", 500)
        }));
        hits.extend(
            (0..loop_hits).map(|i| hit(8000.0 + 0.15 * f64::from(i), "10.44.250.3".into(), "/item/17", 503)),
        );
        quiet("two at once", &site.report(&hits, &[]));
    }
}
