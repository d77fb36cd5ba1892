//! Names for where a request went: endpoint templates and upstream peers.

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
    let uri = uri
        .strip_prefix(b"http://")
        .or_else(|| uri.strip_prefix(b"https://"))
        .map_or(uri, |rest| rest.iter().position(|b| *b == b'/').map_or(b"/".as_slice(), |i| &rest[i..]));
    let end = uri.iter().position(|b| matches!(b, b'?' | b'#' | b';')).unwrap_or(uri.len());
    let path = &uri[..end];
    for (depth, segment) in path.split(|b| *b == b'/').enumerate() {
        if depth > 0 {
            out.push(b'/');
        }
        if depth > DEEPEST || out.len() + segment.len() > LONGEST {
            out.extend_from_slice(b"...");
            break;
        }
        if !is_identifier(segment) {
            out.extend_from_slice(segment);
            continue;
        }
        out.extend_from_slice(b"{id}");
        // The kind of a file says more than its number: /img/{id}.webp is not /img/{id}.css.
        if let Some(dot) = segment.iter().rposition(|b| *b == b'.')
            && (2..6).contains(&(segment.len() - dot))
            && segment[dot + 1..].iter().any(u8::is_ascii_alphabetic)
        {
            out.extend_from_slice(&segment[dot..]);
        }
    }
}

fn is_identifier(segment: &[u8]) -> bool {
    let digits = segment.iter().filter(|b| b.is_ascii_digit()).count();
    let letters = segment.iter().take_while(|b| b.is_ascii_alphabetic()).count();
    let word = digits <= 2 && letters + digits == segment.len() && letters > 0;
    let hexadecimal = segment.len() >= 16 && segment.iter().all(|b| b.is_ascii_hexdigit() || *b == b'-');
    digits > 0 && !word || hexadecimal
}

/// The peer that gave the answer: the last of an `$upstream_addr` list.
pub fn last_peer(list: &[u8]) -> Option<&[u8]> {
    let start = list.iter().rposition(|b| matches!(b, b' ' | b',')).map_or(0, |i| i + 1);
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
            ("/", "/"),
            ("*", "*"),
        ] {
            let mut out = b"left over".to_vec();
            template(uri.as_bytes(), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), want);
        }
    }

    #[test]
    fn the_last_peer_answered() {
        assert_eq!(last_peer(b"10.0.0.5:80, 10.0.0.6:80 : 10.0.0.7:80"), Some(&b"10.0.0.7:80"[..]));
        assert_eq!(last_peer(b"-"), None);
        assert_eq!(last_peer(b"unix:/run/app.sock"), Some(&b"unix:/run/app.sock"[..]));
    }
}
