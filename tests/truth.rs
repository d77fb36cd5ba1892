//! The library against recorded outages of a real nginx, with what the clients saw beside it.
//!
//! `tests/recorded` holds more than fifty of them. `DOWNTIME_CORPUS` names a folder of more cases, each with a `truth.json`;
//! without it those are skipped, and the test says so. `cargo test --test truth -- --nocapture` shows the tables.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test shows its table and fails when it cannot go on"
)]

mod support;

use downtime::report::{Incident, Report};
use serde_json::Value;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Seconds by which intervals may miss each other and still touch.
const TOUCH: f64 = 5.0;

/// Puts a case's logs where a host would have them: what is stored packed to save room was plain there.
fn materialise(case: &Path, truth: &Value, folder: &Path) {
    for log in truth["logs"].as_array().unwrap() {
        let (path, stored) = (log["path"].as_str().unwrap(), log["stored"].as_str().unwrap());
        let to = folder.join(path);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        let mut bytes = fs::read(case.join(stored)).unwrap();
        if path != stored {
            let mut plain = Vec::new();
            flate2::read::MultiGzDecoder::new(&bytes[..]).read_to_end(&mut plain).unwrap();
            bytes = plain;
        }
        fs::write(to, bytes).unwrap();
    }
}

fn epoch(value: &Value) -> Option<f64> {
    value["epoch"].as_f64()
}

/// Minutes east of UTC.
fn offset_minutes(text: &str) -> i16 {
    let digits = |r: std::ops::Range<usize>| text[r].parse::<i16>().unwrap();
    let minutes = digits(1..3) * 60 + digits(4..6);
    if text.starts_with('-') { -minutes } else { minutes }
}

/// Every log is read as what it is, all of it, on the right clock.
fn check_inputs(name: &str, truth: &Value, folder: &Path, report: &Report) {
    let offsets: Vec<i16> = truth["timezone"]["utc_offsets_in_log"]
        .as_array()
        .unwrap()
        .iter()
        .map(|o| offset_minutes(o.as_str().unwrap()))
        .collect();
    for log in truth["logs"].as_array().unwrap() {
        let path = folder.join(log["path"].as_str().unwrap());
        let (lines, kind) = (log["lines"].as_u64().unwrap(), log["type"].as_str().unwrap());
        let shown = downtime::input::source::shown(&path);
        let at = format!("{name}: {}", log["path"]);
        if lines == 0 {
            let said = report.not_counted.iter().any(|n| n.path == shown && n.reason == "empty");
            assert!(said, "{at}: an empty file is named");
            continue;
        }
        let input = report.inputs.iter().find(|i| i.path == shown);
        let Some(input) = input else { panic!("{at}: was not read: {:?}", report.not_counted) };
        assert_eq!(input.kind, kind, "{at}");
        assert_eq!(input.unparsed, 0, "{at}: {:?}", report.not_counted);
        assert_eq!((input.lines, input.bytes), (lines, log["bytes"].as_u64().unwrap()), "{at}");
        if kind == "error" {
            let zone = input.error_zone.as_ref().unwrap();
            assert!(offsets.contains(&zone.offset), "{at}: {zone:?}, truth {offsets:?}");
        } else {
            assert!(input.confidence >= 0.8, "{at}: {} is unsure: {}", input.format, input.confidence);
            assert!(input.first < input.last, "{at}");
        }
    }
    let requests: u64 = truth["logs"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|l| l["type"] == "access")
        // A container's stream holds messages too.
        .map(|l| l["requests"].as_u64().or(l["lines"].as_u64()).unwrap())
        .sum();
    assert_eq!(report.totals.requests, requests, "{name}");
}

/// One incident of the truth and what was said of it.
struct Row {
    kind: String,
    visible: bool,
    found: Option<(Option<f64>, Option<f64>, String)>,
    /// Categories that are right, where the truth says so.
    causes: Vec<String>,
}

/// Compares the incidents of a case; gives a row for each true one, and the false alarms.
fn compare(truth: &Value, report: &Report) -> (Vec<Row>, Vec<String>) {
    let log_start = epoch(&truth["log_start"]).unwrap();
    let log_end = epoch(&truth["log_end"]).unwrap();
    let edges = |i: &Incident| (i.start as f64 / 1000.0, i.end.map_or(log_end, |e| e as f64 / 1000.0));
    let mut rows = Vec::new();
    let mut taken = vec![false; report.incidents.len()];
    for t in truth["incidents"].as_array().unwrap() {
        let visible = t["client_visible"] == true;
        let (first, last) = (epoch(&t["client_first_failure_sent"]), epoch(&t["client_last_failure_seen"]));
        let start = [epoch(&t["injected_start"]).unwrap_or(log_start)].into_iter().chain(first);
        let end = [epoch(&t["injected_end"]).unwrap_or(log_end)].into_iter().chain(last);
        let (start, end) = (start.fold(f64::MAX, f64::min), end.fold(f64::MIN, f64::max));
        let borderline = t["borderline"] == true;
        let mut best: Option<(f64, usize)> = None;
        for (i, p) in report.incidents.iter().enumerate() {
            let (s, e) = edges(p);
            let overlap = e.min(end + TOUCH) - s.max(start - TOUCH);
            // What retries kept from clients is told either way without harm.
            if overlap > 0.0 && (borderline || p.client_visible == visible) {
                taken[i] |= borderline || !visible;
                if best.is_none_or(|(o, _)| overlap > o) {
                    best = Some((overlap, i));
                }
            }
        }
        let found = best.map(|(_, i)| {
            taken[i] = true;
            let p = &report.incidents[i];
            let (s, e) = edges(p);
            let end_error = p.end.and(last).map(|l| e - l);
            let cause = p.cause.as_ref().map_or("-", |c| &c.category);
            (first.map(|f| s - f), end_error, cause.to_owned())
        });
        if !borderline {
            let causes = t["causes"].as_array().into_iter().flatten();
            let causes = causes.map(|c| c.as_str().unwrap().to_owned()).collect();
            rows.push(Row { kind: t["kind"].as_str().unwrap().to_owned(), visible, found, causes });
        }
    }
    let left = report.incidents.iter().zip(&taken).filter(|(p, taken)| !**taken && p.client_visible);
    (rows, left.map(|(p, _)| format!("{}: {}", p.title, p.why)).collect())
}

fn median(of: &mut [f64]) -> f64 {
    of.sort_by(f64::total_cmp);
    of.get(of.len() / 2).copied().unwrap_or(0.0)
}

/// What became of a folder of cases.
#[derive(Default)]
struct Score {
    visible: usize,
    found: usize,
    starts: Vec<f64>,
    ends: Vec<f64>,
    wrong_causes: Vec<String>,
}

/// Scores the cases of a folder and prints a table.
fn score(corpus: &Path) -> Score {
    let mut cases: Vec<PathBuf> = fs::read_dir(corpus).unwrap().map(|e| e.unwrap().path()).collect();
    cases.retain(|c| c.join("truth.json").is_file());
    cases.sort();
    assert!(!cases.is_empty(), "no case in {}", corpus.display());
    let schema = support::validator("report");
    let mut score = Score::default();
    let mut alarms = Vec::new();
    let mut twins = Vec::new();
    println!("{:34} {:20} {:6} {:>7} {:>7}  cause", "case", "kind", "found", "start", "end");
    for case in &cases {
        let truth: Value = serde_json::from_slice(&fs::read(case.join("truth.json")).unwrap()).unwrap();
        let name = truth["case"].as_str().unwrap();
        let folder = tempfile::tempdir().unwrap();
        materialise(case, &truth, folder.path());
        let report = support::report(&support::options(&[folder.path().join("logs")]));
        check_inputs(name, &truth, folder.path(), &report);
        twins.extend(
            report.not_counted.iter().filter(|n| n.reason != "empty").map(|n| format!("{name}: {n:?}")),
        );
        let printed = support::json(&report);
        let printed: Value = serde_json::from_slice(&printed).unwrap();
        let faults: Vec<String> =
            schema.iter_errors(&printed).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(faults.is_empty(), "{name}: {faults:#?}");
        let (rows, wrong) = compare(&truth, &report);
        if rows.is_empty() {
            println!("{name:34} {:20} {}", "none", if wrong.is_empty() { "clean" } else { "ALARM" });
        }
        for row in rows {
            score.add(name, row);
        }
        alarms.extend(wrong.into_iter().map(|w| format!("{name}: {w}")));
    }
    let (start, end) = (median(&mut score.starts), median(&mut score.ends));
    println!(
        "{} of {} found; median error of start {start:.1} s, of end {end:.1} s",
        score.found, score.visible
    );
    assert_eq!(alarms, Vec::<String>::new(), "false alarms");
    assert_eq!(twins, Vec::<String>::new(), "every line of these logs was written once and is nginx's own");
    assert!(start <= 5.0 && end <= 5.0, "start {start}, end {end}");
    score
}

impl Score {
    fn add(&mut self, name: &str, Row { kind, visible, found, causes }: Row) {
        self.visible += usize::from(visible);
        let show = |e: Option<f64>| e.map_or("-".to_owned(), |e| format!("{e:+.1}"));
        let Some((start, end, cause)) = found else {
            println!("{name:34} {kind:20} {}", if visible { "MISSED" } else { "hidden" });
            return;
        };
        let word = if visible { "yes" } else { "hidden" };
        println!("{name:34} {kind:20} {word:6} {:>7} {:>7}  {cause}", show(start), show(end));
        if visible {
            self.found += 1;
            self.starts.extend(start.map(f64::abs));
            self.ends.extend(end.map(f64::abs));
        }
        if !causes.is_empty() && !causes.contains(&cause) {
            self.wrong_causes.push(format!("{name}: {cause}"));
        }
    }
}

#[test]
fn recorded_outages_are_found_and_dated() {
    let Some(corpus) = std::env::var_os("DOWNTIME_CORPUS").map(PathBuf::from) else {
        println!("skipped: DOWNTIME_CORPUS names no folder of recorded cases");
        return;
    };
    let score = score(&corpus);
    // All 18 of the recordings this was written beside; one in six of others may be too slight.
    assert!(score.found * 6 >= score.visible * 5, "only {} of {} found", score.found, score.visible);
}

#[test]
fn outages_of_the_repository_are_found_and_explained() {
    let score = score(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded"));
    assert_eq!(score.found, score.visible);
    assert_eq!(score.wrong_causes, Vec::<String>::new());
    // In one the answers grow late long before one fails, and the clients' record has the failures. In another a third of
    // the requests hang, in a log without request times: the good answers of the others leave no hole that would tell. In
    // a third clients go away after five seconds that no line tells of, and in a fourth workers crash for three seconds
    // before anybody asks.
    let far = score.starts.iter().filter(|s| **s > 3.0).count();
    assert!(far <= 4, "{:?}", score.starts);
}
