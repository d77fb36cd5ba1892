//! What the front of an error record says, read in vectors: enough to count it, and no more.
//!
//! A flood repeats few messages. Those read last are kept, so that a record like one of them costs two comparisons of
//! 32 bytes and not the reading of its words.

use super::access::array;
use super::lanes::{Job, Lanes, WIDE, dispatch};
use crate::time::{Second, parse_error_time};
use memchr::memmem;

/// The longest record that can be whole; a longer one has lost its end (`NGX_MAX_ERROR_STR`, `ngx_log.h`).
const WHOLE: usize = 2040;

/// What stands between a name and its errno.
const FAILED: &[u8; 10] = b"\" failed (";

/// What the front of a record says: enough to count it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Front {
    pub(super) shape: u64,
    /// A quoted name was not closed on this line: the record goes on in the next.
    pub(super) unfinished: bool,
    /// A connection had to do with it, so that a request may stand in it.
    pub(super) connected: bool,
    /// Where its message stands among [`Messages`].
    pub(super) slot: usize,
}

/// Messages that are kept.
pub(super) const KEPT: usize = 16;

/// A message that was read.
#[derive(Debug, Clone, Copy)]
struct Message {
    /// Its level, as [`level`] gives it; 0 where none was read.
    level: u64,
    /// Its first bytes.
    window: [u8; WIDE],
    /// Which of them must be the same in a repetition, as bits: those that count, and what ends them.
    counted: u64,
    /// The hash of what counts without an errno behind a name.
    words: u64,
    head: usize,
    quoted: bool,
    /// The shape, where no name comes before the errno.
    shape: u64,
}

/// The messages read last, by some of their first letters.
#[derive(Debug)]
pub(super) struct Messages {
    read: [Message; KEPT],
    /// [`FAILED`].
    failed: memmem::Finder<'static>,
    /// What stands behind a message that is whole.
    client: memmem::Finder<'static>,
}

impl Default for Messages {
    fn default() -> Self {
        let none =
            Message { level: 0, window: [0; WIDE], counted: 0, words: 0, head: 0, quoted: false, shape: 0 };
        Self {
            read: [none; KEPT],
            failed: memmem::Finder::new(FAILED),
            client: memmem::Finder::new(b", client: "),
        }
    }
}

impl Messages {
    /// By the bytes behind the first four: these tell `upstream timed out` from `upstream prematurely closed`. By the first
    /// eight, and in eight places, two frequent messages shared a place, and one record in six was read anew.
    #[inline(always)]
    fn slot(window: &[u8; WIDE]) -> usize {
        const { assert!(KEPT == 16) };
        let letters = array::<8>(window, 4).map_or(0, |b| u64::from_le_bytes(*b));
        (letters.wrapping_mul(KEYS[0]) >> 60) as usize
    }

    /// What stands behind the first `" failed (` of a message; bit i of `quotes` is set where byte i of it, or of what
    /// follows it, is a quote but the first one. That is nearly always the quote that ends a name; one who asks for a
    /// name full of quotes makes it a search.
    #[inline(always)]
    fn behind_name<'a>(&self, message: &'a [u8], quotes: u64) -> Option<&'a [u8]> {
        let second = message.get(quotes.trailing_zeros() as usize..)?;
        if let Some((front, found)) = second.split_first_chunk()
            && front == FAILED
        {
            return Some(found);
        }
        self.failed.find(second).map(|at| &second[at + FAILED.len()..])
    }
}

/// Reads a record from its level on; `None` when the line does not start a record.
#[inline(always)]
pub(super) fn front<L: Lanes>(
    lanes: L,
    messages: &mut Messages,
    bytes: &[u8],
    start: usize,
    end: usize,
) -> Option<Front> {
    let name = array::<8>(bytes, start + 21)?;
    let (level, length) = level(u64::from_le_bytes(*name))?;
    // `1201#1201: *100006 message`
    let at = start + 21 + length + 2;
    if at >= end {
        return None;
    }
    // What stands behind the line is not looked at: it may be anything.
    let inside = u64::MAX >> (WIDE - (end - at).min(WIDE));
    let blanks = lanes.mask(array::<WIDE>(bytes, at)?, b' ') & inside;
    let first = blanks.trailing_zeros() as usize;
    // A process has at most ten digits.
    let hash_at = lanes.equal(array(bytes, at)?, &[b'#'; 32]).trailing_zeros() as usize;
    if first >= WIDE
        || hash_at >= first.min(32)
        || bytes[at + first.wrapping_sub(1).min(WIDE)] != b':'
        || !bytes[at].is_ascii_digit()
    {
        return None;
    }
    let connected = bytes.get(at + first + 1) == Some(&b'*');
    let rest = blanks & blanks.wrapping_sub(1);
    let message = at + 1 + if connected && rest != 0 { rest.trailing_zeros() as usize } else { first };
    if message >= end {
        return Some(Front { shape: u64::from(name[0]), unfinished: false, connected, slot: 0 });
    }
    let window = array::<WIDE>(bytes, message)?;
    let slot = Messages::slot(window);
    let known = &mut messages.read[slot];
    // A line that ends earlier has its line feed where the other has a byte that counts.
    let same = lanes.equal(array(window, 0)?, array(&known.window, 0)?);
    let rest = lanes.equal(array(window, 32)?, array(&known.window, 32)?);
    let same = u64::from(same) | u64::from(rest) << 32;
    if known.level != level || !same & known.counted != 0 {
        *known = read_message(lanes, level, window, &bytes[message..end]);
    }
    if !known.quoted {
        return Some(Front { shape: known.shape, unfinished: false, connected, slot });
    }
    // `open() "/srv/x" failed (2: No such file or directory), client: ...`: the errno follows the name.
    let line = &bytes[message..end];
    let (words, head) = (known.words, known.head);
    let quotes = lanes.mask(window, b'"');
    let failed = messages.behind_name(line, quotes & (quotes - 1));
    // Only what comes over a connection can be forged; nginx's own words may hold an odd quote.
    let unfinished =
        connected && failed.is_none() && end - start < WHOLE && messages.client.find(line).is_none();
    let shape = finish(words, head, failed.map_or(0, number));
    Some(Front { shape, unfinished, connected, slot })
}

/// Reads the words of a message, which the end of `line` can cut.
#[inline(always)]
fn read_message<L: Lanes>(lanes: L, level: u64, window: &[u8; WIDE], line: &[u8]) -> Message {
    let commas = lanes.mask(window, b',');
    let quotes = lanes.mask(window, b'"');
    let stop = (commas | quotes).trailing_zeros() as usize;
    let head = stop.min(line.len());
    let quoted = head == stop && stop < WIDE && quotes >> stop & 1 == 1;
    let words = words(level, window, head);
    let errno = if quoted { 0 } else { parenthesised(lanes.mask(window, b'('), line, head) };
    // Where the line's end cuts the message, that is what ends it.
    let counted = u64::MAX >> (WIDE - (head + 1).min(WIDE));
    Message { level, window: *window, counted, words, head, quoted, shape: finish(words, head, errno) }
}

/// The names of the levels with the bracket that ends them, as words, the bits they cover and their length, each where
/// [`level_slot`] says.
static LEVELS: [(u64, u64, usize); 16] = {
    const NAMES: [&[u8]; 8] =
        [b"emerg]", b"alert]", b"crit]", b"error]", b"warn]", b"notice]", b"info]", b"debug]"];
    // No word is this one: it covers nothing.
    let mut slots = [(1, 0, 0); 16];
    let mut n = 0;
    while n < NAMES.len() {
        let (name, mut i) = (NAMES[n], 0);
        let (mut word, mut covered) = (0, 0);
        while i < name.len() {
            word |= (name[i] as u64) << (8 * i);
            covered |= 0xff << (8 * i);
            i += 1;
        }
        let slot = &mut slots[level_slot(word)];
        assert!(slot.1 == 0, "two levels in one slot");
        *slot = (word, covered, name.len() - 1);
        n += 1;
    }
    slots
};

/// A number below 16 that the first two letters of a level give, another for each level.
const fn level_slot(word: u64) -> usize {
    ((word ^ (word >> 8 << 3)) & 15) as usize
}

/// The name of a level at the front of eight bytes, which `]` ends, as a word, and its length. Looked up, as nobody can
/// guess which level comes next: a branch for each was mispredicted at every second record.
#[inline(always)]
fn level(word: u64) -> Option<(u64, usize)> {
    let (name, covered, length) = LEVELS[level_slot(word)];
    (word & covered == name).then_some((name, length))
}

/// The number behind the first parenthesis that has one: `connect() failed (111: ...`.
#[inline(always)]
fn parenthesised(mut opened: u64, line: &[u8], head: usize) -> u32 {
    while opened != 0 {
        let at = opened.trailing_zeros() as usize;
        if at >= head {
            break;
        }
        match number(&line[at + 1..head]) {
            0 => {}
            n => return n,
        }
        opened &= opened - 1;
    }
    0
}

#[inline(always)]
fn number(digits: &[u8]) -> u32 {
    let mut n = 0;
    for &b in &digits[..digits.len().min(6)] {
        let digit = b.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        n = n * 10 + u32::from(digit);
    }
    n
}

const KEYS: [u64; 8] = [
    0x9e37_79b9_7f4a_7c15,
    0xd6e8_feb8_6659_fd93,
    0xa076_1d64_78bd_642f,
    0xe703_7ed1_a0b4_28db,
    0x8ebc_6af0_9c88_c6e3,
    0x5899_65cc_7537_4cc3,
    0x1d8e_4e27_c47d_124f,
    0xeb44_acca_b455_d165,
];

#[inline(always)]
fn fold(a: u64, b: u64) -> u64 {
    let p = u128::from(a) * u128::from(b);
    (p as u64) ^ (p >> 64) as u64
}

/// The shape of a message: a hash of its level, of the first `head` bytes of `window` with the digits blanked, and of
/// its errno.
#[inline(always)]
pub(super) fn shape(level: u64, window: &[u8; WIDE], head: usize, errno: u32) -> u64 {
    finish(words(level, window, head), head, errno)
}

/// The level and the words of a message.
///
/// The words are multiplied in pairs that do not wait for each other; one after the other, as a hash of bytes of
/// any length has to do it, took a third of the time of a record.
#[inline(always)]
fn words(level: u64, window: &[u8; WIDE], head: usize) -> u64 {
    let kept = blank_digits(window, head);
    let word = |i: usize| array::<8>(&kept, 8 * i).map_or(0, |b| u64::from_le_bytes(*b)) ^ KEYS[i];
    let both =
        fold(word(0), word(1)) ^ fold(word(2), word(3)) ^ fold(word(4), word(5)) ^ fold(word(6), word(7));
    // Two letters tell the levels apart.
    both ^ (level & 0xffff) << 40
}

#[inline(always)]
fn finish(words: u64, head: usize, errno: u32) -> u64 {
    fold(fold(words ^ u64::from(errno) ^ head as u64, KEYS[0]), KEYS[1])
}

/// The first `head` bytes with `0` in place of every ASCII digit, and zero bytes behind them. Loops over bytes without
/// a branch become a few vector instructions.
#[inline(always)]
fn blank_digits(window: &[u8; WIDE], head: usize) -> [u8; WIDE] {
    /// As many ones as there are zeros behind them: a window into it keeps the bytes it covers with ones.
    static KEEP: [u8; 2 * WIDE] = {
        let mut keep = [0; 2 * WIDE];
        let mut i = 0;
        while i < WIDE {
            keep[i] = 0xff;
            i += 1;
        }
        keep
    };
    let mut kept = [0; WIDE];
    let Some(keep) = array::<WIDE>(&KEEP, WIDE - head.min(WIDE)) else { return kept };
    for i in 0..WIDE {
        let byte = if window[i].wrapping_sub(b'0') < 10 { b'0' } else { window[i] };
        kept[i] = byte & keep[i];
    }
    kept
}

/// The time at the front of a record.
pub(super) fn stamp_of(line: &[u8]) -> Option<Second> {
    parse_error_time(line).filter(|_| line.get(19..21) == Some(b" ["))
}

/// The front of a line that stands alone: the windows reach past its end, so it is padded.
pub(super) fn front_of(line: &[u8]) -> Option<Front> {
    struct Alone<'a>(&'a [u8], usize);
    impl Job for Alone<'_> {
        type Out = Option<Front>;
        #[inline(always)]
        fn run<L: Lanes>(self, lanes: L) -> Option<Front> {
            front(lanes, &mut Messages::default(), self.0, 0, self.1)
        }
    }
    stamp_of(line)?;
    let mut padded = Vec::with_capacity(line.len() + 4 * WIDE);
    padded.extend_from_slice(line);
    padded.resize(line.len() + 4 * WIDE, 0);
    dispatch(Alone(&padded, line.len()))
}

#[cfg(test)]
mod tests {
    use super::super::lanes::Portable;
    use super::*;

    #[test]
    fn digits_are_blanked_and_nothing_else() {
        proptest::proptest!(|(bytes: [[u8; 8]; 8], head in 0usize..80)| {
            let window: [u8; WIDE] = std::array::from_fn(|i| bytes[i / 8][i % 8]);
            let mut want = window.map(|b| if b.is_ascii_digit() { b'0' } else { b });
            want[head.min(WIDE)..].fill(0);
            proptest::prop_assert_eq!(blank_digits(&window, head), want);
        });
        let text: [u8; WIDE] = std::array::from_fn(|i| b"a9:/0 \xb0\x7f"[i % 8]);
        assert_eq!(&blank_digits(&text, 12)[..16], b"a0:/0 \xb0\x7fa0:/\0\0\0\0");
    }

    #[test]
    fn one_message_is_one_shape() {
        let frame = "2026/03/01 10:00:00 [error] 7#7: *12 ";
        let shape = |m: &str| front_of(format!("{frame}{m}").as_bytes()).unwrap().shape;
        let refused = "connect() failed (111: Connection refused) while connecting to upstream, client: ";
        assert_eq!(shape(&format!("{refused}192.0.2.1")), shape(&format!("{refused}2001:db8::1")));
        assert_ne!(
            shape(refused),
            shape(&refused.replace("111: Connection refused", "113: No route to host"))
        );
        assert_eq!(
            shape("open() \"/a\" failed (2: No such file or directory), client: 192.0.2.1"),
            shape("open() \"/b/c\" failed (2: No such file or directory), client: 192.0.2.2"),
        );
        assert_ne!(
            shape("open() \"/a\" failed (2: No such file or directory), client: 192.0.2.1"),
            shape("open() \"/a\" failed (13: Permission denied), client: 192.0.2.1"),
        );
        assert!(front_of(b"2026/03/01 10:00:00 [errr] 7#7: x").is_none());
        for level in ["emerg", "alert", "crit", "error", "warn", "notice", "info", "debug"] {
            let start =
                |end: &str| front_of(format!("2026/03/01 10:00:00 [{level}{end} 7#7: start").as_bytes());
            assert!(start("]").is_some() && start("s]").is_none() && start("").is_none(), "{level}");
        }
        // Letters at which no level stands.
        assert!(front_of(b"2026/03/01 10:00:00 [\x01\x00] 7#7: x").is_none());
    }

    #[test]
    fn a_repeated_message_has_the_shape_of_the_first() {
        let lines = [
            "connect() failed (111: Connection refused) while connecting to upstream, client: 192.0.2.1",
            "connect() failed (113: No route to host) while connecting to upstream, client: 192.0.2.1",
            "open() \"/a\" failed (2: No such file or directory), client: 192.0.2.1",
            "open() \"/b, c\" failed (13: Permission denied), client: 192.0.2.1",
            "open() \"/a",
            "limiting requests, excess: 5.1 by zone \"a\", client: 192.0.2.1",
            "limiting requests",
            "limiting ",
            "connect() failed (111: Connection refused",
            "",
        ];
        let mut together = Messages::default();
        for level in ["error", "warn", "crit"] {
            for line in lines.iter().chain(&lines).chain(lines.iter().rev()) {
                let line = format!("2026/03/01 10:00:00 [{level}] 7#7: *12 {line}");
                let mut padded = line.clone().into_bytes();
                padded.push(b'\n');
                padded.resize(line.len() + 4 * WIDE, b'x');
                let front = front(Portable, &mut together, &padded, 0, line.len()).unwrap();
                let alone = front_of(line.as_bytes()).unwrap();
                assert_eq!((front.shape, front.unfinished), (alone.shape, alone.unfinished), "{line}");
            }
        }
    }
}
