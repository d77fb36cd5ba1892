//! Runs that go on from each other, as cron starts them: a week in 2,016 runs, and what can befall them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::single_range_in_vec_init, reason = "one stretch of failures is a list of one")]

use assert_cmd::Command;
use downtime::analysis::{self, Options};
use downtime::report::{Incident, News, NewsKind};
use downtime::state::{KEEP, Session};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};
use tempfile::TempDir;

const DAY: i64 = 86_400;

fn downtime() -> Command {
    let mut command = assert_cmd::cargo::cargo_bin_cmd!("downtime");
    command.env_clear().env("TZ", "UTC");
    command
}

/// One line each `step` seconds, of seconds since 1 March; those of `bad` are answered with 502.
fn lines(seconds: Range<i64>, step: usize, bad: &[Range<i64>]) -> String {
    let mut out = String::new();
    for second in seconds.step_by(step) {
        let status = if bad.iter().any(|b| b.contains(&second)) { 502 } else { 200 };
        let (day, clock) = (second.div_euclid(DAY) + 1, second.rem_euclid(DAY));
        let (h, m, s) = (clock / 3600, clock / 60 % 60, clock % 60);
        let client = second * 7 % 199;
        let _ = writeln!(
            out,
            "192.0.2.{client} - - [{day:02}/Mar/2026:{h:02}:{m:02}:{s:02} +0000] \"GET /p/{second} HTTP/1.1\" {status} 512 \"-\" \"curl/8.5.0\""
        );
    }
    out
}

struct Site {
    _dir: TempDir,
    logs: PathBuf,
    state: PathBuf,
}

impl Site {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (logs, state) = (dir.path().join("logs"), dir.path().join("state"));
        fs::create_dir(&logs).unwrap();
        Self { _dir: dir, logs, state }
    }

    fn append(&self, name: &str, text: &str) {
        let mut file = fs::File::options().create(true).append(true).open(self.logs.join(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn options(&self) -> Options {
        Options { paths: vec![self.logs.clone()], threads: 1, ..Options::default() }
    }

    /// A run inside this process: news and bytes of new lines.
    fn step(&self) -> (Vec<News>, Vec<Incident>, u64) {
        self.keeping(KEEP)
    }

    fn keeping(&self, keep: i64) -> (Vec<News>, Vec<Incident>, u64) {
        // Another test that starts a process at this moment holds a copy of the lock until that process has begun.
        let mut tries = (0..200).filter_map(|_| {
            let open = Session::open(&self.state).unwrap();
            open.or_else(|| {
                std::thread::sleep(std::time::Duration::from_millis(10));
                None
            })
        });
        let mut session = tries.next().unwrap();
        let advance = session.advance(&self.options(), keep, false, &()).unwrap();
        let new = session.stats().new;
        session.commit().unwrap();
        let (news, incidents) = advance.map_or_else(Default::default, |a| {
            assert!(a.outcome.failures.is_empty(), "{:?}", a.outcome.failures);
            (a.news, a.outcome.report.incidents)
        });
        (news, incidents, new)
    }

    /// A run of the binary: code, standard output, standard error.
    fn run(&self, more: &[&str]) -> (i32, String, String) {
        let mut command = downtime();
        command.arg("--state").arg(&self.state).args(more).arg(&self.logs);
        let out = command.output().unwrap();
        let text = |b: Vec<u8>| String::from_utf8(b).unwrap();
        (out.status.code().unwrap(), text(out.stdout), text(out.stderr))
    }

    /// logrotate with `delaycompress`: `.1` is plain, older ones are packed.
    fn rotate(&self) {
        let name = |n: u32| self.logs.join(format!("access.log.{n}.gz"));
        for n in (2..9).rev() {
            let _ = fs::rename(name(n), name(n + 1));
        }
        let first = self.logs.join("access.log.1");
        if let Ok(text) = fs::read(&first) {
            let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            out.write_all(&text).unwrap();
            fs::write(name(2), out.finish().unwrap()).unwrap();
            fs::remove_file(&first).unwrap();
        }
        let _ = fs::rename(self.logs.join("access.log"), &first);
    }
}

/// What of an incident must not depend on how the log was cut into runs.
fn gist(i: &Incident) -> (i64, Option<i64>, &'static str, u64, u64) {
    (i.start, i.end, i.severity.name(), i.impact.requests, i.impact.failed)
}

#[test]
fn a_week_of_runs_tells_each_outage_once() {
    let site = Site::new();
    let whole = Site::new();
    let outages = [
        20_000..20_900,
        DAY + 40_000..DAY + 40_600,
        // Over midnight, and so over a rotation.
        3 * DAY - 400..3 * DAY + 500,
        4 * DAY + 3_333..4 * DAY + 6_001,
        6 * DAY + 80_000..6 * DAY + 81_200,
    ];
    let mut told: BTreeMap<String, Vec<NewsKind>> = BTreeMap::new();
    let mut seen: BTreeMap<String, Incident> = BTreeMap::new();
    let (mut new, mut written, mut largest) = (0, 0, 0);
    for run in 0..2016 {
        let from = run * 300;
        if from % DAY == 0 && from > 0 {
            site.rotate();
        }
        let text = lines(from..from + 300, 10, &outages);
        site.append("access.log", &text);
        whole.append("access.log", &text);
        written += text.len() as u64;
        // Half a day, for a test that is not optimised; the rule is the same.
        let (news, incidents, read) = site.keeping(DAY / 2);
        assert_eq!(read, text.len() as u64, "run {run} reads what is new and no more");
        new += read;
        for n in news {
            told.entry(n.id).or_default().push(n.kind);
        }
        seen.extend(incidents.into_iter().map(|i| (i.id.clone(), i)));
        largest = largest.max(fs::metadata(&site.state).unwrap().len());
    }
    assert_eq!(new, written);
    assert_eq!(told.len(), 5, "{told:?}");
    for (id, kinds) in &told {
        assert_eq!(kinds, &[NewsKind::New, NewsKind::Ended], "{id}");
    }
    // Half a day of it is kept, and the places of a few files.
    assert!(largest < 1 << 20, "{largest}");
    let once = analysis::run(&whole.options(), &()).unwrap().report.incidents;
    let once: Vec<_> = once.iter().map(gist).collect();
    let many: Vec<_> = told.keys().map(|id| gist(&seen[id])).collect();
    assert_eq!(once, many);
}

#[test]
fn a_year_of_runs_leaves_a_small_state() {
    let site = Site::new();
    let (mut sizes, mut new, mut written) = (Vec::new(), 0, 0);
    for day in 0..365 {
        if day > 0 {
            site.rotate();
        }
        // A day of the month is all that the lines here can say, so that the year is of days of an hour.
        let text = lines(day * 3600..(day + 1) * 3600, 60, &[]);
        site.append("access.log", &text);
        written += text.len() as u64;
        new += site.keeping(DAY / 4).2;
        sizes.push(fs::metadata(&site.state).unwrap().len());
    }
    assert_eq!(new, written);
    // What stays of a log that is gone is its place: some two hundred bytes.
    assert!(sizes[364] < 200_000, "{}", sizes[364]);
    assert!(sizes[364] - sizes[182] < 183 * 300, "{} then {}", sizes[182], sizes[364]);
}

#[test]
fn a_run_without_news_prints_nothing_and_costs_next_to_nothing() {
    let site = Site::new();
    site.append("access.log", &lines(0..40_000, 1, &[30_000..30_600]));
    let (code, out, err) = site.run(&["--format", "brief"]);
    assert_eq!((code, out.lines().count(), err.as_str()), (0, 1, ""), "{out}");
    let (code, out, err) = site.run(&["--stats"]);
    assert_eq!((code, out.as_str()), (0, ""));
    assert!(err.contains("read 0 new bytes in 1 file"), "{err}");
    let line = lines(40_000..40_001, 1, &[]);
    site.append("access.log", &line);
    let (_, out, err) = site.run(&["--stats"]);
    assert!(out.is_empty() && err.contains(&format!("read {} new bytes", line.len())), "{err}");
    let script = format!(
        "{} --state {} {}; times",
        assert_cmd::cargo::cargo_bin!("downtime").display(),
        site.state.display(),
        site.logs.display()
    );
    let times = Process::new("sh").args(["-c", &script]).output().unwrap();
    let times = String::from_utf8(times.stdout).unwrap();
    // The second line is that of the children: user and system time as `0m0.010s`.
    let children: f64 = times.lines().nth(1).unwrap().split_whitespace().map(seconds).sum();
    // Without optimisation; the release build takes a fifth of it.
    assert!(children < 0.1, "{times}");
}

fn seconds(text: &str) -> f64 {
    let (minutes, seconds) = text.split_once('m').unwrap();
    minutes.parse::<f64>().unwrap() * 60.0 + seconds.trim_end_matches('s').parse::<f64>().unwrap()
}

/// How many runs are killed: some tens, or what `DOWNTIME_KILLS` says.
fn kills() -> u64 {
    std::env::var("DOWNTIME_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(60)
}

#[test]
fn runs_that_are_killed_at_any_moment_lose_and_double_nothing() {
    let site = Site::new();
    let bad = 2_500..3_200;
    let (mut end, mut moment, mut whole) = (0, 0u64, 0u64);
    let (mut finished, mut advanced, mut before) = (0, 0, Vec::new());
    for round in 0..kills() {
        let next = end + 100;
        site.append("access.log", &lines(end..next, 1, std::slice::from_ref(&bad)));
        end = next;
        if round % 250 == 30 {
            site.rotate();
        }
        let begun = std::time::Instant::now();
        let mut child = Process::new(assert_cmd::cargo::cargo_bin!("downtime"))
            .arg("--state")
            .arg(&site.state)
            .arg(&site.logs)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        if round % 50 == 0 {
            // How long one takes that nobody disturbs.
            assert!(child.wait().unwrap().success());
            whole = begun.elapsed().as_micros() as u64;
            continue;
        }
        // From before its first step to after its last, at another place each time.
        moment = moment.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        std::thread::sleep(std::time::Duration::from_micros((moment >> 33) % (whole * 5 / 4)));
        let _ = child.kill();
        finished += u64::from(child.wait().unwrap().success());
        let now = fs::read(&site.state).unwrap();
        advanced += u64::from(now != before);
        before = now;
    }
    println!("{} runs: {finished} ended by themselves, the state moved on in {advanced}", kills());
    assert!(finished < kills() && advanced > 0, "nothing was disturbed");
    site.step();
    let mut session = Session::open(&site.state).unwrap().unwrap();
    let kept = session.advance(&site.options(), KEEP, true, &()).unwrap().unwrap().outcome.report;
    let once = analysis::run(&site.options(), &()).unwrap().report;
    assert_eq!(kept.totals.requests, once.totals.requests);
    assert_eq!(kept.totals.failed, once.totals.failed);
    let gists = |i: &[Incident]| i.iter().map(gist).collect::<Vec<_>>();
    assert_eq!(gists(&kept.incidents), gists(&once.incidents));
    assert_eq!(once.incidents.len(), 1);
}

#[test]
fn news_that_could_not_be_printed_is_said_again() {
    let site = Site::new();
    site.append("access.log", &lines(0..9_000, 1, &[5_000..5_700]));
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let status = Process::new(assert_cmd::cargo::cargo_bin!("downtime"))
        .arg("--state")
        .arg(&site.state)
        .arg(&site.logs)
        .stdout(full)
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(1));
    assert!(!site.state.exists());
    // The terminal that closes in mid-write.
    let mut child = Process::new(assert_cmd::cargo::cargo_bin!("downtime"))
        .arg("--state")
        .arg(&site.state)
        .arg(&site.logs)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    child.wait().unwrap();
    assert!(!site.state.exists());
    let (code, out, _) = site.run(&["--dry-run", "--format", "brief"]);
    assert_eq!((code, out.lines().count(), site.state.exists()), (0, 1, false), "{out}");
    let (_, out, _) = site.run(&["--format", "brief"]);
    assert_eq!(out.lines().count(), 1, "{out}");
    assert_eq!(site.run(&[]).1, "");
}

#[test]
fn a_state_that_cannot_be_written_is_an_error_and_the_old_one_stays() {
    let site = Site::new();
    site.append("access.log", &lines(0..3_000, 1, &[]));
    let absent = site.logs.join("no/such/folder/state");
    let out = downtime().arg("--state").arg(&absent).arg(&site.logs).output().unwrap();
    assert_eq!(out.status.code(), Some(1));
    assert!(String::from_utf8(out.stderr).unwrap().contains("no/such/folder"));
    for what in [site.logs.clone(), PathBuf::from("/dev/full")] {
        let out = downtime().arg("--state").arg(&what).arg(&site.logs).output().unwrap();
        assert_eq!(out.status.code(), Some(2), "{}", what.display());
        assert!(String::from_utf8(out.stderr).unwrap().contains("regular file"));
    }
    site.step();
    let good = fs::read(&site.state).unwrap();
    // No file may grow: the disk is full.
    site.append("access.log", &lines(3_000..4_000, 1, &[]));
    let script = format!(
        "ulimit -f 1; trap '' XFSZ; exec {} --state {} {}",
        assert_cmd::cargo::cargo_bin!("downtime").display(),
        site.state.display(),
        site.logs.display()
    );
    let out = Process::new("sh").args(["-c", &script]).output().unwrap();
    assert_ne!(out.status.code(), Some(0), "{out:?}");
    assert_eq!(fs::read(&site.state).unwrap(), good);
    let left: Vec<_> = fs::read_dir(site.state.parent().unwrap())
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .filter(|n| n.contains(".tmp"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(site.step().2, lines(3_000..4_000, 1, &[]).len() as u64);
}

#[test]
fn odd_things_in_the_folder_do_not_stop_a_run() {
    let site = Site::new();
    site.append("access.log", &lines(0..3_000, 1, &[]));
    std::os::unix::fs::symlink(&site.logs, site.logs.join("loop")).unwrap();
    std::os::unix::fs::symlink("nowhere", site.logs.join("gone.log")).unwrap();
    assert!(Process::new("mkfifo").arg(site.logs.join("pipe.log")).status().unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(site.logs.join("socket.log")).unwrap();
    fs::write(site.logs.join("notes.txt"), "not a log\n").unwrap();
    // 64 MiB of nothing in a few kilobytes.
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    for _ in 0..64 {
        bomb.write_all(&vec![0; 1 << 20]).unwrap();
    }
    fs::write(site.logs.join("bomb.log.gz"), bomb.finish().unwrap()).unwrap();
    let script = format!(
        "ulimit -v 1500000; exec {} --threads 1 --state {} {}",
        assert_cmd::cargo::cargo_bin!("downtime").display(),
        site.state.display(),
        site.logs.display()
    );
    let out = Process::new("sh").args(["-c", &script]).output().unwrap();
    let err = String::from_utf8_lossy(&out.stderr).into_owned();
    // The link to nowhere is told; all else is passed over.
    assert!(err.contains("gone.log") && err.lines().count() == 1, "{err}");
    assert!(site.state.exists());
}

#[test]
fn a_clock_that_goes_back_doubles_nothing() {
    let site = Site::new();
    site.append("access.log", &lines(10_000..13_000, 1, &[]));
    site.step();
    // An hour again.
    site.append("access.log", &lines(9_400..13_400, 1, &[]));
    let (news, ..) = site.step();
    assert!(news.is_empty(), "{news:?}");
    let mut session = Session::open(&site.state).unwrap().unwrap();
    let kept = session.advance(&site.options(), KEEP, true, &()).unwrap().unwrap().outcome.report;
    assert_eq!(kept.totals.requests, 7_000);
}

#[test]
fn a_second_run_leaves_with_a_word() {
    let site = Site::new();
    site.append("access.log", &lines(0..3_000, 1, &[]));
    let held = Session::open(&site.state).unwrap().unwrap();
    let (code, out, err) = site.run(&[]);
    assert_eq!((code, out.as_str()), (0, ""));
    assert!(err.contains("another run holds"), "{err}");
    drop(held);
    let (code, _, err) = site.run(&[]);
    assert_eq!((code, err.as_str()), (0, ""));
}

#[test]
fn metrics_are_written_and_count_on() {
    let site = Site::new();
    let prom = site.state.with_file_name("downtime.prom");
    let run = || {
        site.run(&["--prometheus", prom.to_str().unwrap()]);
        fs::read_to_string(&prom).unwrap()
    };
    site.append("access.log", &lines(0..5_400, 1, &[5_000..9_000]));
    let text = run();
    assert!(text.contains("downtime_incident_active{vhost=\"all\"} 1\n"), "{text}");
    site.append("access.log", &lines(5_400..9_000, 1, &[5_000..5_700]));
    let text = run();
    assert!(text.contains("downtime_incident_active{vhost=\"all\"} 0\n"), "{text}");
    assert!(text.contains("downtime_incidents_total{vhost=\"all\",kind=\"outage\"} 1\n"), "{text}");
    assert!(text.contains("downtime_unavailable_seconds_total{vhost=\"all\",kind=\"outage\"} "), "{text}");
    assert!(text.contains("downtime_log_last_line_timestamp_seconds 1772332199\n"), "{text}");
}

#[test]
fn check_goes_on_from_a_state() {
    let site = Site::new();
    site.append("access.log", &lines(0..7_200, 1, &[6_900..7_200]));
    let check = |until: &str| {
        let mut command = downtime();
        command.args(["check", "--until", until, "--state"]).arg(&site.state).arg(&site.logs);
        let out = command.output().unwrap();
        (out.status.code().unwrap(), String::from_utf8(out.stdout).unwrap())
    };
    let (code, text) = check("2026-03-01T02:00:00Z");
    assert_eq!(code, 2, "{text}");
    site.append("access.log", &lines(7_200..9_000, 1, &[]));
    let (code, text) = check("2026-03-01T02:30:00Z");
    assert_eq!(code, 0, "{text}");
    let (code, text) = check("2026-03-01T02:50:00Z");
    assert_eq!(code, 3, "{text}");
}

/// Settings from files and the environment, and which goes before which.
#[test]
fn settings_are_shown_with_their_source() {
    let dir = tempfile::tempdir().unwrap();
    let show = |env: &[(&str, &str)], args: &[&str]| {
        let mut command = downtime();
        command.current_dir(dir.path()).env("HOME", dir.path()).arg("config").args(args);
        for (k, v) in env {
            command.env(k, v);
        }
        let out = command.output().unwrap();
        (out.status.code().unwrap(), String::from_utf8([out.stdout, out.stderr].concat()).unwrap())
    };
    let user = dir.path().join(".config/downtime");
    fs::create_dir_all(&user).unwrap();
    fs::write(user.join("downtime.toml"), "tz = \"-05:00\"\nhost-from = \"none\"\nthreads = 3\n").unwrap();
    fs::write(Path::join(dir.path(), "downtime.toml"), "threads = 2\nlog-format = [\"combined\"]\n").unwrap();
    let (code, text) = show(&[("DOWNTIME_HOST_FROM", "folder")], &["--tz", "+01:00"]);
    assert_eq!(code, 0, "{text}");
    for line in [
        "tz = \"+01:00\"  # command line",
        "host-from = \"folder\"  # environment, DOWNTIME_HOST_FROM",
        "threads = 2  # downtime.toml",
        "log-format = [\"combined\"]  # downtime.toml",
        "# nginx-conf: none",
    ] {
        assert!(text.lines().any(|l| l == line), "{line}\n{text}");
    }
    fs::write(dir.path().join("downtime.toml"), "threads = 2\nthread = 2\n").unwrap();
    let (code, text) = show(&[], &[]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("downtime.toml:2: "), "{text}");
}
