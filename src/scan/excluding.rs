//! A slice with lines that may not count: they go the exact way, which looks at what the user left out, and what lies
//! between them goes the fast one. A scan that leaves out nothing does not come here.

use super::scanner::{Origin, Scanner};
use crate::format::Exclude;

/// Scans the lines of a slice and returns how many there are.
pub(super) fn lines(scanner: &mut Scanner<'_>, exclude: &Exclude, bytes: &[u8], origin: Origin) -> u64 {
    let (mut at, mut line) = (0, 0);
    while at < bytes.len() {
        let place = |at: usize, line: u64| Origin { byte: origin.byte + at as u64, line: origin.line + line };
        let hit = exclude.find(bytes, at).unwrap_or(bytes.len());
        let start = match hit {
            hit if hit == bytes.len() => hit,
            hit => memchr::memrchr(b'\n', &bytes[at..hit]).map_or(at, |i| at + i + 1),
        };
        if at < start {
            line += super::fast_lines(scanner, &bytes[at..start], place(at, line));
        }
        if start == bytes.len() {
            break;
        }
        let end = memchr::memchr(b'\n', &bytes[hit..]).map_or(bytes.len(), |i| hit + i);
        let Origin { byte, line: number } = place(start, line);
        scanner.raw_line(&bytes[start..end], byte, number);
        line += 1;
        at = end + 1;
    }
    line
}
