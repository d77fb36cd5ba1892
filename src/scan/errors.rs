//! The hot loop over error logs, and the counting of records by shape.
//!
//! A flood of one message is one shape: the message up to its first comma or quote with the digits blanked, its
//! level, and its errno. Shapes get their meaning later, from one quoted record each; here they are only told apart
//! and counted, which costs a third of reading the record.

use super::access::{Place, Reader, array, each_line, two_digits};
use super::lanes::{Job, Lanes, Portable, WIDE};
use super::partial::Sample;
use super::scanner::{Origin, Scanner, sighting_group, sighting_key};
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

/// The longest record that can be whole; a longer one has lost its end (`NGX_MAX_ERROR_STR`, `ngx_log.h`).
const WHOLE: usize = 2040;

/// Physical lines after which an unfinished record is given up: the next start is believed again.
const PATIENCE: u32 = 500;

/// Records of the same second in a row, and of the same bucket.
#[derive(Debug)]
pub(super) struct ErrorRun {
    second: Second,
    sighting: Option<u32>,
    /// The shapes of `hot`, in its order; 0 where there is none.
    shapes: [u64; HOT],
    hot: Vec<Hot>,
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
            shapes: [0; HOT],
            hot: Vec::with_capacity(HOT),
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

    /// Whether a line at this byte can belong to the record before it.
    pub(super) fn reaches(&self, byte: u64) -> bool {
        self.open.is_some_and(|start| byte.wrapping_sub(start) < REACH)
    }

    /// Finds out, from the bytes before a chunk, which record is open at its start; `end` is the chunk's first byte.
    /// The lines are gone through in order, as the scan goes through them: a line that looks like a start can belong
    /// to the record before it.
    pub(super) fn enter(&mut self, before: &[u8], end: u64) {
        (self.open, self.unfinished) = (None, 0);
        let base = end - before.len() as u64;
        // The first line has lost its front, unless the file begins with it.
        let mut start =
            if base == 0 { 0 } else { memchr::memchr(b'\n', before).map_or(before.len(), |i| i + 1) };
        while let Some(len) = before.get(start..).and_then(|rest| memchr::memchr(b'\n', rest)) {
            self.pass(&before[start..start + len], base + start as u64);
            start += len + 1;
        }
    }

    /// Goes past a line that is not to be counted: it opens a record, goes one on, or neither.
    pub(super) fn pass(&mut self, line: &[u8], byte: u64) {
        match front_of(line) {
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
        let closed = memmem::find(line, b", client: ").is_some() || line.ends_with(b"\"");
        self.unfinished = if closed { 0 } else { self.unfinished.saturating_sub(1) };
    }
}

/// What the front of a record says: enough to count it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Front {
    shape: u64,
    /// A quoted name was not closed on this line: the record goes on in the next.
    unfinished: bool,
    /// A connection had to do with it, so that a request may stand in it.
    connected: bool,
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
        each_line(lanes, scanner, bytes, origin, ErrorReader { last: [b'\n'; 32], minute: 0 })
    }
}

struct ErrorReader {
    last: [u8; 32],
    minute: Second,
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
        if (lanes.equal(stamp, &self.last) & STAMP) | SECONDS != STAMP {
            let Some(local) = parse_error_time(stamp).filter(|_| stamp[19..21] == *b" [") else {
                return false;
            };
            let Some(of_minute) = two_digits(stamp[17], stamp[18]) else { return false };
            self.minute = local - of_minute;
            self.last = *stamp;
        }
        let Some(of_minute) = two_digits(stamp[17], stamp[18]) else { return false };
        let Some(front) = front(lanes, bytes, start, end) else { return false };
        let raw = &bytes[start..end];
        scanner.record(self.minute + of_minute, front, raw, raw, place.byte, place.line);
        true
    }
}

/// Reads a record from its level on; `None` when the line does not start a record.
#[inline(always)]
fn front<L: Lanes>(lanes: L, bytes: &[u8], start: usize, end: usize) -> Option<Front> {
    let name = array::<8>(bytes, start + 21)?;
    let length = level_length(u64::from_le_bytes(*name))?;
    // `1201#1201: *100006 message`
    let at = start + 21 + length + 2;
    if at >= end {
        return None;
    }
    // What stands behind the line is not looked at: it may be anything.
    let inside = u64::MAX >> (WIDE - (end - at).min(WIDE));
    let blanks = lanes.mask(array::<WIDE>(bytes, at)?, b' ') & inside;
    let first = blanks.trailing_zeros() as usize;
    let hashes = lanes.mask(array::<WIDE>(bytes, at)?, b'#') & inside;
    let hash_at = hashes.trailing_zeros() as usize;
    if first >= WIDE
        || hash_at >= first
        || bytes[at + first.wrapping_sub(1).min(WIDE)] != b':'
        || !bytes[at].is_ascii_digit()
    {
        return None;
    }
    let connected = bytes.get(at + first + 1) == Some(&b'*');
    let rest = blanks & blanks.wrapping_sub(1);
    let message = at + 1 + if connected && rest != 0 { rest.trailing_zeros() as usize } else { first };
    if message >= end {
        return Some(Front { shape: u64::from(name[0]), unfinished: false, connected });
    }
    let window = array::<WIDE>(bytes, message)?;
    let commas = lanes.mask(window, b',');
    let quotes = lanes.mask(window, b'"');
    let stop = (commas | quotes).trailing_zeros() as usize;
    let head = stop.min(end - message);
    let quoted = head == stop && stop < WIDE && quotes >> stop & 1 == 1;
    let line = &bytes[message..end];
    let mut unfinished = false;
    let errno = if quoted {
        // `open() "/srv/x" failed (2: No such file or directory), client: ...`: the errno follows the name.
        let failed = behind_name(line, quotes & (quotes - 1));
        // Only what comes over a connection can be forged; nginx's own words may hold an odd quote.
        unfinished = connected
            && failed.is_none()
            && end - start < WHOLE
            && memmem::find(line, b", client: ").is_none();
        failed.map_or(0, number)
    } else {
        parenthesised(lanes.mask(window, b'('), line, head)
    };
    Some(Front { shape: shape(name[0], name[1], window, head, errno), unfinished, connected })
}

/// The names of the levels with the bracket that ends them, as words, the bits they cover and their length, each where
/// [`level_slot`] says.
static LEVELS: [(u64, u64, usize); 16] = {
    const NAMES: [&[u8]; 8] =
        [b"emerg]", b"alert]", b"crit]", b"error]", b"warn]", b"notice]", b"info]", b"debug]"];
    // No word is this one: it covers nothing.
    let mut slots = [(1, 0, 0); 16];
    let mut n = 0;
    while n < NAMES.len() {
        let (name, mut i) = (NAMES[n], 0);
        let (mut word, mut covered) = (0, 0);
        while i < name.len() {
            word |= (name[i] as u64) << (8 * i);
            covered |= 0xff << (8 * i);
            i += 1;
        }
        let slot = &mut slots[level_slot(word)];
        assert!(slot.1 == 0, "two levels in one slot");
        *slot = (word, covered, name.len() - 1);
        n += 1;
    }
    slots
};

/// A number below 16 that the first two letters of a level give, another for each level.
const fn level_slot(word: u64) -> usize {
    ((word ^ (word >> 8 << 3)) & 15) as usize
}

/// The length of the name of a level at the front of eight bytes, which `]` ends. Looked up, as nobody can guess which
/// level comes next: a branch for each was mispredicted at every second record.
#[inline(always)]
fn level_length(word: u64) -> Option<usize> {
    let (name, covered, length) = LEVELS[level_slot(word)];
    (word & covered == name).then_some(length)
}

/// What stands behind the first `" failed (` of a message; bit i of `quotes` is set where byte i of it, or of what
/// follows it, is a quote. A name that holds quotes costs a step for each of them.
#[inline(always)]
fn behind_name(message: &[u8], mut quotes: u64) -> Option<&[u8]> {
    let failed = |i: usize| message.get(i..)?.strip_prefix(b"\" failed (");
    while quotes != 0 {
        if let Some(found) = failed(quotes.trailing_zeros() as usize) {
            return Some(found);
        }
        quotes &= quotes - 1;
    }
    let rest = message.get(WIDE..)?;
    memchr::memchr_iter(b'"', rest).find_map(|i| failed(WIDE + i))
}

/// The number behind the first parenthesis that has one: `connect() failed (111: ...`.
#[inline(always)]
fn parenthesised(mut opened: u64, line: &[u8], head: usize) -> u32 {
    while opened != 0 {
        let at = opened.trailing_zeros() as usize;
        if at >= head {
            break;
        }
        match number(&line[at + 1..head]) {
            0 => {}
            n => return n,
        }
        opened &= opened - 1;
    }
    0
}

#[inline(always)]
fn number(digits: &[u8]) -> u32 {
    let mut n = 0;
    for &b in &digits[..digits.len().min(6)] {
        let digit = b.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        n = n * 10 + u32::from(digit);
    }
    n
}

/// The shape of a message: a hash of its level and of the first `head` bytes of `window`, digits blanked.
///
/// The words are multiplied in pairs that do not wait for each other; one after the other, as a hash of bytes of
/// any length has to do it, took a third of the time of a record.
#[inline(always)]
fn shape(level: u8, level2: u8, window: &[u8; WIDE], head: usize, errno: u32) -> u64 {
    const KEYS: [u64; 8] = [
        0x9e37_79b9_7f4a_7c15,
        0xd6e8_feb8_6659_fd93,
        0xa076_1d64_78bd_642f,
        0xe703_7ed1_a0b4_28db,
        0x8ebc_6af0_9c88_c6e3,
        0x5899_65cc_7537_4cc3,
        0x1d8e_4e27_c47d_124f,
        0xeb44_acca_b455_d165,
    ];
    let fold = |a: u64, b: u64| {
        let p = u128::from(a) * u128::from(b);
        (p as u64) ^ (p >> 64) as u64
    };
    let kept = blank_digits(window, head);
    let word = |i: usize| array::<8>(&kept, 8 * i).map_or(0, |b| u64::from_le_bytes(*b)) ^ KEYS[i];
    let mut h = (u64::from(level) << 40) | (u64::from(level2) << 48) | u64::from(errno);
    h ^= fold(word(0), word(1)) ^ fold(word(2), word(3)) ^ fold(word(4), word(5)) ^ fold(word(6), word(7));
    fold(fold(h ^ head as u64, KEYS[0]), KEYS[1])
}

/// The first `head` bytes with `0` in place of every ASCII digit, and zero bytes behind them. Loops over bytes without
/// a branch become a few vector instructions.
#[inline(always)]
fn blank_digits(window: &[u8; WIDE], head: usize) -> [u8; WIDE] {
    /// As many ones as there are zeros behind them: a window into it keeps the bytes it covers with ones.
    static KEEP: [u8; 2 * WIDE] = {
        let mut keep = [0; 2 * WIDE];
        let mut i = 0;
        while i < WIDE {
            keep[i] = 0xff;
            i += 1;
        }
        keep
    };
    let mut kept = [0; WIDE];
    let Some(keep) = array::<WIDE>(&KEEP, WIDE - head.min(WIDE)) else { return kept };
    for i in 0..WIDE {
        let byte = if window[i].wrapping_sub(b'0') < 10 { b'0' } else { window[i] };
        kept[i] = byte & keep[i];
    }
    kept
}

impl Scanner<'_> {
    /// Counts a record whose front has been read. `payload` is the record's first physical line, `raw` the same as
    /// the file has it.
    #[inline]
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
        self.count_shape(front.shape, raw, byte, line);
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

    #[inline]
    fn count_shape(&mut self, shape: u64, raw: &[u8], byte: u64, line: u64) {
        let second = self.errors.second;
        // All are compared: which one it is cannot be guessed, and a wrong guess costs more.
        let mut place = HOT;
        for (i, hot) in self.errors.shapes.iter().enumerate() {
            place = if *hot == shape { i } else { place };
        }
        let Some(entry) = self.errors.hot.get_mut(place) else {
            return self.new_shape(shape, raw, byte, line);
        };
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
    fn new_shape(&mut self, shape: u64, raw: &[u8], byte: u64, line: u64) {
        if self.errors.hot.len() == HOT {
            self.flush_shapes();
            self.errors.hot.clear();
            self.errors.shapes = [0; HOT];
        }
        let second = self.errors.second;
        let first = Sample { second, byte, line, text: self.text(raw) };
        let seconds = 1 << (second & 63);
        if let Some(room) = self.errors.shapes.get_mut(self.errors.hot.len()) {
            *room = shape;
        }
        self.errors.hot.push(Hot { shape, n: 1, seconds, first, known: (Second::MAX, u64::MAX) });
    }

    #[inline(never)]
    fn turn_errors(&mut self, second: Second) {
        let before = self.errors.second;
        if before == Second::MIN || self.out.errors.number(before) != self.out.errors.number(second) {
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

    /// Moves the counts of the current bucket into the tables.
    fn flush_shapes(&mut self) {
        let second = self.errors.second;
        if self.errors.hot.iter().all(|e| e.n == 0) {
            return;
        }
        let cell = self.out.errors.at(second);
        cell.shapes.reserve_exact(if cell.shapes.is_empty() { self.errors.hot.len() } else { 0 });
        for hot in self.errors.hot.iter_mut().filter(|e| e.n > 0) {
            let (n, seconds) = (std::mem::take(&mut hot.n), std::mem::take(&mut hot.seconds));
            let place = (hot.first.second, hot.first.byte);
            if place < hot.known && self.out.shapes.wants(&hot.shape) {
                hot.known = place;
                match self.out.shapes.get_mut(&hot.shape) {
                    Some(sample) if (sample.second, sample.byte) <= place => {
                        hot.known = (sample.second, sample.byte);
                    }
                    Some(sample) => *sample = hot.first.clone(),
                    None => self.out.shapes.show(hot.shape, hot.first.clone(), |_, _| ()),
                }
            }
            let first = &mut hot.first;
            cell.add((hot.shape, n, seconds), place, || Sample { text: first.text.take(), ..first.clone() });
            (first.second, first.byte) = (Second::MAX, u64::MAX);
        }
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
        let key = (group, sighting_key(client, &rest[request + 12..]), self.errors.second);
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
        let level = record.level.name().as_bytes();
        let mut window = [0; WIDE];
        let len = record.message.len().min(WIDE);
        window[..len].copy_from_slice(&record.message[..len]);
        let head = window[..len].iter().position(|b| matches!(b, b',' | b'"' | b'\\')).unwrap_or(len);
        let shape = shape(level[0], level[1], &window, head, errno);
        self.out.error_utc |= record.utc;
        let front = Front { shape, unfinished: false, connected: false };
        if self.leaves_out(record.time, front, payload, raw, byte) {
            return;
        }
        self.record(record.time, front, payload, raw, byte, line);
        if record.level <= Level::Error
            && let (Some(group), Some(client), Some(request)) =
                (self.errors.sighting, record.client, record.request)
        {
            let key = sighting_key(client, request);
            self.out.seen_error.show((group, key, record.time), (), |(), ()| ());
        }
    }
}

/// The front of a line that stands alone: the windows reach past its end, so it is padded.
fn front_of(line: &[u8]) -> Option<Front> {
    parse_error_time(line).filter(|_| line.get(19..21) == Some(b" ["))?;
    let mut padded = Vec::with_capacity(line.len() + 4 * WIDE);
    padded.extend_from_slice(line);
    padded.resize(line.len() + 4 * WIDE, 0);
    front(Portable, &padded, 0, line.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_blanked_and_nothing_else() {
        proptest::proptest!(|(bytes: [[u8; 8]; 8], head in 0usize..80)| {
            let window: [u8; WIDE] = std::array::from_fn(|i| bytes[i / 8][i % 8]);
            let mut want = window.map(|b| if b.is_ascii_digit() { b'0' } else { b });
            want[head.min(WIDE)..].fill(0);
            proptest::prop_assert_eq!(blank_digits(&window, head), want);
        });
        let text: [u8; WIDE] = std::array::from_fn(|i| b"a9:/0 \xb0\x7f"[i % 8]);
        assert_eq!(&blank_digits(&text, 12)[..16], b"a0:/0 \xb0\x7fa0:/\0\0\0\0");
    }

    #[test]
    fn one_message_is_one_shape() {
        let frame = "2026/03/01 10:00:00 [error] 7#7: *12 ";
        let shape = |m: &str| front_of(format!("{frame}{m}").as_bytes()).unwrap().shape;
        let refused = "connect() failed (111: Connection refused) while connecting to upstream, client: ";
        assert_eq!(shape(&format!("{refused}192.0.2.1")), shape(&format!("{refused}2001:db8::1")));
        assert_ne!(
            shape(refused),
            shape(&refused.replace("111: Connection refused", "113: No route to host"))
        );
        assert_eq!(
            shape("open() \"/a\" failed (2: No such file or directory), client: 192.0.2.1"),
            shape("open() \"/b/c\" failed (2: No such file or directory), client: 192.0.2.2"),
        );
        assert_ne!(
            shape("open() \"/a\" failed (2: No such file or directory), client: 192.0.2.1"),
            shape("open() \"/a\" failed (13: Permission denied), client: 192.0.2.1"),
        );
        assert!(front_of(b"2026/03/01 10:00:00 [errr] 7#7: x").is_none());
        for level in ["emerg", "alert", "crit", "error", "warn", "notice", "info", "debug"] {
            let start =
                |end: &str| front_of(format!("2026/03/01 10:00:00 [{level}{end} 7#7: start").as_bytes());
            assert!(start("]").is_some() && start("s]").is_none() && start("").is_none(), "{level}");
        }
        // Letters at which no level stands.
        assert!(front_of(b"2026/03/01 10:00:00 [\x01\x00] 7#7: x").is_none());
    }
}
