//! One line, read: borrowed from the bytes of the log, nothing decoded that nobody asked for.

use crate::time::{Second, Stamp};

/// One access-log line. Values stand as the log wrote them, escapes included; a value the format does not carry,
/// or that the log gave as `-` or empty, is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AccessRecord<'a> {
    /// When the line was written, which is when the request ended.
    pub time: Option<Stamp>,
    /// `$status`: 0 (`000`, none was set) to 999; 9 is the `009` of an upstream without an HTTP header.
    pub status: Option<u16>,
    /// `$remote_addr`, or its like in a JSON format.
    pub client: Option<&'a [u8]>,
    /// A forwarded-for list.
    pub forwarded: Option<&'a [u8]>,
    /// `$request`, the whole request line; may be empty.
    pub request: Option<&'a [u8]>,
    /// `$request_method`, or the first word of `$request`.
    pub method: Option<&'a [u8]>,
    /// `$request_uri` or `$uri`, or the second word of `$request`.
    pub uri: Option<&'a [u8]>,
    /// `$host`, `$http_host` or `$server_name`.
    pub vhost: Option<&'a [u8]>,
    /// `$request_time` in milliseconds.
    pub request_time: Option<u32>,
    /// `$upstream_addr`: a list, `, ` between tries and ` : ` between groups.
    pub upstream_addr: Option<&'a [u8]>,
    /// `$upstream_status`: a list of the same shape.
    pub upstream_status: Option<&'a [u8]>,
    /// `$upstream_response_time`: a list of the same shape.
    pub upstream_response_time: Option<&'a [u8]>,
    /// `$upstream_connect_time`: a list of the same shape.
    pub upstream_connect_time: Option<&'a [u8]>,
    /// `$upstream_header_time`: a list of the same shape.
    pub upstream_header_time: Option<&'a [u8]>,
    /// The name of the upstream group (`$proxy_upstream_name`, `$proxy_host`).
    pub upstream_name: Option<&'a [u8]>,
    /// `$body_bytes_sent` or `$bytes_sent`.
    pub bytes_sent: Option<u64>,
    /// `$http_user_agent`.
    pub user_agent: Option<&'a [u8]>,
    /// `$http_referer`.
    pub referer: Option<&'a [u8]>,
    /// `$connection`: the `*N` of the error log.
    pub connection: Option<u64>,
    /// `$request_id`.
    pub request_id: Option<&'a [u8]>,
}

/// Severity of an error-log record, RFC 5424 order: smaller is worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Written to standard error without a level, before any log is open or by a command (`NGX_LOG_STDERR`).
    Stderr,
    /// The system is unusable: nginx cannot start or reload.
    Emerg,
    /// Action is needed at once.
    Alert,
    /// A serious condition.
    Crit,
    /// A request or an operation failed.
    Error,
    /// Something looks wrong.
    Warn,
    /// Normal but significant: start, reload, stop.
    Notice,
    /// For information.
    Info,
    /// For developers.
    Debug,
}

impl Level {
    /// The level by its name in the log.
    pub fn from_name(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"emerg" => Self::Emerg,
            b"alert" => Self::Alert,
            b"crit" => Self::Crit,
            b"error" => Self::Error,
            b"warn" => Self::Warn,
            b"notice" => Self::Notice,
            b"info" => Self::Info,
            b"debug" => Self::Debug,
            _ => return None,
        })
    }

    /// The name in the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stderr => "stderr",
            Self::Emerg => "emerg",
            Self::Alert => "alert",
            Self::Crit => "crit",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Notice => "notice",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}

/// One error-log record, which may span several physical lines (`ngx_log.c`). Everything but the frame is optional;
/// values are raw: nginx escapes nothing here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorRecord<'a> {
    /// Local time of the server as if it were UTC, for the plain form has no zone; true UTC where `utc` says so.
    pub time: Second,
    /// Whether `time` is UTC already (Angie's JSON form).
    pub utc: bool,
    /// Severity.
    pub level: Level,
    /// Process.
    pub pid: u32,
    /// Thread.
    pub tid: u64,
    /// Connection serial number, `*N`.
    pub connection: Option<u64>,
    /// The message without errno and context.
    pub message: &'a [u8],
    /// The errno's number.
    pub errno: Option<u32>,
    /// What nginx was doing: the words after ` while `; without them the phase of a script (`ngx.timer`).
    pub action: Option<&'a [u8]>,
    /// `client:`.
    pub client: Option<&'a [u8]>,
    /// `server:`.
    pub server: Option<&'a [u8]>,
    /// `request:` without its quotes.
    pub request: Option<&'a [u8]>,
    /// `subrequest:` without its quotes.
    pub subrequest: Option<&'a [u8]>,
    /// `upstream:` without its quotes.
    pub upstream: Option<&'a [u8]>,
    /// `host:` without its quotes.
    pub host: Option<&'a [u8]>,
    /// `referrer:` without its quotes.
    pub referrer: Option<&'a [u8]>,
    /// `in FILE:LINE` of a configuration message: the file.
    pub config_file: Option<&'a [u8]>,
    /// `in FILE:LINE` of a configuration message: the line.
    pub config_line: Option<u32>,
    /// Whether the record fills nginx's 2,048 bytes, so that its end is missing.
    pub cut: bool,
}
