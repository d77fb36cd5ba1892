//! One request as a second look keeps it, and its tries at upstream peers.

use super::super::host::Host;
use super::texts::{Listed, Texts};
use crate::format::find::find_either;
use crate::format::record::AccessRecord;
use crate::report::Evidence;
use crate::scan::{Dimension, has_failed, hash, last_peer, template};
use crate::time::{Second, Stamp};
use crate::timeline::Class;

/// The methods of requests that are told apart.
pub(in crate::inspect) const METHODS: [&str; 7] =
    ["GET", "POST", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"];

/// One request.
#[derive(Debug, Clone, Copy)]
pub(in crate::inspect) struct Answer {
    /// When it was dated: at its arrival for failures, where the log tells it; else when it ended.
    pub(in crate::inspect) second: Second,
    pub(in crate::inspect) class: Class,
    pub(in crate::inspect) status: u16,
    pub(in crate::inspect) failed: bool,
    /// Which of [`METHODS`] it was asked with; `None` for another, or where it is not logged.
    pub(in crate::inspect) method: Option<u8>,
    /// How long its body was, or the whole answer, whichever the log tells.
    pub(in crate::inspect) bytes: Option<u32>,
    /// How long it took, in milliseconds.
    pub(in crate::inspect) took: Option<u32>,
    /// How long upstreams took of that, in milliseconds.
    pub(in crate::inspect) upstream: Option<u32>,
    /// Hash of its client's address.
    pub(in crate::inspect) client: u64,
    /// Hash of its path, without query.
    pub(in crate::inspect) path: u64,
    /// Keys of its endpoint, virtual host and peer, in the order of [`Dimension::ALL`]; 0 where it has none.
    pub(in crate::inspect) names: [u64; 3],
    /// When its line was written.
    pub(super) ended: Second,
    /// Where its line stands.
    pub(super) file: u32,
    pub(super) byte: u64,
    /// Its tries at upstream peers in [`super::Look::tries`]: the first of them, and how many.
    pub(super) tries: (u32, u32),
    /// Where its client's address stands in those of the look.
    pub(super) named: (u32, u32),
}

impl Answer {
    /// Answered with 1xx to 3xx.
    pub(in crate::inspect) fn good(&self) -> bool {
        matches!(self.class, Class::Ok | Class::Redirect | Class::Info)
    }

    /// When its request came, where the log tells it.
    pub(in crate::inspect) fn arrived(&self) -> Second {
        Stamp::of_second(self.ended).arrival(self.took.unwrap_or(0))
    }

    /// When its line was written.
    pub(in crate::inspect) fn ended(&self) -> Second {
        self.ended
    }

    /// How many tries at upstream peers it took; 0 where they are not logged.
    pub(in crate::inspect) fn tried(&self) -> u32 {
        self.tries.1
    }

    /// Its line.
    pub(in crate::inspect) fn evidence(&self, host: &Host<'_>) -> Evidence {
        host.access_line(self.file as usize, self.byte, self.ended)
    }
}

/// One try at an upstream peer.
#[derive(Debug, Clone, Copy)]
pub(in crate::inspect) struct Try {
    /// When its request is dated.
    pub(in crate::inspect) second: Second,
    /// Key of the peer.
    pub(in crate::inspect) peer: u64,
    /// nginx went on to another peer, or the request failed with it.
    pub(in crate::inspect) failed: bool,
}

/// Reads requests into answers.
#[derive(Debug)]
pub(super) struct Answering<'a> {
    /// The index of the file they stand in.
    pub(super) file: usize,
    /// The site whose log it is, where its name says so.
    pub(super) site: Option<&'a [u8]>,
    /// The endpoints of paths that were asked for a moment ago, by the last bits of the path's hash.
    endpoints: Vec<(u64, u64)>,
    room: Vec<u8>,
}

/// Paths whose endpoint is remembered: those that make up most of a site's requests.
const ENDPOINTS: usize = 512;

impl<'a> Answering<'a> {
    pub(super) fn new(file: usize, site: Option<&'a [u8]>) -> Self {
        Self { file, site, endpoints: vec![(0, 0); ENDPOINTS], room: Vec::new() }
    }

    /// The key of the endpoint of a URI whose path has this hash; its text is then known.
    fn endpoint(&mut self, uri: &[u8], of_path: u64, texts: &mut Texts) -> u64 {
        let slot = &mut self.endpoints[(of_path % ENDPOINTS as u64) as usize];
        if slot.0 == of_path {
            return slot.1;
        }
        template(uri, &mut self.room);
        if self.room.is_empty() {
            return 0;
        }
        let key = Dimension::Endpoint.key(&self.room);
        texts.keep(key, &self.room);
        // With a scheme and a host in front, the query can lie where a path is looked for.
        if uri.starts_with(b"/") {
            *slot = (of_path, key);
        }
        key
    }

    /// The answer to the request of the line at `byte`, written at `end`; what it names is put to `texts`, `clients` and `tries`.
    /// `None` without a status.
    pub(super) fn answer(
        &mut self,
        record: &AccessRecord<'_>,
        (byte, end): (u64, Second),
        (texts, clients): (&mut Texts, &mut Listed),
        tries: &mut Vec<Try>,
    ) -> Option<Answer> {
        let status = record.status?;
        let took = record.request_time;
        let failed = has_failed(status, took);
        let written = record.time.unwrap_or(Stamp::of_second(end));
        let second = if failed { written.arrival(took.unwrap_or(0)) } else { end };
        let uri = record.uri.unwrap_or_default();
        let path = hash(&uri[..find_either(uri, b'?', b'#').unwrap_or(uri.len())]);
        let mut name = |dimension: Dimension, text: Option<&[u8]>| {
            let Some(text) = text.filter(|t| !t.is_empty()) else { return 0 };
            let key = dimension.key(text);
            texts.keep(key, text);
            key
        };
        let vhost = name(Dimension::Vhost, record.vhost.or(self.site));
        let peer = name(Dimension::Peer, record.upstream_addr.and_then(last_peer));
        let client = client(record);
        let of_client = hash(client);
        let first = tries.len() as u32;
        for (peer, passed_over) in record.upstream_addr.into_iter().flat_map(peers) {
            let key = Dimension::Peer.key(peer);
            texts.keep(key, peer);
            tries.push(Try { second, peer: key, failed: passed_over.unwrap_or(failed) });
        }
        Some(Answer {
            ended: end,
            second,
            class: Class::of(status),
            status,
            failed,
            method: METHODS.iter().position(|m| record.method == Some(m.as_bytes())).map(|at| at as u8),
            bytes: record.bytes_sent.map(|n| u32::try_from(n).unwrap_or(u32::MAX)),
            took,
            upstream: record.upstream_response_time.and_then(last_seconds),
            client: of_client,
            path,
            names: [self.endpoint(uri, path, texts), vhost, peer],
            file: self.file as u32,
            byte,
            tries: (first, tries.len() as u32 - first),
            named: clients.add(client),
        })
    }
}

/// Who asked: the client a proxy in front names, else the one that connected.
pub(super) fn client<'r>(record: &AccessRecord<'r>) -> &'r [u8] {
    record.forwarded.or(record.client).unwrap_or_default()
}

/// The peers of an `$upstream_addr` list in order. `Some(true)` is one that failed, since nginx went on to the next;
/// `Some(false)` one that answered, with an internal redirect to another group; of the last the request itself tells.
fn peers(list: &[u8]) -> impl Iterator<Item = (&[u8], Option<bool>)> {
    let mut rest = Some(list);
    std::iter::from_fn(move || {
        let text = rest?;
        let end = memchr::memchr2(b',', b' ', text).unwrap_or(text.len());
        let behind = &text[end..];
        let passed_over = if behind.starts_with(b", ") {
            Some(true)
        } else if behind.starts_with(b" : ") {
            Some(false)
        } else {
            None
        };
        rest = passed_over.map(|failed| &behind[if failed { 2 } else { 3 }..]);
        Some((&text[..end], passed_over))
    })
    .filter(|(peer, _)| !peer.is_empty() && *peer != b"-")
}

/// The last number of a list of seconds with decimals, in milliseconds.
fn last_seconds(list: &[u8]) -> Option<u32> {
    let text = last_peer(list)?;
    // As nginx writes nearly all of them.
    if let [whole, b'.', a, b, c] = text
        && [whole, a, b, c].into_iter().all(u8::is_ascii_digit)
    {
        let digit = |c: &u8| u32::from(c - b'0');
        return Some(digit(whole) * 1000 + digit(a) * 100 + digit(b) * 10 + digit(c));
    }
    let seconds: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    (0.0..1e6).contains(&seconds).then_some((seconds * 1000.0).round() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_retried_requests_each_peer_is_told() {
        let told = |list: &'static str| {
            let name = |(p, failed): (&[u8], Option<bool>)| (String::from_utf8_lossy(p).into_owned(), failed);
            peers(list.as_bytes()).map(name).collect::<Vec<_>>()
        };
        let one = |name: &str, failed| (name.to_owned(), failed);
        assert_eq!(told("10.0.0.1:80"), [one("10.0.0.1:80", None)]);
        assert_eq!(
            told("10.0.0.1:80, unix:/a.sock : [::1]:80"),
            [one("10.0.0.1:80", Some(true)), one("unix:/a.sock", Some(false)), one("[::1]:80", None)]
        );
        assert_eq!(told("-"), []);
        assert_eq!(told(""), []);
    }

    #[test]
    fn upstream_times_are_read_from_the_end() {
        assert_eq!(last_seconds(b"0.100, 0.250"), Some(250));
        assert_eq!(last_seconds(b"0.001 : 1.5"), Some(1500));
        assert_eq!(last_seconds(b"1.001"), Some(1001));
        assert_eq!(last_seconds(b"61.003"), Some(61_003));
        assert_eq!(last_seconds(b"-"), None);
    }
}
