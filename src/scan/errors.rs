//! The hot loop over error logs, and the counting of records by shape.
//!
//! A flood of one message is one shape: the message up to its first comma or quote with the digits blanked, its
//! level, and its errno. Shapes get their meaning later, from one quoted record each; here they are only told apart
//! and counted, which costs a third of reading the record.

use super::access::{MARGIN, Place, Reader, array, each_line, two_digits};
use super::front::{Front, KEPT, Messages, front, front_of, shape, stamp_of};
use super::lanes::{Job, Lanes, WIDE, dispatch};
use super::partial::{ERRORS, OTHER, Sample, Shaped};
use super::rows::Rows;
use super::scanner::{Origin, Scanner, sighting_group, sighting_key_of_line};
use crate::format::errorlog;
use crate::format::record::{ErrorRecord, Level};
use crate::time::{Second, parse_error_time};
use memchr::memmem;

/// Shapes of the current bucket that are counted without touching the tables.
const HOT: usize = 8;

/// Records of one shape in the current bucket.
#[derive(Debug)]
struct Hot {
    shape: u64,
    n: u32,
    /// Their seconds, as bits.
    seconds: u64,
    /// The first of them.
    first: Sample,
    /// The earliest that the table of shapes is known to hold.
    known: (Second, u64),
}

/// Physical lines after which an unfinished record is given up: the next start is believed again.
const PATIENCE: u32 = 500;

/// Records of the same second in a row, and of the same bucket.
#[derive(Debug)]
pub(super) struct ErrorRun {
    second: Second,
    sighting: Option<u32>,
    hot: Vec<Hot>,
    /// Where in `hot` records of each of the messages that are kept were counted last.
    last: [u8; KEPT],
    /// What was counted before.
    pub(super) rows: Rows,
    /// Physical lines that may still belong to the last record although they look like starts.
    unfinished: u32,
    /// Where the last record started, so that the lines behind belong to it.
    open: Option<u64>,
    client: memmem::Finder<'static>,
    request: memmem::Finder<'static>,
}

impl Default for ErrorRun {
    fn default() -> Self {
        Self {
            second: Second::MIN,
            sighting: None,
            hot: Vec::with_capacity(HOT),
            last: [0; KEPT],
            rows: Rows::new(ERRORS),
            unfinished: 0,
            open: None,
            client: memmem::Finder::new(b", client: "),
            request: memmem::Finder::new(b", request: \""),
        }
    }
}

/// Bytes behind its start in which a physical line can belong to a record: nginx's own end after 2 KiB, but
/// programs write whole stack traces into its log.
pub(super) const REACH: u64 = 64 << 10;

impl ErrorRun {
    /// The second of the last record; `Second::MIN` when there is none.
    pub(super) fn second(&self) -> Second {
        self.second
    }

    /// Whether lines that look like starts may still belong to the last record.
    pub(super) fn is_unfinished(&self) -> bool {
        self.unfinished > 0
    }

    /// Whether a line at this byte can belong to the record before it.
    pub(super) fn reaches(&self, byte: u64) -> bool {
        self.open.is_some_and(|start| byte.wrapping_sub(start) < REACH)
    }

    /// Finds out, from the bytes before a chunk, which record is open at its start; `end` is the chunk's first byte.
    /// The lines are gone through in order, as the scan goes through them: a line that looks like a start can belong
    /// to the record before it.
    pub(super) fn enter(&mut self, before: &[u8], end: u64) {
        (self.open, self.unfinished) = (None, 0);
        dispatch(Entering { run: self, before, end });
    }

    /// Goes past a line that is not to be counted: it opens a record, goes one on, or neither.
    pub(super) fn pass(&mut self, line: &[u8], byte: u64) {
        self.pass_front(front_of(line), line, byte);
    }

    fn pass_front(&mut self, front: Option<Front>, line: &[u8], byte: u64) {
        match front {
            Some(front) if self.unfinished == 0 => {
                self.open = Some(byte);
                self.unfinished = if front.unfinished { PATIENCE } else { 0 };
            }
            Some(_) => self.goes_on(line),
            None if self.reaches(byte) => self.goes_on(line),
            None => {}
        }
    }

    /// A physical line that belongs to the record before it.
    fn goes_on(&mut self, line: &[u8]) {
        let closed = self.client.find(line).is_some() || line.ends_with(b"\"");
        self.unfinished = if closed { 0 } else { self.unfinished.saturating_sub(1) };
    }
}

/// The lines before a chunk.
struct Entering<'a, 'b> {
    run: &'a mut ErrorRun,
    before: &'b [u8],
    end: u64,
}

impl Job for Entering<'_, '_> {
    type Out = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let Self { run, before, end } = self;
        let mut messages = Messages::default();
        let base = end - before.len() as u64;
        // The first line has lost its front, unless the file begins with it.
        let mut start =
            if base == 0 { 0 } else { memchr::memchr(b'\n', before).map_or(before.len(), |i| i + 1) };
        while let Some(len) = before.get(start..).and_then(|rest| memchr::memchr(b'\n', rest)) {
            let line = &before[start..start + len];
            let byte = base + start as u64;
            let found = if start + len + MARGIN > before.len() {
                front_of(line)
            } else if stamp_of(line).is_some() {
                front(lanes, &mut messages, before, start, start + len)
            } else {
                None
            };
            run.pass_front(found, line, byte);
            start += len + 1;
        }
    }
}

/// Scans the records of a slice of an error log and returns the number of physical lines.
pub(super) struct ErrorLoop<'a, 's> {
    pub(super) scanner: &'a mut Scanner<'s>,
    pub(super) bytes: &'a [u8],
    pub(super) origin: Origin,
}

impl Job for ErrorLoop<'_, '_> {
    type Out = u64;

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) -> u64 {
        let Self { scanner, bytes, origin } = self;
        each_line(lanes, scanner, bytes, origin, ErrorReader::default())
    }
}

struct ErrorReader {
    /// The stamp of the last record, its minute and its second.
    last: [u8; 32],
    minute: Second,
    second: Second,
    messages: Messages,
}

impl Default for ErrorReader {
    fn default() -> Self {
        Self { last: [b'\n'; 32], minute: 0, second: 0, messages: Messages::default() }
    }
}

impl Reader for ErrorReader {
    #[inline(always)]
    fn read<L: Lanes>(&mut self, lanes: L, scanner: &mut Scanner<'_>, bytes: &[u8], place: Place) -> bool {
        /// `2026/03/01 10:00:00 [`
        const STAMP: u32 = (1 << 21) - 1;
        const SECONDS: u32 = 3 << 17;
        let Place { start, end, .. } = place;
        let Some(stamp) = array::<32>(bytes, start) else { return false };
        if end - start < 32 {
            return false;
        }
        let same = lanes.equal(stamp, &self.last) & STAMP;
        if same != STAMP {
            let Some(of_minute) = two_digits(stamp[17], stamp[18]) else { return false };
            if same | SECONDS != STAMP {
                let Some(local) = parse_error_time(stamp).filter(|_| stamp[19..21] == *b" [") else {
                    return false;
                };
                self.minute = local - of_minute;
            }
            self.second = self.minute + of_minute;
            self.last = *stamp;
        }
        let Some(front) = front(lanes, &mut self.messages, bytes, start, end) else { return false };
        let raw = &bytes[start..end];
        scanner.record(self.second, front, raw, raw, place.byte, place.line);
        true
    }
}

impl Scanner<'_> {
    /// Counts a record whose front has been read. `payload` is the record's first physical line, `raw` the same as
    /// the file has it.
    #[inline(always)]
    pub(super) fn record(
        &mut self,
        second: Second,
        front: Front,
        payload: &[u8],
        raw: &[u8],
        byte: u64,
        line: u64,
    ) {
        if !self.opens(second, front, payload, byte) {
            return;
        }
        self.out.error_records += 1;
        self.count_shape(front, raw, byte, line);
        if let Some(group) = self.errors.sighting
            && front.connected
        {
            self.sight_error(group, payload);
        }
    }

    /// Begins a record, unless the line belongs to the one before.
    #[inline(always)]
    fn opens(&mut self, second: Second, front: Front, payload: &[u8], byte: u64) -> bool {
        if self.errors.unfinished > 0 {
            self.continuation(payload);
            return false;
        }
        self.errors.open = Some(byte);
        if front.unfinished {
            self.errors.unfinished = PATIENCE;
        }
        if second != self.errors.second {
            self.turn_errors(second);
        }
        true
    }

    /// Begins a record that shall not count, because of the request it names; says whether it is one.
    fn leaves_out(&mut self, second: Second, front: Front, payload: &[u8], raw: &[u8], byte: u64) -> bool {
        let plan = self.plan;
        let Some(name) = plan.exclude.as_ref().and_then(|e| e.of_error(payload)) else { return false };
        if self.opens(second, front, payload, byte) {
            self.out.exclude(name, 1, raw.len() as u64 + 1);
        }
        true
    }

    #[inline(always)]
    fn count_shape(&mut self, front: Front, raw: &[u8], byte: u64, line: u64) {
        // Where the message was counted last is known long before its shape is, and the count need not wait for that.
        let place = usize::from(self.errors.last[front.slot & (KEPT - 1)]);
        if self.errors.hot.get(place).is_some_and(|hot| hot.shape == front.shape) {
            return self.count_hot(place, raw, byte, line);
        }
        self.find_shape(front, raw, byte, line);
    }

    #[inline(never)]
    fn find_shape(&mut self, front: Front, raw: &[u8], byte: u64, line: u64) {
        let Some(place) = self.errors.hot.iter().position(|hot| hot.shape == front.shape) else {
            return self.new_shape(front.shape, raw, byte, line);
        };
        self.errors.last[front.slot & (KEPT - 1)] = place as u8;
        self.count_hot(place, raw, byte, line);
    }

    #[inline(always)]
    fn count_hot(&mut self, place: usize, raw: &[u8], byte: u64, line: u64) {
        let second = self.errors.second;
        let Some(entry) = self.errors.hot.get_mut(place) else { return };
        entry.n += 1;
        entry.seconds |= 1 << (second & 63);
        if (second, byte) < (entry.first.second, entry.first.byte) {
            entry.first = Sample { second, byte, line, text: None };
            if self.keep_text {
                self.first_text(place, raw);
            }
        }
    }

    #[cold]
    #[inline(never)]
    fn first_text(&mut self, place: usize, raw: &[u8]) {
        let text = self.text(raw);
        if let Some(entry) = self.errors.hot.get_mut(place) {
            entry.first.text = text;
        }
    }

    #[cold]
    #[inline(never)]
    fn new_shape(&mut self, mut shape: u64, raw: &[u8], byte: u64, line: u64) {
        // Of a shape that is one too many no record is kept, so it is not told from others of that kind.
        if !self.out.shapes.wants(&shape) {
            shape = OTHER;
            if let Some(place) = self.errors.hot.iter().position(|hot| hot.shape == OTHER) {
                return self.count_hot(place, raw, byte, line);
            }
        }
        if self.errors.hot.len() == HOT {
            self.flush_shapes();
            self.errors.hot.clear();
        }
        let second = self.errors.second;
        let first = Sample { second, byte, line, text: self.text(raw) };
        let seconds = 1 << (second & 63);
        self.errors.hot.push(Hot { shape, n: 1, seconds, first, known: (Second::MAX, u64::MAX) });
    }

    #[inline(never)]
    fn turn_errors(&mut self, second: Second) {
        let before = self.errors.second;
        if before == Second::MIN || self.errors.rows.number(before) != self.errors.rows.number(second) {
            self.flush_shapes();
        }
        self.errors.second = second;
        if before == Second::MIN || before >> 2 != second >> 2 {
            let group = sighting_group(second);
            self.errors.sighting = self.out.seen_error.wants(&(group, 0, 0)).then_some(group);
        }
        let span = self.out.error_span.get_or_insert((second, second));
        *span = (span.0.min(second), span.1.max(second));
        self.in_block(second);
    }

    pub(super) fn close_error_run(&mut self) {
        self.flush_shapes();
        self.errors.second = Second::MIN;
    }

    /// Moves the counts of the current bucket to the rows.
    fn flush_shapes(&mut self) {
        let second = self.errors.second;
        let shapes = &mut self.out.shapes;
        let counted = self.errors.hot.iter_mut().filter(|e| e.n > 0).map(|hot| {
            let (count, seconds) = (std::mem::take(&mut hot.n), std::mem::take(&mut hot.seconds));
            let place = (hot.first.second, hot.first.byte);
            if place < hot.known && shapes.wants(&hot.shape) {
                hot.known = place;
                match shapes.get_mut(&hot.shape) {
                    Some(sample) if (sample.second, sample.byte) <= place => {
                        hot.known = (sample.second, sample.byte);
                    }
                    Some(sample) => *sample = hot.first.clone(),
                    None => shapes.show(hot.shape, hot.first.clone(), |_, _| ()),
                }
            }
            let first = Sample { text: hot.first.text.take(), ..hot.first };
            (hot.first.second, hot.first.byte) = (Second::MAX, u64::MAX);
            Shaped { shape: hot.shape, count, seconds, first }
        });
        self.errors.rows.add(second, counted);
    }

    /// Notes client and request of a record. The keys are searched for from the left, which a client can fool into
    /// another sighting that fits nothing; reading the record as a whole took eight times as long.
    #[cold]
    #[inline(never)]
    fn sight_error(&mut self, group: u32, payload: &[u8]) {
        let Some(client) = self.errors.client.find(payload) else { return };
        let rest = &payload[client + 10..];
        let Some(request) = self.errors.request.find(rest) else { return };
        let client = &rest[..memchr::memchr(b',', rest).unwrap_or(rest.len())];
        let key = (group, sighting_key_of_line(client, &rest[request + 12..]), self.errors.second);
        if self.out.seen_error.wants(&key) {
            self.out.seen_error.show(key, (), |(), ()| ());
        }
    }

    /// A physical line that belongs to the record before it.
    #[cold]
    pub(super) fn continuation(&mut self, payload: &[u8]) {
        self.errors.goes_on(payload);
    }

    /// A line by itself that may start a record (in a frame, at the end of a slice, in Angie's JSON form) or belong
    /// to one; says whether it did.
    pub(super) fn error_line(&mut self, payload: &[u8], raw: &[u8], byte: u64, line: u64) -> bool {
        if let Some(second) = parse_error_time(payload)
            && let Some(front) = front_of(payload)
        {
            if !self.leaves_out(second, front, payload, raw, byte) {
                self.record(second, front, payload, raw, byte, line);
            }
            return true;
        }
        if payload.first() == Some(&b'{')
            && let Some(record) = errorlog::parse_angie_json(payload)
        {
            self.json_record(&record, payload, raw, byte, line);
            return true;
        }
        false
    }

    fn json_record(&mut self, record: &ErrorRecord<'_>, payload: &[u8], raw: &[u8], byte: u64, line: u64) {
        let errno = record.errno.unwrap_or(0);
        let level = record.level.name().bytes().take(2).rev().fold(0, |word, b| word << 8 | u64::from(b));
        let mut window = [0; WIDE];
        let len = record.message.len().min(WIDE);
        window[..len].copy_from_slice(&record.message[..len]);
        let head = window[..len].iter().position(|b| matches!(b, b',' | b'"' | b'\\')).unwrap_or(len);
        let shape = shape(level, &window, head, errno);
        self.out.error_utc |= record.utc;
        let front = Front { shape, unfinished: false, connected: false, slot: 0 };
        if self.leaves_out(record.time, front, payload, raw, byte) {
            return;
        }
        self.record(record.time, front, payload, raw, byte, line);
        if record.level <= Level::Error
            && let (Some(group), Some(client), Some(request)) =
                (self.errors.sighting, record.client, record.request)
        {
            let key = sighting_key_of_line(client, request);
            self.out.seen_error.show((group, key, record.time), (), |(), ()| ());
        }
    }
}
