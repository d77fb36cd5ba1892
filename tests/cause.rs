//! From trigger to effect: what the report calls the cause, what armed it, and in which order it tells it, on made
//! logs whose truth is known by making them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "cause/access_only.rs"]
mod access_only;
#[path = "cause/limits.rs"]
mod limits;
#[path = "cause/marked.rs"]
mod marked;
mod support;
#[path = "cause/words.rs"]
mod words;

use downtime::report::{Incident, Report};
use std::path::Path;
use support::{Lines, Random, TEN, Traffic, options, report, time_error, time_local, write_lines};

/// The report on traffic whose requests of some seconds are missing, with this error log.
fn run(traffic: &Traffic, missing: std::ops::Range<i64>, error: &Lines) -> Report {
    let dir = tempfile::tempdir().unwrap();
    let mut access = traffic.access();
    access.retain(|(second, _)| !missing.contains(&(second - TEN)));
    write_lines(&dir.path().join("access.log"), &access);
    write_lines(&dir.path().join("error.log"), error);
    report(&options(&[dir.path().to_path_buf()]))
}

fn only(report: &Report) -> &Incident {
    assert_eq!(report.incidents.len(), 1, "{:#?}", report.incidents);
    &report.incidents[0]
}

fn said(second: i64, level: &str, pid: u32, text: &str) -> (i64, String) {
    (TEN + second, format!("{} [{level}] {pid}#{pid}: {text}", time_error(TEN + second, 0)))
}

const WRONG: &str = "invalid parameter \"max_fail=3\" in /etc/nginx/conf.d/app.conf:7";

fn stop_and_refusal(at: i64) -> Lines {
    vec![
        said(at, "notice", 70, "signal 15 (SIGTERM) received from 1, exiting"),
        said(at, "notice", 71, "exiting"),
        said(at + 1, "emerg", 90, WRONG),
        said(at + 30, "emerg", 91, WRONG),
        said(at + 90, "notice", 99, "nginx/1.24.0"),
        said(at + 90, "notice", 99, "start worker processes"),
    ]
}

#[test]
fn a_refused_reload_arms_what_a_restart_sets_off() {
    let mut error = vec![
        said(100, "notice", 70, "signal 1 (SIGHUP) received from 80, reconfiguring"),
        said(100, "notice", 70, "reconfiguring"),
        said(100, "emerg", 70, WRONG),
    ];
    error.extend(stop_and_refusal(600));
    let report = run(&Traffic::default(), 600..690, &error);
    let incident = only(&report);
    let cause = incident.cause.as_ref().unwrap();
    assert_eq!(cause.category, "config.invalid");
    assert!(cause.summary.contains("conf.d/app.conf:7"), "{}", cause.summary);
    let trigger = incident.trigger.as_ref().unwrap();
    assert_eq!(trigger.time, (TEN + 100) * 1000);
    let lines: Vec<u64> = trigger.evidence.iter().map(|e| e.line).collect();
    assert_eq!(lines, [3, 4, 6], "the refusal, the stop, the start that failed");
    assert!(trigger.summary.contains("8 min 21 s later"), "{}", trigger.summary);
    let tries = incident.timeline.iter().filter(|e| e.what.starts_with("nginx refuses its configuration"));
    assert_eq!(tries.count(), 2, "{:#?}", incident.timeline);
}

#[test]
fn a_reload_that_was_put_right_arms_nothing() {
    let mut error = vec![
        said(100, "notice", 70, "reconfiguring"),
        said(100, "emerg", 70, WRONG),
        said(160, "notice", 70, "reconfiguring"),
        said(160, "notice", 70, "start worker processes"),
    ];
    error.extend(stop_and_refusal(600));
    let report = run(&Traffic::default(), 600..690, &error);
    let trigger = only(&report).trigger.as_ref().unwrap();
    assert_eq!(trigger.time, (TEN + 600) * 1000);
    assert!(
        trigger.summary.starts_with("nginx was stopped and could not start again"),
        "{}",
        trigger.summary
    );
    assert_eq!(trigger.evidence[0].line, 7, "the directive that was refused");
}

#[test]
fn the_failed_request_shows_its_reason_and_the_peer_that_failed_first() {
    let traffic = Traffic::outage();
    let report = run(&traffic, 0..0, &traffic.error());
    let incident = only(&report);
    let cause = incident.cause.as_ref().unwrap();
    assert_eq!((cause.category.as_str(), cause.confidence), ("upstream.refused", "certain"));
    for said in ["errno 111", "all at 127.0.0.1:8080", "enough for every failed request", "good again"] {
        assert!(cause.summary.contains(said), "{said}: {}", cause.summary);
    }
    assert!(incident.trigger.is_none(), "{:?}", incident.trigger);
    let first = incident.timeline.iter().find(|e| e.what.starts_with("first failed request")).unwrap();
    assert_eq!(first.what, "first failed request: upstream refused the connection");
    let pair = incident.timeline.iter().find(|e| e.what.starts_with("127.0.0.1:8080 fails")).unwrap();
    let (access, error) = (first.evidence.as_ref().unwrap(), pair.evidence.as_ref().unwrap());
    let request = access.text.split('"').nth(1).unwrap();
    assert!(error.text.contains(&format!("request: \"{request}\"")), "{error:?}");
}

#[test]
fn what_a_flood_repeats_is_not_the_cause() {
    let traffic = Traffic::outage();
    let echo = |(second, line): (i64, String)| {
        let refused = "connect() failed (111: Connection refused)";
        let group = line.replace(refused, "no live upstreams").replace("http://127.0.0.1:8080", "http://app");
        // Each server is tried anew every half minute; all else is the echo.
        (second, if (second - TEN) % 30 == 0 { line } else { group })
    };
    let error: Lines = traffic.error().into_iter().map(echo).collect();
    let report = run(&traffic, 0..0, &error);
    let incident = only(&report);
    let cause = incident.cause.as_ref().unwrap();
    assert_eq!((cause.category.as_str(), cause.confidence), ("upstream.refused", "certain"));
    assert!(cause.summary.contains("of \"no live upstreams\" are their echo"), "{}", cause.summary);
    assert!(incident.timeline.iter().any(|e| e.what.starts_with("no server is left")));
}

#[test]
fn failures_without_a_record_are_the_applications_own() {
    let traffic = Traffic::outage();
    let quiet = vec![said(
        5,
        "error",
        71,
        "*9 open() \"/srv/www/a\" failed (2: No such file or directory), client: 198.51.100.7, server: example.net, request: \"GET /a HTTP/1.1\", host: \"example.net\"",
    )];
    let dir = tempfile::tempdir().unwrap();
    let access: Lines =
        traffic.access().into_iter().map(|(s, l)| (s, l.replace("\" 502 ", "\" 500 "))).collect();
    write_lines(&dir.path().join("access.log"), &access);
    write_lines(&dir.path().join("error.log"), &quiet);
    let report = report(&options(&[dir.path().to_path_buf()]));
    let cause = only(&report).cause.as_ref().unwrap();
    assert_eq!(cause.category, "upstream.app_error");
    assert!(!cause.evidence.is_empty());
    assert!(only(&report).timeline.iter().any(|e| e.what == "first failed request"));
}

#[test]
fn the_cause_says_what_the_application_wrote_and_which_zone_refused() {
    let traffic = Traffic::outage();
    let told = |message: &str| {
        let refused = "connect() failed (111: Connection refused) while connecting to upstream";
        let error: Lines =
            traffic.error().into_iter().map(|(s, l)| (s, l.replace(refused, message))).collect();
        only(&run(&traffic, 0..0, &error)).cause.clone().unwrap()
    };
    let stderr = "FastCGI sent in stderr: \"PHP message: PHP Fatal error:  Uncaught PDOException in /srv/Db.php:41\" \
                  while reading response header from upstream";
    let cause = told(stderr);
    assert_eq!(cause.category, "upstream.app_error");
    assert!(cause.summary.contains("saying \"PHP Fatal error:  Uncaught PDO"), "{}", cause.summary);
    let cause = told("limiting requests, excess: 1.000 by zone \"one\"");
    assert_eq!(cause.category, "limit.rate");
    assert!(cause.summary.contains("by zone \"one\""), "{}", cause.summary);
}

#[test]
fn requests_that_came_through_a_proxy_are_joined_without_their_client() {
    let traffic = Traffic::outage();
    // Whom the proxy names, and a log that names nobody; the error log has the proxy.
    let named = |line: &str| line.replacen("198.51.100.", "203.0.113.", 1);
    let nobody = |line: &str| {
        let (time, rest) = line.split_once('[').unwrap().1.split_once("] \"").unwrap();
        let (request, rest) = rest.split_once("\" ").unwrap();
        let mut numbers = rest.split(' ');
        let (status, bytes) = (numbers.next().unwrap(), numbers.next().unwrap());
        format!(
            "{{\"time_local\":\"{time}\",\"request\":\"{request}\",\"status\":{status},\"body_bytes_sent\":{bytes}}}"
        )
    };
    for change in [&named as &dyn Fn(&str) -> String, &nobody] {
        let dir = tempfile::tempdir().unwrap();
        let access: Lines = traffic.access().into_iter().map(|(s, l)| (s, change(&l))).collect();
        write_lines(&dir.path().join("access.log"), &access);
        write_lines(&dir.path().join("error.log"), &traffic.error());
        let report = report(&options(&[dir.path().to_path_buf()]));
        let incident = only(&report);
        let cause = incident.cause.as_ref().unwrap();
        assert_eq!(cause.category, "upstream.refused", "{}", cause.summary);
        assert!(cause.summary.contains("enough for every failed request"), "{}", cause.summary);
        assert!(incident.other_causes.is_empty(), "{:?}", incident.other_causes);
    }
}

#[test]
fn some_failures_without_a_record_are_named_beside_the_others() {
    let traffic = Traffic::outage();
    // Every fourth failure is the application's own 500, of which nginx writes nothing.
    let own = |i: usize| i.is_multiple_of(4);
    let mut n = 0;
    let access: Lines = traffic
        .access()
        .into_iter()
        .map(|(s, l)| {
            let failed = l.contains("\" 502 ");
            let answer = failed && own(n);
            n += usize::from(failed);
            (s, if answer { l.replace("\" 502 ", "\" 500 ") } else { l })
        })
        .collect();
    let error: Lines =
        traffic.error().into_iter().enumerate().filter(|(i, _)| !own(*i)).map(|(_, line)| line).collect();
    let dir = tempfile::tempdir().unwrap();
    write_lines(&dir.path().join("access.log"), &access);
    write_lines(&dir.path().join("error.log"), &error);
    let report = report(&options(&[dir.path().to_path_buf()]));
    let incident = only(&report);
    assert_eq!(incident.cause.as_ref().unwrap().category, "upstream.refused");
    let own = incident.other_causes.iter().find(|c| c.category == "upstream.app_error").unwrap();
    assert!(own.summary.contains("180 of the 720 failed requests"), "{}", own.summary);
    assert!(own.evidence[0].text.contains("\" 500 "));
}

#[test]
fn a_restart_that_no_line_tells_of_shows_in_the_numbers_of_connections() {
    let missing = |second: i64, pid: u32, number: u64| {
        said(
            second,
            "error",
            pid,
            &format!(
                "*{number} open() \"/srv/www/a\" failed (2: No such file or directory), client: 198.51.100.7, server: example.net, request: \"GET /a HTTP/1.1\", host: \"example.net\""
            ),
        )
    };
    let error: Lines = (0..20)
        .map(|i| {
            missing(
                i * 60 + 5,
                if i < 10 { 71 } else { 99 },
                if i < 10 { 5000 + i as u64 * 200 } else { 10 + (i as u64 - 10) * 200 },
            )
        })
        .filter(|(second, _)| !(590..700).contains(&(second - TEN)))
        .collect();
    let report = run(&Traffic::default(), 590..700, &error);
    let incident = only(&report);
    let cause = incident.cause.as_ref().unwrap();
    assert_eq!((cause.category.as_str(), cause.confidence), ("process.down", "likely"), "{}", cause.summary);
    assert_eq!(cause.evidence.len(), 2);
}

/// Twenty minutes of requests with times; from a second on those of each path take twenty times as long, and late ones
/// can come from one of two peers alone.
fn slow(rate: f64, seed: u64, since: impl Fn(&str, &str) -> i64) -> Lines {
    let mut random = Random(seed);
    let mut lines = Lines::new();
    let mut now = 0.0;
    loop {
        now += random.waiting(1.0 / rate);
        if now >= 1200.0 {
            break;
        }
        let path = match random.below(10) {
            0 => "/search",
            1 | 2 => "/cart",
            3..=5 => "/products",
            _ => "/home",
        };
        let peer = if random.below(2) == 0 { "10.0.0.1:8080" } else { "10.0.0.2:8080" };
        // A request that is there when trouble begins is met by it.
        let took = 0.05 * (0.4 * random.normal()).exp();
        let from = since(path, peer) as f64;
        let took = if now + took >= from && now < 900.0 { 20.0 * took } else { took };
        let end = TEN + (now + took) as i64;
        let line = format!(
            "192.0.2.{} - - [{}] \"GET {path} HTTP/1.1\" 200 512 \"-\" \"-\" {took:.3} {took:.3} {peer} 200",
            random.below(200) + 1,
            time_local(end, 0)
        );
        lines.push((end, line));
    }
    lines.sort_by_key(|l| l.0);
    lines
}

fn slowdown(rate: f64, seed: u64, since: impl Fn(&str, &str) -> i64) -> Incident {
    let dir = tempfile::tempdir().unwrap();
    write_lines(&dir.path().join("access.log"), &slow(rate, seed, since));
    only(&report(&options(&[dir.path().to_path_buf()]))).clone()
}

#[test]
fn the_endpoint_whose_times_rose_first_is_named_and_not_the_busiest() {
    for (rate, seed) in [(8.0, 1), (8.0, 2), (8.0, 3), (25.0, 4), (25.0, 5)] {
        let i = slowdown(rate, seed, |path, _| if path == "/search" { 560 } else { 620 });
        let cause = i.cause.as_ref().unwrap();
        assert_eq!(cause.category, "upstream.slow");
        assert!(cause.summary.contains("first endpoint to be late was /search"), "{seed}: {}", cause.summary);
        assert!(cause.evidence[0].text.contains("GET /search "), "{seed}: {:?}", cause.evidence);
        let told = i.timeline.iter().find(|e| e.what.contains("/search begin to come late"));
        let told = told.unwrap_or_else(|| panic!("{:#?}", i.timeline));
        assert!((told.time / 1000 - TEN - 560).abs() <= 15, "{seed}: {}", told.time / 1000 - TEN);
    }
}

#[test]
fn the_peer_whose_times_rose_first_is_named() {
    for seed in 1..4 {
        let i = slowdown(10.0, seed, |_, peer| if peer == "10.0.0.2:8080" { 600 } else { 640 });
        let cause = i.cause.as_ref().unwrap();
        assert!(cause.summary.contains("first upstream to be late was 10.0.0.2:8080"), "{}", cause.summary);
    }
}

#[test]
fn times_that_rose_together_have_no_first() {
    let named = (0..24)
        .filter(|seed| {
            let rate = [3.0, 8.0, 20.0][*seed as usize % 3];
            let i = slowdown(rate, 100 + seed, |_, _| 600);
            let summary = i.cause.as_ref().unwrap().summary.clone();
            assert!(
                summary.contains(" to be late was ") || summary.contains("by more than chance"),
                "{summary}"
            );
            summary.contains(" to be late was ")
        })
        .count();
    assert!(named <= 1, "{named} of 24 by chance");
}

const NO_BINARY: &str =
    "execve() failed while executing new binary process \"nginx\" (2: No such file or directory)";

fn upgrade(at: i64) -> Lines {
    vec![
        said(at, "notice", 70, "signal 12 (SIGUSR2) received from 99, changing binary"),
        said(at, "notice", 70, "changing binary"),
        said(at, "notice", 70, "start new binary process 80"),
    ]
}

fn failed_upgrade(at: i64) -> Lines {
    let mut error = upgrade(at);
    error.push(said(at, "alert", 80, NO_BINARY));
    error.push(said(at, "notice", 70, "signal 17 (SIGCHLD) received from 80"));
    error.push(said(at, "notice", 70, "new binary process 80 exited with code 1"));
    error
}

#[test]
fn an_upgrade_that_failed_and_then_lost_the_old_nginx_is_both_cause_and_trigger() {
    let mut error = failed_upgrade(590);
    error.push(said(592, "notice", 70, "signal 28 (SIGWINCH) received from 99, stop accepting connections"));
    error.push(said(600, "notice", 70, "signal 3 (SIGQUIT) received from 99, shutting down"));
    error.push(said(690, "notice", 99, "nginx/1.24.0"));
    error.push(said(690, "notice", 99, "start worker processes"));
    let report = run(&Traffic::default(), 600..690, &error);
    let i = only(&report);
    let cause = i.cause.as_ref().unwrap();
    assert_eq!(cause.category, "process.stop");
    assert!(cause.summary.contains("a new binary did not start (execve() failed"), "{}", cause.summary);
    assert_eq!(cause.evidence.iter().map(|e| e.line).collect::<Vec<_>>(), [4, 8, 9]);
    let trigger = i.trigger.as_ref().unwrap();
    assert_eq!(trigger.time, (TEN + 590) * 1000);
    assert!(
        trigger.summary.contains("10 s later the nginx that ran was told to stop"),
        "{}",
        trigger.summary
    );
}

#[test]
fn an_upgrade_that_failed_alone_is_no_incident_and_is_told() {
    let report = run(&Traffic::default(), 0..0, &failed_upgrade(600));
    assert!(report.incidents.is_empty(), "{:#?}", report.incidents);
    let found: Vec<_> = report.findings.iter().filter(|f| f.kind.contains("upgrade")).collect();
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!((found[0].kind, found[0].evidence[0].line), ("failed-upgrade", 4));
}

#[test]
fn an_upgrade_that_came_through_is_no_failed_one() {
    let mut error = upgrade(600);
    error.push(said(600, "notice", 80, "using inherited sockets from \"6;\""));
    error.push(said(600, "notice", 80, "nginx/1.25.3"));
    error.push(said(600, "notice", 80, "start worker processes"));
    error.push(said(605, "notice", 70, "signal 3 (SIGQUIT) received from 99, shutting down"));
    error.push(said(605, "notice", 70, "exit"));
    let report = run(&Traffic::default(), 0..0, &error);
    assert!(report.incidents.is_empty(), "{:#?}", report.incidents);
    assert!(report.findings.iter().any(|f| f.kind == "upgrade"), "{:#?}", report.findings);
    assert!(report.findings.iter().all(|f| f.kind != "failed-upgrade"), "{:#?}", report.findings);
}

#[test]
fn workers_of_a_new_binary_that_die_in_a_row_name_the_upgrade() {
    let mut error = upgrade(598);
    error.push(said(598, "notice", 80, "nginx/1.25.3"));
    error.push(said(598, "notice", 80, "start worker processes"));
    for n in 0..40 {
        let line = format!("worker process {} exited on signal 11", 200 + n);
        error.push(said(600 + 2 * n, "alert", 80, &line));
    }
    let report = run(&Traffic::default(), 600..690, &error);
    let i = only(&report);
    assert_eq!(i.cause.as_ref().unwrap().category, "process.crash");
    let trigger = i.trigger.as_ref().unwrap();
    assert_eq!(trigger.time, (TEN + 598) * 1000);
    assert!(trigger.summary.contains("exited on signal 11; 40 such records"), "{}", trigger.summary);
    assert_eq!(trigger.evidence.iter().map(|e| e.line).collect::<Vec<_>>(), [1, 6]);
}

#[test]
fn connections_that_are_cut_before_the_first_is_refused_show_that_the_application_ended() {
    let context = "client: 198.51.100.9, server: shop, request: \"GET /a HTTP/1.1\", upstream: \"http://127.0.0.1:8080/a\"";
    let cut = |second| {
        let text = "*9 upstream prematurely closed connection while reading response header from upstream";
        said(second, "error", 70, &format!("{text}, {context}"))
    };
    let traffic = Traffic::outage();
    let refused = traffic.error();
    let told = |error: &Lines| {
        let dir = tempfile::tempdir().unwrap();
        write_lines(&dir.path().join("access.log"), &traffic.access());
        write_lines(&dir.path().join("error.log"), error);
        only(&report(&options(&[dir.path().to_path_buf()]))).trigger.clone()
    };
    assert_eq!(told(&refused), None, "nothing says what ended");
    let mut error = refused.clone();
    error.insert(0, cut(599));
    let trigger = told(&error).unwrap();
    assert!(trigger.summary.contains("what served 127.0.0.1:8080 ended"), "{}", trigger.summary);
    assert_eq!(trigger.evidence[0].line, 1);
    error[0] = cut(500);
    assert_eq!(told(&error), None, "long before");
}

#[test]
fn a_record_of_another_time_is_not_that_of_a_failed_request() {
    let traffic = Traffic::outage();
    // The same client asks for the same again and again: a record a minute before is of another request.
    let same = |(s, l): (i64, String)| {
        let (_, rest) = l.split_once(' ').unwrap();
        let (_, status) = rest.split_once("HTTP/1.1\"").unwrap();
        let time = &rest[..=rest.find(']').unwrap()];
        (s, format!("198.51.100.7 {time} \"GET /same HTTP/1.1\"{status}"))
    };
    let access: Lines = traffic.access().into_iter().map(same).collect();
    let named = "client: 198.51.100.7, server: example.net, request: \"GET /same HTTP/1.1\", upstream: \"http://127.0.0.1:8080/same\", host: \"example.net\"";
    let refused = "connect() failed (111: Connection refused) while connecting to upstream";
    // For the last 80 of 180 seconds nginx has nothing to say.
    let record = |s| said(s, "error", 71, &format!("*9 {refused}, {named}"));
    let error: Lines = (600..700).flat_map(|s| (0..4).map(move |_| s)).map(record).collect();
    let dir = tempfile::tempdir().unwrap();
    write_lines(&dir.path().join("access.log"), &access);
    write_lines(&dir.path().join("error.log"), &error);
    let report = report(&options(&[dir.path().to_path_buf()]));
    let incident = only(&report);
    let causes = incident.cause.iter().chain(&incident.other_causes);
    let own: Vec<_> = causes.filter(|c| c.category == "upstream.app_error").collect();
    let [own] = own[..] else { panic!("{incident:#?}") };
    // The second after the last record is within its reach.
    assert!(own.summary.contains("316 of the 720 failed requests have no record"), "{}", own.summary);
}

/// Fifty minutes of 26 requests a second: from minute 5 on for 40 minutes all fail, most refused, every ninth by the
/// application itself, which the error log does not say.
fn long_outage(offset_minutes: i64) -> (Lines, Lines, [u64; 2]) {
    let (mut access, mut error, mut counts) = (Vec::new(), Vec::new(), [0_u64; 2]);
    for n in 0..26 * 3000_i64 {
        let second = TEN + n / 26;
        let (client, request) =
            (format!("10.{}.{}.9", n % 50, n % 211), format!("GET /p/{} HTTP/1.1", n % 700));
        let failing = (300..2700).contains(&(n / 26));
        let status = match (failing, n % 9) {
            (false, _) => 200,
            (true, 0) => 500,
            _ => 502,
        };
        counts[0] += u64::from(failing);
        counts[1] += u64::from(status == 502);
        let time = time_local(second, 0);
        access.push((
            second,
            format!("{client} - - [{time}] \"{request}\" {status} 500 \"-\" \"Mozilla/5.0\""),
        ));
        if status == 502 {
            let text = "connect() failed (111: Connection refused) while connecting to upstream";
            let upstream = "upstream: \"http://10.0.3.21:8080/\", host: \"a\"";
            let time = time_error(second, offset_minutes);
            error.push((second, format!("{time} [error] 7#7: *{n} {text}, client: {client}, server: a, request: \"{request}\", {upstream}")));
        }
    }
    (access, error, counts)
}

#[test]
fn every_failed_request_of_a_long_outage_is_joined_to_its_record() {
    let (access, error, [failed, refused]) = long_outage(120);
    assert!(failed > 60_000);
    let dir = tempfile::tempdir().unwrap();
    write_lines(&dir.path().join("access.log"), &access);
    write_lines(&dir.path().join("error.log"), &error);
    let packed = tempfile::tempdir().unwrap();
    for name in ["access.log", "error.log"] {
        let mut text = std::fs::File::open(dir.path().join(name)).unwrap();
        let out = std::fs::File::create(packed.path().join(format!("{name}.gz"))).unwrap();
        let mut gz = flate2::write::GzEncoder::new(out, flate2::Compression::fast());
        std::io::copy(&mut text, &mut gz).unwrap();
        gz.finish().unwrap();
    }
    let grouped = |n: u64| format!("{},{:03}", n / 1000, n % 1000);
    for path in [dir.path(), packed.path()] {
        let report = report(&options(&[path.to_path_buf()]));
        let incident = only(&report);
        let of = format!("of the {} failed requests", grouped(failed));
        let cause = &incident.cause.as_ref().unwrap().summary;
        assert!(cause.contains(&format!("the last word on {} {of}", grouped(refused))), "{cause}");
        let others: Vec<&str> = incident.other_causes.iter().map(|c| c.summary.as_str()).collect();
        let alone = format!("{} {of} have no record in the error log", grouped(failed - refused));
        assert!(others.iter().any(|o| o.starts_with(&alone)), "{others:?}");
    }
}

#[test]
fn a_record_that_goes_on_over_lines_is_joined_by_the_context_at_its_end() {
    let traffic = Traffic::outage();
    let refused = "connect() failed (111: Connection refused) while connecting to upstream";
    let wrote = "FastCGI sent in stderr: \"PHP message: PHP Fatal error:  Uncaught PDOException\n  thrown in /srv/app/Db.php on line 41\" while reading response header from upstream";
    let error: Lines = traffic.error().into_iter().map(|(s, l)| (s, l.replace(refused, wrote))).collect();
    assert!(error.iter().any(|(_, l)| l.contains("thrown in")));
    let report = run(&traffic, 0..0, &error);
    let incident = only(&report);
    let cause = incident.cause.as_ref().unwrap();
    assert_eq!(cause.category, "upstream.app_error");
    assert!(cause.summary.contains("enough for every failed request"), "{}", cause.summary);
    assert!(incident.other_causes.is_empty(), "{:?}", incident.other_causes);
    let first = incident.timeline.iter().find(|e| e.what.starts_with("first failed request")).unwrap();
    assert_eq!(first.what, "first failed request: the application wrote to its FastCGI error stream");
}

#[test]
fn what_asks_whether_a_request_is_allowed_is_an_echo_of_why_it_could_not() {
    let traffic = Traffic::outage();
    let mut error = Lines::new();
    for (second, line) in traffic.error() {
        let asked = line.replace(", upstream:", ", subrequest: \"/auth\", upstream:");
        let (head, context) = line.split_once(", client:").unwrap();
        let start = head.split("connect()").next().unwrap();
        let context = context.split(", upstream:").next().unwrap();
        error.push((second, asked));
        error.push((second, format!("{start}auth request unexpected status: 502, client:{context}")));
    }
    let report = run(&traffic, 0..0, &error);
    let incident = only(&report);
    let cause = incident.cause.as_ref().unwrap();
    assert_eq!(cause.category, "upstream.refused");
    assert!(cause.summary.contains("enough for every failed request"), "{}", cause.summary);
    let first = incident.timeline.iter().find(|e| e.what.starts_with("first failed request")).unwrap();
    assert_eq!(first.what, "first failed request: upstream refused the connection");
}

/// The only incident of recorded logs.
fn recorded(name: &str) -> Incident {
    let logs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded").join(name).join("logs");
    only(&report(&options(&[logs]))).clone()
}

#[test]
fn what_is_refused_while_the_rest_fails_has_failed_too() {
    let incident = recorded("closed-by-flag");
    assert_eq!(incident.impact.statuses, [(405, 105), (500, 1), (503, 981)].into());
    // One that fails now and then lies in the first second.
    assert_eq!(incident.impact.failed, 1087);
    let notes: Vec<&str> = incident.phases.iter().map(|p| p.note.as_str()).collect();
    assert!(notes.iter().any(|n| n.ends_with("were refused (405)")), "{notes:?}");
}

#[test]
fn answers_in_http_0_9_have_their_records() {
    let incident = recorded("no-http-from-one-host");
    assert_eq!(incident.impact.statuses[&9], 374);
    let cause = incident.cause.unwrap();
    assert!(cause.summary.contains("the last word on 374 of the 376 failed requests"), "{}", cause.summary);
}

#[test]
fn the_access_log_alone_tells_answers_without_a_header() {
    let log =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded/no-http-from-one-host/logs/access.log.gz");
    let cause = only(&report(&options(&[log]))).cause.clone().unwrap();
    assert_eq!((&*cause.category, cause.confidence), ("upstream.bad_response", "certain"));
    assert!(cause.summary.starts_with("374 requests with status 009"), "{}", cause.summary);
}

/// The cause of an outage whose failed requests have this status and body, with this error log.
fn of_bodies(status: u16, bodies: &[u32], error: &Lines) -> Option<downtime::report::Cause> {
    let mut n = 0;
    let answer = |line: String| {
        let Some((before, rest)) = line.split_once("\" 502 ") else { return line };
        let (_, behind) = rest.split_once(' ').unwrap();
        n += 1;
        format!("{before}\" {status} {} {behind}", bodies[n % bodies.len()])
    };
    let mut answer = answer;
    let access: Lines = Traffic::outage().access().into_iter().map(|(s, l)| (s, answer(l))).collect();
    let dir = tempfile::tempdir().unwrap();
    write_lines(&dir.path().join("access.log"), &access);
    if !error.is_empty() {
        write_lines(&dir.path().join("error.log"), error);
    }
    only(&report(&options(&[dir.path().to_path_buf()]))).cause.clone()
}

/// The cause that standard input gives of the same outage.
fn of_piped_bodies(status: u16, bodies: &[u32]) -> serde_json::Value {
    let mut n = 0;
    let body = |(_, line): (i64, String)| {
        let Some((before, rest)) = line.split_once("\" 502 ") else { return line };
        n += 1;
        let behind = rest.split_once(' ').unwrap().1;
        format!("{before}\" {status} {} {behind}", bodies[n % bodies.len()])
    };
    let lines: Vec<String> = Traffic::outage().access().into_iter().map(body).collect();
    let text = lines.join("\n") + "\n";
    let mut command = assert_cmd::cargo::cargo_bin_cmd!("downtime");
    let output = command.args(["--format=json", "-"]).write_stdin(text).output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    report["incidents"][0]["cause"].clone()
}

#[test]
fn whose_page_it_is_shows_in_what_comes_through_a_pipe_too() {
    let cause = of_piped_bodies(504, &[160, 562]);
    assert_eq!(
        (cause["category"].as_str(), cause["confidence"].as_str()),
        (Some("upstream.timeout"), Some("likely"))
    );
    assert!(cause["summary"].as_str().unwrap().contains("nginx's own page"), "{cause}");
    let cause = of_piped_bodies(500, &[4]);
    assert_eq!(
        (cause["category"].as_str(), cause["confidence"].as_str()),
        (Some("upstream.app_error"), Some("likely"))
    );
    // nginx failed by itself, and no line says why.
    assert!(of_piped_bodies(500, &[177]).is_null());
}

/// Records of other requests long before and after.
fn around(level: &str) -> Lines {
    let missing = "*9 open() \"/srv/www/a\" failed (2: No such file or directory), client: 198.51.100.7, \
                   server: example.net, request: \"GET /a HTTP/1.1\", host: \"example.net\"";
    vec![said(5, level, 71, missing), said(1000, level, 71, missing)]
}

#[test]
fn whose_page_a_failure_is_tells_who_failed() {
    let verdict = |status, bodies: &[u32], error: &Lines| {
        of_bodies(status, bodies, error).map(|c| (c.category, c.confidence))
    };
    let is = |category: &str, confidence: &'static str| Some((category.to_owned(), confidence));
    let no_log = Lines::new();
    // nginx's own pages, with and without the padding that Chrome gets.
    assert_eq!(verdict(504, &[160, 562], &no_log), is("upstream.timeout", "likely"));
    assert_eq!(verdict(502, &[157], &no_log), is("upstream.refused", "possible"));
    // nginx fails by itself, and no line says why.
    assert_eq!(verdict(500, &[177], &no_log), None);
    // No page of nginx's.
    assert_eq!(verdict(500, &[4], &no_log), is("upstream.app_error", "likely"));
    assert_eq!(verdict(502, &[611, 702, 1330, 945, 18], &no_log), is("upstream.app_error", "possible"));
    // One page for all: nginx can have been told to send it.
    assert_eq!(verdict(502, &[497], &no_log), None);
    assert_eq!(verdict(520, &[497], &no_log), is("upstream.app_error", "likely"));
}

#[test]
fn an_error_log_that_stood_ready_and_says_nothing_is_a_witness() {
    let cause = |status, level| of_bodies(status, &[497], &around(level));
    let witnessed = cause(502, "error").unwrap();
    assert_eq!((witnessed.category.as_str(), witnessed.confidence), ("upstream.app_error", "likely"));
    assert!(
        witnessed.summary.contains("which tells of other requests before and after"),
        "{}",
        witnessed.summary
    );
    assert_eq!(cause(504, "error").unwrap().category, "upstream.app_error");
    // A log of graver records alone would not have said it.
    assert_eq!(cause(502, "crit"), None);
    let not_heard = cause(504, "crit").unwrap();
    assert_eq!((not_heard.category.as_str(), not_heard.confidence), ("upstream.timeout", "possible"));
    // nginx's own page contradicts it: another log tells of them.
    assert_eq!(of_bodies(502, &[157], &around("error")), None);
}
