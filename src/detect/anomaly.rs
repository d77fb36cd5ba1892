//! What detection hands on: anomalies with bounds, and remarks about what was looked at and let go.
//!
//! Only facts and figures; words, severities and causes are made from them later.

use crate::time::{Second, Window};

/// What kind of trouble an anomaly is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// More requests failed than usual.
    Failing,
    /// Lines that were due did not come.
    Silence(SilenceKind),
    /// Answers came, late: far more requests than usual took several times their usual time.
    Slow,
    /// Content that used to be there was not found.
    Missing,
    /// The error log alone speaks: requests may have been saved by retries, or there is no access log.
    ErrorsOnly,
}

/// What a silence means, as far as the logs can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SilenceKind {
    /// nginx's own lines prove that it was not running.
    Down,
    /// Nothing came, which at this log's rate happens; only ever in a remark.
    NoTraffic,
    /// Some lines came, far fewer than before and after: nginx ran, its clients were missing.
    Dip,
    /// nginx stood still: what had waited was given up by its clients when it went on.
    Stalled,
    /// Another log of the same server went on.
    LoggingStopped,
    /// No line, and nothing says why.
    Unknown,
}

/// A stretch of one state inside an anomaly. Half-open: `start..end`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AnomalyPhase {
    /// What went on.
    pub kind: Kind,
    /// First second.
    pub start: Second,
    /// First second after.
    pub end: Second,
    /// Requests counted (successes and failures).
    pub requests: u64,
    /// Requests that failed.
    pub failed: u64,
}

/// A quantity with bounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The likeliest value.
    pub value: f64,
    /// Lower bound, 95 %.
    pub low: f64,
    /// Upper bound, 95 %.
    pub high: f64,
}

/// How late answers were. Where an anomaly is only slow, its `failed` counts the slow requests.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slowness {
    /// A request that took so many milliseconds or more is slow.
    pub limit_ms: u32,
    /// Half of this log's requests usually take at most so long, in milliseconds.
    pub usual_ms: f64,
    /// Half of the requests inside took at most so long, in milliseconds.
    pub median_ms: f64,
    /// Nine tenths of them took at most so long, in milliseconds.
    pub p90_ms: f64,
    /// Half of the slow requests inside took at most so long, in milliseconds.
    pub late_ms: f64,
    /// Slow requests inside.
    pub slow: u64,
    /// Requests inside that their clients gave up (499).
    pub aborted: u64,
    /// Requests inside of which the log tells the time.
    pub timed: u64,
}

/// What the error log said inside an anomaly that other evidence found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ErrorStretch {
    /// First second of the stretch of server-side errors.
    pub start: Second,
    /// First second after it.
    pub end: Second,
    /// Records in it.
    pub records: u64,
    /// Its own evidence, which is not added to the access log's: one request writes both lines.
    pub evidence_nats: f64,
}

/// A stretch of time in which something was wrong, with what is known of its edges.
///
/// Times are whole seconds; `start..end` is half-open, so one failing second has a length of one second.
#[derive(Debug, Clone, PartialEq)]
pub struct Anomaly {
    /// What it is; where several kinds meet, the one that hurts most (failing before silence before errors only).
    pub kind: Kind,
    /// First bad second, or the likeliest one.
    pub start: Second,
    /// The start lies after the first and not after the second: (last good, first bad].
    pub start_bounds: (Second, Second),
    /// Where the start lies with 95 % probability, both ends included.
    pub start_interval: (Second, Second),
    /// First second after the last bad one; `None` while it goes on at the log's end.
    pub end: Option<Second>,
    /// The end lies not before the first and before the second: [last bad, first good). When it is open the second is
    /// the last second the log can speak for.
    pub end_bounds: (Second, Second),
    /// Where the end lies with 95 % probability.
    pub end_interval: (Second, Second),
    /// It may have begun before the log begins: `start` is then the log's first second and no claim.
    pub open_start: bool,
    /// It goes on where the log ends.
    pub open_end: bool,
    /// Its parts in time order; never empty.
    pub phases: Vec<AnomalyPhase>,
    /// Requests inside its phases (successes and failures, no neutral ones).
    pub requests: u64,
    /// Of these, failed.
    pub failed: u64,
    /// Seconds in which at least one request failed.
    pub failing_seconds: u64,
    /// The share of requests that usually fails here.
    pub usual_share: f64,
    /// Log of the odds against chance, in nats; divided by ln 10 it is the power of ten to print.
    pub evidence_nats: f64,
    /// By how much the log's own scatter exceeds that of independent requests; the evidence is divided by it already.
    pub dispersion: f64,
    /// For a silence: how many requests were to be expected in it.
    pub expected_requests: Option<Estimate>,
    /// For a silence: the longest stretch without a line that is ordinary in this log, in seconds.
    pub longest_ordinary_gap: Option<i64>,
    /// Successes inside compared with what the minutes around it had per second. Near or above one although many requests
    /// fail, the failures came on top of the usual traffic, as one client's retries do.
    pub good_ratio: Option<f64>,
    /// Last second with a success before the start.
    pub last_good_before: Option<Second>,
    /// First second with a failure (or without the lines that were due).
    pub first_bad: Second,
    /// Last such second.
    pub last_bad: Second,
    /// First second with a success after the end.
    pub first_good_after: Option<Second>,
    /// The second in which nginx said that it stops, where that dates the start.
    pub stopped_at: Option<Second>,
    /// The second in which nginx started, where that dates the end.
    pub started_at: Option<Second>,
    /// How long its first requests had waited when they were logged as timed out, in seconds, where that dates it.
    pub waited: Option<i64>,
    /// The key of the one name (a virtual host, an endpoint, a peer) whose requests are counted, where it was found among
    /// those alone.
    pub within: Option<u64>,
    /// What the error log said meanwhile.
    pub errors: Option<ErrorStretch>,
    /// How late answers were, where that was found.
    pub slow: Option<Slowness>,
}

impl Anomaly {
    /// What was bad from one second up to another, with so many requests `(failed, of)`. What else can be known is not:
    /// bounds, usual share and evidence are those of a certainty.
    pub fn between(kind: Kind, Window { start: first, end }: Window, (failed, requests): (u64, u64)) -> Self {
        let last = end.saturating_sub(1);
        Self {
            kind,
            start: first,
            start_bounds: (first.saturating_sub(1), first),
            start_interval: (first, first),
            end: Some(end),
            end_bounds: (last, end),
            end_interval: (end, end),
            open_start: false,
            open_end: false,
            phases: vec![AnomalyPhase { kind, start: first, end, requests, failed }],
            requests,
            failed,
            failing_seconds: failed.min(end.saturating_sub(first).unsigned_abs()),
            usual_share: 0.0,
            evidence_nats: 0.0,
            dispersion: 1.0,
            expected_requests: None,
            longest_ordinary_gap: None,
            good_ratio: None,
            last_good_before: None,
            first_bad: first,
            last_bad: last,
            first_good_after: None,
            stopped_at: None,
            started_at: None,
            waited: None,
            within: None,
            errors: None,
            slow: None,
        }
    }

    /// Failed share of the requests, where there were any.
    pub fn failed_share(&self) -> Option<f64> {
        (self.requests > 0).then(|| self.failed as f64 / self.requests as f64)
    }

    /// The end for comparisons: its own, or the last second the log can speak for plus one.
    pub fn end_or_last(&self) -> Second {
        self.end.unwrap_or(self.end_bounds.1.saturating_add(1))
    }

    /// From the start to the end, or to the last second the log can speak for.
    pub fn span(&self) -> Window {
        Window { start: self.start, end: self.end_or_last() }
    }

    /// From the start to after the last line that tells of it. A request that timed out is logged behind the end, where
    /// the end is when such requests ceased to come.
    pub fn logged(&self) -> Window {
        let last = if self.waited.is_some() { self.last_bad.saturating_add(1) } else { self.start };
        let end = self.end_or_last().max(self.start.saturating_add(1)).max(last);
        Window { start: self.start, end }
    }

    /// Where its failed requests were logged.
    pub fn failures_logged(&self) -> Window {
        let logged = self.logged();
        // Where all waited alike, what failed before the first of them is something else.
        if self.waited.is_some() { Window { start: self.first_bad, ..logged } } else { logged }
    }

    /// `N` in "odds 1 in 10^N".
    pub fn odds_power_of_ten(&self) -> f64 {
        self.evidence_nats / std::f64::consts::LN_10
    }
}

/// Why a candidate is no anomaly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Reason {
    /// It lasted less than three seconds.
    Blip,
    /// Such swings are usual in this log; the factor by which the odds of failing ordinarily move in such a time.
    OrdinaryWobble(f64),
    /// Too few requests to call it, or too little above the usual.
    TooLittle,
    /// It is as bad right before or after.
    NoContrast,
    /// It begins or ends with the log and is mild: a change of level, perhaps.
    LevelShift,
    /// The same clock time is as quiet on other days.
    Habitual,
    /// No line for a while, which at this rate is not enough to call it a silence.
    PlausibleSilence,
    /// nginx was stopped and started again at once.
    QuickRestart,
    /// nginx said that it stops, and the logs end there.
    StoppedAtEnd,
    /// The error log names a client that was limited, by configuration.
    Limited,
}

/// A candidate that was looked at and not called.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Remark {
    /// What it would have been.
    pub kind: Kind,
    /// Why it is not.
    pub reason: Reason,
    /// First second.
    pub start: Second,
    /// First second after.
    pub end: Second,
    /// Requests in it.
    pub requests: u64,
    /// Of these, failed.
    pub failed: u64,
    /// The share that usually fails.
    pub usual_share: f64,
    /// Its evidence.
    pub evidence_nats: f64,
}

/// Everything that detection has to say.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Detection {
    /// What was found, in the order of the starts.
    pub anomalies: Vec<Anomaly>,
    /// What would be found if several clients met it: counts alone cannot tell it from one client's retries.
    pub doubtful: Vec<Anomaly>,
    /// Stretches with more late answers than usual, too few of all to call them slow: one part of the site may be.
    pub slight: Vec<Anomaly>,
    /// What was let go, in the order of the starts.
    pub remarks: Vec<Remark>,
}
