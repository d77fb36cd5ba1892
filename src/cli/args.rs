//! What several commands take alike: what to read, where the output goes, and in which form.

#![expect(clippy::doc_markdown, reason = "these comments are the help text, where back-ticks would show")]

use super::{resolve, when};
use clap::{Args, ValueEnum, ValueHint};
use std::path::PathBuf;

/// What to read, and how.
#[derive(Debug, Default, Args)]
pub(crate) struct InputArgs {
    /// Log files, folders of them, or - for standard input [default: /var/log/nginx]
    ///
    /// Access and error logs are told apart by what is in them, not by their names. gzip, zstd, bzip2 and xz are
    /// unpacked; lines wrapped by Docker, CRI, syslog or journald are unwrapped.
    #[arg(value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub(crate) paths: Vec<PathBuf>,
    /// Nothing before this time, like '2020-04-25 18:00' or '2h ago'
    #[arg(long, value_name = "TIME", help_heading = "Input")]
    pub(crate) since: Option<String>,
    /// Nothing from this time on; a day means until its end
    #[arg(long, value_name = "TIME", help_heading = "Input")]
    pub(crate) until: Option<String>,
    /// Zone of the times shown and typed, like -05:00, utc or local [default: the log's own]
    #[arg(long, value_name = "ZONE", value_parser = when::parse_shown_zone, allow_hyphen_values = true)]
    #[arg(help_heading = "Input")]
    pub(crate) tz: Option<i16>,
    /// Zone of the error logs, like -05:00 or America/Bogota [default: found by comparing]
    ///
    /// nginx writes no zone into its error log. It is found by laying error and access log side by side; say it
    /// here where that fails.
    #[arg(long, value_name = "ZONE", value_parser = resolve::parse_error_zone, allow_hyphen_values = true)]
    #[arg(help_heading = "Input")]
    pub(crate) error_tz: Option<downtime::analysis::ErrorZoneChoice>,
    /// Format of the access logs: a name or the text of log_format; may be repeated [default: learnt]
    #[arg(long, value_name = "FORMAT", help_heading = "Input")]
    pub(crate) log_format: Vec<String>,
    /// Read log_format, access_log and error_log from this nginx configuration
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Input")]
    pub(crate) nginx_conf: Option<PathBuf>,
    /// Where the name of the host stands, for logs of several hosts
    #[arg(long, value_name = "WHERE", help_heading = "Input")]
    pub(crate) host_from: Option<String>,
    /// Requests to this path do not count, like /healthz or '/status/*'; may be repeated
    ///
    /// For probes of load balancers and orchestrators. * stands for any bytes; the query takes no part. Records of the
    /// error log that name such a request do not count either. The report says how many there were.
    #[arg(long, value_name = "PATH", help_heading = "Input")]
    pub(crate) exclude: Vec<String>,
    /// Requests of this user agent do not count, like 'kube-probe/*'; may be repeated
    #[arg(long, value_name = "AGENT", help_heading = "Input")]
    pub(crate) exclude_agent: Vec<String>,
    /// Folder of own patterns for error messages; may be repeated
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "Input")]
    pub(crate) patterns: Vec<PathBuf>,
    /// Threads to use; 0 takes all cores
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true, help_heading = "Input")]
    #[arg(value_parser = clap::value_parser!(u16).range(0..=1024))]
    pub(crate) threads: u16,
    /// Bytes a chunk, to test that it makes no difference
    #[arg(long, value_name = "N", hide = true, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) chunk_bytes: Option<u64>,
}

/// Where the output goes, and how it looks there.
#[derive(Debug, Args)]
pub(crate) struct OutputArgs {
    /// Write to a file instead of standard output; it appears whole or not at all
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Output")]
    pub(crate) output: Option<PathBuf>,
    /// Colours in text
    ///
    /// auto means on a terminal, unless NO_COLOR is set or TERM is dumb.
    #[arg(long, value_name = "WHEN", value_enum, default_value = "auto", help_heading = "Output")]
    pub(crate) color: Choice,
    /// Progress on standard error
    ///
    /// auto means on a terminal, when the work takes longer than half a second.
    #[arg(long, value_name = "WHEN", value_enum, default_value = "auto", help_heading = "Output")]
    pub(crate) progress: Choice,
}

/// Whether to do what suits a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Choice {
    Auto,
    Always,
    Never,
}

/// Forms of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// For people
    Text,
    /// One document, for programs
    Json,
    /// One object a line and incident
    Ndjson,
    /// The draft of a postmortem
    Markdown,
    /// One page for a browser, without scripts or network
    Html,
    /// One row an incident, for spreadsheets
    Csv,
    /// One line an incident
    Brief,
}

/// Forms of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SeriesFormat {
    /// Bars, for people
    Text,
    /// One document, for programs
    Json,
    /// One row a step, for spreadsheets
    Csv,
}

/// Forms of what is told record by record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RecordFormat {
    /// For people
    Text,
    /// One object a line, for programs
    Json,
}

/// Forms of the list of formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FormatsFormat {
    /// For people
    Text,
    /// One document, for programs
    Json,
}

/// Forms of a verification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum VerifyFormat {
    /// For people
    Text,
    /// One document, for programs
    Json,
    /// A page to put beside the notes
    Markdown,
}
