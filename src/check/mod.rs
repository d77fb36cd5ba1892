//! What monitoring wants to hear: the state of the last minutes in one word, one line and some numbers.
//!
//! Pure: a [`Report`], the requests by second and a window in, a [`Verdict`] out. The words, the codes and the syntax
//! of ranges are those of the monitoring plugin guidelines.

mod range;

pub use range::Range;

use crate::clock::{self, Clock};
use crate::report::{CoverageState, Incident, Report, Severity};
use crate::time::{Second, Window};
use crate::timeline::Timeline;

/// The state of a service, as monitoring plugins have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Nothing is wrong.
    Ok,
    /// It cannot be told.
    Unknown,
    /// Something is wrong.
    Warning,
    /// It is down, or as good as down.
    Critical,
}

impl State {
    /// The code a plugin ends with.
    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Warning => 1,
            Self::Critical => 2,
            Self::Unknown => 3,
        }
    }

    /// The word at the head of the line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// From where on a number is wrong. What is not given is not asked.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Limits {
    /// Failed share in per cent.
    pub warning: Option<Range>,
    /// The same, for CRITICAL.
    pub critical: Option<Range>,
    /// Seconds of outage inside the window.
    pub down_warning: Option<Range>,
    /// The same, for CRITICAL.
    pub down_critical: Option<Range>,
}

/// What is said of a window.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// The worst of all that was found.
    pub state: State,
    /// What decided it, in one sentence.
    pub summary: String,
    /// Everything else that is worth a line.
    pub details: Vec<String>,
    /// Requests inside the window.
    pub requests: u64,
    /// Of these, failed.
    pub failed: u64,
    /// Seconds of outage inside the window.
    pub down: i64,
    /// The last second with a request.
    pub last: Option<Second>,
}

impl Verdict {
    /// Failed requests of a hundred; 0 when there was none.
    pub fn failed_percent(&self) -> f64 {
        if self.requests == 0 { 0.0 } else { self.failed as f64 * 100.0 / self.requests as f64 }
    }

    /// What the plugin prints: the line with performance data, and the details below it.
    pub fn text(&self, limits: &Limits) -> String {
        let of = |range: &Option<Range>| range.as_ref().map_or(String::new(), ToString::to_string);
        // The bar begins the performance data, so that no text may hold one.
        let plain = |text: &str| crate::render::safe::visible(text).replace('|', "/").replace('\n', " ");
        let mut out = format!(
            "DOWNTIME {} - {} | failed={:.3}%;{};{};0;100 down={}s;{};{};0 requests={};;;0\n",
            self.state.name(),
            plain(&self.summary),
            self.failed_percent(),
            of(&limits.warning),
            of(&limits.critical),
            self.down,
            of(&limits.down_warning),
            of(&limits.down_critical),
            self.requests,
        );
        for line in &self.details {
            out.push_str(&plain(line));
            out.push('\n');
        }
        out
    }
}

/// Requests that must have been expected before their absence means something: none of seven comes by chance once
/// in a thousand times (a Poisson count of mean 7 is 0 with a chance of `exp(-7)`).
const EXPECTED: f64 = 7.0;
/// Seconds for which nginx may hold lines back (`access_log ... buffer= flush=`) before their absence means anything.
const HELD_BACK: i64 = 60;
/// Seconds before the last line that say how many requests are usual at this time of the day.
const LATELY: i64 = 3600;
/// Incidents named one by one.
const NAMED: usize = 10;

/// Judges `window`. What the logs say of the time before it is in `report` and `timeline` too: what is usual is learnt
/// from it.
pub fn verdict(report: &Report, timeline: &Timeline, window: Window, limits: &Limits) -> Verdict {
    let clock = Clock::new(report.zone);
    let mut found: Vec<(State, String)> = Vec::new();
    let (mut requests, mut failed) = (0, 0);
    timeline.each(window, |m| {
        requests += m.counts.iter().map(|n| u64::from(*n)).sum::<u64>();
        failed += u64::from(m.failed);
    });
    let (from, to) = (window.start.saturating_mul(1000), window.end.saturating_mul(1000));
    let inside = |i: &&Incident| i.start < to && i.end.is_none_or(|end| end > from);
    let incidents: Vec<&Incident> = report.incidents.iter().filter(inside).collect();
    for incident in incidents.iter().take(NAMED) {
        found.push((state_of(incident), sentence(incident, clock)));
    }
    let span = timeline.span();
    let mut verdict = Verdict {
        state: State::Ok,
        summary: String::new(),
        details: Vec::new(),
        requests,
        failed,
        down: down(&incidents, (from, to)),
        last: span.map(|s| s.end - 1),
    };
    let share = verdict.failed_percent();
    let counts =
        format!("{} of {} failed ({share:.1} %)", clock::count(failed), clock::count_of(requests, "request"));
    let down = verdict.down as f64;
    for (range, value, state, what) in [
        (&limits.warning, share, State::Warning, counts.clone()),
        (&limits.critical, share, State::Critical, counts.clone()),
        (&limits.down_warning, down, State::Warning, format!("down for {} s", verdict.down)),
        (&limits.down_critical, down, State::Critical, format!("down for {} s", verdict.down)),
    ] {
        if let Some(range) = range.as_ref().filter(|r| r.alerts(value)) {
            found.push((state, format!("{what}; the limit is {range}")));
        }
    }
    found.extend(unseen(report, timeline, window, clock).map(|why| (State::Unknown, why)));
    // The worst first; of equals the first found.
    found.sort_by_key(|(state, _)| std::cmp::Reverse(*state));
    let mut found = found.into_iter().filter(|(_, text)| !text.is_empty());
    match found.next() {
        Some((state, text)) => (verdict.state, verdict.summary) = (state, text),
        None => verdict.summary.clone_from(&counts),
    }
    if verdict.summary != counts {
        verdict.details.push(counts);
    }
    verdict.details.extend(found.map(|(state, text)| format!("{}: {text}", state.name())));
    verdict
}

fn state_of(incident: &Incident) -> State {
    match incident.severity {
        Severity::Outage => State::Critical,
        Severity::Degradation | Severity::Slowdown => State::Warning,
        // Clients saw nothing of it.
        Severity::Hidden => State::Ok,
        Severity::Unknown => State::Unknown,
    }
}

fn sentence(incident: &Incident, clock: Clock) -> String {
    let when = match incident.end {
        Some(end) => format!("from {} to {}", clock.full(incident.start), clock.beside(end, incident.start)),
        None => format!("since {}", clock.full(incident.start)),
    };
    format!("{} {when} {}: {} [{}]", incident.severity.name(), clock.zone(), incident.why, incident.id)
}

/// Seconds of outage inside a window of milliseconds; outages that overlap count once.
fn down(incidents: &[&Incident], (from, to): (i64, i64)) -> i64 {
    let mut at = from;
    let mut sum = 0;
    let mut outages: Vec<&&Incident> = incidents.iter().filter(|i| i.severity == Severity::Outage).collect();
    outages.sort_by_key(|i| i.start);
    for outage in outages {
        let end = outage.end.unwrap_or(to).min(to);
        sum += (end - outage.start.max(at)).max(0);
        at = at.max(end);
    }
    (sum + 500) / 1000
}

/// Why the logs cannot speak for the window, if so.
fn unseen(report: &Report, timeline: &Timeline, window: Window, clock: Clock) -> Option<String> {
    if report.inputs.is_empty() {
        return Some("no nginx log was read".into());
    }
    let Some(span) = timeline.span() else {
        return Some("no request was found, neither in the window nor in the hours before it".into());
    };
    let at = |second: Second| format!("{} {}", clock.full(second * 1000), clock.zone());
    let last = span.end - 1;
    // A night is quieter than the evening before it, so the lower of two rates is what may be expected.
    let late = Window { start: last.saturating_sub(LATELY).max(span.start), end: span.end };
    let rate = rate(timeline, span).min(rate(timeline, late));
    let gap = window.end.saturating_sub(span.end);
    if gap >= HELD_BACK && rate * gap as f64 >= EXPECTED {
        return Some(format!(
            "requests stopped being logged: the last is of {}, {} before the end; {} had been expected since",
            at(last),
            clock::duration(gap * 1000),
            clock::count((rate * gap as f64) as u64),
        ));
    }
    let before = span.start.saturating_sub(window.start);
    if before >= HELD_BACK && rate * before as f64 >= EXPECTED {
        return Some(format!("the logs begin at {}, inside the window", at(span.start)));
    }
    let (from, to) = (window.start.saturating_mul(1000), window.end.saturating_mul(1000));
    let hole = |c: &&crate::report::Coverage| {
        c.state != CoverageState::Covered && c.start < to && c.end > from && !c.note.is_empty()
    };
    report.coverage.iter().find(hole).map(|c| format!("the logs have a hole: {}", c.note))
}

/// Requests a second.
fn rate(timeline: &Timeline, window: Window) -> f64 {
    let mut n = 0;
    timeline.each(window, |m| n += m.counts.iter().map(|n| u64::from(*n)).sum::<u64>());
    n as f64 / (window.end - window.start).max(1) as f64
}

#[cfg(test)]
mod tests;
