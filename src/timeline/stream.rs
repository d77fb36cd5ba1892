//! A page's streams: entries of seconds in rising order, each with the number of seconds skipped before it.

use super::order::{self, InOrder};
use super::{Page, Timeline};
use crate::time::Second;

/// One of the three streams of a page: how a value is written, read and added.
pub(super) trait Stream {
    type Value: Copy;
    /// Its place in [`Page::ends`].
    const INDEX: usize;
    fn of(page: &mut Page) -> &mut Vec<u8>;
    fn add(to: &mut Self::Value, other: Self::Value);
    fn encode(out: &mut Vec<u8>, skip: u32, value: &Self::Value);
    fn decode(bytes: &mut &[u8]) -> Option<(u32, Self::Value)>;
    /// Reads past an entry, and gives the seconds skipped before it.
    fn pass(bytes: &mut &[u8]) -> Option<u32>;
}

pub(super) struct Decoder<'a, S> {
    bytes: &'a [u8],
    next: u32,
    stream: std::marker::PhantomData<S>,
}

impl<'a, S: Stream> Decoder<'a, S> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, next: 0, stream: std::marker::PhantomData }
    }

    #[inline]
    pub(super) fn next(&mut self) -> Option<(u32, S::Value)> {
        let (skip, value) = S::decode(&mut self.bytes)?;
        let at = self.next + skip;
        self.next = at + 1;
        Some((at, value))
    }

    /// Goes past the entries before second `first` of the page.
    fn pass_until(&mut self, first: u32) {
        let mut bytes = self.bytes;
        while let Some(skip) = S::pass(&mut bytes)
            && self.next + skip < first
        {
            self.next += skip + 1;
            self.bytes = bytes;
        }
    }
}

/// Encodes entries into their pages; entries of one second are added up.
pub(super) fn absorb_stream<S: Stream, T: Copy>(
    timeline: &mut Timeline,
    list: &mut [(Second, T)],
    widen: impl Fn(T) -> S::Value,
) {
    let order = order::by_second(list);
    let entries = InOrder { list, order: &order };
    let (mut at, mut fresh) = (0, Vec::new());
    while let Some(&(first, _)) = entries.get(at) {
        // Pages may become wider with each that is added.
        let bits = timeline.bits;
        let key = first >> bits;
        let start = key << bits;
        fresh.clear();
        let mut next = start;
        while let Some(&(second, first)) = entries.get(at).filter(|e| e.0 >> bits == key) {
            let mut value = widen(first);
            at += 1;
            while let Some(&(_, more)) = entries.get(at).filter(|e| e.0 == second) {
                S::add(&mut value, widen(more));
                at += 1;
            }
            S::encode(&mut fresh, (second - next) as u32, &value);
            next = second + 1;
        }
        timeline.add::<S>(&fresh, start..next);
    }
}

/// Adds a stream, whose last second is the one before `other_end`, to that of a page.
pub(super) fn add_stream<S: Stream>(page: &mut Page, other: &[u8], other_end: u32) {
    let end = page.ends[S::INDEX];
    if end == 0 {
        *S::of(page) = other.to_vec();
        page.ends[S::INDEX] = other_end;
        return;
    }
    let Some((first, _)) = Decoder::<S>::new(other).next() else { return };
    page.ends[S::INDEX] = end.max(other_end);
    let to = S::of(page);
    // Parts of a log nearly always follow each other: decoding them was 5 % of a scan.
    if first >= end {
        append::<S>(to, other, end);
        to.shrink_to_fit();
        return;
    }
    if Decoder::<S>::new(to).next().is_some_and(|(first, _)| first >= other_end) {
        let mut out = Vec::with_capacity(to.len() + other.len());
        out.extend_from_slice(other);
        append::<S>(&mut out, to, other_end);
        out.shrink_to_fit();
        *to = out;
        return;
    }
    let mut out = Vec::with_capacity(to.len() + other.len());
    // Most often two parts share one second, the last of the one and the first of the other.
    let (a, b) = if Decoder::<S>::new(to).next().is_some_and(|own| own.0 > first) {
        (other, to.as_slice())
    } else {
        (to.as_slice(), other)
    };
    let (earlier, mut a, mut b) = (a, Decoder::<S>::new(a), Decoder::<S>::new(b));
    let mut y = b.next();
    a.pass_until(y.map_or(0, |y| y.0));
    out.extend_from_slice(&earlier[..earlier.len() - a.bytes.len()]);
    let mut next = a.next;
    let mut x = a.next();
    loop {
        let (at, value) = match (x, y) {
            (Some((i, mut v)), Some((j, w))) if i == j => {
                S::add(&mut v, w);
                (x, y) = (a.next(), b.next());
                (i, v)
            }
            (Some((i, v)), Some((j, _))) if i < j => {
                x = a.next();
                (i, v)
            }
            (Some(_), Some((j, w))) => {
                y = b.next();
                (j, w)
            }
            (one, other) => {
                if let Some((at, value)) = one.or(other) {
                    S::encode(&mut out, at - next, &value);
                    out.extend_from_slice(if one.is_some() { a.bytes } else { b.bytes });
                }
                break;
            }
        };
        S::encode(&mut out, at - next, &value);
        next = at + 1;
    }
    out.shrink_to_fit();
    *to = out;
}

/// Appends a stream all of which lies behind `end`, the second behind the last of `to`: only the first entry's skip
/// changes.
fn append<S: Stream>(to: &mut Vec<u8>, mut other: &[u8], end: u32) {
    if let Some((skip, value)) = S::decode(&mut other) {
        to.reserve_exact(other.len() + 16);
        S::encode(to, skip - end, &value);
        to.extend_from_slice(other);
    }
}

/// Appends the stream of a page to that of a wider one, in which it begins at second `from`, behind all that is there.
pub(super) fn append_page<S: Stream>(wide: &mut Page, page: &mut Page, from: u32) {
    let bytes = std::mem::take(S::of(page));
    let mut rest = bytes.as_slice();
    let Some((skip, value)) = S::decode(&mut rest) else { return };
    let end = wide.ends[S::INDEX];
    wide.ends[S::INDEX] = from + page.ends[S::INDEX];
    let to = S::of(wide);
    to.reserve_exact(bytes.len() + 16);
    S::encode(to, from + skip - end, &value);
    to.extend_from_slice(rest);
}

/// Bytes of the longest varint.
pub(super) const VARINT: usize = 5;

/// One entry of a stream of at most `N` bytes, a power of two, while it is written: a vector would be asked for its capacity
/// at every byte.
#[derive(Debug)]
pub(super) struct Row<const N: usize> {
    pub(super) bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Default for Row<N> {
    #[inline]
    fn default() -> Self {
        Self { bytes: [0; N], len: 0 }
    }
}

impl<const N: usize> Row<N> {
    pub(super) fn clear(&mut self) {
        self.len = 0;
    }

    #[inline]
    pub(super) fn push(&mut self, byte: u8) {
        const { assert!(N.is_power_of_two()) };
        debug_assert!(self.len < N);
        // Masked, so that no bound is looked at.
        self.bytes[self.len & (N - 1)] = byte;
        self.len += 1;
    }

    #[inline]
    pub(super) fn varint(&mut self, mut n: u32) {
        while n >= 0x80 {
            self.push(n as u8 | 0x80);
            n >>= 7;
        }
        self.push(n as u8);
    }

    pub(super) fn written(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

#[inline]
pub(super) fn write_varint(out: &mut Vec<u8>, mut n: u32) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

#[inline]
pub(super) fn read_varint(bytes: &mut &[u8]) -> Option<u32> {
    let mut n = 0;
    for shift in (0..35).step_by(7) {
        let (&b, rest) = bytes.split_first()?;
        *bytes = rest;
        n |= u32::from(b & 0x7f) << shift;
        if b < 0x80 {
            return Some(n);
        }
    }
    None
}
