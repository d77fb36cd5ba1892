//! The members of one JSON object, borrowed as they stand: for the wrappers that others put around a log line.
//!
//! No validator and no reader of access logs: it stops at the first thing it does not understand.

use memchr::{memchr2, memchr3};

/// A member's value, raw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    /// A string without its quotes, escapes kept.
    Text(&'a [u8]),
    /// A number, `true`, `false` or `null`.
    Bare(&'a [u8]),
    /// An object or a list with its brackets.
    Nested(&'a [u8]),
}

/// Iterates over the members of an object.
#[derive(Debug)]
pub(crate) struct Members<'a> {
    rest: &'a [u8],
}

impl<'a> Members<'a> {
    /// `None` when `text` opens no object.
    pub(crate) fn new(text: &'a [u8]) -> Option<Self> {
        Some(Self { rest: text.trim_ascii_start().strip_prefix(b"{")? })
    }
}

/// A string body up to its closing quote, and what follows; `b` starts behind the opening quote.
fn string(b: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut at = 0;
    loop {
        at += memchr2(b'"', b'\\', b.get(at..)?)?;
        if b[at] == b'"' {
            return Some((&b[..at], &b[at + 1..]));
        }
        at += 2;
    }
}

fn nested(b: &[u8]) -> Option<(&[u8], &[u8])> {
    let (mut at, mut depth) = (0, 0_u32);
    loop {
        let rest = b.get(at..)?;
        let step = memchr3(b'"', b'{', b'}', rest);
        let list = memchr2(b'[', b']', &rest[..step.unwrap_or(rest.len())]);
        at += list.or(step)?;
        match b[at] {
            b'"' => {
                let (_, after) = string(&b[at + 1..])?;
                at = b.len() - after.len();
                continue;
            }
            b'{' | b'[' => depth += 1,
            _ => depth = depth.saturating_sub(1),
        }
        at += 1;
        if depth == 0 {
            return Some((&b[..at], &b[at..]));
        }
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = (&'a [u8], Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest.trim_ascii_start();
        let rest = rest.strip_prefix(b",").unwrap_or(rest).trim_ascii_start();
        let (key, rest) = string(rest.strip_prefix(b"\"")?)?;
        let rest = rest.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
        let (value, rest) = match rest.first()? {
            b'"' => string(&rest[1..]).map(|(v, r)| (Value::Text(v), r))?,
            b'{' | b'[' => nested(rest).map(|(v, r)| (Value::Nested(v), r))?,
            _ => {
                let end = memchr2(b',', b'}', rest)?;
                (Value::Bare(rest[..end].trim_ascii_end()), &rest[end..])
            }
        };
        self.rest = rest;
        Some((key, value))
    }
}

/// Appends the text that an escaped JSON string stands for. A lone surrogate becomes U+FFFD; an unknown escape and
/// bytes that are no UTF-8 stay as they are.
pub(crate) fn unescape(raw: &[u8], out: &mut Vec<u8>) {
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at + 1..];
        let Some(&kind) = rest.first() else {
            out.push(b'\\');
            return;
        };
        rest = &rest[1..];
        match kind {
            b'n' => out.push(b'\n'),
            b't' => out.push(b'\t'),
            b'r' => out.push(b'\r'),
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'"' | b'\\' | b'/' => out.push(kind),
            b'u' => rest = code_point(rest, out),
            _ => out.extend_from_slice(&[b'\\', kind]),
        }
    }
    out.extend_from_slice(rest);
}

fn code_point<'a>(rest: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    let Some(first) = hex4(rest) else {
        out.extend_from_slice(b"\\u");
        return rest;
    };
    let mut rest = &rest[4..];
    let mut code = first;
    let second = rest.strip_prefix(b"\\u").and_then(hex4).filter(|s| (0xDC00..0xE000).contains(s));
    if let Some(second) = second
        && (0xD800..0xDC00).contains(&first)
    {
        code = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
        rest = &rest[6..];
    }
    let c = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    rest
}

fn hex4(b: &[u8]) -> Option<u32> {
    b.get(..4)?.iter().try_fold(0, |n, &c| Some(n * 16 + char::from(c).to_digit(16)?))
}
