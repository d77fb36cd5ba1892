//! Silences that tell by their edges what they are.

use crate::site::{Format, Hit, Site};
use crate::{HALF, only, quiet};
use downtime::report::Severity;

/// A site of which nothing is logged for a while.
fn interrupted(site: &Site, seconds: f64) -> Vec<Hit> {
    site.hits().into_iter().filter(|h| !(HALF..HALF + seconds).contains(&h.at)).collect()
}

#[test]
fn a_log_that_could_not_be_written_is_a_gap_of_the_log() {
    for (seed, format, offset) in [(61, Format::Combined, 0), (62, Format::Json, 330)] {
        let site = Site { seed, format, offset, rate: 8.0, ..Site::default() };
        let hits = interrupted(&site, 90.0);
        // The last line that was begun before the disk was full has no end: the next one is glued to it.
        let report = site.report_with(&hits, &[], |lines| {
            let at = lines.iter().rposition(|l| l.0 < (HALF * 1000.0) as i64).unwrap();
            let cut = lines[at].1.len() / 3;
            let next = lines.remove(at + 1).1;
            lines[at].1.truncate(cut);
            lines[at].1.push_str(&next);
        });
        let i = only("disk full", &site, &report, (HALF, HALF + 90.0), 3.0);
        assert_eq!((i.severity, i.client_visible), (Severity::Unknown, false), "{format:?}");
        let cause = i.cause.as_ref().unwrap();
        assert_eq!((cause.category.as_str(), cause.evidence.len()), ("logging.failed", 1), "{format:?}");
        assert_eq!(i.impact.lost_estimate, None);
        // The same silence between whole lines says nothing about the log.
        let report = site.report(&hits, &[]);
        let i = only("nothing came", &site, &report, (HALF, HALF + 90.0), 3.0);
        assert_eq!((i.severity, i.client_visible), (Severity::Unknown, true), "{format:?}");
        assert_eq!(i.cause.as_ref().unwrap().category, "traffic.lost");
        // Nor do lines that something else has framed, which begin with more than a record.
        let frame = |line: &mut (i64, String)| line.1.insert_str(0, "web-1  | ");
        let report = site.report_with(&hits, &[], |lines| lines.iter_mut().for_each(frame));
        let i = only("framed", &site, &report, (HALF, HALF + 90.0), 3.0);
        assert_eq!(i.cause.as_ref().unwrap().category, "traffic.lost", "{format:?}");
    }
}

#[test]
fn an_nginx_that_stood_still_is_told_by_whom_it_finds_gone() {
    let site = Site { seed: 63, rate: 7.0, ..Site::default() };
    let during = |h: &Hit| (HALF..HALF + 70.0).contains(&h.at);
    let mut hits = site.hits();
    for (i, h) in hits.iter_mut().enumerate().filter(|(_, h)| during(h)) {
        // Most have gone when it goes on, all within a second; no time is logged.
        (h.took, h.status) = (HALF + 70.0 - h.at + i as f64 % 7.0 / 7.0, if i % 8 == 0 { 200 } else { 499 });
    }
    let report = site.report(&hits, &[]);
    let i = only("stood still", &site, &report, (HALF, HALF + 70.0), 3.0);
    assert_eq!((i.severity, i.client_visible), (Severity::Outage, true));
    assert_eq!(i.cause.as_ref().unwrap().category, "process.down");
    assert!(i.impact.statuses[&499] > 300, "{:?}", i.impact);
}

/// Its parent hears that a worker was stopped, and that it goes on; the first request then is late for its upstream.
#[test]
fn records_at_the_edges_of_a_silence_are_no_log_that_went_on() {
    let site = Site { seed: 68, rate: 20.0, ..Site::default() };
    let mut hits = site.hits();
    let start = HALF + 3.0;
    for (i, h) in hits.iter_mut().enumerate().filter(|(_, h)| (start..start + 11.0).contains(&h.at)) {
        (h.took, h.status) =
            (start + 11.2 - h.at + i as f64 % 7.0 / 10.0, if i % 8 == 0 { 200 } else { 499 });
    }
    let child = "[notice] 7#7: signal 17 (SIGCHLD) received from 9".to_owned();
    let late = "[error] 9#9: *77 upstream timed out (110: Connection timed out) while reading response header from upstream, \
                client: 192.0.2.9, server: a.example, request: \"GET /x HTTP/1.1\", upstream: \"http://192.0.2.1:80/x\""
        .to_owned();
    let records = [(start - 0.3, child.clone()), (start + 11.2, child), (start + 11.3, late)];
    let report = site.report(&hits, &records);
    let i = only("stood still, and its parent heard", &site, &report, (start, start + 11.0), 3.0);
    assert_eq!((i.severity, i.client_visible), (Severity::Outage, true), "{}", i.title);
    assert_eq!(i.cause.as_ref().unwrap().category, "process.down");
}

#[test]
fn requests_that_are_refused_to_everybody_are_an_outage_and_guessed_passwords_are_none() {
    for (seed, status, format) in
        [(64, 401, Format::Combined), (65, 400, Format::Timed), (66, 405, Format::Json)]
    {
        let site = Site { seed, rate: 7.0, format, ..Site::default() };
        let private = |h: &Hit| ["/cart", "/api/stock", "/login"].contains(&h.path.as_str());
        let mut hits = site.hits();
        for h in hits.iter_mut().filter(|h| private(h) && (HALF..HALF + 150.0).contains(&h.at)) {
            h.status = status;
        }
        let report = site.report(&hits, &[]);
        let i = only("refused", &site, &report, (HALF, HALF + 150.0), 8.0);
        assert_eq!((i.severity, i.client_visible), (Severity::Degradation, true));
        assert_eq!(i.cause.as_ref().unwrap().category, "content.forbidden", "{status}");
        // Many machines try passwords; who knows his own is let in all the while.
        let mut hits = site.hits();
        hits.extend((0..900).map(|i| Hit {
            at: HALF + f64::from(i) / 6.0,
            client: format!("203.0.113.{}", i % 90 + 1),
            path: "/login".into(),
            status,
            took: 0.1,
        }));
        quiet("guessed passwords", &site.report(&hits, &[]));
    }
}

#[test]
fn what_grows_worse_to_its_end_is_no_recovery() {
    let site = Site { seed: 67, rate: 12.0, ..Site::default() };
    let fails = |from: f64, share: u64, hits: &mut [Hit]| {
        let during = |h: &&mut Hit| (from..from + 60.0).contains(&h.at);
        for (i, h) in hits.iter_mut().filter(during).enumerate() {
            if (i as u64 * 37) % 100 < share {
                h.status = 502;
            }
        }
    };
    for (shares, last) in [([15, 35, 60], "partial"), ([60, 35, 15], "recovery")] {
        let mut hits = site.hits();
        for (n, share) in shares.into_iter().enumerate() {
            fails(HALF + 60.0 * n as f64, share, &mut hits);
        }
        let report = site.report(&hits, &[]);
        let i = only("in steps", &site, &report, (HALF, HALF + 180.0), 8.0);
        assert_eq!(i.phases.last().unwrap().kind, last, "{:?}", i.phases);
    }
}

/// The last words are that it stops: no outage can be dated, and that all is well cannot be said either.
#[test]
fn a_stop_at_the_very_end_is_said_and_no_incident() {
    let site = Site { seed: 88, seconds: 900.0, ..Site::default() };
    let hits = site.hits();
    let stop = |at: f64| (at, "[notice] 7#7: signal 15 (SIGTERM) received from 1, exiting".to_owned());
    let report = site.report(&hits, &[stop(899.0)]);
    quiet("stopped at the end", &report);
    let told = |report: &downtime::report::Report| {
        report.findings.iter().filter(|f| f.kind == "stopped-at-end").count()
    };
    assert_eq!(told(&report), 1, "{:?}", report.findings);
    // It was started again by somebody who left no word: requests go on.
    assert_eq!(told(&site.report(&hits, &[stop(500.0)])), 0);
}
