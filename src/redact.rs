//! Hides who the clients were and what they asked for in query strings, so that a report can leave the house: addresses,
//! user names and user agents become pseudonyms; query strings, cookies and what else opens a door are left out.
//!
//! The same client has the same pseudonym everywhere in one report, in every format and inside quoted lines. A plain
//! hash of an address is undone by trying all addresses in an afternoon, so pseudonyms are keyed; and since the same
//! inputs shall give the same report, the key is made of the inputs themselves: whoever has only the report cannot
//! make it, whoever has the logs needs no report to know the addresses. (A log so short that its report quotes all of
//! it leaves nothing to make a secret of.)
//!
//! Addresses of upstream peers and of listening sockets stay: they are the server's own. Paths and names of virtual hosts
//! stay too, for they are what a report is about. `redact/fields.rs` says where in a line the rest stands.

mod fields;

use crate::error::{Error, Result};
use crate::report::{Cause, Evidence, Incident, PlaceKind, Report};
use fields::Secret;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::File;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

/// What a query string becomes.
const QUERY: &str = "?[hidden]";
/// Digits of a pseudonym: among a million clients two share one with odds of one in two.
const DIGITS: usize = 10;
/// Set apart from other uses of the same hash over the same bytes: `--digest` prints that of the bare files.
const DOMAIN: &[u8] = b"downtime redact 1\0";
/// Keys of fields that hold a query string without a question mark, as formats name `$args`.
const FIELDS: [&str; 6] = ["args", "query", "query_string", "querystring", "qs", "http_query"];
/// Products whose versions look like addresses.
const PRODUCTS: [&str; 9] = [
    "Chrome/",
    "Chromium/",
    "Edg/",
    "OPR/",
    "Version/",
    "CriOS/",
    "YaBrowser/",
    "HeadlessChrome/",
    "Vivaldi/",
];

/// A hash that is to be fed with the content of one input.
pub fn content() -> Sha256 {
    Sha256::new_with_prefix(DOMAIN)
}

/// The hash of a file's content, as [`content`] makes it.
pub fn of_file(path: &Path) -> Result<[u8; 32]> {
    let mut hash = content();
    let mut block = vec![0; 256 << 10];
    let mut file = File::open(path).map_err(Error::io(path))?;
    loop {
        match file.read(&mut block) {
            Ok(0) => return Ok(hash.finalize().into()),
            Ok(n) => hash.update(&block[..n]),
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(Error::io(path)(e)),
        }
    }
}

/// Hides clients and query strings.
#[derive(Debug)]
pub struct Redactor {
    key: [u8; 32],
    /// Addresses that are the server's own.
    own: BTreeSet<IpAddr>,
    /// The `log_format` texts of each file.
    formats: BTreeMap<String, Vec<String>>,
}

impl Redactor {
    /// A redactor whose key is made of the hash of each input's content, as [`content`] makes it.
    pub fn of_contents(mut contents: Vec<[u8; 32]>) -> Self {
        contents.sort_unstable();
        let mut key = content();
        for one in contents {
            key.update(one);
        }
        Self { key: key.finalize().into(), own: BTreeSet::new(), formats: BTreeMap::new() }
    }

    /// Says which formats the lines of a file follow, as `log_format` directives: what is found by them is found for
    /// certain.
    pub fn format(&mut self, path: &str, directives: impl IntoIterator<Item = String>) {
        let texts = directives.into_iter().filter_map(|d| fields::text_of(&d));
        self.formats.entry(path.to_owned()).or_default().extend(texts);
    }

    /// Hides what a report says of clients. What it was made of keeps its places: lines are opened by them.
    pub fn report(&mut self, report: &mut Report) {
        self.learn(report);
        for i in &mut report.incidents {
            self.incident(i);
        }
        for f in &mut report.findings {
            self.text(&mut f.summary);
            self.evidence(&mut f.evidence);
        }
        for n in &mut report.not_counted {
            self.evidence(n.example.as_mut_slice());
        }
        for i in &mut report.inputs {
            for note in &mut i.notes {
                self.text(note);
            }
        }
    }

    /// Learns which addresses are the server's own: those of upstream peers, unless they are clients too.
    fn learn(&mut self, report: &Report) {
        let mut clients = BTreeSet::new();
        let mut lines: Vec<&str> = Vec::new();
        for i in &report.incidents {
            let peers = i.context.places.iter().filter(|p| p.kind == PlaceKind::Upstream).map(|p| &p.name);
            for name in i.scope.upstreams.iter().chain(peers) {
                self.own.extend(addresses(name).into_iter().map(|found| found.2));
            }
            let causes = i.cause.iter().chain(&i.other_causes).flat_map(|c| &c.evidence);
            let trigger = i.trigger.iter().flat_map(|t| &t.evidence);
            let events = i.timeline.iter().filter_map(|e| e.evidence.as_ref());
            lines.extend(
                i.evidence.iter().chain(causes).chain(trigger).chain(events).map(|e| e.text.as_str()),
            );
        }
        lines.extend(report.findings.iter().flat_map(|f| &f.evidence).map(|e| e.text.as_str()));
        for line in lines {
            for (mark, ours) in [("upstream: \"", true), ("bind() to ", true), ("client: ", false)] {
                for (at, _) in line.match_indices(mark) {
                    let rest = &line[at + mark.len()..];
                    let end = rest.find(['"', ',', ' ']).unwrap_or(rest.len());
                    // The path behind a peer's address is the client's words.
                    let value = &rest[..end];
                    let host = value.split_once("://").map_or(value, |(_, rest)| rest);
                    let host = host.split('/').next().unwrap_or(host);
                    let found = addresses(host).into_iter().map(|f| f.2);
                    if ours { self.own.extend(found) } else { clients.extend(found) }
                }
            }
        }
        self.own.retain(|a| !clients.contains(a));
    }

    fn incident(&self, i: &mut Incident) {
        self.text(&mut i.title);
        self.text(&mut i.why);
        for names in [&mut i.scope.vhosts, &mut i.scope.endpoints, &mut i.scope.upstreams] {
            for name in names {
                self.text(name);
            }
        }
        i.context.remarks.iter_mut().for_each(|r| self.text(r));
        i.context.places.iter_mut().for_each(|p| self.text(&mut p.name));
        for p in &mut i.phases {
            self.text(&mut p.note);
        }
        let cause = |c: &mut Cause| {
            self.text(&mut c.summary);
            self.evidence(&mut c.evidence);
        };
        i.cause.iter_mut().chain(&mut i.other_causes).for_each(cause);
        if let Some(t) = &mut i.trigger {
            self.text(&mut t.summary);
            self.evidence(&mut t.evidence);
        }
        for e in &mut i.timeline {
            self.text(&mut e.what);
            self.evidence(e.evidence.as_mut_slice());
        }
        self.evidence(&mut i.evidence);
    }

    fn evidence(&self, lines: &mut [Evidence]) {
        for line in lines {
            let formats = self.formats.get(&line.path).map_or(&[][..], Vec::as_slice);
            if let Cow::Owned(hidden) = self.hidden_in(&line.text, formats) {
                line.text = hidden;
            }
        }
    }

    fn text(&self, text: &mut String) {
        if let Cow::Owned(hidden) = self.hidden(text) {
            *text = hidden;
        }
    }

    /// A text without clients and query strings.
    pub fn hidden<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.hidden_in(text, &[])
    }

    /// The same for a line of a file with these `log_format` texts.
    fn hidden_in<'t>(&self, text: &'t str, formats: &[String]) -> Cow<'t, str> {
        let spans = fields::spans(text, formats);
        if spans.is_empty() {
            return self.without_addresses(queries(text));
        }
        let mut out = String::new();
        let mut done = 0;
        for (start, end, secret) in spans {
            out.push_str(&text[done..start]);
            match secret {
                Secret::User => out.push_str(&self.pseudonym("user-", &text.as_bytes()[start..end])),
                Secret::Agent => out.push_str(&self.pseudonym("agent-", &text.as_bytes()[start..end])),
                Secret::Key => out.push_str(&QUERY[1..]),
            }
            done = end;
        }
        out.push_str(&text[done..]);
        Cow::Owned(self.without_addresses(queries(&out)).into_owned())
    }

    fn without_addresses<'t>(&self, without: Cow<'t, str>) -> Cow<'t, str> {
        let mut out = String::new();
        let mut done = 0;
        for (start, end, address) in addresses(&without) {
            if self.own.contains(&address) {
                continue;
            }
            out.push_str(&without[done..start]);
            let octets = match address {
                IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
                IpAddr::V6(v6) => v6.octets(),
            };
            out.push_str(&self.pseudonym("client-", &octets));
            done = end;
        }
        if done == 0 {
            return without;
        }
        out.push_str(&without[done..]);
        Cow::Owned(out)
    }

    /// The name of a client, user or agent in this report.
    fn pseudonym(&self, kind: &str, value: &[u8]) -> String {
        let mut hash = Sha256::new();
        // A key of the block's own length before the message. Of the result a few digits are printed, so that nothing
        // can be appended to the message and hashed on.
        hash.update(self.key);
        if kind != "client-" {
            hash.update(kind);
        }
        hash.update(value);
        let mut out = String::from(kind);
        for byte in hash.finalize().iter().take(DIGITS / 2) {
            let _ = write!(out, "{byte:02x}");
        }
        out
    }
}

/// The addresses in a text: where each begins and ends, and what it is. In doubt something is an address.
fn addresses(text: &str) -> Vec<(usize, usize, IpAddr)> {
    let bytes = text.as_bytes();
    let part = |b: &u8| b.is_ascii_hexdigit() || matches!(b, b':' | b'.');
    let word = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(start) = bytes[at..].iter().position(part).map(|i| at + i) {
        at = bytes[start..].iter().position(|b| !part(b)).map_or(bytes.len(), |i| start + i);
        let run = &text[start..at];
        let v6 = if word(bytes.get(at)) { None } else { v6(run, start > 0 && word(bytes.get(start - 1))) };
        match v6 {
            Some((from, len, address)) => out.push((start + from, start + from + len, address)),
            None if PRODUCTS.iter().any(|p| text[..start].ends_with(p)) => {}
            None => {
                out.extend(v4(run).map(|(from, len, address)| (start + from, start + from + len, address)));
            }
        }
    }
    out
}

/// The IPv6 address that a run of hexadecimal digits, colons and dots is, less the signs of the sentence around it.
/// Behind a word its first colon belongs to the word (`ip:2001:db8::1`), and two are no address (`Foo::Bad`).
fn v6(run: &str, behind_word: bool) -> Option<(usize, usize, IpAddr)> {
    let from = usize::from(behind_word);
    let core = if behind_word { run.strip_prefix(':')? } else { run };
    [core.trim_end_matches('.'), core.trim_end_matches(['.', ':'])].into_iter().find_map(|text| {
        let address: Ipv6Addr = text.parse().ok()?;
        text.bytes().any(|b| b.is_ascii_hexdigit()).then(|| (from, text.len(), canonical(address)))
    })
}

/// The IPv4 addresses inside a run: a port, a key or a colon may stand beside them.
fn v4(run: &str) -> impl Iterator<Item = (usize, usize, IpAddr)> {
    let mut at = 0;
    run.split(|c: char| !c.is_ascii_digit() && c != '.').filter_map(move |piece| {
        let start = at + (piece.len() - piece.trim_start_matches('.').len());
        at += piece.len() + 1;
        let text = piece.trim_matches('.');
        Some((start, text.len(), IpAddr::V4(text.parse::<Ipv4Addr>().ok()?)))
    })
}

/// An IPv4 address in the clothes of IPv6 is the same client.
fn canonical(v6: Ipv6Addr) -> IpAddr {
    v6.to_ipv4_mapped().map_or(IpAddr::V6(v6), IpAddr::V4)
}

/// A text without query strings: from a question mark behind a path to the end of the address, and the values of
/// fields that hold nothing else.
fn queries(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut done = 0;
    while let Some((start, end)) = next_query(text, done) {
        out.push_str(&text[done..start]);
        out.push_str(if text[start..].starts_with('?') { QUERY } else { &QUERY[1..] });
        done = end;
    }
    if done == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[done..]);
    Cow::Owned(out)
}

fn next_query(text: &str, from: usize) -> Option<(usize, usize)> {
    let mark = text[from..].find('?').map(|i| from + i).and_then(|i| {
        let end = query_end(text, i + 1);
        // A question mark at the end of its word hides nothing.
        if end > i + 1 { Some((i, end)) } else { next_query(text, i + 1) }
    });
    let field = FIELDS.iter().filter_map(|f| field(text, f, from)).min();
    mark.into_iter().chain(field).min()
}

/// The value of a field: `"args":"..."`, `args=...`, `args:...`.
fn field(text: &str, name: &str, from: usize) -> Option<(usize, usize)> {
    text[from..].match_indices(name).find_map(|(i, _)| {
        let start = from + i;
        let before = text[..start].bytes().next_back();
        if before.is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'?' || b == b'&') {
            return None;
        }
        let rest = &text[start + name.len()..];
        let bare = rest.strip_prefix('"').unwrap_or(rest).trim_start();
        let value = bare.strip_prefix([':', '='])?.trim_start_matches(' ');
        let at = text.len() - value.len() + usize::from(value.starts_with('"'));
        let end = query_end(text, at);
        (end > at && &text[at..end] != "-" && !text[at..].starts_with("[hidden]")).then_some((at, end))
    })
}

/// Where a query string that begins at `at` ends: before the closing quote, the protocol of a request line, or the
/// blank behind it. Raw blanks are let through by nginx, so that inside quotes they end nothing but before `HTTP/`.
fn query_end(text: &str, at: usize) -> usize {
    let bytes = text.as_bytes();
    let quoted = quotes_before(&bytes[..at]) % 2 == 1;
    let mut end = at;
    while end < bytes.len() {
        match bytes[end] {
            b'\\' if end + 1 < bytes.len() && bytes[end + 1].is_ascii() => end += 1,
            b'"' | b'\t' => break,
            b' ' if !quoted || text[end..].starts_with(" HTTP/") => break,
            _ => {}
        }
        end += 1;
    }
    end.min(bytes.len())
}

fn quotes_before(bytes: &[u8]) -> usize {
    let mut n = 0;
    let mut escaped = false;
    for b in bytes {
        n += usize::from(*b == b'"' && !escaped);
        escaped = *b == b'\\' && !escaped;
    }
    n
}

#[cfg(test)]
#[path = "redact/tests.rs"]
mod tests;
