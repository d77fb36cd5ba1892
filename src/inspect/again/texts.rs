//! The texts behind hashes and keys: names of clients, endpoints, hosts and peers.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasherDefault, Hasher};

/// The keys of texts are hashes already, and a look holds few enough of them: to hash them again with a secret was half
/// of what a request cost here.
#[derive(Debug, Default)]
pub(in crate::inspect) struct Mixed(u64);

/// By hash or key.
pub(in crate::inspect) type ByKey<T> = HashMap<u64, T, BuildHasherDefault<Mixed>>;

impl Hasher for Mixed {
    fn finish(&self) -> u64 {
        // The topmost byte of a key says only what kind of name it is, and the table looks at the topmost bits.
        self.0.rotate_left(32)
    }

    fn write(&mut self, bytes: &[u8]) {
        for b in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*b);
        }
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

/// Keys that were seen a moment ago: most requests name the same few endpoints, hosts and peers.
const RECENT: usize = 64;

/// Adds a text, which a client may have written, to others.
fn push(all: &mut String, text: &[u8]) {
    match std::str::from_utf8(text) {
        Ok(text) => all.push_str(text),
        Err(_) => all.push_str(&String::from_utf8_lossy(text)),
    }
}

/// Texts one behind the other. There are as many clients as requests, nearly, and hardly any is ever named: to find one by
/// its key took longer than to read its line.
#[derive(Debug, Default)]
pub(super) struct Listed(String);

impl Listed {
    /// Adds a text; gives its place.
    pub(super) fn add(&mut self, text: &[u8]) -> (u32, u32) {
        let start = self.0.len() as u32;
        push(&mut self.0, text);
        (start, self.0.len() as u32)
    }

    /// The text at a place.
    pub(super) fn get(&self, (start, end): (u32, u32)) -> Option<&str> {
        self.0.get(start as usize..end as usize)
    }
}

/// Texts by key, all in one piece of memory.
#[derive(Debug)]
pub(super) struct Texts {
    places: ByKey<(usize, usize)>,
    text: String,
    /// By the key's last bits.
    recent: [u64; RECENT],
}

impl Default for Texts {
    fn default() -> Self {
        Self { places: ByKey::default(), text: String::new(), recent: [0; RECENT] }
    }
}

impl Texts {
    /// Remembers the text of a key, which is always the same.
    pub(super) fn keep(&mut self, key: u64, text: &[u8]) {
        if self.is_new(key) {
            self.add(key, text);
        }
    }

    /// Remembers the text that `other` has of a key, if it has one.
    pub(super) fn keep_of(&mut self, other: &Self, key: u64) {
        if self.is_new(key)
            && let Some(text) = other.get(key)
        {
            self.add(key, text.as_bytes());
        }
    }

    fn add(&mut self, key: u64, text: &[u8]) {
        if let Entry::Vacant(slot) = self.places.entry(key) {
            let start = self.text.len();
            push(&mut self.text, text);
            slot.insert((start, self.text.len()));
        }
    }

    /// Whether a key was not seen a moment ago. 0 is no key.
    #[inline]
    fn is_new(&mut self, key: u64) -> bool {
        self.recent.get_mut((key % RECENT as u64) as usize).is_none_or(|at| std::mem::replace(at, key) != key)
    }

    /// The text of a key.
    pub(super) fn get(&self, key: u64) -> Option<&str> {
        let &(start, end) = self.places.get(&key)?;
        self.text.get(start..end)
    }
}
