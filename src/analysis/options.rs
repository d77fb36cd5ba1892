//! What to read and how, and who hears how far the work is.

use crate::time::{Second, Window};
use std::path::PathBuf;

/// The zone in which the stamps of error logs are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErrorZoneChoice {
    /// Minutes east of UTC.
    Fixed(i16),
    /// A name of the zone database, like `America/Bogota`.
    Named(String),
}

/// What to read, and how.
#[expect(clippy::struct_excessive_bools, reason = "switches that have nothing to do with one another")]
#[derive(Debug, Clone)]
pub struct Options {
    /// Files, folders, or `-`.
    pub paths: Vec<PathBuf>,
    /// The window asked for; see [`Options::window_in`].
    pub window: Window,
    /// `window.start` is civil time, to be read in the zone that is shown.
    pub civil_start: bool,
    /// `window.end` is civil time, to be read in the zone that is shown.
    pub civil_end: bool,
    /// Minutes east of UTC of the zone that is shown; `None`: the log's own.
    pub zone: Option<i16>,
    /// The zone of error logs, when the user knows it.
    pub error_zone: Option<ErrorZoneChoice>,
    /// Names of formats, or `log_format` texts.
    pub log_formats: Vec<String>,
    /// An nginx configuration to learn formats from.
    pub nginx_conf: Option<PathBuf>,
    /// Where the name of the host stands.
    pub host_from: Option<String>,
    /// Paths of requests that shall not count, as [`crate::format::Exclude`] reads them.
    pub exclude: Vec<String>,
    /// User agents of requests that shall not count.
    pub exclude_agent: Vec<String>,
    /// Folders of pattern files.
    pub patterns: Vec<PathBuf>,
    /// Threads; 0 takes all cores.
    pub threads: usize,
    /// Whether to hash the files.
    pub digest: bool,
    /// Whether to hide clients and query strings.
    pub redact: bool,
    /// Whether to keep what can be read only once (standard input, pipes) in a temporary file, to read it as files are:
    /// again where a verdict hangs on single requests. [`lines`] does so always.
    pub keep_streams: bool,
    /// Bytes a chunk, for tests.
    pub chunk_bytes: Option<usize>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            paths: Vec::new(),
            window: Window::ALL,
            civil_start: false,
            civil_end: false,
            zone: None,
            error_zone: None,
            log_formats: Vec::new(),
            nginx_conf: None,
            host_from: None,
            exclude: Vec::new(),
            exclude_agent: Vec::new(),
            patterns: Vec::new(),
            threads: 0,
            digest: false,
            redact: false,
            keep_streams: false,
            chunk_bytes: None,
        }
    }
}

impl Options {
    /// The window in UTC, once the zone that is shown is known: a user who types `18:00` means the log's clock.
    pub fn window_in(&self, zone: i16) -> Window {
        let shift = |second: Second, civil: bool| {
            if civil { second.saturating_sub(i64::from(zone) * 60) } else { second }
        };
        Window {
            start: shift(self.window.start, self.civil_start),
            end: shift(self.window.end, self.civil_end),
        }
    }
}

/// Hears how far the work is.
pub trait Progress: Sync {
    /// Bytes there are.
    fn total(&self, bytes: u64);
    /// Bytes done since the last call.
    fn advance(&self, bytes: u64);
    /// What is done now.
    fn stage(&self, what: &str);
}

/// Nobody asks how far the work is.
impl Progress for () {
    fn total(&self, _: u64) {}
    fn advance(&self, _: u64) {}
    fn stage(&self, _: &str) {}
}
