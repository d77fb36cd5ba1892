//! Vector lanes: byte masks of 32 and 64 bytes, chosen once at run time.
//!
//! Only a few questions are asked of the hardware, so each is a small total function over fixed-size arrays and
//! everything above is safe code. A value of a lane type is the proof that the processor has what it needs.
#![expect(
    clippy::inline_always,
    reason = "what is not inlined into code compiled for better lanes becomes calls: three times the work"
)]

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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
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
