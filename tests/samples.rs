//! The logs under `samples/` against the truth that lies beside them: which format, how many lines, and for the
//! recorded outages when, how bad, and why.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use downtime::analysis::{self, FormatReport, Options, Outcome, Progress};
use downtime::report::{Report, Totals};
use downtime::time::{Millis, parse_iso8601};
use serde::Deserialize;
use std::fs;
use std::path::{Path, PathBuf};

struct Quiet;

impl Progress for Quiet {
    fn total(&self, _: u64) {}
    fn advance(&self, _: u64) {}
    fn stage(&self, _: &str) {}
}

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("samples")
}

fn options(path: PathBuf) -> Options {
    Options { paths: vec![path], ..Options::default() }
}

fn run(path: PathBuf) -> Report {
    let Outcome { report, failures, .. } = analysis::run(&options(path), &Quiet).unwrap();
    assert!(failures.is_empty(), "{failures:?}");
    report
}

fn logs(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(samples().join(folder)).unwrap();
    let mut out: Vec<_> =
        entries.map(|e| e.unwrap().path()).filter(|p| p.extension().is_some_and(|e| e == "log")).collect();
    out.sort();
    out
}

#[derive(Deserialize)]
struct Formats {
    sample: Vec<FormatTruth>,
}

#[derive(Deserialize)]
struct FormatTruth {
    file: String,
    format: String,
    lines: u64,
    failed: u64,
    fields: Vec<String>,
}

#[test]
fn every_format_is_recognised_without_a_flag_and_read_to_the_last_line() {
    let truth = fs::read_to_string(samples().join("formats/truth.toml")).unwrap();
    let truth: Formats = toml::from_str(&truth).unwrap();
    assert_eq!(truth.sample.len(), logs("formats").len(), "each sample has its truth");
    for want in truth.sample {
        let path = samples().join("formats").join(&want.file);
        let (formats, failures) = analysis::formats(&options(path.clone())).unwrap();
        assert!(failures.is_empty(), "{failures:?}");
        let [FormatReport { kind, name, definition, fields, refused: None, .. }] = formats.as_slice() else {
            panic!("{}: {formats:?}", want.file)
        };
        assert_eq!((*kind, name.as_str()), ("access", want.format.as_str()), "{}", want.file);
        for field in &want.fields {
            assert!(definition.contains(&format!("${field}")), "{}: {field} in {definition}", want.file);
        }
        assert!(fields.len() > 1, "{}", want.file);

        let report = run(path);
        assert_eq!((report.inputs[0].lines, report.inputs[0].unparsed), (want.lines, 0), "{}", want.file);
        let Totals { requests, failed, .. } = report.totals;
        assert_eq!((requests, failed), (want.lines, want.failed), "{}", want.file);
        assert!(report.not_counted.is_empty(), "{}: {:?}", want.file, report.not_counted);
    }
}

#[test]
fn what_is_not_nginx_is_refused_by_name() {
    let names = [
        ("apache-combined", "Apache access log"),
        ("apache-error", "Apache error log"),
        ("apache-vhost-combined", "Apache access log"),
        ("aws-alb", "AWS load balancer log"),
        ("caddy", "Caddy access log"),
        ("cpanel-bytes", "byte-count log"),
        ("envoy", "Envoy access log"),
        ("haproxy", "HAProxy log"),
        ("panel-bytes", "byte-count log"),
        ("traefik", "Traefik access log"),
        ("w3c-cloudfront", "W3C extended log"),
        ("w3c-iis", "W3C extended log"),
    ];
    let logs = logs("foreign");
    assert_eq!(logs.len(), names.len());
    for (path, (file, name)) in logs.into_iter().zip(names) {
        assert_eq!(path.file_stem().unwrap(), file);
        let (formats, _) = analysis::formats(&options(path)).unwrap();
        let why = formats[0].refused.as_deref().unwrap_or("read");
        assert!(why.starts_with(name), "{file}: {why}");
    }
}

#[test]
fn a_frame_around_the_lines_changes_no_count() {
    let plain = run(samples().join("framed/plain"));
    assert!(plain.totals.failed > 0 && plain.totals.error_records > 0);
    let framed = logs("framed");
    assert_eq!(framed.len(), 5);
    for path in framed {
        let report = run(path.clone());
        let count = |t: &Totals| (t.requests, t.failed, t.error_records);
        assert_eq!(count(&report.totals), count(&plain.totals), "{}", path.display());
        assert_eq!(report.inputs[0].unparsed, 0, "{}", path.display());
        let found = |r: &Report| -> Vec<_> { r.findings.iter().map(|f| (f.kind, f.time, f.end)).collect() };
        assert_eq!(found(&report), found(&plain), "{}", path.display());
    }
}

#[derive(Deserialize)]
struct Truth {
    #[serde(default)]
    incident: Vec<IncidentTruth>,
    #[serde(default)]
    finding: Vec<FindingTruth>,
}

#[derive(Deserialize)]
struct IncidentTruth {
    start: String,
    end: String,
    injected: [String; 2],
    severity: Vec<String>,
    cause: Vec<String>,
    within_seconds: i64,
    client_visible: bool,
}

#[derive(Deserialize)]
struct FindingTruth {
    time: String,
    kind: String,
}

fn at(text: &str) -> Millis {
    parse_iso8601(text.as_bytes()).unwrap().0.millis
}

#[test]
fn each_story_is_found_as_it_was_and_nothing_else() {
    for story in ["story", "low-traffic", "healthy", "refused-reload", "rotation"] {
        let folder = samples().join(story);
        let truth: Truth = toml::from_str(&fs::read_to_string(folder.join("truth.toml")).unwrap()).unwrap();
        let report = run(folder);
        let seen: Vec<_> = report.incidents.iter().map(|i| (i.id.as_str(), i.title.as_str())).collect();
        assert_eq!(report.incidents.len(), truth.incident.len(), "{story}: {seen:?}");
        for (found, want) in report.incidents.iter().zip(&truth.incident) {
            let near = |a: Millis, b: &str| (a - at(b)).abs() <= want.within_seconds * 1000;
            assert!(near(found.start, &want.start), "{story}: start {}, truly {}", found.start, want.start);
            assert!(near(found.end.unwrap(), &want.end), "{story}: end {:?}, truly {}", found.end, want.end);
            // The stamps are whole seconds, so the bounds are no finer.
            let inside = |(low, high): (Millis, Millis), b: &str| (low - 1000..=high + 1000).contains(&at(b));
            assert!(inside(found.start_bounds, &want.injected[0]), "{story}: {:?}", found.start_bounds);
            assert!(inside(found.end_bounds, &want.injected[1]), "{story}: {:?}", found.end_bounds);
            assert!(
                want.severity.iter().any(|s| s == found.severity.name()),
                "{story}: {:?}",
                found.severity
            );
            assert_eq!(found.client_visible, want.client_visible, "{story}");
            let cause = found.cause.as_ref().unwrap();
            assert!(want.cause.contains(&cause.category), "{story}: {}", cause.category);
            assert!(!cause.evidence.is_empty(), "{story}: a cause is quoted");
        }
        for want in &truth.finding {
            let found = report
                .findings
                .iter()
                .any(|f| f.kind == want.kind && (f.time - at(&want.time)).abs() <= 2000);
            assert!(found, "{story}: {} at {} in {:?}", want.kind, want.time, report.findings);
        }
        let lost = report.not_counted.iter().find(|n| !n.path.ends_with("truth.toml"));
        assert!(lost.is_none(), "{story}: {lost:?}");
    }
}

#[test]
fn the_folder_stays_small() {
    fn size(path: &Path) -> u64 {
        let entries = fs::read_dir(path).unwrap().map(Result::unwrap);
        entries.map(|e| if e.path().is_dir() { size(&e.path()) } else { e.metadata().unwrap().len() }).sum()
    }
    assert!(size(&samples()) <= 500_000, "{}", size(&samples()));
}
