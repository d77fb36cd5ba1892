//! One rule of the catalogue: the shape of `patterns/*.toml`, and when a record fits it.

use crate::format::record::{ErrorRecord, Level};
use serde::{Deserialize, Serialize};
use std::sync::OnceLock;

/// Patterns of a priority below this go by words that any module can use. They are asked where all others declined, and
/// about the message in small letters.
const GENERAL: i32 = -40;

/// Whose fault it is, in the words of the taxonomy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Fault {
    /// The application behind nginx.
    Upstream,
    /// The one who asked.
    Client,
    /// nginx itself or a module.
    Nginx,
    /// Its configuration.
    #[serde(rename = "nginx config")]
    NginxConfig,
    /// Somebody did this on purpose.
    #[serde(rename = "operator action")]
    OperatorAction,
    /// Disk, memory, descriptors, ports.
    #[serde(rename = "host resources")]
    HostResources,
    /// What lies between.
    Network,
    /// Name resolution.
    Dns,
    /// Certificates and handshakes.
    Tls,
}

impl Fault {
    /// The word in every output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Upstream => "upstream",
            Self::Client => "client",
            Self::Nginx => "nginx",
            Self::NginxConfig => "nginx config",
            Self::OperatorAction => "operator action",
            Self::HostResources => "host resources",
            Self::Network => "network",
            Self::Dns => "dns",
            Self::Tls => "tls",
        }
    }
}

/// Whether a client sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Visible {
    /// It fails a request, unless another server of the group answered.
    Yes,
    /// It can.
    Maybe,
    /// It does not.
    No,
}

/// Which end of the proxy a record is about: the same words are used for both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The connection to the server behind nginx.
    Upstream,
    /// The connection to the client.
    Client,
}

/// Calls that fail when the other end refuses or tears a connection.
const TRANSFERS: [&[u8]; 5] =
    [b"connect() failed", b"recv() failed", b"send() failed", b"readv() failed", b"writev() failed"];

/// The side a record is about, by its level, then its action, then whether it names an upstream.
///
/// Only connections of clients are logged at info, whatever nginx was doing with the upstream meanwhile
/// (`ngx_connection_error`).
pub fn side(record: &ErrorRecord<'_>) -> Option<Side> {
    if record.level >= Level::Info && record.client.is_some() {
        return Some(Side::Client);
    }
    let has = |word: &[u8]| record.action.is_some_and(|a| memchr::memmem::find(a, word).is_some());
    if has(b"upstream") {
        return Some(Side::Upstream);
    }
    if has(b"client")
        || has(b"keepalive")
        || has(b"waiting for request")
        || has(b"SSL handshaking")
        || has(b"accepting")
    {
        return Some(Side::Client);
    }
    if record.level >= Level::Info {
        return None;
    }
    // nginx connects to servers only, also where no request stands behind it (`ngx_event_connect_peer`). What a client
    // tears is logged at info, so of a connection without context it is the other end.
    let connects = record.message.starts_with(b"connect() to ");
    let bare = record.level == Level::Error && record.client.is_none() && record.connection.is_some();
    let torn = bare && TRANSFERS.iter().any(|call| record.message.starts_with(call));
    (record.upstream.is_some() || connects || torn).then_some(Side::Upstream)
}

/// A line that must match.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Match {
    /// A whole line.
    pub line: String,
    /// Where it stands in its file; 0 in our own.
    #[serde(skip)]
    pub(super) at: usize,
}

/// A line that must not match.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reject {
    /// A whole line.
    pub line: String,
    /// What it is instead.
    pub why: String,
    /// Where it stands in its file; 0 in our own.
    #[serde(skip)]
    pub(super) at: usize,
}

/// One rule.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pattern {
    /// Unique name, kebab-case, never used again for something else.
    pub id: String,
    /// What happened, in a few words.
    pub title: String,
    /// A category of the taxonomy, such as `upstream.refused`.
    pub category: String,
    /// Whose fault it is.
    pub fault: Fault,
    /// Whether a client sees it.
    pub client_visible: Visible,
    /// What to look at.
    pub hint: String,
    /// The levels at which it is written; empty for any.
    #[serde(default)]
    pub levels: Vec<Level>,
    /// The message begins with one of them, when given.
    #[serde(default)]
    pub starts: Vec<String>,
    /// One of them stands in the message of every match.
    #[serde(default)]
    pub keywords: Vec<String>,
    /// None of them stands in the message of a match.
    #[serde(default)]
    pub without: Vec<String>,
    /// Must match within the message, when given.
    pub regex: Option<String>,
    /// The errno is one of these symbols, when given.
    #[serde(default)]
    pub errno: Vec<String>,
    /// The action starts with one of these, when given.
    #[serde(default)]
    pub actions: Vec<String>,
    /// The end of the proxy, when given.
    pub side: Option<Side>,
    /// Whether the message names a configuration file.
    pub place: Option<bool>,
    /// Whether the record belongs to a client's connection, when given.
    pub context: Option<bool>,
    /// The larger is asked first; 0 by default.
    #[serde(default)]
    pub priority: i32,
    /// Where it is documented.
    #[serde(default)]
    pub references: Vec<String>,
    /// `false` switches off the rule of that id.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Lines that must match.
    #[serde(default, rename = "match")]
    pub matches: Vec<Match>,
    /// Lines that must not.
    #[serde(default, rename = "reject")]
    pub rejects: Vec<Reject>,
    /// The file it comes from.
    #[serde(skip)]
    pub file: String,
    /// The line of its file on which it begins; 0 in our own.
    #[serde(skip)]
    pub(super) at: usize,
    #[serde(skip)]
    pub(super) compiled: OnceLock<Option<regex::bytes::Regex>>,
    /// The numbers of `errno` on Unix and in sockets of Windows.
    #[serde(skip)]
    pub(super) numbers: Vec<u32>,
    /// Those in other calls of Windows.
    #[serde(skip)]
    pub(super) windows: Vec<u32>,
}

fn yes() -> bool {
    true
}

impl Pattern {
    /// Whether it goes by words that any module can use, and is asked where all others declined.
    pub fn is_general(&self) -> bool {
        self.priority < GENERAL
    }

    /// Whether the record fits, a keyword being there.
    pub(super) fn fits(&self, record: &ErrorRecord<'_>) -> bool {
        let starts = |action: &[u8]| self.actions.iter().any(|a| action.starts_with(a.as_bytes()));
        (self.levels.is_empty() || self.levels.contains(&record.level))
            && (self.errno.is_empty() || record.errno.is_some_and(|e| self.means(e, record.message)))
            && (self.actions.is_empty() || record.action.is_some_and(starts))
            && self.place.is_none_or(|place| place == record.config_file.is_some())
            && self
                .context
                .is_none_or(|context| context == (record.connection.is_some() || record.client.is_some()))
            && (self.side.is_none() || self.side == side(record))
            && self.literals(record.message)
            && !self.without.iter().any(|w| memchr::memmem::find(record.message, w.as_bytes()).is_some())
            && (self.regex.is_none() || self.compiled().is_some_and(|r| r.is_match(record.message)))
    }

    /// Whether a number is one of the errnos: calls of Windows have numbers of their own.
    fn means(&self, errno: u32, message: &[u8]) -> bool {
        let numbers = if is_windows_call(message) && errno < 10_000 { &self.windows } else { &self.numbers };
        numbers.contains(&errno)
    }

    /// Whether the message has one of the beginnings and one of the keywords.
    fn literals(&self, message: &[u8]) -> bool {
        if self.starts.is_empty() {
            // It was found by its keyword.
            return true;
        }
        self.starts.iter().any(|s| message.starts_with(s.as_bytes()))
            && (self.keywords.is_empty()
                || self.keywords.iter().any(|k| memchr::memmem::find(message, k.as_bytes()).is_some()))
    }

    /// The regex, compiled when it is first asked: most runs ask few.
    fn compiled(&self) -> Option<&regex::bytes::Regex> {
        self.compiled.get_or_init(|| compile(self.regex.as_deref()?).ok()).as_ref()
    }
}

/// Whether the message begins with a call of Windows: `CreateFile()`, `WSARecv()`. Those of Unix begin small, and those
/// of the TLS library have an underscore.
fn is_windows_call(message: &[u8]) -> bool {
    let name = message.iter().take_while(|b| b.is_ascii_alphanumeric()).count();
    message.first().is_some_and(u8::is_ascii_uppercase) && message.get(name) == Some(&b'(')
}

/// Compiled size of one regex; a hostile or careless one is refused instead of filling memory.
const LARGEST_REGEX: usize = 256 * 1024;

/// Compiles the regex of a pattern: bytes, no Unicode classes.
pub(super) fn compile(regex: &str) -> Result<regex::bytes::Regex, regex::Error> {
    regex::bytes::RegexBuilder::new(regex).size_limit(LARGEST_REGEX).unicode(false).build()
}
