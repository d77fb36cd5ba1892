//! The scanner of one file: what the hot loops call when a line is more than a count.
//!
//! The loops keep the current second and its counts in [`Run`]; a new second, a failure or an odd line comes here.

use super::bounded::hash;
use super::endpoint;
use super::known::{Names, given};
use super::partial::{Block, Dimension, FileScan, KEPT, Sample};
use super::plan::Plan;
use crate::format::access::store::split_request;
use crate::format::framing::{Framing, Joiner};
use crate::format::{AccessRecord, Field};
use crate::time::{Millis, Second, Window};
use crate::timeline::{BUCKETS, CLASSES, Class, Collected, bucket, only_ok};

/// Bytes per entry of the index.
pub(super) const INDEX_BYTES: u64 = 256 << 10;

/// Lines of one second are counted in 16 bits; the run is closed before they can overflow.
const RUN_LINES: u32 = u16::MAX as u32 - super::lanes::BLOCK as u32;

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

/// Lines of the same second in a row.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) second: Second,
    pub(super) counts: [u16; CLASSES],
    latencies: [u16; BUCKETS],
    /// Bit i is set where bucket i is not 0.
    touched: u64,
    lines: u32,
    inside: bool,
    sighting: Sighting,
}

/// Whether sightings of a second are wanted, and under which group.
#[derive(Debug, Clone, Copy)]
enum Sighting {
    /// No line has asked yet.
    Unasked,
    Wanted(u32),
    Unwanted,
}

/// First and last of some seconds; the default holds none.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    first: Second,
    last: Second,
}

impl Default for Stretch {
    fn default() -> Self {
        Self { first: Second::MAX, last: Second::MIN }
    }
}

impl Stretch {
    #[inline]
    fn add(&mut self, second: Second) {
        self.first = self.first.min(second);
        self.last = self.last.max(second);
    }

    fn take(&mut self) -> Option<(Second, Second)> {
        let Self { first, last } = std::mem::take(self);
        (first <= last).then_some((first, last))
    }
}

/// What a hot loop found out about a line that deserves a closer look.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen<'a> {
    pub(super) status: u16,
    pub(super) class: Class,
    /// The request, where its place is known.
    pub(super) request: Option<&'a [u8]>,
    /// How long the client waited, where the log tells it and the loop has read it.
    pub(super) waited: Option<u32>,
}

/// A request as far as failures need it.
#[derive(Debug, Clone, Copy)]
struct Request<'a> {
    status: u16,
    client: &'a [u8],
    line: Option<&'a [u8]>,
    uri: Option<&'a [u8]>,
    vhost: Option<&'a [u8]>,
    peers: Option<&'a [u8]>,
    waited: Option<u32>,
    end: Millis,
}

impl<'a> Request<'a> {
    fn of(record: &AccessRecord<'a>, second: Second) -> Option<Self> {
        Some(Self {
            status: record.status?,
            client: record.client.unwrap_or_default(),
            line: record.request,
            uri: record.uri,
            vhost: record.vhost,
            peers: record.upstream_addr,
            waited: record.request_time,
            end: record.time.map_or(second * 1000, |t| t.millis),
        })
    }
}

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
            run: Run {
                second: Second::MIN,
                counts: [0; CLASSES],
                latencies: [0; BUCKETS],
                touched: 0,
                lines: 0,
                inside: false,
                sighting: Sighting::Unasked,
            },
            errors: super::errors::ErrorRun::default(),
            collected: Collected::default(),
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
                && self.plan.errors
                && !request(payload)
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
        *self.out.chunk_lines.entry(chunk).or_default() += lines;
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
        if self.plan.errors || self.plan.framing != Framing::None {
            if near > 0 {
                self.errors.enter(&[], at_byte);
            }
            self.read_past(&bytes[start..], at_byte + start as u64);
        }
        let lines = super::count_newlines(bytes) + u64::from(!bytes.ends_with(b"\n"));
        *self.out.chunk_lines.entry(chunk).or_default() += lines;
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

    /// Closes the current run.
    fn settle(&mut self) {
        self.gather();
        self.close_run();
        self.close_error_run();
        if self.collected.is_large() {
            self.out.timeline.absorb(&mut self.collected);
        }
        self.run.second = Second::MIN;
        self.block = Stretch::default();
        if let Some((first, last)) = self.inside.take() {
            self.span(first * 1000);
            self.span(last * 1000);
        }
        self.close_offset();
    }

    /// Adds the fresh seconds to the stretches they belong to.
    fn gather(&mut self) {
        let Some((first, last)) = self.fresh.take() else { return };
        for second in [first, last] {
            self.block.add(second);
            self.under_offset.add(second);
            if self.window == Window::ALL {
                self.inside.add(second);
            }
        }
    }

    fn close_offset(&mut self) {
        self.gather();
        if let (Some(offset), Some((first, last))) = (self.offset.take(), self.under_offset.take()) {
            self.out.saw_offset(offset, first, last);
        }
    }

    /// The stamps of the lines from here on carry this offset.
    pub(super) fn offset(&mut self, offset: i16) {
        if self.offset != Some(offset) {
            self.close_offset();
            self.offset = Some(offset);
        }
    }

    /// Called between blocks of lines: keeps the counts from overflowing and the index fine enough.
    #[inline]
    pub(super) fn between_blocks(&mut self, lines: usize, byte: u64) {
        self.run.lines += lines as u32;
        if self.run.lines > RUN_LINES {
            self.close_run();
        }
        // A long line that went the exact way has closed blocks behind its own start.
        if byte.saturating_sub(self.block_start) >= INDEX_BYTES {
            self.close_block(byte);
        }
    }

    #[inline(never)]
    fn close_block(&mut self, end: u64) {
        self.gather();
        if let Some((first, last)) = self.block.take() {
            self.out.blocks.push(Block { start: self.block_start, end, first, last });
            // The next lines carry the same second until they say otherwise.
            for second in [self.run.second, self.errors.second()] {
                if second != Second::MIN {
                    self.block.add(second);
                }
            }
        }
        self.block_start = end;
    }

    #[inline]
    fn close_run(&mut self) {
        let run = &mut self.run;
        run.lines = 0;
        // What nearly every second of a quiet log is.
        let ok = run.counts[Class::Ok as usize];
        if run.touched == 0 && run.inside && only_ok(&run.counts) && self.collected.count_few(run.second, ok)
        {
            self.out.requests += u64::from(ok);
            run.counts[Class::Ok as usize] = 0;
            return;
        }
        let lines = if only_ok(&run.counts) {
            u32::from(run.counts[Class::Ok as usize])
        } else {
            run.counts.iter().map(|n| u32::from(*n)).sum()
        };
        if lines == 0 {
            return;
        }
        if run.inside {
            self.out.requests += u64::from(lines);
            self.collected.count(&mut self.out.timeline, run.second, &run.counts);
            if run.touched != 0 {
                self.collected.time(&mut self.out.timeline, run.second, &mut run.latencies, run.touched);
            }
        } else {
            self.out.outside += u64::from(lines);
            if run.touched != 0 {
                run.latencies = [0; BUCKETS];
            }
        }
        run.counts = [0; CLASSES];
        run.touched = 0;
    }

    /// The next lines carry another second.
    pub(super) fn turn(&mut self, second: Second) {
        if second == self.run.second {
            return;
        }
        self.shift(second);
        self.block.add(second);
        if self.run.inside {
            self.inside.add(second);
        }
    }

    /// The next lines carry another second, and the offset that was named last.
    #[inline]
    pub(super) fn turn_under_offset(&mut self, second: Second) {
        self.fresh.add(second);
        if second == self.run.second {
            return;
        }
        self.shift(second);
        if self.run.inside && self.window != Window::ALL {
            self.inside.add(second);
        }
    }

    #[inline]
    fn shift(&mut self, second: Second) {
        self.close_run();
        self.run.second = second;
        self.run.inside = self.window.contains(second);
        self.run.sighting = Sighting::Unasked;
    }

    /// A line of this second lies in the current block of the index.
    #[inline]
    pub(super) fn in_block(&mut self, second: Second) {
        self.block.add(second);
    }

    fn span(&mut self, millis: Millis) {
        self.out.first = Some(self.out.first.map_or(millis, |f| f.min(millis)));
        self.out.last = Some(self.out.last.map_or(millis, |l| l.max(millis)));
    }

    /// Counts a latency of the current second.
    #[inline]
    pub(super) fn latency(&mut self, ms: u32) {
        let bucket = bucket(ms);
        self.run.latencies[bucket] += 1;
        self.run.touched |= 1 << bucket;
    }

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
    pub(super) fn detail(&mut self, line: &[u8], seen: Seen<'_>, byte: u64, line_no: u64) {
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
            _ if seen.class == Class::Missing => known.request.then(Names::default),
            named => named.and_then(|named| named.find(line)),
        };
        if let Some(Names { vhost, peers }) = names {
            let client = &line[..memchr::memchr(b' ', line).unwrap_or(0)];
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
                    end: second * 1000,
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
        let whole = || self.plan.formats.first().and_then(|f| f.parse(line).ok());
        self.plan.brief(line).or_else(whole)
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
            if self.plan.errors && self.errors.reaches(byte) {
                self.continuation(payload);
            }
            return;
        }
        if self.plan.errors && self.error_line(payload, raw, byte, line_no) {
            return;
        }
        for format in &self.plan.formats {
            if let Ok(record) = format.parse(payload)
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
        if self.plan.errors && self.errors.reaches(byte) {
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

    /// The closer look at a failed request (or one that is only sighted).
    fn look(&mut self, request: &Request<'_>, raw: &[u8], byte: u64, line_no: u64) {
        let second = self.run.second;
        if request.status != 499
            && let Some(line) = request.line
            && let Some(group) = self.sighting()
        {
            let key = (group, sighting_key(request.client, line), second);
            if self.out.seen_access.wants(&key) {
                self.out.seen_access.show(key, (), |(), ()| ());
            }
        }
        if !has_failed(request.status, request.waited) {
            return;
        }
        let arrival = (request.end - i64::from(request.waited.unwrap_or(0))).div_euclid(1000);
        self.collected.failed.push((arrival, 1));
        let text = self.keep_text;
        let sample = || sample(text, second, raw, byte, line_no);
        let cell = self.out.failures.at(arrival);
        cell.failed += 1;
        *cell.statuses.entry(request.status).or_default() += 1;
        cell.clients.add(hash(request.client) as u32);
        let place = (second, byte);
        if cell.first.as_ref().is_none_or(|s| place < (s.second, s.byte)) {
            cell.first = Some(sample());
        }
        if cell.last.as_ref().is_none_or(|s| place > (s.second, s.byte)) {
            cell.last = Some(sample());
        }
        let mut named = |dimension: Dimension, name: &[u8]| {
            let key = dimension.key(name);
            cell.names[dimension as usize].add(key, 1);
            if self.out.names.wants(&key) && self.out.names.get(&key).is_none() {
                self.out.names.show(key, name.into(), |_, _| ());
            }
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
    }
}

/// The place of a line, with its text where it cannot be read again.
fn sample(keep_text: bool, second: Second, raw: &[u8], byte: u64, line_no: u64) -> Sample {
    let text = keep_text.then(|| raw[..raw.len().min(KEPT)].into());
    Sample { second, byte, line: line_no, text }
}

/// Whether a class of line is looked at more closely.
pub(super) fn wants_detail(class: Class) -> bool {
    matches!(class, Class::ServerError | Class::Aborted | Class::Missing)
}

/// The group of a second: four seconds of the quarter of an hour, hashed. Zones differ by quarters of an hour, so
/// both logs put one request into the same group, whatever the zone of the error log.
pub(super) fn sighting_group(second: Second) -> u32 {
    hash(&((second >> 2).rem_euclid(225)).to_le_bytes()) as u32
}

/// The key of a request in both logs: client and request line. The access log escapes what the error log leaves
/// raw, so only the part before the first byte that would be escaped counts.
pub(super) fn sighting_key(client: &[u8], request: &[u8]) -> u64 {
    let plain =
        request.iter().position(|b| matches!(b, b'"' | b'\\' | 0..=0x1f | 0x7f..)).unwrap_or(request.len());
    hash(client) ^ hash(&request[..plain]).rotate_left(17)
}
