//! A packed log says what the plain one says, also where it is so long that not all of it is unpacked twice.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// Requests a second, and seconds.
const RATE: u64 = 9;
const SECONDS: u64 = 9000;

/// Hours of a site: from minute 12 on old pages are gone for two minutes, from minute 31 on nothing works for two
/// minutes, and in minute 135 one client tries again and again.
fn log() -> String {
    let agent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 ".repeat(16);
    let mut out = String::with_capacity(90 << 20);
    let mut line = |second: u64, client: u64, page: &str, status: u16| {
        let (hour, minute, second) = (10 + second / 3600, second / 60 % 60, second % 60);
        writeln!(
            out,
            "10.0.{}.{} - - [01/Mar/2026:{hour:02}:{minute:02}:{second:02} +0000] \"GET {page} HTTP/1.1\" {status} 512 \"-\" \"{agent}\"",
            client >> 8,
            client & 255
        )
        .unwrap();
    };
    for second in 0..SECONDS {
        for n in 0..RATE {
            let turn = second * RATE + n;
            let (old, down) = (turn.is_multiple_of(4), (1860..1980).contains(&second));
            let gone = old && (720..840).contains(&second);
            let page = if old { "/old/page" } else { ["/", "/cart", "/search"][(turn % 3) as usize] };
            line(
                second,
                turn * 31 % 3001,
                page,
                if down {
                    502
                } else if gone {
                    404
                } else {
                    200
                },
            );
        }
        if (8100..8160).contains(&second) {
            (0..6).for_each(|_| line(second, 3500, "/api/retry", 502));
        }
    }
    out
}

/// What a report says, without the names of its files.
fn told(file: &Path) -> Value {
    let out = Command::new(assert_cmd::cargo::cargo_bin!("downtime"))
        .args(["--format", "json", "--threads", "2"])
        .arg(file)
        .env_clear()
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let text = String::from_utf8(out.stdout).unwrap();
    let text = text.replace(file.to_str().unwrap(), "access.log");
    let mut report: Value = serde_json::from_str(&text).unwrap();
    report["inputs"][0]["notes"] = Value::Null;
    report["run"] = Value::Null;
    report
}

/// Where two reports differ first; all of both would fill pages.
fn first_difference(a: &Value, b: &Value, at: &str) -> Option<String> {
    match (a, b) {
        (Value::Object(x), Value::Object(y)) if x.len() == y.len() => {
            x.iter().find_map(|(key, value)| first_difference(value, y.get(key)?, &format!("{at}/{key}")))
        }
        (Value::Array(x), Value::Array(y)) if x.len() == y.len() => {
            (0..x.len()).find_map(|i| first_difference(&x[i], &y[i], &format!("{at}/{i}")))
        }
        _ => (a != b).then(|| format!("{at}: {a} and not {b}")),
    }
}

#[test]
fn a_long_packed_log_says_what_the_plain_one_says() {
    let dir = tempfile::tempdir().unwrap();
    let text = log();
    assert!(text.len() > 64 << 20);
    let plain = dir.path().join("access.log");
    std::fs::write(&plain, &text).unwrap();
    let want = told(&plain);
    std::fs::remove_file(&plain).unwrap();
    let packed = dir.path().join("access.log.gz");
    let mut gz = GzEncoder::new(std::fs::File::create(&packed).unwrap(), Compression::none());
    gz.write_all(text.as_bytes()).unwrap();
    gz.finish().unwrap();
    let got = told(&packed);
    // What hangs on who asked and on what was there before: without a second look both would be other.
    let text = want.to_string();
    assert!(text.contains("10.0.13.172"), "the client that tried again is named");
    assert_eq!(want["incidents"].as_array().map(Vec::len), Some(2), "{:#}", want["incidents"]);
    assert_eq!(first_difference(&got, &want, ""), None);
}

#[test]
fn of_a_pipe_it_is_said_what_was_not_looked_at() {
    let mut child = Command::new(assert_cmd::cargo::cargo_bin!("downtime"))
        .args(["--format", "json", "-"])
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let line = |n: u32| {
        format!(
            "10.0.0.{} - - [01/Mar/2026:10:00:{:02} +0000] \"GET /{n} HTTP/1.1\" 200 1 \"-\" \"-\"\n",
            n % 9,
            n % 60
        )
    };
    child.stdin.take().unwrap().write_all((0..60).map(line).collect::<String>().as_bytes()).unwrap();
    let report: Value = serde_json::from_slice(&child.wait_with_output().unwrap().stdout).unwrap();
    let notes = report["inputs"][0]["notes"][0].as_str().unwrap();
    assert!(notes.contains("read once") && notes.contains("who asked for what"), "{notes}");
}
