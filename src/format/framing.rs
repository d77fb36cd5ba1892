//! What others put around each line of nginx: Docker, Kubernetes, syslog, journald, compose, supervisors.
//!
//! A frame is taken off line by line, before records are joined, for a record of several lines has the frame on each.
//! What the payload is, is not asked here, except to tell a frame from an access log that starts in the same way.

mod detect;
mod header;
mod join;
pub(crate) mod members;
#[cfg(test)]
mod tests;

pub use detect::detect;
pub use join::Joiner;

use crate::time::{Stamp, parse_iso8601};
use members::{Members, Value, unescape};
use memchr::memchr;

/// The frame around every line of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub enum Framing {
    /// None: the line is nginx's own.
    None,
    /// Docker's json-file driver: `{"log":"...\n","stream":"stderr","time":"..."}`.
    DockerJson,
    /// Kubernetes CRI: `TIME stderr F ...`.
    Cri,
    /// RFC 3164 with a priority: `<187>Mar  1 10:00:00 host nginx: ...`, host optional.
    Syslog,
    /// RFC 5424: `<190>1 TIME host app pid id [sd] ...`.
    Syslog5424,
    /// `Mar  1 10:00:00 host nginx[12]: ...`: rsyslog's files and journald's short form.
    JournalShort,
    /// `2026-03-01T10:00:00+0100 host nginx[12]: ...`: journald's short-iso and rsyslog's file format.
    JournalIso,
    /// `Sun Mar  1 10:00:00 2026 daemon.err nginx[12]: ...`: `OpenWrt`'s logread.
    Logread,
    /// docker compose, honcho and the like: `web-1  | ...`, colours and a time allowed.
    Compose,
    /// kubectl with `--prefix`: `[pod/NAME/CONTAINER] ...`, a time allowed.
    KubectlPrefix,
    /// stern: `POD CONTAINER ...`.
    Stern,
    /// An ISO time and a blank: `docker logs -t`, `kubectl logs --timestamps`.
    IsoPrefix,
    /// svlogd as GitLab runs it: `2026-03-01_10:00:00.12345 ...`.
    Svlogd,
}

/// Where the line was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output: the access log in containers.
    Stdout,
    /// Standard error: the error log in containers.
    Stderr,
}

/// One line without its frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unwrapped<'a> {
    /// The line of nginx, without a newline.
    pub payload: &'a [u8],
    /// Where it was written, if the frame says so.
    pub stream: Option<Stream>,
    /// Whether the line goes on in the next frame.
    pub partial: bool,
    /// The time of the frame, if it has a date with a year.
    pub time: Option<Stamp>,
    /// The machine, service or pod that the frame names.
    pub host: Option<&'a [u8]>,
}

impl<'a> Unwrapped<'a> {
    fn of(payload: &'a [u8]) -> Self {
        Self { payload, stream: None, partial: false, time: None, host: None }
    }
}

impl Framing {
    /// Every frame, in the order in which they are tried.
    pub(crate) const ALL: [Self; 12] = [
        Self::DockerJson,
        Self::Cri,
        Self::Syslog5424,
        Self::Syslog,
        Self::JournalIso,
        Self::JournalShort,
        Self::Logread,
        Self::Compose,
        Self::KubectlPrefix,
        Self::Svlogd,
        Self::IsoPrefix,
        Self::Stern,
    ];

    /// A name for reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::DockerJson => "docker json-file",
            Self::Cri => "kubernetes cri",
            Self::Syslog => "syslog rfc3164",
            Self::Syslog5424 => "syslog rfc5424",
            Self::JournalShort => "journal short",
            Self::JournalIso => "journal iso",
            Self::Logread => "openwrt logread",
            Self::Compose => "docker compose",
            Self::KubectlPrefix => "kubectl prefix",
            Self::Stern => "stern",
            Self::IsoPrefix => "iso time prefix",
            Self::Svlogd => "svlogd",
        }
    }

    /// Takes the frame off one line; `None` when the line does not have it. `out` is room for text that has to be
    /// unescaped; it is used only where the frame escapes and the line needs it.
    pub fn unwrap<'a>(&self, line: &'a [u8], out: &'a mut Vec<u8>) -> Option<Unwrapped<'a>> {
        let line = super::errorlog::trim_newline(line);
        match self {
            Self::None => Some(Unwrapped::of(line)),
            Self::DockerJson => docker_json(line, out),
            Self::Cri => cri(line),
            Self::Syslog => header::rfc3164(header::priority(line)?),
            Self::JournalShort => header::rfc3164(line),
            Self::Syslog5424 => header::rfc5424(line),
            Self::JournalIso => header::journal_iso(line),
            Self::Logread => header::logread(line),
            Self::Compose => compose(line),
            Self::KubectlPrefix => kubectl(line),
            Self::Stern => stern(line),
            Self::IsoPrefix => iso_prefix(line),
            Self::Svlogd => svlogd(line),
        }
    }
}

fn stream(name: &[u8]) -> Option<Stream> {
    match name {
        b"stdout" => Some(Stream::Stdout),
        b"stderr" => Some(Stream::Stderr),
        _ => None,
    }
}

fn docker_json<'a>(line: &'a [u8], out: &'a mut Vec<u8>) -> Option<Unwrapped<'a>> {
    let (mut log, mut source, mut time) = (None, None, None);
    for (key, value) in Members::new(line)? {
        match (key, value) {
            (b"log", Value::Text(v)) => log = Some(v),
            (b"stream", Value::Text(v)) => source = stream(v),
            (b"time", Value::Text(v)) => time = parse_iso8601(v).map(|(t, _)| t),
            _ => {}
        }
    }
    // An access log in JSON can have a `log` of its own; Docker's always comes with one of the others.
    let raw = log.filter(|_| source.is_some() || time.is_some())?;
    // Most lines hold no escape but the newline at their end: these are borrowed.
    let body = raw.strip_suffix(b"\\n");
    let body_is_plain = body.is_some_and(|b| memchr(b'\\', b).is_none());
    let (payload, partial) = match body {
        Some(body) if body_is_plain => (body, false),
        _ => {
            out.clear();
            unescape(raw, out);
            match out.strip_suffix(b"\n") {
                Some(text) => (text.strip_suffix(b"\r").unwrap_or(text), false),
                None => (out.as_slice(), true),
            }
        }
    };
    Some(Unwrapped { payload, stream: source, partial, time, host: None })
}

fn cri(line: &[u8]) -> Option<Unwrapped<'_>> {
    let (time, used) = parse_iso8601(line)?;
    let rest = line[used..].strip_prefix(b" ")?;
    let source = stream(rest.get(..6)?)?;
    let rest = rest[6..].strip_prefix(b" ")?;
    // Tags are separated by colons; the first says partial or full.
    let end = memchr(b' ', rest).unwrap_or(rest.len());
    let partial = match rest[..end].split(|&b| b == b':').next() {
        Some(b"P") => true,
        Some(b"F") => false,
        _ => return None,
    };
    let payload = rest.get(end + 1..).unwrap_or_default();
    Some(Unwrapped { payload, stream: Some(source), partial, time: Some(time), host: None })
}

/// Skips colour sequences (`ESC [ ... m`).
pub(crate) fn skip_colour(mut b: &[u8]) -> &[u8] {
    while let Some(rest) = b.strip_prefix(b"\x1b[") {
        let len = rest.iter().take(16).take_while(|c| c.is_ascii_digit() || **c == b';').count();
        match rest.get(len) {
            Some(b'm') => b = &rest[len + 1..],
            _ => break,
        }
    }
    b
}

/// A name of letters, digits, `-`, `_`, `.`, and what follows it.
fn name(b: &[u8]) -> Option<(&[u8], &[u8])> {
    let len = b.iter().take(254).take_while(|c| c.is_ascii_alphanumeric() || b"-_.".contains(c)).count();
    (len > 0 && len < 254).then(|| b.split_at(len))
}

/// A time and a blank at the start of what a frame holds, if there is one.
fn leading_time(rest: &[u8]) -> (Option<Stamp>, &[u8]) {
    match parse_iso8601(rest) {
        Some((t, used)) if t.offset.is_some() => match rest[used..].strip_prefix(b" ") {
            Some(payload) => (Some(t), payload),
            None => (None, rest),
        },
        _ => (None, rest),
    }
}

fn compose(line: &[u8]) -> Option<Unwrapped<'_>> {
    let (host, rest) = compose_bar(line)?;
    let (time, rest) = leading_time(rest);
    // nginx-proxy runs its programs under a supervisor that writes a bar of its own: `nginx.1     | `.
    let payload = compose_bar(rest).map_or(rest, |(_, inner)| inner);
    Some(Unwrapped { time, host: Some(host), ..Unwrapped::of(payload) })
}

fn compose_bar(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let (host, rest) = name(skip_colour(line))?;
    let rest = skip_colour(rest);
    let pad = rest.iter().take(64).take_while(|&&b| b == b' ').count();
    // A service has a number behind it, or the two blanks of compose before the bar. An address or a server name,
    // with which an access log with bars of its own starts, has neither.
    let digits = host.iter().rev().take_while(|c| c.is_ascii_digit()).count();
    let stem = &host[..host.len() - digits];
    let numbered = digits > 0 && stem.len() > 1 && stem.last().is_some_and(|c| b"-_.".contains(c));
    let stem = if numbered { &stem[..stem.len() - 1] } else { stem };
    if !(numbered || pad >= 2) || stem.contains(&b'.') || !stem.iter().any(u8::is_ascii_alphabetic) {
        return None;
    }
    let rest = skip_colour(skip_colour(&rest[pad..]).strip_prefix(b"|")?);
    Some((host, skip_colour(rest.strip_prefix(b" ").unwrap_or(rest))))
}

fn kubectl(line: &[u8]) -> Option<Unwrapped<'_>> {
    let rest = skip_colour(line).strip_prefix(b"[")?;
    let end = memchr(b']', rest)?;
    let mut parts = rest[..end].split(|&b| b == b'/');
    if parts.next()? != b"pod" {
        return None;
    }
    let host = parts.next().filter(|p| !p.is_empty())?;
    let (time, payload) = leading_time(skip_colour(rest[end + 1..].strip_prefix(b" ")?));
    Some(Unwrapped { time, host: Some(host), ..Unwrapped::of(payload) })
}

fn stern(line: &[u8]) -> Option<Unwrapped<'_>> {
    let (pod, rest) = name(skip_colour(line))?;
    let (container, rest) = name(skip_colour(skip_colour(rest).strip_prefix(b" ")?))?;
    // RFC 1123 labels: a pod made by a controller has a dash, a container has no dot. An address or a server name,
    // with which access logs start, has neither shape.
    if !pod.contains(&b'-')
        || !pod[0].is_ascii_alphanumeric()
        || !container[0].is_ascii_alphanumeric()
        || container.contains(&b'.')
    {
        return None;
    }
    let (time, payload) = leading_time(skip_colour(skip_colour(rest).strip_prefix(b" ")?));
    Some(Unwrapped { time, host: Some(pod), ..Unwrapped::of(payload) })
}

fn iso_prefix(line: &[u8]) -> Option<Unwrapped<'_>> {
    if line.get(10) != Some(&b'T') {
        return None;
    }
    let (time, payload) = leading_time(line);
    Some(Unwrapped { time: Some(time?), ..Unwrapped::of(payload) })
}

fn svlogd(line: &[u8]) -> Option<Unwrapped<'_>> {
    if line.get(10) != Some(&b'_') {
        return None;
    }
    let (time, used) = parse_iso8601(line)?;
    // svlogd -tt writes UTC without saying so.
    let time = Stamp { offset: Some(0), ..time };
    Some(Unwrapped { time: Some(time), ..Unwrapped::of(line[used..].strip_prefix(b" ")?) })
}
