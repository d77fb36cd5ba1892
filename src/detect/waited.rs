//! How long requests had waited that timed out, where the log does not tell.
//!
//! nginx logs a request when it ends. One that hangs ends when `proxy_read_timeout` or its like does, the same time for
//! all; so the stretch of failures as logged is the stretch of missing successes, moved by that time. The wait is the
//! shift at which the failures fill the hole best.

use super::anomaly::{Anomaly, AnomalyPhase, Kind, SilenceKind};
use super::edges::per_second;
use super::silence::active_share;
use super::{Ticks, edges};
use crate::stats::median;
use crate::time::{Second, Window};

/// The longest wait looked for: `fastcgi_read_timeout 300s` is common, and a connection may have been waited for before.
pub(super) const LONGEST_WAIT: i64 = 330;
/// Seconds before and after that tell the rate of successes.
const AROUND: i64 = 600;
/// Ten-second bins that tell it, at least.
const LEAST_BINS: usize = 6;
/// Failing that lasts longer than this is dated by its start alone.
const LONGEST: i64 = 6 * 3600;
/// A minute is what nginx waits where nothing else is said (`ngx_http_proxy_module.c`, and its likes): so many times as
/// likely as any other wait by itself.
const DEFAULT: (i64, f64) = (60, 20.0);
/// How much better, in nats, the shift must explain the successes than none does: the looks at all shifts, and one in
/// twenty.
const NATS: f64 = 9.0;

/// Where at least this part of the successes is left by those who wait,
const MOST_LEFT: f64 = 0.5;
/// seconds without any in which so many were to be left (odds of `e^-8`) are empty for another reason and tell nothing.
const EMPTY: f64 = 8.0;

/// A silence is waiting when so much of it was.
const WAITED_THROUGH: f64 = 0.8;
/// Parts whose failed shares differ by less are one.
const ALIKE: f64 = 0.2;

/// A wait that all had in common.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Waited {
    /// In seconds.
    pub(super) seconds: i64,
    /// Where it lies with 95 % probability.
    pub(super) interval: (i64, i64),
    /// How much better it explains the successes than no wait does.
    pub(super) evidence_nats: f64,
}

/// The wait of `failed` requests that were logged from second `first` to second `last`; `None` where the successes do
/// not tell. Those that were missing until second `after` were missing for something else.
pub(super) fn waited<T: Ticks + ?Sized>(
    ticks: &T,
    (first, last): (Second, Second),
    failed: u64,
    after: Second,
) -> Option<Waited> {
    let known = ticks.span()?;
    let length = last.saturating_sub(first).saturating_add(1);
    let reach = LONGEST_WAIT.min(first.saturating_sub(known.start.max(after.saturating_add(1))));
    if !(1..=LONGEST).contains(&length) || reach < 2 {
        return None;
    }
    let (rate, scatter) = usual(ticks, known, (first, last))?;
    let share = (1.0 - failed as f64 / (rate * length as f64)).clamp(0.02, 0.9);
    let from = first.saturating_sub(reach);
    let counts = per_second(ticks, Window { start: from, end: last.saturating_add(1) }, false);
    // How much better a second is explained by the share that is left than by business as usual.
    let mut sums = vec![0.0];
    for run in counts.chunk_by(|a, b| *a == 0.0 && *b == 0.0) {
        let left = share * rate * run.len() as f64;
        let of_others = run[0] == 0.0 && share >= MOST_LEFT && left >= EMPTY;
        for c in run {
            let nats = if of_others { 0.0 } else { (c * share.ln() + rate * (1.0 - share)) / scatter };
            sums.push(sums.last().copied().unwrap_or(0.0) + nats);
        }
    }
    let shifted = |wait: i64| {
        let at = (reach - wait) as usize;
        let end = at.saturating_add(length as usize).min(sums.len() - 1);
        sums[end] - sums[at.min(end)]
    };
    let prior = |wait: i64| if wait == DEFAULT.0 { DEFAULT.1.ln() } else { 0.0 };
    let all: Vec<f64> = (0..=reach).map(|wait| shifted(wait) + prior(wait)).collect();
    let most = all.iter().copied().fold(f64::MIN, f64::max);
    let seconds = all.iter().position(|x| *x == most)? as i64;
    let evidence_nats = shifted(seconds) - shifted(0);
    // At the end of the reach it may be longer.
    if seconds < 2 || seconds == LONGEST_WAIT || evidence_nats < NATS {
        return None;
    }
    let weights: Vec<f64> = all.iter().map(|x| (x - most).exp()).collect();
    let whole: f64 = weights.iter().sum();
    let quantile = |q: f64| {
        let mut sum = 0.0;
        let at = weights.iter().position(|w| {
            sum += w;
            sum >= q * whole
        });
        at.map_or(seconds, |at| at as i64)
    };
    let interval = (quantile(0.025).min(seconds), quantile(0.975).max(seconds));
    Some(Waited { seconds, interval, evidence_nats })
}

/// Successes a second around the failing, and their scatter against a Poisson stream. The hole itself is among the
/// bins: the median does not mind, and the scatter is that of the bins above half of it.
fn usual<T: Ticks + ?Sized>(ticks: &T, known: Window, (first, last): (Second, Second)) -> Option<(f64, f64)> {
    let sides = [
        Window { start: first.saturating_sub(LONGEST_WAIT + AROUND).max(known.start), end: first },
        Window {
            start: last.saturating_add(1),
            end: last.saturating_add(1 + AROUND).min(known.end.max(last.saturating_add(1))),
        },
    ];
    let mut tens: Vec<f64> = Vec::new();
    for side in sides {
        let n = usize::try_from(side.end.saturating_sub(side.start) / 10).unwrap_or(0);
        let mut bins = vec![0.0; n];
        ticks.each(side, |t| {
            let at = usize::try_from(t.second.saturating_sub(side.start) / 10).unwrap_or(usize::MAX);
            if let Some(bin) = bins.get_mut(at) {
                *bin += f64::from(t.good);
            }
        });
        tens.extend(bins);
    }
    if tens.len() < LEAST_BINS {
        return None;
    }
    let usual = median(&mut tens.clone()).filter(|m| *m > 0.0)?;
    let ordinary: Vec<f64> = tens.into_iter().filter(|n| 2.0 * n >= usual).collect();
    let n = ordinary.len().max(1) as f64;
    let mean = ordinary.iter().sum::<f64>() / n;
    let variance = ordinary.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
    Some((mean / 10.0, (variance / mean.max(0.1)).clamp(1.0, 10.0)))
}

/// Leaves out the silences in which requests waited: nothing stayed away. `waiting` is in order of time.
pub fn leave_out(anomalies: &mut Vec<Anomaly>, waiting: &[Window]) {
    anomalies.retain(|a| match a.kind {
        Kind::Silence(SilenceKind::Unknown | SilenceKind::LoggingStopped | SilenceKind::Dip) => {
            active_share(a.span(), waiting) < WAITED_THROUGH
        }
        _ => true,
    });
}

/// Dates a stretch of requests that all waited alike by when they came; whether the successes tell. What was missing until
/// second `after`, in which others failed, had not waited.
pub fn date_by_wait<T: Ticks>(ticks: &T, a: &mut Anomaly, after: Second) -> bool {
    let by = waited(ticks, (a.first_bad, a.last_bad), a.failed, after);
    if let Some(by) = by {
        apply(ticks, a, by);
    }
    by.is_some()
}

/// The same where the requests of a `part` tell it: those for the pages that fail, of which more stayed away than of all.
pub fn date_by_wait_of<P: Ticks, T: Ticks>(part: &P, ticks: &T, a: &mut Anomaly, after: Second) -> bool {
    let Some(by) = waited(part, (a.first_bad, a.last_bad), a.failed, after) else { return false };
    if a.waited.is_some() {
        // As they were logged.
        let (start, end) = (a.first_bad, a.last_bad.saturating_add(1));
        a.phases = vec![AnomalyPhase { kind: a.kind, start, end, requests: a.requests, failed: a.failed }];
    }
    apply(ticks, a, by);
    true
}

/// Moves a failing stretch, and all its parts, to when its requests came.
pub(super) fn apply<T: Ticks>(ticks: &T, a: &mut Anomaly, by: Waited) {
    let earlier = |s: Second| s.saturating_sub(by.seconds);
    let around = |s: Second| (s.saturating_sub(by.interval.1), s.saturating_sub(by.interval.0));
    if !a.open_start {
        a.start = earlier(a.first_bad);
        a.start_interval = around(a.first_bad);
        a.start_bounds = (a.start_interval.0.saturating_sub(1), a.start_interval.1);
        a.last_good_before = last_success(ticks, a.start).or(a.last_good_before);
    }
    if let Some(end) = &mut a.end {
        let behind = a.last_bad.saturating_add(1);
        *end = earlier(behind).max(a.start.saturating_add(1));
        let (low, high) = around(behind);
        a.end_interval = (low.min(*end), high.max(*end));
        a.end_bounds = (a.end_interval.0.saturating_sub(1), a.end_interval.1);
        a.first_good_after = first_success(ticks, *end).or(a.first_good_after);
    }
    let until = a.end_or_last();
    for p in &mut a.phases {
        p.start = earlier(p.start).max(a.start);
        p.end = earlier(p.end).min(until).max(p.start.saturating_add(1));
    }
    if let Some(p) = a.phases.first_mut() {
        p.start = a.start;
    }
    let good = |start: Second, end: Second| {
        let mut good = 0u64;
        ticks.each(Window { start, end }, |t| good += u64::from(t.good));
        good
    };
    a.requests = good(a.start, until).saturating_add(a.failed);
    // The successes between its lines were those of later requests.
    for p in &mut a.phases {
        p.requests = good(p.start, p.end).saturating_add(p.failed);
    }
    let share = |p: &AnomalyPhase| p.failed as f64 / p.requests.max(1) as f64;
    a.phases.dedup_by(|b, p| {
        let alike = p.kind == b.kind && (share(p) - share(b)).abs() < ALIKE;
        if alike {
            (p.end, p.requests, p.failed) = (b.end, p.requests + b.requests, p.failed + b.failed);
        }
        alike
    });
    a.waited = Some(by.seconds);
}

fn last_success<T: Ticks>(ticks: &T, before: Second) -> Option<Second> {
    let mut last = None;
    ticks.each(Window { start: before.saturating_sub(edges::LOOK_BACK), end: before }, |t| {
        if t.good > 0 {
            last = Some(t.second);
        }
    });
    last
}

fn first_success<T: Ticks>(ticks: &T, from: Second) -> Option<Second> {
    let mut first = None;
    ticks.each(Window { start: from, end: from.saturating_add(edges::LOOK_BACK) }, |t| {
        if t.good > 0 && first.is_none() {
            first = Some(t.second);
        }
    });
    first
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::Tick;

    /// Ten a second; those from 1000 on for `hung` seconds fail `wait` seconds later.
    fn hang(hung: i64, wait: i64) -> Vec<Tick> {
        let hangs = |t: i64| (1000..1000 + hung).contains(&t);
        let tick = |t: i64| Tick {
            second: t,
            good: if hangs(t) { 0 } else { 10 },
            neutral: 0,
            failed: if hangs(t - wait) { 10 } else { 0 },
        };
        (0..2000).map(tick).filter(|t| t.good + t.failed > 0).collect()
    }

    #[test]
    fn the_shift_is_the_wait() {
        for (hung, wait) in [(200, 60), (38, 60), (20, 5), (100, 300)] {
            let first = 1000 + wait;
            let found = waited(&hang(hung, wait)[..], (first, first + hung - 1), hung as u64 * 10, 0);
            assert_eq!(found.map(|w| w.seconds), Some(wait), "{hung} s, after {wait} s");
        }
    }

    #[test]
    fn what_others_missed_had_not_waited() {
        // Refused at once from 1000 to 1100, then twenty seconds that hang for five.
        let tick = |t: i64| {
            let (refused, hangs) = ((1000..1100).contains(&t), |t: i64| (1200..1220).contains(&t));
            let failed = if refused || hangs(t - 5) { 10 } else { 0 };
            Tick { second: t, good: if refused || hangs(t) { 0 } else { 10 }, neutral: 0, failed }
        };
        let ticks: Vec<Tick> = (0..2000).map(tick).collect();
        let seconds = |after| waited(&ticks[..], (1205, 1224), 200, after).map(|w| w.seconds);
        assert_eq!(seconds(1099), Some(5));
    }

    /// nginx is down for half a minute; later a few of a page fail at once.
    #[test]
    fn a_hole_of_all_is_not_that_of_a_few() {
        let tick = |t: i64| {
            let (down, fails) = ((1000..1030).contains(&t), (1158..1233).contains(&t));
            let good = if down { 0 } else { 36 - 3 * u32::from(fails) };
            Tick { second: t, good, neutral: 0, failed: 3 * u32::from(fails) }
        };
        let ticks: Vec<Tick> = (0..2000).map(tick).filter(|t| t.good > 0).collect();
        assert_eq!(waited(&ticks[..], (1158, 1232), 225, 0), None);
    }

    #[test]
    fn what_fails_at_once_waited_for_nothing() {
        assert_eq!(waited(&hang(60, 0)[..], (1000, 1059), 600, 0), None);
    }
}
