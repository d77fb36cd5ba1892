//! Holds a written timeline or postmortem against the logs.
//!
//! A claim is a kind (began, ended, restarted, so many failed ...), a time or a value with the precision it was
//! written in, and a place in the notes. Each gets a verdict with the line of the log that gives it; the notes are
//! also held against themselves. All of it is pure: notes as text and a [`Report`] in, a [`Verification`] out.
//!
//! | file | what it does |
//! |---|---|
//! | `times`, `lengths`, `zones` | find dates, times of day, lengths of time and zones in a text |
//! | `blocks` | parts of the notes: headings, entries, paragraphs, each with its lines |
//! | `clauses` | sentences, clauses, and which of them belong to a time |
//! | `context` | which day and zone a time means, and how wide it is |
//! | `words`, `values` | what a clause claims: its kind, its numbers |
//! | `notes` | all claims of the notes |
//! | `facts` | what the report says |
//! | `judge`, `edges`, `numbers` | each claim held against it |
//! | `consistency` | the notes held against themselves |
//! | `explain` | zone, daylight time, am and pm, day and month: whether one of them makes the claims fit |
//! | `noticed` | a report told when people noticed, for its detection gap |
//!
//! Rules that hold everywhere: a claim is right within the unit it was written in; where the logs do not cover its
//! time it is undecidable; what only people know (when somebody noticed, met, tested) is undecidable, except that
//! an order which cannot be is said.

mod blocks;
mod clauses;
mod consistency;
mod context;
mod edges;
mod explain;
mod facts;
mod judge;
mod lengths;
mod notes;
mod noticed;
mod numbers;
mod times;
mod values;
mod words;
mod zones;

pub use noticed::tell;

use crate::report::{Evidence, Report, Severity};
use crate::time::Millis;

/// Longer notes are read to here: no postmortem is longer, and the work stays small whatever the file is.
pub const LONGEST: usize = 1 << 18;
/// Claims beyond these are not read either.
pub const MOST_CLAIMS: usize = 2000;

/// A pattern that is a constant of this module's code; every test compiles them all.
fn regex(pattern: &str) -> regex::Regex {
    regex::Regex::new(pattern).unwrap_or_else(|e| unreachable!("{pattern}: {e}"))
}

/// What a claim is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The incident began.
    Start,
    /// The incident ended.
    End,
    /// It was failing at this time, whenever it began.
    Failing,
    /// An incident happened on this day.
    Occurred,
    /// Somebody or something noticed.
    Detected,
    /// Somebody said that it was over.
    Declared,
    /// A start or restart.
    Restart,
    /// A stop.
    Stop,
    /// A reload.
    Reload,
    /// A change of configuration.
    Change,
    /// A change was taken back.
    Rollback,
    /// Something was deployed.
    Deploy,
    /// What people did: looked, tested, met, restored a backup.
    Action,
    /// A time whose words are of no known kind.
    Other,
    /// A share of the requests failed.
    Share,
    /// So many requests failed.
    Count,
    /// So many clients or users met it.
    Clients,
    /// Requests were answered with this status.
    Status,
    /// The incident lasted so long.
    Duration,
    /// It took so long until it was noticed.
    TimeToDetect,
    /// It took so long until it was repaired.
    TimeToRepair,
}

impl Kind {
    /// The word in every output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::End => "end",
            Self::Failing => "failing",
            Self::Occurred => "occurred",
            Self::Detected => "detected",
            Self::Declared => "declared",
            Self::Restart => "restart",
            Self::Stop => "stop",
            Self::Reload => "reload",
            Self::Change => "change",
            Self::Rollback => "rollback",
            Self::Deploy => "deploy",
            Self::Action => "action",
            Self::Other => "other",
            Self::Share => "share",
            Self::Count => "count",
            Self::Clients => "clients",
            Self::Status => "status",
            Self::Duration => "duration",
            Self::TimeToDetect => "time_to_detect",
            Self::TimeToRepair => "time_to_repair",
        }
    }
}

/// How a beginning or an end showed itself, by the words of the claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sight {
    /// Not said.
    Any,
    /// As errors.
    Errors,
    /// As requests that stayed away.
    Silence,
}

/// Where the day or the zone of a time was taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Basis {
    /// It stands beside the time.
    Written,
    /// It stands elsewhere in the notes.
    Notes,
    /// The notes do not say; it is that of the logs.
    Logs,
}

impl Basis {
    /// The word in every output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Written => "written",
            Self::Notes => "notes",
            Self::Logs => "logs",
        }
    }
}

/// A time as it was claimed, placed on the clock.
#[derive(Debug, Clone, PartialEq)]
pub struct Moment {
    /// The instant as written.
    pub at: Millis,
    /// The claim is right from here ...
    pub from: Millis,
    /// ... to before here.
    pub to: Millis,
    /// Minutes east of UTC it was read in.
    pub offset: i16,
    /// Where the day is from.
    pub day_from: Basis,
    /// Where the zone is from.
    pub zone_from: Basis,
    /// Why it is wider than the unit it was written in.
    pub wider: Option<String>,
    /// The time as written.
    pub written: String,
    /// By how much it moves when day and month of its date change places.
    pub(crate) swap: Option<Millis>,
}

impl Moment {
    /// The same claim at another time.
    #[must_use]
    fn moved(&self, by: Millis) -> Self {
        Self { at: self.at + by, from: self.from + by, to: self.to + by, ..self.clone() }
    }

    /// Whether two claims can mean one instant.
    fn meets(&self, other: &Self) -> bool {
        self.from < other.to && other.from < self.to
    }
}

/// A number that is claimed, and how far off it may be.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// None: the claim is about a time.
    None,
    /// A share, 0 to 1, right within `slack`.
    Share {
        /// The share.
        share: f64,
        /// Either way.
        slack: f64,
    },
    /// A number of requests, right within `slack`.
    Count {
        /// The number.
        count: u64,
        /// Either way.
        slack: u64,
        /// Of one status only.
        status: Option<u16>,
    },
    /// A number of clients, right within `slack`.
    Clients {
        /// The number.
        count: u64,
        /// Either way.
        slack: u64,
        /// It counts people (users, customers) and not addresses.
        people: bool,
    },
    /// A status, or with `class` all that begin with its digit.
    Status {
        /// Like 502.
        status: u16,
        /// Whether `5xx` was written.
        class: bool,
    },
    /// A length of time in milliseconds, right within `slack`.
    Length {
        /// The length.
        millis: Millis,
        /// Either way.
        slack: Millis,
    },
}

/// One thing the notes say.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// About what.
    pub kind: Kind,
    /// How it showed itself.
    pub sight: Sight,
    /// When, for claims of a time.
    pub moment: Option<Moment>,
    /// How much, for claims of a number.
    pub value: Value,
    /// 1-based line of the notes.
    pub line: usize,
    /// The heading it stands under; empty before the first.
    pub section: String,
    /// The words, without markup.
    pub text: String,
    /// Whether it names nginx, another program, or neither.
    pub(crate) nginx: Option<bool>,
    /// Whether the act is said to have succeeded.
    pub(crate) succeeded: bool,
    /// Whether its time stands at the head of an entry of a list.
    pub(crate) leads: bool,
}

/// What the logs say to a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// The logs say the same.
    Confirmed,
    /// The logs say otherwise.
    Contradicted,
    /// The logs cannot say.
    Undecidable,
}

impl Verdict {
    /// The word in every output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Contradicted => "contradicted",
            Self::Undecidable => "undecidable",
        }
    }
}

/// A verdict, and what it rests on.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// Why, in one sentence.
    pub reason: String,
    /// The claimed time or length less the logs', in milliseconds, where both are known.
    pub difference: Option<Millis>,
    /// The line of the log that says so.
    pub evidence: Option<Evidence>,
    /// The incident the claim was held against.
    pub incident: Option<String>,
}

/// A claim with its verdict.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// What the notes say.
    pub claim: Claim,
    /// What the logs say to it.
    pub judgement: Judgement,
    /// What would make it fit.
    pub hint: Option<String>,
}

/// Where the notes do not agree with themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contradiction {
    /// A short kebab-case word for the kind.
    pub kind: &'static str,
    /// One sentence.
    pub what: String,
    /// 1-based lines of the notes that are at odds.
    pub lines: Vec<usize>,
}

/// One mistake that would explain the times of the notes, or of one section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// One sentence.
    pub what: String,
    /// The section it is about; `None` for the whole of the notes.
    pub section: Option<String>,
    /// What is to be added to the times as written, in milliseconds; `None` where it differs by claim.
    pub add: Option<Millis>,
    /// Claims that fit with it.
    pub fit: usize,
    /// Claims that could fit.
    pub of: usize,
}

/// How long it took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spans {
    /// From the start until it was noticed, in milliseconds. Negative where the order cannot be.
    pub detect: Option<Millis>,
    /// From the start to the end, in milliseconds.
    pub repair: Option<Millis>,
}

/// An incident of the logs in short.
#[derive(Debug, Clone, PartialEq)]
pub struct InLogs {
    /// Its name in the report.
    pub id: String,
    /// How bad.
    pub severity: Severity,
    /// First failure.
    pub start: Millis,
    /// End; `None` while it goes on.
    pub end: Option<Millis>,
}

/// What became of the notes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Verification {
    /// Minutes east of UTC of the zone in which times are shown.
    pub zone: i16,
    /// First and last instant of the logs.
    pub span: Option<(Millis, Millis)>,
    /// Every claim, in the order of the notes.
    pub claims: Vec<Judged>,
    /// The notes against themselves.
    pub contradictions: Vec<Contradiction>,
    /// What would make claims fit that do not.
    pub explanations: Vec<Explanation>,
    /// The incidents of the logs.
    pub incidents: Vec<InLogs>,
    /// The id of the incident the notes are about, as far as can be told.
    pub subject: Option<String>,
    /// How long it took by the logs; noticing is the notes' claim.
    pub by_logs: Spans,
    /// How long it took by the notes alone.
    pub by_notes: Spans,
    /// Doubts about the reading: the day was taken from the logs, the notes were cut.
    pub remarks: Vec<String>,
}

impl Verification {
    /// Claims with this verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.claims.iter().filter(|c| c.judgement.verdict == verdict).count()
    }

    /// Whether the logs contradict a claim, or the notes themselves.
    pub fn is_contradicted(&self) -> bool {
        self.count(Verdict::Contradicted) > 0 || !self.contradictions.is_empty()
    }
}

/// Holds `notes` against `report`.
pub fn verify(notes: &str, report: &Report) -> Verification {
    let mut cut = notes.len().min(LONGEST);
    while !notes.is_char_boundary(cut) {
        cut -= 1;
    }
    let facts = facts::Facts::of(report);
    let read = notes::read(&notes[..cut], &facts);
    let mut remarks = read.remarks;
    if cut < notes.len() {
        remarks.push(format!("the notes are longer than {LONGEST} bytes; what comes later was not read"));
    }
    let contradictions = consistency::check(&read.claims, &read.weekdays, &read.spans);
    let court = judge::Court::new(&facts, &read.claims);
    let explanations = explain::explain(&read.claims, &court);
    let (by_logs, by_notes) = court.spans(&read.claims);
    let judged = |claim: Claim| {
        let judgement = court.judge(&claim);
        let hint = explain::hint(&claim, &judgement, &explanations, &court);
        Judged { claim, judgement, hint }
    };
    let claims = read.claims.into_iter().map(judged);
    Verification {
        zone: report.zone,
        span: report.span,
        claims: claims.collect(),
        contradictions,
        explanations,
        incidents: facts.in_short(),
        subject: court.subject.ok().map(|i| i.id.clone()),
        by_logs,
        by_notes,
        remarks,
    }
}
