//! What error records say in few words: the message, its errno, the peer, the line of the configuration.

use super::super::host::{Host, Said};
use super::super::marks::Word;
use crate::catalogue::read_line;
use crate::format::record::ErrorRecord;
use crate::reading::record_at;
use std::fmt::Write as _;

/// What nginx says when it gives up, and the seconds it has tried for.
const STILL: &str = "still could not bind()";
const BIND: i64 = 5;
/// Longest message that is repeated in a sentence.
const LONGEST: usize = 160;
/// Longest text of an application that is.
const OWN_WORDS: usize = 110;

impl Host<'_> {
    /// The record that says why, where one only says that it was so: `still could not bind()` follows the addresses
    /// that are in use (`ngx_open_listening_sockets`).
    pub(super) fn reason_of<'h>(&'h self, said: &'h Said) -> &'h Said {
        if self.message(said).is_none_or(|m| !m.starts_with(STILL)) {
            return said;
        }
        let before = self.said.iter().filter(|s| (said.second - BIND..=said.second).contains(&s.second));
        before.rev().find(|s| s.word == Some(Word::AddressInUse)).unwrap_or(said)
    }

    /// Reads the record that stands for `said` again.
    pub(super) fn record<T>(&self, said: &Said, read: impl FnOnce(&ErrorRecord<'_>) -> T) -> Option<T> {
        let line = record_at(&self.reads[said.file], &said.sample);
        let mut room = Vec::new();
        let framing = crate::format::framing::detect(&[&line]).0;
        let payload = framing.unwrap(&line, &mut room).map_or(line.as_slice(), |u| u.payload);
        read_line(payload).map(|record| read(&record))
    }

    /// The message of a record, with the file and line of the configuration where it names them.
    pub(super) fn message(&self, said: &Said) -> Option<String> {
        self.record(said, |r| {
            let text = String::from_utf8_lossy(r.message);
            let mut text: String = text.chars().take(LONGEST).collect();
            if let Some(errno) = r.errno {
                _ = write!(text, " (errno {errno})");
            }
            if let Some(file) = r.config_file {
                let line = r.config_line.map_or(String::new(), |n| format!(":{n}"));
                _ = write!(text, " in {}{line}", String::from_utf8_lossy(file));
            }
            text
        })
    }
}

/// What an application or a script wrote, of a record that only passes it on: its first line, without what stands before
/// the words of every such line.
pub(super) fn own_words(category: &str, record: &ErrorRecord<'_>) -> Option<String> {
    let text = String::from_utf8_lossy(record.message);
    let words = match category {
        "upstream.app_error" => text.split_once("sent in stderr: \"")?.1,
        _ if category.starts_with("script.") => &text,
        _ => return None,
    };
    let mut words = words.lines().next()?.trim_end_matches('"').trim();
    for before in ["PHP message: ", "lua entry thread aborted: ", "runtime error: ", "js exception: "] {
        words = words.strip_prefix(before).unwrap_or(words);
    }
    let short: String = words.chars().take(OWN_WORDS).collect();
    let cut = if short.len() < words.len() { "…" } else { "" };
    (!short.is_empty()).then(|| format!("{}{cut}", short.trim_end()))
}

/// The zone of a limit that refused (`ngx_http_limit_req_module.c`, `ngx_http_limit_conn_module.c`).
pub(super) fn zone(record: &ErrorRecord<'_>) -> Option<String> {
    let text = std::str::from_utf8(record.message).ok()?;
    let name = text.split_once("by zone \"")?.1.split('"').next()?;
    Some(name.to_owned())
}

/// The address of the peer that a record names: `10.0.0.5:8080` of `http://10.0.0.5:8080/app/`. A record that says
/// `no live upstreams` names a group instead.
pub(super) fn peer(record: &ErrorRecord<'_>) -> Option<String> {
    let url = std::str::from_utf8(record.upstream?).ok()?;
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let address = match rest.strip_prefix("unix:") {
        // nginx puts a colon between the path of a socket and the URI.
        Some(path) => format!("unix:{}", path.split(':').next().unwrap_or(path)),
        None => rest.split('/').next().unwrap_or(rest).to_owned(),
    };
    (!address.is_empty()).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_application_wrote_is_told_by_its_first_line() {
        let words = |category: &str, message: &str| {
            let line = format!("2026/03/01 10:00:00 [error] 1#1: *1 {message}, client: 192.0.2.1, server: a");
            own_words(category, &read_line(line.as_bytes()).unwrap())
        };
        let stderr = |text: &str| words("upstream.app_error", &format!("FastCGI sent in stderr: \"{text}\""));
        assert_eq!(stderr("PHP message: PHP Fatal error: x").as_deref(), Some("PHP Fatal error: x"));
        assert_eq!(stderr("Primary script unknown").as_deref(), Some("Primary script unknown"));
        assert_eq!(stderr(""), None);
        assert_eq!(stderr(&"long ".repeat(40)).unwrap().chars().count(), 110);
        let lua = "lua entry thread aborted: runtime error: /srv/a.lua:7: attempt to index a nil value";
        assert_eq!(words("script.lua", lua).as_deref(), Some("/srv/a.lua:7: attempt to index a nil value"));
        assert_eq!(words("upstream.refused", "connect() failed"), None);
    }

    #[test]
    fn the_address_is_taken_out_of_the_url() {
        for (upstream, want) in [
            ("http://10.0.0.5:8080/app/?a=b:c/d", Some("10.0.0.5:8080")),
            ("fastcgi://unix:/run/php/php-fpm.sock:", Some("unix:/run/php/php-fpm.sock")),
            ("http://[2001:db8::5]:8080/", Some("[2001:db8::5]:8080")),
            ("10.0.0.5:5432", Some("10.0.0.5:5432")),
            ("http:///x", None),
        ] {
            let line =
                format!("2026/03/01 10:00:00 [error] 1#1: *1 x, client: 192.0.2.1, upstream: \"{upstream}\"");
            assert_eq!(read_line(line.as_bytes()).and_then(|r| peer(&r)).as_deref(), want, "{upstream}");
        }
    }
}
