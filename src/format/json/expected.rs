//! Lines that have just the keys of their format, one after the other: nearly all of them.

use super::{Key, PATH, Slot};
use crate::format::access::store::is_told;
use crate::format::find::{find_all_without, find_either};

/// All keys of a line in their order.
#[derive(Debug, Clone, Default)]
pub(super) struct Order(Vec<Expected>);

/// A key as a line has it.
#[derive(Debug, Clone)]
struct Expected {
    /// With its quotes and colon.
    text: Vec<u8>,
    /// The same as words, and the bits of them that count; none where it is longer.
    words: Option<[(u64, u64); WORDS]>,
    /// Its index in [`Keys`](super::Keys), where it is of use.
    key: Option<usize>,
    /// Whether a second look at a request needs it.
    told: bool,
}

/// Words of a key that are compared: most keys of nginx's variables are no longer.
const WORDS: usize = 4;

/// Lines of more keys than these are read key by key.
pub(super) const EXPECTED: usize = 40;
/// Two for each key, and two for each value.
const QUOTES: usize = 4 * EXPECTED;

impl Expected {
    fn new(path: &[u8], keys: &[Key]) -> Self {
        let text = [b"\"", path, b"\":"].concat();
        let key = keys.iter().position(|key| key.path == path);
        let told = key.and_then(|i| keys.get(i)).is_some_and(|key| match &key.slot {
            Slot::One(field) => is_told(field),
            Slot::Many(fields, _) => fields.iter().any(is_told),
        });
        Self { words: words(&text), text, key, told }
    }

    /// Whether it stands at the start of `rest`.
    #[inline]
    fn starts(&self, rest: &[u8]) -> bool {
        match (&self.words, rest.first_chunk::<{ 8 * WORDS }>()) {
            (Some([a, b, c, d]), Some(here)) => {
                let [w, x, y, z] = here.as_chunks::<8>().0 else { return false };
                let differs = |of: &(u64, u64), here: &[u8; 8]| u64::from_le_bytes(*here) & of.1 ^ of.0;
                differs(a, w) | differs(b, x) | differs(c, y) | differs(d, z) == 0
            }
            _ => rest.starts_with(&self.text),
        }
    }
}

/// A text as words, and the bits of each that it covers.
fn words(text: &[u8]) -> Option<[(u64, u64); WORDS]> {
    let (mut bytes, mut mask) = ([0; 8 * WORDS], [0; 8 * WORDS]);
    bytes.get_mut(..text.len())?.copy_from_slice(text);
    mask.get_mut(..text.len())?.fill(u8::MAX);
    let word =
        |bytes: &[u8], i: usize| bytes.as_chunks::<8>().0.get(i).map_or(0, |word| u64::from_le_bytes(*word));
    Some(std::array::from_fn(|i| (word(&bytes, i), word(&mask, i))))
}

impl Order {
    /// The keys in the order of the format, if that can be expected of a line: none where two are alike.
    pub(super) fn of(keys: &[Key], all_paths: &[Vec<u8>]) -> Self {
        let mut seen = std::collections::HashSet::new();
        let told_apart = all_paths.iter().all(|p| p.len() < PATH && !p.contains(&b'"') && seen.insert(p));
        if !told_apart || all_paths.len() > EXPECTED {
            return Self::default();
        }
        Self(all_paths.iter().map(|path| Expected::new(path, keys)).collect())
    }

    /// The values of a line that has just the keys of the format, one after the other, and nothing that needs a second
    /// look: a fifth of the work of [`walk`](super::walk), which reads all others. Only those of use are given; in brief only
    /// those that a second look at a request needs. Of a key that is of no use no more is asked than that one stands there.
    pub(super) fn values<'r>(&self, line: &[u8], brief: bool, room: &'r mut [Value]) -> Option<&'r [Value]> {
        let (last, _) = self.0.split_last()?;
        if line.first() != Some(&b'{') {
            return None;
        }
        let mut quotes = [0; QUOTES];
        let n = find_all_without(line, b'"', b'\\', &mut quotes)?;
        let mut quotes = quotes.get(..n)?;
        let (mut at, mut found) = (1, 0);
        for expected in &self.0 {
            let [open, shut, behind @ ..] = quotes else { return None };
            if *open as usize != at {
                return None;
            }
            let key = expected.key.filter(|_| expected.told || !brief);
            if key.is_some() && !expected.starts(line.get(at..)?) {
                return None;
            }
            quotes = behind;
            at = *shut as usize + 1;
            if line.get(at) != Some(&b':') {
                return None;
            }
            at += 1;
            at += usize::from(line.get(at) == Some(&b' '));
            let value = match line.get(at)? {
                b'"' => {
                    let [open, close, behind @ ..] = quotes else { return None };
                    quotes = behind;
                    (*open + 1, *close)
                }
                b'{' | b'[' | b' ' | b'\t' | b'\n' | b'\r' | 0x0c => return None,
                _ => (at as u32, (at + find_either(&line[at..], b',', b'}')?) as u32),
            };
            at = value.1 as usize + usize::from(value.0 as usize != at);
            if let Some(key) = key {
                *room.get_mut(found)? = Value { key: key as u32, from: value.0, to: value.1 };
                found += 1;
            }
            if std::ptr::eq(expected, last) {
                return (line.get(at..)? == b"}").then(|| &room[..found]);
            }
            if line.get(at) != Some(&b',') {
                return None;
            }
            at += 1 + usize::from(line.get(at + 1) == Some(&b' '));
        }
        None
    }
}

/// Where a value stands in a line, and the index in [`Keys`](super::Keys) of its key.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Value {
    pub(super) key: u32,
    pub(super) from: u32,
    pub(super) to: u32,
}
