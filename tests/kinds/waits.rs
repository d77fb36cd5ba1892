//! Requests that wait and users who leave: what is logged later than it came, or not any more.

use crate::site::{Format, Hit, Site};
use crate::{HALF, only, quiet};
use downtime::report::Severity;

fn checks(site: &Site, every: f64) -> impl Iterator<Item = Hit> {
    (0..(site.seconds / every) as u32).map(move |i| Hit {
        at: f64::from(i) * every + 0.3,
        client: "10.0.2.5".into(),
        path: "/healthz".into(),
        status: 200,
        took: 0.001,
    })
}

fn sorted(mut hits: Vec<Hit>) -> Vec<Hit> {
    hits.sort_by(|a, b| a.at.total_cmp(&b.at));
    hits
}

#[test]
fn a_hang_shorter_than_its_timeout_is_one_outage_of_those_who_came_in_it() {
    for (seed, hung, timeout) in [(81, 40.0, 60.0), (82, 25.0, 30.0), (83, 90.0, 20.0), (84, 50.0, 300.0)] {
        let site = Site { seed, seconds: 3000.0, ..Site::default() };
        let mut hits = site.hits();
        let mut errors = Vec::new();
        let mut waited = 0;
        for h in hits.iter_mut().filter(|h| (HALF..HALF + hung).contains(&h.at)) {
            (h.status, h.took) = (504, timeout);
            waited += 1;
            let record = format!(
                "[error] 7#7: *1 upstream timed out (110: Connection timed out) while reading response header from \
                 upstream, client: {}, server: a.example, request: \"GET {} HTTP/1.1\", upstream: \
                 \"http://10.0.0.5:8080/\", host: \"a.example\"",
                h.client, h.path
            );
            errors.push((h.at + timeout, record));
        }
        let report = site.report(&hits, &errors);
        let i = only("hang", &site, &report, (HALF, HALF + hung), 2.0);
        assert_eq!((i.severity, i.client_visible), (Severity::Outage, true), "{seed}");
        assert_eq!(i.cause.as_ref().unwrap().category, "upstream.timeout", "{seed}");
        assert_eq!(i.impact.statuses[&504], waited, "{seed}: {:?}", i.impact);
        assert_eq!(i.impact.lost_estimate, None, "{seed}: all came");
        // What the table of the incident says of its time agrees with that.
        let during =
            i.context.stretches.iter().find(|s| s.kind == downtime::report::StretchKind::During).unwrap();
        assert!(during.server_errors >= waited, "{seed}: {during:?}");
    }
}

#[test]
fn users_who_leave_do_not_lengthen_what_they_left_for() {
    let site = Site { seed: 85, rate: 12.0, ..Site::default() };
    let mut n = 0;
    let mut hits = site.hits();
    hits.retain(|h| {
        n += 1;
        let left = (HALF + 40.0..HALF + 150.0).contains(&h.at);
        !left || n % 8 == 0
    });
    for h in hits.iter_mut().filter(|h| (HALF..HALF + 90.0).contains(&h.at)) {
        h.status = 502;
    }
    let report = site.report(&hits, &[]);
    only("users leave", &site, &report, (HALF, HALF + 90.0), 3.0);
}

#[test]
fn health_checks_that_go_on_are_witnesses() {
    let site = Site { seed: 86, ..Site::default() };
    let mut hits = site.hits();
    hits.retain(|h| !(HALF..HALF + 150.0).contains(&h.at));
    hits.extend(checks(&site, 10.0));
    let report = site.report(&sorted(hits), &[]);
    let i = only("users alone", &site, &report, (HALF, HALF + 150.0), 3.0);
    let cause = i.cause.as_ref().unwrap();
    assert_eq!((cause.category.as_str(), cause.confidence), ("traffic.lost", "likely"));
    assert!(cause.summary.contains("/healthz every 10 s from 10.0.2.5"), "{}", cause.summary);
    assert_eq!(cause.evidence.len(), 2);
}

#[test]
fn health_checks_tell_a_silence_of_a_minute_where_few_ask() {
    let site = Site { seed: 87, rate: 0.05, seconds: 7200.0, ..Site::default() };
    let with_checks = |gap: f64| {
        let mut hits: Vec<Hit> = site.hits().into_iter().chain(checks(&site, 10.0)).collect();
        hits.retain(|h| !(HALF..HALF + gap).contains(&h.at));
        sorted(hits)
    };
    let report = site.report(&with_checks(60.0), &[]);
    let i = only("silence", &site, &report, (HALF, HALF + 60.0), 10.0);
    assert!(i.cause.as_ref().unwrap().summary.contains("and with them"), "{:?}", i.cause);
    // A check that was missed twice proves nothing; nor do few users who stay away for as long.
    quiet("two checks missed", &site.report(&with_checks(20.0), &[]));
    let mut hits = site.hits();
    hits.retain(|h| !(HALF..HALF + 60.0).contains(&h.at));
    quiet("few users", &site.report(&hits, &[]));
}

#[test]
fn connections_closed_without_an_answer_are_refusals() {
    let site = Site { seed: 88, ..Site::default() };
    let mut hits = site.hits();
    for h in hits.iter_mut().filter(|h| (HALF..HALF + 80.0).contains(&h.at)) {
        h.status = 444;
    }
    let report = site.report(&hits, &[]);
    let i = only("444", &site, &report, (HALF, HALF + 80.0), 3.0);
    assert_eq!(i.cause.as_ref().unwrap().category, "content.forbidden");
    // Robots that are always sent away so are none.
    let mut hits = site.hits();
    hits.extend((0..700).map(|i| Hit {
        at: HALF + f64::from(i) / 8.0,
        client: format!("203.0.113.{}", i % 40 + 1),
        path: format!("/wp-login.php?{i}"),
        status: 444,
        took: 0.0,
    }));
    quiet("robots", &site.report(&sorted(hits), &[]));
}

#[test]
fn a_limit_that_everybody_meets_is_an_incident_and_one_that_robots_meet_is_none() {
    let site = Site { seed: 89, rate: 10.0, ..Site::default() };
    let mut hits = site.hits();
    let mut n = 0;
    for h in hits.iter_mut().filter(|h| (HALF..HALF + 80.0).contains(&h.at)) {
        n += 1;
        h.status = if n % 5 == 0 { h.status } else { 429 };
    }
    let report = site.report(&hits, &[]);
    let i = only("429", &site, &report, (HALF, HALF + 80.0), 4.0);
    assert_eq!(i.cause.as_ref().unwrap().category, "limit.rate");
    let mut hits = site.hits();
    hits.extend((0..1600).map(|i| Hit {
        at: HALF + f64::from(i) / 20.0,
        client: format!("203.0.113.{}", i % 6 + 1),
        path: format!("/item/{}", i % 90),
        status: if i % 4 == 0 { 200 } else { 429 },
        took: 0.01,
    }));
    quiet("robots", &site.report(&sorted(hits), &[]));
}

#[test]
fn clients_that_all_give_up_after_the_same_time_are_dated_by_when_they_came() {
    let site = Site { seed: 90, rate: 8.0, ..Site::default() };
    let mut hits = site.hits();
    for h in hits.iter_mut().filter(|h| (HALF..HALF + 65.0).contains(&h.at)) {
        (h.status, h.took) = (499, 8.0);
    }
    let report = site.report(&hits, &[]);
    let i = only("given up", &site, &report, (HALF, HALF + 65.0), 3.0);
    assert_eq!(
        (i.severity, i.cause.as_ref().unwrap().category.as_str()),
        (Severity::Slowdown, "upstream.slow")
    );
    assert!(i.impact.requests >= i.impact.failed, "{:?}", i.impact);
}

#[test]
fn requests_that_are_all_answered_when_it_is_over_had_waited() {
    let site = Site { seed: 91, rate: 8.0, ..Site::default() };
    let mut hits = site.hits();
    for (i, h) in hits.iter_mut().filter(|h| (HALF..HALF + 30.0).contains(&h.at)).enumerate() {
        h.took = HALF + 30.0 - h.at + i as f64 % 9.0 / 9.0;
    }
    let report = site.report(&hits, &[]);
    let i = only("waited", &site, &report, (HALF, HALF + 30.0), 3.0);
    assert_eq!((i.severity, i.client_visible), (Severity::Slowdown, true));
    assert_eq!(
        (i.cause.as_ref().unwrap().category.as_str(), i.impact.lost_estimate),
        ("upstream.slow", None)
    );
}

#[test]
fn a_certificate_that_clients_refuse_is_told_by_their_handshakes() {
    let site = Site { seed: 92, rate: 8.0, ..Site::default() };
    let mut errors = vec![
        (HALF - 0.5, "[notice] 7#7: signal 1 (SIGHUP) received from 9, reconfiguring".to_owned()),
        (HALF - 0.4, "[notice] 7#7: start worker processes".to_owned()),
        (HALF + 90.0, "[notice] 7#7: signal 1 (SIGHUP) received from 9, reconfiguring".to_owned()),
        (HALF + 90.1, "[notice] 7#7: start worker processes".to_owned()),
    ];
    let mut hits = site.hits();
    let mut n = 0;
    hits.retain(|h| {
        n += 1;
        let refuses = (HALF..HALF + 90.0).contains(&h.at) && n % 16 != 0;
        if refuses {
            let what = "peer closed connection in SSL handshake while SSL handshaking";
            errors
                .push((h.at, format!("[info] 8#8: *{n} {what}, client: {}, server: 0.0.0.0:443", h.client)));
        }
        !refuses
    });
    errors.sort_by(|a, b| a.0.total_cmp(&b.0));
    let report = site.report(&hits, &errors);
    let i = only("certificate", &site, &report, (HALF, HALF + 90.0), 4.0);
    assert_eq!((i.severity, i.client_visible), (Severity::Outage, true), "{}", i.why);
    assert_eq!(i.cause.as_ref().unwrap().category, "client.tls");
    assert!(i.other_causes.iter().all(|c| !c.category.starts_with("process.")), "{:?}", i.other_causes);
}

/// One page in twenty-five hangs: the hole in all successes is lost in their scatter.
#[test]
fn a_page_that_hangs_is_dated_by_its_own_answers() {
    for (seed, timeout) in [(93, 60.0), (94, 45.0), (95, 100.0)] {
        let site = Site { seed, rate: 17.0, ..Site::default() };
        let mut hits = site.hits();
        for h in hits.iter_mut().filter(|h| h.path == "/cart" && (HALF..HALF + 65.0).contains(&h.at)) {
            (h.status, h.took) = (504, timeout);
        }
        let report = site.report(&hits, &[]);
        let i = only("a page", &site, &report, (HALF, HALF + 65.0), 5.0);
        assert_eq!(i.scope.endpoints, ["/cart"], "{:?}", i.scope);
    }
}

/// What came in the last seconds of a hang waits, and is answered when it is over: late, and well.
#[test]
fn those_who_still_waited_when_it_went_on_tell_the_end() {
    let end = HALF + 70.0;
    for (seed, format) in [(96, Format::Timed), (97, Format::Json)] {
        let site = Site { seed, rate: 10.0, format, ..Site::default() };
        let mut hits = site.hits();
        let mut waited = 0;
        for h in hits.iter_mut().filter(|h| (HALF..end).contains(&h.at) && !h.path.starts_with("/static")) {
            if h.at < end - 6.0 {
                (h.status, h.took) = (504, 6.0);
            } else {
                h.took = end - h.at;
                waited += u64::from(h.took >= 1.0);
            }
        }
        let report = site.report(&hits, &[]);
        let i = only("let go", &site, &report, (HALF, end), 1.5);
        let last = i.phases.last().unwrap();
        assert_eq!(last.kind, "slow", "{:?}", i.phases);
        assert!(
            i.impact.slow.is_some_and(|n| n.abs_diff(waited) <= 2),
            "{waited}: {:?} {:?}",
            i.impact,
            i.phases
        );
    }
}
