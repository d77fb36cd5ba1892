//! Searches for what ends a value. Most values are short: the first bytes are looked at eight at a time, which costs
//! less than a call of `memchr` does.
#![expect(
    clippy::inline_always,
    reason = "what is not inlined into code compiled for better lanes becomes calls: three times the work"
)]

use crate::lanes::{Job, Lanes, WIDE, dispatch};

/// Words looked at before `memchr` is called.
const WORDS: usize = 4;
const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Where the first `needle` stands.
#[inline]
pub(crate) fn find(bytes: &[u8], needle: u8) -> Option<usize> {
    find_either(bytes, needle, needle)
}

/// Where the first of two stands.
#[inline]
pub(crate) fn find_either(bytes: &[u8], a: u8, b: u8) -> Option<usize> {
    let words = bytes.as_chunks::<8>().0;
    let words = &words[..words.len().min(WORDS)];
    for (i, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let (x, y) = (word ^ (ONES * u64::from(a)), word ^ (ONES * u64::from(b)));
        // Zero bytes, after Warren, "Hacker's Delight", 6-1: the lowest bit that is set is never wrong.
        let hit = (x.wrapping_sub(ONES) & !x | y.wrapping_sub(ONES) & !y) & HIGH;
        if hit != 0 {
            return Some(8 * i + hit.trailing_zeros() as usize / 8);
        }
    }
    let from = 8 * words.len();
    let rest = &bytes[from..];
    let found = if a == b { memchr::memchr(a, rest) } else { memchr::memchr2(a, b, rest) };
    found.map(|at| from + at)
}

/// Whether `bytes` begin with a short literal. Byte by byte: most have one to four, and the library's comparison of nothing,
/// which is what stands before the first value of most formats, was measured to take as long as that of hundreds of bytes
/// (a masked load from where no memory is).
#[inline]
pub(crate) fn begins(bytes: &[u8], literal: &[u8]) -> bool {
    bytes.len() >= literal.len() && bytes.iter().zip(literal).all(|(a, b)| a == b)
}

/// Writes where each `needle` stands to the front of `places`, and gives their number; `None` where there are more. For
/// many in a line: a searcher begins anew behind each.
pub(crate) fn find_all(bytes: &[u8], needle: u8, places: &mut [u32]) -> Option<usize> {
    dispatch(All { bytes, needle, without: needle, places })
}

/// The same, and `None` too where a byte `without` stands among them.
pub(crate) fn find_all_without(bytes: &[u8], needle: u8, without: u8, places: &mut [u32]) -> Option<usize> {
    dispatch(All { bytes, needle, without, places })
}

struct All<'b, 'p> {
    bytes: &'b [u8],
    needle: u8,
    /// Another byte, that must not be there; the same where none is asked about.
    without: u8,
    places: &'p mut [u32],
}

impl Job for All<'_, '_> {
    type Out = Option<usize>;

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) -> Option<usize> {
        let bytes = self.bytes;
        let (windows, rest) = bytes.as_chunks::<WIDE>();
        let mut found = Found { all: self, n: 0, base: 0 };
        for window in windows {
            found.add(lanes, window, 0)?;
        }
        if rest.is_empty() {
            return Some(found.n);
        }
        // The last bytes again, with some of those before them; a line of fewer is copied to where neither stands behind it.
        if let Some(last) = bytes.last_chunk::<WIDE>() {
            found.add(lanes, last, WIDE - rest.len())?;
        } else {
            let (needle, without) = (found.all.needle, found.all.without);
            let neither = [0, 1, 2].into_iter().find(|b| *b != needle && *b != without).unwrap_or(0);
            let mut last = [neither; WIDE];
            last[..rest.len()].copy_from_slice(rest);
            found.add(lanes, &last, 0)?;
        }
        Some(found.n)
    }
}

/// What was found so far.
struct Found<'b, 'p> {
    all: All<'b, 'p>,
    n: usize,
    /// Where the next window begins.
    base: u32,
}

impl Found<'_, '_> {
    /// Adds those of a window, of which the first bytes were passed already.
    #[inline(always)]
    fn add<L: Lanes>(&mut self, lanes: L, window: &[u8; WIDE], passed: usize) -> Option<()> {
        let All { needle, without, places, .. } = &mut self.all;
        if without != needle && lanes.mask(window, *without) >> passed != 0 {
            return None;
        }
        let mut hits = lanes.mask(window, *needle) >> passed;
        // There must be room for all of them: asked once, and not for each.
        let room = places.get_mut(self.n..self.n + hits.count_ones() as usize)?;
        self.n += room.len();
        for place in room {
            *place = self.base + hits.trailing_zeros();
            hits &= hits - 1;
        }
        self.base += (WIDE - passed) as u32;
        Some(())
    }
}

/// Bytes of a line whose marks are counted in words of 64.
const WINDOWS: usize = 8;

/// Where a byte stands in a short line, of which a few places are asked for: to count all is a fourth of writing all down.
#[derive(Debug)]
pub(crate) struct Marks {
    masks: [u64; WINDOWS],
    /// How many are in each window: counted where the processor can.
    counts: [u32; WINDOWS],
}

impl Marks {
    /// `None` of a long line.
    pub(crate) fn of(line: &[u8], byte: u8) -> Option<Self> {
        if line.len() > WINDOWS * WIDE {
            return None;
        }
        let mut marks = Self { masks: [0; WINDOWS], counts: [0; WINDOWS] };
        dispatch(Mark { line, byte, marks: &mut marks });
        Some(marks)
    }

    /// How often it stands there.
    pub(crate) fn count(&self) -> usize {
        self.counts.iter().sum::<u32>() as usize
    }

    /// Where it stands for the `n`-th time, counted from 0.
    pub(crate) fn place(&self, n: usize) -> Option<usize> {
        let mut left = n as u32;
        for (window, (mask, here)) in self.masks.iter().zip(self.counts).enumerate() {
            if left < here {
                let mask = (0..left).fold(*mask, |mask, _| mask & (mask - 1));
                return Some(window * WIDE + mask.trailing_zeros() as usize);
            }
            left -= here;
        }
        None
    }
}

struct Mark<'b, 'm> {
    line: &'b [u8],
    byte: u8,
    marks: &'m mut Marks,
}

impl Job for Mark<'_, '_> {
    type Out = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let (windows, rest) = self.line.as_chunks::<WIDE>();
        let Marks { masks, counts } = self.marks;
        for (mask, window) in masks.iter_mut().zip(windows) {
            *mask = lanes.mask(window, self.byte);
        }
        if !rest.is_empty()
            && let Some(mask) = masks.get_mut(windows.len())
        {
            // The last 64 bytes of the line, without those that a window before has.
            *mask = if let Some(last) = self.line.last_chunk::<WIDE>() {
                lanes.mask(last, self.byte) >> (WIDE - rest.len())
            } else {
                let mut last = [!self.byte; WIDE];
                last[..rest.len()].copy_from_slice(rest);
                lanes.mask(&last, self.byte)
            };
        }
        for (count, mask) in counts.iter_mut().zip(masks) {
            *count = mask.count_ones();
        }
    }
}

/// Where the first white space stands.
#[inline]
pub(crate) fn find_blank(bytes: &[u8]) -> Option<usize> {
    let words = bytes.as_chunks::<8>().0;
    let words = &words[..words.len().min(WORDS)];
    let mut from = 8 * words.len();
    for (i, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        // Bytes up to the blank, by the same rule.
        let hit = word.wrapping_sub(ONES * (u64::from(b' ') + 1)) & !word & HIGH;
        if hit != 0 {
            from = 8 * i + hit.trailing_zeros() as usize / 8;
            break;
        }
    }
    bytes[from..].iter().position(|b| *b <= b' ' && b.is_ascii_whitespace()).map(|at| from + at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_memchr_finds(bytes in prop::collection::vec(prop::sample::select(vec![0, 1, b'!', b'"', b'#', b'\\', 0x80, 0xa2, 0xff]), 0..80)) {
            prop_assert_eq!(find(&bytes, b'"'), memchr::memchr(b'"', &bytes));
            prop_assert_eq!(find_either(&bytes, b'"', b'\\'), memchr::memchr2(b'"', b'\\', &bytes));
            prop_assert_eq!(find_either(&bytes, 0xff, 0), memchr::memchr2(0xff, 0, &bytes));
        }

        #[test]
        fn all_are_found(bytes in prop::collection::vec(prop::sample::select(b"\0\x01!\"#\xa2\xff".to_vec()), 0..200)) {
            let want: Vec<u32> = memchr::memchr_iter(b'"', &bytes).map(|at| at as u32).collect();
            let mut places = [0; 200];
            prop_assert_eq!(find_all(&bytes, b'"', &mut places), Some(want.len()));
            prop_assert_eq!(&places[..want.len()], &want[..]);
            let marks = Marks::of(&bytes, b'"').unwrap();
            prop_assert_eq!(marks.count(), want.len());
            let marked: Vec<u32> = (0..).map_while(|n| marks.place(n)).map(|at| at as u32).collect();
            prop_assert_eq!(&marked, &want);
            let less = want.len().checked_sub(1).map(|n| find_all(&bytes, b'"', &mut places[..n]));
            prop_assert_eq!(less.flatten(), None);
            let clean = (!bytes.contains(&b'!')).then_some(want.len());
            prop_assert_eq!(find_all_without(&bytes, b'"', b'!', &mut places), clean);
        }

        #[test]
        fn blanks_are_found(bytes in prop::collection::vec(prop::sample::select(b"\0\t\n\x0b\r \"abc\x7f\x80\xa0\xff".to_vec()), 0..80), from in 0usize..60) {
            // Some begin with a long word.
            let bytes = [vec![b'a'; from], bytes].concat();
            prop_assert_eq!(find_blank(&bytes), bytes.iter().position(u8::is_ascii_whitespace));
        }
    }
}
