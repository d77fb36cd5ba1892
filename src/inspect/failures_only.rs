//! Access logs that keep failed requests only.
//!
//! nginx writes what `access_log ... if=` lets through (`ngx_http_log_module.c`), and the example of its documentation
//! leaves out what was answered well. In such a log every request that counts has failed, so a share says nothing; what
//! tells an outage is how many fail in a time. Each second is then so many trials that went well, against which its
//! failures are counted.
//!
//! A log of an outage in which nothing was answered looks alike, but for the clients' own errors: what is asked for and
//! does not exist, and what clients give up, is written in quiet times too where only failures are kept. Where not even
//! that is written, the traffic tells: it goes on while it fails, and does not come and go by an order of magnitude.

use super::host::Host;
use crate::clock;
use crate::detect::{Anomaly, Detection, Kind};
use crate::time::Window;
use crate::timeline::Timeline;

/// Fewer lines tell nothing about what is kept.
const LEAST_LINES: u64 = 50;
/// One good answer in so many lines is a slip, and no traffic.
const ONE_GOOD_IN: u64 = 200;
/// Blocks of time that have a voice each.
const BLOCKS: i64 = 64;
/// The part of the lines of an ordinary block that are clients' own errors.
const CLIENTS_OWN: f64 = 0.2;
/// A block in which so many times as many clients failed as there are failures in an ordinary one is no swing of traffic, and
/// no retries of a few.
const UNEVEN: f64 = 10.0;
/// Trials for each failure that an ordinary second holds.
const TRIALS: f64 = 20.0;

/// How many trials a second stands for, where the log keeps failures only. `clients` counts those that met failures in a
/// stretch of time.
pub(super) fn trials(timeline: &Timeline, clients: impl Fn(Window) -> u64) -> Option<u32> {
    let span = timeline.span()?;
    let seconds = (span.end - span.start).max(1);
    let length = seconds / BLOCKS + 1;
    // Nearly every log is told by its first lines.
    let mut good = 0;
    let first = Window { start: span.start, end: span.start.saturating_add(length.min(600)) };
    timeline.each_outcome(first, |o| good += u64::from(o.good));
    if good > 0 {
        return None;
    }
    let mut blocks = vec![(0u64, 0u64); ((seconds - 1) / length + 1) as usize];
    let mut lines = 0;
    timeline.each_outcome(span, |o| {
        if let Some(block) = blocks.get_mut(((o.second - span.start) / length) as usize) {
            block.0 += u64::from(o.neutral);
            block.1 += u64::from(o.failed);
        }
        good += u64::from(o.good);
        lines += u64::from(o.good) + u64::from(o.neutral) + u64::from(o.failed);
    });
    if lines < LEAST_LINES || good * ONE_GOOD_IN > lines {
        return None;
    }
    let mut own: Vec<f64> = blocks
        .iter()
        .filter(|(neutral, failed)| neutral + failed > 0)
        .map(|(neutral, failed)| *neutral as f64 / (neutral + failed) as f64)
        .collect();
    let mut failing: Vec<f64> = blocks.iter().map(|b| b.1 as f64 / length as f64).collect();
    let busiest = blocks.iter().zip(0..).max_by_key(|(b, _)| b.1).filter(|(b, _)| b.1 >= LEAST_LINES);
    let ordinary = crate::stats::median(&mut own)?;
    let usual = crate::stats::median(&mut failing)?;
    let uneven = busiest.is_some_and(|(_, at)| {
        let start = span.start + at * length;
        clients(Window { start, end: start + length }) as f64 > UNEVEN * usual * length as f64
    });
    (ordinary >= CLIENTS_OWN || uneven).then(|| (TRIALS * usual).ceil().clamp(1.0, 1e6) as u32)
}

/// Takes the trials out of what was counted against them: no good answer was seen.
pub(super) fn uncount(host: &Host<'_>, found: &mut Detection) {
    if host.trials.is_none() {
        return;
    }
    for a in found.anomalies.iter_mut().filter(|a| a.kind == Kind::Failing) {
        a.requests = a.failed;
        (a.last_good_before, a.first_good_after) = (None, None);
        a.phases.iter_mut().filter(|p| p.kind == Kind::Failing).for_each(|p| p.requests = p.failed);
    }
    found.remarks.iter_mut().filter(|r| r.kind == Kind::Failing).for_each(|r| r.requests = 0);
}

/// The sentence of a log that keeps failures only, or may do so; `None` where the log keeps what was answered well.
pub(super) fn why(host: &Host<'_>, a: &Anomaly) -> Option<String> {
    if a.kind != Kind::Failing {
        return None;
    }
    let failed = clock::count_of(a.failed, "request");
    let Some(trials) = host.trials else {
        let nothing_good = a.failed == a.requests && a.open_end && !has_good(&host.timeline);
        return nothing_good.then(|| {
            format!(
                "all {failed} failed; no line of the log is of a request that was answered well: none was, or the log \
                 keeps failed requests only"
            )
        });
    };
    let hourly = a.usual_share / (1.0 - a.usual_share).max(0.01) * f64::from(trials) * 3600.0;
    let usual = match hourly {
        n if n >= 3600.0 => format!("{:.0} a second", n / 3600.0),
        n if n >= 60.0 => format!("{:.0} a minute", n / 60.0),
        n => format!("{:.0} an hour", n.ceil()),
    };
    Some(format!(
        "{failed} failed in {}, usually at most {usual}; the log keeps failed requests only, so of how many is not known",
        clock::duration((a.end_or_last() - a.start) * 1000),
    ))
}

fn has_good(timeline: &Timeline) -> bool {
    let mut good = false;
    if let Some(span) = timeline.span() {
        timeline.each_outcome(span, |o| good |= o.good > 0);
    }
    good
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::{CLASSES, Class, Collected};

    /// An hour with `good`, `missing` and `failing` requests in a second.
    fn log(good: fn(i64) -> bool, missing: fn(i64) -> bool, failing: fn(i64) -> bool) -> Option<u32> {
        let mut collected = Collected::default();
        for t in 0..3600 {
            let second = 1_700_000_000 + t;
            let mut counts = [0; CLASSES];
            counts[Class::Ok as usize] = u16::from(good(t));
            counts[Class::Missing as usize] = u16::from(missing(t));
            counts[Class::ServerError as usize] = u16::from(failing(t));
            collected.runs.push((second, counts));
            collected.failed.extend(failing(t).then_some((second, 1)));
        }
        let mut timeline = Timeline::default();
        timeline.absorb(&mut collected);
        trials(&timeline, |_| 60)
    }

    #[test]
    fn logs_of_failures_are_told_from_others() {
        assert_eq!(log(|_| false, |t| t % 7 == 0, |t| (1000..1060).contains(&t)), Some(1));
        // Ordinary traffic, also where it begins with an outage.
        assert_eq!(log(|_| true, |t| t % 7 == 0, |t| (1000..1060).contains(&t)), None);
        assert_eq!(log(|t| t > 1000, |t| t % 7 == 0, |t| t <= 1000), None);
        // An outage from end to end: nothing else is answered either.
        assert_eq!(log(|_| false, |_| false, |_| true), None);
        assert_eq!(log(|_| false, |t| t % 50 == 0, |t| t % 2 == 0), None);
        // Nothing but 5xx is kept: three minutes of them, and a few all the time.
        assert_eq!(log(|_| false, |_| false, |t| (1000..1200).contains(&t) || t % 300 == 0), Some(1));
    }
}
