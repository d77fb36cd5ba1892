//! The hot loop over access logs in JSON.
//!
//! Values vary in length, so no key has a fixed place; but lines of one format hold the same number of quotes before
//! a key, for a quote inside a value is escaped by nginx (`escape=json` writes `\"`, which does count, so that a line
//! with one is searched; `escape=default` writes `\x22`). So each key is looked for at the quote it stood at in a line
//! before, and searched for only where it is not there. Rejected on measurement: searching every line, by pairs of a
//! quote and the key's first letter (1.4 times the instructions of this file's loop) or by `memmem` (twice those).

use super::access::{Clock, INVALID, Place, Reader, STATUSES, array, count, each_line};
use super::lanes::{Job, Lanes, WIDE};
use super::plan::{Json, Needle};
use super::scanner::{Origin, Scanner};
use super::waited::Waited;

/// Scans the JSON lines of a slice and returns how many there are.
pub(super) struct JsonLoop<'a, 's, 'p> {
    pub(super) scanner: &'a mut Scanner<'s>,
    pub(super) plan: &'p Json,
    pub(super) bytes: &'a [u8],
    pub(super) origin: Origin,
}

impl Job for JsonLoop<'_, '_, '_> {
    type Out = u64;

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) -> u64 {
        let Self { scanner, plan, bytes, origin } = self;
        let reader = JsonReader {
            plan,
            clock: Clock::new((b"", b"\"")),
            // With the quote behind it.
            mask: u32::MAX >> (31 - plan.stamp),
            time: Seat::default(),
            status: Seat::default(),
            request_time: Seat::default(),
        };
        each_line(lanes, scanner, bytes, origin, reader)
    }
}

struct JsonReader<'p> {
    plan: &'p Json,
    clock: Clock<'p>,
    /// The bytes of a stamp that are compared.
    mask: u32,
    time: Seat,
    status: Seat,
    request_time: Seat,
}

/// Where a key stood in a line before: nearly always it stands there again.
#[derive(Default)]
struct Seat {
    /// How many quotes stood before it.
    rank: u32,
    /// From its quote to its value, behind a blank and a quote that may stand before that.
    length: usize,
    /// The text between, as far as it fits, and which of these bytes count: none of them where it does not fit.
    head: [u8; 32],
    mask: u32,
    /// A quote stands before the value.
    quoted: bool,
}

impl Seat {
    /// Finds the key where it is not as it was, and remembers it as it is. Gives the place of the value in the line.
    #[cold]
    #[inline(never)]
    fn look(&mut self, line: &[u8], at: Option<usize>, needle: &Needle) -> Option<usize> {
        let there = |at: &usize| line.get(*at..).is_some_and(|rest| rest.starts_with(&needle.bytes));
        let at = if let Some(at) = at.filter(there) {
            at
        } else {
            let at = needle.finder.find(line)?;
            self.rank = memchr::memchr_iter(b'"', &line[..at]).count() as u32;
            at
        };
        let mut value = at + needle.bytes.len();
        value += usize::from(line.get(value) == Some(&b' '));
        self.quoted = line.get(value) == Some(&b'"');
        value += usize::from(self.quoted);
        self.length = value - at;
        self.mask = 0;
        if let (Some(head), Some(text)) = (self.head.get_mut(..self.length), line.get(at..value)) {
            head.copy_from_slice(text);
            self.mask = u32::MAX >> (32 - self.length);
        }
        Some(value)
    }
}

/// The quotes of a line, from the front on.
struct Quotes {
    start: usize,
    end: usize,
    /// Where the window at hand begins, its quotes, and how many stand before it.
    at: usize,
    mask: u64,
    before: u32,
}

impl Quotes {
    /// Where the quote with `rank` others before it stands; some place behind the line's end when it has fewer.
    #[inline(always)]
    fn nth<L: Lanes>(&mut self, lanes: L, bytes: &[u8], rank: u32) -> Option<usize> {
        if rank < self.before {
            // Keys in another order than they are asked for.
            (self.at, self.before) = (self.start, 0);
            self.mask = lanes.mask(array::<WIDE>(bytes, self.at)?, b'"');
        }
        loop {
            let upto = self.before + self.mask.count_ones();
            if rank < upto {
                return Some(self.at + lanes.select(self.mask, rank - self.before) as usize);
            }
            self.before = upto;
            self.at += WIDE;
            if self.at >= self.end {
                return None;
            }
            self.mask = lanes.mask(array::<WIDE>(bytes, self.at)?, b'"');
        }
    }

    /// Where the value of a key starts.
    #[inline(always)]
    fn value_of<L: Lanes>(
        &mut self,
        lanes: L,
        bytes: &[u8],
        needle: &Needle,
        seat: &mut Seat,
    ) -> Option<usize> {
        let at = self.nth(lanes, bytes, seat.rank);
        if let Some(at) = at.filter(|at| *at < self.end)
            && let Some(here) = array::<32>(bytes, at)
            && lanes.equal(here, &seat.head) & seat.mask == seat.mask
            && seat.mask != 0
        {
            // No key holds a line feed, so its end lies within the line.
            return Some(at + seat.length);
        }
        let at = at.and_then(|at| at.checked_sub(self.start));
        seat.look(bytes.get(self.start..self.end)?, at, needle).map(|value| self.start + value)
    }
}

/// Bytes that end a number or a string.
static ENDS: [bool; 256] = {
    let mut table = [false; 256];
    table[b'"' as usize] = true;
    table[b',' as usize] = true;
    table[b'}' as usize] = true;
    table
};

impl Reader for JsonReader<'_> {
    #[inline(always)]
    fn interrupted(&mut self) {
        self.clock.forget_second(self.plan.seconds);
    }

    #[inline(always)]
    fn read<L: Lanes>(&mut self, lanes: L, scanner: &mut Scanner<'_>, bytes: &[u8], place: Place) -> bool {
        let plan = self.plan;
        let Place { start, end, .. } = place;
        let Some(front) = array::<WIDE>(bytes, start) else { return false };
        if front[0] != b'{' || bytes.get(end.wrapping_sub(1)) != Some(&b'}') {
            return false;
        }
        let mut quotes = Quotes { start, end, at: start, mask: lanes.mask(front, b'"'), before: 0 };
        let Some(at) = quotes.value_of(lanes, bytes, &plan.time, &mut self.time) else { return false };
        let Some(stamp) = array::<32>(bytes, at).filter(|_| self.time.quoted) else { return false };
        let Some(value) = quotes.value_of(lanes, bytes, &plan.status, &mut self.status) else {
            return false;
        };
        let Some(word) = array::<8>(bytes, value) else { return false };
        let word = u64::from_le_bytes(*word);
        let digits = lanes.digits(word);
        let entry = STATUSES[digits];
        if word & 0xf0_f0f0 != 0x30_3030 || entry == INVALID || !ENDS[(word >> 24) as usize & 0xff] {
            return false;
        }
        let waited = match &plan.request_time {
            None => Waited::Nothing,
            Some(needle) => match quotes.value_of(lanes, bytes, needle, &mut self.request_time) {
                Some(at) => Waited::read(bytes, at, plan.list),
                None => Waited::Nothing,
            },
        };
        if waited == Waited::Odd {
            return false;
        }
        if !self.clock.turn(lanes, scanner, stamp, (0, plan.stamp, plan.seconds), self.mask) {
            return false;
        }
        count(scanner, bytes, place, (digits, entry), (0, 0), waited);
        true
    }
}
