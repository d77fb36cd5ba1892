//! Logs that keep failed requests only (`access_log ... if=`): how many fail in a time tells, and no share does.

use super::site::{Format, Hit, Site};
use super::{HALF, only, quiet};
use downtime::report::Severity;

/// What such a log keeps: the example of nginx's documentation leaves out 2xx and 3xx.
fn kept(hits: &[Hit]) -> Vec<Hit> {
    hits.iter().filter(|h| h.status >= 400).cloned().collect()
}

#[test]
fn an_outage_is_a_burst_of_failures() {
    for (seed, rate, format) in
        [(81, 20.0, Format::Combined), (82, 6.0, Format::Timed), (83, 60.0, Format::Json)]
    {
        let site = Site { seed, rate, format, ..Site::default() };
        let mut hits = site.hits();
        quiet("healthy", &site.report(&kept(&hits), &[]));
        for h in hits.iter_mut().filter(|h| (HALF..HALF + 60.0).contains(&h.at)) {
            h.status = 502;
        }
        let report = site.report(&kept(&hits), &[]);
        let i = only("failures only", &site, &report, (HALF, HALF + 60.0), 2.0);
        assert_eq!((i.severity, i.client_visible), (Severity::Degradation, true));
        assert!(i.title.ends_with("requests failed"), "{}", i.title);
        assert_eq!((i.impact.failed_share, &report.availability), (None, &None));
        assert!(i.impact.failed as f64 >= 55.0 * rate, "{:?}", i.impact);
        assert!(report.inputs[0].notes.iter().any(|n| n.contains("failed requests only")));
    }
}

/// Not even clients' own errors are kept: the few failures of quiet hours are no outage of days.
#[test]
fn a_log_of_5xx_alone_is_no_outage_from_end_to_end() {
    let site = Site { seed: 85, rate: 12.0, seconds: 14_400.0, ..Site::default() };
    let mut hits = site.hits();
    for h in hits.iter_mut().filter(|h| (HALF..HALF + 60.0).contains(&h.at)) {
        h.status = 502;
    }
    hits.retain(|h| h.status >= 500);
    let report = site.report(&hits, &[]);
    only("5xx only", &site, &report, (HALF, HALF + 60.0), 3.0);
}

/// Where nothing is answered for as long as the log goes, nothing well answered is in it either: that is an outage.
#[test]
fn a_log_of_nothing_but_an_outage_is_one() {
    let site = Site { seed: 84, rate: 10.0, seconds: 300.0, ..Site::default() };
    let mut hits = site.hits();
    for h in &mut hits {
        h.status = 502;
    }
    let report = site.report(&hits, &[]);
    assert_eq!(report.incidents.len(), 1);
    let i = &report.incidents[0];
    assert_eq!((i.severity, i.open_start, i.open_end), (Severity::Outage, true, true));
    assert_eq!(i.impact.failed_share, Some(1.0));
    assert!(i.why.contains("or the log keeps failed requests only"), "{}", i.why);
    // One client's retries make its traffic no less even.
    hits.extend((0..600).map(|i| Hit {
        at: 100.0 + f64::from(i) / 200.0,
        client: "203.0.113.9".into(),
        path: "/cart".into(),
        status: 502,
        took: 0.01,
    }));
    let report = site.report(&hits, &[]);
    assert_eq!(report.incidents.len(), 1);
    assert_eq!(report.incidents[0].impact.failed_share, Some(1.0));
}
