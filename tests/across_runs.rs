//! What lies across two runs of `--state`, or beside a log that is known: counted once, whole, and never lost.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::single_range_in_vec_init, reason = "one stretch of failures is a list of one")]

mod support;

use downtime::analysis;
use downtime::input::source::{Source, open_stream};
use downtime::report::Incident;
use downtime::report::{Report, Severity};
use downtime::state::{KEEP, Session};
use downtime::time::{Stamp, parse_error_time, parse_time_local};
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use support::{TEN, Traffic, gzip, options, text, time_error, time_local};

struct Site {
    dir: tempfile::TempDir,
}

impl Site {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("logs")).unwrap();
        Self { dir }
    }

    fn logs(&self) -> PathBuf {
        self.dir.path().join("logs")
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        let file = self.logs().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, bytes).unwrap();
    }

    fn run(&self) -> Report {
        let mut session = Session::open(&self.dir.path().join("state")).unwrap().unwrap();
        let advance = session.advance(&options(&[self.logs()]), KEEP, true, &()).unwrap().unwrap();
        assert!(advance.outcome.failures.is_empty(), "{:?}", advance.outcome.failures);
        session.commit().unwrap();
        advance.outcome.report
    }

    fn at_once(&self) -> Report {
        analysis::run(&options(&[self.logs()]), &()).unwrap().report
    }
}

fn unparsed(report: &Report) -> u64 {
    report.inputs.iter().map(|i| i.unparsed).sum()
}

/// A record of Lua over three lines, and requests around it.
fn lines() -> Vec<String> {
    let mut out = Vec::new();
    for second in 0..60 {
        let at = TEN + second;
        out.push(format!(
            "192.0.2.{} - - [{}] \"GET /a/{second} HTTP/1.1\" 200 12 \"-\" \"curl/8.5.0\"",
            second % 50 + 1,
            time_local(at, 0)
        ));
        if second % 10 == 7 {
            out.push(format!(
                "{} [error] 7#7: *{second} lua entry thread aborted: runtime error: a.lua:1: x",
                time_error(at, 0)
            ));
            out.push("stack traceback:".into());
            out.push("coroutine 0:, client: 192.0.2.1, server: a, request: \"GET /a HTTP/1.1\"".into());
        }
    }
    out
}

fn framed(frame: &str, lines: &[String]) -> Vec<String> {
    let clock = |i: usize| format!("{:02}:{:02}:{:02}", 10 + i / 3600, i / 60 % 60, i % 60);
    let stamp = |i: usize| format!("2026-03-01T{}.5Z", clock(i));
    let one = |(i, line): (usize, &String)| match frame {
        "docker" => {
            let log = serde_json::Value::from(format!("{line}\n"));
            format!("{{\"log\":{log},\"stream\":\"stdout\",\"time\":\"{}\"}}", stamp(i))
        }
        "cri" => format!("{} stdout F {line}", stamp(i)),
        "syslog" => format!("<190>Mar  1 {} web1 nginx: {line}", clock(i)),
        _ => line.clone(),
    };
    lines.iter().enumerate().map(one).collect()
}

fn joined(lines: &[String]) -> Vec<u8> {
    lines.iter().flat_map(|l| [l.as_bytes(), b"\n"].concat()).collect()
}

#[test]
fn a_record_of_several_lines_may_be_cut_between_runs() {
    for frame in ["none", "docker", "cri", "syslog"] {
        let all = framed(frame, &lines());
        // Inside the second record: after its first line, and after its second.
        let starts: Vec<usize> =
            all.iter().enumerate().filter(|(_, l)| l.contains("lua entry")).map(|l| l.0).collect();
        for cut in [starts[1] + 1, starts[1] + 2] {
            let site = Site::new();
            for upto in [cut, all.len()] {
                site.put("nginx.log", &joined(&all[..upto]));
                site.run();
            }
            let (many, once) = (site.run(), site.at_once());
            assert_eq!((unparsed(&many), unparsed(&once)), (0, 0), "{frame}, {cut}");
            assert_eq!(many.totals, once.totals, "{frame}, {cut}");
            assert_eq!(once.totals.error_records, 6, "{frame}");
        }
    }
}

/// The kubelet parts long lines, and a run can come between the parts.
#[test]
fn a_line_in_parts_may_be_cut_between_runs() {
    let whole = framed("cri", &lines());
    let mut all = Vec::new();
    for line in &whole {
        let (stamp, rest) = line.split_once(" stdout F ").unwrap();
        let (front, back) = rest.split_at(rest.len() / 2);
        all.push(format!("{stamp} stdout P {front}"));
        all.push(format!("{stamp} stdout F {back}"));
    }
    for cut in [21, 22, 41] {
        let site = Site::new();
        for upto in [cut, all.len()] {
            site.put("nginx.log", &joined(&all[..upto]));
            site.run();
        }
        let (many, once) = (site.run(), site.at_once());
        assert_eq!((unparsed(&many), unparsed(&once)), (0, 0), "{cut}");
        assert_eq!((many.totals.requests, many.totals.error_records), (60, 6), "{cut}");
    }
}

/// A packed file of which the front is known goes on with the record that is open at its end.
#[test]
fn a_record_may_go_on_in_the_packed_file() {
    let all = lines();
    let cut = all.iter().position(|l| l.contains("lua entry")).unwrap() + 1;
    let site = Site::new();
    site.put("nginx.log", &joined(&all[..cut]));
    site.run();
    fs::remove_file(site.logs().join("nginx.log")).unwrap();
    site.put("nginx.log.1.gz", &gzip(&joined(&all)));
    let many = site.run();
    assert_eq!((unparsed(&many), many.totals.requests, many.totals.error_records), (0, 60, 6));
}

/// Somebody leaves a part of a log beside it: a stretch, the failing lines, or the whole under another head.
#[test]
fn an_excerpt_beside_its_log_is_not_counted_again() {
    let traffic = Traffic { seconds: 3600, outages: vec![1800..1980], ..Traffic::default() };
    let all = traffic.access();
    let front = &all[..all.len() / 2];
    let stretch = &all[1000..4000];
    let failing: Vec<_> = all.iter().filter(|l| l.1.contains("\" 502 ")).cloned().collect();
    let behind: Vec<_> = all[5..].to_vec();
    let requests = all.len() as u64;
    for (name, excerpt) in [("stretch", stretch), ("failing", &failing), ("most", &behind)] {
        for first in [false, true] {
            let site = Site::new();
            site.put("access.log", &text(front));
            site.run();
            if first {
                site.put("access.log", &text(&all));
                site.run();
            }
            site.put("excerpt.log", &text(excerpt));
            site.put("access.log", &text(&all));
            let many = site.run();
            assert_eq!(many.totals.requests, requests, "{name}, {first}");
            assert_eq!(many.totals.failed, failing.len() as u64, "{name}, {first}");
            let left: u64 =
                many.not_counted.iter().filter(|n| n.reason == "duplicate").map(|n| n.lines).sum();
            assert_eq!(left, excerpt.len() as u64, "{name}, {first}");
            assert_eq!(site.run().totals, many.totals, "{name}, {first}");
        }
    }
    // Another log of the same seconds is none.
    let site = Site::new();
    site.put("access.log", &text(front));
    site.run();
    let other = Traffic { seed: 9, ..traffic.clone() }.access();
    site.put("other.log", &text(&other));
    site.put("access.log", &text(&all));
    assert_eq!(site.run().totals.requests, requests + other.len() as u64);
}

/// The same where the log, the part of it, or both are packed or in frames.
#[test]
fn an_excerpt_that_is_packed_or_framed_is_not_counted_again() {
    let traffic = Traffic { seconds: 2400, outages: vec![1200..1380], ..Traffic::default() };
    let all = traffic.access();
    let failing = all.iter().filter(|l| l.1.contains("\" 502 ")).count() as u64;
    let stretch = 1000..4000;
    for frame in ["none", "docker", "cri", "syslog"] {
        let text: Vec<String> = all.iter().map(|l| l.1.clone()).collect();
        let lines = framed(frame, &text);
        let (whole, part) = (joined(&lines), joined(&lines[stretch.clone()]));
        for (log_packed, part_packed) in [(false, true), (true, false), (true, true), (false, false)] {
            let what = format!("{frame}, log packed: {log_packed}, part packed: {part_packed}");
            let site = Site::new();
            site.put("access.log", &whole);
            site.run();
            if log_packed {
                fs::remove_file(site.logs().join("access.log")).unwrap();
                site.put("access.log.1.gz", &gzip(&whole));
                site.run();
            }
            let part = if part_packed { gzip(&part) } else { part.clone() };
            site.put(if part_packed { "part.log.gz" } else { "part.log" }, &part);
            let many = site.run();
            assert_eq!((many.totals.requests, many.totals.failed), (all.len() as u64, failing), "{what}");
            let left = many.not_counted.iter().filter(|n| n.reason == "duplicate");
            assert_eq!(left.map(|n| n.lines).sum::<u64>(), stretch.len() as u64, "{what}");
            assert_eq!(site.run().totals, many.totals, "{what}");
        }
        // The log comes back from a backup, in one piece with what no run has seen yet.
        let site = Site::new();
        site.put("access.log.1.gz", &gzip(&joined(&lines[..4000])));
        site.run();
        site.put("backup.log.gz", &gzip(&joined(&lines[500..])));
        assert_eq!(site.run().totals.requests, all.len() as u64, "{frame}");
    }
}

/// nginx was killed and started again, and only the serials of its error log say so; the runs cut the silence.
#[test]
fn a_restart_that_only_serials_tell_is_known_to_runs_that_go_on() {
    let made = Traffic { seconds: 2400, rate: 6, ..Traffic::default() };
    let silent = TEN + 1200..TEN + 1280;
    let access: Vec<_> = made.access().into_iter().filter(|l| !silent.contains(&l.0)).collect();
    let noise = |second: i64, pid: u32, serial: i64| {
        let stamp = time_error(TEN + second, 0);
        let line = format!(
            "{stamp} [error] {pid}#{pid}: *{serial} open() \"/var/www/favicon.ico\" failed (2: No such file or directory), \
             client: 198.51.100.7, server: a, request: \"GET /favicon.ico HTTP/1.1\", host: \"a\""
        );
        (TEN + second, line)
    };
    let before = (0..20).map(|i| noise(60 * i + 3, 71, 1000 + 400 * i));
    let errors = |first: i64| -> Vec<_> {
        before.clone().chain((0..15).map(|i| noise(1295 + 60 * i, 94, first + 400 * i))).collect()
    };
    let upto = |lines: &[(i64, String)], end: i64| text(&lines[..lines.partition_point(|l| l.0 < TEN + end)]);
    for (first, severity) in [(37, Severity::Outage), (9000, Severity::Unknown)] {
        let (site, errors) = (Site::new(), errors(first));
        for end in [1000, 1230, 1285, 1300, 2400] {
            site.put("access.log", &upto(&access, end));
            site.put("error.log", &upto(&errors, end));
            site.run();
        }
        let (many, once) = (site.run(), site.at_once());
        assert_eq!((many.incidents.len(), once.incidents.len()), (1, 1));
        let (many, once) = (&many.incidents[0], &once.incidents[0]);
        assert_eq!((many.severity, once.severity), (severity, severity));
        if severity == Severity::Outage {
            assert_eq!(many.cause, once.cause);
            assert_eq!(many.cause.as_ref().unwrap().category, "process.down");
        }
    }
}

/// The recorded logs, in many runs and at once: whatever the runs cut, they say the same.
#[test]
fn many_runs_say_what_one_says() {
    let recorded = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/recorded");
    let corpus = std::env::var_os("DOWNTIME_CORPUS").map(PathBuf::from);
    let mut compared = 0;
    for root in corpus.iter().chain([&recorded]) {
        let mut folders: Vec<PathBuf> = fs::read_dir(root)
            .unwrap()
            .map(|e| e.unwrap().path().join("logs"))
            .filter(|p| p.is_dir())
            .collect();
        folders.sort();
        for folder in folders {
            compare(&folder);
            compared += 1;
        }
    }
    assert!(compared >= 20, "{compared}");
}

/// Lines with the seconds of their stamps.
type Stamped = Vec<(i64, Vec<u8>)>;

/// Reads the logs of a folder in some runs that cut them by time, and at once.
fn compare(folder: &Path) {
    const RUNS: i64 = 5;
    let mut logs: Vec<(String, Stamped)> = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for path in fs::read_dir(next).unwrap().map(|e| e.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name =
                path.strip_prefix(folder).unwrap().to_string_lossy().trim_end_matches(".gz").to_owned();
            let source = Source::file(&path).unwrap();
            let mut bytes = Vec::new();
            let mut stream = open_stream(&source).unwrap();
            stream.read_to_end(&mut bytes).unwrap();
            let mut at = i64::MIN;
            let lines = bytes.split_inclusive(|b| *b == b'\n').map(|line| {
                // A log grows at its end, also where its clock is put back.
                at = second(line).map_or(at, |s| s.max(at));
                (at, line.to_vec())
            });
            logs.push((name, lines.collect()));
        }
    }
    let all = || logs.iter().flat_map(|l| &l.1).map(|l| l.0).filter(|at| *at > i64::MIN);
    let (Some(first), Some(last)) = (all().min(), all().max()) else { return };
    let site = Site::new();
    for run in 1..=RUNS {
        let until = first + (last - first) * run / RUNS;
        for (name, lines) in &logs {
            let part: Vec<u8> = lines.iter().filter(|l| l.0 <= until).flat_map(|l| l.1.clone()).collect();
            if !part.is_empty() {
                site.put(name, &part);
            }
        }
        site.run();
    }
    let (many, once) = (site.run(), site.at_once());
    let said = |report: &Report| -> Vec<String> {
        let of = |i: &Incident| {
            let cause = i.cause.as_ref().map(|c| (c.category.clone(), c.summary.clone()));
            format!(
                "{:?} {} to {:?} {} {cause:?} {:?} {} {:?}\n  {:?} {:?} {:?}",
                i.severity,
                i.start,
                i.end,
                i.title,
                i.scope,
                i.why,
                i.impact.statuses,
                (i.start_bounds, i.end_bounds),
                i.trigger.as_ref().map(|t| t.summary.clone()),
                i.other_causes.iter().map(|c| c.category.clone()).collect::<Vec<_>>()
            )
        };
        let findings = report.findings.iter().map(|f| format!("{} {}", f.kind, f.summary));
        report.incidents.iter().map(of).chain(findings).collect()
    };
    let (a, b) = (said(&many), said(&once));
    assert_eq!(a, b, "{}", folder.display());
}

/// The second of a line's stamp: an access log's in UTC, an error log's as UTC, which all recorded ones are near to.
fn second(line: &[u8]) -> Option<i64> {
    let head = &line[..line.len().min(200)];
    let local = || (1..head.len()).find_map(|at| parse_time_local(&head[at..]));
    parse_error_time(head).or_else(|| local().map(Stamp::second))
}
