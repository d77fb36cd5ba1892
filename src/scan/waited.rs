//! The time a request took as nginx writes it, read in a word.

use super::access::array;

/// A value of `$request_time`, or of `$upstream_response_time` where that stands for it.
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
    /// the number; nor, of a value that can be a `list`, with another one.
    #[inline(always)]
    pub(super) fn read(bytes: &[u8], at: usize, list: bool) -> Self {
        /// One byte of 0x30 for each digit of `0.123`.
        const DIGITS: u64 = 0x30_3030_0030;
        if let Some(word) = array::<8>(bytes, at) {
            let word = u64::from_le_bytes(*word);
            let nibbles = word & 0x0f_0f0f_000f;
            let small = (nibbles + 0x06_0606_0006) & 0xf0_f0f0_00f0 == 0;
            let (behind, next) = ((word >> 40) as u8, (word >> 48) as u8);
            let ends = ends(behind) && !(list && goes_on(behind, next));
            if word & 0xf0_f0f0_fff0 == DIGITS | 0x2e00 && small && ends {
                let decimals = (nibbles >> 16) as u32;
                let hundreds = decimals & 15;
                let last = (decimals >> 8 & 15) * 10 + (decimals >> 16);
                return Self::Millis((nibbles as u32 & 15) * 1000 + hundreds * 100 + last);
            }
        }
        Self::read_slowly(bytes.get(at..).unwrap_or_default(), list)
    }

    #[inline(never)]
    fn read_slowly(bytes: &[u8], list: bool) -> Self {
        let byte = |at: usize| bytes.get(at).copied().unwrap_or(b'\n');
        let ends = |at: usize| ends(byte(at)) && !(list && goes_on(byte(at), byte(at + 1)));
        if ends(0) || byte(0) == b'-' && ends(1) {
            return Self::Nothing;
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

/// Whether a byte ends a value.
#[inline(always)]
fn ends(byte: u8) -> bool {
    matches!(byte, b' ' | b'"' | b',' | b'}' | b'\n')
}

/// Whether a list goes on behind one of its values: a comma or a blank parts them, and only before the next key of an object
/// a comma is its end.
#[inline(always)]
fn goes_on(byte: u8, next: u8) -> bool {
    byte == b' ' || byte == b',' && next != b'"'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_list_only_a_single_value_is_read() {
        let read = |text: &str, list| Waited::read(format!("{text}       ").as_bytes(), 0, list);
        for (text, alone) in [
            ("0.010\"", Waited::Millis(10)),
            ("61.003\n", Waited::Millis(61_003)),
            ("0.010}", Waited::Millis(10)),
            ("0.010,\"next\":1", Waited::Millis(10)),
            ("-\"", Waited::Nothing),
            ("\"", Waited::Nothing),
        ] {
            assert_eq!((read(text, false), read(text, true)), (alone, alone), "{text}");
        }
        for text in ["0.010, 0.002\"", "61.003, 0.002\"", "0.010 : 0.002\"", "-, 0.002\"", "- : 0.002\""] {
            assert_ne!(read(text, false), Waited::Odd, "{text}");
            assert_eq!(read(text, true), Waited::Odd, "{text}");
        }
    }
}
