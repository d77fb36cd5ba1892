//! Puts one raw value into the record: the only place that converts values, for text, JSON and labels alike.

use super::shape::{is_time_local, is_zoneless_local};
use crate::format::directive::Field;
use crate::format::find::find;
use crate::format::record::AccessRecord;
use crate::time::{
    Stamp, civil_second, month_number, parse_error_time, parse_iso8601, parse_msec, parse_time_local,
};

/// Stores `value`; `false` when it cannot be what the field says. `-` and empty store nothing and are fine.
pub(crate) fn store<'a>(record: &mut AccessRecord<'a>, field: &Field, value: &'a [u8]) -> bool {
    let given = !value.is_empty() && value != b"-";
    let text = given.then_some(value);
    let fill = |slot: &mut Option<&'a [u8]>| *slot = slot.or(text);
    match field {
        Field::TimeLocal | Field::TimeIso8601 | Field::Msec | Field::Time => {
            let Some(stamp) = any_time(value) else { return false };
            record.time = Some(record.time.map_or(stamp, |old| merge(old, stamp)));
        }
        Field::Status if given => {
            if value.len() > 3 {
                return false;
            }
            let Some(status) = number(value) else { return false };
            record.status = record.status.or(Some(status as u16));
        }
        Field::Connection | Field::BytesSent if given => {
            let Some(n) = number(value) else { return false };
            let slot =
                if *field == Field::BytesSent { &mut record.bytes_sent } else { &mut record.connection };
            *slot = slot.or(Some(n));
        }
        Field::RequestTime | Field::SessionTime if given => {
            let Some(ms) = milliseconds(value, 1000) else { return false };
            record.request_time = record.request_time.or(Some(ms));
        }
        Field::RequestTimeMs if given => {
            let Some(ms) = milliseconds(value, 1) else { return false };
            record.request_time = record.request_time.or(Some(ms));
        }
        Field::Request => {
            fill(&mut record.request);
            if let (Some(line), None) = (text, record.method) {
                (record.method, record.uri) = split_request(line);
            }
        }
        Field::RequestMethod if given => record.method = text,
        Field::RequestUri => fill(&mut record.uri),
        Field::RemoteAddr => fill(&mut record.client),
        Field::ForwardedFor => fill(&mut record.forwarded),
        Field::Host if given => record.vhost = text,
        Field::ServerName => fill(&mut record.vhost),
        Field::UpstreamAddr => fill(&mut record.upstream_addr),
        Field::UpstreamStatus => fill(&mut record.upstream_status),
        Field::UpstreamResponseTime => fill(&mut record.upstream_response_time),
        Field::UpstreamConnectTime => fill(&mut record.upstream_connect_time),
        Field::UpstreamHeaderTime => fill(&mut record.upstream_header_time),
        Field::UpstreamName => fill(&mut record.upstream_name),
        Field::UserAgent => fill(&mut record.user_agent),
        Field::Referer => fill(&mut record.referer),
        Field::RequestId => fill(&mut record.request_id),
        _ => {}
    }
    true
}

/// Whether a second look at a request has a use for a field: which program asked, from which page, and how many bytes
/// went out it does not ask.
pub(crate) fn is_told(field: &Field) -> bool {
    field.is_time()
        || matches!(
            field,
            Field::Status
                | Field::RemoteAddr
                | Field::ForwardedFor
                | Field::Request
                | Field::RequestMethod
                | Field::RequestUri
                | Field::Host
                | Field::ServerName
                | Field::RequestTime
                | Field::RequestTimeMs
                | Field::SessionTime
                | Field::UpstreamAddr
                | Field::UpstreamResponseTime
        )
}

/// Any time nginx, or a map in its configuration, writes; it must fill `b`.
pub(crate) fn any_time(b: &[u8]) -> Option<Stamp> {
    match b.len() {
        26 if is_time_local(b) => parse_time_local(b),
        20 if is_zoneless_local(b) => zoneless_local(b),
        10 | 14 if b[4] != b'-' => parse_msec(b),
        13 => {
            let stamp = parse_msec(b.get(..10)?)?;
            let milli = number(&b[10..])? as i64;
            Some(Stamp { millis: stamp.millis + milli, sub_second: true, ..stamp })
        }
        19 if b[4] == b'/' => {
            parse_error_time(b).map(|s| Stamp { millis: s * 1000, offset: None, sub_second: false })
        }
        // Epoch seconds with other than three decimals.
        n @ 12..=20 if b[10] == b'.' && b[11..n].iter().all(u8::is_ascii_digit) => {
            let stamp = parse_msec(&b[..10])?;
            let milli = milliseconds(&b[9..], 1000)? % 1000;
            Some(Stamp { millis: stamp.millis + i64::from(milli), sub_second: true, ..stamp })
        }
        _ => {
            let (stamp, used) = parse_iso8601(b)?;
            // `2026-03-01 10:00:00 +0000` has a blank before its zone.
            match &b[used..] {
                [] => Some(stamp),
                [b' ', zone @ ..] if stamp.offset.is_none() => {
                    let (offset, n) = crate::time::parse_offset(zone)?;
                    let millis = stamp.millis - i64::from(offset) * 60_000;
                    (n == zone.len()).then_some(Stamp { millis, offset: Some(offset), ..stamp })
                }
                _ => None,
            }
        }
    }
}

fn zoneless_local(b: &[u8]) -> Option<Stamp> {
    let n = |from: usize, to: usize| number(&b[from..to]).map(|n| n as u32);
    let second = civil_second(
        i64::from(n(7, 11)?),
        month_number(&b[3..6])?,
        n(0, 2)?,
        n(12, 14)?,
        n(15, 17)?,
        n(18, 20)?,
    )?;
    Some(Stamp { millis: second * 1000, offset: None, sub_second: false })
}

/// One instant written twice: the fraction from the one that has it, the zone from the one that was written in it
/// (`$msec` counts in UTC and says nothing of the server's zone). Stamps that disagree are two instants: the first
/// stays.
fn merge(old: Stamp, new: Stamp) -> Stamp {
    match (old.offset, new.offset) {
        (None, Some(_)) => return new,
        (Some(_), None) => return old,
        _ if (old.millis - new.millis).abs() > 2000 => return old,
        _ => {}
    }
    match (old.sub_second, new.sub_second) {
        (false, true) => Stamp { offset: old.offset, ..new },
        (true, false) => Stamp { offset: new.offset, ..old },
        _ => old,
    }
}

fn number(b: &[u8]) -> Option<u64> {
    if b.is_empty() || b.len() > 19 {
        return None;
    }
    b.iter().try_fold(0u64, |n, c| {
        let d = c.wrapping_sub(b'0');
        (d < 10).then(|| n * 10 + u64::from(d))
    })
}

/// `1.234` times `unit`; decimals below one millisecond are cut. A list (a subrequest's time beside the request's)
/// gives its last item.
fn milliseconds(b: &[u8], unit: u64) -> Option<u32> {
    // As nginx writes nearly all of them.
    if let ([whole, b'.', decimals @ ..], 1000) = (b, unit)
        && let [a, b, c] = decimals
        && [whole, a, b, c].into_iter().all(u8::is_ascii_digit)
    {
        let digit = |c: &u8| u32::from(c - b'0');
        return Some(digit(whole) * 1000 + digit(a) * 100 + digit(b) * 10 + digit(c));
    }
    let start = b.iter().rposition(|c| *c == b' ').map_or(0, |n| n + 1);
    let b = &b[start..];
    // `"${request_time}s"`.
    let named = if unit == 1000 { b.strip_suffix(b"sec").or_else(|| b.strip_suffix(b"s")) } else { None };
    let b = named.unwrap_or(b);
    let dot = b.iter().position(|c| *c == b'.').unwrap_or(b.len());
    let whole = number(&b[..dot])?;
    let mut fraction = 0;
    let mut scale = unit / 10;
    for c in b.iter().skip(dot + 1) {
        if !c.is_ascii_digit() {
            return None;
        }
        fraction += u64::from(c - b'0') * scale;
        scale /= 10;
    }
    Some(whole.saturating_mul(unit).saturating_add(fraction).min(u64::from(u32::MAX)) as u32)
}

/// All times of a list such as `3.001, 0.002 : 0.010`, one after the other, in milliseconds: of tries, and of groups of
/// upstreams. `-` is none. `None` where there is no time at all.
pub(crate) fn sum_of_seconds(list: &[u8]) -> Option<u32> {
    let items = list.split(|b| matches!(b, b' ' | b',' | b':')).filter(|item| !item.is_empty());
    items.filter_map(|item| milliseconds(item, 1000)).reduce(u32::saturating_add)
}

/// Method and URI of `METHOD URI[ PROTO]`; nothing for anything else, such as the first bytes of a TLS handshake.
/// Old nginx let blanks stand in a URI, so the protocol is looked for from the right.
pub(crate) fn split_request(line: &[u8]) -> (Option<&[u8]>, Option<&[u8]>) {
    let Some(blank) = find(line, b' ') else { return (None, None) };
    let (method, rest) = (&line[..blank], &line[blank + 1..]);
    let method_like =
        (1..=20).contains(&blank) && method.iter().all(|c| matches!(c, b'A'..=b'Z' | b'-' | b'_'));
    let rest = rest.trim_ascii_start();
    let end = match rest {
        // As nearly all of them end: nothing behind the blank is another.
        [uri @ .., b' ', b'H', b'T', b'T', b'P', b'/', x, b'.', y] if *x != b' ' && *y != b' ' => uri.len(),
        _ => match memchr::memrchr(b' ', rest) {
            Some(n) if rest[n + 1..].starts_with(b"HTTP/") => n,
            _ => rest.len(),
        },
    };
    let uri = rest[..end].trim_ascii_end();
    if method_like && !uri.is_empty() { (Some(method), Some(uri)) } else { (None, None) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_split_or_do_not() {
        for (line, method, uri) in [
            ("GET / HTTP/1.1", "GET", "/"),
            ("GET /", "GET", "/"),
            ("GET /a b HTTP/1.0", "GET", "/a b"),
            ("M-SEARCH * HTTP/1.1", "M-SEARCH", "*"),
            ("CONNECT example.com:443 HTTP/1.1", "CONNECT", "example.com:443"),
        ] {
            assert_eq!(
                split_request(line.as_bytes()),
                (Some(method.as_bytes()), Some(uri.as_bytes())),
                "{line}"
            );
        }
        for line in ["", "-", r"\x16\x03\x01 a", "garbage", "GET ", "get /x"] {
            assert_eq!(split_request(line.as_bytes()), (None, None), "{line}");
        }
    }

    #[test]
    fn seconds_become_milliseconds() {
        for (text, unit, want) in [
            ("0.001", 1000, 1),
            ("60.003", 1000, 60_003),
            ("1", 1000, 1000),
            ("0.0005", 1000, 0),
            ("12.7", 1, 12),
            ("0.250s", 1000, 250),
            ("1.5sec", 1000, 1500),
        ] {
            assert_eq!(milliseconds(text.as_bytes(), unit), Some(want), "{text}");
        }
        assert_eq!(milliseconds(b"99999999999999999", 1000), Some(u32::MAX));
        for odd in ["1.x", "s", "1.0ms", "1.0ss"] {
            assert_eq!(milliseconds(odd.as_bytes(), 1000), None, "{odd}");
        }
    }

    #[test]
    fn two_stamps_of_one_instant_give_fraction_and_zone() {
        let read = |values: &[&'static str]| {
            let mut r = AccessRecord::default();
            assert!(values.iter().all(|v| store(&mut r, &Field::Time, v.as_bytes())));
            let t = r.time.unwrap();
            (t.millis, t.offset)
        };
        let (msec, local) = ("1772355600.123", "01/Mar/2026:11:00:00 +0200");
        assert_eq!(read(&[local]), (1_772_355_600_000, Some(120)));
        assert_eq!(read(&[msec, local]), (1_772_355_600_123, Some(120)));
        assert_eq!(read(&[local, msec]), (1_772_355_600_123, Some(120)));
        assert_eq!(read(&[local, "2026-03-01 11:00:00"]), (1_772_355_600_000, Some(120)));
        assert_eq!(read(&[local, "01/Mar/2026:11:00:09 +0200"]), (1_772_355_600_000, Some(120)));
    }

    #[test]
    fn times_that_maps_and_modules_write() {
        for (text, millis, offset) in [
            ("1772355600123", 123, Some(0)),
            ("1772355600.123456", 123, Some(0)),
            ("2026-03-01 10:00:00 +0100", 0, Some(60)),
            ("01/Mar/2026:09:00:00", 0, None),
            ("2026/03/01 09:00:00", 0, None),
        ] {
            let t = any_time(text.as_bytes()).unwrap();
            assert_eq!((t.millis - 1_772_355_600_000, t.offset), (millis, offset), "{text}");
        }
        for text in ["", "-", "157", "2026-03-01", "2026-03-01T10:00:00 x", "1772355600.", "é€é€é€é€"]
        {
            assert_eq!(any_time(text.as_bytes()), None, "{text}");
        }
    }
}
