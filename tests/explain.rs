//! `downtime explain` and `downtime patterns` as they are typed.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use assert_cmd::Command;
use serde_json::Value;
use std::fs;

const REFUSED: &str = "2026/03/01 10:00:00 [error] 12#12: *7 connect() failed (111: Connection refused) while connecting to upstream, client: 203.0.113.7, server: example.com, request: \"GET / HTTP/1.1\", upstream: \"http://10.0.0.5:8080/\", host: \"example.com\"";

fn downtime(args: &[&str]) -> Command {
    let mut command = assert_cmd::cargo::cargo_bin_cmd!("downtime");
    command.args(args).env_clear();
    command
}

fn objects(out: &[u8]) -> Vec<Value> {
    let lines = out.split(|b| *b == b'\n').filter(|l| !l.is_empty());
    lines.map(|l| serde_json::from_slice(l).unwrap()).collect()
}

#[test]
fn a_line_is_explained() {
    let run = downtime(&["explain", REFUSED]).assert().success();
    let text = String::from_utf8_lossy(&run.get_output().stdout).into_owned();
    for said in ["upstream.refused", "Fault", "upstream; clients see it", "Look at", "https://nginx.org"] {
        assert!(text.contains(said), "{said}: {text}");
    }
}

#[test]
fn standard_input_in_any_frame_gives_one_object_a_record() {
    let docker = serde_json::json!({"log": format!("{REFUSED}\n"), "stream": "stderr", "time": "2026-03-01T10:00:00Z"});
    let other = serde_json::json!({"log": "ready\n", "stream": "stdout", "time": "2026-03-01T10:00:01Z"});
    let input = format!("{docker}\n{other}\n{docker}\n");
    let run = downtime(&["explain", "--format", "json"]).write_stdin(input).assert().success();
    let found = objects(&run.get_output().stdout);
    assert_eq!(found.len(), 2);
    assert_eq!(found[0]["category"], "upstream.refused");
    assert_eq!(found[0]["errno"], 111);
    assert_eq!(found[0]["action"], "connecting to upstream");
    assert_eq!(found[0]["fields"]["upstream"], "http://10.0.0.5:8080/");
    assert_eq!(found[1]["at"], 3);
    assert!(String::from_utf8_lossy(&run.get_output().stderr).contains("1 of 3"));
}

#[test]
fn a_file_is_grouped_by_meaning_and_the_unknown_is_said_to_be() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("error.log");
    let odd = "2026/03/01 10:00:01 [error] 12#12: *8 frobnicator 7 exploded, client: 203.0.113.7";
    fs::write(&file, format!("{REFUSED}\n{REFUSED}\n{odd}\n")).unwrap();
    let run = downtime(&["explain", file.to_str().unwrap()]).assert().success();
    let text = String::from_utf8_lossy(&run.get_output().stdout).into_owned();
    assert!(text.contains("2 records") && text.contains("frobnicator # exploded"), "{text}");
    assert!(text.contains("unknown: no pattern knows this message"), "{text}");
}

/// Of several meanings the gravest is read first, then what clients see, then what is frequent, then what came first.
#[test]
fn the_gravest_meaning_comes_first() {
    let record = |level: &str, message: &str| format!("2026/03/01 10:00:00 [{level}] 12#12: {message}\n");
    let context = ", client: 203.0.113.7, server: a, request: \"GET / HTTP/1.1\", host: \"a\"";
    let lines = [
        "nginx: configuration file /etc/nginx/nginx.conf test failed\n".to_string(),
        record("notice", "signal process started"),
        record("error", &format!("*1 frobnicator 7 exploded{context}")),
        record("error", &format!("*2 access forbidden by rule{context}")),
        record("error", &format!("*3 open() \"/srv/a\" failed (2: No such file or directory){context}")),
        record("error", &format!("*4 open() \"/srv/b\" failed (2: No such file or directory){context}")),
        record("alert", "worker process 8 exited on signal 11"),
        record("emerg", "host not found in upstream \"app\" in /etc/nginx/nginx.conf:7"),
    ];
    let run = downtime(&["explain"]).write_stdin(lines.concat()).assert().success();
    let text = String::from_utf8_lossy(&run.get_output().stdout).into_owned();
    let heads: Vec<&str> = text
        .lines()
        .filter(|l| !l.starts_with(' '))
        .filter_map(|l| l.split_once(": "))
        .map(|(category, _)| category)
        .collect();
    assert_eq!(
        heads,
        [
            "config.dns",
            "process.crash",
            "content.missing",
            "auth.denied",
            "unknown",
            "process.signal",
            "config.invalid"
        ],
        "{text}"
    );
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for said in
        ["clients do not see it while the nginx that runs is not restarted", "a restart does not come up"]
    {
        assert!(words.contains(said), "{said}: {text}");
    }
}

#[test]
fn what_is_neither_line_nor_file_is_an_error() {
    assert!(fails(&["explain", "no-such-file"]).contains("no-such-file: "));
    assert!(fails(&["explain", "just some words"]).contains("no error records"));
    assert!(fails(&["explain"]).contains("empty"));
}

/// What a command that cannot be done says.
fn fails(args: &[&str]) -> String {
    let run = downtime(args).assert().code(1);
    String::from_utf8_lossy(&run.get_output().stderr).into_owned()
}

#[test]
fn own_patterns_are_checked_and_used() {
    let dir = tempfile::tempdir().unwrap();
    let good = r#"
[[pattern]]
id = "shop-closed"
title = "The shop is closed"
category = "upstream.app_error"
fault = "upstream"
client_visible = "yes"
starts = ["frobnicator"]
hint = "Open it."
[[pattern.match]]
line = '2026/03/01 10:00:00 [error] 1#1: *1 frobnicator 7 exploded, client: 203.0.113.7'
[[pattern.reject]]
line = '2026/03/01 10:00:00 [error] 1#1: *1 the frobnicator is well, client: 203.0.113.7'
why = "well"
"#;
    let file = dir.path().join("shop.toml");
    fs::write(&file, good).unwrap();
    let folder = dir.path().to_str().unwrap();
    let run = downtime(&["patterns", "--check", folder]).assert().success();
    assert!(String::from_utf8_lossy(&run.get_output().stdout).contains("1 patterns, proven by 2 lines"));
    let odd = "2026/03/01 10:00:01 [error] 12#12: *8 frobnicator 9 exploded, client: 203.0.113.7";
    let run = downtime(&["explain", "--format", "json", "--patterns", folder, odd]).assert().success();
    assert_eq!(objects(&run.get_output().stdout)[0]["pattern"], "shop-closed");
    let config = dir.path().join("xdg");
    fs::create_dir_all(config.join("downtime/patterns")).unwrap();
    fs::copy(&file, config.join("downtime/patterns/shop.toml")).unwrap();
    let run =
        downtime(&["explain", "--format", "json", odd]).env("XDG_CONFIG_HOME", &config).assert().success();
    assert_eq!(objects(&run.get_output().stdout)[0]["pattern"], "shop-closed");
    fs::write(&file, good.replace("starts =", "keywords =")).unwrap();
    assert!(fails(&["patterns", "--check", folder]).contains("must not match (well)"));
}

/// Faults of every kind in one folder are all named, each with file, line and what to do.
#[test]
fn a_check_names_every_fault() {
    let dir = tempfile::tempdir().unwrap();
    let pattern = |id: &str, more: &str, line: &str| {
        format!(
            r#"
[[pattern]]
id = "{id}"
title = "t"
category = "upstream.app_error"
fault = "upstream"
client_visible = "yes"
hint = "h"
{more}
[[pattern.match]]
line = '{line}'
[[pattern.reject]]
line = '2026/03/01 10:00:00 [error] 1#1: *1 nothing of it, client: 203.0.113.7'
why = "nothing"
"#
        )
    };
    let good = "2026/03/01 10:00:00 [error] 1#1: *1 frob exploded, client: 203.0.113.7";
    let own = "starts = [\"frob\"]";
    let one = [
        pattern("well", own, good),
        pattern("odd-key", "starts = [\"frob\"]\nsmell = \"bad\"", good),
        pattern("no-errno", "starts = [\"frob\"]\nerrno = [\"ENOSUCH\"]", good),
        pattern("well", own, good),
        pattern("missed", "starts = [\"frog\"]", good),
        pattern("no-line", "starts = [\"frot\"]", "frot"),
    ];
    fs::write(dir.path().join("a.toml"), one.concat()).unwrap();
    fs::write(dir.path().join("b.toml"), "[[pattern]\n").unwrap();
    let said = fails(&["patterns", "--check", dir.path().to_str().unwrap()]);
    let faults: Vec<&str> = said.lines().filter(|l| l.contains(".toml:")).collect();
    for (place, what) in [
        ("a.toml:24:", "odd-key: unknown field `smell`"),
        ("a.toml:31:", "no-errno: \"ENOSUCH\" is no errno that nginx writes: use a symbol"),
        ("a.toml:46:", "well: this id is used twice"),
        ("a.toml:69:", "missed: taken by well: raise the priority"),
        ("a.toml:83:", "no-line: no error-log record: write the whole line"),
        ("b.toml:1:", "no TOML of patterns"),
    ] {
        assert!(faults.iter().any(|f| f.contains(place) && f.contains(what)), "{place} {what}:\n{said}");
    }
    assert_eq!(faults.len(), 6, "{said}");
    assert!(said.contains("6 faults in "), "{said}");
}

#[test]
fn the_catalogue_is_listed() {
    let run = downtime(&["patterns", "--format", "json"]).assert().success();
    assert!(objects(&run.get_output().stdout).len() > 150);
    let run = downtime(&["patterns", "dns"]).assert().success();
    assert!(String::from_utf8_lossy(&run.get_output().stdout).contains("dns-bad-response"));
}
