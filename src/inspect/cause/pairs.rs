//! Finds the record that the error log has of one request.
//!
//! nginx gives both no common name by default. A pair has the same client and the same request line, and the record is
//! written from the second before the request ends to the second after; `$connection` is the record's `*N` and
//! settles it where the format has it. The failed requests of whole incidents are joined in `joined.rs`.

use super::super::host::Host;
use super::super::words::lower;
use super::told::{is_echo, path, path_asked};
use crate::catalogue::read_line;
use crate::format::record::{AccessRecord, ErrorRecord, Level};
use crate::reading::{Read, can_be_read_again, each_record_between, line_number, record_at};
use crate::report::Evidence;
use crate::scan::Sample;

/// What an access line says of its request, owned.
#[derive(Debug, PartialEq)]
struct Asked {
    client: Option<Vec<u8>>,
    request: Option<Vec<u8>>,
    /// For what has no request line.
    path: Option<Vec<u8>>,
    connection: Option<u64>,
}

impl Asked {
    /// Whether the record is about this request.
    fn is_of(&self, r: &ErrorRecord<'_>) -> bool {
        if let (Some(here), Some(there)) = (self.connection, r.connection) {
            return here == there;
        }
        let same = match (&self.request, &self.path) {
            (Some(here), _) if is_whole(here) => r.request == Some(here),
            (_, Some(here)) => r.request.and_then(path_asked) == Some(here),
            (_, None) => false,
        };
        same && (self.client.is_none() || self.client.as_deref() == r.client)
    }
}

/// Whether it is a request line with its protocol, and not a method and a path that stand where one is looked for.
fn is_whole(request: &[u8]) -> bool {
    request.split(|b| *b == b' ').nth(2).is_some()
}

/// Unpacked bytes up to which a packed log is unpacked again to join its lines; or a quarter of all bytes.
const PACKED: u64 = 64 << 20;

impl Host<'_> {
    /// Whether a log can be read again for one line at little cost.
    fn is_cheap(&self, read: &Read) -> bool {
        let quarter = || self.files.iter().map(|&i| self.reads[i].scan.bytes).sum::<u64>() / 4;
        let source = &read.reading.source;
        can_be_read_again(read)
            && (source.is_seekable() || read.scan.bytes <= PACKED || read.scan.bytes <= quarter())
    }

    /// Why the request of an access line failed: what the catalogue calls the record of the error log, and that
    /// record. `second` is when the request ended.
    pub(in crate::inspect) fn reason(&self, line: &Evidence, second: i64) -> Option<(String, Evidence)> {
        let asked = self.asked(line)?;
        for (&file, zone) in &self.zones {
            let read = &self.reads[file];
            if !self.is_cheap(read) {
                continue;
            }
            let local = zone.local(second);
            let mut found: Option<(u64, Vec<u8>, String)> = None;
            each_record_between(read, local - 1..local + 2, &mut |byte, raw, _| {
                // What is milder is said beside a failure, as that a server is left out for a while.
                let fits = |r: &ErrorRecord<'_>| r.level <= Level::Error && asked.is_of(r);
                let Some(record) = read_line(raw).filter(fits) else { return };
                // Of several tries the last one decided, but an echo only repeats what was said.
                if let Some(pattern) = self.catalogue.classify(&record)
                    && (found.is_none() || !is_echo(&pattern.category))
                {
                    found = Some((byte, raw.to_vec(), lower(&pattern.title)));
                }
            });
            if let Some((byte, raw, title)) = found {
                // As the file has it, with its frames, where it can be looked up.
                let sample = Sample { second: 0, byte, line: 0, text: None };
                let raw = Some(record_at(read, &sample)).filter(|text| !text.is_empty()).unwrap_or(raw);
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
    pub(super) fn read_again<T>(
        &self,
        line: &Evidence,
        take: impl FnOnce(&AccessRecord<'_>) -> T,
    ) -> Option<T> {
        let read =
            self.files.iter().map(|&i| &self.reads[i]).find(|r| r.reading.source.shown == line.path)?;
        let mut room = Vec::new();
        let raw = line.text.as_bytes();
        let payload = read.reading.plan.framing.unwrap(raw, &mut room).map_or(raw, |u| u.payload);
        read.reading.plan.formats.iter().find_map(|f| f.parse(payload).ok()).map(|record| take(&record))
    }

    /// What an access line was asked for.
    fn asked(&self, line: &Evidence) -> Option<Asked> {
        let owned = |b: Option<&[u8]>| b.map(<[u8]>::to_vec);
        self.read_again(line, |record| Asked {
            client: owned(record.client),
            request: owned(record.request),
            path: owned(record.uri.map(path)),
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
            path: None,
            connection,
        };
        assert!(asked("192.0.2.1", "GET / HTTP/1.1", None).is_of(&record));
        assert!(!asked("192.0.2.2", "GET / HTTP/1.1", None).is_of(&record));
        assert!(!asked("192.0.2.1", "GET /b HTTP/1.1", None).is_of(&record));
        assert!(asked("192.0.2.2", "GET /b HTTP/1.1", Some(7)).is_of(&record));
        assert!(!asked("192.0.2.1", "GET / HTTP/1.1", Some(8)).is_of(&record));
        // A format with $request_method and $uri, and no request line.
        let by_path =
            |path: &str| Asked { request: None, path: Some(path.into()), ..asked("192.0.2.1", "", None) };
        assert!(by_path("/").is_of(&record));
        assert!(!by_path("/b").is_of(&record));
        // One with both in quotation marks, which look like a request line.
        let without =
            |path: &str| Asked { request: Some(format!("GET {path}").into_bytes()), ..by_path(path) };
        assert!(without("/").is_of(&record));
        assert!(!without("/b").is_of(&record));
    }
}
