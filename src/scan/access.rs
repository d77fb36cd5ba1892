//! The hot loops over access logs: what they share.
//!
//! For each block of 4 KiB the newlines are found first, almost without a branch; then each line costs one window
//! for its quotes, one comparison with the stamp of the line before, and one table look-up for its status. Whatever
//! does not fit goes to [`Scanner::odd`], which is exact. Rejected on measurement: `memchr` field by field (twice
//! the time), a regex (25 times), a window that follows the fields one by one (1.4 times).

use super::lanes::{Ahead, BLOCK, Job, Lanes, WIDE, newlines};
use super::scanner::{Origin, Scanner, Seen, wants_detail};
use super::waited::Waited;
use crate::format::find::begins;
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

    /// The scan may be at another second now than that of the last stamp, whose digits stand at `text[from..]`: the next
    /// stamp turns to its own, also where it is the same.
    pub(super) fn forget_second(&mut self, from: usize) {
        self.text[from & 31] = b'\n';
        self.text[(from + 1) & 31] = b'\n';
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
        if !begins(text, self.around.0) || !begins(&text[from + len..], self.around.1) {
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
        let mut ahead = Ahead::new(bytes, base, n);
        if n == 0 {
            ahead.ask(lanes);
        }
        for &newline in ends {
            ahead.ask(lanes);
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
