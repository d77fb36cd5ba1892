//! `downtime lines`: what it prints is what the files hold, all of it and in the order of time.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use tempfile::TempDir;

/// 2026-03-01 10:00:00 UTC.
const TEN: i64 = 1_772_359_200;
/// Seconds of log; the upstream is gone from [`DOWN`] to [`UP`].
const LAST: i64 = 1800;
const DOWN: i64 = 900;
const UP: i64 = 990;

fn clock(second: i64, zone: i64) -> String {
    let s = second + zone * 3600;
    format!("{:02}:{:02}:{:02}", s / 3600 % 24, s / 60 % 60, s % 60)
}

/// Half an hour of one host whose clock is `zone` hours east: five requests a second, a minute and a half of 502.
fn host(zone: i64, client: u8) -> (String, String) {
    let (mut access, mut error) = (String::new(), String::new());
    for second in TEN..TEN + LAST {
        for n in 0..5 {
            // One of five comes from a cache.
            let down = n < 4 && (TEN + DOWN..TEN + UP).contains(&second);
            let status = if down { 502 } else { 200 };
            let at = clock(second, zone);
            let _ = writeln!(
                access,
                "192.0.2.{client} - - [01/Mar/2026:{at} {zone:+03}00] \"GET /p/{second}/{n} HTTP/1.1\" {status} 512 \"-\" \"{}\"",
                "x".repeat(60)
            );
            if down {
                let _ = writeln!(
                    error,
                    "2026/03/01 {at} [error] 7#7: *{second}{n} connect() failed (111: Connection refused) while \
                     connecting to upstream, client: 192.0.2.{client}, server: a, request: \"GET /p/{second}/{n} \
                     HTTP/1.1\", upstream: \"http://10.0.0.{client}:80/\", host: \"a\""
                );
            }
        }
    }
    (access, error)
}

fn packed(path: &Path, text: &str) {
    let mut out = flate2::write::GzEncoder::new(fs::File::create(path).unwrap(), flate2::Compression::fast());
    out.write_all(text.as_bytes()).unwrap();
    out.finish().unwrap();
}

/// Two hosts in two zones; the second one's access log is packed. 0.7 and 1.4 MiB: several blocks of the index.
fn two_hosts() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, zone, client) in [("web1", -5, 1), ("web2", 2, 2)] {
        let at = folder.path().join(name);
        fs::create_dir(&at).unwrap();
        let (access, error) = host(zone, client);
        if client == 1 {
            fs::write(at.join("access.log"), access).unwrap();
        } else {
            packed(&at.join("access.log.gz"), &access);
        }
        fs::write(at.join("error.log"), error).unwrap();
    }
    folder
}

fn run(folder: &Path, args: &[&str]) -> Result<Vec<String>, String> {
    let mut command = assert_cmd::cargo::cargo_bin_cmd!("downtime");
    let output = command.current_dir(folder).env_clear().args(args).output().unwrap();
    if output.status.success() {
        Ok(String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect())
    } else {
        Err(String::from_utf8(output.stderr).unwrap())
    }
}

/// `TIME PATH:LINE: TEXT`.
fn parts(line: &str) -> (i64, &str, usize, &str) {
    let (time, rest) = line.split_once(' ').unwrap();
    let time = downtime::time::parse_iso8601(time.as_bytes()).unwrap().0.second();
    let (place, text) = rest.split_once(": ").unwrap();
    let (path, number) = place.rsplit_once(':').unwrap();
    (time, path, number.parse().unwrap(), text)
}

fn id(folder: &Path) -> String {
    let brief = run(folder, &["--format", "brief", "."]).unwrap();
    assert_eq!(brief.len(), 1, "{brief:?}");
    brief[0].rsplit_once('[').unwrap().1.trim_end_matches(']').to_owned()
}

#[test]
fn an_incidents_lines_are_all_of_them_in_the_order_of_time_over_zones() {
    let folder = two_hosts();
    let folder = folder.path();
    let id = id(folder);
    let lines = run(folder, &["lines", &id, "."]).unwrap();
    let seconds = (UP - DOWN) as usize;
    assert_eq!(lines.len(), 2 * 2 * 4 * seconds, "two hosts, two logs, four failures a second");
    let found: Vec<_> = lines.iter().map(|l| parts(l)).collect();
    assert!(found.is_sorted_by_key(|f| f.0), "in the order of time");
    let hosts: Vec<_> = found.iter().filter(|f| f.0 == TEN + DOWN).map(|f| &f.1[2..6]).collect();
    assert!(
        hosts.contains(&"web1") && hosts.contains(&"web2"),
        "seven hours apart on their clocks: {hosts:?}"
    );
    let access: Vec<String> = host(-5, 1).0.lines().map(str::to_owned).collect();
    for (_, path, number, text) in found {
        if path == "./web1/access.log" {
            assert_eq!(access[number - 1], text);
        }
    }
    // Packed or plain makes no difference.
    let of = |name: &str| lines.iter().filter(|l| l.contains(name)).map(|l| parts(l).2).collect::<Vec<_>>();
    assert_eq!(of("web1/access.log:"), of("web2/access.log.gz:"));
}

#[test]
fn all_means_every_line_of_the_time() {
    let folder = two_hosts();
    let id = id(folder.path());
    let some = run(folder.path(), &["lines", &id, "."]).unwrap();
    let all = run(folder.path(), &["lines", &id, ".", "--all"]).unwrap();
    let good = all.iter().filter(|l| l.contains("HTTP/1.1\" 200 ")).count();
    assert_eq!((good, all.len() - good), (2 * (UP - DOWN) as usize, some.len()));
    let raw = run(folder.path(), &["lines", &id, ".", "--raw"]).unwrap();
    assert_eq!(raw, some.iter().map(|l| parts(l).3).collect::<Vec<_>>());
}

#[test]
fn a_place_is_opened_with_its_neighbours_in_any_block() {
    let folder = two_hosts();
    let access: Vec<String> = host(2, 2).0.lines().map(str::to_owned).collect();
    for number in [1, 2, 4_500, 9_000] {
        let place = format!("web2/access.log.gz:{number}");
        let one = run(folder.path(), &["lines", &place, "."]).unwrap();
        assert_eq!(one.len(), 1, "{place}");
        assert_eq!(parts(&one[0]).3, access[number - 1]);
        let five = run(folder.path(), &["lines", &place, ".", "-C", "2"]).unwrap();
        let want = access[number.saturating_sub(3)..(number + 2).min(access.len())].to_vec();
        let got: Vec<_> = five.iter().map(|l| l.split_once("192.0.2.2").unwrap().1).collect();
        let want: Vec<_> = want.iter().map(|l| l.split_once("192.0.2.2").unwrap().1).collect();
        assert_eq!(got, want, "{place}");
    }
    for (place, said) in
        [("access.log.gz:9001", "has no line"), ("nope.log:1", "no file"), ("error.log:1", "several")]
    {
        let error = run(folder.path(), &["lines", place, "."]).unwrap_err();
        assert!(error.contains(said), "{error}");
    }
    let error = run(folder.path(), &["lines", "19700101T000000Z", "."]).unwrap_err();
    assert!(error.contains("there is no incident") && error.contains("20260301T1015"), "{error}");
}

#[test]
fn a_line_that_two_files_hold_is_shown_once() {
    let folder = tempfile::tempdir().unwrap();
    let (access, error) = host(0, 1);
    fs::write(folder.path().join("access.log"), &access).unwrap();
    fs::write(folder.path().join("error.log"), error).unwrap();
    let shared: Vec<&str> = access.lines().skip(4_000).take(3_000).collect();
    fs::write(folder.path().join("access.log.1"), shared.join("\n") + "\n").unwrap();
    let id = id(folder.path());
    let lines = run(folder.path(), &["lines", &id, "."]).unwrap();
    assert_eq!(lines.len(), 2 * 4 * (UP - DOWN) as usize);
}

/// The program with something on its standard input, through a pipe.
fn piped(folder: &Path, args: &[&str], input: &[u8]) -> Result<Vec<String>, String> {
    let mut command = assert_cmd::cargo::cargo_bin_cmd!("downtime");
    let output = command.current_dir(folder).env_clear().args(args).write_stdin(input).output().unwrap();
    if output.status.success() {
        Ok(String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect())
    } else {
        Err(String::from_utf8(output.stderr).unwrap())
    }
}

#[test]
fn lines_of_standard_input_are_those_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let (access, _) = host(0, 1);
    fs::write(folder.path().join("access.log"), &access).unwrap();
    let id = id(folder.path());
    let want = run(folder.path(), &["lines", &id, "access.log", "--raw"]).unwrap();
    assert!(!want.is_empty());
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(access.as_bytes()).unwrap();
    for input in [access.clone().into_bytes(), gzip.finish().unwrap()] {
        assert_eq!(piped(folder.path(), &["lines", &id, "-", "--raw"], &input).unwrap(), want);
    }
    let place = format!("standard input:{}", DOWN * 5 + 1);
    let one = piped(folder.path(), &["lines", &place, "-", "--raw"], access.as_bytes()).unwrap();
    assert_eq!(one, [access.lines().nth(DOWN as usize * 5).unwrap()]);
}

/// Half an hour in which for a minute and a half one page of two is bad in some way.
fn quiet(bad: impl Fn(i64) -> (u16, f64)) -> String {
    let mut access = String::new();
    for second in TEN..TEN + LAST {
        for n in 0..6 {
            let at = clock(second, 0);
            let hit = n % 2 == 1 && (TEN + DOWN..TEN + UP).contains(&second);
            let (status, took) = if hit { bad(second) } else { (200, 0.02 + 0.001 * (second % 7) as f64) };
            let path =
                if n % 2 == 1 { format!("/static/app.{}.js", n % 3) } else { format!("/p/{}", second % 5) };
            let client = second % 90 + 1;
            let _ = writeln!(
                access,
                "192.0.2.{client} - - [01/Mar/2026:{at} +0000] \"GET {path}?v={n} HTTP/1.1\" {status} 512 \"-\" \"curl/8\" {took:.3}"
            );
        }
    }
    access
}

#[test]
fn what_a_quiet_incident_is_made_of_is_shown_without_asking_for_all() {
    type Bad = fn(i64) -> (u16, f64);
    let kinds: [(&str, Bad, &str); 3] = [
        ("missing", |_| (404, 0.01), " 404 "),
        ("slow", |_| (200, 4.5), " 4.500"),
        ("given up", |_| (499, 0.4), " 499 "),
    ];
    for (kind, bad, mark) in kinds {
        let folder = tempfile::tempdir().unwrap();
        let format = "$remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent \
                      \"$http_referer\" \"$http_user_agent\" $request_time";
        fs::write(folder.path().join("access.log"), quiet(bad)).unwrap();
        let option = format!("--log-format={format}");
        let brief = run(folder.path(), &["--format", "brief", &option, "access.log"]).unwrap();
        assert_eq!(brief.len(), 1, "{kind}: {brief:?}");
        let id = brief[0].rsplit_once('[').unwrap().1.trim_end_matches(']').to_owned();
        let lines = run(folder.path(), &["lines", &id, &option, "access.log", "--raw"]).unwrap();
        let shown = lines.iter().filter(|l| l.contains(mark)).count();
        let made = 3 * (UP - DOWN) as usize;
        // Those written in the seconds behind its end belong to it and are not shown; else all, and nothing besides.
        assert!(
            shown * 20 >= made * 19 && lines.len() <= shown + 2,
            "{kind}: {shown} of {made}, {}",
            lines.len()
        );
    }
}
