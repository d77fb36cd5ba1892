//! The hot loop over access logs in JSON.
//!
//! Values vary in length, so no key has a fixed place; but lines of one format hold the same number of quotes before
//! a key, for a quote inside a value is escaped by nginx (`escape=json` writes `\"`, which does count, so that a line
//! with one is searched; `escape=default` writes `\x22`). So each key is looked for at the quote it stood at in a line
//! before, and searched for only where it is not there. Rejected on measurement: searching every line, by pairs of a
//! quote and the key's first letter (1.4 times the instructions of this file's loop) or by `memmem` (twice those).

use super::access::{Clock, INVALID, Place, Reader, STATUSES, Waited, array, count, each_line, nibbles};
use super::lanes::{Job, Lanes, WIDE};
use super::plan::{Json, Known, Needle};
use super::scanner::{Origin, Scanner};

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
            mask: u32::MAX >> (32 - plan.stamp),
            ranks: Ranks::default(),
        };
        each_line(lanes, scanner, bytes, origin, reader)
    }
}

struct JsonReader<'p> {
    plan: &'p Json,
    clock: Clock<'p>,
    mask: u32,
    ranks: Ranks,
}

/// How many quotes stood before each key in a line before: nearly always as many as in this one.
#[derive(Default)]
struct Ranks {
    time: u32,
    status: u32,
    request_time: u32,
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
    #[inline(always)]
    fn new<L: Lanes>(lanes: L, bytes: &[u8], start: usize, end: usize) -> Option<Self> {
        let mask = lanes.mask(array::<WIDE>(bytes, start)?, b'"');
        Some(Self { start, end, at: start, mask, before: 0 })
    }

    /// Where the quote with `rank` others before it stands; some place behind the line's end when it has fewer.
    #[inline(always)]
    fn nth<L: Lanes>(&mut self, lanes: L, bytes: &[u8], rank: u32) -> Option<usize> {
        if rank < self.before {
            // Keys in another order than they are asked for.
            *self = Self::new(lanes, bytes, self.start, self.end)?;
        }
        loop {
            let upto = self.before + self.mask.count_ones();
            if rank < upto {
                return Some(self.at + lanes.select(self.mask, rank - self.before) as usize);
            }
            if self.at >= self.end {
                return None;
            }
            self.before = upto;
            self.at += WIDE;
            self.mask = lanes.mask(array::<WIDE>(bytes, self.at)?, b'"');
        }
    }

    /// Where the value of a key starts, behind a blank and a quote that may stand before it.
    #[inline(always)]
    fn value_of<L: Lanes>(
        &mut self,
        lanes: L,
        bytes: &[u8],
        needle: &Needle,
        rank: &mut u32,
    ) -> Option<usize> {
        let at = match self.nth(lanes, bytes, *rank) {
            Some(at) if self.holds(lanes, bytes, needle, at) => at,
            _ => search(bytes.get(self.start..self.end)?, needle, rank)? + self.start,
        };
        let at = at + needle.bytes.len();
        let blank = usize::from(bytes.get(at) == Some(&b' '));
        Some(at + blank + usize::from(bytes.get(at + blank) == Some(&b'"')))
    }

    /// Whether a key stands at `at`, within the line.
    #[inline(always)]
    fn holds<L: Lanes>(&self, lanes: L, bytes: &[u8], needle: &Needle, at: usize) -> bool {
        let (head, mask) = &needle.head;
        let behind = at + needle.bytes.len();
        let Some(here) = array::<32>(bytes, at) else { return false };
        lanes.equal(here, head) & mask == *mask
            && behind <= self.end
            && (needle.bytes.len() <= head.len() || bytes[at..behind] == needle.bytes)
    }
}

/// Searches a line for a key, and remembers at which quote it stands.
#[cold]
#[inline(never)]
fn search(line: &[u8], needle: &Needle, rank: &mut u32) -> Option<usize> {
    let at = needle.finder.find(line)?;
    *rank = memchr::memchr_iter(b'"', &line[..at]).count() as u32;
    Some(at)
}

impl Reader for JsonReader<'_> {
    #[inline(always)]
    fn interrupted(&mut self) {
        self.clock = Clock::new(self.clock.around);
    }

    #[inline(always)]
    fn read<L: Lanes>(&mut self, lanes: L, scanner: &mut Scanner<'_>, bytes: &[u8], place: Place) -> bool {
        let plan = self.plan;
        let Place { start, end, .. } = place;
        if end - start < 2 || bytes[start] != b'{' || bytes[end - 1] != b'}' {
            return false;
        }
        let ranks = &mut self.ranks;
        let Some(mut quotes) = Quotes::new(lanes, bytes, start, end) else { return false };
        let Some(at) = quotes.value_of(lanes, bytes, &plan.time, &mut ranks.time) else { return false };
        let behind = at + plan.stamp;
        let Some(stamp) = array::<32>(bytes, at) else { return false };
        if behind >= end || bytes[at - 1] != b'"' || bytes[behind] != b'"' {
            return false;
        }
        let Some(value) = quotes.value_of(lanes, bytes, &plan.status, &mut ranks.status) else {
            return false;
        };
        let Some(word) = array::<8>(bytes, value) else { return false };
        let word = u64::from_le_bytes(*word);
        let nibbles = nibbles(word);
        let entry = STATUSES[nibbles];
        if word & 0xf0_f0f0 != 0x30_3030
            || entry == INVALID
            || !matches!((word >> 24) as u8, b'"' | b',' | b'}')
        {
            return false;
        }
        let waited = match &plan.request_time {
            None => Waited::Nothing,
            Some(needle) => match quotes.value_of(lanes, bytes, needle, &mut ranks.request_time) {
                Some(at) => Waited::read(bytes, at),
                None => Waited::Nothing,
            },
        };
        if waited == Waited::Odd {
            return false;
        }
        if !self.clock.turn(lanes, scanner, stamp, (0, plan.stamp, plan.seconds), self.mask) {
            return false;
        }
        let known = Known { waited: true, request: false, all: false };
        count(scanner, bytes, place, (nibbles, entry), 0..0, waited, known);
        true
    }
}
