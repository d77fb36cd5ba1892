//! Text formats learned from shapes alone: lines are cut into values and the text between, the commonest text
//! between becomes the skeleton, and each value gets a name by its label, its shape over all lines and its place.

use super::values::{self, is_address, is_address_port, is_number, is_seconds};
use crate::format::access::AccessFormat;
use crate::format::access::shape::{self, Shape};
use crate::format::access::store::any_time;
use crate::format::directive::{Escape, Field, Piece};
use std::collections::HashMap;
use std::ops::Range;

mod names;

use names::{Names, host_port};

/// Lines a guess is made from.
const LINES: usize = 400;
/// Longer lines and lines with more values are no good to guess from.
const LONG: usize = 8192;
const VALUES: usize = 64;

/// The format most of `lines` seem to have.
pub(super) fn learn(lines: &[&[u8]]) -> Option<AccessFormat> {
    let merged = guess(lines, true);
    if merged.as_ref().is_some_and(|f| f.has(&Field::Status)) {
        return merged;
    }
    let parted = guess(lines, false);
    if parted.as_ref().is_some_and(|f| f.has(&Field::Status)) { parted } else { merged.or(parted) }
}

fn guess(lines: &[&[u8]], merge: bool) -> Option<AccessFormat> {
    let mut skeletons: HashMap<Vec<&[u8]>, Vec<Vec<&[u8]>>> = HashMap::new();
    for line in lines.iter().take(LINES).filter(|l| l.len() <= LONG && !l.starts_with(b"{")) {
        let Some(cuts) = cut(line, merge) else { continue };
        let (mut between, mut from) = (Vec::with_capacity(cuts.len() + 1), 0);
        for c in &cuts {
            between.push(&line[from..c.start]);
            from = c.end;
        }
        between.push(&line[from..]);
        skeletons.entry(between).or_default().push(cuts.into_iter().map(|c| &line[c]).collect());
    }
    // Of equally common skeletons the smaller in byte order: the choice must not hang on a hash.
    let (between, rows) =
        skeletons.into_iter().max_by(|a, b| a.1.len().cmp(&b.1.len()).then(b.0.cmp(&a.0)))?;
    let columns: Vec<Vec<&[u8]>> =
        (0..between.len() - 1).map(|i| rows.iter().map(|r| r[i]).collect()).collect();
    let fields = Names::new(&between, &columns).give()?;
    let pieces = pieces(&between, &columns, &fields);
    let format = AccessFormat::of_pieces("learned", Escape::Default, pieces).ok()?;
    // What is shown to the user must be what is used: where every value has its label, the text is read by labels.
    let shown = AccessFormat::from_directive("", &format.definition(), None).ok()?;
    shown.is_usable().then_some(shown)
}

/// Cuts a line into its values. `merge` joins list items (`0.001, 0.002`); without it commas separate values.
fn cut(line: &[u8], merge: bool) -> Option<Vec<Range<usize>>> {
    let mut out: Vec<Range<usize>> = Vec::new();
    let mut at = 0;
    while at < line.len() {
        let rest = &line[at..];
        let next = match rest[0] {
            b'"' => match memchr::memchr(b'"', &rest[1..]) {
                Some(len) => {
                    out.push(trimmed(line, at + 1..at + 1 + len));
                    at + 2 + len
                }
                None => at + 1,
            },
            b'[' => match bracket(rest) {
                Some(len) => {
                    out.push(at + 1..at + 1 + len);
                    at + 2 + len
                }
                None => at + 1,
            },
            b' ' | b'\t' | b'|' | b',' | b';' | b']' | b'(' | b')' | b'{' | b'}' | b'<' | b'>' | b'\'' => {
                at + 1
            }
            _ => {
                if let Some(n) = time_len(rest) {
                    out.push(at..at + n);
                    at + n
                } else if let Some(n) = label_len(rest) {
                    // A label with nothing behind it has an empty value.
                    if matches!(line.get(at + n), None | Some(b' ' | b',' | b'\t')) && rest[n - 1] == b'=' {
                        out.push(at + n..at + n);
                    }
                    at + n
                } else {
                    let n = request_len(rest).unwrap_or_else(|| word_len(rest, merge));
                    out.push(at..at + without_sign(values::without_unit(&rest[..n])).len());
                    at + n
                }
            }
        };
        // Values that touch cannot be told apart in other lines.
        if out.len() > VALUES || out.len() > 1 && out[out.len() - 2].end == out[out.len() - 1].start {
            return None;
        }
        at = next.max(at + 1);
    }
    out.iter().all(|r| r.end <= line.len()).then_some(out)
}

/// `to: $upstream_addr: $request`: the colon is text of the format.
fn without_sign(value: &[u8]) -> &[u8] {
    value.strip_suffix(b":").filter(|v| *v == b"-" || values::is_address_port(v)).unwrap_or(value)
}

/// `" $request "`: the blanks on both sides are text of the format.
fn trimmed(line: &[u8], value: Range<usize>) -> Range<usize> {
    match line[value.clone()] {
        [b' ', .., b' '] if value.len() > 2 => value.start + 1..value.end - 1,
        _ => value,
    }
}

/// A time, if the number that starts it ends with it.
fn time_len(b: &[u8]) -> Option<usize> {
    if !b[0].is_ascii_digit() {
        return None;
    }
    let n = Shape::AnyTime.len(b)?;
    // A bare ten-digit number may as well be a size.
    let number = b[..n].iter().all(u8::is_ascii_digit) && n == 10;
    (!number && !b.get(n).is_some_and(u8::is_ascii_alphanumeric)).then_some(n)
}

/// The inside of brackets that hold one value: a time, or anything without a blank.
fn bracket(b: &[u8]) -> Option<usize> {
    let close = b.iter().take(300).position(|c| *c == b']')?;
    let inner = &b[1..close];
    let address = b.get(close + 1) == Some(&b':') && inner.contains(&b':');
    let nested = inner.contains(&b'=') || inner.contains(&b'"') || inner.contains(&b'[');
    let value = any_time(inner).is_some() || !nested && !inner.contains(&b' ');
    (value && !address).then_some(inner.len())
}

/// `rt=`, `to: `, `id: "`: the text before a value, up to and with its sign.
fn label_len(b: &[u8]) -> Option<usize> {
    if !b[0].is_ascii_alphabetic() && b[0] != b'_' {
        return None;
    }
    let n = b.iter().take(40).take_while(|c| c.is_ascii_alphanumeric() || b"_.-".contains(c)).count();
    match (b.get(n), b.get(n + 1)) {
        (Some(b'='), _) | (Some(b':'), Some(b' ' | b'"')) => Some(n + 1),
        _ => None,
    }
}

/// An unquoted request: method, target, protocol.
fn request_len(b: &[u8]) -> Option<usize> {
    let blank = b.iter().take(12).position(|c| *c == b' ')?;
    if !values::is_method(&b[..blank]) {
        return None;
    }
    shape::request_len(b).filter(|end| !b[..*end].contains(&b'"'))
}

fn word_len(b: &[u8], merge: bool) -> usize {
    let ends: &[u8] = if merge { b" \t\"|;)" } else { b" \t\"|;)," };
    let one = |b: &[u8]| {
        let n = b.iter().take_while(|c| !ends.contains(c)).count();
        let n = match b[..n].iter().position(|c| *c == b']') {
            Some(close) if !b.starts_with(b"[") => close,
            _ => n,
        };
        let commas = b[..n].iter().rev().take_while(|c| **c == b',').count();
        n - commas
    };
    let mut end = one(b).max(1);
    if !merge {
        return end;
    }
    loop {
        let separator = if b[end..].starts_with(b", ") {
            2
        } else if b[end..].starts_with(b" : ") {
            3
        } else {
            break;
        };
        let next = &b[end + separator..];
        let n = one(next);
        let last = b[..end].rsplit(|c| *c == b' ').next().unwrap_or_default();
        if n == 0 || !alike(last, &next[..n]) {
            break;
        }
        end += separator + n;
    }
    end
}

fn alike(a: &[u8], b: &[u8]) -> bool {
    let fits: [fn(&[u8]) -> bool; 4] = [is_seconds, is_address_port, is_number, is_address];
    (a == b"-" || b == b"-") && (a == b || fits.iter().any(|f| f(a) || f(b)))
        || fits.iter().any(|f| f(a) && f(b))
}

fn pieces(between: &[&[u8]], columns: &[Vec<&[u8]>], fields: &[Option<Field>]) -> Vec<Piece> {
    let mut out = Vec::new();
    let mut literal = between[0].to_vec();
    for (i, field) in fields.iter().enumerate() {
        let mut vars = match field {
            Some(Field::Host) if columns[i].iter().all(|v| host_port(v).is_some()) => {
                vec![Piece::Var(Field::Host), Piece::Literal(b":".to_vec()), Piece::Var(Field::ServerPort)]
            }
            Some(Field::RemoteAddr) if columns[i].iter().all(|v| values::is_address_port(v)) => vec![
                Piece::Var(Field::RemoteAddr),
                Piece::Literal(b":".to_vec()),
                Piece::Var(Field::Other("remote_port".into())),
            ],
            Some(Field::RequestUri)
                if !fields.contains(&Some(Field::Host))
                    && columns[i].iter().all(|v| values::is_plain_url(v)) =>
            {
                vec![
                    Piece::Var(Field::Other("scheme".into())),
                    Piece::Literal(b"://".to_vec()),
                    Piece::Var(Field::Host),
                    Piece::Var(Field::RequestUri),
                ]
            }
            // The `-` of identd, which nginx' own formats print as text.
            Some(Field::Other(name)) if name == "-" => {
                literal.push(b'-');
                vec![]
            }
            Some(field) => vec![Piece::Var(field.clone())],
            None => vec![Piece::Var(Field::Other(format!("field{}", i + 1)))],
        };
        if !vars.is_empty() {
            if !literal.is_empty() {
                out.push(Piece::Literal(std::mem::take(&mut literal)));
            }
            out.append(&mut vars);
        }
        literal.extend_from_slice(between[i + 1]);
    }
    if !literal.is_empty() {
        out.push(Piece::Literal(literal));
    }
    out
}
