//! Waves of 499 in a log without request times.
//!
//! A client that goes away is ordinary, and how long it had waited is not told. But when many clients of a site go away
//! at once, what they waited for did not come.

use super::again::Looks;
use super::host::{Counted, Host};
use super::incident::window;
use super::one_client;
use crate::detect::{self, Anomaly, Detection, Kind};
use crate::time::Second;
use crate::timeline::Class;
use std::collections::HashSet;

/// Stretches looked at, the most evident first.
const CANDIDATES: usize = 8;
/// So large a share of all requests must be given up,
const SHARE: f64 = 0.15;
/// by so many clients.
const CLIENTS: usize = 5;
/// A start moves to where successes vanished when that is so evident, in nats.
const VANISHED: f64 = 13.0;

/// Adds the waves to a detection, of the stretches in which more than usual was given up.
pub(super) fn find(host: &Host<'_>, looks: &mut Looks, mut waves: Vec<Anomaly>, found: &mut Detection) {
    waves.retain(|w| w.failed_share().is_some_and(|s| s >= SHARE));
    waves.sort_by(|a, b| b.evidence_nats.total_cmp(&a.evidence_nats).then(a.start.cmp(&b.start)));
    waves.truncate(CANDIDATES);
    // What is missing while others fail or are given up did not wait.
    let failing = found.anomalies.iter().filter(|a| a.kind == Kind::Failing);
    let lasts: Vec<Second> = waves.iter().chain(failing).map(|a| a.last_bad).collect();
    let before =
        |a: &Anomaly| lasts.iter().copied().filter(|last| *last < a.first_bad).max().unwrap_or(Second::MIN);
    for mut wave in waves {
        let harder = found.anomalies.iter().any(|a| window(a).overlaps(window(&wave)));
        let Some(look) = looks.at(host, window(&wave)).filter(|_| !harder) else { continue };
        let aborted = |a: &super::again::Answer| a.class == Class::Aborted;
        let out: HashSet<u64> = one_client::worst(look, aborted).into_iter().map(|w| w.0).collect();
        let clients: HashSet<u64> =
            look.inside().filter(|a| aborted(a) && !out.contains(&a.client)).map(|a| a.client).collect();
        if clients.len() < CLIENTS {
            continue;
        }
        let after = before(&wave);
        if !detect::date_by_wait(&Counted::of(host), &mut wave, after) {
            date(host, &mut wave, after);
        }
        wave.kind = Kind::Slow;
        for p in &mut wave.phases {
            p.kind = Kind::Slow;
        }
        // Those who waited were silent, and did not stay away.
        let waiting = [wave.span()];
        detect::leave_out(&mut found.anomalies, &waiting);
        found.anomalies.push(wave);
    }
}

/// Clients go away after they waited: the trouble began when answers ceased to come.
fn date(host: &Host<'_>, wave: &mut Anomaly, after: Second) {
    let Some(by) = detect::vanished_successes(&Counted::of(host), wave.first_bad, wave.last_bad) else {
        return;
    };
    if wave.open_start || by.start >= wave.start || by.start <= after || by.evidence_nats < VANISHED {
        return;
    }
    wave.start = by.start;
    wave.start_interval = by.start_interval;
    let good = by.last_good.filter(|g| *g < by.start).unwrap_or(by.start_interval.0 - 1);
    wave.start_bounds = (good.min(by.start_interval.0 - 1), by.start.max(by.start_interval.1));
    wave.last_good_before = by.last_good;
    if let Some(p) = wave.phases.first_mut() {
        p.start = by.start;
    }
}
