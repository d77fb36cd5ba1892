//! What an incident is compared with: the time around it, the places it could have struck, the hosts, the other
//! incidents, people's notes; and what several hosts say together.

use super::{Evidence, Severity, Word, word};
use crate::time::Millis;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What an incident is compared with.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Context {
    /// The same counts before, in the run-up, during and after, as far as the logs reach.
    pub stretches: Vec<Stretch>,
    /// What the comparison says of load, speed and single clients, a sentence each.
    pub remarks: Vec<String>,
    /// Virtual hosts, endpoints and upstream peers, each against its own traffic.
    pub places: Vec<Place>,
    /// What the places count as failed: `failed`, `slow`, `gone` or `given up`.
    #[serde(deserialize_with = "word")]
    pub counted: Word,
    /// The places were counted over some of the requests only, read at places spread evenly.
    pub sampled: bool,
    /// The hosts, where several are told apart.
    pub hosts: Vec<HostPart>,
    /// Earlier incidents with the same cause at the same places, by id.
    pub alike: Vec<String>,
    /// When people noticed, by notes that were given.
    pub noticed: Option<Noticed>,
    /// What it counts as bad beside failed requests: by this its lines are found. Not printed.
    pub made_of: MadeOf,
}

/// When people noticed an incident, by their own notes, against its start in the logs: the detection gap.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Noticed {
    /// As the notes say it.
    pub written: Notice,
    /// With the mistake mended that explains the other times of the notes, and that mistake.
    pub mended: Option<(Notice, String)>,
    /// The line of the notes.
    pub evidence: Evidence,
}

/// A notice, and how long after the start in the logs it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// When; `None` where the notes give only how long it took.
    pub at: Option<Millis>,
    /// Milliseconds from the start in the logs to the notice, at least and at most, as finely as both are known.
    /// Negative where the notice comes first.
    pub after: (Millis, Millis),
}

/// What an incident counts as bad beside failed requests and error records.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MadeOf {
    /// Answers that took so many milliseconds or more.
    pub slow_ms: Option<u32>,
    /// Requests that their clients gave up (499), however long they had waited.
    pub given_up: bool,
    /// Seconds behind the end in which they are still of it: what had waited is written when it is over.
    pub behind: u16,
    /// Hashes of paths, without query, that were refused or not found.
    pub gone_paths: BTreeSet<u64>,
    /// Keys of endpoints whose paths were missing, where only some of them were read.
    pub gone_endpoints: BTreeSet<u64>,
}

/// Which stretch of time around an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum StretchKind {
    /// Up to an hour before the run-up, without other incidents.
    Before,
    /// The last minutes before the start.
    RunUp,
    /// The incident.
    During,
    /// Up to an hour after the end, without other incidents.
    After,
}

impl StretchKind {
    /// The word in every output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::RunUp => "run-up",
            Self::During => "during",
            Self::After => "after",
        }
    }
}

/// Counts over a stretch of time. Requests are counted when their line was written, failures when they arrived where
/// the log tells it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Stretch {
    /// Which.
    pub kind: StretchKind,
    /// From.
    pub start: Millis,
    /// To.
    pub end: Millis,
    /// Requests.
    pub requests: u64,
    /// Requests that failed.
    pub failed: u64,
    /// Answered with 1xx to 3xx.
    pub good: u64,
    /// Answered with 4xx other than 499.
    pub client_errors: u64,
    /// Status 499: the client went away.
    pub aborted: u64,
    /// Answered with 5xx.
    pub server_errors: u64,
    /// Seconds within which half of the requests were answered; `None` where the log does not tell.
    pub p50: Option<f64>,
    /// Seconds within which 95 % of the requests were answered.
    pub p95: Option<f64>,
}

impl Stretch {
    /// Seconds.
    pub fn seconds(&self) -> f64 {
        self.end.saturating_sub(self.start).max(0) as f64 / 1000.0
    }

    /// Requests a second.
    pub fn rate(&self) -> f64 {
        self.requests as f64 / self.seconds().max(1.0)
    }
}

/// What a [`Place`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum PlaceKind {
    /// A virtual host.
    Vhost,
    /// A template of paths.
    Endpoint,
    /// An upstream peer; its counts are tries, of which one request may need several.
    Upstream,
}

impl PlaceKind {
    /// The word in every output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Vhost => "vhost",
            Self::Endpoint => "endpoint",
            Self::Upstream => "upstream",
        }
    }
}

/// One place against its own traffic inside the incident.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// What it is.
    pub kind: PlaceKind,
    /// Its name.
    pub name: String,
    /// Its requests (tries, of an upstream peer).
    pub requests: u64,
    /// Of these, failed (or slow, or refused: [`Context::counted`] says which).
    pub failed: u64,
    /// When the first of them failed.
    pub first_failure: Option<Millis>,
    /// Share that failed around the incident; `None` where there was nothing of it.
    pub usual_share: Option<f64>,
}

/// One host's part of an incident.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HostPart {
    /// Its name.
    pub host: String,
    /// Its requests inside the incident.
    pub requests: u64,
    /// Of these, failed.
    pub failed: u64,
    /// Its first failure inside the incident.
    pub first_failure: Option<Millis>,
    /// Its last failure inside the incident.
    pub last_failure: Option<Millis>,
    /// How bad it was there; `None` where the host had no part in it.
    pub severity: Option<Severity>,
    /// The verdict in words.
    pub verdict: String,
}

/// One host over the whole span.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HostSummary {
    /// Its name.
    pub host: String,
    /// Its requests.
    pub requests: u64,
    /// Of these, failed.
    pub failed: u64,
    /// Its error-log records.
    pub error_records: u64,
    /// First instant of its logs.
    pub first: Option<Millis>,
    /// Last instant of its logs.
    pub last: Option<Millis>,
    /// Incidents it had a part in.
    pub incidents: u64,
    /// Seconds of outages and degradations that clients saw, in what the files cover.
    pub bad_seconds: f64,
    /// Its clock.
    pub skew: Skew,
}

/// How far a host's clock is from another's.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Skew {
    /// The host it is compared with; `None` for that host itself.
    pub against: Option<String>,
    /// Seconds by which it is ahead (behind, below zero), at least and at most; `None` where that cannot be told.
    pub seconds: Option<(f64, f64)>,
    /// How that is known, or why it is not.
    pub how: String,
}

/// What several hosts say together.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Joint {
    /// The verdict in a sentence.
    pub verdict: String,
    /// Seconds in which every host was in an outage or degradation that clients saw.
    pub all_bad_seconds: f64,
    /// Seconds in which at least one was.
    pub any_bad_seconds: f64,
}
