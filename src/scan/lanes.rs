//! Where the lines of a block end, found with vector lanes.

#[cfg(test)]
pub(super) use crate::lanes::Portable;
pub(super) use crate::lanes::{Job, Lanes, WIDE, dispatch};

/// How far ahead of the block at hand memory is asked for: the processor does so by itself only within a page.
const AHEAD: usize = 8 << 10;

/// What is asked for while the lines of a block are read: with each of them its part of a block.
///
/// The processor has room for some ten requests. Those of a whole block, made one behind the other while newlines are
/// looked for, wait for one another, and while lines are read nothing is on its way: the scan then took as long as both
/// together, a tenth to a fifth longer.
///
/// Four pieces of memory at a time, which is what a line is long: asked for one by one, in a loop, they were a twentieth of
/// all instructions of a report.
#[derive(Debug)]
pub(super) struct Ahead<'a> {
    left: &'a [[[u8; WIDE]; PIECES]],
    /// How often each line asks.
    each: usize,
}

/// Pieces that are asked for at once.
const PIECES: usize = 4;

impl<'a> Ahead<'a> {
    /// For the block at `base`, which has so many lines.
    #[inline(always)]
    pub(super) fn new(bytes: &'a [u8], base: usize, lines: usize) -> Self {
        let ahead = bytes.get(base + AHEAD..).and_then(|ahead| ahead.split_at_checked(WIDE));
        let (first, behind) = ahead.unwrap_or_default();
        // Of a page that is not mapped yet nothing comes by being asked for: it has to be touched.
        std::hint::black_box(first.first().copied());
        let left = behind.get(..BLOCK).unwrap_or_default().as_chunks::<WIDE>().0.as_chunks::<PIECES>().0;
        Self { left, each: left.len().div_ceil(lines.max(1)) }
    }

    /// Asks for the part of one line.
    #[inline(always)]
    pub(super) fn ask<L: Lanes>(&mut self, lanes: L) {
        self.ask_once(lanes);
        // Where lines are long.
        for _ in 1..self.each {
            self.ask_once(lanes);
        }
    }

    #[inline(always)]
    fn ask_once<L: Lanes>(&mut self, lanes: L) {
        if let Some(([a, b, c, d], left)) = self.left.split_first() {
            self.left = left;
            lanes.prefetch(a);
            lanes.prefetch(b);
            lanes.prefetch(c);
            lanes.prefetch(d);
        }
    }
}

/// Positions that are being collected.
struct Positions<'a> {
    list: &'a mut [u32; BLOCK + WIDE],
    n: usize,
    /// The first position of the next mask.
    at: u32,
}

impl Positions<'_> {
    /// Most 64 bytes hold no newline and hardly any hold two: a store without a branch, then one that is hardly ever
    /// taken. Before a block's last 64 bytes there are fewer newlines than it has bytes.
    #[inline(always)]
    fn add(&mut self, mask: u64) {
        self.list[self.n & (BLOCK - 1)] = self.at + mask.trailing_zeros();
        let mut more = mask & mask.wrapping_sub(1);
        let mut next = self.n + 1;
        while more != 0 {
            self.list[next] = self.at + more.trailing_zeros();
            more &= more - 1;
            next += 1;
        }
        self.n += mask.count_ones() as usize;
        self.at += WIDE as u32;
    }
}

/// Writes the positions of all newlines of the block at `base` to the front of `positions`, and says how many there
/// are. Bytes past the last multiple of 64 are looked at one by one.
#[inline(always)]
pub(crate) fn newlines<L: Lanes>(
    lanes: L,
    bytes: &[u8],
    base: usize,
    positions: &mut [u32; BLOCK + WIDE],
) -> usize {
    let block = &bytes[base..bytes.len().min(base + BLOCK)];
    let (chunks, rest) = block.as_chunks::<WIDE>();
    let mut found = Positions { list: positions, n: 0, at: base as u32 };
    // Two at a time: a tenth of the instructions of a line were those of this loop itself.
    let (pairs, odd) = chunks.as_chunks::<2>();
    for pair in pairs {
        found.add(lanes.mask(&pair[0], b'\n'));
        found.add(lanes.mask(&pair[1], b'\n'));
    }
    for chunk in odd {
        found.add(lanes.mask(chunk, b'\n'));
    }
    let Positions { n, at, .. } = found;
    let mut n = n;
    for (i, _) in rest.iter().enumerate().filter(|(_, b)| **b == b'\n') {
        positions[n] = at + i as u32;
        n += 1;
    }
    n
}

/// Bytes per block of the hot loops: newlines are found for a block, then its lines are read while they are hot.
pub(crate) const BLOCK: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::cell::RefCell;

    struct Positions<'a>(&'a [u8]);

    impl Job for Positions<'_> {
        type Out = Vec<u32>;

        #[inline(always)]
        fn run<L: Lanes>(self, lanes: L) -> Vec<u32> {
            let mut positions = [0; BLOCK + WIDE];
            let mut found = Vec::new();
            for base in (0..self.0.len()).step_by(BLOCK) {
                let n = newlines(lanes, self.0, base, &mut positions);
                found.extend_from_slice(&positions[..n]);
            }
            found
        }
    }

    /// Remembers what was asked for.
    #[derive(Clone, Copy)]
    struct Asked<'a>(&'a RefCell<Vec<usize>>);

    impl Lanes for Asked<'_> {
        fn mask(self, bytes: &[u8; WIDE], needle: u8) -> u64 {
            Portable.mask(bytes, needle)
        }

        fn equal(self, a: &[u8; 32], b: &[u8; 32]) -> u32 {
            Portable.equal(a, b)
        }

        fn select(self, mask: u64, lower: u32) -> u32 {
            Portable.select(mask, lower)
        }

        fn digits(self, word: u64) -> usize {
            Portable.digits(word)
        }

        fn prefetch(self, bytes: &[u8; WIDE]) {
            self.0.borrow_mut().push(bytes.as_ptr() as usize);
        }
    }

    #[test]
    fn with_the_lines_of_a_block_one_further_ahead_is_asked_for() {
        let bytes = vec![b'a'; AHEAD + 4 * BLOCK];
        let start = bytes.as_ptr() as usize;
        for lines in [1, 7, 16, 63, 64, 65, 4096] {
            let asked = RefCell::default();
            for base in [0, BLOCK, 2 * BLOCK] {
                let mut ahead = Ahead::new(&bytes, base, lines);
                (0..lines).for_each(|_| ahead.ask(Asked(&asked)));
            }
            let want: Vec<usize> = (0..3 * BLOCK / WIDE).map(|i| start + AHEAD + WIDE + i * WIDE).collect();
            assert_eq!(*asked.borrow(), want, "{lines} lines");
        }
        // Where less is left nothing is asked for that is not there.
        let asked = RefCell::default();
        for len in [0, AHEAD, AHEAD + 1, AHEAD + WIDE, AHEAD + BLOCK] {
            Ahead::new(&bytes[..len], 0, 1).ask(Asked(&asked));
        }
        assert!(asked.borrow().is_empty());
    }

    proptest! {
        #[test]
        fn every_newline_is_found(bytes in prop::collection::vec(prop::sample::select(b"\n\nab".to_vec()), 0..4 * BLOCK)) {
            let want: Vec<u32> =
                bytes.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(i, _)| i as u32).collect();
            prop_assert_eq!(&dispatch(Positions(&bytes)), &want);
            prop_assert_eq!(&Positions(&bytes).run(Portable), &want);
        }
    }
}
