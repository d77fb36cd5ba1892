//! Which requests the error logs speak of: keys of records, and the keys under which a request looks for its own.
//!
//! nginx gives a request and its record no common name by default. The keys are hashes of client and request, or of the
//! connection, with the second. Where an access log does not tell who asked, or tells whom a proxy in front names, its
//! requests are looked up without a client.

use super::super::host::Host;
use crate::format::record::{AccessRecord, ErrorRecord};
use crate::scan::hash;
use crate::time::Second;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Records remembered at most: seventeen bytes each, in a table that is at most seven eighths full.
pub(super) const MOST: usize = 900_000;
/// Seconds before the end of a request in which its record is looked for at most, where the log tells when it came.
pub(super) const LONGEST: i64 = 10;
/// Low bits of a key that are those of the request alone: by them a part of all requests is picked.
const PICKED: u64 = 0xfff;

/// Categories whose records repeat what another said of the same request: that no server was left
/// (`ngx_http_upstream_round_robin.c`), and that the subrequest which asks whether a request is allowed failed
/// (`ngx_http_auth_request_module.c`).
pub(super) fn is_echo(category: &str) -> bool {
    matches!(category, "upstream.no_live" | "auth.backend")
}

/// The classes of records, each looked up once.
pub(super) struct Classes<'h, 'a> {
    host: &'h Host<'a>,
    known: HashMap<u64, u16>,
    room: Vec<u8>,
}

impl<'h, 'a> Classes<'h, 'a> {
    /// Of a host's records.
    pub(super) fn new(host: &'h Host<'a>) -> Self {
        Self { host, known: HashMap::new(), room: Vec::new() }
    }

    /// Kinds of records remembered at most: quoted names make many.
    const MOST: usize = 4096;

    fn of(&mut self, record: &ErrorRecord<'_>) -> u16 {
        let key = &mut self.room;
        key.clear();
        // Numbers make no kind of their own, and are copied faster than they are left out.
        key.extend(record.message.iter().map(|b| if b.is_ascii_digit() { b'0' } else { *b }));
        key.extend_from_slice(record.action.unwrap_or_default());
        key.extend_from_slice(&record.errno.unwrap_or(0).to_le_bytes());
        key.extend([
            record.level as u8,
            u8::from(record.upstream.is_some()),
            u8::from(record.client.is_some()),
        ]);
        let key = hash(key);
        if let Some(&class) = self.known.get(&key) {
            return class;
        }
        let class = self.host.class_of(record);
        if self.known.len() < Self::MOST {
            self.known.insert(key, class);
        }
        class
    }
}

/// By what a request is known on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct By {
    /// Whether the access logs tell who asked, as the error logs do.
    pub(super) clients: bool,
    /// Whether they name connections.
    pub(super) connections: bool,
    /// What they have of the request.
    pub(super) target: Target,
}

/// What access logs have of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// Its line, as error logs have it.
    Line,
    /// Its path alone.
    Path,
    /// Some the one and some the other.
    Either,
}

impl By {
    /// Keys that a record has at most.
    pub(super) fn keys(self) -> u64 {
        u64::from(self.lines()) + u64::from(self.connections) + u64::from(self.paths())
    }

    fn lines(self) -> bool {
        self.target != Target::Path
    }

    fn paths(self) -> bool {
        self.target != Target::Line
    }

    /// The hash of a request without its time.
    fn request_hash(self, client: Option<&[u8]>, request: &[u8]) -> u64 {
        let client = client.filter(|_| self.clients).unwrap_or_default();
        hash(request) ^ hash(client).rotate_left(17)
    }

    /// The hash of the request of an access line: of its request line, or of its path where the format has no more.
    fn asked(self, r: &AccessRecord<'_>) -> Option<u64> {
        r.request
            .filter(|_| self.lines())
            .or_else(|| r.uri.map(path))
            .map(|asked| self.request_hash(r.client, asked))
    }
}

/// Which requests the error logs speak of, and the class of the last record that decided.
pub(super) struct Told {
    /// By key.
    records: HashMap<u64, u16, BuildHasherDefault<Hashed>>,
    by: By,
    /// The bits of a request's hash that are zero for the part of all that is looked at; 0: all.
    mask: u64,
}

/// The keys are hashes already.
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

/// The path of a target: `$uri` has no query.
pub(super) fn path(target: &[u8]) -> &[u8] {
    &target[..target.iter().position(|b| *b == b'?').unwrap_or(target.len())]
}

/// The path that a request line asks for.
pub(super) fn path_asked(request: &[u8]) -> Option<&[u8]> {
    request.split(|b| *b == b' ').nth(1).map(path)
}

/// A request, or a connection, in one second.
fn key(base: u64, second: Second) -> u64 {
    hash(&(base ^ (second as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)).to_le_bytes()) & !PICKED
        | base & PICKED
}

impl Told {
    pub(super) fn new(by: By) -> Self {
        Self { records: HashMap::default(), by, mask: 0 }
    }

    /// Whether all requests are looked at, and not only a part.
    pub(super) fn is_whole(&self) -> bool {
        self.mask == 0
    }

    /// Takes a record in.
    pub(super) fn remember(
        &mut self,
        record: &ErrorRecord<'_>,
        second: Second,
        classes: &mut Classes<'_, '_>,
    ) {
        let by = self.by;
        let request = record.request.filter(|_| by.lines()).map(|r| by.request_hash(record.client, r));
        let path = record.request.filter(|_| by.paths()).and_then(path_asked);
        let path = path.map(|p| by.request_hash(record.client, p));
        let connection = record.connection.filter(|_| by.connections).map(connection_hash);
        for base in request.into_iter().chain(path).chain(connection).filter(|base| base & self.mask == 0) {
            let class = classes.of(record);
            let entry = self.records.entry(key(base, second)).or_insert(class);
            // Of several tries the last one decided, but an echo only repeats what was said.
            if !is_echo(classes.host.category(class)) {
                *entry = class;
            }
        }
        while self.records.len() > MOST && self.mask < PICKED {
            self.mask = 2 * self.mask + 1;
            let mask = self.mask;
            self.records.retain(|key, _| key & mask == 0);
        }
    }

    /// Whether a request is of the part that is looked at.
    pub(super) fn has_picked(&self, r: &AccessRecord<'_>) -> bool {
        let base = match (self.by.asked(r), r.connection) {
            (Some(request), _) => request,
            (None, Some(connection)) => connection_hash(connection),
            (None, None) => 0,
        };
        base & self.mask == 0
    }

    /// The class of the record that decided about a request; `second` is when it ended.
    pub(super) fn reason(&self, r: &AccessRecord<'_>, second: Second) -> Option<u16> {
        let took = r.request_time.map_or(0, |ms| i64::from(ms) / 1000).min(LONGEST);
        let request = self.by.asked(r);
        let connection = r.connection.map(connection_hash);
        (second - took - 1..=second + 1).rev().find_map(|at| {
            let known = |base: u64| self.records.get(&key(base, at)).copied();
            connection.and_then(known).or_else(|| request.and_then(known))
        })
    }
}

fn connection_hash(connection: u64) -> u64 {
    hash(&connection.to_le_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BY: By = By { clients: true, connections: false, target: Target::Line };

    #[test]
    fn a_flood_is_thinned_by_request_on_both_sides_alike() {
        let mut told = Told { mask: 7, ..Told::new(BY) };
        let asked = |n: u32| format!("GET /{n} HTTP/1.1");
        for n in 0..4000 {
            let base = BY.request_hash(Some(b"192.0.2.1"), asked(n).as_bytes());
            if base & told.mask == 0 {
                told.records.insert(key(base, 100), 3);
            }
        }
        let (mut picked, mut found) = (0, 0);
        for n in 0..4000 {
            let request = asked(n);
            let r = AccessRecord {
                client: Some(b"192.0.2.1"),
                request: Some(request.as_bytes()),
                ..AccessRecord::default()
            };
            picked += u32::from(told.has_picked(&r));
            found += u32::from(told.reason(&r, 101) == Some(3));
        }
        assert_eq!(picked, found);
        assert!((350..650).contains(&picked), "{picked}");
    }
}
