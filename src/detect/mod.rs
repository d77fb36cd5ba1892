//! Detection: counts in, anomalies out. No files, no clock, no printing.
//!
//! [`detect`] joins five kinds of evidence and leaves names, causes and severities to the inspection:
//! requests that fail more than usual (`failing`), answers that come late (`slow`), lines that do not come (`silence`,
//! `dip`), nginx's own words about stopping and starting (`errors`), and server-side records of the error log
//! (`errors`). Stretches that touch become one anomaly with phases (`merge`), once the inspection has taken out what a
//! few clients met alone. [`stretches`] puts one series of counts,
//! of whatever kind, to the same test.
//!
//! Measured on simulated logs with seeds that no constant was chosen by: 2 false findings in 336 healthy days (six
//! failures in a row at 0.5 requests a second, and a pause at 10 a second), so not none; 505 of 505 severe outages of at
//! least 25 nats; 99.9 % of their edges within max(1 s, 25 nats / rate of evidence).
//!
//! Cost: two passes over the counts. All else works on the failing seconds and on at most 2^16 bins.

mod anomaly;
mod baseline;
mod beat;
mod burst;
mod classes;
mod clusters;
mod dip;
mod edges;
mod errors;
mod failing;
mod gates;
mod merge;
mod silence;
mod slow;
mod steps;
mod sums;
mod survey;
#[cfg(test)]
mod tests;
mod waited;

pub use anomaly::{
    Anomaly, AnomalyPhase, Detection, ErrorStretch, Estimate, Kind, Reason, Remark, SilenceKind, Slowness,
};
pub use classes::{Among, stretches_of_two};
pub use clusters::{Cluster, densest};
pub use edges::{Redated, vanished_successes};
pub use slow::{lasts, late_stretches};
pub use waited::{date_by_wait, date_by_wait_of, leave_out};

use crate::parallel::{Workers, both};
use crate::time::{Second, Window};
use crate::timeline::{Classes, Run, Sums, Timeline, Walker};
use serde::{Deserialize, Serialize};

/// One second in which at least one access line was written, or in which a request arrived that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tick {
    /// When.
    pub second: Second,
    /// Requests answered with 1xx to 3xx.
    pub good: u32,
    /// Other requests that say nothing about the server, as 404: a sign of life only.
    pub neutral: u32,
    /// Requests that failed (5xx, a 499 that had waited), dated at their arrival where the log tells it.
    pub failed: u32,
}

/// Access counts in time order, to be walked through many times.
pub trait Ticks {
    /// Visits the seconds of `window` in rising order, each once. Twice the whole log is asked for, and a short window
    /// around each edge: an implementation should find a window without walking through all that lies before it.
    fn each(&self, window: Window, visit: impl FnMut(Tick));
    /// The same seconds for one that can take several clean ones as one.
    fn each_run(&self, window: Window, fold: &mut impl Fold) {
        self.each(window, |tick| fold.tick(tick));
    }
    /// From the first second to after the last; `None` when there is no tick.
    fn span(&self) -> Option<Window>;
}

/// What is made of ticks, and can take several clean seconds as one.
pub trait Fold {
    /// Whether runs must not hold a pause of [`Run::PAUSE`] seconds or more, and tell their longest.
    const CLOSE: bool = false;
    /// A run must end before this second.
    fn until(&self) -> Second;
    /// Seconds of nothing but successes: the first of the two sums.
    fn run(&mut self, run: Run);
    /// Any other second.
    fn tick(&mut self, tick: Tick);
}

/// Walks through a timeline for a fold: two sums of classes, the first with all 2xx and the second without, which `tick`
/// makes ticks of.
#[inline]
pub fn fold_timeline(
    timeline: &Timeline,
    window: Window,
    asked: [Classes; 2],
    tick: impl Fn(Sums) -> Tick,
    fold: &mut impl Fold,
) {
    struct Folding<'a, F, T>(&'a mut F, T);

    impl<F: Fold, T: Fn(Sums) -> Tick> Walker for Folding<'_, F, T> {
        const CLOSE: bool = F::CLOSE;

        #[inline]
        fn until(&self) -> Second {
            self.0.until()
        }

        #[inline]
        fn run(&mut self, run: Run) {
            self.0.run(run);
        }

        #[inline]
        fn second(&mut self, sums: Sums) {
            self.0.tick((self.1)(sums));
        }
    }

    timeline.each_run(window, asked, &mut Folding(fold, tick));
}

impl Ticks for [Tick] {
    fn each(&self, window: Window, visit: impl FnMut(Tick)) {
        let from = self.partition_point(|t| t.second < window.start);
        let to = self.partition_point(|t| t.second < window.end).max(from);
        self[from..to].iter().copied().for_each(visit);
    }

    fn span(&self) -> Option<Window> {
        let (first, last) = (self.first()?, self.last()?);
        Some(Window { start: first.second, end: last.second.saturating_add(1) })
    }
}

impl<T: Ticks + ?Sized> Ticks for &T {
    fn each(&self, window: Window, visit: impl FnMut(Tick)) {
        (**self).each(window, visit);
    }

    fn each_run(&self, window: Window, fold: &mut impl Fold) {
        (**self).each_run(window, fold);
    }

    fn span(&self) -> Option<Window> {
        (**self).span()
    }
}

/// Error-log records of one class in one second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorTick {
    /// When, in UTC.
    pub second: Second,
    /// The caller's number for the category.
    pub class: u16,
    /// Records, several of one connection counted once where possible.
    pub count: u32,
}

/// What nginx said about its own running (`ngx_process_cycle.c`, `ngx_cycle.c`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MarkKind {
    /// A fresh start: the version line or the workers, without a reload.
    Start,
    /// SIGTERM or SIGINT: it exits at once.
    Stop,
    /// SIGQUIT: it stops listening and finishes what it has.
    GracefulStop,
    /// SIGHUP, and new workers came.
    Reload,
    /// SIGHUP, and an emergency instead of new workers: the old ones go on.
    ReloadFailed,
    /// An emergency that kept it from starting.
    StartFailed,
    /// A worker exited on a signal.
    WorkerCrash,
    /// The address was in use: a second start beside a running nginx, usually.
    BindFailed,
    /// SIGUSR1.
    Reopen,
    /// SIGUSR2: a new binary takes over; the old master's stop that follows is no outage.
    Upgrade,
    /// SIGUSR2, and the new binary did not start or died: the old master is the only one.
    UpgradeFailed,
}

/// One such word, dated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// When, in UTC.
    pub second: Second,
    /// What.
    pub kind: MarkKind,
}

/// Everything that detection looks at.
pub struct Signals<'a, T: Ticks> {
    /// The access log's counts, if there is an access log.
    pub access: Option<&'a T>,
    /// How long requests took, where the access log tells it.
    pub timings: Option<&'a Timeline>,
    /// The error log's counts, sorted by second.
    pub errors: &'a [ErrorTick],
    /// Which classes are the server's fault (refused, timed out, no live upstreams, out of descriptors ...).
    pub server_side: &'a (dyn Fn(u16) -> bool + Sync),
    /// Which classes explain a 5xx as meant: one such record takes one failure of its second out of the counts
    /// (`limiting requests`, `limiting connections`).
    pub excused: &'a (dyn Fn(u16) -> bool + Sync),
    /// Whether most of the failures logged in a window are timeouts (504, 499, 408).
    pub timed_out: &'a (dyn Fn(Window) -> bool + Sync),
    /// nginx's words about itself, sorted by second.
    pub marks: &'a [Mark],
    /// Stretches in which another log of the same server went on with requests.
    pub other_activity: &'a [Window],
    /// Stretches the files can speak for, sorted and apart. What lies outside is no silence. Empty: from the first
    /// tick to the last.
    pub covered: &'a [Window],
}

impl<T: Ticks> std::fmt::Debug for Signals<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signals")
            .field("access", &self.access.and_then(Ticks::span))
            .field("errors", &self.errors.len())
            .field("marks", &self.marks)
            .field("other_activity", &self.other_activity)
            .field("covered", &self.covered)
            .finish_non_exhaustive()
    }
}

/// What the caller knows about the counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// Failures are dated at the arrival of their request (the log has the time taken).
    pub arrival_known: bool,
    /// The expected number of false findings from chance alone, per log.
    pub false_findings: f64,
    /// How many scopes are looked at alike; each must then bring more evidence.
    pub scopes: usize,
    /// The least by which evidence is divided because clients send several requests each. 1.25 would do for counts
    /// of clients; requests need more.
    pub least_dispersion: f64,
    /// Shorter than this is a blip.
    pub least_seconds: i64,
    /// The least evidence of a finding, in nats. 13 would do for counts of clients.
    pub least_nats: f64,
    /// What counts as bad was told by what is usual in the same log, as late answers are: a short time without any (all
    /// came from a cache) does not make the rest of the log one long outage.
    pub own_measure: bool,
}

impl Options {
    /// For stretches that are only to be looked at more closely: one by chance alone in a log is none too many.
    pub fn candidates() -> Self {
        Self { false_findings: 1.0, least_nats: 8.0, ..Self::default() }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            arrival_known: true,
            false_findings: 0.01,
            scopes: 1,
            least_dispersion: 2.5,
            least_seconds: 3,
            least_nats: 16.0,
            own_measure: false,
        }
    }
}

/// Looks at one series of counts by itself: the stretches in which more than usual of it is bad, and nothing else.
pub fn stretches<T: Ticks>(ticks: &T, options: &Options) -> Detection {
    let mut found = Detection::default();
    if let Some(span) = ticks.span().filter(|s| s.start < s.end) {
        let steps = steps::Steps::of(ticks, span);
        failing::anomalies(ticks, &steps, steps::Excused { seconds: &[] }, options, &mut found);
    }
    found
}

/// Joins what was found: what touches is one anomaly with phases.
pub fn join(found: &mut Detection) {
    merge::merge(found);
}

/// Looks at everything and says what was wrong when.
pub fn detect<T: Ticks + Sync>(signals: &Signals<'_, T>, options: &Options) -> Detection {
    let mut found = find(signals, options, None);
    join(&mut found);
    found
}

/// Looks at everything. Only what fails alike is joined yet, so that what hangs on single requests can still be taken out
/// before [`join`] joins the rest. Judgements that do not hang on each other are made side by side by `workers`.
pub fn find<T: Ticks + Sync>(
    signals: &Signals<'_, T>,
    options: &Options,
    workers: Option<&Workers>,
) -> Detection {
    let excused = errors::excused(signals);
    let mut found = Detection::default();
    if let Some(ticks) = signals.access
        && let Some(span) = ticks.span().filter(|s| s.start < s.end)
    {
        let excused = steps::Excused { seconds: &excused };
        let failing = || {
            let survey = survey::survey(ticks, excused)?;
            failing::find(ticks, &survey.steps, excused, options, &mut found);
            Some(survey)
        };
        let usual = || slow::usual(signals.timings?, span);
        let (survey, usual) = both(workers, failing, usual);
        // Where most requests fail, nothing is late.
        let failing = slow::failing_windows(&found.anomalies);
        let silent = || {
            let Some(survey) = survey else { return };
            silence::find(ticks, &survey, signals, options, &mut found);
            dip::find(ticks, &survey, signals, options, &mut found);
        };
        let late = || usual.map(|usual| slow::find(&usual, failing, options, workers));
        let ((), late) = both(workers, silent, late);
        if let Some(mut late) = late {
            found.anomalies.append(&mut late.anomalies);
            found.remarks.append(&mut late.remarks);
            found.slight = late.slight;
        }
        if let Some(timings) = signals.timings {
            silence::leave_out_late(timings, &mut found.anomalies);
        }
        if !options.arrival_known {
            edges::redate(ticks, signals.timed_out, &mut found.anomalies);
        }
    }
    errors::find(signals, options, &mut found);
    merge::join_failing(&mut found);
    merge::limited(&excused, &mut found.remarks);
    found
}
