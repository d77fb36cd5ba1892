//! Probes and paths that the user leaves out: the report is that of the log without them, and says how many there were.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use downtime::analysis::Options;
use downtime::report::Report;
use downtime::state::{KEEP, Session};
use std::path::{Path, PathBuf};
use support::{Lines, TEN, Traffic, gzip, json, options, report, text, time_error, time_local, write_lines};

/// A probe every second second, of which a third fail; its record in the error log too.
fn probes(seconds: i64, path: &str, agent: &str) -> (Lines, Lines) {
    let (mut access, mut error) = (Lines::new(), Lines::new());
    for second in (0..seconds).step_by(2) {
        let failed = second % 3 == 0;
        let at = TEN + second;
        let status = if failed { 503 } else { 200 };
        let stamp = time_local(at, 0);
        access.push((
            at,
            format!("10.0.0.9 - - [{stamp}] \"GET {path}?n={second} HTTP/1.1\" {status} 2 \"-\" \"{agent}\""),
        ));
        if failed {
            let stamp = time_error(at, 0);
            error.push((
                at,
                format!(
                    "{stamp} [error] 71#71: *{second} connect() failed (111: Connection refused) while connecting to \
                     upstream, client: 10.0.0.9, server: a, request: \"GET {path}?n={second} HTTP/1.1\", \
                     upstream: \"http://127.0.0.1:8080{path}\", host: \"a\""
                ),
            ));
        }
    }
    (access, error)
}

/// Both sets of lines in the order of time.
fn mixed(a: &Lines, b: &Lines) -> Lines {
    let mut out = [a.clone(), b.clone()].concat();
    out.sort_by_key(|l| l.0);
    out
}

/// `combined` as JSON, as `escape=json` writes it.
fn as_json(lines: &Lines) -> Lines {
    let one = |line: &str| {
        let quoted: Vec<&str> = line.split('"').collect();
        let word = |text: &str, n: usize| text.split_whitespace().nth(n).unwrap().to_owned();
        let stamp = quoted[0].split(['[', ']']).nth(1).unwrap();
        format!(
            "{{\"time_local\":\"{stamp}\",\"remote_addr\":\"{}\",\"request\":\"{}\",\"status\":\"{}\",\
             \"http_user_agent\":\"{}\"}}",
            word(quoted[0], 0),
            quoted[1],
            word(quoted[2], 0),
            quoted[5]
        )
    };
    lines.iter().map(|(at, line)| (*at, one(line))).collect()
}

fn cri(lines: &Lines) -> Lines {
    let one = |(at, line): &(i64, String)| {
        let stamp = downtime::clock::Clock::new(0).rfc3339(at * 1000);
        (*at, format!("{stamp} stdout F {line}"))
    };
    lines.iter().map(one).collect()
}

/// How lines are put into a file.
type Form = fn(&Lines) -> Vec<u8>;

/// What must not depend on lines that do not count.
fn essence(report: &Report) -> Vec<String> {
    let of = |i: &downtime::report::Incident| {
        let impact = (i.impact.requests, i.impact.failed, &i.impact.statuses, i.impact.clients);
        format!(
            "{:?}",
            (
                &i.id,
                i.start,
                i.end,
                i.severity,
                &i.why,
                impact,
                &i.scope,
                i.cause.as_ref().map(|c| &c.category)
            )
        )
    };
    report.incidents.iter().map(of).collect()
}

fn without(paths: &[PathBuf], exclude: &[&str], agents: &[&str]) -> Options {
    let owned = |v: &[&str]| v.iter().map(|t| (*t).to_owned()).collect();
    Options { exclude: owned(exclude), exclude_agent: owned(agents), ..options(paths) }
}

/// Lines left out under each name.
fn left_out(report: &Report) -> Vec<(String, u64)> {
    let entry =
        |n: &downtime::report::NotCounted| Some((n.reason.strip_prefix("excluded: ")?.to_owned(), n.lines));
    report.not_counted.iter().filter_map(entry).collect()
}

#[test]
fn the_report_is_that_of_the_log_without_them_in_every_form() {
    let traffic = Traffic::outage();
    let (access, error) = (traffic.access(), traffic.error());
    let (probe, probe_error) = probes(traffic.seconds, "/healthz", "kube-probe/1.29");
    let forms: [(&str, Form, Form); 4] = [
        ("plain", |l| text(l), |l| text(l)),
        ("packed", |l| gzip(&text(l)), |l| gzip(&text(l))),
        ("json", |l| text(&as_json(l)), |l| text(l)),
        ("framed", |l| text(&cri(l)), |l| text(&cri(l))),
    ];
    let count = probe.len() as u64 + probe_error.len() as u64;
    for (form, of_access, of_error) in forms {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, access: &Lines, error: &Lines| {
            let folder = dir.path().join(name);
            std::fs::create_dir(&folder).unwrap();
            std::fs::write(folder.join("access.log"), of_access(access)).unwrap();
            std::fs::write(folder.join("error.log"), of_error(error)).unwrap();
            folder
        };
        let clean = report(&options(&[write("clean", &access, &error)]));
        let all = write("all", &mixed(&access, &probe), &mixed(&error, &probe_error));
        let noisy = report(&options(std::slice::from_ref(&all)));
        assert_ne!(essence(&noisy), essence(&clean), "{form}: the probes must matter, or nothing is tested");
        let base = without(&[all], &["/healthz"], &[]);
        let told = report(&base);
        assert_eq!(essence(&told), essence(&clean), "{form}");
        assert_eq!(told.totals.requests, clean.totals.requests, "{form}");
        assert_eq!(told.totals.failed, clean.totals.failed, "{form}");
        assert_eq!(left_out(&told), [("/healthz".to_owned(), count)], "{form}");
        for chunk in [1021, 65_537] {
            let cut = report(&Options { chunk_bytes: Some(chunk), threads: 2, ..base.clone() });
            assert_eq!(json(&cut), json(&told), "{form}, chunks of {chunk}");
        }
    }
}

#[test]
fn a_user_agent_is_left_out_whatever_it_asked_for() {
    let traffic = Traffic::outage();
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().to_owned();
    let (probe, _) = probes(traffic.seconds, "/cart", "ELB-HealthChecker/2.0");
    write_lines(&folder.join("access.log"), &mixed(&traffic.access(), &probe));
    let told = report(&without(&[folder], &["/nothing/*"], &["ELB-HealthChecker/*"]));
    assert_eq!(left_out(&told), [("user agent ELB-HealthChecker/*".to_owned(), probe.len() as u64)]);
    assert_eq!(told.totals.requests, traffic.access().len() as u64);
}

/// A pattern without a word to search for (`/`), one of which the word stands elsewhere too, and both at once.
#[test]
fn what_only_looks_alike_counts() {
    let traffic = Traffic::outage();
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().to_owned();
    let (near, _) = probes(traffic.seconds, "/healthz2", "curl/8.5.0 (+/healthz)");
    let (root, _) = probes(traffic.seconds, "/", "x");
    write_lines(&folder.join("access.log"), &mixed(&mixed(&traffic.access(), &near), &root));
    let everything = report(&options(std::slice::from_ref(&folder)));
    let near_only = report(&without(std::slice::from_ref(&folder), &["/healthz"], &[]));
    assert!(left_out(&near_only).is_empty());
    assert_eq!(essence(&near_only), essence(&everything));
    let rooted = report(&without(&[folder], &["/healthz", "/"], &[]));
    assert_eq!(left_out(&rooted), [("/".to_owned(), root.len() as u64)]);
}

#[test]
fn runs_that_go_on_leave_out_the_same() {
    let traffic = Traffic::outage();
    let dir = tempfile::tempdir().unwrap();
    let (folder, state) = (dir.path().join("logs"), dir.path().join("state"));
    let (probe, _) = probes(traffic.seconds, "/healthz", "x");
    let lines = mixed(&traffic.access(), &probe);
    let options = without(std::slice::from_ref(&folder), &["/healthz"], &[]);
    let half = lines.len() / 2;
    let mut last = None;
    for upto in [half, lines.len()] {
        write_lines(&folder.join("access.log"), &lines[..upto]);
        let mut session = Session::open(&state).unwrap().unwrap();
        last = session.advance(&options, KEEP, true, &()).unwrap().map(|a| a.outcome.report);
        session.commit().unwrap();
    }
    assert_eq!(left_out(&last.unwrap()), [("/healthz".to_owned(), probe.len() as u64)]);
}

/// The lines behind an incident are those that counted.
#[test]
fn lines_that_do_not_count_are_not_behind_an_incident() {
    let traffic = Traffic::outage();
    let dir = tempfile::tempdir().unwrap();
    let folder: &Path = dir.path();
    let (probe, probe_error) = probes(traffic.seconds, "/healthz", "x");
    write_lines(&folder.join("access.log"), &mixed(&traffic.access(), &probe));
    write_lines(&folder.join("error.log"), &mixed(&traffic.error(), &probe_error));
    let run = |args: &[&str]| {
        let mut command = assert_cmd::cargo::cargo_bin_cmd!("downtime");
        let out = command.env_clear().current_dir(folder).args(args).output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap()
    };
    let brief = run(&[".", "--exclude", "/healthz", "--format", "ndjson"]);
    let id = serde_json::from_str::<serde_json::Value>(brief.lines().next().unwrap()).unwrap();
    let id = id["id"].as_str().or_else(|| id["incident"]["id"].as_str()).unwrap().to_owned();
    let lines = run(&["lines", &id, ".", "--exclude", "/healthz"]);
    assert!(lines.contains("/item/") && !lines.contains("/healthz"), "{lines}");
    // A setting of the file holds as the flag does.
    std::fs::write(folder.join("downtime.toml"), "exclude = [\"/healthz\"]\n").unwrap();
    assert_eq!(run(&["lines", &id, "."]), lines);
    assert!(run(&["config"]).contains("exclude = [\"/healthz\"]  # downtime.toml"));
}
