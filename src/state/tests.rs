use super::*;
use crate::report::NewsKind;
use std::fmt::Write as _;

/// Lines of one second each from `from` to `to`; those of `bad` are failures.
fn lines(from: i64, to: i64, bad: &[std::ops::Range<i64>]) -> String {
    let mut out = String::new();
    for second in from..to {
        for n in 0..3 {
            let status = if bad.iter().any(|b| b.contains(&second)) { 502 } else { 200 };
            let day = second.div_euclid(86_400) + 1;
            let clock = second.rem_euclid(86_400);
            let (h, m, s) = (clock / 3600, clock / 60 % 60, clock % 60);
            let client = (second * 3 + n) % 199;
            let _ = writeln!(
                out,
                "192.0.2.{client} - - [{day:02}/Mar/2026:{h:02}:{m:02}:{s:02} +0000] \"GET /{n}/{client} HTTP/1.1\" {status} 512 \"-\" \"curl/8.5.0\""
            );
        }
    }
    out
}

fn options(folder: &Path) -> Options {
    Options { paths: vec![folder.to_owned()], threads: 1, ..Options::default() }
}

/// One run: its news, and what it read.
fn step(state: &Path, folder: &Path) -> (Vec<News>, Stats) {
    let mut session = Session::open(state).unwrap().expect("nobody else holds it");
    let advance = session.advance(&options(folder), KEEP, false, &()).unwrap();
    let stats = session.stats();
    session.commit().unwrap();
    let news = advance.map_or_else(Vec::new, |a| {
        assert!(a.outcome.failures.is_empty(), "{:?}", a.outcome.failures);
        a.news
    });
    (news, stats)
}

fn append(file: &Path, text: &str) {
    use std::io::Write;
    let mut file = std::fs::File::options().create(true).append(true).open(file).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

/// Requests, failures and lines of all that is kept.
fn sums(state: &Path, folder: &Path) -> (u64, u64, u64) {
    let mut session = Session::open(state).unwrap().unwrap();
    let advance = session.advance(&options(folder), KEEP, true, &()).unwrap().unwrap();
    let t = advance.outcome.report.totals;
    (t.requests, t.failed, t.lines)
}

fn gzip(text: &str) -> Vec<u8> {
    use std::io::Write;
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    out.write_all(text.as_bytes()).unwrap();
    out.finish().unwrap()
}

#[test]
fn runs_read_only_what_is_new_and_sum_up() {
    let dir = tempfile::tempdir().unwrap();
    let (logs, state) = (dir.path().join("logs"), dir.path().join("state"));
    std::fs::create_dir(&logs).unwrap();
    let log = logs.join("access.log");
    let mut all = 0;
    for (from, to) in [(0, 600), (600, 601), (601, 1800)] {
        let text = lines(from, to, &[]);
        append(&log, &text);
        let (news, stats) = step(&state, &logs);
        assert!(news.is_empty(), "{news:?}");
        assert_eq!(stats.new, text.len() as u64);
        all = to;
    }
    assert_eq!(step(&state, &logs).1.new, 0);
    // Half a line waits for its end.
    let text = lines(all, all + 1, &[]);
    let (front, back) = text.split_at(text.len() - 30);
    append(&log, front);
    let cut = front.rfind('\n').unwrap() + 1;
    assert_eq!(step(&state, &logs).1.new, cut as u64);
    append(&log, back);
    assert_eq!(step(&state, &logs).1.new, (text.len() - cut) as u64);
    assert_eq!(sums(&state, &logs), (3 * 1801, 0, 3 * 1801));
}

#[test]
fn no_rotation_loses_or_doubles_a_line() {
    let first = lines(0, 900, &[]);
    let second = lines(900, 1000, &[]);
    let third = lines(1000, 1100, &[]);
    let total = 3 * 1100;
    for way in ["rename", "copytruncate", "gz at once", "delaycompress", "copy beside"] {
        let dir = tempfile::tempdir().unwrap();
        let (logs, state) = (dir.path().join("logs"), dir.path().join("state"));
        std::fs::create_dir(&logs).unwrap();
        let (live, old, gz) =
            (logs.join("access.log"), logs.join("access.log.1"), logs.join("access.log.2.gz"));
        append(&live, &first);
        step(&state, &logs);
        // What comes between the last run and the rotation.
        append(&live, &second);
        match way {
            "rename" => std::fs::rename(&live, &old).unwrap(),
            "copytruncate" => {
                std::fs::copy(&live, &old).unwrap();
                std::fs::File::create(&live).unwrap();
            }
            "gz at once" => {
                std::fs::write(&gz, gzip(&[&first[..], &second].concat())).unwrap();
                std::fs::remove_file(&live).unwrap();
            }
            "delaycompress" => {
                std::fs::rename(&live, &old).unwrap();
                step(&state, &logs);
                std::fs::write(&gz, gzip(&[&first[..], &second].concat())).unwrap();
                std::fs::remove_file(&old).unwrap();
            }
            _ => {
                std::fs::copy(&live, &old).unwrap();
            }
        }
        append(&live, &third);
        for _ in 0..3 {
            step(&state, &logs);
        }
        assert_eq!(sums(&state, &logs), (total, 0, total), "{way}");
    }
}

#[test]
fn an_outage_over_many_runs_is_told_once_and_ends_once() {
    let dir = tempfile::tempdir().unwrap();
    let (logs, state) = (dir.path().join("logs"), dir.path().join("state"));
    std::fs::create_dir(&logs).unwrap();
    let bad = 4000..4700;
    let mut told = Vec::new();
    for from in (0..7200).step_by(300) {
        append(&logs.join("access.log"), &lines(from, from + 300, std::slice::from_ref(&bad)));
        told.extend(step(&state, &logs).0);
    }
    let kinds: Vec<_> = told.iter().map(|n| n.kind).collect();
    assert_eq!(kinds, [NewsKind::New, NewsKind::Ended], "{told:?}");
    assert_eq!(told[0].id, told[1].id);
    let whole = analysis::run(&options(&logs), &()).unwrap().report;
    let mut session = Session::open(&state).unwrap().unwrap();
    let kept = session.advance(&options(&logs), KEEP, true, &()).unwrap().unwrap().outcome.report;
    assert_eq!(whole.incidents.len(), 1);
    let (a, b) = (&whole.incidents[0], &kept.incidents[0]);
    assert_eq!(
        (a.start, a.end, a.severity, &a.impact.statuses),
        (b.start, b.end, b.severity, &b.impact.statuses)
    );
    assert_eq!((a.impact.requests, a.impact.failed), (b.impact.requests, b.impact.failed));
}

/// Rotates a log between the look at it and its scan.
struct Rotating(std::path::PathBuf);

impl Progress for Rotating {
    fn total(&self, _: u64) {}
    fn advance(&self, _: u64) {}
    fn stage(&self, what: &str) {
        if what == "reading" {
            std::fs::rename(self.0.join("access.log"), self.0.join("access.log.1")).unwrap();
            append(&self.0.join("access.log"), &lines(700, 2000, &[]));
        }
    }
}

#[test]
fn a_log_that_is_rotated_under_the_scan_is_read_in_the_next_run() {
    let dir = tempfile::tempdir().unwrap();
    let (logs, state) = (dir.path().join("logs"), dir.path().join("state"));
    std::fs::create_dir(&logs).unwrap();
    append(&logs.join("access.log"), &lines(0, 300, &[]));
    step(&state, &logs);
    append(&logs.join("access.log"), &lines(300, 700, &[]));
    let mut session = Session::open(&state).unwrap().unwrap();
    session.advance(&options(&logs), KEEP, false, &Rotating(logs.clone())).unwrap();
    session.commit().unwrap();
    step(&state, &logs);
    assert_eq!(sums(&state, &logs), (6000, 0, 6000));
}

#[test]
fn one_run_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let held = Session::open(&state).unwrap().unwrap();
    assert!(Session::open(&state).unwrap().is_none());
    drop(held);
    assert!(Session::open(&state).unwrap().is_some());
}

#[test]
fn what_is_no_state_is_refused_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    let (logs, state) = (dir.path().join("logs"), dir.path().join("state"));
    std::fs::create_dir(&logs).unwrap();
    append(&logs.join("access.log"), &lines(0, 600, &[]));
    step(&state, &logs);
    let good = std::fs::read(&state).unwrap();
    let mut cases: Vec<(&str, Vec<u8>)> =
        vec![("not a state", b"hello".to_vec()), ("not a state", Vec::new())];
    let mut newer = good.clone();
    newer[MAGIC.len()] = 9;
    cases.push(("newer", newer));
    cases.push(("length", good[..good.len() - 1].to_vec()));
    for at in [MAGIC.len() + 90, good.len() - 5] {
        let mut flipped = good.clone();
        flipped[at] ^= 1;
        cases.push(("digest", flipped));
    }
    for (what, bytes) in cases {
        std::fs::write(&state, &bytes).unwrap();
        let error = Session::open(&state)
            .and_then(|s| s.unwrap().advance(&options(&logs), KEEP, true, &()).map(|_| ()));
        let error = error.unwrap_err().to_string();
        assert!(error.contains(what) && error.contains("Move it away"), "{what}: {error}");
        assert_eq!(std::fs::read(&state).unwrap(), bytes);
    }
}
