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
use crate::time::Window;
use std::collections::{BTreeMap, BTreeSet};

/// What an access line says of its request, owned.
#[derive(Debug, PartialEq)]
struct Asked {
    client: Option<Vec<u8>>,
    request: Option<Vec<u8>>,
    connection: Option<u64>,
}

/// Requests and connections that have a record.
#[derive(Debug, Default)]
struct Told {
    requests: BTreeSet<(Vec<u8>, Vec<u8>)>,
    connections: BTreeSet<u64>,
}

fn key(client: Option<&[u8]>, request: &[u8]) -> (Vec<u8>, Vec<u8>) {
    (client.unwrap_or_default().to_vec(), request.to_vec())
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

/// Failed requests that are joined one by one; more say the same at a cost.
const JOINED: u64 = 2000;

/// Unpacked bytes up to which a packed log is unpacked again to join its lines.
const PACKED: u64 = 64 << 20;

/// Whether a stretch of a log can be read again at little cost.
fn is_cheap(read: &Read) -> bool {
    can_be_read_again(read) && (read.reading.source.is_seekable() || read.scan.bytes <= PACKED)
}

/// What the first failed requests of an incident have in the error log.
#[derive(Debug, Default)]
pub(super) struct Joined {
    /// How many were looked at.
    pub(super) requests: u64,
    /// Those without a record, by status.
    pub(super) alone: BTreeMap<u16, u64>,
    /// The first of them.
    pub(super) first: Option<Evidence>,
}

impl Host<'_> {
    /// Joins the first failed requests (5xx) of a stretch to their records. `None` without an error log that could
    /// hold them.
    pub(super) fn join(&self, window: Window) -> Option<Joined> {
        let range = self.first_failing(window)?;
        let told = self.told(range)?;
        let mut out = Joined::default();
        for &i in &self.files {
            let read = &self.reads[i];
            if read.reading.role != Role::Access || !is_cheap(read) {
                continue;
            }
            let mut room = Vec::new();
            let mut alone: Option<(u64, Vec<u8>)> = None;
            each_line_between(read, range.start..range.end, &mut |byte, raw, _| {
                let payload = read.reading.plan.framing.unwrap(raw, &mut room).map_or(raw, |u| u.payload);
                let parsed = read.reading.plan.formats.iter().find_map(|f| f.parse(payload).ok());
                let Some((status, r)) = parsed.and_then(|r| Some((r.status.filter(|s| *s >= 500)?, r)))
                else {
                    return;
                };
                out.requests += 1;
                let named = r.connection.is_some_and(|n| told.connections.contains(&n))
                    || r.request.is_some_and(|q| told.requests.contains(&key(r.client, q)));
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

    /// From the start on, the seconds that hold the first failed requests.
    fn first_failing(&self, window: Window) -> Option<Window> {
        let (mut sum, mut end) = (0, None);
        self.timeline.each(window, |m| {
            if sum < JOINED {
                sum += u64::from(m.failed);
                end = Some(m.second + 1);
            }
        });
        end.map(|end| Window { start: window.start, end })
    }

    /// Which requests the error logs speak of around a stretch.
    fn told(&self, range: Window) -> Option<Told> {
        let mut told = Told::default();
        let mut any = false;
        for (&file, zone) in &self.zones {
            let read = &self.reads[file];
            if read.reading.role == Role::Access || !is_cheap(read) {
                continue;
            }
            any = true;
            let shift = i64::from(zone.first_offset()) * 60;
            let mut room = Vec::new();
            each_line_between(read, range.start - 1 + shift..range.end + 1 + shift, &mut |_, raw, _| {
                let payload = read.reading.plan.framing.unwrap(raw, &mut room).map_or(raw, |u| u.payload);
                if let Some(record) = read_line(payload).filter(|r| r.level <= Level::Error) {
                    told.requests.extend(record.request.map(|q| key(record.client, q)));
                    told.connections.extend(record.connection);
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
            if read.reading.role == Role::Access || !is_cheap(read) {
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
