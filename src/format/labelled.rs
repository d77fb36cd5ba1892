//! Access logs of labelled values: LTSV (`label:value`, TAB between) and `key="value"` pairs with commas or blanks
//! between. Read by label, so that order and missing labels do not matter.

use crate::format::access::Mismatch;
use crate::format::directive::{Escape, Field, Piece};
use crate::format::json::{Key, Keys};
use crate::format::record::AccessRecord;

/// How pairs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// `label:value`, TAB-separated (<http://ltsv.org>).
    Tabs,
    /// `key=value` or `key="value"`, with commas, blanks or brackets around.
    Equals,
}

/// The labels of a format.
#[derive(Debug, Clone)]
pub(crate) struct Labels {
    pub(crate) style: Style,
    pub(crate) keys: Keys,
}

impl Labels {
    /// From the pieces of a `log_format` in which every value has its label; `None` if some have none.
    pub(crate) fn from_pieces(pieces: &[Piece], escape: Escape) -> Option<Self> {
        let text = super::directive::write_text(pieces);
        let style = if text.contains('\t') { Style::Tabs } else { Style::Equals };
        let vars = pieces.iter().filter(|p| matches!(p, Piece::Var(_))).count();
        let (mut keys, mut labelled, mut failed) = (Vec::new(), 0, false);
        let complete = walk(style, text.as_bytes(), |label, value, at| {
            let value = String::from_utf8_lossy(value);
            let made = super::directive::pieces(&value, at).and_then(|p| {
                labelled += p.iter().filter(|p| matches!(p, Piece::Var(_))).count();
                Key::of(label, &p, escape)
            });
            match made {
                Ok(key) => keys.extend(key),
                Err(_) => failed = true,
            }
            Ok(())
        });
        let whole = complete == Ok(true) && !failed && labelled == vars && keys.len() >= 3;
        whole.then_some(Self { style, keys: Keys(keys) })
    }

    pub(crate) fn fields(&self) -> Vec<Field> {
        self.keys.fields()
    }

    /// Reads one line.
    pub(crate) fn read<'a>(&self, line: &'a [u8], record: &mut AccessRecord<'a>) -> Result<(), Mismatch> {
        let mut next = 0;
        walk(self.style, line, |label, value, at| self.keys.put(&mut next, label, value, at, record))?;
        match record {
            AccessRecord { time: None, .. } => {
                Err(Mismatch { byte: line.len(), wanted: "a label with the time" })
            }
            AccessRecord { status: None, request: None, uri: None, method: None, .. } => {
                Err(Mismatch { byte: line.len(), wanted: "a label with the status or the request" })
            }
            _ => Ok(()),
        }
    }
}

/// Visits each pair; says whether the line held nothing but pairs.
pub(crate) fn walk<'a>(
    style: Style,
    line: &'a [u8],
    mut visit: impl FnMut(&'a [u8], &'a [u8], usize) -> Result<(), Mismatch>,
) -> Result<bool, Mismatch> {
    if style == Style::Tabs {
        let (mut at, mut complete) = (0, true);
        for cell in line.split(|b| *b == b'\t') {
            // Blanks before a label are none of its: a definition that is written out and read again has none there.
            match memchr::memchr(b':', cell).map(|n| (n, cell[..n].trim_ascii())) {
                Some((n, label)) if !label.is_empty() => visit(label, &cell[n + 1..], at + n + 1)?,
                _ => complete &= cell.is_empty(),
            }
            at += cell.len() + 1;
        }
        return Ok(complete);
    }
    let (mut at, mut complete) = (0, true);
    while at < line.len() {
        at += line[at..].iter().take_while(|b| b" ,;[](){}|\t".contains(b)).count();
        let len = label_len(&line[at..]);
        if at == line.len() {
            break;
        }
        if len == 0 || line.get(at + len) != Some(&b'=') {
            // Not a pair: step over the word.
            complete = false;
            at += len
                + line[at + len..]
                    .iter()
                    .take_while(|b| !b.is_ascii_whitespace() && **b != b',')
                    .count()
                    .max(1);
            continue;
        }
        let label = &line[at..at + len];
        let begin = at + len + 1;
        let (value, after) = if line.get(begin) == Some(&b'"') {
            let close = quote_end(&line[begin + 1..]).map_or(line.len(), |n| begin + 1 + n);
            (begin + 1..close, close + 1)
        } else {
            let end = begin + bare_len(&line[begin..]);
            (begin..end, end)
        };
        visit(label, line.get(value.clone()).unwrap_or_default(), value.start)?;
        at = after;
    }
    Ok(complete)
}

fn label_len(b: &[u8]) -> usize {
    b.iter().take_while(|c| c.is_ascii_alphanumeric() || b"_.-@$".contains(c)).count()
}

/// The closing quote: one with the end or another label behind it, so that raw quotes of `escape=none` can stand
/// inside.
fn quote_end(b: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr::memchr(b'"', &b[at..])?;
        let separators = b[at + 1..].iter().take_while(|c| b" ,;[](){}|\t".contains(c)).count();
        let next = &b[at + 1 + separators..];
        let len = label_len(&next[..next.len().min(64)]);
        if next.is_empty() || separators > 0 && len > 0 && next.get(len) == Some(&b'=') {
            return Some(at);
        }
        at += 1;
    }
}

/// A bare value ends at a bracket, or at a comma or blank with another label behind it: times hold blanks and
/// upstream lists hold commas.
fn bare_len(b: &[u8]) -> usize {
    let mut at = 0;
    while let Some(n) = b[at..].iter().position(|c| b" ,;]|\t".contains(c)) {
        let end = at + n;
        let separators = b[end..].iter().take_while(|c| b" ,;[]|\t".contains(c)).count();
        let next = &b[end + separators..];
        let len = label_len(&next[..next.len().min(64)]);
        if next.is_empty() || b[end] == b']' || len > 0 && next.get(len) == Some(&b'=') {
            return end;
        }
        at = end + separators;
    }
    b.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::AccessFormat;

    #[test]
    fn ltsv_by_label() {
        let text = "time:$time_local\thost:$remote_addr\treq:$request\tstatus:$status\treqtime:$request_time\tvhost:$host";
        let f = AccessFormat::from_directive("ltsv", text, None).unwrap();
        assert!(f.pieces().is_none());
        let line = b"status:502\ttime:01/Mar/2026:10:00:00 +0000\thost:203.0.113.7\treq:GET /a:b HTTP/1.1\tnew:1\treqtime:0.001";
        let r = f.parse(line).unwrap();
        assert_eq!((r.status, r.client, r.uri), (Some(502), Some(&b"203.0.113.7"[..]), Some(&b"/a:b"[..])));
        assert!(f.parse(b"time:01/Mar/2026:10:00:00 +0000\thost:x").is_err());
    }

    #[test]
    fn pairs_with_commas_blanks_and_brackets() {
        let text = r#"remote_addr="$remote_addr", [time_local=$time_local], request="$request", status=$status, ua=$upstream_addr us="$upstream_status""#;
        let f = AccessFormat::from_directive("kv", text, None).unwrap();
        assert!(f.pieces().is_none());
        let line = br#"remote_addr="203.0.113.7", [time_local=01/Mar/2026:10:00:00 +0000], request="GET /"x" HTTP/1.1", status=502, ua=10.0.0.5:80, 10.0.0.6:80 us="502, 502""#;
        let r = f.parse(line).unwrap();
        assert_eq!((r.status, r.uri), (Some(502), Some(&br#"/"x""#[..])));
        assert_eq!(
            (r.upstream_addr, r.upstream_status),
            (Some(&b"10.0.0.5:80, 10.0.0.6:80"[..]), Some(&b"502, 502"[..]))
        );
    }

    #[test]
    fn partly_labelled_text_is_not_labelled() {
        let text = r#"$remote_addr [$time_local] "$request" rt=$request_time us=$upstream_status ua="$upstream_addr""#;
        assert!(AccessFormat::from_directive("x", text, None).unwrap().pieces().is_some());
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(proptest::sample::select(b"a=\",[]\\ :\t1".to_vec()), 0..200)) {
            let _ = walk(Style::Equals, &bytes, |_, _, _| Ok(()));
            let _ = walk(Style::Tabs, &bytes, |_, _, _| Ok(()));
        }
    }
}
