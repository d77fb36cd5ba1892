//! Logs that are not nginx' access or error logs, told by their own marks and refused by name. Lines that could be
//! nginx' are not refused here: plain combined lines look alike everywhere.

use crate::format::directive::Field;
use crate::format::json;
use crate::time::parse_iso8601;
use memchr::memmem::Finder;
use std::sync::LazyLock;

/// A log of another program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Foreign {
    /// Whose log it is.
    pub name: &'static str,
    /// What to do about it, in one sentence.
    pub advice: &'static str,
}

const APACHE: Foreign = Foreign {
    name: "Apache access log",
    advice: "This is Apache's combined log (its escapes or its `-` for no size tell); give the log of the nginx in front of it.",
};
const APACHE_ERROR: Foreign = Foreign {
    name: "Apache error log",
    advice: "This is Apache's error log; give nginx' error.log of the same hours.",
};
const TRAEFIK: Foreign = Foreign {
    name: "Traefik access log",
    advice: "This is Traefik's access log; only nginx' logs are read.",
};
const CADDY: Foreign =
    Foreign { name: "Caddy access log", advice: "This is Caddy's JSON log; only nginx' logs are read." };
const HAPROXY: Foreign = Foreign {
    name: "HAProxy log",
    advice: "This is HAProxy's log; give the log of the nginx behind or before it.",
};
const ALB: Foreign = Foreign {
    name: "AWS load balancer log",
    advice: "This is an AWS load balancer's log; give the log of the nginx behind it.",
};
const ENVOY: Foreign =
    Foreign { name: "Envoy access log", advice: "This is Envoy's access log; only nginx' logs are read." };
const W3C: Foreign = Foreign {
    name: "W3C extended log (IIS, CloudFront)",
    advice: "This is a W3C extended log with a `#Fields:` header, as IIS and CloudFront write it; only nginx' logs are read.",
};
const BYTES: Foreign = Foreign {
    name: "byte-count log",
    advice: "This is a panel's traffic log, one byte count a line, without status or request; give the access log of the same site.",
};
const PHP_FPM: Foreign = Foreign {
    name: "PHP-FPM log",
    advice: "This is PHP-FPM's own log; give nginx' error.log, where FastCGI failures are named.",
};
const KLOG: Foreign = Foreign {
    name: "Kubernetes component log (klog)",
    advice: "This is a Kubernetes component's log, not nginx' own lines; give the container's whole output.",
};
const APPLICATION: Foreign = Foreign {
    name: "application log in JSON",
    advice: "This is an application's log (it has a level and a message); give nginx' access log.",
};
const PLAIN: Foreign = Foreign {
    name: "plain text",
    advice: "There are no time stamps in it; give a log, or name its format with --log-format.",
};

/// Whose log a sample is, if at least half of its lines have one stranger's marks.
pub(crate) fn recognise(lines: &[&[u8]]) -> Option<Foreign> {
    if lines.iter().take(8).any(|l| l.starts_with(b"#Fields:") || l.starts_with(b"#Software: Microsoft")) {
        return Some(W3C);
    }
    let mut votes: Vec<(Foreign, usize)> = Vec::new();
    for line in lines {
        if let Some(who) = of_line(line) {
            match votes.iter_mut().find(|(f, _)| *f == who) {
                Some((_, n)) => *n += 1,
                None => votes.push((who, 1)),
            }
        }
    }
    let best = votes.into_iter().max_by_key(|(_, n)| *n).filter(|(_, n)| 2 * n >= lines.len());
    best.map(|(who, _)| who).or_else(|| is_apache(lines).then_some(APACHE))
}

/// Text without a time anywhere.
pub(crate) fn plain_text() -> Foreign {
    PLAIN
}

fn of_line(line: &[u8]) -> Option<Foreign> {
    let first = *line.first()?;
    match first {
        b'{' => json_stranger(line),
        b'[' => bracket_stranger(line),
        b'0'..=b'9' if is_byte_count(line) => Some(BYTES),
        b'I' | b'W' | b'E' | b'F' if is_klog(line) => Some(KLOG),
        _ if is_alb(line) => Some(ALB),
        _ if is_haproxy(line) => Some(HAPROXY),
        _ if is_traefik(line) => Some(TRAEFIK),
        _ if is_php_fpm_access(line) => Some(PHP_FPM),
        _ => None,
    }
}

fn json_stranger(line: &[u8]) -> Option<Foreign> {
    let (mut level, mut message, mut who) = (false, false, None);
    let mut variables = 0;
    let walked = json::walk(line, |key, value, _| {
        match key {
            b"logger" if value.starts_with(b"http.log") => who = Some(CADDY),
            b"RouterName" | b"DownstreamStatus" | b"ServiceURL" => who = Some(TRAEFIK),
            b"response_flags" | b"responseFlags" | b"upstream_cluster" => who = Some(ENVOY),
            b"level" | b"severity" | b"lvl" | b"loglevel" | b"log.level" => level = true,
            b"msg" | b"message" => message = true,
            _ => variables += usize::from(is_variable(key)),
        }
        Ok(())
    });
    walked.ok()?;
    who.or((level && message && variables < 2).then_some(APPLICATION))
}

/// Whether a key is called like a variable of nginx, and like nothing else: people give their access lines a level and a
/// message too, to please what collects them.
fn is_variable(key: &[u8]) -> bool {
    key.contains(&b'_')
        && std::str::from_utf8(key).is_ok_and(|name| !matches!(Field::from_variable(name), Field::Other(_)))
}

fn bracket_stranger(line: &[u8]) -> Option<Foreign> {
    let inside = &line[1..];
    let day = [b"Mon ", b"Tue ", b"Wed ", b"Thu ", b"Fri ", b"Sat ", b"Sun "];
    if day.iter().any(|d| inside.starts_with(*d))
        && inside.get(11..13).is_some_and(|h| h.iter().all(u8::is_ascii_digit))
    {
        return Some(APACHE_ERROR);
    }
    // `[01-Mar-2026 10:00:00] WARNING: `
    if inside.len() > 21
        && inside[2] == b'-'
        && inside[6] == b'-'
        && inside[11] == b' '
        && crate::time::month_number(&inside[3..6]).is_some()
    {
        return Some(PHP_FPM);
    }
    // `[2026-03-01T10:00:00.123Z] "GET / HTTP/1.1" 503 UF `: the word after the status is made of flags.
    let (_, n) = parse_iso8601(inside)?;
    let rest = inside[n..].strip_prefix(b"] \"")?;
    let rest = &rest[memchr::memchr(b'"', rest)? + 1..];
    let mut words = rest.split(|b| *b == b' ').filter(|w| !w.is_empty());
    let status = words.next()?;
    let flags = words.next()?;
    let is_flags = flags == b"-" || flags.iter().all(|b| b.is_ascii_uppercase() || *b == b',' || *b == b'_');
    (status.iter().all(u8::is_ascii_digit) && is_flags).then_some(ENVOY)
}

/// `157`, or `1772355600.123 320 .` of cPanel.
fn is_byte_count(line: &[u8]) -> bool {
    let number = |w: &[u8]| !w.is_empty() && w.iter().all(|b| b.is_ascii_digit() || *b == b'.');
    let mut words = line.trim_ascii().split(|b| *b == b' ');
    let first = words.next().is_some_and(number);
    match (words.next(), words.next(), words.next()) {
        (None, ..) => first,
        (Some(bytes), None | Some(b"." | b"p"), None) => first && number(bytes),
        _ => false,
    }
}

/// `W0301 10:00:00.123456       7 controller.go:1101] `
fn is_klog(line: &[u8]) -> bool {
    line.len() > 30
        && line[1..5].iter().all(u8::is_ascii_digit)
        && line[5] == b' '
        && line[8] == b':'
        && line[11] == b':'
        && line[14] == b'.'
        && memchr::memmem::find(&line[..line.len().min(120)], b".go:").is_some()
}

fn is_alb(line: &[u8]) -> bool {
    let mut words = line.splitn(4, |b| *b == b' ');
    let kind = words.next().unwrap_or_default();
    let time = words.next().unwrap_or_default();
    let name = words.next().unwrap_or_default();
    let typed = [&b"http"[..], b"https", b"h2", b"grpcs", b"ws", b"wss", b"tls"].contains(&kind);
    typed && parse_iso8601(time).is_some() && (name.starts_with(b"app/") || name.starts_with(b"net/") || kind == b"tls")
        // The classic load balancer starts with the time: three timers after two addresses.
        || parse_iso8601(kind).is_some_and(|(_, n)| n == kind.len()) && is_classic_elb(line)
}

fn is_classic_elb(line: &[u8]) -> bool {
    let words: Vec<&[u8]> = line.splitn(10, |b| *b == b' ').collect();
    let timer = |w: &&[u8]| w.get(1) == Some(&b'.') && w.len() >= 7 || *w == b"-1";
    words.len() == 10 && words[2].contains(&b':') && words[4..7].iter().all(timer)
}

/// `[dd/Mmm/yyyy:HH:MM:SS.mmm] frontend backend/server 0/0/1/2/3 `.
fn is_haproxy(line: &[u8]) -> bool {
    memchr::memchr_iter(b'[', line).take(4).any(|n| {
        let b = &line[n + 1..];
        b.len() > 26 && b[2] == b'/' && b[6] == b'/' && b[11] == b':' && b[20] == b'.' && b[24] == b']'
    })
}

/// combined, a request count, `"router"`, `"backend"` and `Nms`.
fn is_traefik(line: &[u8]) -> bool {
    let line = line.trim_ascii_end();
    let Some(rest) = line.strip_suffix(b"ms") else { return false };
    let digits = rest.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    digits > 0
        && rest[..rest.len() - digits].ends_with(b"\" ")
        && memchr::memchr_iter(b'"', rest).count() >= 8
}

/// `127.0.0.1 -  01/Mar/2026:10:00:00 +0000 "GET /index.php" 200` (`access.format` of PHP-FPM).
fn is_php_fpm_access(line: &[u8]) -> bool {
    static BEFORE_TIME: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b" -  "));
    BEFORE_TIME
        .find(&line[..line.len().min(120)])
        .is_some_and(|n| crate::time::parse_time_local(&line[n + 4..]).is_some())
}

static BEFORE_REQUEST: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"] \""));

/// Marks of Apache among combined lines: `-` for no size (nginx prints `$body_bytes_sent` as a number always), `\"`
/// and lower-case hex, where nginx would have written `\x22` and upper case (`ngx_http_log_escape`). One mark of
/// nginx acquits.
fn is_apache(lines: &[&[u8]]) -> bool {
    let (mut marks, mut counter_marks, mut sizes, mut other) = (0, 0, 0, false);
    for line in lines.iter().filter(|l| l.first() != Some(&b'{')) {
        let Some(bracket) = BEFORE_REQUEST.find(line) else { continue };
        let time = bracket.checked_sub(26).and_then(|n| crate::time::parse_time_local(&line[n..]));
        if time.is_none() {
            continue;
        }
        let (status, behind, escaped) = after_request(&line[bracket + 3..]);
        if !status {
            continue;
        }
        sizes += usize::from(behind == b"-");
        other |= behind != b"-" && !behind.iter().all(u8::is_ascii_digit);
        let mut lower = false;
        for n in memchr::memchr_iter(b'\\', line) {
            match line.get(n + 1..n + 4) {
                Some([b'x', a, b]) if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => {
                    let (low, up) = ((b'a'..=b'f'), (b'A'..=b'F'));
                    lower |= low.contains(a) || low.contains(b);
                    counter_marks +=
                        usize::from(up.contains(a) || up.contains(b) || (*a, *b) == (b'2', b'2'));
                }
                _ => {}
            }
        }
        marks += usize::from(escaped || lower);
    }
    // Where anything but a number stands there, it is no size.
    (marks > 0 || sizes > 0 && !other) && counter_marks == 0
}

/// Behind the opening quote of a request: whether a status stands behind it, the word behind that, whether a quote was
/// escaped by a backslash.
fn after_request(b: &[u8]) -> (bool, &[u8], bool) {
    let (mut at, mut escaped) = (0, false);
    while let Some(n) = memchr::memchr(b'"', &b[at..]) {
        let quote = at + n;
        if quote > 0 && b[quote - 1] == b'\\' {
            escaped = true;
            at = quote + 1;
            continue;
        }
        let rest = &b[quote + 1..];
        let status =
            matches!(rest, [b' ', x, y, z, b' ', ..] if [x, y, z].iter().all(|c| c.is_ascii_digit()));
        let behind = rest.get(5..).unwrap_or_default();
        let behind = &behind[..memchr::memchr(b' ', behind).unwrap_or(behind.len())];
        escaped |= status && memchr::memmem::find(rest, b"\\\"").is_some();
        return (status, behind, escaped);
    }
    (false, &[], escaped)
}

#[cfg(test)]
mod tests;
