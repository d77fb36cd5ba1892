//! The hot loops over access logs: what they share, and the one over `... [TIME] "REQUEST" STATUS ...`.
//!
//! For each block of 4 KiB the newlines are found first, almost without a branch; then each line costs one window
//! for its quotes, one comparison with the stamp of the line before, and one table look-up for its status. Whatever
//! does not fit goes to [`Scanner::odd`], which is exact. Rejected on measurement: `memchr` field by field (twice
//! the time), a regex (25 times), a window that follows the fields one by one (1.4 times).

use super::lanes::{BLOCK, Job, Lanes, WIDE, newlines};
use super::plan::{Quoted, Tail};
use super::scanner::{Origin, Scanner, Seen, wants_detail};
use crate::time::{Second, parse_iso8601, parse_time_local};
use crate::timeline::Class;

/// Set in a table entry whose line deserves a closer look.
const DETAIL: u8 = 0x80;
/// Table entry of nibbles that are not three decimal digits.
pub(super) const INVALID: u8 = 0x40;

/// What a status means, by its three digits as [`Lanes::digits`] gives them.
pub(super) static STATUSES: [u8; 4096] = {
    let mut table = [INVALID; 4096];
    let mut status = 0;
    while status < 1000 {
        let class = Class::of(status);
        let detail = matches!(class, Class::ServerError | Class::Aborted | Class::Missing);
        let digits = (status / 100) | ((status / 10 % 10) << 4) | ((status % 10) << 8);
        table[digits as usize] = class as u8 | if detail { DETAIL } else { 0 };
        status += 1;
    }
    table
};

const CLASSES: [Class; 8] = [
    Class::Ok,
    Class::Redirect,
    Class::ClientError,
    Class::Missing,
    Class::Aborted,
    Class::ServerError,
    Class::Info,
    Class::Odd,
];

/// The stamp of the last line, and the minute it fell in.
pub(super) struct Clock<'p> {
    text: [u8; 32],
    minute: Second,
    /// What stands before the stamp, what behind it.
    pub(super) around: (&'static [u8], &'p [u8]),
}

impl<'p> Clock<'p> {
    pub(super) fn new(around: (&'static [u8], &'p [u8])) -> Self {
        // No line holds a newline, so no line is equal to this.
        Self { text: [b'\n'; 32], minute: 0, around }
    }

    /// Turns to the second of the stamp of `len` bytes at `text[from..]`, whose digits of the second stand at
    /// `seconds`; false when it is none. Only the bytes of `mask` are looked at.
    #[inline(always)]
    pub(super) fn turn<L: Lanes>(
        &mut self,
        lanes: L,
        scanner: &mut Scanner<'_>,
        text: &[u8; 32],
        (from, len, seconds): (usize, usize, usize),
        mask: u32,
    ) -> bool {
        let same = lanes.equal(text, &self.text) & mask;
        if same == mask {
            return true;
        }
        let now = if same | 3 << (from + seconds) == mask {
            two_digits(text[(from + seconds) & 31], text[(from + seconds + 1) & 31]).map(|s| self.minute + s)
        } else {
            self.read(scanner, text, (from, len, seconds), same, mask)
        };
        let Some(now) = now else {
            return false;
        };
        self.text = *text;
        scanner.turn_under_offset(now);
        true
    }

    /// Reads the `len` bytes of a stamp at `text[from..]`, of which those in `same` are as they were.
    #[cold]
    #[inline(never)]
    fn read(
        &mut self,
        scanner: &mut Scanner<'_>,
        text: &[u8; 32],
        (from, len, seconds): (usize, usize, usize),
        same: u32,
        mask: u32,
    ) -> Option<Second> {
        // Another minute of the same hour. In both forms its digits stand three bytes before those of the second.
        let (minute, second) = (from + seconds - 3, from + seconds);
        if same | 3 << minute | 3 << second == mask {
            let of = |text: &[u8; 32], at: usize| two_digits(*text.get(at)?, *text.get(at + 1)?);
            let (now, before) = (of(text, minute).filter(|m| *m < 60)?, of(&self.text, minute)?);
            let of_minute = of(text, second)?;
            self.minute += 60 * (now - before);
            return Some(self.minute + of_minute);
        }
        let bytes = text.get(from..from + len)?;
        if !text.starts_with(self.around.0) || !text[from + len..].starts_with(self.around.1) {
            return None;
        }
        let stamp = match len {
            26 => parse_time_local(bytes)?,
            _ => parse_iso8601(bytes).filter(|(_, used)| *used == len)?.0,
        };
        let second = stamp.second();
        scanner.offset(stamp.offset?);
        // A leap second is read as the first of the next minute: the minute is that of the text.
        let of_minute = two_digits(bytes[len - 8], bytes[len - 7])?;
        self.minute = second - of_minute;
        Some(second)
    }
}

#[inline(always)]
pub(super) fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<&[u8; N]> {
    bytes.get(at..)?.first_chunk::<N>()
}

/// Two ASCII digits as the second of a minute, leap second included; `None` when they are none.
#[inline(always)]
pub(super) fn two_digits(a: u8, b: u8) -> Option<i64> {
    let (a, b) = (a.wrapping_sub(b'0'), b.wrapping_sub(b'0'));
    let second = a.wrapping_mul(10).wrapping_add(b);
    (a < 10 && b < 10 && second <= 60).then(|| i64::from(second))
}

/// A value of `$request_time`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waited {
    /// Milliseconds.
    Millis(u32),
    /// `-`, an empty value or none at all.
    Nothing,
    /// Something else, which the exact way has to look at.
    Odd,
}

impl Waited {
    /// Reads a decimal number with three decimals, as nginx writes times, at `at`. What follows must not go on with
    /// the number.
    #[inline(always)]
    pub(super) fn read(bytes: &[u8], at: usize) -> Self {
        /// One byte of 0x30 for each digit of `0.123`.
        const DIGITS: u64 = 0x30_3030_0030;
        if let Some(word) = array::<8>(bytes, at) {
            let word = u64::from_le_bytes(*word);
            let nibbles = word & 0x0f_0f0f_000f;
            let small = (nibbles + 0x06_0606_0006) & 0xf0_f0f0_00f0 == 0;
            let ends = matches!((word >> 40) as u8, b' ' | b'"' | b',' | b'}' | b'\n');
            if word & 0xf0_f0f0_fff0 == DIGITS | 0x2e00 && small && ends {
                let decimals = (nibbles >> 16) as u32;
                let hundreds = decimals & 15;
                let last = (decimals >> 8 & 15) * 10 + (decimals >> 16);
                return Self::Millis((nibbles as u32 & 15) * 1000 + hundreds * 100 + last);
            }
        }
        Self::read_slowly(bytes.get(at..).unwrap_or_default())
    }

    #[inline(never)]
    fn read_slowly(bytes: &[u8]) -> Self {
        let ends = |at: usize| bytes.get(at).is_none_or(|b| matches!(b, b' ' | b'"' | b',' | b'}' | b'\n'));
        match bytes.first() {
            None | Some(b' ' | b'"' | b',' | b'}' | b'\n') => return Self::Nothing,
            Some(b'-') if ends(1) => return Self::Nothing,
            _ => {}
        }
        let whole = bytes.iter().take(7).take_while(|b| b.is_ascii_digit()).count();
        if !(1..7).contains(&whole) || bytes.get(whole) != Some(&b'.') || !ends(whole + 4) {
            return Self::Odd;
        }
        let digits = bytes[..whole].iter().chain(bytes[whole + 1..].iter().take(3));
        digits
            .map(|b| b.is_ascii_digit().then(|| u32::from(b - b'0')))
            .try_fold((0, 0), |(n, ms), digit| Some((n + 1, ms * 10 + digit?)))
            .filter(|(n, _)| *n == whole + 3)
            .map_or(Self::Odd, |(_, ms)| Self::Millis(ms))
    }
}

/// A way to read one line fast.
///
/// A trait and not a closure: closures are not inlined into code compiled for better lanes than the rest, and the
/// intrinsics in them become calls (measured: three times the whole scan).
pub(super) trait Reader {
    /// Counts the line at `place`; `false`, and nothing counted, where it is for the exact way. There are [`MARGIN`]
    /// bytes on both sides of the line, and what they hold must not matter: lines near the edge of a slice are
    /// copied to where they hold nothing.
    fn read<L: Lanes>(&mut self, lanes: L, scanner: &mut Scanner<'_>, bytes: &[u8], place: Place) -> bool;

    /// A line went the exact way, which may have turned to another second.
    #[inline(always)]
    fn interrupted(&mut self) {}
}

/// A line of a slice: where it stands there, and in the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) byte: u64,
    pub(super) line: u64,
}

/// Counts a line and its latency, and has it looked at if it deserves it. `digits` are those of the status, as
/// [`Lanes::digits`] gives them, and `entry` what the table says of them.
#[inline(always)]
pub(super) fn count(
    scanner: &mut Scanner<'_>,
    bytes: &[u8],
    place: Place,
    (digits, entry): (usize, u8),
    request: (usize, usize),
    waited: Waited,
) {
    scanner.run.counts[usize::from(entry & 7)] += 1;
    let waited = if let Waited::Millis(ms) = waited { Some(ms) } else { None };
    if let Some(ms) = waited {
        scanner.latency(ms);
    }
    if entry >= DETAIL {
        let Place { start, end, byte, line } = place;
        closer(scanner, bytes, (start, end), (byte, line), (digits, entry), request, waited);
    }
}

/// Takes numbers and no structures: those would be written to memory for every line, and this is for few.
#[cold]
#[inline(never)]
fn closer(
    scanner: &mut Scanner<'_>,
    bytes: &[u8],
    (start, end): (usize, usize),
    (byte, line): (u64, u64),
    (digits, entry): (usize, u8),
    request: (usize, usize),
    waited: Option<u32>,
) {
    let class = CLASSES[usize::from(entry & 7)];
    debug_assert!(wants_detail(class));
    let seen = Seen {
        status: ((digits & 15) * 100 + (digits >> 4 & 15) * 10 + (digits >> 8 & 15)) as u16,
        class,
        request: bytes.get(request.0..request.1),
        waited,
    };
    scanner.detail(&bytes[start..end], seen, byte, line);
}

/// Scans the lines of a slice in the format `plan` describes and returns how many there are.
pub(super) struct QuotedLoop<'a, 's, 'p> {
    pub(super) scanner: &'a mut Scanner<'s>,
    pub(super) plan: &'p Quoted,
    pub(super) bytes: &'a [u8],
    pub(super) origin: Origin,
}

impl Job for QuotedLoop<'_, '_, '_> {
    type Out = u64;

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) -> u64 {
        let Self { scanner, plan, bytes, origin } = self;
        // Compiled apart for the two: most formats have no time taken, and registers are scarce.
        match plan.tail {
            None => each_line(lanes, scanner, bytes, origin, QuotedReader::<false>::new(plan)),
            Some(_) => each_line(lanes, scanner, bytes, origin, QuotedReader::<true>::new(plan)),
        }
    }
}

/// Bytes of which a stamp is a part when it is compared.
const STAMP: usize = 32;

struct QuotedReader<'p, const TIMED: bool> {
    plan: &'p Quoted,
    clock: Clock<'p>,
    /// The bytes before the first quote that are compared.
    mask: u32,
    lead: usize,
    back: usize,
    /// What the last byte of a line must be, and the bits of it that are looked at.
    close: (u8, u8),
    tail: Tail,
}

impl<'p, const TIMED: bool> QuotedReader<'p, TIMED> {
    fn new(plan: &'p Quoted) -> Self {
        Self {
            plan,
            clock: Clock::new((b"[", &plan.behind)),
            mask: u32::MAX >> (32 - plan.back),
            lead: plan.lead,
            back: plan.back,
            close: plan.close.map_or((0, 0), |close| (close, u8::MAX)),
            tail: plan.tail.unwrap_or(Tail { quotes_behind: 0, gap: 0, skip: 0 }),
        }
    }
}

impl<const TIMED: bool> Reader for QuotedReader<'_, TIMED> {
    #[inline(always)]
    fn interrupted(&mut self) {
        self.clock = Clock::new(self.clock.around);
    }

    #[inline(always)]
    fn read<L: Lanes>(&mut self, lanes: L, scanner: &mut Scanner<'_>, bytes: &[u8], place: Place) -> bool {
        let Place { start, end, .. } = place;
        // One look at the bounds for all that is read here: the stamp's 32 bytes, which may begin before the first
        // place of a quote, 128 bytes with the quotes, and the word behind the second. Masked indices cannot fail.
        let from = start + self.lead;
        let Some(head) = array::<{ STAMP + 2 * WIDE + 8 }>(bytes, from.wrapping_sub(STAMP)) else {
            return false;
        };
        let (Some(low), Some(high)) = (array::<WIDE>(head, STAMP), array::<WIDE>(head, STAMP + WIDE)) else {
            return false;
        };
        let low = lanes.mask(low, b'"');
        let high = lanes.mask(high, b'"');
        let rest = low & low.wrapping_sub(1);
        let opening = low.trailing_zeros() as usize;
        let (near, wide) = (rest.trailing_zeros(), WIDE as u32 + high.trailing_zeros());
        let far = std::hint::select_unpredictable(rest == 0, wide, near) as usize;
        let stamp = array::<32>(head, (STAMP + opening).wrapping_sub(self.back) & (2 * WIDE - 1));
        let word = array::<8>(head, STAMP + (far & (2 * WIDE - 1)));
        let (Some(word), Some(stamp)) = (word, stamp) else { return false };
        let (mut second, mut word) = (from + far, u64::from_le_bytes(*word));
        if far == 2 * WIDE {
            let Some(found) = long_request(bytes, second, end) else { return false };
            (second, word) = found;
        }
        // `" 502 `: the closing quote, three digits, blanks around them.
        let digits = lanes.digits(word >> 16);
        let entry = STATUSES[digits];
        if word & 0xfff0_f0f0_ffff != 0x2030_3030_2022 || second + 6 > end || low == 0 {
            return false;
        }
        let (close, bits) = self.close;
        if entry == INVALID || bytes[end - 1] & bits != close && !closed_before_return(bytes, end, close) {
            return false;
        }
        let waited = if TIMED { tail_waited(lanes, bytes, second, end, self.tail) } else { Waited::Nothing };
        if waited == Waited::Odd {
            return false;
        }
        if !self.clock.turn(lanes, scanner, stamp, (1, self.plan.stamp, self.plan.seconds), self.mask) {
            return false;
        }
        count(scanner, bytes, place, (digits, entry), (from + opening + 1, second), waited);
        true
    }
}

/// The quote that closes a long request, from `from` on, and the word there.
#[cold]
#[inline(never)]
fn long_request(bytes: &[u8], from: usize, end: usize) -> Option<(usize, u64)> {
    let second = from + memchr::memchr(b'"', bytes.get(from..end)?)?;
    Some((second, u64::from_le_bytes(*array(bytes, second)?)))
}

/// Whether a line that ends in a carriage return ends in `close` before it.
#[cold]
#[inline(never)]
fn closed_before_return(bytes: &[u8], end: usize, close: u8) -> bool {
    bytes[end - 1] == b'\r' && bytes[end - 2] == close
}

/// Finds `$request_time` from the end of a line.
#[inline(always)]
fn tail_waited<L: Lanes>(lanes: L, bytes: &[u8], after: usize, end: usize, tail: Tail) -> Waited {
    let from = end.wrapping_sub(WIDE);
    let Some(window) = array::<WIDE>(bytes, from) else { return Waited::Odd };
    let mask = lanes.mask(window, b'"');
    let quote = match mask.count_ones().checked_sub(1 + tail.quotes_behind) {
        Some(rank) => from.wrapping_add(lanes.select(mask, rank) as usize),
        None => far_quote(bytes, after, end, tail.quotes_behind),
    };
    let mut at = quote + 1 + tail.gap;
    if quote <= after || tail.skip > 0 && !pass_numbers(bytes, &mut at, end, tail.skip) || at > end {
        return Waited::Odd;
    }
    Waited::read(bytes, at)
}

/// The quote with `behind` others between it and the line's end; `after` when there is none behind that.
#[cold]
#[inline(never)]
fn far_quote(bytes: &[u8], after: usize, end: usize, behind: u32) -> usize {
    let line = bytes.get(after + 1..end).unwrap_or_default();
    memchr::memrchr_iter(b'"', line).nth(behind as usize).map_or(after, |at| after + 1 + at)
}

/// Goes past blank-separated numbers; false where no blank is near.
#[inline(never)]
pub(super) fn pass_numbers(bytes: &[u8], at: &mut usize, end: usize, numbers: usize) -> bool {
    for _ in 0..numbers {
        let number = bytes.get(*at..end).unwrap_or_default();
        let Some(len) = number.iter().take(21).position(|b| *b == b' ') else { return false };
        *at += 1 + len;
    }
    true
}

/// Lines that no fast way fits: each goes the exact way.
pub(super) struct PlainLoop<'a, 's> {
    pub(super) scanner: &'a mut Scanner<'s>,
    pub(super) bytes: &'a [u8],
    pub(super) origin: Origin,
}

struct PlainReader;

impl Reader for PlainReader {
    #[inline(always)]
    fn read<L: Lanes>(&mut self, _: L, _: &mut Scanner<'_>, _: &[u8], _: Place) -> bool {
        false
    }
}

impl Job for PlainLoop<'_, '_> {
    type Out = u64;

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) -> u64 {
        let Self { scanner, bytes, origin } = self;
        each_line(lanes, scanner, bytes, origin, PlainReader)
    }
}

/// Has `reader` count each line of a slice, in order, and sends those it leaves the exact way. Returns the number of
/// lines.
#[inline(always)]
pub(super) fn each_line<L: Lanes>(
    lanes: L,
    scanner: &mut Scanner<'_>,
    bytes: &[u8],
    origin: Origin,
    mut reader: impl Reader,
) -> u64 {
    let mut positions = [0; BLOCK + WIDE];
    let mut start = 0;
    let mut line = origin.line;
    let safe = MARGIN..bytes.len().saturating_sub(MARGIN);
    for base in (0..bytes.len()).step_by(BLOCK) {
        let n = newlines(lanes, bytes, base, &mut positions);
        scanner.between_blocks(n, origin.byte + base as u64);
        let ends = &positions[..n];
        // Once a block and not once a line: a block that reaches over a margin goes the careful way.
        if start < safe.start || ends.last().is_some_and(|end| *end as usize >= safe.end) {
            start = block_at_edge(lanes, scanner, (bytes, origin.byte), (start, line), ends, &mut reader);
            line += n as u64;
            continue;
        }
        for &newline in ends {
            let end = newline as usize;
            if end == start && scanner.passes_empty() {
                start += 1;
                line += 1;
                continue;
            }
            let place = Place { start, end, byte: origin.byte + start as u64, line };
            if !reader.read(lanes, scanner, bytes, place) {
                scanner.raw_line(&bytes[start..end], place.byte, place.line);
                reader.interrupted();
            }
            start = end + 1;
            line += 1;
        }
    }
    if start < bytes.len() {
        let end = [bytes.len() as u32];
        block_at_edge(lanes, scanner, (bytes, origin.byte), (start, line), &end, &mut reader);
        line += 1;
    }
    line - origin.line
}

/// Scans lines that end at `ends`, the first of which starts at `start`, each in a copy with room around it where the
/// slice has none: what is fast and what is odd must not depend on where a file was cut. Gives the start of the next.
#[cold]
#[inline(never)]
fn block_at_edge<L: Lanes>(
    lanes: L,
    scanner: &mut Scanner<'_>,
    (bytes, byte): (&[u8], u64),
    (mut start, mut line): (usize, u64),
    ends: &[u32],
    reader: &mut impl Reader,
) -> usize {
    let mut copy = Vec::new();
    for &end in ends {
        let end = end as usize;
        let text = &bytes[start..end];
        copy.clear();
        copy.resize(MARGIN, b'\n');
        copy.extend_from_slice(text);
        copy.resize(text.len() + 2 * MARGIN, b'\n');
        let place = Place { start: MARGIN, end: MARGIN + text.len(), byte: byte + start as u64, line };
        if !reader.read(lanes, scanner, &copy, place) {
            scanner.raw_line(text, place.byte, place.line);
            reader.interrupted();
        }
        start = end + 1;
        line += 1;
    }
    start
}

/// Bytes that a reader may look at before and behind its line.
pub(super) const MARGIN: usize = 4 * WIDE;
