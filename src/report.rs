//! The Report: everything that any renderer prints, and nothing that has to be computed first.
//!
//! The field names are the JSON contract `downtime.report/1`; its schema is `src/render/report.schema.json`.
//! Times are UTC milliseconds here and become RFC 3339 in the report's zone when they are written.

mod context;
mod incident;

pub use context::{
    Context, HostPart, HostSummary, Joint, MadeOf, Notice, Noticed, Place, PlaceKind, Skew, Stretch,
    StretchKind,
};
pub use incident::{Cause, ErrorBudget, Event, Impact, Incident, Objective, Phase, Scope, Severity, Trigger};

use crate::time::Millis;
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeSet;
use std::sync::Mutex;

/// A word of ours: a constant of this program.
pub type Word = &'static str;

/// What one run found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Report {
    /// First and last instant of all inputs.
    pub span: Option<(Millis, Millis)>,
    /// Minutes east of UTC of the zone in which times are shown.
    pub zone: i16,
    /// The files, in the order of their times.
    pub inputs: Vec<Input>,
    /// The incidents, in the order of their starts.
    pub incidents: Vec<Incident>,
    /// What is worth saying and no incident.
    pub findings: Vec<Finding>,
    /// Which stretches of time the files can speak for.
    pub coverage: Vec<Coverage>,
    /// What was not counted, and why.
    pub not_counted: Vec<NotCounted>,
    /// Lines and requests over all inputs.
    pub totals: Totals,
    /// Counts over the whole span, to draw.
    pub chart: Option<Chart>,
    /// What was asked for.
    pub options: Asked,
    /// How available the service was; `None` without requests.
    pub availability: Option<Availability>,
    /// The hosts, where several are told apart.
    pub hosts: Vec<HostSummary>,
    /// What they say together; `None` of a single host.
    pub joint: Option<Joint>,
    /// What is new since the last run, where runs go on from each other; `None` where they do not.
    pub news: Option<Vec<News>>,
    /// The notes that were laid beside it, where some were given: a path.
    pub notes: Option<String>,
}

/// What was asked for, as far as it changes the report: with the same inputs and these, a report comes out the same.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Asked {
    /// The paths as they were given, sorted.
    pub paths: Vec<String>,
    /// Options by their long names, in the form in which they can be given again; times are resolved.
    #[serde(deserialize_with = "named")]
    pub options: Vec<(Word, String)>,
}

/// Counts over a stretch of time, in few enough steps to draw them; `inspect/chart.rs` says how many.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Chart {
    /// Where the first step begins.
    pub start: Millis,
    /// Seconds a step.
    pub step_seconds: u32,
    /// Requests by step.
    pub requests: Vec<u64>,
    /// Failed requests by step, at their arrival where the log tells it, so that a step may have more of them than
    /// requests.
    pub failed: Vec<u64>,
    /// Error-log records by step.
    pub error_records: Vec<u64>,
}

impl Chart {
    /// Steps.
    pub fn len(&self) -> usize {
        self.requests.len()
    }

    /// Whether there is nothing to draw.
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    /// Where the last step ends.
    pub fn end(&self) -> Millis {
        self.start.saturating_add(self.len() as i64 * i64::from(self.step_seconds) * 1000)
    }
}

/// How available the service was, over the time that files speak for (host by host, where several are told apart).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Availability {
    /// Share of requests that did not fail, those that are missing in proven outages counted as failed; 0 to 1.
    pub requests: f64,
    /// Share of the covered time outside outages and degradations that clients saw; 0 to 1.
    pub time: f64,
    /// Seconds that files speak for.
    pub covered_seconds: f64,
    /// Seconds of these in outages and degradations that clients saw.
    pub bad_seconds: f64,
    /// Seconds of these that are silent without proof: neither up nor down.
    pub unknown_seconds: f64,
}

/// What is new about an incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// Its id.
    pub id: String,
    /// What is new.
    pub kind: NewsKind,
}

/// What can be new about an incident. Each is told once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NewsKind {
    /// It was not known, and no end of it is sure.
    New,
    /// It was not known, and is over.
    NewAndOver,
    /// It was told to be over and came back; or it was told an hour ago and goes on, where that was asked for.
    Continues,
    /// It is over.
    Ended,
    /// It was told, and with more of the log it does not stand out any more.
    Withdrawn,
}

impl NewsKind {
    /// The words in every output.
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::NewAndOver => "new and over",
            Self::Continues => "continues",
            Self::Ended => "ended",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// Sums over all inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Totals {
    /// Lines (error records count once however many lines they span).
    pub lines: u64,
    /// Bytes of text, unpacked.
    pub bytes: u64,
    /// Access-log lines counted as requests.
    pub requests: u64,
    /// Requests that failed.
    pub failed: u64,
    /// Error-log records.
    pub error_records: u64,
}

/// One file as it was read.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Input {
    /// The path as the user gave or would give it.
    pub path: String,
    /// `access` or `error`.
    #[serde(deserialize_with = "word")]
    pub kind: Word,
    /// The name of the format, or its `log_format` text.
    pub format: String,
    /// How sure the format is, 0 to 1.
    pub confidence: f64,
    /// Bytes of text, unpacked.
    pub bytes: u64,
    /// Lines.
    pub lines: u64,
    /// Lines that no format fitted.
    pub unparsed: u64,
    /// First instant in the file.
    pub first: Option<Millis>,
    /// Last instant in the file.
    pub last: Option<Millis>,
    /// SHA-256 of the file as it lies on disk, when asked.
    pub digest: Option<String>,
    /// The host it came from, where several are told apart.
    pub host: Option<String>,
    /// For error logs: the zone their stamps were read in.
    pub error_zone: Option<ErrorZone>,
    /// Doubts about this file: damaged, cut while it was read, growing.
    pub notes: Vec<String>,
}

/// The zone of a zone-less log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorZone {
    /// Minutes east of UTC (of the first record, when it changes on the way).
    pub offset: i16,
    /// How it was found.
    pub how: String,
}

/// A line and its place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Evidence {
    /// The file.
    pub path: String,
    /// 1-based line.
    pub line: u64,
    /// Offset of the line's first byte in the (unpacked) file.
    pub byte: u64,
    /// The line as it stands in the log; bytes that are not UTF-8 are replaced.
    pub text: String,
}

/// The kind of the finding that nginx was told to stop, and that the logs end there.
pub const STOPPED_AT_END: &str = "stopped-at-end";

/// Worth saying, and no incident.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// A short kebab-case word for the kind.
    #[serde(deserialize_with = "word")]
    pub kind: Word,
    /// When, or from when.
    pub time: Millis,
    /// Until when, for a stretch.
    pub end: Option<Millis>,
    /// One sentence.
    pub summary: String,
    /// The quoted lines.
    pub evidence: Vec<Evidence>,
}

/// What the files can say about a stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CoverageState {
    /// Files speak for it.
    Covered,
    /// A file that should speak for it is not there.
    Missing,
    /// It cannot be told.
    Unknown,
}

impl CoverageState {
    /// The word in every output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Covered => "covered",
            Self::Missing => "missing",
            Self::Unknown => "unknown",
        }
    }
}

/// A stretch of time and whether files speak for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Coverage {
    /// From.
    pub start: Millis,
    /// To.
    pub end: Millis,
    /// What the files can say.
    pub state: CoverageState,
    /// Which host, where several are told apart.
    pub host: Option<String>,
    /// Why it is not covered.
    pub note: String,
}

/// Lines or files that took no part in the counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NotCounted {
    /// The file.
    pub path: String,
    /// Why: `unparsed`, `duplicate`, `outside the window`, `cut`, `unreadable`, `not an nginx log`, ...
    pub reason: String,
    /// Lines, where they were counted.
    pub lines: u64,
    /// Bytes.
    pub bytes: u64,
    /// One of them.
    pub example: Option<Evidence>,
}

/// Words of ours, such as kinds and confidences, come back from a file as the constants they are.
fn word<'de, D: Deserializer<'de>>(from: D) -> Result<&'static str, D::Error> {
    String::deserialize(from).and_then(kept)
}

fn named<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<(&'static str, String)>, D::Error> {
    let all = Vec::<(String, String)>::deserialize(from)?;
    all.into_iter().map(|(name, value)| Ok((kept(name)?, value))).collect()
}

/// A word that lives as long as the program; there are few of ours, and they are short.
fn kept<E: serde::de::Error>(word: String) -> Result<&'static str, E> {
    const LONGEST: usize = 40;
    const MOST: usize = 1000;
    static WORDS: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let ours =
        word.len() <= LONGEST && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_. ".contains(&b));
    let mut words = WORDS.lock().map_err(E::custom)?;
    if let Some(known) = words.get(word.as_str()) {
        return Ok(known);
    }
    if !ours || words.len() >= MOST {
        return Err(E::custom("no word of a report"));
    }
    let word: &'static str = Box::leak(word.into_boxed_str());
    words.insert(word);
    Ok(word)
}
