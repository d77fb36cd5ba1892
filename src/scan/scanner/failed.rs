//! The closer look at a line that is more than a count: a request that failed, or one by which both logs are joined.

use super::Scanner;
use super::run::Sighting;
use crate::format::AccessRecord;
use crate::format::access::store::split_request;
use crate::format::find::find;
use crate::scan::bounded::hash;
use crate::scan::endpoint;
use crate::scan::far::{self, Failure};
use crate::scan::known::{self, given};
use crate::scan::names::Names;
use crate::scan::partial::{Dimension, KEPT, Sample};
use crate::time::{Second, Stamp};
use crate::timeline::Class;

/// A 499 counts as failed only when the client had waited this long (detection.md 4.1): less is a user who
/// clicked on.
const PATIENCE_MS: u32 = 1000;

/// Whether a request failed, by its status and the milliseconds its client waited, where the log tells them.
pub fn has_failed(status: u16, waited: Option<u32>) -> bool {
    match Class::of(status) {
        Class::ServerError => true,
        Class::Aborted => waited.is_some_and(|ms| ms >= PATIENCE_MS),
        _ => false,
    }
}

/// What a hot loop found out about a line that deserves a closer look.
#[derive(Debug, Clone, Copy)]
pub(in crate::scan) struct Seen<'a> {
    pub(in crate::scan) status: u16,
    pub(in crate::scan) class: Class,
    /// The request, where its place is known.
    pub(in crate::scan) request: Option<&'a [u8]>,
    /// How long the client waited, where the log tells it and the loop has read it.
    pub(in crate::scan) waited: Option<u32>,
}

/// A request as far as failures need it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request<'a> {
    status: u16,
    client: &'a [u8],
    line: Option<&'a [u8]>,
    uri: Option<&'a [u8]>,
    vhost: Option<&'a [u8]>,
    peers: Option<&'a [u8]>,
    waited: Option<u32>,
    end: Stamp,
}

impl<'a> Request<'a> {
    pub(super) fn of(record: &AccessRecord<'a>, second: Second) -> Option<Self> {
        Some(Self {
            status: record.status?,
            client: record.client.unwrap_or_default(),
            line: record.request,
            uri: record.uri,
            vhost: record.vhost,
            peers: record.upstream_addr,
            waited: record.request_time,
            end: record.time.unwrap_or(Stamp::of_second(second)),
        })
    }
}

impl Scanner<'_> {
    /// The group of the current second, when sightings of it are still wanted.
    fn sighting(&mut self) -> Option<u32> {
        if let Sighting::Unasked = self.run.sighting {
            let group = sighting_group(self.run.second);
            let wanted = self.out.seen_access.wants(&(group, 0, 0));
            self.run.sighting = if wanted { Sighting::Wanted(group) } else { Sighting::Unwanted };
        }
        if let Sighting::Wanted(group) = self.run.sighting { Some(group) } else { None }
    }

    /// A line that the fast way has counted already, and that deserves a closer look: a failure, or content that
    /// was not there.
    #[cold]
    #[inline(never)]
    pub(in crate::scan) fn detail(&mut self, line: &[u8], seen: Seen<'_>, byte: u64, line_no: u64) {
        if !self.run.inside {
            return;
        }
        let wanted = match seen.class {
            Class::ServerError => true,
            Class::Aborted => seen.waited.is_some_and(|ms| ms >= PATIENCE_MS),
            _ => self.sightable && self.sighting().is_some(),
        };
        if !wanted {
            return;
        }
        let second = self.run.second;
        let known = self.plan.fast.known();
        // What is only sighted needs no names.
        let names = match known.named {
            _ if seen.class == Class::Missing => known.request.then(known::Names::default),
            named => named.and_then(|named| named.find(line)),
        };
        if let Some(known::Names { vhost, peers }) = names {
            let client = &line[..find(line, b' ').unwrap_or(0)];
            let request = seen.request.and_then(given);
            self.look(
                &Request {
                    status: seen.status,
                    client: given(client).unwrap_or_default(),
                    line: request,
                    uri: request.and_then(|r| split_request(r).1),
                    vhost,
                    peers,
                    waited: seen.waited,
                    end: Stamp::of_second(second),
                },
                line,
                byte,
                line_no,
            );
        } else if let Some(record) = self.request_of(line)
            && let Some(request) = Request::of(&record, second)
        {
            self.look(&request, line, byte, line_no);
        }
    }

    /// The request of a line of the main format.
    fn request_of<'l>(&self, line: &'l [u8]) -> Option<AccessRecord<'l>> {
        let whole = || self.plan.read(self.plan.formats.first()?, line);
        self.plan.brief(line).or_else(whole)
    }

    /// The closer look at a failed request (or one that is only sighted).
    pub(super) fn look(&mut self, request: &Request<'_>, raw: &[u8], byte: u64, line_no: u64) {
        let second = self.run.second;
        if request.status != 499
            && let Some(asked) = request.uri.or(request.line)
            && let Some(group) = self.sighting()
        {
            let key = (group, sighting_key(request.client, asked), second);
            if self.out.seen_access.wants(&key) {
                self.out.seen_access.show(key, (), |(), ()| ());
            }
        }
        if !has_failed(request.status, request.waited) {
            return;
        }
        let arrival = request.end.arrival(request.waited.unwrap_or(0));
        self.collected.fail(&mut self.out.timeline, arrival);
        let mut names = [far::Named::Not; 3];
        let mut named = |dimension: Dimension, name: &[u8]| {
            let key = dimension.key(name);
            // What is not wanted once will never be: of those names nothing but their sum can be told.
            names[dimension as usize] = if self.out.names.wants(key) {
                self.named.see(&mut self.out.names, key, name);
                far::Named::As(key)
            } else {
                far::Named::Otherwise
            };
        };
        if let Some(uri) = request.uri {
            endpoint::template(uri, &mut self.name);
            named(Dimension::Endpoint, &self.name);
        }
        if let Some(vhost) = request.vhost.or(self.plan.site.as_deref()) {
            named(Dimension::Vhost, vhost);
        }
        if let Some(peer) = request.peers.and_then(endpoint::last_peer) {
            named(Dimension::Peer, peer);
        }
        let (status, client) = (request.status, hash(request.client) as u32);
        let failure = Failure { arrival, second, byte, line: line_no, status, client, names };
        self.failures.add(failure, self.keep_text.then_some(&|| kept(raw)));
    }
}

/// Names that were seen last: the failures of a log name the same few again and again, and to find one among thousands
/// in a tree costs more than all else that is done with it.
///
/// Empty until one is seen: most of a hundred thousand files hold no failure.
#[derive(Debug, Default)]
pub(super) struct Named(Vec<u64>);

impl Named {
    /// Takes a wanted one.
    fn see(&mut self, names: &mut Names, key: u64, name: &[u8]) {
        if self.0.is_empty() {
            // The top bits of a key are its dimension: this is none.
            self.0.resize(1024, u64::MAX);
        }
        let Some(slot) = self.0.get_mut((key & 1023) as usize).filter(|slot| **slot != key) else { return };
        *slot = key;
        if names.get(key).is_none() {
            names.show(key, name);
        }
    }
}

/// The place of a line, with its text where it cannot be read again.
pub(super) fn sample(keep_text: bool, second: Second, raw: &[u8], byte: u64, line_no: u64) -> Sample {
    Sample { second, byte, line: line_no, text: keep_text.then(|| kept(raw)) }
}

/// What is kept of a line.
fn kept(raw: &[u8]) -> Box<[u8]> {
    raw[..raw.len().min(KEPT)].into()
}

/// Whether a class of line is looked at more closely.
pub(in crate::scan) fn wants_detail(class: Class) -> bool {
    matches!(class, Class::ServerError | Class::Aborted | Class::Missing)
}

/// The group of a second: four seconds of the quarter of an hour, hashed. Zones differ by quarters of an hour, so
/// both logs put one request into the same group, whatever the zone of the error log.
pub(in crate::scan) fn sighting_group(second: Second) -> u32 {
    hash(&((second >> 2).rem_euclid(225)).to_le_bytes()) as u32
}

/// The key of a request in both logs: client and what was asked for, which an access log may have without the rest of the
/// request line. The access log escapes what the error log leaves raw, so only the part before the first byte that would
/// be escaped counts.
fn sighting_key(client: &[u8], asked: &[u8]) -> u64 {
    hash(client) ^ hash(&asked[..plain(asked)]).rotate_left(17)
}

/// The same of an error record, whose request may go on behind its closing quotation mark.
pub(in crate::scan) fn sighting_key_of_line(client: &[u8], request: &[u8]) -> u64 {
    let line = &request[..plain(request)];
    sighting_key(client, split_request(line).1.unwrap_or(line))
}

/// How many bytes at the front of a request both logs write as they are.
fn plain(request: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let other = |b: &u8| matches!(b, b'"' | b'\\' | 0..=0x1f | 0x7f..);
    // Eight at a time while none can be another: at most one of eight is looked at twice.
    let words = request.as_chunks::<8>().0.iter().take_while(|word| {
        let word = u64::from_le_bytes(**word);
        let zero = |x: u64| x.wrapping_sub(ONES) & !x;
        let found = word.wrapping_sub(ONES * 0x20)
            | word.wrapping_add(ONES)
            | word
            | zero(word ^ (ONES * u64::from(b'"')))
            | zero(word ^ (ONES * u64::from(b'\\')));
        found & (ONES << 7) == 0
    });
    let from = 8 * words.count();
    request[from..].iter().position(other).map_or(request.len(), |at| from + at)
}

#[cfg(test)]
mod tests {
    use super::plain;
    use proptest::prelude::*;

    proptest! {
        /// Eight bytes at a time or one by one.
        #[test]
        fn what_is_plain(bytes in prop::collection::vec(prop_oneof![8 => 0x20u8..0x7f, 1 => any::<u8>()], 0..60)) {
            let one = bytes.iter().position(|b| matches!(b, b'"' | b'\\' | 0..=0x1f | 0x7f..));
            prop_assert_eq!(plain(&bytes), one.unwrap_or(bytes.len()));
        }
    }
}
