//! What a file is known by: hashes of its first bytes, and of those before the place where reading stopped.

use super::Stats;
use crate::error::{Error, Result};
use crate::input::source::{Pages, PlainFile, Source};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Bytes of the first block: some twenty lines with their times, clients and requests.
pub(super) const HEAD: usize = 4096;
/// Bytes before the place where reading stopped.
const TAIL: usize = 1024;
/// Longest unfinished line that is looked for at the end of a file.
const LONGEST: u64 = 1 << 20;

/// The first 16 bytes of a SHA-256.
pub(super) type Print = [u8; 16];

pub(super) fn hash(parts: &[&[u8]]) -> Print {
    let mut sha = Sha256::new();
    for part in parts {
        sha.update(part);
    }
    print_of(sha)
}

fn print_of(sha: Sha256) -> Print {
    let mut out = [0; 16];
    out.copy_from_slice(&sha.finalize()[..16]);
    out
}

/// A file as it lies on disk: its size, and a hash of its first and last bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Content {
    pub(super) size: u64,
    ends: Print,
}

/// The first bytes of a file, unpacked, at most [`HEAD`], with the hashes of their beginnings: thousands of logs are
/// compared with each file, and nearly all of them by the same beginning.
#[derive(Debug, Default)]
pub(super) struct First {
    pub(super) bytes: Vec<u8>,
    hashes: RefCell<BTreeMap<u16, Print>>,
}

impl First {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, hashes: RefCell::default() }
    }

    /// The hash of its first `len` bytes; `None` when it has fewer, or none are asked for.
    pub(super) fn print(&self, len: u16) -> Option<Print> {
        let bytes = self.bytes.get(..usize::from(len)).filter(|b| !b.is_empty())?;
        Some(*self.hashes.borrow_mut().entry(len).or_insert_with(|| hash(&[bytes])))
    }

    /// Whether it begins with `len` bytes of this hash.
    pub(super) fn begins(&self, len: u16, wanted: &Print) -> bool {
        self.print(len).is_some_and(|print| print == *wanted)
    }
}

/// A file that was looked into.
pub(super) struct Looked {
    pub(super) source: Arc<Source>,
    pub(super) content: Content,
}

/// Reads the ends of a file; also gives its first bytes, where it is plain. They are not kept with it: of a hundred thousand
/// files they would be 400 MB.
pub(super) fn look(source: Source, stats: &mut Stats) -> Result<(Looked, First)> {
    let size = source.size;
    let file = std::fs::File::open(&source.path).map_err(Error::io(&source.path))?;
    let at = |from: u64, len: usize| -> Result<Vec<u8>> {
        use std::os::unix::fs::FileExt;
        let mut bytes = vec![0; len];
        let mut filled = 0;
        while filled < len {
            match file.read_at(&mut bytes[filled..], from + filled as u64) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => return Err(Error::io(&source.path)(e)),
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    };
    let raw = at(0, HEAD.min(size as usize))?;
    stats.known_by += raw.len() as u64;
    let last = if source.is_seekable() { Vec::new() } else { at(size.saturating_sub(TAIL as u64), TAIL)? };
    stats.known_by += last.len() as u64;
    let ends = hash(&[&raw, &last]);
    let content = Content { size, ends };
    let first = First::new(if source.is_seekable() { raw } else { Vec::new() });
    Ok((Looked { source: source.into(), content }, first))
}

fn range(plain: &PlainFile, from: u64, to: u64, pages: &mut Pages, stats: &mut Stats) -> Result<Vec<u8>> {
    plain.read_at(from..to, pages)?;
    stats.known_by += pages.len() as u64;
    Ok(pages.to_vec())
}

/// The first bytes of a file that was looked into, again.
pub(super) fn first_of(plain: &PlainFile, size: u64, pages: &mut Pages) -> Result<First> {
    plain.read_at(0..size.min(HEAD as u64), pages)?;
    Ok(First::new(pages.to_vec()))
}

/// The bytes before `offset` that make a log's tail.
pub(super) fn tail_of(plain: &PlainFile, offset: u64, pages: &mut Pages, stats: &mut Stats) -> Result<Print> {
    Ok(hash(&[&range(plain, offset.saturating_sub(TAIL as u64), offset, pages, stats)?]))
}

/// The end of the last whole line behind `start`.
pub(super) fn whole_lines(
    open: &PlainFile,
    start: u64,
    size: u64,
    pages: &mut Pages,
    stats: &mut Stats,
) -> Result<u64> {
    const STEP: u64 = 16 << 10;
    let mut to = size;
    while to > start && size - to < LONGEST {
        let from = to.saturating_sub(STEP).max(start);
        // The last byte is a newline nearly always, and then one byte says so.
        let from = if to == size { to - 1 } else { from };
        let bytes = range(open, from, to, pages, stats)?;
        if let Some(i) = memchr::memrchr(b'\n', &bytes) {
            return Ok(from + i as u64 + 1);
        }
        to = from;
    }
    // A line longer than any of nginx's: it is passed over and counted by the scan.
    Ok(if size - to >= LONGEST { size } else { start })
}

/// The last bytes of a stream, and how many there were.
#[derive(Debug, Default)]
pub(super) struct Ring {
    last: Vec<u8>,
    pub(super) len: u64,
}

impl Ring {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.len += bytes.len() as u64;
        if bytes.len() >= TAIL {
            self.last.clear();
            self.last.extend_from_slice(&bytes[bytes.len() - TAIL..]);
        } else {
            self.last.extend_from_slice(bytes);
            let over = self.last.len().saturating_sub(TAIL);
            self.last.drain(..over);
        }
    }

    pub(super) fn tail(&self) -> Print {
        hash(&[&self.last])
    }
}

/// Things by the bytes they begin with: of a hundred thousand logs a file is compared with those that begin as it does.
#[derive(Debug, Default)]
pub(super) struct ByHead {
    heads: HashMap<(u16, Print), Vec<usize>>,
    lengths: BTreeSet<u16>,
}

impl ByHead {
    pub(super) fn insert(&mut self, head: (u16, Print), what: usize) {
        self.lengths.insert(head.0);
        self.heads.entry(head).or_default().push(what);
    }

    /// Those whose bytes `first` begins with, by number. Thousands of small files have hundreds of lengths: each byte is
    /// hashed once, and not once for each length.
    pub(super) fn of(&self, first: &First) -> Vec<usize> {
        let mut found = Vec::new();
        let (mut sha, mut at) = (Sha256::new(), 0);
        for &len in &self.lengths {
            let Some(more) = first.bytes.get(at..usize::from(len)) else { break };
            sha.update(more);
            at = usize::from(len);
            if len > 0 {
                found.extend(self.heads.get(&(len, print_of(sha.clone()))).into_iter().flatten());
            }
        }
        found.sort_unstable();
        found
    }
}
