//! Logs of several hosts in one report: each host's part, what they say together, how far their clocks are apart.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::single_range_in_vec_init, reason = "one outage is a list of one stretch")]

use downtime::render::{OutputFormat, Style, report};
use downtime::report::{HostSummary, Report, Severity};
use std::path::Path;
use support::{TEN, Traffic, options};

mod support;

/// A host whose clock is ahead by so many seconds, with its outages.
fn host(folder: &Path, name: &str, ahead: i64, outages: &[std::ops::Range<i64>]) {
    let traffic = Traffic {
        start: TEN + ahead,
        outages: outages.to_vec(),
        seed: name.bytes().map(u64::from).sum(),
        ..Traffic::default()
    };
    let path = folder.join(name);
    std::fs::create_dir(&path).unwrap();
    traffic.write(&path);
}

fn of(folder: &Path) -> Report {
    support::report(&options(&[folder.to_path_buf()]))
}

fn text(of: &Report) -> String {
    let mut out = Vec::new();
    report(of, OutputFormat::Text, Style::default(), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn summary<'a>(report: &'a Report, name: &str) -> &'a HostSummary {
    report.hosts.iter().find(|h| h.host == name).unwrap()
}

#[test]
fn two_of_three_hosts_fail_together_and_one_clock_is_ahead() {
    let folder = tempfile::tempdir().unwrap();
    host(folder.path(), "web1", 0, &[600..720]);
    host(folder.path(), "web2", 3, &[600..720]);
    host(folder.path(), "web3", 0, &[]);
    let report = of(folder.path());
    let [incident] = report.incidents.as_slice() else { panic!("{}", text(&report)) };
    assert_eq!(incident.scope.hosts, ["web1", "web2"]);

    let parts: Vec<_> = incident.context.hosts.iter().map(|h| (h.host.as_str(), h.severity)).collect();
    assert_eq!(parts, [("web1", Some(Severity::Outage)), ("web2", Some(Severity::Outage)), ("web3", None)]);
    let [one, two, three] = incident.context.hosts.as_slice() else { panic!("{:?}", incident.context.hosts) };
    assert_eq!(two.first_failure.unwrap() - one.first_failure.unwrap(), 3000);
    assert_eq!((three.failed, three.first_failure), (0, None));
    assert_eq!(three.verdict, "served");

    let (low, high) = summary(&report, "web2").skew.seconds.unwrap();
    assert!(low <= 3.0 && 3.0 <= high && high - low <= 4.0, "{low} {high}");
    assert_eq!(summary(&report, "web3").skew.seconds, None);
    assert!(summary(&report, "web3").skew.how.starts_with("cannot be estimated"));
    assert_eq!(summary(&report, "web1").skew.against, None);
    assert_eq!(summary(&report, "web1").bad_seconds, 120.0);

    let joint = report.joint.as_ref().unwrap();
    assert_eq!(joint.verdict, "web1 and web2 were hit; web3 had no outage or degradation");
    assert_eq!((joint.all_bad_seconds, joint.any_bad_seconds), (0.0, 123.0));
    let shown = text(&report);
    for line in ["Together: web1 and web2 were hit", "2-4 s ahead", "By host", "not known", "on web2: "] {
        assert!(shown.contains(line), "{line} in {shown}");
    }
}

#[test]
fn all_hosts_at_once_and_one_after_the_other_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    host(folder.path(), "web1", 0, &[600..720]);
    host(folder.path(), "web2", 0, &[600..720]);
    let joint = of(folder.path()).joint.unwrap();
    assert_eq!(joint.verdict, "every host was hit, and for 2 min all 2 at once");
    assert_eq!(joint.all_bad_seconds, 120.0);

    let folder = tempfile::tempdir().unwrap();
    host(folder.path(), "web1", 0, &[300..420]);
    host(folder.path(), "web2", 0, &[800..920]);
    let report = of(folder.path());
    let joint = report.joint.as_ref().unwrap();
    assert_eq!(joint.verdict, "all 2 hosts were hit, never all at once");
    assert_eq!(joint.any_bad_seconds, 240.0);
    assert!(summary(&report, "web2").skew.how.contains("had no incident together"));
}

#[test]
fn one_host_has_no_such_table() {
    let folder = tempfile::tempdir().unwrap();
    Traffic::outage().write(folder.path());
    let report = of(folder.path());
    assert!(report.hosts.is_empty() && report.joint.is_none());
    assert!(report.incidents.iter().all(|i| i.context.hosts.is_empty()));
    assert!(!text(&report).contains("By host"));
}

/// Two hosts behind a balancer that gives a request to either, and to the second alone for two minutes; `lost` says that
/// the requests of the first are lost instead.
fn drained(lost: bool) -> Report {
    let folder = tempfile::tempdir().unwrap();
    let mut dice = support::Random(9);
    let mut lines = [support::Lines::new(), support::Lines::new()];
    for n in 0..12_000i64 {
        let second = n / 10;
        let mut to = (dice.next() % 2) as usize;
        if to == 0 && (600..720).contains(&second) {
            if lost {
                continue;
            }
            to = 1;
        }
        let stamp = support::time_local(TEN + second, 0);
        let client = dice.next() % 200 + 1;
        let line =
            format!("198.51.100.{client} - - [{stamp}] \"GET /a/{} HTTP/1.1\" 200 512 \"-\" \"x\"", n % 90);
        lines[to].push((n, line));
    }
    for (name, lines) in ["web1", "web2"].into_iter().zip(&lines) {
        support::write_lines(&folder.path().join(name).join("access.log"), lines);
    }
    of(folder.path())
}

#[test]
fn a_host_that_was_taken_out_of_the_balancing_had_no_outage() {
    let report = drained(false);
    assert_eq!(report.incidents.len(), 0, "{}", text(&report));
    let [finding] = report.findings.as_slice() else { panic!("{:?}", report.findings) };
    assert_eq!((finding.kind, finding.time), ("taken-over", (TEN + 600) * 1000));
    assert!(finding.summary.starts_with("web1 had no request for 2 min"), "{}", finding.summary);

    let report = drained(true);
    let [incident] = report.incidents.as_slice() else { panic!("{}", text(&report)) };
    assert_eq!((incident.severity, incident.client_visible), (Severity::Unknown, true));
    assert_eq!(incident.scope.hosts, ["web1"]);
}
