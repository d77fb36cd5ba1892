//! Vector lanes: byte masks of 32 and 64 bytes, chosen once at run time.
//!
//! Only a few questions are asked of the hardware, so each is a small total function over fixed-size arrays and
//! everything above is safe code. A value of a lane type is the proof that the processor has what it needs.

pub(crate) use crate::machine::{Job, Lanes, WIDE};

/// Runs `job` with the best lanes there are.
#[inline]
pub(crate) fn dispatch<J: Job>(job: J) -> J::Out {
    #[cfg(target_arch = "x86_64")]
    if let Some(avx2) = crate::machine::x86::Avx2::detect() {
        return avx2.run(job);
    }
    job.run(Portable)
}

/// Plain Rust, which the compiler vectorises as far as the target's baseline allows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Portable;

impl Lanes for Portable {
    #[inline(always)]
    fn mask(self, bytes: &[u8; WIDE], needle: u8) -> u64 {
        bytes.iter().enumerate().fold(0, |m, (i, &b)| m | u64::from(b == needle) << i)
    }

    #[inline(always)]
    fn equal(self, a: &[u8; 32], b: &[u8; 32]) -> u32 {
        a.iter().zip(b).enumerate().fold(0, |m, (i, (x, y))| m | u32::from(x == y) << i)
    }

    #[inline(always)]
    fn select(self, mut mask: u64, lower: u32) -> u32 {
        for _ in 0..lower {
            mask &= mask.wrapping_sub(1);
        }
        mask.trailing_zeros()
    }

    #[inline(always)]
    fn digits(self, word: u64) -> usize {
        (word & 15 | word >> 4 & 0xf0 | word >> 8 & 0xf00) as usize
    }

    #[inline(always)]
    fn prefetch(self, _: &[u8; WIDE]) {}
}

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

        #[test]
        fn lanes_agree_with_plain_rust(a in any::<[u8; 32]>(), b in any::<[u8; 32]>(), mask: u64, k in 0u32..70) {
            struct Ask([u8; 32], [u8; 32], u64, u32);
            impl Job for Ask {
                type Out = (u32, u32, usize);
                #[inline(always)]
                fn run<L: Lanes>(self, l: L) -> (u32, u32, usize) {
                    (l.equal(&self.0, &self.1), l.select(self.2, self.3), l.digits(self.2))
                }
            }
            prop_assert_eq!(dispatch(Ask(a, b, mask, k)), Ask(a, b, mask, k).run(Portable));
        }
    }
}
