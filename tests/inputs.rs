//! What people feed it: packed, cut, empty, hostile, doubled, wrapped, moving files; through the binary, as a shell
//! sees it. Not for what an outage is: `truth.rs`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(
    clippy::disallowed_methods,
    clippy::items_after_statements,
    reason = "a feeder of a pipe; tables of cases"
)]

mod support;

use serde_json::{Value, json};
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::io::{Seek as _, Write as _};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};
use support::{Lines, Traffic, gzip, text, write_lines};

/// One run that printed JSON.
#[derive(Debug)]
struct Run {
    code: Option<i32>,
    said: String,
    report: Value,
}

fn command() -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("downtime"));
    command.env_clear().env("TZ", "UTC").args(["--format", "json", "--threads", "2"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn finish(command: &mut Command) -> Run {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code().is_some(), "was killed: {said}");
    assert!(!said.contains("panicked"), "{said}");
    let report = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    Run { code: output.status.code(), said, report }
}

fn run<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Run {
    finish(command().args(args))
}

/// A run that must end well.
fn good<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Value {
    let run = run(args);
    assert_eq!((run.code, run.said.as_str()), (Some(0), ""), "{:#}", run.report);
    run.report
}

fn piped(bytes: &[u8], args: &[&str]) -> Value {
    let mut command = command();
    let mut child = command.args(args).arg("-").stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let bytes = bytes.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&bytes));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What must be the same however the lines came: when, how bad, how many, why; not from which file.
fn essence(report: &Value) -> Value {
    let part = |i: &Value| {
        let mut out =
            json!({ "cause": i["cause"]["category"], "causes": i["other_causes"].as_array().unwrap().len() });
        for key in [
            "id",
            "severity",
            "title",
            "why",
            "start",
            "start_bounds",
            "end",
            "end_bounds",
            "scope",
            "impact",
            "phases",
        ] {
            out[key] = i[key].clone();
        }
        out
    };
    Value::Array(report["incidents"].as_array().unwrap().iter().map(part).collect())
}

fn lines_read(report: &Value) -> u64 {
    report["inputs"].as_array().unwrap().iter().map(|i| i["lines"].as_u64().unwrap()).sum()
}

fn unparsed(report: &Value) -> u64 {
    report["inputs"].as_array().unwrap().iter().map(|i| i["unparsed"].as_u64().unwrap()).sum()
}

/// What `not_counted` says for a reason that contains `word`: lines in all, if it says so at all.
fn left_out(report: &Value, word: &str) -> Option<u64> {
    let all = report["not_counted"].as_array().unwrap().iter();
    let those: Vec<&Value> = all.filter(|n| n["reason"].as_str().unwrap().contains(word)).collect();
    (!those.is_empty()).then(|| those.iter().map(|n| n["lines"].as_u64().unwrap_or(0)).sum())
}

/// Requests of the incidents and failures, to compare.
fn impact(report: &Value) -> Vec<(u64, u64)> {
    let each = report["incidents"].as_array().unwrap().iter();
    each.map(|i| (i["impact"]["requests"].as_u64().unwrap(), i["impact"]["failed"].as_u64().unwrap()))
        .collect()
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn put(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn packed_and_piped_logs_give_the_same_answer() {
    let traffic = Traffic::outage();
    let bytes = text(&traffic.access());
    let dir = folder();
    let plain = good([put(dir.path(), "plain/access.log", &bytes)]);
    assert_eq!(impact(&plain), [(720, 720)]);
    let half = bytes.len() / 2;
    let members = [gzip(&bytes[..half]), gzip(&bytes[half..])].concat();
    for (name, packed) in [
        ("access.log.gz", gzip(&bytes)),
        ("members.log.gz", members),
        ("no-ending", gzip(&bytes)),
        ("access.log.zst", support::zstd(&bytes)),
        ("access.log.bz2", support::bzip2(&bytes)),
        ("access.log.xz", support::xz(&bytes)),
    ] {
        let report = good([put(dir.path(), &format!("{name}.d/{name}"), &packed)]);
        assert_eq!(essence(&report), essence(&plain), "{name}");
        assert_eq!((lines_read(&report), unparsed(&report)), (4800, 0), "{name}");
        assert_eq!(report["inputs"][0]["bytes"], bytes.len(), "{name}: bytes are those of the text");
    }
    // A pipe is read once; the failed lines that are kept of it tell whose page their bodies are.
    assert_eq!(essence(&plain)[0]["cause"], "upstream.app_error");
    assert_eq!(essence(&piped(&bytes, &[])), essence(&plain));
    assert_eq!(essence(&piped(&gzip(&bytes), &[])), essence(&plain));
    // `cat access.log error.log | downtime -`: both in one stream.
    let both = good([
        put(dir.path(), "both/access.log", &bytes),
        put(dir.path(), "both/error.log", &text(&traffic.error())),
    ]);
    let stream = piped(&[bytes, text(&traffic.error())].concat(), &[]);
    assert_eq!(essence(&stream), essence(&both));
    assert_eq!(both["incidents"][0]["cause"]["category"], "upstream.refused");
}

/// A site of a hundredth of the traffic that fails: a file is read again and tells it, a pipe says what it cannot know.
#[test]
fn what_only_a_second_look_can_tell_is_named_for_a_pipe() {
    let line = |i: i64| {
        let (second, partner) = (support::TEN + i / 20, i % 97 == 0);
        let failed = partner && (30_000..42_000).contains(&i);
        let (site, status) =
            (if partner { "partner.example" } else { "www.example" }, if failed { 502 } else { 200 });
        let time = support::time_local(second, 0);
        let client = format!("198.18.{}.{}", i * 7 % 200, i * 13 % 250);
        (second, format!("{site}:443 {client} - - [{time}] \"GET /a HTTP/1.1\" {status} 900 \"-\" \"-\""))
    };
    let bytes = text(&(0..72_000).map(line).collect::<Vec<_>>());
    let dir = folder();
    let plain = good([put(dir.path(), "access.log", &bytes)]);
    assert_eq!(plain["incidents"].as_array().unwrap().len(), 1, "{plain:#}");
    assert_eq!(plain["incidents"][0]["scope"]["vhosts"][0], "partner.example");
    let stream = piped(&bytes, &[]);
    assert_eq!(stream["incidents"].as_array().unwrap().len(), 0, "{stream:#}");
    let findings = stream["findings"].as_array().unwrap();
    let told = |f: &&Value| f["summary"].as_str().unwrap().contains("on partner.example failed");
    assert_eq!(findings.iter().filter(told).count(), 1, "{findings:#?}");
}

#[test]
fn a_cut_archive_gives_what_came_before_and_is_named() {
    let bytes = text(&Traffic::outage().access());
    let dir = folder();
    for (name, packed) in
        [("a.log.gz", gzip(&bytes)), ("b.log.zst", support::zstd(&bytes)), ("c.log.xz", support::xz(&bytes))]
    {
        let path = put(dir.path(), &format!("{name}.d/{name}"), &packed[..packed.len() * 3 / 4]);
        let run = run([&path]);
        assert_eq!(run.code, Some(1), "{name}: {}", run.said);
        assert!(run.said.contains(&format!("{name}: damaged: ")), "{}", run.said);
        let lines = lines_read(&run.report);
        assert!((1000..4800).contains(&lines), "{name}: {lines} lines");
        assert!(left_out(&run.report, "damaged").is_some(), "{name}: {:#}", run.report["not_counted"]);
        let notes = run.report["inputs"][0]["notes"].to_string();
        assert!(notes.contains("damaged"), "{name}: {notes}");
        // What the archive would have gone on with is not known, and no outage.
        assert_eq!(
            essence(&run.report).as_array().unwrap().iter().filter(|i| i["severity"] == "unknown").count(),
            0,
            "{name}"
        );
    }
}

#[test]
fn empty_and_foreign_files_are_named_and_the_rest_is_read() {
    let dir = folder();
    let empty = put(dir.path(), "access.log", b"");
    let run_empty = run([&empty]);
    assert_eq!(run_empty.code, Some(1), "a report of nothing is no good news");
    let traffic = Traffic::default();
    let junk: Vec<u8> = (0..200_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    put(dir.path(), "junk", &junk);
    put(dir.path(), "zeros.log", &vec![0; 100_000]);
    put(dir.path(), "notes.log", b"remember the milk\nand the eggs\n");
    put(dir.path(), "access.log.1", &text(&traffic.access()));
    let report = good([dir.path()]);
    assert_eq!((lines_read(&report), unparsed(&report)), (4800, 0));
    assert_eq!(report["incidents"], json!([]));
    for name in ["access.log", "junk", "zeros.log", "notes.log"] {
        let path = dir.path().join(name).display().to_string();
        let said = report["not_counted"].as_array().unwrap().iter().any(|n| n["path"] == path.as_str());
        assert!(said, "{name} is named: {:#}", report["not_counted"]);
    }
}

#[test]
fn odd_line_ends_and_nul_bytes_lose_no_line() {
    let traffic = Traffic::outage();
    let bytes = text(&traffic.access());
    let dir = folder();
    let plain = good([put(dir.path(), "plain/access.log", &bytes)]);
    let crlf = String::from_utf8(bytes.clone()).unwrap().replace('\n', "\r\n");
    let report = good([put(dir.path(), "crlf/access.log", crlf.as_bytes())]);
    assert_eq!((essence(&report), unparsed(&report)), (essence(&plain), 0), "CRLF");
    let report = good([put(dir.path(), "open/access.log", &bytes[..bytes.len() - 1])]);
    assert_eq!((essence(&report), lines_read(&report)), (essence(&plain), 4800), "no newline at the end");
    // Cut to nothing under a writer that keeps its place, a log begins with NUL bytes.
    for nuls in [7, 5000] {
        let report = good([put(dir.path(), "nul/access.log", &[vec![0; nuls], bytes.clone()].concat())]);
        assert_eq!(essence(&report), essence(&plain), "{nuls} NUL bytes before");
        assert!(unparsed(&report) <= 1 && lines_read(&report) >= 4799, "{nuls}: {:#}", report["inputs"]);
    }
    // After a crash, file systems leave NUL bytes in the middle.
    let half = bytes.iter().take(bytes.len() / 2).rposition(|b| *b == b'\n').unwrap() + 1;
    let holed = [&bytes[..half], &[0; 4096], &bytes[half..]].concat();
    let report = good([put(dir.path(), "hole/access.log", &holed)]);
    assert_eq!(essence(&report), essence(&plain));
    // Error log in CRLF too.
    let errors = String::from_utf8(text(&traffic.error())).unwrap();
    let report = good([put(dir.path(), "e/error.log", errors.replace('\n', "\r\n").as_bytes())]);
    assert_eq!((unparsed(&report), report["inputs"][0]["kind"].as_str()), (0, Some("error")));
}

#[test]
fn a_log_after_megabytes_of_nul_bytes_is_read() {
    let bytes = text(&Traffic::outage().access());
    let dir = folder();
    let report = good([put(dir.path(), "access.log", &[vec![0; 3 << 20], bytes].concat())]);
    assert_eq!(report["incidents"][0]["start"], "2026-03-01T10:10:00.000+00:00");
}

/// Runs with at most so much memory of its own (mapped files do not count).
fn bounded(mebibytes: u64, path: &Path) -> Run {
    let mut shell = Command::new("sh");
    shell.env_clear().args(["-c", &format!("ulimit -d {}; exec \"$0\" \"$@\"", mebibytes << 10)]);
    shell.arg(assert_cmd::cargo::cargo_bin!("downtime"));
    shell.args(["--format", "json", "--threads", "1"]).arg(path);
    finish(shell.stdin(Stdio::null()))
}

#[test]
fn a_line_without_end_takes_no_memory() {
    let dir = folder();
    let bytes = text(&Traffic { seconds: 300, ..Traffic::default() }.access());
    let long = vec![b'a'; 100 << 20];
    let around = |n: usize| [&bytes[..], &long[..n], b"\n", &bytes].concat();
    // A debug build unpacks slowly; what counts is that the line is longer than the room.
    for (name, file) in [("plain.log", around(100 << 20)), ("packed.log.gz", gzip(&around(64 << 20)))] {
        let run = bounded(48, &put(dir.path(), name, &file));
        assert_eq!(run.code, Some(0), "{name}: {}", run.said);
        let long = left_out(&run.report, "longer than any line");
        assert_eq!(long, Some(1), "{name}: {:#}", run.report["not_counted"]);
        let requests = lines_read(&run.report) - unparsed(&run.report);
        assert!((2400..=2401).contains(&requests), "{name}: {:#}", run.report["inputs"]);
    }
}

#[test]
fn hosts_are_told_apart_and_their_common_outage_is_one() {
    let dir = folder();
    for (seed, host) in ["web1", "web2"].into_iter().enumerate() {
        Traffic { seed: seed as u64 + 7, ..Traffic::outage() }.write(&dir.path().join(host));
    }
    for args in [
        vec![dir.path().display().to_string()],
        vec![dir.path().join("web1").display().to_string(), dir.path().join("web2").display().to_string()],
        vec!["--host-from".into(), "folder".into(), dir.path().display().to_string()],
        vec![
            "--host-from".into(),
            "/{host}/access.log".into(),
            format!("{}/*/access.log", dir.path().display()),
        ],
    ] {
        let report = good(&args);
        let mut hosts: Vec<&str> =
            report["inputs"].as_array().unwrap().iter().map(|i| i["host"].as_str().unwrap()).collect();
        hosts.sort_unstable();
        hosts.dedup();
        assert_eq!(hosts, ["web1", "web2"], "{args:?}");
        assert_eq!(impact(&report), [(1440, 1440)], "{args:?}");
        assert_eq!(report["incidents"][0]["scope"]["hosts"], json!(["web1", "web2"]), "{args:?}");
    }
    let report = good(["--host-from", "none", dir.path().to_str().unwrap()]);
    assert_eq!(report["inputs"][0]["host"], Value::Null);
    let wrong = run(["--host-from", "nonsense", dir.path().to_str().unwrap()]);
    assert_eq!(wrong.code, Some(2), "{}", wrong.said);
}

#[test]
fn strange_things_in_a_folder_are_passed_over_and_said() {
    let dir = folder();
    Traffic::outage().write(dir.path());
    assert!(Command::new("mkfifo").arg(dir.path().join("pipe")).status().unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(dir.path().join("php.socket")).unwrap();
    symlink(dir.path(), dir.path().join("loop")).unwrap();
    symlink(dir.path().join("access.log"), dir.path().join("current")).unwrap();
    put(dir.path(), "nginx.pid", b"77\n");
    let report = good([dir.path()]);
    assert_eq!(impact(&report), [(720, 720)]);
    for word in ["a pipe, socket or device", "the same folder", "the same file", "not a log by its name"] {
        assert!(left_out(&report, word).is_some(), "{word}: {:#}", report["not_counted"]);
    }
    // Broken links are as common as rotated logs; one must not fail a night's report.
    symlink("gone", dir.path().join("broken")).unwrap();
    let run = run([dir.path()]);
    assert_eq!(impact(&run.report), [(720, 720)]);
    assert!(run.said.contains("broken"), "{}", run.said);
    // Named ones are errors; a named pipe is read.
    let absent = dir.path().join("absent.log");
    let run = self::run([&absent, &dir.path().join("access.log")]);
    assert_eq!((run.code, impact(&run.report)), (Some(1), vec![(720, 720)]));
    assert!(run.said.contains("absent.log"), "{}", run.said);
}

#[test]
fn thousands_of_files_are_read_in_reason() {
    let dir = folder();
    let lines = Traffic { seconds: 4000, rate: 1, ..Traffic::default() }.access();
    for (i, two) in lines.chunks(2).enumerate() {
        write_lines(&dir.path().join(format!("access.log.{}", 2000 - i)), two);
    }
    for i in 0..10_000 {
        fs::write(dir.path().join(format!("vhost{i}.log")), b"").unwrap();
    }
    let start = Instant::now();
    let report = good([dir.path()]);
    assert_eq!((lines_read(&report), unparsed(&report)), (4000, 0));
    assert_eq!(report["incidents"], json!([]));
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    let said = report["not_counted"].as_array().unwrap().len();
    assert!(said < 100, "{said} entries for ten thousand empty files is no report");
}

/// A log cut into rotated parts of so many lines, the newest last and live.
fn rotate(folder: &Path, name: &str, lines: &Lines, parts: usize) {
    let each = lines.len().div_ceil(parts);
    for (i, part) in lines.chunks(each).enumerate() {
        let n = parts - 1 - i;
        let name = if n == 0 { name.to_owned() } else { format!("{name}.{n}") };
        write_lines(&folder.join(name), part);
    }
}

#[test]
fn a_missing_or_empty_member_of_a_set_is_no_silence() {
    let traffic = Traffic { seconds: 3000, ..Traffic::default() };
    for empty in [false, true] {
        let dir = folder();
        rotate(dir.path(), "access.log", &traffic.access(), 5);
        let path = dir.path().join("access.log.2");
        if empty {
            fs::write(&path, b"").unwrap();
        } else {
            fs::remove_file(&path).unwrap();
        }
        let report = good([dir.path()]);
        assert_eq!(report["incidents"], json!([]), "empty: {empty}");
        let missing: Vec<&Value> =
            report["coverage"].as_array().unwrap().iter().filter(|c| c["state"] == "missing").collect();
        assert_eq!(missing.len(), 1, "{:#}", report["coverage"]);
        assert_eq!(missing[0]["start"], "2026-03-01T10:20:00.000+00:00", "{:#}", missing[0]);
        assert_eq!(missing[0]["end"], "2026-03-01T10:30:00.000+00:00", "{:#}", missing[0]);
        let text = command_text(&[dir.path()]);
        assert!(text.contains("missing") || text.contains("empty"), "{text}");
    }
    // The same hole in one file is a silence.
    let dir = folder();
    let mut lines = traffic.access();
    lines.retain(|(s, _)| !(support::TEN + 1200..support::TEN + 1800).contains(s));
    write_lines(&dir.path().join("access.log"), &lines);
    let report = good([dir.path()]);
    assert_eq!(report["incidents"].as_array().unwrap().len(), 1);
}

fn command_text(args: &[&Path]) -> String {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("downtime"));
    let output = command.env_clear().env("TZ", "UTC").args(args).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_line_that_stands_in_two_files_counts_once() {
    let traffic = Traffic::outage();
    let (access, error) = (traffic.access(), traffic.error());
    let single = folder();
    traffic.write(single.path());
    let single = good([single.path()]);
    type Extra<'a> = (&'a str, Vec<(&'a str, Vec<u8>)>, u64);
    let grep: Lines = access.iter().filter(|l| l.1.contains("\" 502 ")).cloned().collect();
    let tail: Lines = access[3000..].to_vec();
    let extras: Vec<Extra<'_>> = vec![
        ("a copy", vec![("access.copy.log", text(&access))], 4800),
        ("packed beside plain", vec![("access.log.gz", gzip(&text(&access)))], 4800),
        ("packed error log", vec![("error.log.gz", gzip(&text(&error)))], 720),
        ("an excerpt", vec![("failing.log", text(&grep))], 720),
        ("an overlap", vec![("access.log.1", text(&tail))], 1800),
    ];
    for (what, files, doubled) in extras {
        let dir = folder();
        traffic.write(dir.path());
        for (name, bytes) in files {
            put(dir.path(), name, &bytes);
        }
        let report = good([dir.path()]);
        assert_eq!(essence(&report), essence(&single), "{what}");
        assert_eq!(left_out(&report, "duplicate"), Some(doubled), "{what}: {:#}", report["not_counted"]);
    }
    let dir = folder();
    traffic.write(dir.path());
    let path = dir.path().join("access.log");
    fs::hard_link(&path, dir.path().join("linked.log")).unwrap();
    let report = good([dir.path(), &path, &path]);
    assert_eq!(essence(&report), essence(&single), "the same file by four ways");
}

/// `{"log": ..., "stream": ..., "time": ...}` of Docker's json-file driver.
fn docker(second: i64, line: &str, stream: &str) -> String {
    let stamp = downtime::time::rfc3339(second * 1000, 0)
        .replace(".000+00:00", ".123456789Z")
        .replace("000Z", "123Z");
    json!({ "log": format!("{line}\n"), "stream": stream, "time": stamp }).to_string()
}

#[test]
fn wrapped_logs_give_the_same_answer() {
    let traffic = Traffic::outage();
    let dir = folder();
    traffic.write(&dir.path().join("plain"));
    let plain = good([dir.path().join("plain")]);
    let mut both: Vec<(i64, bool, String)> =
        traffic.access().into_iter().map(|(s, l)| (s, false, l)).collect();
    both.extend(traffic.error().into_iter().map(|(s, l)| (s, true, l)));
    both.sort_by_key(|(s, ..)| *s);
    let cri_time = |s: i64| {
        downtime::time::rfc3339(s * 1000, 0).replace(".000+00:00", ".123456789Z").replace("000Z", "123Z")
    };
    let mut forms: Vec<(&str, String)> = Vec::new();
    let mut form = |name, each: &dyn Fn(i64, bool, &str) -> String| {
        let mut out = String::new();
        for (s, error, line) in &both {
            let _ = writeln!(out, "{}", each(*s, *error, line));
        }
        forms.push((name, out));
    };
    let stream = |e: bool| if e { "stderr" } else { "stdout" };
    form("docker", &|s, e, l| docker(s, l, stream(e)));
    form("cri", &|s, e, l| format!("{} {} F {l}", cri_time(s), stream(e)));
    // Runtimes cut at 16 KiB, which error records (2 KiB at most) never reach.
    form("cri in parts", &|s, e, l| {
        let (time, half) = (cri_time(s), l.len() / 2);
        if e {
            return format!("{time} stderr F {l}");
        }
        format!("{time} stdout P {}\n{time} stdout F {}", &l[..half], &l[half..])
    });
    form("syslog", &|s, e, l| {
        format!("<{}>{} web1 nginx: {l}", if e { 187 } else { 190 }, support::time_syslog(s, 0))
    });
    form("rsyslog file", &|s, _, l| format!("{} web1 nginx: {l}", support::time_syslog(s, 0)));
    form("journal", &|s, _, l| format!("{} web1 nginx[71]: {l}", support::time_syslog(s, 0)));
    form("journal iso", &|s, _, l| {
        format!("{}+0000 web1 nginx[71]: {l}", &downtime::time::rfc3339(s * 1000, 0)[..19])
    });
    form("compose", &|_, _, l| format!("web-1  | {l}"));
    for (name, wrapped) in forms {
        let report = good([put(dir.path(), &format!("{name}/c.log"), wrapped.as_bytes())]);
        assert_eq!(unparsed(&report), 0, "{name}: {:#}", report["not_counted"]);
        assert_eq!(essence(&report), essence(&plain), "{name}");
        let quoted = report["incidents"][0]["cause"]["evidence"][0].clone();
        let path = dir.path().join(name).join("c.log");
        let line = fs::read_to_string(path).unwrap();
        let line =
            line.lines().nth(quoted["line"].as_u64().unwrap() as usize - 1).unwrap_or_default().to_owned();
        assert!(line.contains("[error]") || name.contains("parts"), "{name}: {quoted:#} is not {line}");
        // The same file once more under another name is the same lines.
        put(dir.path(), &format!("{name}/c.log.1"), wrapped.as_bytes());
        let report = good([dir.path().join(name)]);
        assert_eq!(essence(&report), essence(&plain), "{name} twice: {:#}", report["not_counted"]);
    }
    // A record of several lines: every line has the frame.
    let mut cri = String::new();
    for (s, _, l) in &both {
        let _ = writeln!(cri, "{} stdout F {l}", cri_time(*s));
    }
    let lua = "2026/03/01 10:10:05 [error] 71#71: *9 lua entry thread aborted: runtime error: boom";
    let _ = writeln!(
        cri,
        "{t} stderr F {lua}\n{t} stderr F stack traceback:\n{t} stderr F coroutine 0:",
        t = cri_time(support::TEN + 605)
    );
    let report = good([put(dir.path(), "multi/c.log", cri.as_bytes())]);
    assert_eq!(unparsed(&report), 0, "{:#}", report["not_counted"]);
}

/// A container writes requests and messages to one stream, and the first message can come hours after the start: where it
/// is told what a file is, there is none. Its clock is another than that of the frames.
#[test]
fn messages_that_come_late_in_a_stream_are_understood() {
    let failing = 6000..6020;
    let traffic =
        Traffic { seconds: 9000, rate: 8, offset: 660, outages: vec![failing], ..Traffic::default() };
    let dir = folder();
    traffic.write(&dir.path().join("plain"));
    let plain = good([dir.path().join("plain")]);
    let cause = |report: &Value| report["incidents"][0]["cause"]["summary"].clone();
    assert!(cause(&plain).as_str().unwrap().contains("enough for every failed request"), "{plain:#}");
    let mut both = traffic.access();
    both.extend(traffic.error());
    both.sort_by_key(|line| line.0);
    let frame = |each: &dyn Fn(i64, &str) -> String| -> String {
        both.iter().map(|(second, line)| each(*second, line) + "\n").collect()
    };
    let forms = [
        ("none", frame(&|_, line| line.to_owned())),
        ("docker", frame(&|second, line| docker(second, line, "stdout"))),
        (
            "journal",
            frame(&|second, line| format!("{} web1 nginx[71]: {line}", support::time_syslog(second, 0))),
        ),
    ];
    for (name, text) in forms {
        let path = put(dir.path(), &format!("{name}/c.log"), text.as_bytes());
        let report = good([&path]);
        assert_eq!(unparsed(&report), 0, "{name}: {:#}", report["not_counted"]);
        assert_eq!(essence(&report), essence(&plain), "{name}");
        assert_eq!(cause(&report), cause(&plain), "{name}");
        // A window that begins in the middle of the messages is looked for by the requests' clock alone.
        let window = ["--since", "2026-03-01T11:40:10Z", "--until", "2026-03-01T12:00:00Z"];
        let part = good(window.iter().map(OsStr::new).chain([path.as_os_str()]));
        assert_eq!(impact(&part), [(80, 80)], "{name}: {part:#}");
    }
}

#[test]
fn a_window_counts_the_same_in_every_form() {
    let traffic = Traffic { offset: -300, ..Traffic::outage() };
    let dir = folder();
    let bytes = text(&traffic.access());
    let plain = put(dir.path(), "plain/access.log", &bytes);
    let packed = put(dir.path(), "packed/access.log.gz", &gzip(&bytes));
    for window in [
        ["--since", "2026-03-01 05:08", "--until", "2026-03-01 05:15"],
        ["--since", "2026-03-01T10:08:00Z", "--until", "2026-03-01T10:15:00Z"],
        ["--since", "2026-03-01T05:08:00-05:00", "--until", "01/Mar/2026:05:15:00 -0500"],
    ] {
        let a = good(window.iter().map(OsStr::new).chain([plain.as_os_str()]));
        let b = good(window.iter().map(OsStr::new).chain([packed.as_os_str()]));
        assert_eq!(essence(&a), essence(&b), "{window:?}");
        assert_eq!(a["span"], b["span"], "{window:?}");
        assert_eq!(a["span"]["start"], "2026-03-01T05:08:00.000-05:00", "{window:?}");
        assert_eq!(left_out(&b, "outside the window"), Some(4800 - 7 * 60 * 4), "{window:?}");
        assert!(left_out(&a, "outside the window").is_some(), "{window:?}");
        assert_eq!(impact(&a), [(720, 720)], "{window:?}");
    }
    // Nothing in the window is said, and is no good news without a word.
    let none = run([OsStr::new("--since"), OsStr::new("2027-01-01"), plain.as_os_str()]);
    assert_eq!(none.report["incidents"], json!([]));
    assert!(left_out(&none.report, "outside the window").is_some(), "{:#}", none.report["not_counted"]);
}

#[test]
fn formats_and_zones_can_be_said() {
    let traffic = Traffic { offset: 540, ..Traffic::outage() };
    let dir = folder();
    traffic.write(dir.path());
    let free = good([dir.path()]);
    assert_eq!(free["zone"], "+09:00");
    assert_eq!(
        free["inputs"].as_array().unwrap().iter().filter(|i| i["error_zone"]["offset"] == "+09:00").count(),
        1,
        "{:#}",
        free["inputs"]
    );
    let conf = put(
        dir.path(),
        "conf/nginx.conf",
        b"http { include parts/*.inc; access_log /var/log/nginx/a.log mine; }",
    );
    put(dir.path(), "conf/parts/a.inc", b"log_format mine '$remote_addr - $remote_user [$time_local] \"$request\" '\n '$status $body_bytes_sent \"$http_referer\" \"$http_user_agent\"';");
    let access = dir.path().join("access.log");
    let base = good([&access]);
    let syntax = "$remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent \"$http_referer\" \"$http_user_agent\"";
    for args in
        [["--log-format", "combined"], ["--log-format", syntax], ["--nginx-conf", conf.to_str().unwrap()]]
    {
        let report = good(args.iter().map(OsStr::new).chain([access.as_os_str()]));
        assert_eq!((essence(&report), unparsed(&report)), (essence(&base), 0), "{args:?}");
    }
    let wrong = run(["--log-format", "$nonsense [", access.to_str().unwrap()]);
    assert_ne!(wrong.code, Some(0), "{}", wrong.said);
    // The zone of the error log, said; and what is shown.
    let said = good(["--error-tz", "Asia/Tokyo", dir.path().to_str().unwrap()]);
    assert_eq!(essence(&said), essence(&free));
    let shown = good(["--tz", "utc", dir.path().to_str().unwrap()]);
    assert_eq!(shown["zone"], "+00:00");
    assert_eq!(shown["incidents"][0]["start"], "2026-03-01T10:10:00.000+00:00");
    assert_eq!(free["incidents"][0]["start"], "2026-03-01T19:10:00.000+09:00");
    let alone = good(["--error-tz", "+09:00", "--tz", "utc", dir.path().join("error.log").to_str().unwrap()]);
    assert_eq!(alone["incidents"][0]["start"], "2026-03-01T10:10:00.000+00:00");
}

/// `$msec` counts in UTC wherever the server is, and an error log has no zone: what nginx says of its start must not lie
/// an hour behind the last request, as a silence that never was.
#[test]
fn an_error_log_beside_msec_is_placed_or_says_nothing_of_other_times() {
    let traffic = Traffic { outages: Vec::new(), ..Traffic::outage() };
    let requests = traffic.access().into_iter().map(|(second, line)| {
        let quoted = line.split('"').nth(1).unwrap();
        (second, format!("{second}.{:03} 198.51.100.7 \"{quoted}\" 200 512 0.010", line.len() % 1000))
    });
    let requests: Lines = requests.collect();
    let started = ["using the \"epoll\" event method", "nginx/1.22.1", "start worker processes"];
    let notices = |local: i64, texts: &[&str]| -> Lines {
        let notice = |t: &&str| (local, format!("{} [notice] 71#71: {t}", support::time_error(local, 60)));
        texts.iter().map(notice).collect()
    };
    let (first, last) = (requests[0].0, requests.last().unwrap().0);
    let folder = folder();
    write_lines(&folder.path().join("access.log"), &requests);
    let zone = |errors: &Lines| {
        write_lines(&folder.path().join("error.log"), errors);
        let report = good([folder.path()]);
        assert_eq!(report["incidents"], json!([]), "{report:#}");
        let inputs = report["inputs"].as_array().unwrap();
        let told = inputs.iter().find_map(|i| i["error_zone"].as_object()).unwrap();
        let until =
            report["coverage"].as_array().unwrap().last().unwrap()["end"].as_str().unwrap().to_owned();
        assert!(until.starts_with("2026-03-01T10:20:0"), "{until}");
        (told["offset"].as_str().unwrap().to_owned(), told["how"].as_str().unwrap().to_owned())
    };
    let mut whole = notices(first - 1, &started);
    whole.extend(notices(last + 1, &["reopening logs"]));
    let (offset, how) = zone(&whole);
    assert!(offset == "+01:00" && how.contains("both logs"), "{offset} {how}");
    // A start alone fits many offsets.
    let (_, how) = zone(&notices(first - 1, &started));
    assert!(how.contains("assumed"), "{how}");
}

#[test]
fn a_file_that_moves_under_the_scan_is_survived_and_said() {
    let dir = folder();
    let bytes = text(&Traffic { seconds: 1500, rate: 6, ..Traffic::default() }.access());
    let path = dir.path().join("access.log");
    type Act = fn(&Path, &[u8]);
    let acts: [(&str, Act); 3] = [
        ("cut", |path, _| fs::OpenOptions::new().write(true).open(path).unwrap().set_len(0).unwrap()),
        ("rotate", |path, bytes| {
            let _ = fs::rename(path, path.with_extension("log.1"));
            fs::write(path, &bytes[..4096]).unwrap();
        }),
        ("append", |path, bytes| {
            let mut file = fs::OpenOptions::new().append(true).open(path).unwrap();
            file.seek(std::io::SeekFrom::End(0)).unwrap();
            file.write_all(&bytes[bytes.len() - 40_000..]).unwrap();
        }),
    ];
    for (name, act) in acts {
        fs::write(&path, &bytes).unwrap();
        let over = AtomicBool::new(false);
        let mut said = 0;
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Relaxed) {
                    std::thread::sleep(Duration::from_millis(15));
                    act(&path, &bytes);
                    if name != "append" {
                        std::thread::sleep(Duration::from_millis(15));
                        fs::write(&path, &bytes).unwrap();
                    }
                }
            });
            for _ in 0..4 {
                // Killed by SIGBUS it would have no code, and `finish` would fail.
                let run = run([&path]);
                let inputs = run.report["inputs"].as_array();
                let notes =
                    inputs.is_some_and(|i| i.iter().any(|i| i["notes"].to_string().contains("while")));
                said += u64::from(notes || run.code == Some(1) || run.report["not_counted"] != json!([]));
                for i in run.report["incidents"].as_array().into_iter().flatten() {
                    assert_ne!(i["severity"], "outage", "{name}: {i:#}");
                }
            }
            over.store(true, Relaxed);
        });
        assert!(said > 0, "{name}: nothing was ever said");
    }
}

#[test]
fn exit_codes_say_what_happened() {
    let dir = folder();
    Traffic::outage().write(&dir.path().join("bad"));
    Traffic::default().write(&dir.path().join("good"));
    let code = |args: &[&str], name: &str| {
        run(args.iter().map(OsStr::new).chain([dir.path().join(name).as_os_str()])).code
    };
    assert_eq!(code(&[], "bad"), Some(0));
    assert_eq!(code(&["--exit-code"], "bad"), Some(1));
    assert_eq!(code(&["--exit-code"], "good"), Some(0));
    assert_eq!(code(&[], "none"), Some(1));
    assert_eq!(code(&["--exit-code"], "none"), Some(2));
    assert_eq!(code(&["--since", "yesterdax"], "good"), Some(2));
    assert_eq!(code(&["--host-from", "none"], "good"), Some(0));
}

#[test]
fn a_log_of_its_own_names_the_site() {
    let recorded = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded/a-log-for-each-site/logs");
    let report = support::report(&support::options(&[recorded]));
    let [incident] = report.incidents.as_slice() else { panic!("{:?}", report.incidents) };
    assert_eq!(
        (incident.scope.vhosts.as_slice(), incident.scope.all),
        (&["api.access.log".to_owned()][..], false)
    );
    let of = |name: &str| incident.context.places.iter().find(|p| p.name == name).unwrap();
    assert!(of("api.access.log").failed * 10 > of("api.access.log").requests * 9);
    assert_eq!(of("shop.access.log").failed, 0);

    // Two parts of one log are no sites, whatever their names are.
    let folder = tempfile::tempdir().unwrap();
    Traffic::outage().write(folder.path());
    let log = folder.path().join("access.log");
    let text = fs::read_to_string(&log).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let (first, second) = lines.split_at(lines.len() / 4);
    fs::write(folder.path().join("early.log"), first.concat()).unwrap();
    fs::write(folder.path().join("late.log"), second.concat()).unwrap();
    fs::remove_file(&log).unwrap();
    let report = support::report(&support::options(&[folder.path().to_owned()]));
    let [incident] = report.incidents.as_slice() else { panic!("{:?}", report.incidents) };
    assert!(incident.scope.vhosts.is_empty() && incident.scope.all, "{:?}", incident.scope);
}
