//! Where a line says who a person is or shows a key to a door: user names, user agents, cookies and the like.
//!
//! In a log of a known `log_format` the variables between its literal texts are found by laying the format beside the
//! line; in JSON, LTSV and other labelled lines by their keys; in the error log by nginx's own sentence. A line that does
//! not fit is searched for what stands where it does in nginx's default format.

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Secret {
    /// The name of a user.
    User,
    /// A user agent.
    Agent,
    /// Opens a door: no two of these are ever told apart.
    Key,
}

/// Variables and keys that hold the name of a user or a user agent, without `http_` and as one word.
const USERS: [&str; 9] =
    ["remote_user", "user", "username", "user_name", "auth_user", "remoteuser", "login", "user_id", "x_user"];
const AGENTS: [&str; 6] = ["user_agent", "useragent", "agent", "ua", "http_agent", "user-agent"];
/// Parts of the names of variables and keys that hold what opens a door.
const KEYS: [&str; 8] =
    ["cookie", "authorization", "token", "api_key", "apikey", "secret", "session", "password"];

/// What a variable or key holds, by its name.
fn of_name(name: &str) -> Option<Secret> {
    let name = name.to_ascii_lowercase();
    // Keys of nested objects are told by their last part.
    let name = name.rsplit('.').next().unwrap_or(&name);
    let bare = ["sent_http_", "upstream_http_", "http_", "request_", "nginx_"]
        .iter()
        .find_map(|p| name.strip_prefix(p))
        .unwrap_or(name);
    if USERS.contains(&bare) {
        Some(Secret::User)
    } else if AGENTS.contains(&bare) || AGENTS.contains(&name) {
        Some(Secret::Agent)
    } else if KEYS.iter().any(|k| bare.contains(k)) || name.starts_with("jwt_") {
        Some(Secret::Key)
    } else {
        None
    }
}

/// A place in a text and what stands there.
pub(super) type Span = (usize, usize, Secret);

/// The places in order, without overlap. `formats` are the `log_format` texts of the file the line is from.
pub(super) fn spans(text: &str, formats: &[String]) -> Vec<Span> {
    let laid = formats.iter().find_map(|f| laid(text, f));
    let mut out = keyed(text);
    out.extend(said(text));
    match laid {
        Some(found) => out.extend(found),
        None => out.extend(usual(text)),
    }
    let empty = |s: &Span| s.0 >= s.1 || matches!(&text[s.0..s.1], "-" | "\"\"");
    out.retain(|s| !empty(s) && !is_hidden(&text[s.0..s.1]));
    out.sort_by_key(|s| (s.0, std::cmp::Reverse(s.1)));
    let mut end = 0;
    out.retain(|s| {
        let keep = s.0 >= end;
        if keep {
            end = s.1;
        }
        keep
    });
    out
}

/// What hiding has left there before.
fn is_hidden(value: &str) -> bool {
    let of = |name: &str| {
        value
            .strip_prefix(name)
            .is_some_and(|rest| rest.len() == super::DIGITS && rest.bytes().all(|b| b.is_ascii_hexdigit()))
    };
    value == "[hidden]" || of("user-") || of("agent-")
}

/// The text of a `log_format` directive; `None` of what is no such.
pub(super) fn text_of(directive: &str) -> Option<String> {
    let text = directive.split_once('\'')?.1;
    let mut out = String::new();
    let mut chars = text[..text.rfind('\'')?].chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next()? {
                't' => out.push('\t'),
                c => out.push(c),
            },
            c => out.push(c),
        }
    }
    Some(out)
}

/// A piece of a `log_format`.
enum Piece<'a> {
    Text(&'a str),
    Variable(&'a str),
}

fn pieces(format: &str) -> Vec<Piece<'_>> {
    let mut out = Vec::new();
    let mut rest = format;
    while let Some(at) = rest.find('$') {
        if at > 0 {
            out.push(Piece::Text(&rest[..at]));
        }
        let behind = &rest[at + 1..];
        let (open, name) = behind.strip_prefix('{').map_or((false, behind), |n| (true, n));
        let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(name.len());
        out.push(Piece::Variable(&name[..end]));
        rest = &name[end..];
        if open {
            rest = rest.strip_prefix('}').unwrap_or(rest);
        }
    }
    if !rest.is_empty() {
        out.push(Piece::Text(rest));
    }
    out
}

/// The format laid beside the line, from its start or behind what wraps it.
fn laid(text: &str, format: &str) -> Option<Vec<Span>> {
    let pieces = pieces(format);
    let docker = text.find("\"log\":\"").map(|at| at + 7);
    // Behind the stamps of syslog, journald or CRI the line begins after one of the first blanks.
    let blanks = text.match_indices(' ').map(|(at, _)| at + 1).take(8);
    let mut starts = std::iter::once(0).chain(blanks).map(|at| (at, false));
    let packed = docker.map(|at| (at, true));
    packed
        .into_iter()
        .chain(starts.by_ref())
        .find_map(|(start, escaped)| align(text, start, &pieces, escaped))
}

fn align(text: &str, start: usize, pieces: &[Piece<'_>], escaped: bool) -> Option<Vec<Span>> {
    let written = |t: &str| if escaped { t.replace('"', "\\\"") } else { t.to_owned() };
    let mut out = Vec::new();
    let mut at = start;
    let mut pieces = pieces.iter().peekable();
    while let Some(piece) = pieces.next() {
        match piece {
            Piece::Text(t) => at += text[at..].strip_prefix(written(t).as_str()).map(|_| written(t).len())?,
            Piece::Variable(name) => {
                let end = match pieces.peek() {
                    None => text.len(),
                    Some(Piece::Text(t)) => at + text[at..].find(&written(t))?,
                    // Nothing says where one ends and the next begins.
                    Some(Piece::Variable(_)) => return None,
                };
                // An address at the start holds no blank: else the line begins elsewhere.
                if at == start && text[at..end].contains([' ', '"']) {
                    return None;
                }
                out.extend(of_name(name).map(|secret| (at, end, secret)));
                at = end;
            }
        }
    }
    Some(out)
}

/// Values behind keys: `"user":"..."`, `ua:...`, `cookie=...`.
fn keyed(text: &str) -> Vec<Span> {
    let bytes = text.as_bytes();
    let part = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    let mut out = Vec::new();
    for (at, _) in text.match_indices([':', '=']) {
        let before = text[..at].trim_end_matches([' ', '"', '\\']);
        let start = before.as_bytes().iter().rposition(|b| !part(b)).map_or(0, |i| i + 1);
        // The text may hold other scripts; a key begins behind a whole character.
        let Some(key) = before.get(start..) else { continue };
        let Some(secret) = of_name(key) else { continue };
        let behind = text[at + 1..].trim_start_matches(' ');
        let from = text.len() - behind.len();
        let quote = ["\\\"", "\""].into_iter().find(|q| behind.starts_with(q));
        let (from, end) = if let Some(quote) = quote {
            let from = from + quote.len();
            (from, closing(text, from, quote))
        } else {
            let stop: &[char] = if text.contains('\t') { &['\t', '"'] } else { &[' ', ',', '"', '}', ')'] };
            (from, text[from..].find(stop).map_or(text.len(), |n| from + n))
        };
        // `https://user:...` and a time of day are no keys; a bare number of a user says who it is all the same.
        if !bytes[from..].starts_with(b"//") {
            out.push((from, end, secret));
        }
    }
    out
}

/// Where a quoted value ends: at the next such quote that no backslash stands before.
fn closing(text: &str, from: usize, quote: &str) -> usize {
    let mut at = from;
    while let Some(n) = text[at..].find(quote) {
        let end = at + n;
        let slashes = text[from..end].bytes().rev().take_while(|b| *b == b'\\').count();
        if slashes % 2 == 0 {
            return end;
        }
        at = end + quote.len();
    }
    text.len()
}

/// nginx's own words: `user "bob": password mismatch` (`ngx_http_auth_basic_module.c`).
fn said(text: &str) -> Vec<Span> {
    let marks = text.match_indices("user \"");
    marks.map(|(at, mark)| (at + mark.len(), closing(text, at + mark.len(), "\""), Secret::User)).collect()
}

/// What stands where it does in nginx's default format: the name before the time, the agent as the third quoted text.
fn usual(text: &str) -> Vec<Span> {
    let mut out = Vec::new();
    let bytes = text.as_bytes();
    let day = |at: usize| {
        let b = |i: usize| bytes.get(at + i).copied().unwrap_or(0);
        b(2).is_ascii_digit() && b(3).is_ascii_digit() && b(4) == b'/' && b(5).is_ascii_alphabetic()
    };
    // Only an access log has its time so.
    let Some((time, _)) = text.match_indices(" [").find(|(at, _)| day(*at)) else { return out };
    if let Some(dash) = text[..time].find(" - ")
        && dash + 3 < time
    {
        out.push((dash + 3, time, Secret::User));
    }
    // Of its quoted texts the request is the first, the referrer the second.
    let mut quoted = Vec::new();
    let mut at = 0;
    while let Some(open) = text[at..].find('"').map(|n| at + n + 1).filter(|_| quoted.len() < 3) {
        let end = closing(text, open, "\"");
        quoted.push((open, end));
        at = (end + 1).min(text.len());
    }
    if let [_, _, (from, to)] = quoted.as_slice() {
        out.push((*from, *to, Secret::Agent));
    } else if let Some((at, _)) = text.match_indices("\"Mozilla/").next() {
        out.push((at + 1, closing(text, at + 1, "\""), Secret::Agent));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found<'t>(text: &'t str, format: &str) -> Vec<(&'t str, Secret)> {
        spans(text, &[format.to_owned()]).into_iter().map(|s| (&text[s.0..s.1], s.2)).collect()
    }

    #[test]
    fn a_directive_holds_the_text() {
        let text = |directive| text_of(directive).unwrap_or_default();
        assert_eq!(text("log_format main escape=json '$a \"$b\"';"), "$a \"$b\"");
        assert_eq!(text("log_format main '$a\\t\\'$b\\'\\\\';"), "$a\t'$b'\\");
        assert_eq!(text_of("combined"), None);
    }

    const MAIN: &str = "$remote_addr - $remote_user [$time_local] \"$request\" $status \
                        \"$http_user_agent\" \"$http_cookie\" $request_time";

    #[test]
    fn a_format_says_where_its_variables_are() {
        let line = "192.0.2.1 - mary ann [01/Mar/2026:10:00:00 +0000] \"GET / HTTP/1.1\" 200 \"curl/8\" \"sid=1; x\" 0.1";
        let want = [("mary ann", Secret::User), ("curl/8", Secret::Agent), ("sid=1; x", Secret::Key)];
        assert_eq!(found(line, MAIN), want);
        let framed = format!("Mar  1 10:00:00 web1 nginx: {line}");
        assert_eq!(found(&framed, MAIN), want);
        let docker = format!("{{\"log\":\"{}\\n\",\"stream\":\"stdout\"}}", line.replace('"', "\\\""));
        assert_eq!(found(&docker, MAIN), want);
        let nobody = "192.0.2.1 - - [01/Mar/2026:10:00:00 +0000] \"GET / HTTP/1.1\" 200 \"-\" \"-\" 0.1";
        assert_eq!(found(nobody, MAIN), []);
    }

    #[test]
    fn keys_nginxs_words_and_the_default_format() {
        for (text, want) in [
            (
                "{\"remote_user\":\"bob\",\"http_user_agent\":\"a \\\"b\\\" c\",\"x\":1}",
                &["bob", "a \\\"b\\\" c"][..],
            ),
            ("host:a\tuser:bob\tua:Mozilla/5.0 (X11)\tstatus:200", &["bob", "Mozilla/5.0 (X11)"]),
            ("rt=0.1 ua=curl/8 cookie_sid=abc us=200", &["curl/8", "abc"]),
            ("\"http_authorization\":\"Bearer x.y\"", &["Bearer x.y"]),
            ("*7 user \"bob\": password mismatch, client: 192.0.2.1", &["bob"]),
            (
                "192.0.2.1 - bob [01/Mar/2026:10:00:00 +0000] \"\\x16\" 400 0 \"-\" \"Mozilla/5.0 x\"",
                &["bob", "Mozilla/5.0 x"],
            ),
            (
                "192.0.2.1 - - [01/Mar/2026:10:00:00 +0000] \"GET / HTTP/1.1\" 200 0 \"-\" \"Shop/5 (\\x22P\\x22)\" 0.1",
                &["Shop/5 (\\x22P\\x22)"],
            ),
            ("2026/03/01 10:00:00 [crit] 7#7: *9 x, request: \"a\", upstream: \"b\", host: \"c\"", &[]),
            ("größe user:é ", &["é"]),
        ] {
            let got: Vec<_> = spans(text, &[]).into_iter().map(|s| &text[s.0..s.1]).collect();
            assert_eq!(got, want, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn spans_are_in_order_and_whole_characters(text in "[ -~é\t]{0,80}", format in "[$a-z \"é]{0,30}") {
            let mut end = 0;
            for (from, to, _) in spans(&text, &[format]) {
                proptest::prop_assert!(from >= end && to > from && text.get(from..to).is_some());
                end = to;
            }
        }
    }
}
