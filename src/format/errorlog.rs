//! Error-log records: `TIME [LEVEL] PID#TID: *CONN MESSAGE (ERRNO) while ACTION, client: ...` (`ngx_log.c`,
//! `ngx_http_request.c`, `ngx_stream_handler.c`, `ngx_mail_handler.c`).
//!
//! nginx escapes nothing here, so a request line can hold quotes and words that look like context. The context is
//! therefore read from its right-hand end, key by key in the order in which nginx writes them. What a record *means*
//! is the catalogue's business, not this module's.

mod angie;
mod split;
#[cfg(test)]
mod tests;

pub use angie::parse_angie_json;
pub use split::{RecordSplitter, Split};

use super::record::{ErrorRecord, Level};
use crate::time::{ERROR_TIME_LEN, Second, parse_error_time};
use memchr::memmem;

/// Longest record of nginx without its line feed (`NGX_MAX_ERROR_STR` is 2048 with it).
pub const RECORD_LIMIT: usize = 2047;
/// Longest record of `OpenResty`, which raises `NGX_MAX_ERROR_STR` to 4096.
pub const RECORD_LIMIT_OPENRESTY: usize = 4095;
/// No action of nginx or its relatives comes near this; longer text after ` while ` is part of the message.
const LONGEST_ACTION: usize = 80;

/// The fixed front of a record.
#[derive(Debug, Clone, Copy)]
struct Frame<'a> {
    time: Second,
    level: Level,
    pid: u32,
    tid: u64,
    connection: Option<u64>,
    body: &'a [u8],
}

/// Whether `line` starts with `YYYY/MM/DD HH:MM:SS [level] PID#TID: `.
pub fn is_record_start(line: &[u8]) -> bool {
    // The column of `[` refuses nearly every other line with one comparison.
    line.get(20) == Some(&b'[') && frame(line).is_some()
}

fn frame(line: &[u8]) -> Option<Frame<'_>> {
    let time = parse_error_time(line)?;
    let rest = line[ERROR_TIME_LEN..].strip_prefix(b" [")?;
    let close = rest.iter().take(8).position(|&b| b == b']')?;
    let level = Level::from_name(&rest[..close])?;
    let rest = rest[close..].strip_prefix(b"] ")?;
    let (pid, tid, rest) = process(rest)?;
    let (connection, body) = connection(rest);
    Some(Frame { time, level, pid, tid, connection, body })
}

/// When the record that starts with `line` was written, and whether that is UTC and not the log's own clock; `None` for a
/// line that starts none.
pub(crate) fn stamp(line: &[u8]) -> Option<(Second, bool)> {
    match line.first()? {
        b'{' => parse_angie_json(line).map(|r| (r.time, r.utc)),
        _ if line.get(20) == Some(&b'[') => frame(line).map(|f| (f.time, false)),
        _ => None,
    }
}

/// When a record was written, by which process, and its connection serial; `None` without one.
pub(crate) fn serial(line: &[u8]) -> Option<(Second, u32, u64)> {
    let frame = if line.get(20) == Some(&b'[') { frame(line) } else { None }?;
    Some((frame.time, frame.pid, frame.connection?))
}

fn connection(rest: &[u8]) -> (Option<u64>, &[u8]) {
    let serial = rest.strip_prefix(b"*").and_then(number);
    match serial {
        Some((n, after)) if after.first().is_none_or(|&b| b == b' ') => {
            (Some(n), after.strip_prefix(b" ").unwrap_or(after))
        }
        _ => (None, rest),
    }
}

/// A decimal number at the start of `b`, and what follows it.
pub(crate) fn number(b: &[u8]) -> Option<(u64, &[u8])> {
    let len = b.iter().take(20).take_while(|c| c.is_ascii_digit()).count();
    if len == 0 || b.get(len).is_some_and(u8::is_ascii_digit) {
        return None;
    }
    let mut n: u64 = 0;
    for &c in &b[..len] {
        n = n.checked_mul(10)?.checked_add(u64::from(c - b'0'))?;
    }
    Some((n, &b[len..]))
}

pub(crate) fn trim_newline(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Reads one whole record, which may span several physical lines; a line feed or CRLF at its end is tolerated.
pub fn parse_error(record: &[u8]) -> Option<ErrorRecord<'_>> {
    if record.get(20) != Some(&b'[') {
        return None;
    }
    let record = trim_newline(record);
    let f = frame(record)?;
    let mut out = read_body(f.body, f.level, f.connection);
    (out.time, out.pid, out.tid) = (f.time, f.pid, f.tid);
    let full = record.len() == RECORD_LIMIT || record.len() == RECORD_LIMIT_OPENRESTY;
    // A frame around the log can change the length a little (CR, replaced bytes), so an open end counts as well.
    out.cut = full || out.cut && record.len() + 60 >= RECORD_LIMIT;
    Some(out)
}

/// Reads the form that nginx copies to standard error while it starts: `nginx: [emerg] MESSAGE in FILE:LINE`, or
/// `nginx: [emerg]: MESSAGE` before 1.0. It has no time and no process, so `time`, `pid` and `tid` are 0: the time,
/// if any, is that of the frame around the line. What nginx says there without a level (`nginx: invalid option: "x"`)
/// has [`Level::Stderr`].
pub fn parse_stderr_form(line: &[u8]) -> Option<ErrorRecord<'_>> {
    let line = trim_newline(line);
    let text = line.strip_prefix(b"nginx: ").or_else(|| line.strip_prefix(b"angie: "))?;
    let Some(rest) = text.strip_prefix(b"[") else {
        let mut out = read_body(text, Level::Stderr, None);
        out.cut = false;
        return Some(out);
    };
    let close = rest.iter().take(8).position(|&b| b == b']')?;
    let level = Level::from_name(&rest[..close])?;
    let rest = &rest[close + 1..];
    let rest = rest.strip_prefix(b":").unwrap_or(rest);
    let (serial, body) = connection(rest.strip_prefix(b" ")?);
    let mut out = read_body(body, level, serial);
    out.cut = false;
    Some(out)
}

/// Reads a record from behind its level on: `PID#TID: *1 MESSAGE, client: ...`, the process optional. Its time is 0.
pub(crate) fn parse_behind_level(rest: &[u8], level: Level) -> ErrorRecord<'_> {
    let rest = trim_newline(rest);
    let (pid, tid, behind) = process(rest).unwrap_or((0, 0, rest));
    let (serial, body) = connection(behind);
    ErrorRecord { pid, tid, cut: false, ..read_body(body, level, serial) }
}

/// `PID#TID: ` at the start of `rest`, and what follows.
pub(crate) fn process(rest: &[u8]) -> Option<(u32, u64, &[u8])> {
    let (pid, rest) = number(rest)?;
    let (tid, rest) = number(rest.strip_prefix(b"#")?)?;
    let rest = rest.strip_prefix(b":")?;
    Some((u32::try_from(pid).ok()?, tid, rest.strip_prefix(b" ").unwrap_or(rest)))
}

fn blank(level: Level) -> ErrorRecord<'static> {
    ErrorRecord {
        time: 0,
        utc: false,
        level,
        pid: 0,
        tid: 0,
        connection: None,
        message: b"",
        errno: None,
        action: None,
        client: None,
        server: None,
        request: None,
        subrequest: None,
        upstream: None,
        host: None,
        referrer: None,
        config_file: None,
        config_line: None,
        cut: false,
    }
}

fn read_body(body: &[u8], level: Level, connection: Option<u64>) -> ErrorRecord<'_> {
    let mut out = ErrorRecord { connection, ..blank(level) };
    let mut head = body;
    let mut phase = None;
    if let Some(at) = context_start(body) {
        head = &body[..at];
        read_context(&body[at..], &mut out);
        // OpenResty puts this pair before the client.
        if let Some(at) = rfind(head, b", context: ") {
            phase = Some(&head[at + CONTEXT.len()..]);
            head = &head[..at];
        }
    } else {
        if let Some(at) = rfind(head, CONTEXT)
            && is_lua_phase(&head[at + CONTEXT.len()..])
        {
            phase = Some(&head[at + CONTEXT.len()..]);
            head = &head[..at];
        }
        if connection.is_none() {
            head = strip_config_place(head, &mut out);
        }
    }
    out.action = phase;
    if let Some((before, action)) = split_action(head) {
        head = before;
        // Resolver, OCSP and syslog name their peer behind the action.
        let end = memmem::find(action, b", ").unwrap_or(action.len());
        if let Some(at) = memmem::find(&action[end..], b", server: ") {
            let value = &action[end + at + 10..];
            out.server = Some(&value[..memmem::find(value, b", ").unwrap_or(value.len())]);
        }
        // A probe names itself there, and what it was doing matters less than that it is one.
        let probe = memmem::find(&action[end..], b", health check \"").map(|at| &action[end + at + 2..]);
        out.action = probe.or(Some(&action[..end]));
    }
    (out.message, out.errno) = split_errno(head);
    out
}

/// Before the phase in which a script of `OpenResty` ran.
const CONTEXT: &[u8] = b", context: ";

/// Whether that is a phase, and no text of a script.
fn is_lua_phase(text: &[u8]) -> bool {
    text.starts_with(b"ngx.") || text.strip_suffix(b"*").unwrap_or(text).ends_with(b"_by_lua")
}

/// The first place of a word. A searcher for it would take longer to build than the few places at which its first letter
/// stands in a record take to look at.
fn find(text: &[u8], word: &[u8]) -> Option<usize> {
    memchr::memchr_iter(word[0], text).find(|&at| text[at..].starts_with(word))
}

/// The last place of a word.
fn rfind(text: &[u8], word: &[u8]) -> Option<usize> {
    memchr::memrchr_iter(word[0], text).find(|&at| text[at..].starts_with(word))
}

/// Where the context begins: at the `, client: ` that nginx wrote and no client did. A file name (decoded from the
/// URI) can hold one before it, the request line one behind it.
fn context_start(body: &[u8]) -> Option<usize> {
    let find_last = |b: &[u8]| rfind(b, b", client: ").max(rfind(b, b", udp client: "));
    // Without a client it was left out by hand: nginx names one wherever it names a request.
    let Some(last) = find_last(body) else { return find(body, REQUEST) };
    let floor = if opens_name(body) { rfind(&body[..last], b"\" failed (").unwrap_or(0) } else { 0 };
    match find(&body[floor..], b", request: \"") {
        Some(request) => find_last(&body[floor..floor + request]).map(|at| at + floor).or(Some(last)),
        None => Some(last),
    }
}

/// Whether the message opens with a quoted name: `open() "/...` or `"/...`.
fn opens_name(body: &[u8]) -> bool {
    let word =
        body.iter().take(24).take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'(' | b')'));
    let rest = &body[word.count()..];
    rest.strip_prefix(b" ").unwrap_or(rest).first() == Some(&b'"')
}

/// Where the request line begins in a context.
const REQUEST: &[u8] = b", request: \"";

/// Reads `, client: A, server: S, request: "R", ...`.
fn read_context<'a>(tail: &'a [u8], out: &mut ErrorRecord<'a>) {
    read_pairs(tail, out);
    // A request line that nginx refuses has no headers yet, so nothing of nginx's stands to its right: what looks like
    // it is a part of the line, whose end is told by its protocol.
    if out.request.is_none_or(ends_in_protocol) {
        return;
    }
    let Some(at) = find(tail, REQUEST) else { return };
    let text = &tail[at + REQUEST.len()..];
    let mut quotes = memchr::memrchr_iter(b'"', text).take(16);
    let Some(end) = quotes.find(|end| ends_in_protocol(&text[..*end])) else { return };
    let (mut left, mut right) = (blank(out.level), blank(out.level));
    read_pairs(&tail[..at], &mut left);
    read_pairs(&text[end + 1..], &mut right);
    (out.client, out.server, out.request) = (left.client, left.server, Some(&text[..end]));
    (out.subrequest, out.upstream) = (right.subrequest, right.upstream);
    (out.host, out.referrer, out.cut) = (right.host, right.referrer, right.cut);
}

/// Whether a request line ends in ` HTTP/1.1` or its like.
fn ends_in_protocol(line: &[u8]) -> bool {
    matches!(line, [.., b' ', b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
        if major.is_ascii_digit() && minor.is_ascii_digit())
}

/// Reads pairs from right to left, so that no value can forge a key that stands to its left.
fn read_pairs<'a>(tail: &'a [u8], out: &mut ErrorRecord<'a>) {
    let tail = rfind(tail, b", bytes from/to client:").map_or(tail, |at| &tail[..at]);
    let mut rest = tail;
    let mut last = true;
    let mut take = |key: &[u8], lower: &[&[u8]]| -> Option<&'a [u8]> {
        let at = rfind(rest, key)?;
        let (before, value) = (&rest[..at], &rest[at + key.len()..]);
        // nginx writes each key once and in order: a key to the right of one that must precede it, and that is not
        // there otherwise, was written by the client.
        if lower.iter().any(|k| find(value, k).is_some() && find(before, k).is_none()) {
            return None;
        }
        rest = before;
        let quoted = key.ends_with(b"\"") || value.first() == Some(&b'"');
        let value = if key.ends_with(b"\"") { value } else { value.strip_prefix(b"\"").unwrap_or(value) };
        let value = if std::mem::take(&mut last) { before_unknown_pair(value, quoted) } else { value };
        if quoted && !value.ends_with(b"\"") {
            out.cut = true;
        }
        Some(if quoted { value.strip_suffix(b"\"").unwrap_or(value) } else { value })
    };
    let (request, upstream, host): (&[u8], &[u8], &[u8]) =
        (b", request: \"", b"\", upstream: \"", b"\", host: \"");
    out.referrer = take(b", referrer: \"", &[request, upstream, host]);
    out.host = take(b", host: \"", &[request, upstream]);
    out.upstream = take(b", upstream: ", &[request]);
    out.subrequest = take(b", subrequest: \"", &[request]);
    out.request = take(request, &[]);
    let _login = take(b", login: \"", &[]);
    out.server = take(b", server: ", &[]);
    out.client = take(b"client: ", &[]).map(|c| c.strip_suffix(b" using starttls").unwrap_or(c));
}

/// The value without a `, key: value` pair of another module behind it (Kong: `, request_id: "..."`).
fn before_unknown_pair(value: &[u8], quoted: bool) -> &[u8] {
    let mark: &[u8] = if quoted { b"\", " } else { b", " };
    for at in memmem::find_iter(value, mark) {
        let key = &value[at + mark.len()..];
        let len =
            key.iter().take(32).take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-')).count();
        if len > 0 && key[len..].starts_with(b": ") {
            return &value[..at + usize::from(quoted)];
        }
    }
    value
}

/// `MESSAGE while ACTION`: the last ` while ` whose words can be an action. ` while processing "/uri"` and the like
/// hold a name and are messages.
fn split_action(head: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = rfind(head, b" while ")?;
    let action = &head[at + 7..];
    let words = &action[..memmem::find(action, b", ").unwrap_or(action.len())];
    let plausible = !words.is_empty()
        && words.len() <= LONGEST_ACTION
        && !words.contains(&b'"')
        && !words.contains(&b'\n')
        // Scripts name their object: `error while setting current upstream peer 10.0.0.5:80: invalid host`.
        && memmem::find(words, b": ").is_none();
    // `could not be resolved (...) while resolving service X of Y` names its object without quotes.
    (plausible && !words.starts_with(b"resolving service ")).then_some((&head[..at], action))
}

/// `MESSAGE (111: Connection refused)`. The text may be cut, translated, or hold brackets itself: only the number
/// counts.
fn split_errno(head: &[u8]) -> (&[u8], Option<u32>) {
    let mut end = head.len();
    // A system's text can hold one bracket of its own, not many: three tries keep this linear.
    for _ in 0..3 {
        let Some(at) = rfind(&head[..end], b" (") else { break };
        if let Some((n, rest)) = number(&head[at + 2..]) {
            let closed = rest.ends_with(b")") || memchr::memchr(b')', rest).is_none();
            // A resolver's answer has the same shape and is no errno (`ngx_resolver_strerror`).
            let resolver = head[..at].ends_with(b"could not be resolved");
            if rest.starts_with(b": ") && closed && !resolver {
                return (&head[..at], u32::try_from(n).ok());
            }
        }
        end = at;
    }
    (head, None)
}

/// Takes ` in FILE:LINE` or ` in command line` off a configuration message (`ngx_conf_log_error`).
fn strip_config_place<'a>(head: &'a [u8], out: &mut ErrorRecord<'a>) -> &'a [u8] {
    let Some(at) = rfind(head, b" in ") else { return head };
    let place = &head[at + 4..];
    if place == b"command line" {
        out.config_file = Some(place);
        return &head[..at];
    }
    let Some(colon) = memchr::memrchr(b':', place) else { return head };
    let (file, line) = (&place[..colon], number(&place[colon + 1..]));
    match line {
        Some((line, []))
            if !file.is_empty()
                && !file.contains(&b'"')
                // A comma and a blank stand before what nginx adds of its context: `..., resolver: 192.0.2.53:53`.
                && memmem::find(file, b", ").is_none()
                && file.iter().any(|b| matches!(b, b'/' | b'.' | b'\\')) =>
        {
            out.config_file = Some(file);
            out.config_line = u32::try_from(line).ok();
            &head[..at]
        }
        _ => head,
    }
}

/// Whether the record, as far as it goes, must be followed by more: a name or a `FastCGI` text whose quote is still
/// open, a Lua traceback before its context. A record that fills nginx's limit is cut, not unfinished.
pub fn looks_unfinished(record: &[u8]) -> bool {
    let record = trim_newline(record);
    let full = record.len() >= RECORD_LIMIT_OPENRESTY || record.len() == RECORD_LIMIT;
    let Some(f) = frame(record).filter(|_| !full) else { return false };
    missing_close(f.body).is_some() || lacks_context(f.level, f.connection, f.body)
}

/// The text that must still come when the message has opened a quote.
fn missing_close(body: &[u8]) -> Option<&'static [u8]> {
    if body.starts_with(b"FastCGI sent in stderr: \"") {
        return memmem::find(body, b"\" while ").is_none().then_some(b"\" while ");
    }
    let open = memchr::memchr(b'"', &body[..body.len().min(32)])?;
    if !opens_name(body) {
        return None;
    }
    // Every message that opens with a name goes on behind it with a blank: `failed (`, `is not found`, `is forbidden`.
    memmem::find(&body[open + 1..], b"\" ").is_none().then_some(b"\" ")
}

/// Text of a script on a connection always ends with context; without it, lines are still to come.
fn lacks_context(level: Level, connection: Option<u64>, body: &[u8]) -> bool {
    level != Level::Debug
        && connection.is_some()
        && (body.starts_with(b"[lua]") || body.starts_with(b"lua ") || body.starts_with(b"js: "))
        && context_start(body).is_none()
        && memmem::find(body, b", context: ").is_none()
}
