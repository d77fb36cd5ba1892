//! Names for where a request went: endpoint templates and upstream peers.

use crate::format::find::find_either;

/// Longest template kept.
const LONGEST: usize = 120;
/// Path segments told apart; what lies deeper is one.
const DEEPEST: usize = 5;

/// The endpoint of a URI: its path without query, with the segments that are identifiers replaced by `{id}`. Written
/// to `out`, which is emptied first.
///
/// A segment is an identifier when it holds a digit, unless it reads like a version or a short word (`v2`,
/// `oauth2`), or when it is long and hexadecimal. `/product/4711-red-boots` and `/product/12` are one endpoint.
pub(crate) fn template(uri: &[u8], out: &mut Vec<u8>) {
    out.clear();
    out.reserve(LONGEST + 8);
    let mut rest = if uri.starts_with(b"/") { uri } else { path(uri) };
    for depth in 0.. {
        if depth > DEEPEST {
            out.extend_from_slice(b"/...");
            break;
        }
        let segment = Segment::read(rest);
        if depth > 0 {
            out.push(b'/');
        }
        let text = &rest[..segment.len];
        if out.len() + text.len() > LONGEST {
            out.extend_from_slice(b"...");
            break;
        }
        if segment.is_identifier {
            out.extend_from_slice(b"{id}");
            // The kind of a file says more than its number: /img/{id}.webp is not /img/{id}.css.
            let near = text.len().saturating_sub(5);
            if let Some(dot) = text[near..].iter().rposition(|b| *b == b'.').map(|at| near + at)
                && text.len() - dot >= 2
                && text[dot + 1..].iter().any(u8::is_ascii_alphabetic)
            {
                out.extend_from_slice(&text[dot..]);
            }
        } else {
            out.extend_from_slice(text);
        }
        match rest.get(segment.len) {
            Some(b'/') => rest = &rest[segment.len + 1..],
            _ => break,
        }
    }
}

/// A URI without scheme and host, where it has them.
fn path(uri: &[u8]) -> &[u8] {
    uri.strip_prefix(b"http://")
        .or_else(|| uri.strip_prefix(b"https://"))
        .map_or(uri, |rest| rest.iter().position(|b| *b == b'/').map_or(b"/".as_slice(), |i| &rest[i..]))
}

/// What a byte is in a path.
const DIGIT: u8 = 1;
const LETTER: u8 = 2;
/// A hexadecimal digit, or the dash of a UUID.
const HEXADECIMAL: u8 = 4;
const END: u8 = 8;
static KINDS: [u8; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < table.len() {
        let b = i as u8;
        if b.is_ascii_digit() {
            table[i] |= DIGIT;
        }
        if b.is_ascii_alphabetic() {
            table[i] |= LETTER;
        }
        if b.is_ascii_hexdigit() || b == b'-' {
            table[i] |= HEXADECIMAL;
        }
        if matches!(b, b'/' | b'?' | b'#' | b';') {
            table[i] |= END;
        }
        i += 1;
    }
    table
};

/// What a byte of a kind adds to the number of digits and, in the upper half, of letters.
static SUMS: [u64; 4] = [0, 1, 1 << 32, 0];

/// A segment of a path, looked at once: every request that failed comes here.
struct Segment {
    len: usize,
    is_identifier: bool,
}

impl Segment {
    /// The one at the start of `path`, up to the next slash or the path's end.
    fn read(path: &[u8]) -> Self {
        // It begins with a letter, and no letter follows a digit.
        let (mut before, mut stray, mut all, mut sums) = (LETTER, 0, HEXADECIMAL, 0);
        let mut len = 0;
        for byte in path {
            let kind = KINDS[usize::from(*byte)];
            if kind & END != 0 {
                break;
            }
            stray |= kind & !before;
            all &= kind;
            before = kind;
            sums += SUMS[usize::from(kind & (DIGIT | LETTER))];
            len += 1;
            // Whatever follows, this is no word.
            if sums as u32 > 2 {
                let more = path[len..].iter().position(|b| KINDS[usize::from(*b)] & END != 0);
                return Self { len: more.map_or(path.len(), |more| len + more), is_identifier: true };
            }
        }
        let (digits, letters) = (sums as u32 as usize, (sums >> 32) as usize);
        let word = stray & LETTER == 0 && letters > 0 && letters + digits == len;
        let hexadecimal = all & HEXADECIMAL != 0 && len >= 16;
        Self { len, is_identifier: digits > 0 && !word || hexadecimal }
    }
}

/// The peer that gave the answer: the last of an `$upstream_addr` list.
pub fn last_peer(list: &[u8]) -> Option<&[u8]> {
    let start = match find_either(list, b' ', b',') {
        // As nearly all do: one peer was asked.
        None => 0,
        Some(_) => list.iter().rposition(|b| matches!(b, b' ' | b',')).map_or(0, |i| i + 1),
    };
    Some(&list[start..]).filter(|p| !p.is_empty() && *p != b"-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_masked_and_words_are_not() {
        for (uri, want) in [
            ("/product/4711-red-boots?utm=1", "/product/{id}"),
            ("/api/v2/users/me", "/api/v2/users/me"),
            ("/img/p/13685_320x320.webp", "/img/p/{id}.webp"),
            ("/static/app.3f9a1c.js", "/static/{id}.js"),
            ("http://example.com/a/1", "/a/{id}"),
            ("/u/deadbeefdeadbeefdeadbeef", "/u/{id}"),
            ("/a/b/c/d/e/f/g/h", "/a/b/c/d/e/..."),
            ("/oauth2/token", "/oauth2/token"),
            ("/4711.jpg/x", "/{id}.jpg/x"),
            ("/4711.jpeg2", "/{id}"),
            ("/4711.a.b", "/{id}.b"),
            ("/4711.", "/{id}"),
            ("/", "/"),
            ("*", "*"),
        ] {
            let mut out = b"left over".to_vec();
            template(uri.as_bytes(), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), want);
        }
    }

    #[test]
    fn words_may_end_in_two_digits() {
        for (segment, identifier) in [
            ("v2", false),
            ("oauth22", false),
            ("oauth222", true),
            ("2v", true),
            ("a1b", true),
            ("a-1", true),
            ("a-b", false),
            ("12", true),
            ("deadbeef-deadbeef", true),
            ("deadbeefdeadbee", false),
            ("", false),
        ] {
            assert_eq!(Segment::read(segment.as_bytes()).is_identifier, identifier, "{segment}");
        }
    }

    #[test]
    fn the_last_peer_answered() {
        assert_eq!(last_peer(b"10.0.0.5:80, 10.0.0.6:80 : 10.0.0.7:80"), Some(&b"10.0.0.7:80"[..]));
        assert_eq!(last_peer(b"-"), None);
        assert_eq!(last_peer(b"unix:/run/app.sock"), Some(&b"unix:/run/app.sock"[..]));
    }
}
