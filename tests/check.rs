//! `downtime check` as a monitor calls it: the line, the code, and what is UNKNOWN.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use assert_cmd::Command;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The code and the lines of `downtime check ARGS`.
fn check(args: &[&str]) -> (i32, String) {
    let mut command: Command = assert_cmd::cargo::cargo_bin_cmd!("downtime");
    let output = command.env_clear().env("TZ", "UTC").arg("check").args(args).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

/// Two hours with two requests a second from 10:00; between the seconds of `bad` every answer is a 502.
fn log(bad: std::ops::Range<u32>) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("access.log");
    let mut text = String::new();
    for n in 0..14_400u32 {
        let second = n / 2;
        let status = if bad.contains(&second) { 502 } else { 200 };
        let _ = writeln!(
            text,
            "192.0.2.{} - - [01/Mar/2026:{:02}:{:02}:{:02} +0000] \"GET /{} HTTP/1.1\" {status} 512 \"-\" \"curl/8.5.0\"",
            n % 200,
            10 + second / 3600,
            second / 60 % 60,
            second % 60,
            n % 7,
        );
    }
    fs::write(&file, text).unwrap();
    (folder, file)
}

fn judged(file: &Path, until: &str, more: &[&str]) -> (i32, String) {
    check(&[&[file.to_str().unwrap(), "--until", until], more].concat())
}

#[test]
fn an_outage_is_critical_while_the_window_holds_it() {
    let (_folder, file) = log(6000..6300);
    let (code, text) = judged(&file, "2026-03-01T11:44:00Z", &[]);
    assert_eq!(code, 2, "{text}");
    assert!(text.starts_with("DOWNTIME CRITICAL - outage since "), "{text}");
    let (code, text) = judged(&file, "2026-03-01T11:50:00Z", &["-w", "2", "-c", "5"]);
    assert_eq!(code, 2, "{text}");
    let first = text.lines().next().unwrap();
    assert!(first.contains("| failed=33.333%;2;5;0;100 down=300s;;;0 requests=1800;;;0"), "{text}");
    // It is over, and the window has gone past it.
    let (code, text) = judged(&file, "2026-03-01T12:00:00Z", &["--window", "10m"]);
    assert_eq!(code, 0, "{text}");
    assert!(text.starts_with("DOWNTIME OK - 0 of 1,200 requests failed (0.0 %) | failed=0.000%;"), "{text}");
    let (code, _) = judged(&file, "2026-03-01T11:50:00Z", &["--down-critical", "600", "-w", "99"]);
    assert_eq!(code, 2, "an outage is critical whatever the limits allow");
}

#[test]
fn a_log_that_stopped_or_does_not_reach_back_is_unknown() {
    let (_folder, file) = log(0..0);
    for (until, what) in [
        ("2026-03-01T12:30:00Z", "requests stopped being logged"),
        ("2026-03-02T12:30:00Z", "no request was found"),
        ("2026-03-01T10:05:00Z", "inside the window"),
    ] {
        let (code, text) = judged(&file, until, &[]);
        assert_eq!(code, 3, "{text}");
        assert!(text.starts_with("DOWNTIME UNKNOWN - "), "{text}");
        assert!(text.contains(what), "{what}: {text}");
    }
    // Now is years away from these lines, or they from now.
    assert_eq!(check(&[file.to_str().unwrap()]).0, 3);
}

#[test]
fn a_wrong_call_never_reads_as_critical() {
    let (folder, file) = log(0..0);
    let path = file.to_str().unwrap();
    let none = folder.path().join("none.log");
    for args in [
        &["--no-such-flag"][..],
        &[path, "-w", "abc"],
        &[path, "--window", "0s"],
        &[path, "--since", "2h ago"],
        &[none.to_str().unwrap()],
    ] {
        let (code, text) = check(args);
        assert_eq!(code, 3, "{args:?}: {text}");
        assert!(text.starts_with("DOWNTIME UNKNOWN - "), "{args:?}: {text}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_said_even_when_the_rest_is_well() {
    let (folder, file) = log(0..0);
    let none = folder.path().join("none.log");
    let (code, text) = judged(&file, "2026-03-01T12:00:00Z", &[none.to_str().unwrap()]);
    assert_eq!(code, 3, "{text}");
    assert!(text.contains("none.log"), "{text}");
}

#[test]
fn no_text_of_a_log_begins_performance_data() {
    let (_folder, file) = log(6000..6300);
    let (_, text) = judged(&file, "2026-03-01T11:50:00Z", &[]);
    assert_eq!(text.matches('|').count(), 1, "{text}");
}
