//! When the lines of what was read again were written.
//!
//! The index of a scan has one entry for a quarter of a mebibyte. Where incidents lie close together, or lines are in no
//! order, the same bytes belong to the stretches of many looks, and of nearly all their lines each look finds that they
//! belong to another. So what is found out once about the lines of an entry is kept: the next look reads a list of
//! numbers and no text.

use crate::time::Second;
use std::collections::BTreeMap;

/// Lines that are kept at most, of all files, in 16 MiB: those of a few hundred mebibytes of logs. What lies beyond is read
/// each time.
const LINES: usize = 2 << 20;
/// Stands for a place that is too far,
const FAR: u32 = u32::MAX;
/// and this for a time that only the whole line can tell.
const UNTOLD: u32 = u32::MAX;

/// The lines of some entries of indices, by file and first byte.
#[derive(Debug, Default)]
pub struct Stamps {
    entries: BTreeMap<(usize, u64), Box<[Stamped]>>,
    lines: usize,
}

/// A line: its first byte, counted from that of its entry, and its second, counted from the entry's first.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stamped {
    byte: u32,
    second: u32,
}

impl Stamped {
    /// A line that begins so many bytes into its entry.
    pub(super) fn new(byte: u64, second: Option<Second>, first: Second) -> Self {
        let second = second.and_then(|s| u32::try_from(s.checked_sub(first)?).ok());
        Self { byte: byte.try_into().unwrap_or(FAR), second: second.unwrap_or(UNTOLD) }
    }

    /// Where it begins in its entry.
    pub(super) fn byte(self) -> u64 {
        u64::from(self.byte)
    }

    /// Its second, in an entry that begins with `first`; `None` where only the whole line can tell it.
    pub(super) fn second(self, first: Second) -> Option<Second> {
        (self.second != UNTOLD).then(|| first.saturating_add(i64::from(self.second)))
    }
}

impl Stamps {
    /// The lines of the entry of a file that begins at a byte, as far as they are kept.
    pub(super) fn of(&self, file: usize, start: u64) -> Option<&[Stamped]> {
        self.entries.get(&(file, start)).map(|lines| &**lines)
    }

    /// Keeps them, while there is room.
    pub(super) fn keep(&mut self, file: usize, start: u64, lines: &[Stamped]) {
        let are_near = lines.last().is_none_or(|line| line.byte != FAR);
        if are_near && self.lines + lines.len() <= LINES {
            self.lines += lines.len();
            self.entries.insert((file, start), lines.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_not_guessed() {
        for (second, told) in
            [(Some(107), Some(107)), (Some(99), None), (Some(Second::MAX), None), (None, None)]
        {
            assert_eq!(Stamped::new(5, second, 100).second(100), told, "{second:?}");
        }
        let mut stamps = Stamps::default();
        stamps.keep(1, 10, &[Stamped::new(5, None, 0)]);
        stamps.keep(1, 20, &[Stamped::new(u64::MAX, None, 0)]);
        assert_eq!(stamps.of(1, 10).map(|lines| lines[0].byte()), Some(5));
        assert!(stamps.of(1, 20).is_none() && stamps.of(0, 10).is_none());
    }
}
