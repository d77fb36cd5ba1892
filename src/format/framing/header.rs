//! The headers of syslog and of what reads like it.

use super::Unwrapped;
use crate::format::errorlog::number;
use crate::time::{Stamp, civil_second, month_number, parse_iso8601};
use memchr::{memchr, memchr2};

/// Takes `<PRI>` off.
pub(super) fn priority(line: &[u8]) -> Option<&[u8]> {
    let (pri, rest) = number(line.strip_prefix(b"<")?)?;
    // 23 facilities of 8 severities and one more.
    rest.strip_prefix(b">").filter(|_| pri < 192)
}

/// Hour, minute, second.
type Clock = (u32, u32, u32);

/// `hh:mm:ss` and a blank, maybe with a fraction.
fn clock(b: &[u8]) -> Option<(Clock, &[u8])> {
    let two = |at: usize| number(b.get(at..at + 2)?).filter(|(_, r)| r.is_empty()).map(|(n, _)| n as u32);
    if b.get(2) != Some(&b':') || b.get(5) != Some(&b':') {
        return None;
    }
    let time = (two(0)?, two(3)?, two(6)?);
    let mut rest = &b[8..];
    if rest.first() == Some(&b'.') {
        let fraction = rest[1..].iter().take(9).take_while(|c| c.is_ascii_digit()).count();
        rest = &rest[1 + fraction..];
    }
    (time.0 < 24 && time.1 < 60 && time.2 <= 60).then_some(())?;
    Some((time, rest.strip_prefix(b" ")?))
}

/// `Mmm dd `, the day padded with a blank or a zero.
fn month_day(b: &[u8]) -> Option<(u32, u32, &[u8])> {
    let month = month_number(b.get(..3)?)?;
    let day = b[3..].strip_prefix(b" ")?;
    let (day, rest) = number(day.strip_prefix(b" ").unwrap_or(day))?;
    (1..=31).contains(&day).then_some(())?;
    Some((month, day as u32, rest.strip_prefix(b" ")?))
}

/// `Mmm dd hh:mm:ss [HOST ]TAG: ...`. It has no year, so it gives no time: nginx's own stamp stands behind it.
pub(super) fn rfc3164(line: &[u8]) -> Option<Unwrapped<'_>> {
    let (_, _, rest) = month_day(line)?;
    let (_, rest) = clock(rest)?;
    host_and_tag(rest)
}

/// `[HOST ]TAG[PID]: ...`.
fn host_and_tag(rest: &[u8]) -> Option<Unwrapped<'_>> {
    if let Some(payload) = tag(rest) {
        return Some(Unwrapped::of(payload));
    }
    // While nginx starts it does not know its host yet, and writes an empty one (seen with 1.22).
    let blank = memchr(b' ', rest)?;
    let payload = tag(&rest[blank + 1..])?;
    Some(Unwrapped { host: (blank > 0).then(|| &rest[..blank]), ..Unwrapped::of(payload) })
}

/// `nginx: ` or `nginx[12]: `; any name without a blank.
fn tag(b: &[u8]) -> Option<&[u8]> {
    let end = memchr2(b':', b' ', &b[..b.len().min(128)]).filter(|&n| n > 0)?;
    let after = b[end..].strip_prefix(b":")?;
    let word = &b[..end];
    let fits = word.iter().all(|c| c.is_ascii_alphanumeric() || b"-_./@[]()".contains(c));
    // An IPv6 address or a port would otherwise pass for a tag.
    let blank = after.is_empty() || after[0] == b' ';
    (fits && blank && !word[0].is_ascii_digit()).then(|| after.trim_ascii_start())
}

/// `<190>1 TIME HOST APP PID ID SD MSG`, maybe with a length before it (RFC 6587).
pub(super) fn rfc5424(line: &[u8]) -> Option<Unwrapped<'_>> {
    let line = number(line).map_or(line, |(_, rest)| rest.strip_prefix(b" ").unwrap_or(rest));
    let rest = priority(line)?.strip_prefix(b"1 ")?;
    let mut fields = rest.splitn(6, |&b| b == b' ');
    let (time, host) = (fields.next()?, fields.next()?);
    let time = parse_iso8601(time).map(|(t, _)| t);
    let rest = fields.nth(3)?;
    let message = after_structured_data(rest)?;
    let message = message.strip_prefix(b" ").unwrap_or(message);
    let payload = message.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(message);
    Some(Unwrapped { time, host: (host != b"-").then_some(host), ..Unwrapped::of(payload) })
}

fn after_structured_data(mut b: &[u8]) -> Option<&[u8]> {
    if let Some(rest) = b.strip_prefix(b"-") {
        return Some(rest);
    }
    let mut any = false;
    while let Some(rest) = b.strip_prefix(b"[") {
        let mut at = 0;
        loop {
            at += memchr2(b']', b'\\', rest.get(at..)?)?;
            if rest[at] == b']' {
                break;
            }
            at += 2;
        }
        b = &rest[at + 1..];
        any = true;
    }
    any.then_some(b)
}

/// `2026-03-01T10:00:00+0100 host nginx[12]: ...`.
pub(super) fn journal_iso(line: &[u8]) -> Option<Unwrapped<'_>> {
    let (time, used) = parse_iso8601(line)?;
    let found = host_and_tag(line[used..].strip_prefix(b" ")?)?;
    Some(Unwrapped { time: Some(time), ..found })
}

/// `Sun Mar  1 10:00:00 2026 daemon.err nginx[12]: ...`.
pub(super) fn logread(line: &[u8]) -> Option<Unwrapped<'_>> {
    let day = line.get(..4)?;
    (day[3] == b' ' && day[..3].iter().all(u8::is_ascii_alphabetic)).then_some(())?;
    let (month, day, rest) = month_day(&line[4..])?;
    let ((hour, minute, second), rest) = clock(rest)?;
    let (year, rest) = number(rest)?;
    let second =
        civil_second(i64::try_from(year).ok().filter(|y| *y < 10_000)?, month, day, hour, minute, second)?;
    // `facility.severity`, then the tag.
    let rest = rest.strip_prefix(b" ")?;
    let found = host_and_tag(rest)?;
    let facility = found.host.is_some_and(|h| h.contains(&b'.'));
    let time = Some(Stamp { millis: second * 1000, offset: None, sub_second: false });
    Some(Unwrapped { time, host: found.host.filter(|_| !facility), ..found })
}
