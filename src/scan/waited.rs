//! `$request_time` as nginx writes it, read in a word.

use super::access::array;

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
        let digit = |at: usize| bytes.get(at).map(|b| u32::from(b.wrapping_sub(b'0'))).filter(|d| *d < 10);
        let (mut ms, mut at) = (0, 0);
        while let Some(digit) = digit(at).filter(|_| at < 7) {
            ms = ms * 10 + digit;
            at += 1;
        }
        if !(1..7).contains(&at) || bytes.get(at) != Some(&b'.') || !ends(at + 4) {
            return Self::Odd;
        }
        for behind in 1..=3 {
            let Some(digit) = digit(at + behind) else { return Self::Odd };
            ms = ms * 10 + digit;
        }
        Self::Millis(ms)
    }
}
