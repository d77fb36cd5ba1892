//! The lines of one file that may be wanted, block by block, each with its time on the common clock.

use super::Wanted;
use crate::format::errorlog;
use crate::format::record::AccessRecord;
use crate::input::source::{Pages, PlainFile, open_stream};
use crate::reading::{Read, line_number};
use crate::report::MadeOf;
use crate::scan::{Block, Dimension, count_newlines, has_failed, hash, template};
use crate::time::{Millis, Second, Window};
use crate::timeline::Class;
use crate::zone::ZonePlan;
use std::io::{self, Read as _};

/// Bytes looked at behind a block for the rest of its last line, and the longest line there is.
const REST: u64 = 1 << 20;

/// Lines that a block of the index holds at least, unless they are longer than any of nginx's usual ones.
const LINES: usize = 64;

/// One line and where it belongs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    /// Its second; logs that know no more than seconds decide what can be told.
    pub(super) second: Second,
    /// Within one second error records come first: nginx says that it starts before it answers.
    pub(super) rank: u8,
    /// The whole of its time.
    pub(super) time: Millis,
    /// Its file, and its place there.
    pub(super) file: usize,
    pub(super) byte: u64,
    pub(super) line: u64,
    pub(super) wanted: bool,
    pub(super) text: Vec<u8>,
}

/// Reads one file forward.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    file: usize,
    read: &'a Read,
    zone: Option<&'a ZonePlan>,
    wanted: &'a Wanted,
    /// The blocks that may hold wanted lines, and the earliest second from each on.
    blocks: Vec<(Block, Second)>,
    next: usize,
    /// For packed files, which are read once from the front.
    stream: Option<Streamed>,
    /// A place whose line number is known.
    cursor: (u64, u64),
    last: Last,
}

/// What a line without a time of its own belongs to.
#[derive(Debug, Clone, Copy, Default)]
struct Last {
    time: Option<Millis>,
    rank: u8,
    wanted: bool,
}

/// A stream and the part of it in memory.
struct Streamed {
    stream: Box<dyn io::Read>,
    buffer: Vec<u8>,
    /// Offset of the buffer's first byte.
    base: u64,
    ended: bool,
}

impl std::fmt::Debug for Streamed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Streamed").field("base", &self.base).finish_non_exhaustive()
    }
}

impl<'a> Reader<'a> {
    /// A reader of the lines of `window` (in UTC) and of the wanted places.
    pub(super) fn new(
        file: usize,
        read: &'a Read,
        zone: Option<&'a ZonePlan>,
        window: Option<Window>,
        wanted: &'a Wanted,
    ) -> Self {
        // The index holds seconds as the lines have them: those of error records are local.
        let mut offsets: Vec<i64> =
            zone.into_iter().flat_map(|z| z.steps.iter().map(|s| i64::from(s.1) * 60)).collect();
        if read.scan.first.is_some() || zone.is_none() {
            offsets.push(0);
        }
        let (low, high) =
            (offsets.iter().min().copied().unwrap_or(0), offsets.iter().max().copied().unwrap_or(0));
        let in_time = |b: &Block| {
            window.is_some_and(|w| {
                b.first < w.end.saturating_add(high) && b.last >= w.start.saturating_add(low)
            })
        };
        let all = &read.scan.blocks;
        let around = if wanted.context > 0 { wanted.context / LINES + 1 } else { 0 };
        let mut chosen = vec![false; all.len()];
        for (_, byte) in wanted.places.iter().filter(|p| p.0 == file) {
            let at = all.partition_point(|b| b.end <= *byte);
            let end = (at + around + 1).min(all.len());
            chosen[at.saturating_sub(around).min(end)..end].fill(true);
        }
        for (i, _) in all.iter().enumerate().filter(|(_, b)| in_time(b)) {
            chosen[i] = true;
            // A line that reaches over a block's end is in the next block's seconds.
            chosen[i.saturating_sub(1)] = true;
        }
        let chosen: Vec<Block> = all.iter().zip(chosen).filter(|c| c.1).map(|c| *c.0).collect();
        let mut earliest = Second::MAX;
        let mut blocks: Vec<(Block, Second)> = chosen
            .into_iter()
            .rev()
            .map(|b| {
                earliest = earliest.min(b.first.saturating_sub(high));
                (b, earliest)
            })
            .collect();
        blocks.reverse();
        Self {
            file,
            read,
            zone,
            wanted,
            blocks,
            next: 0,
            stream: None,
            cursor: (0, 1),
            last: Last::default(),
        }
    }

    /// The earliest second that what is still to come can hold; `None` at the end.
    pub(super) fn earliest(&self) -> Option<Second> {
        self.blocks.get(self.next).map(|b| b.1)
    }

    /// Reads the next block: its lines that may be wanted, or stand beside a wanted one.
    pub(super) fn next(&mut self, out: &mut Vec<Entry>) -> io::Result<()> {
        let Some(&(block, _)) = self.blocks.get(self.next) else { return Ok(()) };
        self.next += 1;
        if self.next < 2 || self.blocks[self.next - 2].0.end != block.start {
            // What stands before is not known to belong to anything here.
            self.last = Last::default();
        }
        let (bytes, from) = self.bytes(block)?;
        // A line belongs to the block in which it starts.
        let mut start = if block.start == 0 { 0 } else { after(&bytes) };
        if self.stream.is_some() {
            self.count_to(&bytes, from, start);
        }
        while start < bytes.len() && from + (start as u64) < block.end {
            let end = memchr::memchr(b'\n', &bytes[start..]).map_or(bytes.len(), |i| start + i);
            let byte = from + start as u64;
            let number = self.number(byte);
            out.extend(self.entry(byte, number, &bytes[start..end]));
            start = end + 1;
            self.cursor = (from + start as u64, number + 1);
        }
        Ok(())
    }

    /// Counts the lines of a stream up to `start`.
    fn count_to(&mut self, bytes: &[u8], from: u64, start: usize) {
        let counted = usize::try_from(self.cursor.0.saturating_sub(from)).unwrap_or(usize::MAX);
        if counted < start {
            self.cursor = (from + start as u64, self.cursor.1 + count_newlines(&bytes[counted..start]));
        }
    }

    /// The number of the line at a byte.
    fn number(&mut self, byte: u64) -> u64 {
        if self.cursor.0 != byte {
            self.cursor = (byte, line_number(self.read, byte));
        }
        self.cursor.1
    }

    /// The bytes of a block up to the end of its last line, and where they begin: one byte before the block, to see
    /// whether a line starts with it.
    fn bytes(&mut self, block: Block) -> io::Result<(Vec<u8>, u64)> {
        let source = &self.read.reading.source;
        let from = block.start.saturating_sub(1);
        if source.is_seekable() {
            let mut pages = Pages::default();
            let plain = PlainFile::open(source).map_err(io::Error::other)?;
            plain.read_at(from..block.end + REST, &mut pages).map_err(io::Error::other)?;
            return Ok((pages.to_vec(), from));
        }
        if self.stream.is_none() {
            let stream = open_stream(source).map_err(io::Error::other)?;
            self.stream =
                Some(Streamed { stream: Box::new(stream), buffer: Vec::new(), base: 0, ended: false });
        }
        let Some(s) = &mut self.stream else { return Ok((Vec::new(), from)) };
        s.forward(from, &mut self.cursor);
        s.fill(block.end);
        let from = s.base;
        Ok((s.buffer.clone(), from))
    }

    /// A line as an entry, if it is wanted or neighbours are.
    fn entry(&mut self, byte: u64, line: u64, text: &[u8]) -> Option<Entry> {
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        if let Some(dated) = self.date(byte, text) {
            self.last = dated;
        }
        let wanted = self.last.wanted || self.wanted.places.contains(&(self.file, byte));
        if !wanted && self.wanted.context == 0 {
            return None;
        }
        let Last { time, rank, .. } = self.last;
        // Nothing before it says when it was: it cannot be put in order, and only its place can ask for it.
        let time =
            time.or_else(|| wanted.then(|| self.blocks.get(self.next - 1).map_or(0, |b| b.1) * 1000))?;
        let twin = u8::from(self.read.twin.is_some());
        let second = time.div_euclid(1000);
        let rank = rank * 2 + twin;
        Some(Entry { second, rank, time, file: self.file, byte, line, wanted, text: text.to_vec() })
    }

    /// When a line was written and whether it is wanted by its time; `None` for a line that goes on what came before.
    fn date(&mut self, byte: u64, line: &[u8]) -> Option<Last> {
        let plan = &self.read.reading.plan;
        let mut room = Vec::new();
        let unwrapped = plan.framing.unwrap(line, &mut room);
        let payload = unwrapped.as_ref().map_or(line, |u| u.payload);
        let inside = |s: Second| self.wanted.window.is_some_and(|w| w.contains(s));
        let behind = i64::from(self.wanted.made_of.behind);
        let just_behind =
            |s: Second| behind > 0 && self.wanted.window.is_some_and(|w| w.end <= s && s < w.end + behind);
        let access = plan.formats.iter().find_map(|f| f.parse(payload).ok().filter(|r| r.time.is_some()));
        if let Some((record, stamp)) = access.and_then(|r| Some((r, r.time?))) {
            let arrival = stamp.arrival(record.request_time.unwrap_or(0));
            let failed = record.status.is_some_and(|s| has_failed(s, record.request_time));
            let counts = plan.exclude.as_ref().is_none_or(|e| e.of_request(&record).is_none());
            let wanted = if self.wanted.all {
                inside(stamp.second())
            } else {
                counts
                    && (failed && (inside(arrival) || just_behind(stamp.second()))
                        || (inside(stamp.second()) || inside(arrival) || just_behind(stamp.second()))
                            && is_made_of(&self.wanted.made_of, &record))
            };
            return Some(Last { time: Some(stamp.millis), rank: 1, wanted });
        }
        if let Some((second, utc)) = errorlog::stamp(payload) {
            let second = match self.zone.filter(|_| !utc) {
                Some(zone) => zone.utc(second, byte),
                None => second,
            };
            let counts = self.wanted.all || !plan.excludes(payload);
            return Some(Last {
                time: Some(second * 1000),
                rank: 0,
                wanted: counts && (inside(second) || just_behind(second)),
            });
        }
        // A part of a record, or a line that no format fits: the frame may know when it came.
        let framed = unwrapped.as_ref().and_then(|u| u.time)?;
        let wanted = self.last.wanted || self.wanted.all && inside(framed.second());
        Some(Last { time: Some(framed.millis), rank: self.last.rank, wanted })
    }
}

/// Whether an incident that is made of this counts a request as bad.
fn is_made_of(made: &MadeOf, record: &AccessRecord<'_>) -> bool {
    let Some(class) = record.status.map(Class::of) else { return false };
    if made.given_up && class == Class::Aborted {
        return true;
    }
    if made.slow_ms.is_some_and(|limit| record.request_time.is_some_and(|ms| ms >= limit)) {
        return true;
    }
    let uri = record.uri.unwrap_or_default();
    let path = &uri[..uri.iter().position(|b| matches!(b, b'?' | b'#')).unwrap_or(uri.len())];
    let of_endpoint = || {
        let mut room = Vec::new();
        template(uri, &mut room);
        made.gone_endpoints.contains(&Dimension::Endpoint.key(&room))
    };
    class == Class::Missing
        && (made.gone_paths.contains(&hash(path)) || !made.gone_endpoints.is_empty() && of_endpoint())
}

impl Streamed {
    /// Drops everything before `at`, counting its lines.
    fn forward(&mut self, at: u64, cursor: &mut (u64, u64)) {
        let passed = |bytes: &[u8], base: u64, cursor: &mut (u64, u64)| {
            // What lies before the cursor was counted already.
            let from = usize::try_from(cursor.0.saturating_sub(base)).unwrap_or(usize::MAX).min(bytes.len());
            if from < bytes.len() {
                cursor.1 += count_newlines(&bytes[from..]);
                cursor.0 = base + bytes.len() as u64;
            }
        };
        while self.base < at {
            if self.buffer.is_empty() {
                self.more();
                if self.buffer.is_empty() {
                    return;
                }
            }
            let n = self.buffer.len().min(usize::try_from(at - self.base).unwrap_or(usize::MAX));
            passed(&self.buffer[..n], self.base, cursor);
            self.buffer.drain(..n);
            self.base += n as u64;
        }
    }

    /// Holds everything up to the end of the line that reaches over `end`.
    fn fill(&mut self, end: u64) {
        loop {
            let wanted = usize::try_from(end.saturating_sub(self.base)).unwrap_or(usize::MAX);
            let whole = self.buffer.len() > wanted && memchr::memchr(b'\n', &self.buffer[wanted..]).is_some();
            if whole || self.ended || self.buffer.len() > wanted.saturating_add(REST as usize) {
                return;
            }
            self.more();
        }
    }

    fn more(&mut self) {
        let before = self.buffer.len();
        self.buffer.resize(before + (256 << 10), 0);
        let n = loop {
            match self.stream.read(&mut self.buffer[before..]) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                // A damaged end was reported by the scan; what came before it is here.
                other => break other.unwrap_or(0),
            }
        };
        self.buffer.truncate(before + n);
        self.ended |= n == 0;
    }
}

/// The start of the second line.
fn after(bytes: &[u8]) -> usize {
    memchr::memchr(b'\n', bytes).map_or(bytes.len(), |i| i + 1)
}
