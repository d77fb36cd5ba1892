//! Records as people pass them on: behind a file's name or a mark of quotation, without their time or level, a message
//! alone.

use super::pattern::Pattern;
use super::{Catalogue, read_line};
use crate::format::errorlog::{parse_behind_level, parse_error, parse_stderr_form, process};
use crate::format::record::{ErrorRecord, Level};

/// How far into a line a record is looked for: names of files, hosts and containers are shorter.
const REACH: usize = 512;
/// `YYYY/MM/DD HH:MM:SS `, before the level.
const TIME: usize = 20;
/// `nginx: ` or `angie: `, before the level.
const PROGRAM: usize = 7;

/// Words of a phrase.
const PHRASE: usize = 4;

/// In which order levels are tried where none is written: those of a failure first.
const TRIED: [Level; 7] =
    [Level::Error, Level::Crit, Level::Alert, Level::Emerg, Level::Warn, Level::Info, Level::Notice];

impl Catalogue {
    /// Reads a record that is not all there, or stands behind something. It has the time 0 where that is missing. The
    /// level is `None` where none is written; that of the record is then the one at which a pattern knows it.
    pub fn read_pasted<'a>(&self, line: &'a [u8]) -> Option<(ErrorRecord<'a>, Option<Level>)> {
        let with_level = |record: ErrorRecord<'a>| {
            let level = record.level;
            (record, Some(level))
        };
        if let Some(record) = read_line(line).or_else(|| inside(line)) {
            return Some(with_level(record));
        }
        let start = line.trim_ascii();
        if process(start).is_some() || has_serial(start) {
            let record = self.known(start, &|_| true);
            return Some((record.unwrap_or_else(|| parse_behind_level(start, Level::Error)), None));
        }
        // Any words can stand in a line, but those with which a message begins are nginx's own, and so are whole phrases.
        self.known(start, &|p| !p.starts.is_empty() || has_phrase(p, start)).map(|record| (record, None))
    }

    /// Reads a message alone, which somebody says is nginx's: only one that a pattern of its own knows.
    pub fn read_message<'a>(&self, line: &'a [u8]) -> Option<ErrorRecord<'a>> {
        self.known(line.trim_ascii(), &|_| true)
    }

    /// The message at the level at which such a pattern knows it.
    fn known<'a>(&self, message: &'a [u8], such: &dyn Fn(&Pattern) -> bool) -> Option<ErrorRecord<'a>> {
        let tried = TRIED.iter().map(|&level| parse_behind_level(message, level));
        tried.into_iter().find(|record| self.classify(record).is_some_and(|p| !p.is_general() && such(p)))
    }
}

/// The record that begins inside the line: at a level, with what stands before it as far as that is nginx's.
fn inside(line: &[u8]) -> Option<ErrorRecord<'_>> {
    let mut opens = memchr::memchr_iter(b'[', &line[..line.len().min(REACH)]);
    opens.find_map(|at| {
        let rest = &line[at + 1..];
        let close = rest.iter().take(7).position(|&b| b == b']')?;
        let level = Level::from_name(&rest[..close])?;
        let behind = |len: usize| at.checked_sub(len).map(|from| &line[from..]);
        behind(TIME).and_then(parse_error).or_else(|| behind(PROGRAM).and_then(parse_stderr_form)).or_else(
            || {
                // Other programs write levels in brackets too: only nginx goes on with its process or connection. Its
                // first versions wrote `[emerg]: `.
                let rest = &rest[close + 1..];
                let rest = rest.strip_prefix(b":").unwrap_or(rest).trim_ascii_start();
                let ours = process(rest).is_some() || has_serial(rest) || line[..at].trim_ascii().is_empty();
                ours.then(|| parse_behind_level(rest, level))
            },
        )
    })
}

/// Whether one of the pattern's keywords stands in the text and is a phrase of four words or more, which other programs
/// do not use by chance.
fn has_phrase(pattern: &Pattern, text: &[u8]) -> bool {
    let phrases = pattern.keywords.iter().filter(|k| k.trim().split(' ').count() >= PHRASE);
    phrases.into_iter().any(|k| memchr::memmem::find(text, k.as_bytes()).is_some())
}

/// Whether the text begins with the serial of a connection and tells whose that is: `*7 ..., client: ...`.
fn has_serial(text: &[u8]) -> bool {
    parse_behind_level(text, Level::Error).connection.is_some()
        && memchr::memmem::find(text, b"client: ").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn category(line: &str) -> Option<(String, Option<Level>)> {
        let catalogue = Catalogue::builtin().unwrap();
        let (record, level) = catalogue.read_pasted(line.as_bytes())?;
        Some((catalogue.classify(&record).map_or("unknown", |p| &p.category).to_owned(), level))
    }

    #[test]
    fn a_record_is_found_wherever_it_begins() {
        let end = "no live upstreams while connecting to upstream, client: 203.0.113.7, server: a";
        for before in [
            "/var/log/nginx/error.log:2026/03/01 10:00:00 [error] 12#12: *7 ",
            "> 2026/03/01 10:00:00 [error] 12#12: *7 ",
            "`2026/03/01 10:00:00 [error] 12#12: *7 ",
            "  [error] 12#12: *7 ",
            "[error] ",
            "13:51:11 [error] 12#0: *7 ",
            "Mar 1 host app[3]: ERR nginx: [error] ",
            "[web] [error] *7 ",
        ] {
            let found = category(&format!("{before}{end}"));
            assert_eq!(found, Some(("upstream.no_live".into(), Some(Level::Error))), "{before}");
        }
        for before in ["12#12: *7 ", "12#12: ", "*7 "] {
            assert_eq!(
                category(&format!("{before}{end}")),
                Some(("upstream.no_live".into(), None)),
                "{before}"
            );
        }
    }

    #[test]
    fn what_another_program_wrote_is_no_record() {
        for line in [
            "[Wed Oct 11 14:32:52 2000] [error] [client 203.0.113.7] client denied by server configuration",
            "203.0.113.7 - - [01/Mar/2026:10:00:00 +0000] \"GET /[error] HTTP/1.1\" 404 153",
            "*7 things to do",
            "10#ten: things",
            "",
        ] {
            assert_eq!(category(line), None, "{line}");
        }
    }

    #[test]
    fn a_message_alone_is_read_where_a_pattern_knows_it() {
        let catalogue = Catalogue::builtin().unwrap();
        let known = |line: &str| {
            let record = catalogue.read_message(line.as_bytes())?;
            Some(catalogue.classify(&record)?.category.clone())
        };
        let refused = "connect() failed (111: Connection refused) while connecting to upstream";
        assert_eq!(known(refused).as_deref(), Some("upstream.refused"));
        assert_eq!(
            known("unknown directive \"brotli\" in /etc/nginx/nginx.conf:24").as_deref(),
            Some("config.invalid")
        );
        let old = "[emerg]: bind() to 0.0.0.0:80 failed (98: Address already in use)";
        assert_eq!(category(old), Some(("config.bind".into(), Some(Level::Emerg))));
        assert_eq!(known("worker process 8 exited on signal 11").as_deref(), Some("process.crash"));
        let bare = "1024 worker_connections are not enough while connecting to upstream";
        assert_eq!(category(bare), Some(("resource.connections".into(), None)));
        assert_eq!(known("just some words that failed"), None);
    }
}
