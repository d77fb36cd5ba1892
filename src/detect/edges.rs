//! When exactly: the posterior of the change second, and re-dating by the vanishing of successes.
//!
//! The edge is no threshold crossing. Every second is weighed by how well "healthy before, failing from here" explains
//! the counts, averaged over the unknown failing share; that gives the likeliest second and an honest interval at once.

use super::anomaly::{Anomaly, Kind};
use super::waited::{self, waited};
use super::{Tick, Ticks};
use crate::stats::ln_add_exp;
use crate::time::{Second, Window};

/// Failing shares the posterior averages over; half of the prior is on near-total failure.
const SHARES: [f64; 17] =
    [0.02, 0.03, 0.045, 0.07, 0.1, 0.15, 0.22, 0.32, 0.45, 0.6, 0.75, 0.87, 0.94, 0.975, 0.99, 0.997, 0.9995];
const NEAR_TOTAL: usize = 5;

/// Where a change lies. For a start these are seconds; an end is computed in mirrored time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Edge {
    /// The likeliest first bad second.
    pub point: Second,
    /// 2.5 % point.
    pub low: Second,
    /// 97.5 % point.
    pub high: Second,
    /// The share of the weight that lies on the very first second looked at.
    pub at_first: f64,
}

/// What the posterior is computed from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Around<'a> {
    /// Seconds from well before the change to well inside, in rising (mirrored) time.
    pub ticks: &'a [Tick],
    /// (successes, failures) farther inside, which tell the share but not the second.
    pub rest: (f64, f64),
    /// The busy second before the first of `ticks`, if there is one.
    pub before: Option<Second>,
    /// The usual share of failures.
    pub usual: f64,
    /// Requests of one client are not independent.
    pub dispersion: f64,
}

/// The posterior of the second in which the failing begins. `None` without ticks.
pub(crate) fn posterior(around: Around<'_>) -> Option<Edge> {
    let first = around.ticks.first()?;
    let usual = around.usual.clamp(1e-4, 0.95);
    let mut total = vec![f64::NEG_INFINITY; around.ticks.len()];
    for (i, &share) in SHARES.iter().enumerate() {
        let (share, prior) = if i + NEAR_TOTAL >= SHARES.len() {
            (share.max(usual + 0.5 * (1.0 - usual)), 0.5 / NEAR_TOTAL as f64)
        } else if share < 1.3 * usual {
            continue;
        } else {
            (share, 0.5 / (SHARES.len() - NEAR_TOTAL) as f64)
        };
        let failed = (share / usual).ln() / around.dispersion;
        let good = ((1.0 - share) / (1.0 - usual)).ln() / around.dispersion;
        let mut sum = prior.ln() + good * around.rest.0 + failed * around.rest.1;
        for (tick, total) in around.ticks.iter().zip(&mut total).rev() {
            sum += good * f64::from(tick.good) + failed * f64::from(tick.failed);
            *total = ln_add_exp(*total, sum);
        }
    }
    let most = total.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut previous = around.before.unwrap_or(first.second.saturating_sub(1));
    let mut weights = Vec::with_capacity(total.len());
    let (mut point, mut best, mut all) = (first.second, f64::NEG_INFINITY, 0.0);
    for (tick, l) in around.ticks.iter().zip(&total) {
        let w = (l - most).exp() * tick.second.saturating_sub(previous).max(1) as f64;
        weights.push(w);
        all += w;
        if *l > best && tick.failed > 0 {
            (point, best) = (tick.second, *l);
        }
        previous = tick.second;
    }
    let quantile = |q: f64| {
        let (mut sum, mut previous) = (0.0, around.before.unwrap_or(first.second.saturating_sub(1)));
        for (tick, w) in around.ticks.iter().zip(&weights) {
            if sum + w >= q * all {
                let (a, b) = (previous.saturating_add(1), tick.second);
                let part = if *w > 0.0 { (q * all - sum) / w } else { 1.0 };
                return a.saturating_add((b.saturating_sub(a) as f64 * part).round() as i64);
            }
            sum += w;
            previous = tick.second;
        }
        previous
    };
    let (low, high) = (quantile(0.025), quantile(0.975));
    Some(Edge { point, low: low.min(point), high: high.max(point), at_first: weights[0] / all })
}

/// Turns ticks around, so that an end is looked for as a start.
pub(crate) fn mirror(ticks: &mut [Tick]) {
    ticks.reverse();
    for t in ticks {
        t.second = t.second.saturating_neg();
    }
}

/// An edge found by when successes ceased and came back.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Redated {
    /// First second in which successes were missing: one after the last ordinary one, at the earliest.
    pub start: Second,
    /// 95 % interval of the start.
    pub start_interval: (Second, Second),
    /// Last success before the start.
    pub last_good: Option<Second>,
    /// First second in which successes were back; `None` where they never came back.
    pub end: Option<Second>,
    /// 95 % interval of the end.
    pub end_interval: (Second, Second),
    /// How much better the vanishing explains the seconds before the first failure than business as usual does.
    pub evidence_nats: f64,
}

/// How long before its line a request that timed out can have arrived: nginx's default `proxy_read_timeout` is 60 s
/// (`ngx_http_proxy_module.c`), and a `proxy_connect_timeout` may come before it.
const TIMEOUT_REACH: i64 = 90;
/// Seconds in which a success before or after is looked for.
pub(super) const LOOK_BACK: i64 = 600;
/// Seconds counted one by one at most.
const LONGEST: usize = 86_400;

/// Dates a finding by its successes alone: a request that hangs is logged when it times out, up to a minute after the
/// fault began, but the successes it would have been are missing at once.
///
/// `first` and `last` are the seconds of the first and last failure as logged. The rate of successes is taken from the
/// ten minutes before. `None` where they are too few to tell.
pub fn vanished_successes<T: Ticks + ?Sized>(ticks: &T, first: Second, last: Second) -> Option<Redated> {
    // Half of what lies before tells what is usual, where the log has just begun.
    let known = first.saturating_sub(ticks.span()?.start);
    let reach = TIMEOUT_REACH.min(known / 2);
    let reach = Window { start: first.saturating_sub(reach), end: first.saturating_add(1) };
    let before = Window { start: reach.start.saturating_sub(600), end: reach.start };
    let (rate, span, scatter) = success_rate(ticks, before)?;
    let inside = Window { start: first, end: last.saturating_add(1).max(first.saturating_add(1)) };
    let (mut good, mut head) = (0.0, 0.0);
    let head_end = first.saturating_add(60);
    ticks.each(Window { start: first, end: inside.end.min(head_end) }, |t| {
        good += f64::from(t.good);
        head += 1.0;
    });
    let seconds = inside.end.min(head_end).saturating_sub(first).max(1) as f64;
    if span < 60.0 || head == 0.0 {
        return None;
    }
    let rho = (good / (rate * seconds)).clamp(0.02, 0.9);
    // Requests come in bunches: what is missing is divided by the scatter of the seconds before.
    let weigh = |c: f64| (c * rho.ln() + rate * (1.0 - rho)) / scatter;
    let (start, start_interval, evidence) = vanish(&per_second(ticks, reach, false), reach.start, weigh);
    let back = Window { start: last.saturating_sub(TIMEOUT_REACH).max(first), end: last.saturating_add(6) };
    let (end, end_interval, _) = vanish(&per_second(ticks, back, true), 0, weigh);
    let turned = |t: Second| back.end.saturating_sub(t);
    let mut last_good = None;
    ticks.each(Window { start: before.start, end: start }, |t| {
        if t.good > 0 {
            last_good = Some(t.second);
        }
    });
    let returned = turned(end) < back.end;
    Some(Redated {
        start,
        start_interval,
        last_good,
        end: returned.then(|| turned(end)),
        end_interval: (turned(end_interval.1), turned(end_interval.0)),
        evidence_nats: evidence,
    })
}

/// Successes a second over a window, the seconds it spans, and their scatter against a Poisson stream.
fn success_rate<T: Ticks + ?Sized>(ticks: &T, window: Window) -> Option<(f64, f64, f64)> {
    let mut tens = [0.0f64; 60];
    let (mut good, mut first) = (0.0, None);
    ticks.each(window, |t| {
        first.get_or_insert(t.second);
        good += f64::from(t.good);
        let at = window.end.saturating_sub(1).saturating_sub(t.second) / 10;
        if let Some(ten) = usize::try_from(at).ok().and_then(|at| tens.get_mut(at)) {
            *ten += f64::from(t.good);
        }
    });
    let span = window.end.saturating_sub(first?).max(1) as f64;
    let full = &tens[..((span / 10.0) as usize).clamp(1, 60)];
    let mean = full.iter().sum::<f64>() / full.len() as f64;
    let variance = full.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / full.len() as f64;
    (good >= 10.0).then(|| (good / span, span, (variance / mean.max(0.1)).clamp(1.0, 10.0)))
}

pub(super) fn per_second<T: Ticks + ?Sized>(ticks: &T, window: Window, mirrored: bool) -> Vec<f64> {
    let mut counts =
        vec![0.0; usize::try_from(window.end.saturating_sub(window.start)).unwrap_or(0).min(LONGEST)];
    let last = counts.len().saturating_sub(1);
    ticks.each(window, |t| {
        if let Ok(at) = usize::try_from(t.second.saturating_sub(window.start))
            && at <= last
        {
            counts[if mirrored { last - at } else { at }] += f64::from(t.good);
        }
    });
    counts
}

/// The index from which on successes are missing until the end of `counts`, as a second from `origin`; its interval;
/// the evidence that they are missing from there.
fn vanish(counts: &[f64], origin: Second, weigh: impl Fn(f64) -> f64) -> (Second, (Second, Second), f64) {
    let mut sums = vec![0.0; counts.len() + 1];
    for i in (0..counts.len()).rev() {
        sums[i] = sums[i + 1] + weigh(counts[i]);
    }
    let most = sums.iter().copied().fold(f64::MIN, f64::max);
    let best = sums.iter().position(|s| *s == most).unwrap_or(counts.len());
    let weights: Vec<f64> = sums.iter().map(|s| (s - most).exp()).collect();
    let all: f64 = weights.iter().sum();
    let quantile = |q: f64| {
        let mut sum = 0.0;
        weights.iter().position(|w| {
            sum += w;
            sum >= q * all
        })
    };
    let at = |i: usize| origin.saturating_add(i as i64);
    let low = quantile(0.025).unwrap_or(best).min(best);
    let high = quantile(0.975).unwrap_or(best).max(best);
    (at(best), (at(low), at(high)), most)
}

/// Re-dates failing anomalies of a log that does not tell when requests arrived.
///
/// The start moves only where the successes were clearly missing before the first failure: when failures are logged
/// at once, successes end with them and nothing moves. The end moves only where they are timeouts in the main.
/// Silences in which requests waited that timed out later are none: nothing stayed away.
pub(crate) fn redate<T: Ticks>(ticks: &T, timed_out: &dyn Fn(Window) -> bool, anomalies: &mut Vec<Anomaly>) {
    // What was missing while others failed had not waited.
    let mut over = Second::MIN;
    for a in anomalies.iter_mut().filter(|a| a.kind == Kind::Failing) {
        let earliest = over;
        over = over.max(a.last_bad);
        let timed_out = timed_out(Window { start: a.first_bad, end: a.last_bad.saturating_add(1) });
        if a.failed_share().is_none_or(|s| s < 0.5 && !timed_out) {
            continue;
        }
        let by = vanished_successes(ticks, a.first_bad, a.last_bad);
        let waited =
            if timed_out { waited(ticks, (a.first_bad, a.last_bad), a.failed, earliest) } else { None };
        // Where all waited alike the shift explains both edges, so it explains more.
        if let Some(waited) = waited.filter(|w| by.is_none_or(|by| w.evidence_nats >= by.evidence_nats)) {
            waited::apply(ticks, a, waited);
            continue;
        }
        let Some(by) = by else { continue };
        let enough = if timed_out { 3.0 } else { 13.0 };
        if !a.open_start && earliest < by.start && by.start < a.start && by.evidence_nats >= enough {
            a.start = by.start;
            a.start_interval = by.start_interval;
            a.last_good_before = by.last_good.or(a.last_good_before);
            let good =
                by.last_good.filter(|g| *g < by.start).unwrap_or(by.start_interval.0.saturating_sub(1));
            a.start_bounds =
                (good.min(by.start_interval.0.saturating_sub(1)), by.start.max(by.start_interval.1));
            if let Some(phase) = a.phases.first_mut() {
                phase.start = by.start;
            }
            a.waited = timed_out.then(|| a.first_bad.saturating_sub(by.start));
        }
        // Where most went well all through, successes do not come back with the end but with any rise of the traffic. The
        // wait that ends it early must have begun it early too.
        let reach = match (a.failed_share().is_some_and(|s| s < 0.5), a.waited) {
            (true, Some(_)) => a.first_bad.saturating_sub(by.start_interval.0),
            (true, None) => 0,
            (false, _) => TIMEOUT_REACH,
        };
        if timed_out
            && !a.open_end
            && let (Some(end), Some(by_end)) = (a.end, by.end)
            && by_end < end
            && by_end > a.start
            && end.saturating_sub(by_end) <= reach
        {
            a.end = Some(by_end);
            a.end_interval = by.end_interval;
            a.end_bounds = (by.end_interval.0.min(by_end), by.end_interval.1.max(by_end));
            a.phases.retain(|p| p.start < by_end);
            if let Some(phase) = a.phases.last_mut() {
                phase.end = phase.end.min(by_end).max(phase.start.saturating_add(1));
            }
        }
    }
    let waiting: Vec<Window> = anomalies.iter().filter(|a| a.waited.is_some()).map(Anomaly::span).collect();
    waited::leave_out(anomalies, &waiting);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tick(second: i64, good: u32, failed: u32) -> Tick {
        Tick { second, good, failed, neutral: 0 }
    }

    fn start(ticks: &[Tick]) -> Edge {
        let around = Around { ticks, rest: (0.0, 0.0), before: None, usual: 0.001, dispersion: 1.25 };
        posterior(around).unwrap()
    }

    #[test]
    fn a_sharp_edge_has_no_width() {
        let ticks: Vec<_> = (0..60).map(|t| if t < 30 { tick(t, 10, 0) } else { tick(t, 0, 10) }).collect();
        let edge = start(&ticks);
        assert_eq!((edge.point, edge.low, edge.high), (30, 30, 30));
        assert!(edge.at_first < 1e-6);
    }

    #[test]
    fn at_low_rates_the_pause_before_the_first_failure_is_the_interval() {
        let ticks: Vec<_> =
            (0..40).map(|i| if i < 20 { tick(i * 8, 1, 0) } else { tick(i * 8, 0, 1) }).collect();
        let edge = start(&ticks);
        assert_eq!(edge.point, 160);
        assert!(edge.low <= 154 && edge.high == 160, "{edge:?}");
    }

    #[test]
    fn a_log_that_begins_failing_is_open() {
        let ticks: Vec<_> = (0..30).map(|t| tick(t, 0, 5)).collect();
        assert!(start(&ticks).at_first > 0.05);
    }

    #[test]
    fn a_hang_is_dated_by_its_successes() {
        // Ten successes a second until 1000; then nothing but timeouts 60 s later; recovery at 1200.
        let mut ticks = Vec::new();
        for t in 0..2000 {
            let hung = (1000..1200).contains(&t);
            let failed = if (1060..1260).contains(&t) { 10 } else { 0 };
            ticks.push(tick(t, if hung { 0 } else { 10 }, failed));
        }
        let by = vanished_successes(&ticks[..], 1060, 1259).unwrap();
        assert_eq!((by.start, by.end, by.last_good), (1000, Some(1200), Some(999)));
        // A failure that shows at once moves nothing.
        let sharp: Vec<_> = (0..2000)
            .map(|t| if (1000..1200).contains(&t) { tick(t, 0, 10) } else { tick(t, 10, 0) })
            .collect();
        let by = vanished_successes(&sharp[..], 1000, 1199).unwrap();
        assert_eq!((by.start, by.end), (1000, Some(1200)));
    }
}
