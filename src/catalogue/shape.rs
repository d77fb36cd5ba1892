//! The shape of a message: what stays the same when names, numbers and addresses change. Messages that no rule knows
//! are counted by it.

/// Longest shape; a longer message is told by its beginning.
const LONGEST: usize = 200;

/// `message` with every quoted text as `"*"`, every address, pointer and number as `#`.
///
/// ```
/// use downtime::catalogue::shape;
///
/// assert_eq!(shape(b"peer 10.0.0.5:8080 gave \"503 x\" after 12 tries"), "peer # gave \"*\" after # tries");
/// ```
pub fn shape(message: &[u8]) -> String {
    let text = String::from_utf8_lossy(message);
    let mut out = String::new();
    let mut rest = text.as_ref();
    while let Some(first) = rest.chars().next() {
        if out.len() >= LONGEST {
            out.push('…');
            break;
        }
        if first == '"'
            && let Some(end) = rest[1..].find('"')
        {
            out.push_str("\"*\"");
            rest = &rest[end + 2..];
            continue;
        }
        let len = rest.find(|c: char| !word(c)).unwrap_or(rest.len());
        if len == 0 {
            out.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let (token, after) = rest.split_at(len);
        let body = token.trim_end_matches(['.', ':', '-']);
        out.push_str(if varies(body) { "#" } else { body });
        out.push_str(&token[body.len()..]);
        rest = after;
    }
    out
}

fn word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '_' | '-')
}

/// Numbers, addresses, pointers, digests: words that hold digits and little else.
fn varies(token: &str) -> bool {
    let digits = token.bytes().filter(u8::is_ascii_digit).count();
    let hex = token.bytes().all(|b| b.is_ascii_hexdigit() || matches!(b, b'.' | b':' | b'-' | b'x'));
    digits > 0 && (hex || digits * 2 > token.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_varies_is_masked_and_words_stay() {
        for (message, want) in [
            (r#"shop "a" of 3 is closed: e0 00005581A3F0C2D0"#, r#"shop "*" of # is closed: # #"#),
            ("http2 frame 7.", "http2 frame #."),
            ("an open \" quote", "an open \" quote"),
            ("[2001:db8::1]:80 gone", "[#]# gone"),
            ("", ""),
        ] {
            assert_eq!(shape(message.as_bytes()), want);
        }
        assert!(shape(&[0xff; 900]).chars().count() <= LONGEST);
    }
}
