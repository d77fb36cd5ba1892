//! The scan held against itself: any cut and any number of threads, and the fast ways against the exact one.

use super::partial::FileScan;
use super::plan::{Fast, Plan};
use super::scanner::Scanner;
use super::{Job, ScanOptions, scan};
use crate::format::framing::Framing;
use crate::format::{AccessFormat, Escape};
use crate::input::source::Source;
use crate::parallel::Workers;
use crate::time::Window;
use crate::timeline::{CLASSES, Class, bucket};
use std::fmt::Write;
use std::io::Write as _;
use std::sync::Arc;

const UPSTREAM: &str = "$remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent \"$http_referer\" \
    \"$http_user_agent\" $request_time \"$upstream_addr\" \"$upstream_status\" \"$upstream_response_time\"";
/// Times of upstreams, and none of the request itself.
const PEERS: &str = "$remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent \"$http_referer\" \
    \"$http_user_agent\" \"$upstream_addr\" \"$upstream_response_time\" \"$host\"";
const JSON_PEERS: &str = "{\"time\":\"$time_iso8601\",\"client\":\"$remote_addr\",\"request\":\"$request\",\
    \"status\":$status,\"upstream_response_time\":\"$upstream_response_time\",\"host\":\"$host\"}";
/// All of them.
const KINDS: [&str; 6] = ["combined", "upstream", "peers", "json", "json of peers", "error"];
const JSON: &str = "{\"time\":\"$time_iso8601\",\"client\":\"$remote_addr\",\"request\":\"$request\",\
    \"status\":$status,\"request_time\":$request_time,\"host\":\"$host\"}";

fn plan(kind: &str) -> Plan {
    let format = match kind {
        "combined" => AccessFormat::by_name("combined").unwrap(),
        "upstream" => AccessFormat::from_directive("u", UPSTREAM, None).unwrap(),
        "peers" => AccessFormat::from_directive("p", PEERS, None).unwrap(),
        "json" => AccessFormat::from_directive("j", JSON, Some(Escape::Json)).unwrap(),
        "json of peers" => AccessFormat::from_directive("j", JSON_PEERS, Some(Escape::Json)).unwrap(),
        _ => return Plan::new(vec![], Framing::None),
    };
    Plan::new(vec![format], Framing::None)
}

/// Small numbers without a pattern.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

fn access_line(kind: &str, dice: &mut Dice, second: u64) -> String {
    let (h, m, s) = (second / 3600 % 24, second / 60 % 60, second % 60);
    let status = [200, 200, 200, 304, 404, 403, 499, 500, 502, 101, 400][dice.roll(11) as usize];
    let client = format!("192.0.2.{}", dice.roll(200));
    let long = "x".repeat(if dice.roll(20) == 0 { 150 } else { dice.roll(40) as usize });
    // A quote in a value, as `escape=json` writes it, puts all keys behind it at another quote.
    let quoted = if kind.starts_with("json") && dice.roll(12) == 0 { "\\\"" } else { "" };
    let request = format!("GET /a/{}/{quoted}{long}?q=1 HTTP/1.1", dice.roll(5000));
    let zone = if dice.roll(30) == 0 { 1 } else { 2 };
    let waited = format!("{}.{:03}", dice.roll(12), dice.roll(1000));
    let list = match dice.roll(9) {
        0 => "-".to_owned(),
        1 => format!("{waited}, 0.002 : 61.003"),
        2 => format!("-, {waited}"),
        _ => waited.clone(),
    };
    if kind.starts_with("json") {
        let (key, waited) = match kind {
            "json" => ("request_time", waited),
            _ => ("upstream_response_time", format!("\"{list}\"")),
        };
        return format!(
            "{{\"time\":\"2026-03-01T{h:02}:{m:02}:{s:02}+0{zone}:00\",\"client\":\"{client}\",\"request\":\"{request}\",\
             \"status\":{status},\"{key}\":{waited},\"host\":\"example.com\"}}"
        );
    }
    let mut line = format!(
        "{client} - - [01/Mar/2026:{h:02}:{m:02}:{s:02} +0{zone}00] \"{request}\" {status} 12 \"-\" \"agent/1.0 (x; y)\""
    );
    if kind == "upstream" {
        let waited = if dice.roll(9) == 0 { "-".to_owned() } else { waited };
        write!(line, " {waited} \"10.0.0.{}:80\" \"{status}\" \"{waited}\"", dice.roll(4)).unwrap();
    }
    if kind == "peers" {
        write!(line, " \"10.0.0.{}:80\" \"{list}\" \"example.com\"", dice.roll(4)).unwrap();
    }
    line
}

fn error_line(dice: &mut Dice, second: u64) -> String {
    let stamp = format!("2026/03/01 {:02}:{:02}:{:02}", second / 3600 % 24, second / 60 % 60, second % 60);
    let context = format!(
        "client: 192.0.2.{}, server: _, request: \"GET /{} HTTP/1.1\", host: \"x\"",
        dice.roll(200),
        dice.roll(5000)
    );
    match dice.roll(8) {
        0 => format!("{stamp} [notice] 7#7: signal process started"),
        1 => format!(
            "{stamp} [error] 7#7: *{} open() \"/srv/{}\" failed (2: No such file or directory), {context}",
            dice.roll(999),
            dice.roll(99)
        ),
        2 => format!(
            "{stamp} [error] 7#7: *1 FastCGI sent in stderr: \"PHP message: a\nStack trace:\n#0 b\" while reading, {context}"
        ),
        3 => format!(
            "{stamp} [warn] 7#7: {} words of kind {}",
            dice.roll(9),
            (b'a' + dice.roll(26) as u8) as char
        ),
        _ => format!(
            "{stamp} [error] 7#7: *{} connect() failed (111: Connection refused) while connecting to upstream, {context}",
            dice.roll(999)
        ),
    }
}

fn log(kind: &str, lines: usize, seed: u64) -> Vec<u8> {
    let mut dice = Dice(seed);
    let mut second = 36_000;
    let mut out = String::new();
    for _ in 0..lines {
        second += [0, 0, 0, 1, 1, 2, 75][dice.roll(7) as usize];
        let now = second - if dice.roll(25) == 0 { dice.roll(4) } else { 0 };
        match dice.roll(40) {
            0 => out.push_str("neither here nor there\n"),
            1 => out.push('\n'),
            4 => {
                let mut line = access_line(if kind == "error" { "json" } else { kind }, &mut dice, now);
                let at = dice.roll(line.len() as u64) as usize;
                line.replace_range(at..=at, ["\"", "[", " ", "9", "x"][dice.roll(5) as usize]);
                writeln!(out, "{line}").unwrap();
            }
            2 if kind == "combined" => writeln!(out, "{}", error_line(&mut dice, now)).unwrap(),
            3 if kind != "error" => writeln!(out, "{}\r", access_line(kind, &mut dice, now)).unwrap(),
            _ if kind == "error" => writeln!(out, "{}", error_line(&mut dice, now)).unwrap(),
            _ => writeln!(out, "{}", access_line(kind, &mut dice, now)).unwrap(),
        }
    }
    out.truncate(out.trim_end().len());
    out.into_bytes()
}

fn scan_file(bytes: &[u8], plan: &Plan, chunk_bytes: u64, threads: usize) -> FileScan {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    let source = Source::file(file.path()).unwrap();
    let job = Job { source: &source, plan, range: None, skip: vec![] };
    let options = ScanOptions { chunk_bytes, ..ScanOptions::default() };
    let workers = Workers::new(threads).unwrap();
    Arc::unwrap_or_clone(scan(&[job], &options, &workers, &|_| ()).pop().unwrap().unwrap())
}

#[test]
fn any_cut_and_any_threads_give_the_same() {
    for kind in KINDS {
        let bytes = log(kind, 600, 7);
        let plan = plan(kind);
        let whole = scan_file(&bytes, &plan, 8 << 20, 1);
        assert!(whole.requests + whole.error_records > 400, "{kind}: {whole:?}");
        assert!(whole.unparsed > 0 || kind == "error");
        for (chunk, threads) in [(64, 1), (64, 3), (1000, 2), (1024, 3), (65_536, 1)] {
            let mut cut = scan_file(&bytes, &plan, chunk, threads);
            // The index is as fine as the chunks; it must cover the same bytes.
            let covers = |s: &FileScan| {
                s.blocks
                    .iter()
                    .map(|b| (b.first, b.last))
                    .fold((i64::MAX, i64::MIN), |a, b| (a.0.min(b.0), a.1.max(b.1)))
            };
            assert_eq!(covers(&cut), covers(&whole), "{kind} {chunk}");
            assert!(cut.blocks.windows(2).all(|b| b[0].end <= b[1].start));
            cut.blocks.clone_from(&whole.blocks);
            assert_eq!(cut, whole, "{kind}, chunks of {chunk}, {threads} threads");
        }
    }
}

fn scan_slice(bytes: &[u8], plan: &Plan) -> FileScan {
    let mut scanner = Scanner::new(plan, Window::ALL, false);
    scanner.slice(bytes, 0, 0, 0);
    let mut out = scanner.finish();
    out.blocks.clear();
    out
}

/// One byte of a line is changed: what both ways read, they read alike; what only the fast way reads is damaged
/// where it does not look, before the time or behind the status.
#[test]
fn the_fast_way_reads_what_the_exact_way_reads() {
    for kind in KINDS.into_iter().filter(|kind| *kind != "error") {
        let fast = plan(kind);
        assert!(matches!(fast.fast, Fast::Quoted(_) | Fast::Json(_)), "{kind}");
        let mut exact = plan(kind);
        exact.fast = Fast::None;
        let mut dice = Dice(3);
        let mut more_than_exact = 0;
        for round in 0..1500 {
            let before = access_line(kind, &mut dice, 36_000 + round);
            let original = access_line(kind, &mut dice, 36_000 + round);
            let mut line = original.clone().into_bytes();
            let at = dice.roll(line.len() as u64) as usize;
            line[at] = b"\"[] 019-:/x\\\xff{}"[dice.roll(15) as usize];
            let mut bytes = [before.as_bytes(), b"\n", &line, b"\n", before.as_bytes(), b"\n"].concat();
            bytes.extend_from_slice(&b"filler\n".repeat(40));
            let (a, b) = (scan_slice(&bytes, &fast), scan_slice(&bytes, &exact));
            if a == b {
                continue;
            }
            // Only the fast way reads it: what it looks at must be whole. (The exact way reads a damaged object as far
            // as it goes, which may be short of the status.)
            let read = if kind.starts_with("json") {
                let time = original.find("\"time\":").unwrap();
                let status = original.find("\"status\":").unwrap();
                [time..time + 34, status..status + 12]
            } else {
                [original.find('[').unwrap()..original.find("HTTP/1.1\" ").unwrap() + 13, 0..0]
            };
            let text = String::from_utf8_lossy(&line).into_owned();
            assert!(
                (a.requests == b.requests + 1 || kind.starts_with("json"))
                    && !read.iter().any(|r| r.contains(&at)),
                "{kind}, byte {at}: {text}\n{a:?}\n{b:?}"
            );
            more_than_exact += 1;
        }
        assert!(more_than_exact < 600, "{kind}: {more_than_exact}");
    }
}

/// Keys in any order, before the time or behind it, short or longer than a comparison, with blanks or without.
#[test]
fn json_keys_stand_in_any_order() {
    let long = "a_request_time_by_a_name_longer_than_thirty_two_bytes";
    let pairs = [
        ("time", "\"$time_iso8601\"", "\"2026-03-01T10:00:00+00:00\""),
        ("status", "\"$status\"", "\"502\""),
        (long, "$request_time", "1.250"),
        ("client", "\"$remote_addr\"", "\"192.0.2.1\""),
    ];
    for turn in 0..pairs.len() {
        for between in ["", " "] {
            let object = |value: fn(&(&'static str, &'static str, &'static str)) -> &'static str| {
                let pair = |i: usize| &pairs[(turn + i) % pairs.len()];
                let all = (0..pairs.len()).map(|i| format!("\"{}\":{between}{}", pair(i).0, value(pair(i))));
                format!("{{{}}}", all.collect::<Vec<_>>().join(","))
            };
            let format = AccessFormat::from_directive("j", &object(|p| p.1), Some(Escape::Json)).unwrap();
            let fast = Plan::new(vec![format.clone()], Framing::None);
            assert!(matches!(fast.fast, Fast::Json(_)));
            let mut exact = Plan::new(vec![format], Framing::None);
            exact.fast = Fast::None;
            let bytes = format!("{}\n", object(|p| p.2)).repeat(9).into_bytes();
            let (a, b) = (scan_slice(&bytes, &fast), scan_slice(&bytes, &exact));
            assert_eq!((a.requests, a.unparsed), (9, 0));
            assert_eq!(a, b);
            let mut timed = 0;
            a.timeline.each_latency(Window::ALL, |_, l| timed += l[bucket(1250)]);
            assert_eq!(timed, 9);
        }
    }
}

/// Puppet's format for upstreams has no `$status`: its lines are no evidence that a request went well.
#[test]
fn lines_without_a_status_are_neither_good_nor_bad() {
    let text = "[$time_local] $remote_addr \"$request\" $upstream_response_time";
    let plan = Plan::new(vec![AccessFormat::from_directive("u", text, None).unwrap()], Framing::None);
    let line = "[01/Mar/2026:10:00:00 +0000] 192.0.2.1 \"GET / HTTP/1.1\" 0.010\n";
    let mut moments = Vec::new();
    scan_slice(line.repeat(3).as_bytes(), &plan).timeline.each(Window::ALL, |m| moments.push(m.counts));
    let mut want = [0; CLASSES];
    want[Class::Odd as usize] = 3;
    assert_eq!(moments, [want]);
}

/// Every line fails, with a client and a URL of its own: what is kept stays small.
#[test]
fn memory_is_bounded_when_every_line_fails_with_a_new_url() {
    let plan = plan("combined");
    let mut scanner = Scanner::new(&plan, Window::ALL, false);
    let mut parts = FileScan::default();
    let mut bytes = Vec::new();
    for chunk in 0..20u64 {
        bytes.clear();
        for i in 0..2000u64 {
            let n = chunk * 2000 + i;
            let letters: String = n.to_string().bytes().map(|b| (b - b'0' + b'a') as char).collect();
            writeln!(
                bytes,
                "2001:db8::{n:x} - - [01/Mar/2026:{:02}:{:02}:{:02} +0000] \"GET /{letters} HTTP/1.1\" 502 1 \"-\" \"-\"",
                n / 3600 % 24,
                n / 60 % 60,
                n % 60
            )
            .unwrap();
        }
        scanner.slice(&bytes, chunk << 20, 0, chunk);
        let mut alone = Scanner::new(&plan, Window::ALL, false);
        alone.slice(&bytes, chunk << 20, 0, chunk);
        parts.merge(alone.finish());
    }
    let mut out = scanner.finish();
    out.finish(1 << 20);
    parts.finish(1 << 20);
    assert_eq!(parts, out);
    assert_eq!(out.requests, 40_000);
    assert_eq!((out.names.len(), out.seen_access.iter().count()), (4096, 1024));
    let cells: Vec<_> = out.failures.iter().map(|c| c.1).collect();
    assert!(cells.len() <= 8192);
    assert!(cells.iter().all(|c| c.names[0].iter().count() <= 24));
    assert_eq!(cells.iter().map(|c| c.failed).sum::<u32>(), 40_000);
}
