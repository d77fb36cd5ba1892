//! Requests that shall not count: probes and paths that the user names.
//!
//! A health check that is answered every second hides how empty the site is, and one that is meant to fail while a
//! machine is taken out of service is no outage. Only what the line itself says is looked at, so that the answer does
//! not depend on where a file is cut.

use super::errorlog;
use super::record::AccessRecord;
use crate::error::{Error, Result};
use aho_corasick::{AhoCorasick, Input};
use memchr::memmem;

/// Patterns that may be given: each is tried on each line that holds its words.
const MOST: usize = 256;
/// Longest pattern.
const LONGEST: usize = 1024;

/// What is not counted. The default leaves out nothing.
#[derive(Debug, Default)]
pub struct Exclude {
    rules: Vec<Rule>,
    /// Finds lines that can hold something excluded; `None` when any line can.
    words: Option<AhoCorasick>,
    /// The same for records of an error log, which name a path and no user agent.
    paths: bool,
}

#[derive(Debug)]
struct Rule {
    what: What,
    glob: Glob,
    /// How the report calls it.
    name: Box<str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Path,
    Agent,
}

impl Exclude {
    /// Patterns of paths (`/healthz`, `/status/*`) and of user agents (`kube-probe/*`). `*` stands for any bytes,
    /// everything else for itself; a pattern is held against the whole of a path without its query, or the whole of a
    /// user agent.
    ///
    /// # Errors
    /// A pattern that matches everything or nothing, or more patterns than anybody needs.
    pub fn new(paths: &[String], agents: &[String]) -> Result<Self> {
        let wrong = |flag: &str, text: &str, what: &str| Error::Usage(format!("{flag} '{text}': {what}"));
        let given = paths.iter().map(|p| (What::Path, p)).chain(agents.iter().map(|a| (What::Agent, a)));
        let mut rules: Vec<Rule> = Vec::new();
        for (what, text) in given {
            let flag = if what == What::Path { "--exclude" } else { "--exclude-agent" };
            if what == What::Path && !text.starts_with(['/', '*']) {
                return Err(wrong(flag, text, "a path begins with / as in /healthz, or with * as in *.ico"));
            }
            if what == What::Path && text.contains(['?', '#']) {
                return Err(wrong(
                    flag,
                    text,
                    "a path is compared without its query; leave out what follows it",
                ));
            }
            if text.len() > LONGEST || text.contains(char::is_control) {
                return Err(wrong(flag, text, "is too long, or holds what no log writes as it is"));
            }
            if text != "/" && text.bytes().all(|b| matches!(b, b'*' | b'/')) {
                return Err(wrong(flag, text, "would leave nothing to count"));
            }
            let name = if what == What::Path { text.clone() } else { format!("user agent {text}") };
            if rules.iter().all(|r| *r.name != *name) {
                rules.push(Rule { what, glob: Glob::new(text), name: name.into() });
            }
        }
        if rules.len() > MOST {
            return Err(Error::Usage(format!("more than {MOST} patterns of what to exclude")));
        }
        // A word that no format escapes stands in the line as it stands in the pattern.
        let words: Option<Vec<&[u8]>> = rules.iter().map(|r| r.glob.word()).collect();
        let words = words.and_then(|words| AhoCorasick::new(words).ok());
        let paths = rules.iter().any(|r| r.what == What::Path);
        Ok(Self { rules, words, paths })
    }

    /// Whether nothing is left out.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Where, from `at` on, the first word stands without which nothing is left out: quick, and not sure. No word
    /// holds a line feed.
    pub(crate) fn find(&self, bytes: &[u8], at: usize) -> Option<usize> {
        match &self.words {
            Some(words) => words.find(Input::new(bytes).range(at..)).map(|m| m.start()),
            None => (at < bytes.len()).then_some(at),
        }
    }

    /// What a request is left out as; the pattern given first wins.
    pub(crate) fn of_request(&self, record: &AccessRecord<'_>) -> Option<&str> {
        let path = record.uri.map(path_of);
        let rule = self.rules.iter().find(|r| match r.what {
            What::Path => path.is_some_and(|p| r.glob.fits(p)),
            What::Agent => record.user_agent.is_some_and(|a| r.glob.fits(a)),
        })?;
        Some(&rule.name)
    }

    /// What a record of an error log is left out as, by the request that it names.
    pub(crate) fn of_error(&self, record: &[u8]) -> Option<&str> {
        if !self.paths || self.find(record, 0).is_none() || memmem::find(record, b"request: \"").is_none() {
            return None;
        }
        let record = errorlog::parse_error(record).or_else(|| errorlog::parse_angie_json(record))?;
        let path = path_of(super::access::store::split_request(record.request?).1?);
        let rule = self.rules.iter().find(|r| r.what == What::Path && r.glob.fits(path))?;
        Some(&rule.name)
    }
}

/// The path of a request target: without scheme and host, without query.
fn path_of(uri: &[u8]) -> &[u8] {
    let uri = uri
        .strip_prefix(b"http://")
        .or_else(|| uri.strip_prefix(b"https://"))
        .map_or(uri, |rest| rest.iter().position(|b| *b == b'/').map_or(b"/".as_slice(), |i| &rest[i..]));
    &uri[..uri.iter().position(|b| matches!(b, b'?' | b'#')).unwrap_or(uri.len())]
}

/// A pattern in which `*` stands for any bytes.
#[derive(Debug)]
struct Glob {
    /// What stands between the stars.
    parts: Vec<Box<[u8]>>,
}

impl Glob {
    fn new(text: &str) -> Self {
        Self { parts: text.split('*').map(|p| p.as_bytes().into()).collect() }
    }

    /// The longest run of bytes that stands in every line in which this fits, whatever the format escapes.
    fn word(&self) -> Option<&[u8]> {
        let plain = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        let runs = self.parts.iter().flat_map(|part| part.split(move |b| !plain(b)));
        runs.max_by_key(|run| run.len()).filter(|run| run.len() > 1)
    }

    /// Whether it describes the whole of `text`. The first place of each part is enough, so this takes no more than
    /// one look along the text.
    fn fits(&self, text: &[u8]) -> bool {
        let [first, rest @ ..] = self.parts.as_slice() else { return false };
        let Some(mut text) = text.strip_prefix(&**first) else { return false };
        let Some((last, middle)) = rest.split_last() else { return text.is_empty() };
        for part in middle {
            let Some(at) = memmem::find(text, part) else { return false };
            text = &text[at + part.len()..];
        }
        text.ends_with(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(paths: &[&str], agents: &[&str]) -> Exclude {
        let owned = |v: &[&str]| v.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>();
        Exclude::new(&owned(paths), &owned(agents)).unwrap()
    }

    #[test]
    fn a_star_stands_for_any_bytes_and_nothing_else_is_special() {
        for (glob, yes, no) in [
            ("/healthz", vec!["/healthz"], vec!["/healthz/", "/healthzz", "/a/healthz", "", "/Healthz"]),
            ("/status/*", vec!["/status/", "/status/a/b"], vec!["/status", "/statusx"]),
            ("*.ico", vec!["/favicon.ico", ".ico"], vec!["/favicon.ico2", "ico"]),
            ("/a*b*c", vec!["/abc", "/a--b--c", "/abcbc"], vec!["/ac", "/acb", "/abcd"]),
            ("/a*a", vec!["/aa", "/aba"], vec!["/a"]),
            ("/[x]", vec!["/[x]"], vec!["/x"]),
        ] {
            for text in yes {
                assert!(Glob::new(glob).fits(text.as_bytes()), "{glob} {text}");
            }
            for text in no {
                assert!(!Glob::new(glob).fits(text.as_bytes()), "{glob} {text}");
            }
        }
    }

    #[test]
    fn paths_are_compared_without_query_scheme_and_host() {
        let exclude = names(&["/healthz", "/"], &["kube-probe/*"]);
        let of = |uri: &str, agent: &str| {
            let record = AccessRecord {
                uri: Some(uri.as_bytes()),
                user_agent: Some(agent.as_bytes()),
                ..AccessRecord::default()
            };
            exclude.of_request(&record).map(str::to_owned)
        };
        assert_eq!(of("/healthz?full=1", "curl").as_deref(), Some("/healthz"));
        assert_eq!(of("http://a.example/healthz", "curl").as_deref(), Some("/healthz"));
        assert_eq!(of("http://a.example", "curl").as_deref(), Some("/"));
        assert_eq!(of("/cart", "kube-probe/1.29").as_deref(), Some("user agent kube-probe/*"));
        assert_eq!(of("/cart", "Mozilla/5.0 kube-probe/1.29"), None);
    }

    #[test]
    fn a_record_is_known_by_its_request() {
        let exclude = names(&["/healthz"], &["x/*"]);
        let record = |request: &str| {
            format!(
                "2026/03/01 10:00:00 [error] 7#7: *1 connect() failed (111: Connection refused) while connecting \
                 to upstream, client: 192.0.2.1, server: a, request: \"{request}\", upstream: \"http://10.0.0.1/\""
            )
        };
        assert_eq!(exclude.of_error(record("GET /healthz HTTP/1.1").as_bytes()), Some("/healthz"));
        assert_eq!(exclude.of_error(record("GET /healthz2 HTTP/1.1").as_bytes()), None);
        assert_eq!(exclude.of_error(b"2026/03/01 10:00:00 [error] 7#7: *1 open() \"/healthz\" failed"), None);
        assert_eq!(names(&[], &["x/*"]).of_error(record("GET /healthz HTTP/1.1").as_bytes()), None);
    }

    #[test]
    fn what_would_leave_nothing_is_refused() {
        for bad in ["", "*", "/*", "healthz", "/a?b", "/\u{1b}"] {
            assert!(Exclude::new(&[bad.to_owned()], &[]).is_err(), "{bad}");
        }
        for bad in ["", "*"] {
            assert!(Exclude::new(&[], &[bad.to_owned()]).is_err(), "{bad}");
        }
        assert!(names(&[], &[]).is_empty());
    }

    #[test]
    fn the_quick_look_misses_nothing() {
        let strategy = ("[/a-c*.\"\\\\]{0,8}", "[/a-c.]{0,12}");
        proptest::proptest!(|((glob, text) in strategy)| {
            let glob = Glob::new(&glob);
            if let Some(word) = glob.word().filter(|_| glob.fits(text.as_bytes())) {
                proptest::prop_assert!(memmem::find(text.as_bytes(), word).is_some());
            }
        });
    }
}
