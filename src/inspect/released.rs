//! The end of what hung, told by the requests that still waited when it went on.
//!
//! Failures by timeout are dated by when their requests came; the last of them came a whole wait before the fault ended,
//! and those after it waited and were answered: with 200, and late. When what hung goes on it answers all of them at
//! once: their lines lie together, and their arrivals do not.

use super::again::{Answer, Look, Looks};
use super::host::Host;
use super::incident::window;
use crate::detect::{Anomaly, AnomalyPhase, Detection, Kind, Slowness};
use crate::stats::median;
use crate::time::{Second, Window};

/// Failures that took shorter, half of them, were no timeouts, in milliseconds;
const WAITED_MS: f64 = 2000.0;
/// and so long took what waited for part of it.
const LATE_MS: u32 = 1000;
/// So many requests must have been let go,
const LEAST: usize = 4;
/// within so many seconds, what comes later being other late answers,
const TOGETHER: i64 = 1;
/// the greater part of all that were late,
const PART: f64 = 0.8;
/// having come over a time this many times as long.
const SPREAD: i64 = 3;

/// Moves the end of failing that was waiting to when the rest was answered.
pub(super) fn date(host: &Host<'_>, looks: &mut Looks, found: &mut Detection) {
    if !host.arrival_known() {
        return;
    }
    for a in found.anomalies.iter_mut().filter(|a| a.kind == Kind::Failing && !a.open_end) {
        let Some(end) = a.end.filter(|_| a.phases.last().is_some_and(|p| p.kind == Kind::Failing)) else {
            continue;
        };
        if let Some(rest) = looks.of(host, window(a), a.within).and_then(|look| rest(look, a, end)) {
            a.phases.push(AnomalyPhase {
                kind: Kind::Slow,
                start: end,
                end: rest.end,
                requests: rest.requests,
                failed: rest.late,
            });
            a.end = Some(rest.end);
            a.end_bounds = (rest.end.saturating_sub(1), rest.let_go.saturating_add(TOGETHER));
            a.end_interval = (rest.end, a.end_bounds.1);
            a.slow.get_or_insert(rest.slow);
            a.first_good_after = a.first_good_after.map(|s| s.max(rest.end));
        }
    }
}

/// The requests that came after the last that failed, and waited.
struct Rest {
    /// The second behind the last in which one came that waited.
    end: Second,
    /// The one in which they were answered.
    let_go: Second,
    /// All that came meanwhile, and those that waited.
    requests: u64,
    late: u64,
    slow: Slowness,
}

fn rest(look: &Look, a: &Anomaly, end: Second) -> Option<Rest> {
    let own = |x: &&Answer| a.within.is_none_or(|name| x.names.contains(&name));
    let mut took: Vec<f64> =
        look.inside().filter(own).filter(|x| x.failed).filter_map(|x| x.took.map(f64::from)).collect();
    let wait = median(&mut took).filter(|ms| *ms >= WAITED_MS)?;
    let until = end.saturating_add((wait / 1000.0).ceil() as i64);
    let waited = |x: &&Answer| x.took.is_some_and(|ms| ms >= LATE_MS) && x.good();
    let after = || look.answers.iter().filter(own).filter(|x| (end..until).contains(&x.arrived()));
    let late: Vec<&Answer> = after().filter(waited).collect();
    let mut ends: Vec<Second> = late.iter().map(|x| x.ended()).collect();
    ends.sort_unstable();
    let let_go = *ends.get(ends.len() / 2)?;
    let together: Vec<&&Answer> = late.iter().filter(|x| (x.ended() - let_go).abs() <= TOGETHER).collect();
    let (first, last) = together
        .iter()
        .fold((Second::MAX, Second::MIN), |(first, last), x| (first.min(x.arrived()), last.max(x.arrived())));
    let stands = together.len() >= LEAST
        && together.len() as f64 >= PART * late.len() as f64
        && last.saturating_sub(first) >= SPREAD * TOGETHER;
    if !stands {
        return None;
    }
    let times = |of: &mut dyn Iterator<Item = &Answer>| -> Vec<f64> {
        of.filter_map(|x| x.took.map(f64::from)).collect()
    };
    let meanwhile = Window { start: end, end: last.saturating_add(1) };
    let mut came = times(&mut after().filter(|x| meanwhile.contains(x.arrived())));
    let mut usual = times(&mut look.outside().filter(own).filter(|x| x.arrived() < a.start));
    came.sort_unstable_by(f64::total_cmp);
    let (requests, late) = (came.len() as u64, together.len() as u64);
    let slow = Slowness {
        limit_ms: LATE_MS,
        usual_ms: median(&mut usual).unwrap_or_default(),
        median_ms: median(&mut came).unwrap_or_default(),
        p90_ms: came.get(came.len() * 9 / 10).copied().unwrap_or_default(),
        late_ms: median(&mut times(&mut together.iter().map(|x| **x))).unwrap_or_default(),
        slow: late,
        aborted: 0,
        timed: requests,
    };
    Some(Rest { end: meanwhile.end, let_go: let_go.max(last), requests, late, slow })
}
