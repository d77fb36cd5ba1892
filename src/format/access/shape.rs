//! How long a value is by its own shape, without knowing what follows: times, numbers, upstream lists.
//!
//! Shapes are measured, not converted; `store.rs` converts. Facts from `ngx_http_log_module.c`,
//! `ngx_http_variables.c` and `ngx_http_upstream.c`.

use crate::format::directive::Field;
use crate::time::{TIME_LOCAL_LEN, parse_error_time, parse_iso8601, parse_msec};

/// The kinds of value the text matcher tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// `01/Mar/2026:10:00:00 +0000`.
    TimeLocal,
    /// ISO 8601, zone and fraction optional.
    Iso,
    /// `1772355600.123`.
    Msec,
    /// Any time we can read.
    AnyTime,
    /// Three digits or `-`.
    Status,
    /// Digits or `-`.
    Number,
    /// `0.123`, digits or `-`.
    Seconds,
    /// `2.31`: two decimals, or `-` (`ngx_http_gzip_ratio_variable`).
    Ratio,
    /// `.` or `p`.
    Pipe,
    /// A list of addresses, statuses, times or lengths: `, ` between tries, ` : ` between groups.
    List(Item),
    /// Any run without a blank.
    Word,
    /// Anything.
    Text,
}

/// What the items of an upstream list look like; `-` and nothing are always possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Item {
    /// `10.0.0.5:8080`, `[::1]:80`, `unix:/run/x.sock`, a group's name.
    Address,
    /// `502`.
    Status,
    /// `0.001`.
    Seconds,
    /// `157`.
    Number,
}

impl Shape {
    /// The shape of a field's values.
    pub(crate) fn of(field: &Field) -> Self {
        match field {
            Field::TimeLocal => Self::TimeLocal,
            Field::TimeIso8601 => Self::Iso,
            Field::Msec => Self::Msec,
            Field::Time => Self::AnyTime,
            Field::Status => Self::Status,
            Field::BytesSent | Field::Connection | Field::ServerPort | Field::RequestLength => Self::Number,
            Field::RequestTime | Field::SessionTime | Field::RequestTimeMs => Self::Seconds,
            Field::GzipRatio => Self::Ratio,
            Field::Pipe => Self::Pipe,
            Field::UpstreamAddr => Self::List(Item::Address),
            Field::UpstreamStatus => Self::List(Item::Status),
            Field::UpstreamResponseTime | Field::UpstreamConnectTime | Field::UpstreamHeaderTime => {
                Self::List(Item::Seconds)
            }
            Field::UpstreamLength => Self::List(Item::Number),
            Field::RemoteAddr
            | Field::Host
            | Field::ServerName
            | Field::RequestMethod
            | Field::ServerProtocol
            | Field::Protocol
            | Field::CacheStatus
            | Field::RequestId => Self::Word,
            Field::RemoteUser
            | Field::Request
            | Field::RequestUri
            | Field::UpstreamName
            | Field::UserAgent
            | Field::Referer
            | Field::ForwardedFor
            | Field::Other(_) => Self::Text,
        }
    }

    /// Whether the end is known from the value itself, so that another value may follow without anything between.
    /// Numbers without a fixed width are not: `15` and `7` side by side read `157`.
    pub(crate) fn ends_itself(self) -> bool {
        matches!(self, Self::TimeLocal | Self::Iso | Self::Msec | Self::Status | Self::Pipe | Self::Seconds)
    }

    /// Whether [`Shape::len`] can tell the end.
    pub(crate) fn is_typed(self) -> bool {
        !matches!(self, Self::Word | Self::Text)
    }

    /// The length of a value of this shape at the start of `b`; `Some(0)` is an empty value.
    pub(crate) fn len(self, b: &[u8]) -> Option<usize> {
        match self {
            Self::TimeLocal => is_time_local(b).then_some(TIME_LOCAL_LEN),
            Self::Iso => parse_iso8601(b).map(|(_, n)| n),
            Self::Msec => msec_len(b),
            Self::AnyTime => any_time_len(b),
            Self::Status => match b {
                [x, y, z, rest @ ..] if [x, y, z].iter().all(|c| c.is_ascii_digit()) => {
                    (!rest.first().is_some_and(u8::is_ascii_alphabetic)).then_some(3)
                }
                [b'-', ..] => Some(1),
                _ => None,
            },
            Self::Number => number_len(b),
            Self::Seconds => seconds_len(b),
            Self::Ratio => seconds_len(b).filter(|n| *n == 1 && b[0] == b'-' || *n > 3 && b[n - 3] == b'.'),
            Self::Pipe => matches!(b.first(), Some(b'.' | b'p' | b'-')).then_some(1),
            Self::List(item) => Some(list_len(item, b)),
            Self::Word => Some(b.iter().take_while(|c| !c.is_ascii_whitespace()).count()),
            Self::Text => None,
        }
    }
}

/// The length of a request line that names its protocol: what nginx writes of HTTP/0.9 and of what is no HTTP does not.
pub(crate) fn request_len(rest: &[u8]) -> Option<usize> {
    const PROTOCOL: &[u8] = b" HTTP/";
    let method = rest.first().is_some_and(u8::is_ascii_alphabetic);
    let at = method.then(|| memchr::memmem::find(rest, PROTOCOL)).flatten()? + PROTOCOL.len();
    let version = rest[at..].iter().take_while(|b| b.is_ascii_digit() || **b == b'.').count();
    (version > 0).then_some(at + version)
}

pub(crate) fn is_time_local(b: &[u8]) -> bool {
    b.len() >= TIME_LOCAL_LEN
        && b[2] == b'/'
        && b[6] == b'/'
        && b[11] == b':'
        && b[14] == b':'
        && b[20] == b' '
}

fn digits(b: &[u8]) -> usize {
    b.iter().take_while(|c| c.is_ascii_digit()).count()
}

fn number_len(b: &[u8]) -> Option<usize> {
    match digits(b) {
        0 => (b.first() == Some(&b'-')).then_some(1),
        n => Some(n),
    }
}

/// nginx prints three decimals always; other programs' times have more or none, and those are read too.
fn seconds_len(b: &[u8]) -> Option<usize> {
    let n = number_len(b)?;
    if b[0] == b'-' || b.get(n) != Some(&b'.') {
        return Some(n);
    }
    Some(match digits(&b[n + 1..]) {
        0 => n,
        d => n + 1 + d,
    })
}

fn msec_len(b: &[u8]) -> Option<usize> {
    let n = if b.get(10) == Some(&b'.') { 14 } else { 10 };
    let fits = parse_msec(b.get(..n)?).is_some() && !b.get(n).is_some_and(u8::is_ascii_digit);
    fits.then_some(n)
}

fn any_time_len(b: &[u8]) -> Option<usize> {
    if is_time_local(b) {
        return Some(TIME_LOCAL_LEN);
    }
    let zoneless = b.len() >= 20 && is_zoneless_local(b);
    parse_iso8601(b)
        .map(|(_, n)| n)
        .or_else(|| msec_len(b))
        .or_else(|| parse_error_time(b).map(|_| crate::time::ERROR_TIME_LEN))
        .or_else(|| zoneless.then_some(20))
        .or_else(|| (digits(b) == 13 && parse_msec(&b[..10]).is_some()).then_some(13))
}

/// `01/Mar/2026:10:00:00`, the zone cut away by a map.
pub(crate) fn is_zoneless_local(b: &[u8]) -> bool {
    b.len() >= 20 && b[2] == b'/' && b[6] == b'/' && b[11] == b':' && b[14] == b':' && b[17] == b':'
}

/// Follows a list as far as its items have the shape. nginx parts items by `, ` and ` : ` (`ngx_http_upstream.c`); a comma
/// alone is text of the format. Greedy: `0, 0, 0 0.000` ends before `0.000` because no
/// separator stands there.
fn list_len(item: Item, b: &[u8]) -> usize {
    let mut end = item_len(item, b);
    loop {
        let rest = &b[end..];
        let separator = if rest.starts_with(b", ") {
            2
        } else if rest.starts_with(b" : ") {
            3
        } else {
            return end;
        };
        let next = item_len(item, &rest[separator..]);
        if next == 0 {
            return end;
        }
        end += separator + next;
    }
}

/// Bytes that end an address, as a table: one load a byte instead of a search among nine.
const ADDRESS_END: [bool; 256] = {
    let mut table = [false; 256];
    let ends = *b" ,\"']|\t;)";
    let mut i = 0;
    while i < ends.len() {
        table[ends[i] as usize] = true;
        i += 1;
    }
    table
};

fn item_len(item: Item, b: &[u8]) -> usize {
    match item {
        Item::Status => Shape::Status.len(b).unwrap_or(0),
        Item::Seconds => seconds_len(b).unwrap_or(0),
        Item::Number => number_len(b).unwrap_or(0),
        Item::Address => {
            let bracket = if b.first() == Some(&b'[') {
                b.iter().take(64).position(|c| *c == b']').map_or(0, |n| n + 1)
            } else {
                0
            };
            let rest = b[bracket..].iter().take_while(|c| !ADDRESS_END[usize::from(**c)]).count();
            let n = bracket + rest;
            n - usize::from(b[..n].last() == Some(&b':'))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_end_where_their_shape_ends() {
        for (item, text, want) in [
            (Item::Number, "0, 0, 0 0.000", "0, 0, 0"),
            (Item::Seconds, "0.000, - : 0.001 502, 502", "0.000, - : 0.001"),
            (Item::Status, "502, 504 0f3c", "502, 504"),
            (Item::Status, "- 0f3c", "-"),
            (
                Item::Address,
                "10.0.0.5:80, unix:/x.sock : [::1]:80 200",
                "10.0.0.5:80, unix:/x.sock : [::1]:80",
            ),
            (Item::Address, "10.0.0.5:8080: GET / HTTP/1.1", "10.0.0.5:8080"),
            (Item::Address, "\"x", ""),
        ] {
            assert_eq!(list_len(item, text.as_bytes()), want.len(), "{text}");
        }
    }

    #[test]
    fn times_of_any_form_are_measured() {
        for text in [
            "01/Mar/2026:10:00:00 +0000",
            "2026-03-01T10:00:00+00:00",
            "2026-03-01 10:00:00",
            "2026/03/01 10:00:00",
            "1772355600.123",
            "1772355600",
            "1772355600123",
            "01/Mar/2026:10:00:00",
        ] {
            assert_eq!(Shape::AnyTime.len(format!("{text} x").as_bytes()), Some(text.len()), "{text}");
        }
        assert_eq!(Shape::AnyTime.len(b"157 x"), None);
    }
}
