//! Answers that are late, and answers that only seem so.

use super::site::{Format, Hit, Site};
use super::{HALF, only, quiet, said};

/// A third of a site's requests hang on for news, as they are meant to. While everything is refused no answer is late; that
/// makes the waiting of other times no slowness.
#[test]
fn long_polls_are_usual() {
    for (seed, format) in [(71, Format::Timed), (72, Format::Json)] {
        let site = Site { seed, rate: 9.0, seconds: 900.0, format, ..Site::default() };
        let mut hits = site.hits();
        for (i, h) in hits.iter_mut().enumerate().filter(|(_, h)| h.status == 200) {
            if i % 3 == 0 {
                (h.path, h.took) = ("/poll".into(), 15.0 + (i % 14) as f64);
            }
            if (420.0..480.0).contains(&h.at) {
                (h.status, h.took) = (502, 0.001);
            }
        }
        let report = site.report(&hits, &[]);
        only("long polls", &site, &report, (420.0, 480.0), 2.0);
    }
}

/// Work on the same machine makes a hundred seconds of answers late by an eighth of a second: nobody is worse off.
#[test]
fn slight_delays_of_a_minute_are_none() {
    let delayed = |by: f64| {
        let site = Site { seed: 73, rate: 12.0, format: Format::Timed, ..Site::default() };
        let mut hits = site.hits();
        for h in hits.iter_mut().filter(|h| (HALF..HALF + 100.0).contains(&h.at)) {
            h.took += by;
        }
        (site.report(&hits, &[]), site)
    };
    quiet("slight", &delayed(0.13).0);
    let (report, site) = delayed(0.6);
    only("not slight", &site, &report, (HALF, HALF + 100.0), 3.0);
}

/// A program that gives up after 0.4 s is worse off, and so is whoever waits for it.
#[test]
fn what_is_given_up_early_is_not_slight() {
    let site = Site { seed: 76, rate: 12.0, format: Format::Timed, ..Site::default() };
    let wave = |given_up: bool| {
        let mut hits = site.hits();
        for (i, h) in hits.iter_mut().enumerate() {
            if (HALF..HALF + 90.0).contains(&h.at) && i % 5 < 2 {
                (h.status, h.took) = (if given_up { 499 } else { 200 }, 0.45);
            }
        }
        site.report(&hits, &[])
    };
    quiet("late", &wave(false));
    only("given up", &site, &wave(true), (HALF, HALF + 90.0), 3.0);
}

/// A third of the answers takes half a second for a minute and a half, as of a neighbour's job on the same machine.
#[test]
fn what_makes_some_answers_a_little_late_is_slight() {
    let site = Site { seed: 77, rate: 12.0, format: Format::Timed, ..Site::default() };
    let mut hits = site.hits();
    for (i, h) in hits.iter_mut().enumerate() {
        if (HALF..HALF + 80.0).contains(&h.at) && i % 3 == 0 {
            h.took += 0.35 + 0.05 * (i % 6) as f64;
        }
    }
    quiet("a third", &site.report(&hits, &[]));
}

/// In six seconds most answers take two seconds or more: short, and felt by all.
#[test]
fn six_seconds_in_which_most_wait_are_told() {
    let site = Site { seed: 78, rate: 20.0, format: Format::Timed, ..Site::default() };
    let mut hits = site.hits();
    for h in hits.iter_mut().filter(|h| (HALF..HALF + 6.0).contains(&h.at)) {
        h.took += 2.0 + h.at % 1.0;
    }
    only("six seconds", &site, &site.report(&hits, &[]), (HALF, HALF + 6.0), 2.0);
}

/// All who come in seven seconds are answered at their end: their lines stand behind it.
#[test]
fn who_came_in_a_short_hang_is_counted_in_it() {
    let site = Site { seed: 79, rate: 12.0, format: Format::Timed, ..Site::default() };
    let mut hits = site.hits();
    for h in hits.iter_mut().filter(|h| (HALF..HALF + 7.0).contains(&h.at)) {
        h.took += HALF + 7.0 - h.at;
    }
    let report = site.report(&hits, &[]);
    let i = only("hang", &site, &report, (HALF, HALF + 7.0), 2.0);
    assert!(!i.why.contains("half took up to 0."), "{}", i.why);
}

/// A neighbour makes one request in twelve a little late for a minute before everything hangs, and after it: that is not
/// part of the outage.
#[test]
fn a_little_lateness_around_a_hang_does_not_date_it() {
    let site = Site { seed: 74, rate: 10.0, format: Format::Timed, ..Site::default() };
    let mut hits = site.hits();
    for (i, h) in hits.iter_mut().enumerate() {
        if (HALF - 62.0..HALF + 160.0).contains(&h.at) && i % 12 == 0 {
            h.took += 0.15;
        }
        if (HALF..HALF + 80.0).contains(&h.at) {
            (h.status, h.took) = (504, 6.0);
        }
    }
    let report = site.report(&hits, &[]);
    only("hang", &site, &report, (HALF, HALF + 80.0), 3.0);
}

/// A release is downloaded by many: its file takes ten seconds by nature, and nobody asked for it before.
#[test]
fn what_was_always_slow_is_no_slowdown_when_it_becomes_wanted() {
    let site = Site { seed: 75, rate: 9.0, format: Format::Timed, ..Site::default() };
    let mut hits = site.hits();
    hits.extend((0..220).map(|i| Hit {
        at: HALF + f64::from(i) * 0.5,
        client: format!("203.0.113.{}", i * 7 % 150),
        path: "/dl/release.zip".into(),
        status: 200,
        took: 9.0 + f64::from(i % 10) / 10.0,
    }));
    let report = site.report(&hits, &[]);
    quiet("downloads", &report);
    assert!(said(&report, "slow-page"), "{:#?}", report.findings);
    assert!(!report.findings.iter().any(|f| f.summary.contains("failed")), "{:#?}", report.findings);
}

/// A page of a hundredth of the traffic takes three seconds: nothing in the times of all requests. The second site has more
/// requests than are read again.
#[test]
fn a_small_part_that_is_slow_is_found_and_dated() {
    for (seed, rate, format) in
        [(76, 15.0, Format::Timed), (77, 45.0, Format::TimedPeers), (78, 30.0, Format::Json)]
    {
        let site = Site { seed, rate, format, ..Site::default() };
        let during = HALF..HALF + 150.0;
        let mut hits = site.hits();
        hits.extend((0..(site.seconds * rate * 0.012) as u32).map(|i| {
            let at = f64::from(i) / (rate * 0.012);
            let client = format!("198.19.0.{}", i * 7 % 200 + 1);
            let took = if during.contains(&at) { 2.5 + f64::from(i % 5) * 0.3 } else { 0.08 };
            Hit { at, client, path: "/partner/report".into(), status: 200, took }
        }));
        let report = site.report(&hits, &[]);
        let i = only("a slow part", &site, &report, (HALF, HALF + 150.0), 9.0);
        assert_eq!(i.scope.endpoints, ["/partner/report"], "{:?}", i.scope);
        assert!(
            i.title.contains("/partner/report") && i.why.contains("/partner/report"),
            "{} {}",
            i.title,
            i.why
        );
        assert_eq!(i.severity, downtime::report::Severity::Slowdown);
    }
}

/// The same page for one client; one that is always slow and asked for in a crowd; one that nobody asked for before.
#[test]
fn a_page_that_is_slow_by_nature_or_for_one_is_no_slowdown() {
    let site = Site { seed: 79, rate: 15.0, format: Format::Timed, ..Site::default() };
    let slow =
        |at: f64, client: String, path: &str| Hit { at, client, path: path.into(), status: 200, took: 3.0 };
    let during = |n: u32| (0..n).map(move |i| (i, HALF + f64::from(i) * 150.0 / f64::from(n)));
    let of_one = during(40).map(|(_, at)| slow(at, "203.0.113.5".into(), "/cart"));
    quiet("one client", &site.report(&site.hits().into_iter().chain(of_one).collect::<Vec<_>>(), &[]));
    let always = (0..60).map(|i| slow(f64::from(i) * 40.0, format!("203.0.113.{i}"), "/export"));
    let crowd = during(50).map(|(i, at)| slow(at, format!("203.0.113.{i}"), "/export"));
    quiet(
        "always",
        &site.report(&site.hits().into_iter().chain(always).chain(crowd).collect::<Vec<_>>(), &[]),
    );
    let new = during(50).map(|(i, at)| slow(at, format!("203.0.113.{i}"), "/new"));
    quiet("new", &site.report(&site.hits().into_iter().chain(new).collect::<Vec<_>>(), &[]));
}

/// What takes three quarters of a minute came up to five seconds away from where the steps of its time taken put it.
#[test]
fn long_waits_are_dated_by_the_second_in_which_they_came() {
    for (seed, wait) in [(87, 42.0), (88, 46.5), (89, 55.0)] {
        let site = Site { seed, rate: 10.0, format: Format::Timed, ..Site::default() };
        let mut hits = site.hits();
        for h in hits.iter_mut().filter(|h| (HALF..HALF + 60.0).contains(&h.at)) {
            if !h.path.starts_with("/static") {
                h.took = wait;
            }
        }
        let report = site.report(&hits, &[]);
        let i = only("long waits", &site, &report, (HALF, HALF + 60.0), 1.5);
        assert!(
            (i.start / 1000 - site.start - HALF as i64).abs() <= 1,
            "{wait}: {}",
            i.start / 1000 - site.start
        );
    }
}
