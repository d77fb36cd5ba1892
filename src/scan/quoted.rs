//! The hot loop over `... [TIME] "REQUEST" STATUS ...`.

use super::access::{Clock, INVALID, Place, Reader, STATUSES, array, count, each_line};
use super::lanes::{Job, Lanes, WIDE};
use super::plan::{Quoted, Tail};
use super::scanner::{Origin, Scanner};
use super::waited::Waited;

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
            tail: plan.tail.unwrap_or(Tail { quotes_behind: 0, gap: 0, skip: 0, list: false }),
        }
    }
}

impl<const TIMED: bool> Reader for QuotedReader<'_, TIMED> {
    #[inline(always)]
    fn interrupted(&mut self) {
        self.clock.forget_second(1 + self.plan.seconds);
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

/// Finds the time taken from the end of a line.
#[inline(always)]
fn tail_waited<L: Lanes>(lanes: L, bytes: &[u8], after: usize, end: usize, tail: Tail) -> Waited {
    let from = end.wrapping_sub(WIDE);
    let Some(window) = array::<WIDE>(bytes, from) else { return Waited::Odd };
    let mask = lanes.mask(window, b'"');
    let near = mask.count_ones();
    let quote = if let Some(rank) = near.checked_sub(1 + tail.quotes_behind) {
        from.wrapping_add(lanes.select(mask, rank) as usize)
    } else {
        let (end, behind) = (from, tail.quotes_behind - near);
        let from = end.wrapping_sub(WIDE);
        let mask = array::<WIDE>(bytes, from).map_or(0, |window| lanes.mask(window, b'"'));
        match mask.count_ones().checked_sub(1 + behind) {
            Some(rank) => from.wrapping_add(lanes.select(mask, rank) as usize),
            None => far_quote(bytes, after, end, behind),
        }
    };
    let mut at = quote + 1 + tail.gap;
    if quote <= after || tail.skip > 0 && !pass_numbers(bytes, &mut at, end, tail.skip) || at > end {
        return Waited::Odd;
    }
    Waited::read(bytes, at, tail.list)
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
