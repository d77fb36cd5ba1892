//! The scanner of one file: what the hot loops call when a line is more than a count.
//!
//! The loops keep the current second and its counts in [`Run`]; a new second, a failure or an odd line comes here.

mod failed;
mod run;

pub use failed::has_failed;
pub(super) use failed::{Seen, sighting_group, sighting_key_of_line, wants_detail};
pub(super) use run::INDEX_BYTES;

use super::far::Failures;
use super::partial::{FAILURES, FileScan, KEPT};
use super::plan::Plan;
use crate::format::Field;
use crate::format::framing::{Framing, Joiner};
use crate::time::Window;
use crate::timeline::{Class, Collected};
use failed::{Named, Request, sample};
use run::{Run, Stretch};

/// Where the slice that is being scanned lies.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin {
    /// Offset of its first byte in the unpacked file.
    pub(super) byte: u64,
    /// Lines before it in its chunk.
    pub(super) line: u64,
}

#[derive(Debug)]
pub(crate) struct Scanner<'p> {
    pub(super) plan: &'p Plan,
    window: Window,
    /// Whether lines must be kept, because the file cannot be read again.
    pub(super) keep_text: bool,
    /// Whether the main format has the request as the client sent it, by which an error log's records are found.
    sightable: bool,
    pub(super) out: FileScan,
    pub(super) run: Run,
    pub(super) errors: super::errors::ErrorRun,
    collected: Collected,
    failures: Failures,
    named: Named,
    /// Seconds that carry the offset at hand and are not yet in the stretches below: one of them and not three is
    /// looked after at every new second.
    fresh: Stretch,
    /// Seconds in the current block of the index.
    block: Stretch,
    block_start: u64,
    /// Seconds inside the window.
    inside: Stretch,
    /// The offset that stamps carry now, and the seconds that carried it.
    offset: Option<i16>,
    under_offset: Stretch,
    name: Vec<u8>,
    joiner: Joiner,
    room: Vec<u8>,
}

impl<'p> Scanner<'p> {
    pub(crate) fn new(plan: &'p Plan, window: Window, keep_text: bool) -> Self {
        Self {
            plan,
            window,
            keep_text,
            sightable: plan.formats.first().is_some_and(|f| f.has(&Field::Request)),
            out: FileScan::default(),
            run: Run::new(),
            errors: super::errors::ErrorRun::default(),
            collected: Collected::default(),
            failures: Failures::new(FAILURES),
            named: Named::default(),
            fresh: Stretch::default(),
            block: Stretch::default(),
            block_start: 0,
            inside: Stretch::default(),
            offset: None,
            under_offset: Stretch::default(),
            name: Vec::new(),
            joiner: Joiner::default(),
            room: Vec::new(),
        }
    }

    /// Everything scanned so far.
    pub(crate) fn finish(mut self) -> FileScan {
        self.settle();
        self.out.timeline.absorb(&mut self.collected);
        self.out.errors = self.errors.rows.finish();
        self.out.bound_shapes();
        self.out.failures = self.failures.finish();
        // Now, so that the next file takes what is given back: there may be a hundred thousand.
        self.out.blocks.shrink_to_fit();
        self.out
    }

    /// The next slice lies elsewhere; `before` is what the file holds before it, as far as one can reach.
    pub(crate) fn enter_chunk(&mut self, before: &[u8], at_byte: u64) {
        self.errors.enter(before, at_byte);
    }

    /// The next slice begins at `at_byte` of a file whose lines stand in frames; `before` is what the file holds before
    /// it, as far as one can reach: what is open there goes on.
    pub(crate) fn enter_range(&mut self, before: &[u8], at_byte: u64) {
        let base = at_byte - before.len() as u64;
        self.errors.enter(&[], base);
        // The first line has lost its front, unless the file begins with it.
        let start = if base == 0 { 0 } else { memchr::memchr(b'\n', before).map_or(before.len(), |i| i + 1) };
        self.read_past(&before[start..], base + start as u64);
    }

    /// Goes through whole lines that are not to be counted, for what they leave open.
    fn read_past(&mut self, bytes: &[u8], at_byte: u64) {
        let mut byte = at_byte;
        let (mut room, mut joiner) = (std::mem::take(&mut self.room), std::mem::take(&mut self.joiner));
        for raw in bytes.split_inclusive(|b| *b == b'\n') {
            let line = raw.strip_suffix(b"\n").unwrap_or(raw);
            let part = self.plan.framing.unwrap(line, &mut room);
            let payload = match &part {
                Some(part) => joiner.push(part).map(|(payload, _)| payload),
                None => Some(line),
            };
            // Requests between the lines of a record do not end it.
            let request =
                |p: &[u8]| self.plan.formats.iter().any(|f| f.parse(p).is_ok_and(|r| r.time.is_some()));
            if let Some(payload) = payload
                && !(self.errors.reaches(byte) && request(payload))
            {
                self.errors.pass(payload, byte);
            }
            byte += raw.len() as u64;
        }
        (self.room, self.joiner) = (room, joiner);
    }

    /// Scans whole lines and returns their number. The slice must begin at a line's start and end at a line's end
    /// (or the file's).
    pub(crate) fn slice(&mut self, bytes: &[u8], at_byte: u64, at_line: u64, chunk: u64) -> u64 {
        self.block_start = at_byte;
        let lines = super::lines(self, bytes, Origin { byte: at_byte, line: at_line });
        self.close_block(at_byte + bytes.len() as u64);
        self.out.lines += lines;
        self.out.bytes += bytes.len() as u64;
        self.out.add_lines(chunk, lines);
        self.settle();
        lines
    }

    /// Passes over lines that stand in another file too, and returns their number.
    pub(crate) fn pass_over(&mut self, bytes: &[u8], at_byte: u64, chunk: u64) -> u64 {
        // What is open at their end goes on behind them.
        let near = bytes.len().saturating_sub(super::errors::REACH as usize);
        let start = if near == 0 {
            0
        } else {
            memchr::memchr(b'\n', &bytes[near..]).map_or(bytes.len(), |i| near + i + 1)
        };
        if near > 0 {
            self.errors.enter(&[], at_byte);
        }
        self.read_past(&bytes[start..], at_byte + start as u64);
        let lines = super::count_newlines(bytes) + u64::from(!bytes.ends_with(b"\n"));
        self.out.add_lines(chunk, lines);
        self.out.duplicate += lines;
        self.out.duplicate_bytes += bytes.len() as u64;
        lines
    }

    /// Counts a line that is longer than any of nginx's and was not read.
    pub(crate) fn oversized_line(&mut self) {
        self.out.oversized += 1;
    }

    /// The file was cut short while it was read.
    pub(crate) fn was_cut(&mut self) {
        self.out.was_cut = true;
    }

    /// The packed file is damaged from here on.
    pub(crate) fn damaged(&mut self, what: String) {
        self.out.damage = Some(what);
    }

    /// Whether an empty line says nothing: it is in no format, and no record waits for its end. A log of nothing but
    /// newlines has a line each byte.
    #[inline]
    pub(super) fn passes_empty(&self) -> bool {
        self.plan.framing == Framing::None && !self.errors.is_unfinished()
    }

    /// A line that no hot loop read, as the file has it.
    #[cold]
    pub(super) fn raw_line(&mut self, raw: &[u8], byte: u64, line_no: u64) {
        if self.plan.framing == Framing::None {
            return self.odd(raw, raw, byte, line_no);
        }
        let mut room = std::mem::take(&mut self.room);
        let mut joiner = std::mem::take(&mut self.joiner);
        match self.plan.framing.unwrap(raw, &mut room) {
            Some(part) => {
                let own = part.payload.as_ptr();
                match joiner.push(&part) {
                    Some((payload, _)) if payload.as_ptr() == own => self.odd(payload, raw, byte, line_no),
                    // At its place stands its last part alone: the whole is kept.
                    Some((whole, _)) => {
                        let kept = std::mem::replace(&mut self.keep_text, true);
                        self.odd(whole, whole, byte, line_no);
                        self.keep_text = kept;
                    }
                    None => {}
                }
            }
            None => self.odd(raw, raw, byte, line_no),
        }
        (self.room, self.joiner) = (room, joiner);
    }

    /// A line on its own: packed in a frame, of a second format, or simply odd. Exact and not fast.
    #[cold]
    pub(super) fn odd(&mut self, payload: &[u8], raw: &[u8], byte: u64, line_no: u64) {
        let payload = payload.strip_suffix(b"\r").unwrap_or(payload);
        // Blocks that were never written (power loss, a sparse copy) read as zeros.
        let zeros = payload.iter().take_while(|b| **b == 0).count();
        let payload = &payload[zeros..];
        if payload.is_empty() {
            // No format reads it, so none is tried.
            if self.errors.reaches(byte) {
                self.continuation(payload);
            }
            return;
        }
        if self.error_line(payload, raw, byte, line_no) {
            return;
        }
        for format in &self.plan.formats {
            if let Some(record) = self.plan.read(format, payload)
                && let Some(stamp) = record.time
            {
                self.turn(stamp.second());
                if let Some(offset) = stamp.offset {
                    self.out.saw_offset(offset, stamp.second(), stamp.second());
                }
                if stamp.sub_second && self.run.inside {
                    self.span(stamp.millis);
                }
                if self.run.inside
                    && let Some(name) = self.plan.excluded(&record)
                {
                    self.out.exclude(name, 1, raw.len() as u64 + 1);
                    return;
                }
                // A format without a status says neither that a request went well nor that it failed.
                let class = record.status.map_or(Class::Odd, Class::of);
                self.run.counts[class as usize] += 1;
                if let Some(ms) = record.request_time {
                    self.latency(ms);
                }
                if self.run.inside
                    && wants_detail(class)
                    && let Some(request) = Request::of(&record, stamp.second())
                {
                    self.look(&request, raw, byte, line_no);
                }
                self.between_blocks(1, byte);
                return;
            }
        }
        if self.errors.reaches(byte) {
            self.continuation(payload);
            return;
        }
        self.out.unparsed += 1;
        self.out.unparsed_bytes += raw.len() as u64 + 1;
        if self.out.examples.wants(&byte) {
            self.out.examples.show(byte, sample(true, 0, raw, byte, line_no), |_, _| ());
        }
    }

    /// The text of a line, where it cannot be read again.
    pub(super) fn text(&self, raw: &[u8]) -> Option<Box<[u8]>> {
        self.keep_text.then(|| raw[..raw.len().min(KEPT)].into())
    }
}
