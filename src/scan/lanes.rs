//! Where the lines of a block end, found with vector lanes.

#[cfg(test)]
pub(super) use crate::lanes::Portable;
pub(super) use crate::lanes::{Job, Lanes, WIDE, dispatch};

/// How far ahead of the block at hand memory is asked for: the processor does so by itself only within a page.
/// Without it the combined scan was measured at 1.9 instead of 1.5 times the floor; 16 KiB gained nothing over 8.
const AHEAD: usize = 8 << 10;

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
    // Near the end of the slice the block itself is asked for, which costs nothing: it is here.
    let ahead = bytes.get(base + AHEAD..base + AHEAD + block.len()).unwrap_or(block);
    let (chunks, rest) = block.as_chunks::<WIDE>();
    let ahead = &ahead.as_chunks::<WIDE>().0[..chunks.len()];
    let mut found = Positions { list: positions, n: 0, at: base as u32 };
    // Two at a time: a tenth of the instructions of a line were those of this loop itself.
    let (pairs, odd) = chunks.as_chunks::<2>();
    for (pair, ahead) in pairs.iter().zip(ahead.as_chunks::<2>().0) {
        lanes.prefetch(&ahead[0]);
        found.add(lanes.mask(&pair[0], b'\n'));
        lanes.prefetch(&ahead[1]);
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
