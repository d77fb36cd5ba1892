//! What single values look like: addresses, hosts, lists, times. Shapes only, for guessing names.

use crate::format::access::shape::{Item, Shape};

/// An IP address, without a port.
pub(in crate::format::learn) fn is_address(b: &[u8]) -> bool {
    std::str::from_utf8(b).is_ok_and(|s| s.parse::<std::net::IpAddr>().is_ok())
}

/// A forwarded-for list: addresses, or what proxies put in their place.
pub(in crate::format::learn) fn is_address_list(b: &[u8]) -> bool {
    b.split(|c| *c == b',').all(|item| {
        let item = item.trim_ascii();
        let port = item.iter().rposition(|c| *c == b':').filter(|_| item.contains(&b'.'));
        is_address(item) || port.is_some_and(|n| is_address(&item[..n])) || item == b"unknown" || item == b"-"
    })
}

/// `10.0.0.5:8080`, `[::1]:80`, `unix:/x`.
pub(in crate::format::learn) fn is_address_port(b: &[u8]) -> bool {
    if b.starts_with(b"unix:") {
        return true;
    }
    let Some(colon) = b.iter().rposition(|c| *c == b':') else { return false };
    let (host, port) = (&b[..colon], &b[colon + 1..]);
    let inner = host.strip_prefix(b"[").and_then(|h| h.strip_suffix(b"]")).unwrap_or(host);
    let v6_bare = inner.len() == host.len() && host.contains(&b':');
    !v6_bare && is_address(inner) && (1..=5).contains(&port.len()) && port.iter().all(u8::is_ascii_digit)
}

/// A host name, with or without a port, or an address.
pub(in crate::format::learn) fn is_host(b: &[u8]) -> bool {
    !b.is_empty() && b.len() <= 255 && b.iter().all(|c| c.is_ascii_alphanumeric() || b".-_:[]*".contains(c))
}

/// A host name that can be told from a word: it has a dot and a letter, and neither slash nor blank.
pub(in crate::format::learn) fn is_dotted_host(b: &[u8]) -> bool {
    let last = b.rsplit(|c| *c == b'.').next().unwrap_or(b);
    is_host(b) && b.contains(&b'.') && last.first().is_some_and(u8::is_ascii_alphabetic) || b == b"localhost"
}

/// `0.123`, with three decimals as nginx writes them.
pub(in crate::format::learn) fn is_seconds(b: &[u8]) -> bool {
    b.len() >= 5 && b[b.len() - 4] == b'.' && b.iter().filter(|c| !c.is_ascii_digit()).count() == 1
}

/// A time without the unit that people write behind `${request_time}`: `0.123s`, or `-s` where there was none. The unit
/// is text of the format.
pub(in crate::format::learn) fn without_unit(b: &[u8]) -> &[u8] {
    let bare = |unit: &[u8]| b.strip_suffix(unit).filter(|v| is_seconds(v) || *v == b"-");
    bare(b"s").or_else(|| bare(b"ms")).or_else(|| bare(b"sec")).unwrap_or(b)
}

/// Digits only.
pub(in crate::format::learn) fn is_number(b: &[u8]) -> bool {
    !b.is_empty() && b.len() < 20 && b.iter().all(u8::is_ascii_digit)
}

/// A status code that nginx or an upstream can give.
pub(in crate::format::learn) fn is_status(b: &[u8]) -> bool {
    b.len() == 3 && is_number(b) && (matches!(b[0], b'1'..=b'5') || b == b"000" || b == b"009")
}

/// A status code that is in use: of the registry (RFC 9110 and others), nginx's own (`ngx_http_request.h`), and those of
/// usual proxies.
pub(in crate::format::learn) fn is_known_status(b: &[u8]) -> bool {
    let code =
        b.iter().fold(0u16, |n, c| n.saturating_mul(10).saturating_add(u16::from(c.wrapping_sub(b'0'))));
    matches!(code, 0 | 9 | 100..=103 | 200..=208 | 226 | 300..=308 | 400..=418 | 420..=426 | 428..=431 | 444 | 449..=451 | 460 | 494..=499 | 500..=511 | 520..=530 | 598 | 599)
}

/// 32 hexadecimal digits.
pub(in crate::format::learn) fn is_request_id(b: &[u8]) -> bool {
    b.len() == 32 && b.iter().all(u8::is_ascii_hexdigit)
}

/// Whether a list's items are all of one shape, `-` and nothing among them; at least one is neither.
pub(in crate::format::learn) fn is_list(b: &[u8], item: Item) -> bool {
    let fits = |i: &[u8]| match item {
        Item::Address => is_address_port(i),
        Item::Status => is_status(i),
        Item::Seconds => is_seconds(i),
        Item::Number => is_number(i),
    };
    let mut some = false;
    let all = split(b).all(|i| {
        let fits = fits(i);
        some |= fits;
        fits || i == b"-" || i.is_empty()
    });
    all && some
}

fn split(b: &[u8]) -> impl Iterator<Item = &[u8]> {
    b.split(|c| *c == b',').flat_map(|part| Groups(Some(part)))
}

/// The parts between ` : `.
struct Groups<'a>(Option<&'a [u8]>);

impl<'a> Iterator for Groups<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.0?;
        let colon = memchr::memchr_iter(b':', rest)
            .find(|n| rest.get(n + 1) == Some(&b' ') && n.checked_sub(1).is_some_and(|at| rest[at] == b' '));
        self.0 = colon.map(|n| &rest[n + 2..]);
        Some(colon.map_or(rest, |n| &rest[..n - 1]).trim_ascii())
    }
}

/// How many items a list has.
pub(in crate::format::learn) fn items(b: &[u8]) -> usize {
    split(b).count()
}

/// The sum of a list of seconds, in milliseconds; `None` where an item is something else.
pub(in crate::format::learn) fn list_seconds(b: &[u8]) -> Option<u32> {
    let mut sum = 0u32;
    for item in split(b).filter(|i| !i.is_empty() && *i != b"-") {
        let seconds: f64 = std::str::from_utf8(item).ok()?.parse().ok()?;
        sum = sum.saturating_add((seconds * 1000.0).round() as u32);
    }
    Some(sum)
}

/// `METHOD URI[ PROTO]`, or the escaped bytes of something that is no HTTP.
pub(in crate::format::learn) fn is_request(b: &[u8]) -> bool {
    let (method, uri) = crate::format::access::store::split_request(b);
    method.is_some()
        && uri.is_some_and(|u| {
            b.ends_with(b"HTTP/1.1")
                || u[0] == b'/'
                || u == b"*"
                || is_url(u)
                || memchr::memmem::find(b, b" HTTP/").is_some()
        })
}

/// A whole URL.
pub(in crate::format::learn) fn is_url(b: &[u8]) -> bool {
    b.starts_with(b"http://") || b.starts_with(b"https://")
}

/// A URL of nothing but scheme, name and path.
pub(in crate::format::learn) fn is_plain_url(b: &[u8]) -> bool {
    let rest = b.strip_prefix(b"http://").or_else(|| b.strip_prefix(b"https://")).unwrap_or_default();
    let name = rest.iter().take_while(|c| c.is_ascii_alphanumeric() || b".-_".contains(c)).count();
    name > 0 && rest.get(name) == Some(&b'/')
}

/// An HTTP method.
pub(in crate::format::learn) fn is_method(b: &[u8]) -> bool {
    [
        &b"GET"[..],
        b"HEAD",
        b"POST",
        b"PUT",
        b"DELETE",
        b"OPTIONS",
        b"PATCH",
        b"CONNECT",
        b"TRACE",
        b"PROPFIND",
    ]
    .contains(&b)
}

/// Whether a line holds a time that can be read, at a place where one can begin.
pub(in crate::format::learn) fn has_time(line: &[u8]) -> bool {
    let line = &line[..line.len().min(4096)];
    (0..line.len()).any(|at| {
        line[at].is_ascii_digit()
            && !at.checked_sub(1).is_some_and(|p| line[p].is_ascii_alphanumeric() || line[p] == b'.')
            && Shape::AnyTime.len(&line[at..]).is_some()
    })
}
