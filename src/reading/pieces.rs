//! Pieces of packed files, unpacked again once for all that is looked at.
//!
//! In a packed file no place can be looked up: to read a line again means to unpack all that stands before it. Where many
//! stretches are looked at, what stands in all of them is kept in one pass, which ends behind the last.

use super::Read;
use super::lines::{REST, joined};
use crate::input::source::{Kind, open_stream};
use crate::parallel::Workers;
use std::io::Read as _;
use std::ops::{Deref, Range};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes per read of a stream.
const BUFFER: usize = 256 << 10;

/// Unpacked bytes of some places of a file; in a box, for most of many files are not packed.
#[derive(Debug, Default)]
pub struct Pieces(Mutex<Option<Box<Kept>>>);

#[derive(Debug, Default)]
struct Kept {
    /// What was foreseen, and what was asked for last.
    pieces: [Vec<Arc<Piece>>; 2],
    /// Something was asked for and would have taken too long.
    too_far: bool,
}

impl Pieces {
    /// Notes that something was asked for that would have taken too long.
    pub fn are_too_far(&self) {
        self.kept().get_or_insert_default().too_far = true;
    }

    /// Whether something was asked for that would have taken too long.
    pub fn were_too_far(&self) -> bool {
        self.kept().as_ref().is_some_and(|kept| kept.too_far)
    }

    fn kept(&self) -> MutexGuard<'_, Option<Box<Kept>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes with their place, in the order of the file.
#[derive(Debug)]
struct Piece {
    start: u64,
    bytes: Vec<u8>,
}

/// The bytes of some lines, from the one before the first to the end of the last, or more.
#[derive(Debug)]
pub(super) struct Lines {
    piece: Arc<Piece>,
    wanted: Range<u64>,
}

impl Lines {
    /// Of a range of a file; `None` where they are not all there.
    pub(super) fn of(read: &Read, range: &Range<u64>) -> Option<Self> {
        let wanted = with_ends(range, end_of(read));
        let kept = read.pieces.kept();
        kept.as_ref()?.pieces.iter().find_map(|pieces| {
            let place = pieces.partition_point(|p| p.start <= wanted.start).checked_sub(1)?;
            let piece = pieces.get(place).filter(|p| wanted.end <= p.start + p.bytes.len() as u64)?;
            Some(Self { piece: Arc::clone(piece), wanted: wanted.clone() })
        })
    }

    /// Where they begin.
    pub(super) fn start(&self) -> u64 {
        self.wanted.start
    }
}

impl Deref for Lines {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        let at = |byte: u64| (byte - self.piece.start) as usize;
        &self.piece.bytes[at(self.wanted.start)..at(self.wanted.end)]
    }
}

/// Where the last line of a file ends.
fn end_of(read: &Read) -> u64 {
    read.scan.blocks.last().map_or(0, |block| block.end)
}

/// A range with the byte before it, and with what is looked at for the end of its last line.
fn with_ends(range: &Range<u64>, file: u64) -> Range<u64> {
    let start = range.start.saturating_sub(1).min(file);
    start..range.end.saturating_add(REST).clamp(start, file)
}

/// Whether pieces of a file are unpacked again for looks.
pub fn is_packed(read: &Read) -> bool {
    let source = &read.reading.source;
    source.kind == Kind::File && !source.is_seekable()
}

/// Whether all of some ranges of a packed file were unpacked again.
pub fn is_unpacked(read: &Read, ranges: &[Range<u64>]) -> bool {
    ranges.iter().all(|range| Lines::of(read, range).is_some())
}

/// Unpacks the lines of some ranges of packed files again, several files at once, and keeps them. A file that is gone or
/// other than it was meanwhile has none.
pub fn unpack(reads: &[Read], wanted: &[(usize, Vec<Range<u64>>)], workers: &Workers) {
    workers.map(wanted, |(file, ranges)| keep(&reads[*file], ranges, 0));
}

/// The same of one file, until others are asked for.
pub fn unpack_now(read: &Read, ranges: &[Range<u64>]) {
    keep(read, ranges, 1);
}

fn keep(read: &Read, ranges: &[Range<u64>], slot: usize) {
    let file = end_of(read);
    let mut ranges: Vec<Range<u64>> = ranges.iter().map(|range| with_ends(range, file)).collect();
    ranges.sort_unstable_by_key(|range| range.start);
    if let Some(pieces) = pieces(read, &joined(&ranges, u64::MAX)) {
        read.pieces.kept().get_or_insert_default().pieces[slot] = pieces;
    }
}

/// The bytes of some ranges, which are sorted and lie apart.
fn pieces(read: &Read, ranges: &[Range<u64>]) -> Option<Vec<Arc<Piece>>> {
    let mut stream = open_stream(&read.reading.source).ok()?;
    let mut buffer = vec![0; BUFFER];
    let empty =
        |r: &Range<u64>| Piece { start: r.start, bytes: Vec::with_capacity((r.end - r.start) as usize) };
    let mut pieces: Vec<Piece> = ranges.iter().map(empty).collect();
    let (mut at, mut next) = (0u64, 0);
    while let Some(range) = ranges.get(next) {
        let n = match stream.read(&mut buffer) {
            Ok(0) => return None,
            Ok(n) => n,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(_) => return None,
        };
        let end = at + n as u64;
        let mut range = range.clone();
        while range.start < end {
            let part = range.start.max(at)..range.end.min(end);
            pieces[next]
                .bytes
                .extend_from_slice(&buffer[(part.start - at) as usize..(part.end - at) as usize]);
            if range.end > end {
                break;
            }
            next += 1;
            let Some(more) = ranges.get(next) else { break };
            range = more.clone();
        }
        at = end;
    }
    Some(pieces.into_iter().map(Arc::new).collect())
}
