//! Logs that somebody wrote to do harm: each makes one thing as bad as it can be. Behind a front of ordinary lines, for
//! what does not look like a log is refused and costs nothing.

use std::fmt::Write as _;

/// What a hostile log is like.
pub(crate) const KINDS: [&str; 28] = [
    "one line",
    "quotes",
    "backslashes",
    "newlines",
    "blanks",
    "nested json",
    "escaped json",
    "unsorted",
    "another day",
    "all different",
    "all failing",
    "long paths",
    "connections",
    "messages",
    "open quotes",
    "error days",
    "parentheses",
    "zeros",
    "peers",
    "vhosts",
    "statuses",
    "overlaps",
    "new keys",
    "two formats",
    "damaged",
    "flapping",
    "incidents",
    "long records",
];

/// Lines of ordinary traffic in the form that `kind` goes on with, `bytes` long: what the hostile ones are held against.
pub(crate) fn ordinary(kind: &str, bytes: usize) -> Vec<u8> {
    fill(bytes, |out, n| line(kind, out, n, n / 20, if n % 100 == 7 { 502 } else { 200 }, n % 500, n % 300))
}

/// A log of `bytes` bytes, a thirty-second of it ordinary.
pub(crate) fn hostile(kind: &str, bytes: usize) -> Vec<u8> {
    let front = ordinary(kind, bytes / 32);
    let rest = bytes - front.len();
    let run = |b: &str| b.repeat(rest / b.len());
    let lines_of = |b: &str| run(&format!("{}\n", b.repeat(200 / b.len())));
    let back = match kind {
        "one line" => run("a").into_bytes(),
        "quotes" => lines_of("\"").into_bytes(),
        "backslashes" => lines_of("\\").into_bytes(),
        "newlines" => run("\n").into_bytes(),
        "blanks" => lines_of(" ").into_bytes(),
        "nested json" => lines_of("{\"a\":").into_bytes(),
        "escaped json" => lines_of("{\"status\":\"\\\"").into_bytes(),
        // Seconds of a month in no order.
        "unsorted" => fill(rest, |out, n| line(kind, out, n, mix(n) % 2_592_000, 200, n % 500, n % 300)),
        "another day" | "error days" => {
            fill(rest, |out, n| line(kind, out, n, (n % 2_000_000) * 86_400, 502, n % 500, n % 300))
        }
        "all different" => fill(rest, |out, n| line(kind, out, n, n / 20, 200, mix(n), mix(n + 1))),
        "all failing" => fill(rest, |out, n| line(kind, out, n, n / 20, 502, mix(n), mix(n + 1))),
        "long paths" => fill(rest, |out, n| {
            let path = "/a".repeat(700);
            let _ = writeln!(
                out,
                "192.0.2.1 - - [{}] \"GET {path}/{n} HTTP/1.1\" 502 1 \"-\" \"-\"",
                stamp(n / 20)
            );
        }),
        "connections" => fill(rest, |out, n| {
            let _ = writeln!(out, "{} [error] 7#7: *{} a", error_stamp(n / 20), mix(n));
        }),
        "messages" => fill(rest, |out, n| {
            let word =
                |n: u64| (0..6).map(|i| char::from(b'a' + (n >> (5 * i)) as u8 % 26)).collect::<String>();
            let (a, b) = (word(mix(n)), word(mix(n + 1)));
            let _ = writeln!(out, "{} [error] 7#7: *{n} {a}() failed at {b}", error_stamp(n / 20));
        }),
        // A name that is never closed: the next lines may belong to it.
        "open quotes" => fill(rest, |out, n| {
            let _ = writeln!(
                out,
                "{} [error] 7#7: *{n} open() \"/a{}",
                error_stamp(n / 20),
                "\"".repeat(n as usize % 90)
            );
        }),
        "parentheses" => fill(rest, |out, n| {
            let _ = writeln!(out, "{} [error] 7#7: *{n} {}", error_stamp(n / 20), "(".repeat(300));
        }),
        "zeros" => run("\0").into_bytes(),
        // Each its own, and failing.
        "peers" | "vhosts" => fill(rest, |out, n| line(kind, out, n, n / 20, 502, mix(n), n)),
        "statuses" => fill(rest, |out, n| {
            line(kind, out, n, n / 20, 100 + (mix(n) % 900) as u16, n % 500, n % 300);
        }),
        // Requests that lasted up to a day: each failed when it came, and another came in each second before.
        "overlaps" => fill(rest, |out, n| timed(out, n / 20, 504, n % 500, n % 300, mix(n) % 86_400_000)),
        "new keys" => fill(rest, |out, n| {
            let _ = writeln!(
                out,
                "{{\"time_local\":\"{}\",\"k{:x}\":1,\"status\":200,\"request\":\"GET / HTTP/1.1\",\"k{:x}\":{{\"a\":[1,2,3]}}}}",
                stamp(n / 20),
                mix(n),
                mix(n + 1)
            );
        }),
        "two formats" => fill(rest, |out, n| {
            if n % 2 == 0 {
                line(kind, out, n, n / 20, 200, n % 500, n % 300);
            } else {
                timed(out, n / 20, 200, n % 500, n % 300, n % 90);
            }
        }),
        "damaged" => fill(rest, |out, n| {
            let from = out.len();
            line(kind, out, n, n / 20, 200, n % 500, n % 300);
            if n % 2 == 1 {
                out.truncate(from + (mix(n) % (out.len() - from) as u64) as usize);
                out.push('\n');
            }
        }),
        // A second good, a second bad.
        "flapping" => fill(rest, |out, n| {
            line(kind, out, n, n / 8, if n / 8 % 2 == 0 { 200 } else { 502 }, n % 500, n % 300);
        }),
        // Half a minute bad in every five.
        "incidents" => fill(rest, |out, n| {
            let second = n * 2;
            line(kind, out, n, second, if second % 300 < 30 { 502 } else { 200 }, n % 500, n % 300);
        }),
        "long records" => fill(rest, |out, n| {
            if n % 5000 == 0 {
                let _ =
                    writeln!(out, "{} [error] 7#7: *{n} lua entry thread aborted: x", error_stamp(n / 20));
            } else {
                let _ = writeln!(out, "\t[C]: in function 'error{}'", mix(n) % 1000);
            }
        }),
        other => unreachable!("{other}"),
    };
    [front, back].concat()
}

fn fill(bytes: usize, mut line: impl FnMut(&mut String, u64)) -> Vec<u8> {
    let mut out = String::with_capacity(bytes + 4096);
    let mut n = 0;
    while out.len() < bytes {
        line(&mut out, n);
        n += 1;
    }
    out.into_bytes()
}

/// One ordinary line in the form of a kind.
fn line(kind: &str, out: &mut String, n: u64, second: u64, status: u16, path: u64, client: u64) {
    let ip = format!("10.{}.{}.{}", client >> 16 & 255, client >> 8 & 255, client & 255);
    let _ = match kind {
        "nested json" | "escaped json" | "new keys" => writeln!(
            out,
            "{{\"time_local\":\"{}\",\"remote_addr\":\"{ip}\",\"request\":\"GET /p/x{path:x} HTTP/1.1\",\"status\":{status},\"request_time\":0.0{}1}}",
            stamp(second),
            n % 10
        ),
        "peers" | "vhosts" | "overlaps" => {
            timed(out, second, status, path, client, n % 90);
            Ok(())
        }
        "connections" | "messages" | "open quotes" | "error days" | "parentheses" | "long records" => {
            writeln!(
                out,
                "{} [error] 7#7: *{n} connect() failed (111: Connection refused) while connecting to upstream, client: {ip}, \
             server: a, request: \"GET /p/x{path:x} HTTP/1.1\", upstream: \"http://127.0.0.1:8080/\", host: \"a\"",
                error_stamp(second)
            )
        }
        _ => writeln!(
            out,
            "{ip} - - [{}] \"GET /p/x{path:x} HTTP/1.1\" {status} {} \"-\" \"agent/{client:x}\"",
            stamp(second),
            n % 9000
        ),
    };
}

/// One line with the time it took and the peer that answered; both go by the client.
fn timed(out: &mut String, second: u64, status: u16, path: u64, client: u64, took: u64) {
    let _ = writeln!(
        out,
        "192.0.2.{} - - [{}] \"GET /p/x{path:x} HTTP/1.1\" {status} 512 \"-\" \"agent\" \"-\" \"h{client:x}.example\" \
         sn=\"a\" rt={}.{:03} ua=\"10.{}.{}.{}:80\" us=\"{status}\" ut=\"0.001\" ul=\"512\" cs=-",
        client % 250,
        stamp(second),
        took / 1000,
        took % 1000,
        client >> 16 & 255,
        client >> 8 & 255,
        client & 255,
    );
}

/// A number that looks random (`splitmix64`).
fn mix(n: u64) -> u64 {
    let mut x = n.wrapping_add(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// Seconds since 1990 as a date and a time of day.
fn civil(second: u64) -> (i64, u32, u32, u64, u64, u64) {
    let (y, m, d) = downtime::time::civil_from_days(7305 + (second / 86_400) as i64);
    (y, m, d, second / 3600 % 24, second / 60 % 60, second % 60)
}

fn stamp(second: u64) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (y, m, d, hh, mm, ss) = civil(second);
    format!("{d:02}/{}/{y:04}:{hh:02}:{mm:02}:{ss:02} +0000", MONTHS[m as usize - 1])
}

fn error_stamp(second: u64) -> String {
    let (y, m, d, hh, mm, ss) = civil(second);
    format!("{y:04}/{m:02}/{d:02} {hh:02}:{mm:02}:{ss:02}")
}
