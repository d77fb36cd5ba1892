//! Access logs in JSON, read by key with a tolerance a strict parser lacks.
//!
//! nginx pastes values into a template, so `"urt":,`, `"urt":0.000, 0.001`, `"status":009` and `"\x22"` are all in
//! real logs, and they stand on the lines of *failed* requests: a strict parser loses exactly those. One pass over
//! the line, no allocation. Not a JSON validator.

use crate::error::Result;
use crate::format::access::store::store;
use crate::format::access::{Mismatch, Plan};
use crate::format::directive::{self, Escape, Field, Piece, by_key};
use crate::format::find::{find, find_either};
use crate::format::record::AccessRecord;
use expected::{EXPECTED, Order, Value};

mod expected;

/// What a key's value is read as.
#[derive(Debug, Clone)]
pub(crate) enum Slot {
    /// One value.
    One(Field),
    /// Several in one string, such as `$host:$server_port`.
    Many(Vec<Field>, Plan),
}

/// One key that matters.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    /// The key; nested ones joined by dots.
    pub(crate) path: Vec<u8>,
    pub(crate) slot: Slot,
}

impl Key {
    /// From the pieces of a value's text in a directive; `None` where nothing in it is known.
    pub(crate) fn of(path: &[u8], pieces: &[Piece], escape: Escape) -> Result<Option<Self>> {
        let fields = crate::format::access::fields_of(pieces);
        let slot = match pieces {
            [Piece::Var(Field::Other(_))] => by_key(path).map(Slot::One),
            [Piece::Var(field)] => Some(Slot::One(field.clone())),
            _ if fields.is_empty() => None,
            _ => Some(Slot::Many(fields, Plan::new(pieces, escape)?)),
        };
        Ok(slot.map(|slot| Self { path: path.to_vec(), slot }))
    }

    fn put<'a>(&self, record: &mut AccessRecord<'a>, value: &'a [u8], at: usize) -> Result<(), Mismatch> {
        match &self.slot {
            Slot::One(field) if store(record, field, value) => Ok(()),
            // A time that cannot be read spoils the line; any other odd value only itself.
            Slot::One(field) if field.is_time() && record.time.is_none() => {
                Err(Mismatch { byte: at, wanted: field.wanted() })
            }
            Slot::One(_) => Ok(()),
            Slot::Many(fields, plan) => match plan.run(value, (at, false), record) {
                Err(e) if fields.iter().any(Field::is_time) => Err(e),
                _ => Ok(()),
            },
        }
    }
}

/// Keys in the order of the format, and the search for one of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Keys(pub(crate) Vec<Key>);

impl Keys {
    pub(crate) fn fields(&self) -> Vec<Field> {
        let mut out: Vec<Field> = Vec::new();
        for key in &self.0 {
            let fields = match &key.slot {
                Slot::One(field) => std::slice::from_ref(field),
                Slot::Many(fields, _) => fields,
            };
            out.extend(fields.iter().filter(|f| !f.is_other()).cloned());
        }
        let mut seen = Vec::new();
        out.retain(|f| {
            !seen.contains(f) && {
                seen.push(f.clone());
                true
            }
        });
        out
    }

    /// Stores a value under its key. `next` is where the search starts: lines of one format keep their order.
    pub(crate) fn put<'a>(
        &self,
        next: &mut usize,
        path: &[u8],
        value: &'a [u8],
        at: usize,
        record: &mut AccessRecord<'a>,
    ) -> Result<(), Mismatch> {
        // Nearly always the key that comes next in the format.
        if let Some(key) = self.0.get(*next)
            && key.path == path
        {
            *next += 1;
            return key.put(record, value, at);
        }
        let (before, behind) = self.0.split_at((*next).min(self.0.len()));
        if let Some(i) = behind.iter().position(|key| key.path == path) {
            let key = &behind[i];
            *next = before.len() + i + 1;
            return key.put(record, value, at);
        }
        if let Some(i) = before.iter().position(|key| key.path == path) {
            let key = &before[i];
            // The same key again: two lines glued by a crash. The values must not mix.
            if key.is_time() && record.time.is_some() {
                return Err(Mismatch { byte: at, wanted: "the end of the line" });
            }
            *next = i + 1;
            return key.put(record, value, at);
        }
        Ok(())
    }
}

impl Key {
    fn is_time(&self) -> bool {
        matches!(&self.slot, Slot::One(field) if field.is_time())
    }
}

/// The keys of a JSON access log.
#[derive(Debug, Clone, Default)]
pub struct JsonKeys {
    pub(crate) keys: Keys,
    /// Last segments that more than one key of the lines has: no bytes can be searched for to find them.
    ambiguous: Vec<Vec<u8>>,
    /// All keys of a line in their order, where each stands in it once.
    order: Order,
}

impl JsonKeys {
    pub(crate) fn new(keys: Vec<Key>, all_paths: &[Vec<u8>]) -> Self {
        let last = |p: &Vec<u8>| p.rsplit(|b| *b == b'.').next().unwrap_or(p).to_vec();
        let mut seen = std::collections::HashSet::new();
        let ambiguous = all_paths.iter().map(last).filter(|s| !seen.insert(s.clone())).collect();
        let order = Order::of(&keys, all_paths);
        Self { keys: Keys(keys), ambiguous, order }
    }

    /// From the text of a `log_format` that is a JSON object; `None` if it is not one.
    pub(crate) fn from_text(text: &str, escape: Escape) -> Result<Option<Self>> {
        if !text.trim_start().starts_with('{') {
            return Ok(None);
        }
        let (mut keys, mut paths, mut failed) = (Vec::new(), Vec::new(), None);
        let walked = walk(text.as_bytes(), |path, value, at| {
            paths.push(path.to_vec());
            let made = directive::pieces(&String::from_utf8_lossy(value), at)
                .and_then(|p| Key::of(path, &p, escape));
            match made {
                Ok(key) => keys.extend(key),
                Err(e) => failed = failed.take().or(Some(e)),
            }
            Ok(())
        });
        if let Some(e) = failed {
            return Err(e);
        }
        Ok((walked.is_ok() && !keys.is_empty()).then(|| Self::new(keys, &paths)))
    }

    pub(crate) fn fields(&self) -> Vec<Field> {
        self.keys.fields()
    }

    /// Reads one line, in brief at least what is told of a request.
    pub(crate) fn read<'a>(
        &self,
        line: &'a [u8],
        brief: bool,
        record: &mut AccessRecord<'a>,
    ) -> Result<(), Mismatch> {
        let mut room = [Value::default(); EXPECTED];
        if let Some(values) = self.order.values(line, brief, &mut room) {
            for value in values {
                let from = value.from as usize;
                if let Some(key) = self.keys.0.get(value.key as usize) {
                    key.put(record, line[from..value.to as usize].trim_ascii(), from)?;
                }
            }
            return whole(line, record);
        }
        let mut next = 0;
        walk(line, |path, value, at| self.keys.put(&mut next, path, value, at, record))?;
        whole(line, record)
    }

    /// The bytes `"key":` before the value of the first key with a field `wanted` accepts, and that field. `None`
    /// where those bytes could also belong to another key, or the value holds more than the field.
    pub fn needle(&self, wanted: impl Fn(&Field) -> bool) -> Option<(Vec<u8>, &Field)> {
        self.keys.0.iter().find_map(|key| match &key.slot {
            Slot::One(field) if wanted(field) => {
                let last = key.path.rsplit(|b| *b == b'.').next()?;
                let clear = !self.ambiguous.iter().any(|a| a == last);
                clear.then(|| ([b"\"", last, b"\":"].concat(), field))
            }
            _ => None,
        })
    }

    /// The needle of the time, and which kind of time it is.
    pub fn time(&self) -> Option<(Vec<u8>, &Field)> {
        self.needle(Field::is_time)
    }

    /// The needle of the status.
    pub fn status(&self) -> Option<Vec<u8>> {
        self.needle(|f| *f == Field::Status).map(|n| n.0)
    }

    /// The needle of the request time, and whether it is in seconds or milliseconds.
    pub fn request_time(&self) -> Option<(Vec<u8>, &Field)> {
        self.needle(|f| matches!(f, Field::RequestTime | Field::RequestTimeMs))
    }

    /// The needle of the host.
    pub fn host(&self) -> Option<Vec<u8>> {
        self.needle(|f| *f == Field::Host).or_else(|| self.needle(|f| *f == Field::ServerName)).map(|n| n.0)
    }
}

/// Whether a line has what it must.
fn whole(line: &[u8], record: &AccessRecord<'_>) -> Result<(), Mismatch> {
    match record {
        AccessRecord { time: None, .. } => Err(Mismatch { byte: line.len(), wanted: "a key with the time" }),
        AccessRecord { status: None, request: None, uri: None, method: None, .. } => {
            Err(Mismatch { byte: line.len(), wanted: "a key with the status or the request" })
        }
        _ => Ok(()),
    }
}

/// The longest dotted key that is followed; longer ones are of no use to us.
const PATH: usize = 192;
/// Objects in objects beyond this are given up.
const DEPTH: usize = 16;

/// Visits each value of an object with its dotted key and its byte. Values are raw: no quotes around, escapes as
/// they stand; an array is one value with its brackets. What a cut line ends in is not visited.
pub(crate) fn walk<'a>(
    line: &'a [u8],
    mut visit: impl FnMut(&[u8], &'a [u8], usize) -> Result<(), Mismatch>,
) -> Result<(), Mismatch> {
    let mut at = blank(line, 0);
    if line.get(at) != Some(&b'{') {
        return Err(Mismatch { byte: at, wanted: "an object, `{`" });
    }
    at += 1;
    let mut path = [0u8; PATH];
    let mut ends = [0usize; DEPTH];
    let mut depth = 1;
    while depth > 0 {
        at = blank(line, at);
        while line.get(at) == Some(&b',') {
            at = blank(line, at + 1);
        }
        match line.get(at) {
            None => return Ok(()),
            Some(b'}') => {
                depth -= 1;
                at += 1;
                continue;
            }
            Some(b'"') => {}
            Some(_) => return Err(Mismatch { byte: at, wanted: "a key in quotes" }),
        }
        let begin = at + 1;
        let Some(len) = find(&line[begin..], b'"') else { return Ok(()) };
        let key = &line[begin..begin + len];
        at = blank(line, begin + len + 1);
        match line.get(at) {
            None => return Ok(()),
            Some(b':') => at = blank(line, at + 1),
            Some(_) => return Err(Mismatch { byte: at, wanted: "`:` after a key" }),
        }
        let base = ends[depth - 1];
        let (value, after) = match line.get(at) {
            None => return Ok(()),
            Some(b'{') if depth < DEPTH => {
                ends[depth] = join(&mut path, base, key);
                depth += 1;
                at += 1;
                continue;
            }
            Some(b'{') => return Err(Mismatch { byte: at, wanted: "an object less deep" }),
            Some(b'"') => {
                let Some(close) = string_end(line, at + 1)? else { return Ok(()) };
                (at + 1..close, close + 1)
            }
            Some(b'[') => {
                let Some(close) = array_end(line, at) else { return Ok(()) };
                (at..close, close)
            }
            Some(_) => {
                let Some(close) = bare_end(line, at) else { return Ok(()) };
                (at..close, close)
            }
        };
        // Most keys stand in no other: theirs is the whole path.
        let whole = if base == 0 {
            &key[..key.len().min(PATH)]
        } else {
            let end = join(&mut path, base, key);
            &path[..end]
        };
        visit(whole, line[value.clone()].trim_ascii(), value.start)?;
        at = after;
    }
    Ok(())
}

/// The first byte from `at` on that is no white space.
#[inline]
fn blank(line: &[u8], mut at: usize) -> usize {
    while line.get(at).is_some_and(u8::is_ascii_whitespace) {
        at += 1;
    }
    at
}

/// Puts `key` behind the first `base` bytes of the path, with a dot; a path too long is cut and so never found.
fn join(path: &mut [u8; PATH], base: usize, key: &[u8]) -> usize {
    let mut end = base;
    if base > 0 && end < PATH {
        path[end] = b'.';
        end += 1;
    }
    let n = key.len().min(PATH - end);
    path[end..end + n].copy_from_slice(&key[..n]);
    end + n
}

/// The quote that closes a string. With `escape=none` a quote may stand inside a value, so one that neither `,` nor
/// `}` nor `]` follows is read over, unless it looks like the start of another record glued on.
fn string_end(line: &[u8], start: usize) -> Result<Option<usize>, Mismatch> {
    let mut at = start;
    while let Some(n) = find_either(&line[at..], b'"', b'\\') {
        at += n;
        if line[at] == b'\\' {
            at += 2;
            if at > line.len() {
                return Ok(None);
            }
            continue;
        }
        if matches!(line.get(blank(line, at + 1)), None | Some(b',' | b'}' | b']')) {
            return Ok(Some(at));
        }
        if at > start && line[at - 1] == b'{' {
            return Err(Mismatch { byte: at - 1, wanted: "the end of the line" });
        }
        at += 1;
    }
    Ok(None)
}

fn array_end(line: &[u8], start: usize) -> Option<usize> {
    let (mut at, mut open, mut quoted) = (start, 0usize, false);
    while let Some(&b) = line.get(at) {
        match b {
            b'\\' if quoted => at += 1,
            b'"' => quoted = !quoted,
            b'[' if !quoted => open += 1,
            b']' if !quoted => {
                open -= 1;
                if open == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// A bare value runs to `}` or to a comma with a key behind it: lists of upstream times hold commas.
fn bare_end(line: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    loop {
        at += find_either(&line[at..], b',', b'}')?;
        if line[at] == b'}' {
            return Some(at);
        }
        let blanks = line[at + 1..].iter().take_while(|b| b.is_ascii_whitespace()).count();
        if matches!(line.get(at + 1 + blanks), Some(b'"' | b'}') | None) {
            return Some(at);
        }
        at += 1 + blanks;
    }
}

#[cfg(test)]
mod tests;
