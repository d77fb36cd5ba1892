//! Lines that do not come: empty stretches, judged by the rate on both sides, and dated by nginx's own words if any.
//!
//! The unit is the busy second, not the line: `-ln(1 - busy share)` is the rate of visits, and saturates by itself at
//! about four nats a second, so one busy client cannot make a pause of a second or two look like an outage.

use super::anomaly::{Anomaly, AnomalyPhase, Detection, Estimate, Kind, Reason, Remark, SilenceKind};
use super::beat::Pauses;
use super::survey::Survey;
use super::{Fold, MarkKind, Options, Signals, Tick, Ticks};
use super::{dip, errors};
use crate::stats::{SlidingMedian, median, median_of_few, poisson_bounds, quantile};
use crate::time::{Second, Window};
use crate::timeline::Run;

/// Bins on each side of a gap that tell the rate there.
const SIDE: usize = 12;
const DAY: i64 = 86_400;
/// Gaps that are looked at closely at most; only a hostile log has more.
const MAX_CANDIDATES: usize = 50_000;
/// Gaps near the threshold that are named.
const MAX_REMARKS: usize = 10;

/// Below this rate (nats a second) busy seconds bunch in sessions, which the scatter of the lines shows. The tail of the
/// gaps alone did not hold: a simulated log of two-request sessions with a 20 % wobble had a false silence of 44 s.
const SATURATED: f64 = 3.0;

/// The visit rate around a place, from the bins.
struct Rates {
    /// Busy seconds of each (coarse) bin.
    counts: Vec<f64>,
    /// Lines of each.
    lines: Vec<f64>,
    /// Seconds a (coarse) bin is long.
    width: f64,
    origin: Second,
    /// The rate that the twelve bins before each bin tell: an upper bound for the rate used in the end.
    before: Vec<f64>,
}

impl Rates {
    fn new(survey: &Survey, covered: f64) -> Self {
        let mean = survey.busy as f64 / covered.max(1.0);
        let want = (20.0 / mean.max(1e-9)).clamp(30.0, 6.0 * 3600.0);
        let by = (want / survey.width as f64).ceil().max(1.0);
        let bins = survey.coarser(by as usize);
        let counts: Vec<f64> = bins.iter().map(|b| f64::from(b.busy)).collect();
        let lines = bins.iter().map(|b| f64::from(b.lines)).collect();
        let width = survey.width as f64 * by;
        let mut rates = Self { counts, lines, width, origin: survey.span.start, before: Vec::new() };
        let nats = Memo::new(&rates.counts, |count| rates.nats(count));
        let mut memory = SlidingMedian::<SIDE>::default();
        let mut before = Vec::with_capacity(rates.counts.len());
        for count in &rates.counts {
            let known = memory.median().filter(|_| memory.kept() >= 3);
            before.push(known.map_or(f64::INFINITY, |count| nats.of(count)));
            memory.push(*count);
        }
        rates.before = before;
        rates
    }

    fn bin(&self, second: Second) -> usize {
        let into = second.saturating_sub(self.origin).max(0) as f64;
        ((into / self.width) as usize).min(self.counts.len().saturating_sub(1))
    }

    /// Visits a second for a bin count of busy seconds.
    fn nats(&self, count: f64) -> f64 {
        if count <= 0.0 {
            return 0.0;
        }
        let share = ((count + 0.5) / (self.width + 1.0)).min(1.0 - 0.5 / (self.width + 1.0));
        -(1.0 - share).ln()
    }

    /// The smallest rate of visits that either side shows at either scale; 0 where there is nothing to compare with.
    fn around(&self, gap: Gap) -> f64 {
        let sides = [1, 6].into_iter().flat_map(|scale| self.sides(&self.counts, gap, scale));
        let low = sides.flatten().map(|count| self.nats(count)).fold(f64::INFINITY, f64::min);
        if low.is_finite() { low } else { 0.0 }
    }

    /// Lines a second, on the two sides of a gap.
    fn lines_around(&self, gap: Gap) -> [Option<f64>; 2] {
        self.sides(&self.lines, gap, 1).map(|lines| lines.map(|n| n / self.width))
    }

    fn sides(&self, counts: &[f64], gap: Gap, scale: usize) -> [Option<f64>; 2] {
        let before = gap.before.and_then(|second| side(counts, self.bin(second), scale, true));
        let after = gap.after.and_then(|second| side(counts, self.bin(second), scale, false));
        [before, after]
    }

    /// How unevenly traffic comes: the lower half of the spread of log counts about their running mean of five.
    fn unevenness(&self) -> f64 {
        if self.counts.len() < 30 {
            return 0.0;
        }
        let log = Memo::new(&self.counts, |c| (c + 0.5).ln());
        let logs: Vec<f64> = self.counts.iter().map(|c| log.of(*c)).collect();
        let mut spread: Vec<f64> =
            (2..logs.len() - 2).map(|i| logs[i] - logs[i - 2..=i + 2].iter().sum::<f64>() / 5.0).collect();
        let mut counts = self.counts.clone();
        let (Some(q16), Some(q50), Some(mid)) =
            (quantile(&mut spread, 0.16), quantile(&mut spread, 0.5), median(&mut counts))
        else {
            return 0.0;
        };
        ((q50 - q16).powi(2) - 1.0 / mid.max(1.0)).max(0.0).sqrt()
    }
}

/// Values of a function of counts and of the middle of two: many bins have few different counts.
struct Memo<F> {
    known: Vec<f64>,
    of: F,
}

impl<F: Fn(f64) -> f64> Memo<F> {
    /// For some counts that are whole numbers.
    fn new(counts: &[f64], of: F) -> Self {
        let halves = 2.0 * counts.iter().copied().fold(0.0, f64::max) + 1.0;
        let known = if halves > counts.len() as f64 {
            Vec::new()
        } else {
            (0..halves as u32).map(|n| of(f64::from(n) / 2.0)).collect()
        };
        Self { known, of }
    }

    fn of(&self, count: f64) -> f64 {
        let at = (2.0 * count) as usize;
        match self.known.get(at) {
            Some(value) if at as f64 == 2.0 * count => *value,
            _ => (self.of)(count),
        }
    }
}

/// Median over up to twelve groups of `scale` bins on one side of bin `b`; `None` with fewer than three.
fn side(counts: &[f64], b: usize, scale: usize, before: bool) -> Option<f64> {
    let mut values = [0.0; SIDE];
    let mut n = 0;
    while n < SIDE {
        let group = if before {
            let Some(end) = b.checked_sub(n * scale) else { break };
            let Some(start) = end.checked_sub(scale) else { break };
            start..end
        } else {
            b + 1 + n * scale..b + 1 + (n + 1) * scale
        };
        let Some(group) = counts.get(group) else { break };
        values[n] = group.iter().sum::<f64>() / scale as f64;
        n += 1;
    }
    if n < 3 { None } else { median_of_few(&mut values[..n]) }
}

/// A stretch without a line, between two that have one; an open side has none.
#[derive(Debug, Clone, Copy)]
struct Gap {
    before: Option<Second>,
    after: Option<Second>,
    /// The part of it that the files can speak for.
    window: Window,
    /// One of nginx's words about stopping or starting lies in it or at its edge.
    marked: bool,
}

impl Gap {
    fn seconds(self) -> i64 {
        self.window.end.saturating_sub(self.window.start)
    }
}

/// The histogram of what ordinary gaps weigh, for their tail.
struct Tail {
    cells: [u64; 400],
    all: u64,
}

impl Tail {
    fn add(&mut self, nats: f64) {
        self.cells[((nats * 20.0) as usize).min(399)] += 1;
        self.all += 1;
    }

    fn quantile(&self, q: f64) -> f64 {
        let want = (self.all as f64 * q).ceil() as u64;
        let mut sum = 0;
        self.cells
            .iter()
            .position(|c| {
                sum += c;
                sum >= want
            })
            .map_or(0.0, |i| (i as f64 + 0.5) / 20.0)
    }

    /// Ordinary gaps of a Poisson stream fall off as `e^-u`; a heavier tail divides the evidence.
    fn slope(&self) -> f64 {
        if self.all < 200 { 1.3 } else { ((self.quantile(0.99) - self.quantile(0.5)) / 50f64.ln()).max(1.3) }
    }
}

/// Finds what fell silent.
pub(crate) fn find<T: Ticks>(
    ticks: &T,
    survey: &Survey,
    signals: &Signals<'_, T>,
    options: &Options,
    found: &mut Detection,
) {
    let covered_seconds = survey.steps.seconds();
    let rates = Rates::new(survey, covered_seconds);
    let threshold = (survey.busy.max(1) as f64 * options.scopes.max(1) as f64
        / options.false_findings.max(1e-9))
    .ln()
    .max(13.0);
    let Candidates { gaps, tail, mut longest, pauses } = candidates(ticks, survey, &rates, signals);
    let beat = pauses.beat(survey.busy, covered_seconds);
    let (slope, uneven) = (tail.slope(), (-(2.5 * rates.unevenness() - 0.6).max(0.0)).exp());
    let sessions = dip::scatter(&rates.lines, 1.3);
    let mut weak: Vec<Remark> = Vec::new();
    let mut anomalies: Vec<Anomaly> = Vec::new();
    for gap in gaps {
        let rate = rates.around(gap);
        let slope = if rate < SATURATED { slope.max(sessions) } else { slope };
        let by_chance = gap.seconds() as f64 * rate * uneven / slope;
        let beats = beat.map_or(0.0, |b| b.nats(gap.seconds(), by_chance));
        let evidence = by_chance.max(beats);
        let proof =
            if gap.marked { proof(gap, signals, rate * gap.seconds() as f64) } else { Proof::default() };
        let remark = |reason, kind, start: Second, end: Second| Remark {
            kind: Kind::Silence(kind),
            reason,
            start,
            end,
            requests: 0,
            failed: 0,
            usual_share: 0.0,
            evidence_nats: evidence,
        };
        if let Some((from, to)) = proof.quick {
            found.remarks.push(remark(Reason::QuickRestart, SilenceKind::Down, from, to));
        }
        if gap.after.is_none()
            && proof.started.is_none()
            && let Some(stop) = proof.stopped
            && gap.window.end.saturating_sub(stop) < options.least_seconds
        {
            let end = gap.window.end.max(stop.saturating_add(1));
            found.remarks.push(remark(Reason::StoppedAtEnd, SilenceKind::Down, stop, end));
            continue;
        }
        if !proof.down && evidence < threshold {
            longest = longest.max(gap.seconds());
            if evidence >= 6.0 {
                let (from, to) = (gap.window.start, gap.window.end);
                weak.push(remark(Reason::PlausibleSilence, SilenceKind::NoTraffic, from, to));
            }
            continue;
        }
        if !proof.down && habitual(survey, gap.window, rate) {
            let (from, to) = (gap.window.start, gap.window.end);
            found.remarks.push(remark(Reason::Habitual, SilenceKind::NoTraffic, from, to));
            continue;
        }
        // Where the time is kept, the edges are as near as the beats next to them.
        let rate = beat.map_or(rate, |b| rate.max(b.rate()));
        anomalies.push(anomaly(gap, proof, rate, rates.lines_around(gap), evidence, signals, options));
    }
    weak.sort_by(|a, b| b.evidence_nats.total_cmp(&a.evidence_nats).then(a.start.cmp(&b.start)));
    weak.truncate(MAX_REMARKS);
    found.remarks.append(&mut weak);
    for a in &mut anomalies {
        a.longest_ordinary_gap = Some(longest);
        a.dispersion = slope;
    }
    found.anomalies.append(&mut anomalies);
}

/// What the second pass finds.
struct Candidates {
    /// Every gap that may be a silence.
    gaps: Vec<Gap>,
    /// The tail of all.
    tail: Tail,
    /// The longest that is none, in seconds.
    longest: i64,
    /// All that are long enough to be told apart.
    pauses: Pauses,
}

/// The second pass.
fn candidates<T: Ticks>(ticks: &T, survey: &Survey, rates: &Rates, signals: &Signals<'_, T>) -> Candidates {
    let mut tail = Tail { cells: [0; 400], all: 0 };
    let (mut gaps, mut pauses) = (Vec::new(), Pauses::new());
    let mut longest = 0;
    let words: Vec<Second> =
        signals.marks.iter().filter(|m| errors::is_about_running(m.kind)).map(|m| m.second).collect();
    let mut word = 0;
    let mut covered = signals.covered;
    let mut look = |before: Option<Second>, after: Option<Second>, bin: usize, from: Second, to: Second| {
        // Gaps come in order.
        while covered.len() > 1 && covered[0].end <= from {
            covered = &covered[1..];
        }
        let Some(window) = clip(Window { start: from, end: to }, covered) else { return };
        while words.get(word).is_some_and(|w| *w < from.saturating_sub(2)) {
            word += 1;
        }
        let marked = words.get(word).is_some_and(|w| *w <= to.saturating_add(1));
        let gap = Gap { before, after, window, marked };
        pauses.add(gap.seconds());
        let nats = gap.seconds() as f64 * rates.before.get(bin).copied().unwrap_or(f64::INFINITY);
        if nats.is_finite() && before.is_some() && after.is_some() {
            tail.add(nats);
        }
        if (marked || nats >= 6.0) && gaps.len() < MAX_CANDIDATES {
            gaps.push(gap);
        } else {
            longest = longest.max(gap.seconds());
        }
    };
    if let Some(first) = signals.covered.first().filter(|w| w.start < survey.span.start) {
        look(None, Some(survey.span.start), usize::MAX, first.start, survey.span.start);
    }
    // At four nats a second shorter gaps prove nothing, and a quiet log has a million of them.
    let least = if words.is_empty() { i64::from(Run::PAUSE) } else { 2 };
    let mut walk = Gaps { rates, least, short: 0, previous: None, bin: 0, bin_end: Second::MIN, look };
    ticks.each_run(Window::ALL, &mut walk);
    let Gaps { bin, short, mut look, .. } = walk;
    let last = survey.span.end.saturating_sub(1);
    if let Some(end) = signals.covered.last().map(|w| w.end).filter(|end| *end > survey.span.end) {
        look(Some(last), None, bin, survey.span.end, end);
    }
    Candidates { gaps, tail, longest: longest.max(short), pauses }
}

/// The walk from gap to gap.
struct Gaps<'a, L> {
    rates: &'a Rates,
    /// Shorter gaps are not looked at.
    least: i64,
    /// The longest of those.
    short: i64,
    previous: Option<Second>,
    bin: usize,
    bin_end: Second,
    look: L,
}

impl<L: FnMut(Option<Second>, Option<Second>, usize, Second, Second)> Gaps<'_, L> {
    /// The gap before the second that comes next.
    #[inline]
    fn before(&mut self, second: Second) {
        if let Some(previous) = self.previous {
            let empty = second.saturating_sub(previous).saturating_sub(1);
            if empty < self.least {
                self.short = self.short.max(empty);
            } else {
                (self.look)(Some(previous), Some(second), self.bin, previous.saturating_add(1), second);
            }
        }
    }
}

impl<L: FnMut(Option<Second>, Option<Second>, usize, Second, Second)> Fold for Gaps<'_, L> {
    const CLOSE: bool = true;

    #[inline]
    fn until(&self) -> Second {
        // The pauses of a run may be longer than what is looked at here.
        if self.least < i64::from(Run::PAUSE) { Second::MIN } else { self.bin_end }
    }

    #[inline]
    fn run(&mut self, run: Run) {
        self.before(run.first);
        self.short = self.short.max(i64::from(run.pause));
        self.previous = Some(run.last);
    }

    #[inline]
    fn tick(&mut self, t: Tick) {
        self.before(t.second);
        self.previous = Some(t.second);
        if t.second >= self.bin_end {
            self.bin = self.rates.bin(t.second);
            self.bin_end =
                self.rates.origin.saturating_add(((self.bin + 1) as f64 * self.rates.width) as i64);
        }
    }
}

/// The longest part of a gap that the files can speak for: `covered` without what ends before the gap.
fn clip(gap: Window, covered: &[Window]) -> Option<Window> {
    if covered.is_empty() {
        return Some(gap);
    }
    // Nearly every gap lies inside one of them, and a quiet log has hundreds of thousands.
    if covered[0].start <= gap.start && gap.end <= covered[0].end {
        return (gap.end.saturating_sub(gap.start) >= 2).then_some(gap);
    }
    covered
        .iter()
        .take_while(|w| w.start < gap.end)
        .map(|w| Window { start: w.start.max(gap.start), end: w.end.min(gap.end) })
        .max_by_key(|w| w.end.saturating_sub(w.start))
        .filter(|w| w.end.saturating_sub(w.start) >= 2)
}

/// What nginx's words say about a gap.
#[derive(Debug, Clone, Copy, Default)]
struct Proof {
    down: bool,
    stopped: Option<Second>,
    started: Option<Second>,
    /// A stop and a start too close to matter.
    quick: Option<(Second, Second)>,
}

fn proof<T: Ticks>(gap: Gap, signals: &Signals<'_, T>, expected: f64) -> Proof {
    let (from, to) = (gap.window.start.saturating_sub(2), gap.window.end.saturating_add(1));
    let first = signals.marks.partition_point(|m| m.second < from);
    let inside = || signals.marks[first..].iter().take_while(move |m| m.second <= to);
    let upgrade = inside().any(|m| m.kind == MarkKind::Upgrade);
    let stops = |m: &&super::Mark| matches!(m.kind, MarkKind::Stop | MarkKind::GracefulStop);
    // The first stop and the last start: failed attempts and short-lived starts between them carried no request.
    let stopped = inside().find(stops).map(|m| m.second).filter(|_| !upgrade);
    let after = stopped.unwrap_or(gap.window.start.saturating_sub(1));
    let started = inside()
        .filter(|m| m.kind == MarkKind::Start && m.second >= after)
        .last()
        .map(|m| m.second)
        .filter(|_| !upgrade);
    let refused = inside().any(|m| m.kind == MarkKind::StartFailed);
    match (stopped, started) {
        (Some(s), Some(e)) if e.saturating_sub(s) < 3 && expected < 13.0 => {
            Proof { quick: Some((s, e.max(s.saturating_add(1)))), ..Proof::default() }
        }
        (Some(_), Some(_)) => Proof { down: true, stopped, started, quick: None },
        // A start without a stop: killed, or the host went down. Without lines missing it may be a second nginx.
        // Where the files begin with a start there is nothing it could have been down after.
        (None, Some(_)) if expected >= 3.0 && gap.before.is_some() => {
            Proof { down: true, stopped, started, quick: None }
        }
        (Some(_), None) if gap.after.is_none() || expected >= 3.0 => {
            Proof { down: true, stopped, ..Proof::default() }
        }
        (None, None) if refused && expected >= if gap.before.is_some() { 5.0 } else { 13.0 } => {
            Proof { down: true, ..Proof::default() }
        }
        _ => Proof::default(),
    }
}

/// Whether the same clock time was as quiet on at least half, and two, of the other days or of the same weekdays.
fn habitual(survey: &Survey, gap: Window, rate: f64) -> bool {
    let seconds = gap.end.saturating_sub(gap.start);
    // A gap shorter than two bins cannot be seen in them.
    if seconds < 2 * survey.width {
        return false;
    }
    let quiet = |days: i64| -> Option<bool> {
        let start = gap.start.checked_add(days.checked_mul(DAY)?)?;
        let end = start.checked_add(seconds)?;
        if start < survey.span.start || end > survey.span.end {
            return None;
        }
        let (a, b) = (survey.bin(start) + 1, survey.bin(end));
        let bins = survey.bins.get(a..b)?;
        let busy: u64 = bins.iter().map(|b| u64::from(b.busy)).sum();
        Some(busy as f64 <= 0.1 * rate.min(1.0) * (bins.len() as f64 * survey.width as f64))
    };
    // Days before and after are looked at up to 39 days away; bounded work whatever the length of the log.
    [1, 7].into_iter().any(|step| {
        let (mut all, mut as_quiet) = (0, 0);
        for n in 1..=39 / step {
            for days in [n * step, -n * step] {
                if let Some(q) = quiet(days) {
                    all += 1;
                    as_quiet += i32::from(q);
                }
            }
        }
        all >= 2 && as_quiet >= 2 && 2 * as_quiet >= all
    })
}

fn anomaly<T: Ticks>(
    gap: Gap,
    proof: Proof,
    rate: f64,
    lines: [Option<f64>; 2],
    evidence: f64,
    signals: &Signals<'_, T>,
    options: &Options,
) -> Anomaly {
    let (from, to) = (gap.window.start, gap.window.end);
    let margin = (3.0 / rate.max(1e-6)).min(gap.seconds() as f64) as i64;
    let (mut start, mut end) = (from, to);
    let (mut start_interval, mut end_interval) =
        ((from, from.saturating_add(margin)), (to.saturating_sub(margin), to));
    let mut start_bounds = (from.saturating_sub(1), start_interval.1);
    let mut end_bounds = (end_interval.0, to);
    if proof.down {
        if let Some(s) = proof.stopped {
            // The word is exact; a line of the same second or later was still served.
            start = s.clamp(from.saturating_sub(1), to.saturating_sub(1));
            start_interval = (start, start);
            start_bounds = (start.saturating_sub(1).min(from.saturating_sub(1)), start);
        }
        if let Some(e) = proof.started {
            end = e.clamp(start.saturating_add(1), to.max(start.saturating_add(1)));
            end_interval = (end, end);
            end_bounds = (end.saturating_sub(1), end.max(start.saturating_add(1)));
        }
    } else {
        // Half of the waiting time for a line on each side was still healthy.
        let shift = (std::f64::consts::LN_2 / rate.max(1e-6)).min(gap.seconds() as f64 / 4.0).round() as i64;
        (start, end) = (from.saturating_add(shift), to.saturating_sub(shift));
        end = end.max(start.saturating_add(1));
        (start_interval.1, end_interval.0) = (start_interval.1.max(start), end_interval.0.min(end));
        (start_bounds.1, end_bounds.0) = (start_bounds.1.max(start), end_bounds.0.min(end));
    }
    let (open_start, open_end) = (gap.before.is_none(), gap.after.is_none() && proof.started.is_none());
    if open_start {
        (start, start_bounds, start_interval) = (from, (from, from), (from, start_interval.1));
    }
    if open_end {
        (end_bounds, end_interval) = ((to.saturating_sub(1), to.saturating_sub(1)), (to, to));
    }
    let kind = if proof.down {
        SilenceKind::Down
    } else if active_share(gap.window, signals.other_activity) >= 0.3 {
        SilenceKind::LoggingStopped
    } else {
        SilenceKind::Unknown
    };
    let length = end.saturating_sub(start) as f64;
    // The two sides bound what would have come; their mean is the best guess.
    let lines = match lines {
        [Some(a), Some(b)] => Some((a.min(b), f64::midpoint(a, b), a.max(b))),
        [a, b] => a.or(b).map(|x| (x, x, x)),
    };
    let expected_requests = lines.map(|(low, mean, high)| Estimate {
        value: mean * length,
        low: poisson_bounds(low * length, 2.0).0,
        high: poisson_bounds(high * length, 2.0).1,
    });
    // What nginx says needs no statistics: proof counts as the threshold at least.
    let evidence_nats =
        if proof.down { evidence.max(-options.false_findings.max(1e-9).ln()) } else { evidence };
    Anomaly {
        kind: Kind::Silence(kind),
        start,
        start_bounds,
        start_interval,
        end: (!open_end).then_some(end),
        end_bounds,
        end_interval,
        open_start,
        open_end,
        phases: vec![AnomalyPhase {
            kind: Kind::Silence(kind),
            start,
            end: if open_end { to } else { end },
            requests: 0,
            failed: 0,
        }],
        requests: 0,
        failed: 0,
        failing_seconds: 0,
        usual_share: 0.0,
        evidence_nats,
        dispersion: 1.0,
        expected_requests,
        longest_ordinary_gap: None,
        good_ratio: None,
        last_good_before: gap.before,
        first_bad: start,
        last_bad: if open_end { to } else { end }.saturating_sub(1),
        first_good_after: gap.after,
        stopped_at: proof.stopped,
        started_at: proof.started,
        waited: None,
        errors: None,
        slow: None,
    }
}

/// The share of `window` that lies in `stretches`.
pub(crate) fn active_share(window: Window, stretches: &[Window]) -> f64 {
    let from = stretches.partition_point(|w| w.end <= window.start);
    let inside: i64 = stretches[from..]
        .iter()
        .take_while(|w| w.start < window.end)
        .map(|w| w.end.min(window.end).saturating_sub(w.start.max(window.start)).max(0))
        .sum();
    inside as f64 / window.end.saturating_sub(window.start).max(1) as f64
}
