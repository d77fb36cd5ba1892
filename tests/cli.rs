//! The binary as a shell sees it: help, codes, streams and files.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use assert_cmd::Command;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::Stdio;
use tempfile::TempDir;

fn downtime() -> Command {
    let mut command = assert_cmd::cargo::cargo_bin_cmd!("downtime");
    command.env_clear().env("TZ", "UTC");
    command
}

/// Twenty quiet minutes.
fn calm() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("access.log");
    let mut text = String::new();
    for second in 0..1200 {
        let (minute, second) = (second / 60, second % 60);
        let _ = writeln!(
            text,
            "192.0.2.{second} - - [01/Mar/2026:10:{minute:02}:{second:02} +0000] \"GET / HTTP/1.1\" 200 512 \"-\" \"curl/8.5.0\""
        );
    }
    fs::write(&file, text).unwrap();
    (folder, file)
}

fn stdout(command: &mut Command) -> String {
    String::from_utf8(command.output().unwrap().stdout).unwrap()
}

fn stderr(command: &mut Command) -> String {
    String::from_utf8(command.output().unwrap().stderr).unwrap()
}

#[test]
fn help_begins_with_examples_and_both_lengths_exist() {
    let (short, long) = (stdout(downtime().arg("-h")), stdout(downtime().arg("--help")));
    assert!(short.starts_with("Examples:\n  downtime "), "{short}");
    assert!(long.starts_with("Examples:\n  downtime "), "{long}");
    assert!(long.contains("Exit codes:") && !short.contains("Exit codes:"));
    assert!(short.len() < long.len());
    downtime().arg("--help").assert().code(0);
    for command in ["lines", "series", "formats"] {
        downtime().args([command, "--help"]).assert().code(0);
    }
    assert!(stdout(downtime().arg("--version")).starts_with("downtime "));
}

#[test]
fn mistakes_are_usage_errors_on_stderr_with_a_suggestion() {
    let (_folder, file) = calm();
    let file = file.to_str().unwrap();
    for args in [
        &["--formt", "json", file][..],
        &["--format", "pdf", file],
        &["--since", "soon", file],
        &["--since", "2026-03-02", "--until", "2026-03-01 00:00", file],
        &["--tz", "America/Bogota", file],
        &["--error-tz", "../x", file],
        &["--threads", "-1", file],
        &["-", "-"],
        &["series", "--step", "0", file],
        &["series", "--format", "brief", file],
    ] {
        let output = downtime().args(args).write_stdin("").output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{args:?}");
    }
    assert!(stderr(downtime().args(["--formt", "json"])).contains("--format"));
    assert!(stderr(downtime().args(["--format", "jsn"])).contains("json"));
}

#[test]
fn an_unreadable_path_ends_with_1_and_the_rest_goes_on() {
    let (folder, file) = calm();
    let absent = folder.path().join("no\u{1b}[2Jne.log");
    let output = downtime().arg(&absent).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("no\\x1b[2Jne.log") && !said.contains('\u{1b}'), "{said}");

    let output = downtime().args([&absent, &file]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stdout).unwrap().contains("access.log"));
    downtime().arg("--exit-code").arg(&absent).assert().code(2);
}

#[test]
fn a_calm_log_is_one_line_first_and_code_0() {
    let (_folder, file) = calm();
    for args in [&[][..], &["--exit-code"], &["--since", "2026-03-01", "--tz", "-05:00"]] {
        let output = downtime().args(args).arg(&file).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        assert!(String::from_utf8(output.stdout).unwrap().starts_with("No incident in "), "{args:?}");
    }
    assert_eq!(stdout(downtime().arg("-q").arg(&file)), "");
    assert_eq!(stdout(downtime().args(["--format", "brief"]).arg(&file)), "");
    assert_eq!(stdout(downtime().args(["--format", "csv"]).arg(&file)).lines().count(), 1);
}

#[test]
fn json_is_json() {
    let (_folder, file) = calm();
    let value: serde_json::Value =
        serde_json::from_str(&stdout(downtime().args(["--format", "json"]).arg(&file))).unwrap();
    assert_eq!(value["schema"], "downtime.report/1");
    let schema: serde_json::Value = serde_json::from_str(&stdout(downtime().arg("--schema"))).unwrap();
    assert!(schema["$defs"]["report"].is_object());
}

fn sample(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("samples").join(name)
}

#[test]
fn an_incident_is_told_by_text_and_by_code() {
    let output = downtime().arg("--exit-code").arg(sample("story")).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("1 incident in 13 min of logs") && text.contains("\nOUTAGE  ["), "{text}");
    downtime().arg(sample("story")).assert().code(0);
    assert_eq!(stdout(downtime().args(["--format", "brief"]).arg(sample("story"))).lines().count(), 1);
}

#[test]
fn standard_input_is_read_like_a_file() {
    let log = fs::read(sample("low-traffic/access.log.gz")).unwrap();
    let output = downtime().args(["-", "--format", "brief"]).write_stdin(log).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let line = String::from_utf8(output.stdout).unwrap();
    assert!(line.contains("  outage  ") && line.contains("  100 %  "), "{line}");
}

#[test]
fn a_digest_is_that_of_the_file_on_disk() {
    let (_folder, file) = calm();
    let json = |args: &[&str]| -> serde_json::Value {
        serde_json::from_str(&stdout(downtime().args(["--format", "json"]).args(args).arg(&file))).unwrap()
    };
    assert!(json(&[])["inputs"][0]["digest"].is_null());
    let digest = json(&["--digest"])["inputs"][0]["digest"].as_str().unwrap().to_owned();
    assert_eq!(digest, downtime::input::digest::sha256(&file).unwrap());
    assert!(stdout(downtime().arg("--digest").arg(&file)).contains(&digest));
}

#[test]
fn another_programs_log_is_named_and_not_counted() {
    let output = downtime().arg(sample("foreign/haproxy.log")).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    assert!(String::from_utf8(output.stderr).unwrap().contains("HAProxy"), "named on standard error");
    let text = stdout(downtime().arg(sample("foreign")));
    assert!(text.contains("Nothing was read") && text.contains("HAProxy"), "{text}");
}

#[test]
fn colours_come_when_asked_for_and_never_into_a_pipe() {
    let (_folder, file) = calm();
    assert!(!stdout(downtime().arg(&file)).contains('\u{1b}'));
    assert!(!stdout(downtime().env("NO_COLOR", "1").arg(&file)).contains('\u{1b}'));
    assert!(stdout(downtime().args(["--color", "always"]).arg(&file)).contains('\u{1b}'));
    assert!(!stdout(downtime().args(["--color", "never"]).arg(&file)).contains('\u{1b}'));
}

#[test]
fn a_file_gets_what_stdout_would_and_no_log_is_overwritten() {
    let (folder, file) = calm();
    let report = folder.path().join("report.txt");
    let shown = stdout(downtime().arg(&file));
    let output = downtime().arg("-o").arg(&report).arg(&file).output().unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(0), 0));
    assert_eq!(fs::read_to_string(&report).unwrap(), shown);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);

    let before = fs::read(&file).unwrap();
    downtime().arg("-o").arg(&file).arg(&file).assert().code(2);
    assert_eq!(fs::read(&file).unwrap(), before);
    downtime().arg("-o").arg(folder.path().join("no/such/x")).arg(&file).assert().code(1);
    #[cfg(unix)]
    downtime().args(["-o", "/dev/null"]).arg(&file).assert().code(0);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error() {
    let (_folder, file) = calm();
    downtime().args(["-o", "/dev/full"]).arg(&file).assert().code(1);
}

#[test]
fn a_broken_pipe_ends_quietly() {
    let (_folder, file) = calm();
    for args in [&["--format", "json"][..], &["completions", "bash"], &["--help"]] {
        let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin!("downtime"));
        command.args(args);
        if args[0] == "--format" {
            command.arg(&file);
        }
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let mut said = String::new();
        BufReader::new(child.stderr.take().unwrap()).read_to_string(&mut said).unwrap();
        assert_eq!((child.wait().unwrap().code(), said.as_str()), (Some(0), ""), "{args:?}");
    }
}

#[test]
fn completions_and_manual_are_made() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(stdout(downtime().args(["completions", shell])).contains("downtime"), "{shell}");
    }
    assert!(
        BufReader::new(stdout(downtime().arg("man")).as_bytes())
            .lines()
            .any(|l| l.unwrap().contains("SYNOPSIS"))
    );
}

#[test]
fn a_redacted_report_names_no_client_and_no_query_in_any_form() {
    let mut log = String::new();
    let packed = fs::File::open(sample("story/access.log.gz")).unwrap();
    flate2::read::MultiGzDecoder::new(packed).read_to_string(&mut log).unwrap();
    let clients: std::collections::BTreeSet<&str> = log.lines().filter_map(|l| l.split(' ').next()).collect();
    assert!(clients.len() > 50, "{}", clients.len());
    let report = |form: &str, redact: bool| {
        let mut command = downtime();
        command.args(["--format", form]).args(redact.then_some("--redact")).arg(sample("story"));
        stdout(&mut command)
    };
    let words = |text: &str| {
        let word = |c: char| !c.is_ascii_digit() && c != '.';
        text.split(word).map(|w| w.trim_matches('.').to_owned()).collect::<std::collections::BTreeSet<_>>()
    };
    let mut names = std::collections::BTreeSet::new();
    for form in ["text", "json", "ndjson", "markdown", "html", "csv", "brief"] {
        let shown = report(form, true);
        let found = words(&shown);
        assert!(!clients.iter().any(|c| found.contains(*c)), "{form}: {shown}");
        assert!(!shown.contains("?period=") && !shown.contains("?page="), "{form}: {shown}");
        assert!(!shown.contains("Mozilla/") && !shown.contains("AppleWebKit"), "{form}: {shown}");
        if !matches!(form, "csv" | "brief") {
            assert!(report(form, false).contains("?period="), "{form}");
            assert!(
                shown.contains("10.0.3.21") || form == "text",
                "{form}: the upstream is the server's own"
            );
        }
        names.extend(shown.match_indices("client-").map(|(at, _)| shown[at..at + 17].to_owned()));
        assert_eq!(shown, report(form, true), "{form}: the same each time");
    }
    // A few lines are quoted, each of one client.
    assert!((2..=6).contains(&names.len()), "{names:?}");
    // A stream has the key of the file with its content: the same client has the same name.
    let piped = stdout(downtime().args(["--redact", "--format", "json", "-"]).write_stdin(log.clone()));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("access.log");
    fs::write(&file, &log).unwrap();
    let plain = stdout(downtime().args(["--redact", "--format", "json"]).arg(&file));
    let names = |text: &str| {
        text.match_indices("client-").map(|(at, _)| text[at..at + 17].to_owned()).collect::<Vec<_>>()
    };
    assert!(names(&piped).len() > 2 && names(&plain).contains(&names(&piped)[0]), "{piped}");
    assert!(!clients.iter().any(|c| words(&piped).contains(*c)), "{piped}");
    let state = folder.path().join("state");
    let output = downtime().arg("--redact").arg("--state").arg(state).arg(&file).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "what earlier runs read makes no key");
}

#[test]
fn the_lines_of_the_report_are_opened_by_its_own_command() {
    let text = stdout(downtime().current_dir(env!("CARGO_MANIFEST_DIR")).arg("samples/story"));
    let command = text.lines().find_map(|l| l.trim().strip_prefix("Its lines   downtime ")).unwrap();
    let lines = stdout(downtime().current_dir(env!("CARGO_MANIFEST_DIR")).args(command.split(' ')));
    assert!(
        lines.lines().count() > 1000 && lines.contains("error.log.gz:21: 2026/06/18 18:00:06 [emerg]"),
        "{lines}"
    );
    let numbers = text.lines().find_map(|l| l.split_once("downtime series ")).unwrap().1;
    let minutes = format!("series {numbers}");
    let steps = stdout(downtime().current_dir(env!("CARGO_MANIFEST_DIR")).args(minutes.split(' ')));
    assert!(steps.contains("18:02") && !steps.contains("18:30"), "{steps}");
    let wrong = downtime().args(["lines", "x", "-"]).write_stdin("").output().unwrap();
    assert_eq!(wrong.status.code(), Some(2));
}

#[test]
fn redaction_finds_names_and_agents_by_the_format() {
    use std::fmt::Write as _;
    let mut log = String::new();
    for n in 0..1200 {
        let (minute, second) = (n / 60, n % 60);
        let status = if (600..660).contains(&n) { 502 } else { 200 };
        for client in 1..4 {
            let _ = writeln!(
                log,
                "192.0.2.{client} - jane{client} [01/Mar/2026:10:{minute:02}:{second:02} +0000] \"GET /a HTTP/1.1\" {status} 9 \
                 \"-\" \"Shop/5 (P{client})\" 0.010 \"sid=s3cret{client}\""
            );
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("access.log");
    fs::write(&file, &log).unwrap();
    let format = "$remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent \"$http_referer\" \
                  \"$http_user_agent\" $request_time \"$http_cookie\"";
    let report = |redact: bool| {
        let mut command = downtime();
        command
            .args(["--format", "json", "--log-format", format])
            .args(redact.then_some("--redact"))
            .arg(&file);
        stdout(&mut command)
    };
    let (plain, hidden) = (report(false), report(true));
    for secret in ["jane", "Shop/5", "s3cret", "192.0.2."] {
        assert!(plain.contains(secret) && !hidden.contains(secret), "{secret}: {hidden}");
    }
    for name in ["client-", "user-", "agent-", "[hidden]"] {
        assert!(hidden.contains(name), "{name}: {hidden}");
    }
}
