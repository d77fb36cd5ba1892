//! What a second look needs of a request line, read at the places where the fast way finds it.
//!
//! To read a line of a format as a whole costs several times as much as finding its quotes, and half of its values are
//! of no use here: who asked with which program, and from which page.

use super::known::{Between, Known, Named, Quotes, given};
use super::plan::Quoted;
use super::waited::Waited;
use crate::format::access::store::split_request;
use crate::format::{AccessRecord, Field, Piece};
use crate::time::{TIME_LOCAL_LEN, parse_iso8601, parse_time_local};

/// Where the values stand that the stamp, the request and the status do not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Brief {
    named: Named,
    forwarded: Option<Between>,
    upstream_time: Option<Between>,
    bytes: Bytes,
}

/// Where the length of the body stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bytes {
    Nowhere,
    BehindStatus,
    Elsewhere,
}

impl Bytes {
    fn of(pieces: &[Piece]) -> Self {
        let is = |piece: &Piece| matches!(piece, Piece::Var(Field::BytesSent));
        let status = pieces.iter().position(|p| matches!(p, Piece::Var(Field::Status)));
        match status.and_then(|at| pieces.get(at + 1..)) {
            Some([Piece::Literal(blank), length, ..]) if blank == b" " && is(length) => Self::BehindStatus,
            _ if pieces.iter().any(is) => Self::Elsewhere,
            _ => Self::Nowhere,
        }
    }
}

/// What only the lines of failures are asked for.
const FAILED: u16 = 500;

impl Brief {
    /// `None` where a line says something of use at a place that is not known.
    pub(super) fn of(pieces: &[Piece], known: Known) -> Option<Self> {
        Some(Self {
            named: known.named?,
            forwarded: Between::if_any(pieces, &Field::ForwardedFor)?,
            upstream_time: Between::if_any(pieces, &Field::UpstreamResponseTime)?,
            bytes: Bytes::of(pieces),
        })
    }
}

impl Quoted {
    /// Time, status, client, host, request, path, time taken, peers and their time of a line, and of a failure the length of
    /// its body, as reading it as a whole gives them; nothing else of it is told. `None` where only the exact way can tell.
    pub(super) fn brief<'l>(&self, line: &'l [u8]) -> Option<AccessRecord<'l>> {
        let brief = self.brief.as_ref()?;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let quotes = Quotes::of(line)?;
        let quotes = quotes.all(brief.named.quotes)?;
        let [open, close, ..] = *quotes else { return None };
        let (open, close) = (open as usize, close as usize);
        let before = open.checked_sub(self.back).filter(|_| open >= self.lead)?;
        let front = line.get(before..open)?.strip_prefix(b"[")?;
        let (stamp, behind) = front.split_at_checked(self.stamp)?;
        let time = match self.stamp {
            TIME_LOCAL_LEN => parse_time_local(stamp)?,
            _ => parse_iso8601(stamp).filter(|(_, used)| *used == stamp.len())?.0,
        };
        let [b'"', b' ', status @ .., b' '] = line.get(close..close + 6)? else { return None };
        let digits = status.iter().all(u8::is_ascii_digit);
        let ended = self.close.is_none_or(|close| line.last() == Some(&close));
        if behind != self.behind || !digits || !ended {
            return None;
        }
        let status = status.iter().fold(0, |n, digit| n * 10 + u16::from(digit - b'0'));
        let bytes_sent = match brief.bytes {
            Bytes::BehindStatus if status >= FAILED => number(&line[close + 6..]),
            Bytes::Elsewhere if status >= FAILED => return None,
            _ => None,
        };
        let waited = match self.tail {
            None => Waited::Nothing,
            Some(tail) => {
                let quote = quotes.get((quotes.len() - 1).checked_sub(tail.quotes_behind as usize)?)?;
                tail.read(line, *quote as usize)
            }
        };
        let names = brief.named.at(line, quotes);
        let between = |place: Option<Between>| place.and_then(|place| given(place.at(line, quotes)?));
        let request = given(&line[open + 1..close]);
        let (method, uri) = request.map_or((None, None), split_request);
        Some(AccessRecord {
            time: Some(time),
            status: Some(status),
            bytes_sent,
            client: given(&line[..memchr::memchr(b' ', line)?]),
            request,
            method,
            uri,
            request_time: match waited {
                Waited::Millis(ms) => Some(ms),
                Waited::Nothing => None,
                Waited::Odd => return None,
            },
            forwarded: between(brief.forwarded),
            vhost: names.vhost,
            upstream_addr: names.peers,
            upstream_response_time: between(brief.upstream_time),
            ..AccessRecord::default()
        })
    }
}

/// The number that a text begins with, up to a blank or the end.
fn number(text: &[u8]) -> Option<u64> {
    let digits = &text[..memchr::memchr(b' ', text).unwrap_or(text.len())];
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::plan::{Fast, Plan};
    use crate::format::AccessFormat;
    use crate::format::framing::Framing;

    const FRONT: &str = r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent""#;

    #[test]
    fn in_brief_a_line_says_what_it_says() {
        let tails = [
            "",
            r#" $request_time "$upstream_addr" "$upstream_status" "$upstream_response_time""#,
            r#" "$http_x_forwarded_for" "$host" sn="$server_name" rt=$request_time ua="$upstream_addr" ut="$upstream_response_time" cs=$upstream_cache_status"#,
        ];
        let lines = [
            r#"192.0.2.1 - - [12/May/2026:00:00:00 +0200] "GET /a?b HTTP/1.1" 200 162 "-" "curl/8""#,
            r#"192.0.2.1 - a [b] [12/May/2026:00:00:00 +0200] "" 400 0 "-" "-""#,
            r#"- - - [31/Dec/2026:23:59:60 +0000] "-" 499 - "https://example.com/" "a \x22b\x22""#,
            r#"192.0.2.1 - - [12/May/2026:00:00:00 +0200] "GET / HTTP/1.1" 502 157 "-" "curl/8""#,
            r#"192.0.2.1 - - [12/May/2026:00:00:00 +0200] "GET / HTTP/1.1" 500 - "-" "curl/8""#,
            r#"2001:db8::1 - - [12/May/2026:00:00:00 +0000] "\x16\x03\x01" 400 150 "" """#,
        ];
        let ends = [
            "",
            r#" 0.260 "10.20.0.12:8080" "301" "0.260""#,
            r#" 61.003 "10.0.0.1:80, unix:/a : 10.0.0.2:80" "502, 504 : 200" "0.001, 60.000 : 1.002""#,
            r#" 0.000 "-" "-" "-""#,
            r#" "198.51.100.1, 10.0.0.1" "a.example" sn="_" rt=0.260 ua="10.20.0.12:8080" ut="0.260" cs=-"#,
            r#" "-" "-" sn="b.example" rt=1.000 ua="a:80, unix:/b" ut="0.001, 0.9" cs=HIT"#,
            r#" "" "" sn="" rt=- ua="-" ut="-" cs=MISS"#,
        ];
        let mut read = 0;
        for tail in tails {
            let format = AccessFormat::from_directive("x", &format!("{FRONT}{tail}"), None).unwrap();
            let plan = Plan::new(vec![format.clone()], Framing::None);
            let Fast::Quoted(quoted) = &plan.fast else { panic!("{tail}") };
            for line in lines.iter().flat_map(|line| ends.map(|end| format!("{line}{end}"))) {
                let brief = quoted.brief(line.as_bytes());
                let Ok(whole) = format.parse(line.as_bytes()) else {
                    assert!(brief.is_none(), "{line}");
                    continue;
                };
                let brief = brief.unwrap_or_else(|| panic!("{line}"));
                read += 1;
                assert_eq!(
                    (brief.time, brief.status, brief.client, brief.request, brief.uri),
                    (whole.time, whole.status, whole.client, whole.request, whole.uri),
                    "{line}"
                );
                assert_eq!(
                    (brief.request_time, brief.upstream_addr, brief.upstream_response_time),
                    (whole.request_time, whole.upstream_addr, whole.upstream_response_time),
                    "{line}"
                );
                assert_eq!((brief.vhost, brief.forwarded), (whole.vhost, whole.forwarded), "{line}");
                let failed = whole.status.is_some_and(|s| s >= super::FAILED);
                assert_eq!(brief.bytes_sent, whole.bytes_sent.filter(|_| failed), "{line}");
            }
        }
        // Each end is of one of the forms.
        assert_eq!(read, lines.len() * ends.len());
        // Something of use stands where it is not looked for.
        for tail in [" $http_x_forwarded_for", " $host", r#" "$host" "$host""#, " $upstream_response_time"] {
            let format = AccessFormat::from_directive("x", &format!("{FRONT}{tail}"), None).unwrap();
            let plan = Plan::new(vec![format], Framing::None);
            if let Fast::Quoted(quoted) = &plan.fast {
                assert_eq!(quoted.brief, None, "{tail}");
            }
        }
    }
}
