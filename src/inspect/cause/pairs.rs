//! Joins a failed request of the access log to the record that the error log has of it.
//!
//! nginx gives both no common name by default. A pair has the same client and the same request line, and the record is
//! written from the second before the request ends to the second after; `$connection` is the record's `*N` and
//! settles it where the format has it. A failure without a record was answered so by the application.

use super::super::host::Host;
use crate::catalogue::read_line;
use crate::format::record::{ErrorRecord, Level};
use crate::reading::{Read, Role, can_be_read_again, each_line_between, line_number};
use crate::report::Evidence;
use crate::scan::hash;
use crate::time::{Second, Window};
use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

/// What an access line says of its request, owned.
#[derive(Debug, PartialEq)]
struct Asked {
    client: Option<Vec<u8>>,
    request: Option<Vec<u8>>,
    connection: Option<u64>,
}

/// Requests and connections that have a record, each with the second of it. A hash stands for each, so that a flood of
/// records takes a few bytes for one.
type Told = HashSet<u64, BuildHasherDefault<Hashed>>;

/// The members are hashes already.
#[derive(Debug, Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = hash(bytes);
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

/// The key of a request in one second, in UTC.
fn request_key(client: Option<&[u8]>, request: &[u8], second: Second, room: &mut Vec<u8>) -> u64 {
    room.clear();
    room.extend_from_slice(client.unwrap_or_default());
    room.push(0);
    room.extend_from_slice(request);
    room.extend_from_slice(&second.to_le_bytes());
    hash(room)
}

/// The key of a connection in one second.
fn connection_key(connection: u64, second: Second, room: &mut Vec<u8>) -> u64 {
    room.clear();
    room.extend_from_slice(&connection.to_le_bytes());
    room.extend_from_slice(&second.to_le_bytes());
    hash(room)
}

impl Asked {
    /// Whether the record is about this request.
    fn is_of(&self, r: &ErrorRecord<'_>) -> bool {
        if let (Some(here), Some(there)) = (self.connection, r.connection) {
            return here == there;
        }
        self.request.is_some()
            && self.request.as_deref() == r.request
            && (self.client.is_none() || self.client.as_deref() == r.client)
    }
}

/// Requests among which the failed ones of one incident are joined to their records; of a longer stretch those at some
/// places. To read a line again costs about ten times what the scan needed for it.
const READ: u64 = 60_000;
/// Such places, spread evenly over the stretch.
const PLACES: i64 = 16;
/// Seconds before the end of a request in which its record is looked for at most, where the log tells when it came.
const LONGEST: i64 = 10;
/// Unpacked bytes up to which a packed log is unpacked again to join its lines; or a quarter of all bytes.
const PACKED: u64 = 64 << 20;

/// What the failed requests of an incident have in the error log.
#[derive(Debug, Default)]
pub(super) struct Joined {
    /// How many were looked at.
    pub(super) requests: u64,
    /// Those without a record, by status.
    pub(super) alone: BTreeMap<u16, u64>,
    /// The first of them.
    pub(super) first: Option<Evidence>,
    /// Every request of the stretch was looked at, and not only those at some places.
    pub(super) complete: bool,
}

impl Host<'_> {
    /// Whether a log can be read again at little cost.
    fn is_cheap(&self, read: &Read) -> bool {
        let quarter = || self.files.iter().map(|&i| self.reads[i].scan.bytes).sum::<u64>() / 4;
        let source = &read.reading.source;
        can_be_read_again(read)
            && (source.is_seekable() || read.scan.bytes <= PACKED || read.scan.bytes <= quarter())
    }

    /// Whether failed requests can be joined to records, or the logs are too large to be unpacked again. `None` without
    /// logs of both kinds that can be read again.
    pub(super) fn pairable(&self) -> Option<bool> {
        let kind = |access: bool| {
            let of_kind = |r: &&Read| (r.reading.role == Role::Access) == access && can_be_read_again(r);
            let reads = self.files.iter().map(|&i| &self.reads[i]).filter(of_kind);
            reads.map(|r| self.is_cheap(r)).reduce(|a, b| a || b)
        };
        let both = kind(true)? && kind(false)?;
        (!self.zones.is_empty()).then_some(both)
    }

    /// Joins the failed requests (5xx) of a stretch to their records. `None` without an error log that could hold them.
    pub(super) fn join(&self, window: Window) -> Option<Joined> {
        if self.pairable() != Some(true) {
            return None;
        }
        let (places, complete) = self.places(window)?;
        let told = self.told(&places)?;
        let mut out = Joined { complete, ..Joined::default() };
        let mut key = Vec::new();
        for &i in &self.files {
            let read = &self.reads[i];
            if read.reading.role != Role::Access || !self.is_cheap(read) {
                continue;
            }
            let mut room = Vec::new();
            let mut alone: Option<(u64, Vec<u8>)> = None;
            each_line_at(read, &places, 0, &mut |byte, raw, second| {
                let payload = read.reading.plan.framing.unwrap(raw, &mut room).map_or(raw, |u| u.payload);
                let parsed = read.reading.plan.formats.iter().find_map(|f| f.parse(payload).ok());
                let Some((status, r)) = parsed.and_then(|r| Some((r.status.filter(|s| *s >= 500)?, r)))
                else {
                    return;
                };
                out.requests += 1;
                let took = r.request_time.map_or(0, |ms| i64::from(ms) / 1000).min(LONGEST);
                let named = (second - took - 1..=second + 1).any(|at| {
                    r.connection.is_some_and(|n| told.contains(&connection_key(n, at, &mut key)))
                        || r.request.is_some_and(|q| told.contains(&request_key(r.client, q, at, &mut key)))
                });
                if !named {
                    *out.alone.entry(status).or_default() += 1;
                    alone.get_or_insert_with(|| (byte, raw.to_vec()));
                }
            });
            if let Some((byte, raw)) = alone.filter(|_| out.first.is_none()) {
                out.first = Some(Evidence {
                    path: read.reading.source.shown.clone(),
                    line: line_number(read, byte),
                    byte,
                    text: String::from_utf8_lossy(&raw).into_owned(),
                });
            }
        }
        (out.requests > 0).then_some(out)
    }

    /// Where the failed requests of a stretch are looked at, in order of time, and whether that is all of it.
    fn places(&self, window: Window) -> Option<(Vec<Window>, bool)> {
        let (mut failed, mut all) = (0u64, 0u64);
        self.timeline.each(window, |m| {
            failed += u64::from(m.failed);
            all += m.counts.iter().map(|&n| u64::from(n)).sum::<u64>();
        });
        if failed == 0 {
            return None;
        }
        let length = window.end - window.start;
        if all <= READ {
            return Some((vec![window], true));
        }
        let seconds = (i128::from(length) * i128::from(READ) / i128::from(all)) as i64;
        let places = seconds.clamp(1, PLACES);
        let each = (seconds / places).max(1);
        let at = |i: i64| {
            // The first begins with the stretch and the last ends with it.
            let start = window.start + (length - each) * i / (places - 1).max(1);
            Window { start, end: start + each }
        };
        Some(((0..places).map(at).collect(), false))
    }

    /// Which requests the error logs speak of at these places.
    fn told(&self, places: &[Window]) -> Option<Told> {
        let mut told = Told::default();
        let mut any = false;
        let mut key = Vec::new();
        let wide: Vec<Window> =
            places.iter().map(|p| Window { start: p.start - LONGEST - 1, end: p.end + 1 }).collect();
        for (&file, zone) in &self.zones {
            let read = &self.reads[file];
            if read.reading.role == Role::Access || !self.is_cheap(read) {
                continue;
            }
            any = true;
            let shift = i64::from(zone.first_offset()) * 60;
            let mut room = Vec::new();
            each_line_at(read, &wide, shift, &mut |_, raw, second| {
                let payload = read.reading.plan.framing.unwrap(raw, &mut room).map_or(raw, |u| u.payload);
                if let Some(record) = read_line(payload).filter(|r| r.level <= Level::Error) {
                    if let Some(request) = record.request {
                        told.insert(request_key(record.client, request, second, &mut key));
                    }
                    if let Some(connection) = record.connection {
                        told.insert(connection_key(connection, second, &mut key));
                    }
                }
            });
        }
        any.then_some(told)
    }

    /// Why the request of an access line failed: what the catalogue calls the record of the error log, and that
    /// record. `second` is when the request ended.
    pub(in crate::inspect) fn reason(&self, line: &Evidence, second: i64) -> Option<(String, Evidence)> {
        let asked = self.asked(line)?;
        for (&file, zone) in &self.zones {
            let read = &self.reads[file];
            if read.reading.role == Role::Access || !self.is_cheap(read) {
                continue;
            }
            let local = second + i64::from(zone.first_offset()) * 60;
            let mut found: Option<(u64, Vec<u8>, String)> = None;
            let mut room = Vec::new();
            each_line_between(read, local - 1..local + 2, &mut |byte, raw, _| {
                let framing = read.reading.plan.framing;
                let payload = framing.unwrap(raw, &mut room).map_or(raw, |u| u.payload);
                let Some(record) = read_line(payload).filter(|r| asked.is_of(r)) else { return };
                // Of several tries the last one decided, but that no server was left only repeats what was said.
                if let Some(pattern) = self.catalogue.classify(&record)
                    && (found.is_none() || pattern.category != "upstream.no_live")
                {
                    found = Some((byte, raw.to_vec(), pattern.title.clone()));
                }
            });
            if let Some((byte, raw, title)) = found {
                let evidence = Evidence {
                    path: read.reading.source.shown.clone(),
                    line: line_number(read, byte),
                    byte,
                    text: String::from_utf8_lossy(&raw).into_owned(),
                };
                return Some((title, evidence));
            }
        }
        None
    }

    /// Reads an access line again.
    fn asked(&self, line: &Evidence) -> Option<Asked> {
        let read =
            self.files.iter().map(|&i| &self.reads[i]).find(|r| r.reading.source.shown == line.path)?;
        let mut room = Vec::new();
        let raw = line.text.as_bytes();
        let payload = read.reading.plan.framing.unwrap(raw, &mut room).map_or(raw, |u| u.payload);
        let record = read.reading.plan.formats.iter().find_map(|f| f.parse(payload).ok())?;
        let owned = |b: Option<&[u8]>| b.map(<[u8]>::to_vec);
        Some(Asked {
            client: owned(record.client),
            request: owned(record.request),
            connection: record.connection,
        })
    }
}

/// Visits the lines of a file at some places, in its own time, which is `shift` seconds ahead of UTC: byte, line, second
/// in UTC. A packed file is read once, whatever the number of places.
fn each_line_at(read: &Read, places: &[Window], shift: i64, visit: &mut dyn FnMut(u64, &[u8], Second)) {
    if read.reading.source.is_seekable() {
        let mut done = i64::MIN;
        for place in places {
            // Wide places can overlap.
            let start = place.start.max(done);
            each_line_between(read, start + shift..place.end + shift, &mut |byte, raw, second| {
                visit(byte, raw, second - shift);
            });
            done = place.end;
        }
        return;
    }
    let (Some(first), Some(last)) = (places.first(), places.last()) else { return };
    each_line_between(read, first.start + shift..last.end + shift, &mut |byte, raw, second| {
        let second = second - shift;
        let at = places.partition_point(|p| p.end <= second);
        if places.get(at).is_some_and(|p| p.contains(second)) {
            visit(byte, raw, second);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_the_same_client_and_request_or_the_same_connection() {
        let line = b"2026/03/01 10:00:00 [error] 1#1: *7 x, client: 192.0.2.1, server: a, request: \"GET / HTTP/1.1\"";
        let record = read_line(line).unwrap();
        let asked = |client: &str, request: &str, connection| Asked {
            client: Some(client.into()),
            request: Some(request.into()),
            connection,
        };
        assert!(asked("192.0.2.1", "GET / HTTP/1.1", None).is_of(&record));
        assert!(!asked("192.0.2.2", "GET / HTTP/1.1", None).is_of(&record));
        assert!(!asked("192.0.2.1", "GET /b HTTP/1.1", None).is_of(&record));
        assert!(asked("192.0.2.2", "GET /b HTTP/1.1", Some(7)).is_of(&record));
        assert!(!asked("192.0.2.1", "GET / HTTP/1.1", Some(8)).is_of(&record));
    }
}
