//! Accuracy on random logs: nothing on healthy ones, everything that is severe and evident, edges to the second.

use super::simulator::{Log, Random};
use super::{Scene, run};
use crate::detect::{Options, Tick};
use crate::stats::bernoulli_kl;

#[test]
fn healthy_logs_are_silent() {
    let mut seed = 1;
    for (rate, days) in [(0.1, 3), (0.5, 2), (2.0, 1), (10.0, 1), (60.0, 1), (300.0, 1)] {
        for (background, session) in [(0.0, 1.0), (0.001, 2.0), (0.005, 3.0), (0.02, 2.0)] {
            seed += 1;
            let log = Log { background, session, day_curve: true, ..Log::new(seed, days * 86_400, rate) };
            let found = run(&log.ticks());
            assert!(found.anomalies.is_empty(), "{log:?}: {:#?}", found.anomalies);
        }
    }
}

/// A random fault in a random log of a few hours, as far as it is material.
fn random(seed: u64, severe: bool) -> Log {
    let mut r = Random(seed.wrapping_mul(7919));
    let rates = [0.1, 0.3, 1.0, 3.0, 10.0, 50.0, 200.0, 1000.0];
    let backgrounds = [0.0, 0.001, 0.005, 0.02];
    let rate = rates[(r.next() % rates.len() as u64) as usize];
    let seconds = if rate < 1.0 { 43_200 } else { 14_400 };
    let length = (10.0 * 360f64.powf(r.share())) as i64;
    let start = r.between(0.1 * seconds as f64, 0.9 * seconds as f64 - length as f64) as i64;
    let share = if severe { r.between(0.2, 1.0f64.next_up()) } else { r.between(0.05, 0.2) };
    let share = if severe && r.share() < 0.4 { 1.0 } else { share.min(1.0) };
    let traffic = r.between(0.5, 1.0);
    Log {
        background: backgrounds[(r.next() % 4) as usize],
        session: 1.0 + (r.next() % 3) as f64,
        day_curve: r.share() < 0.5,
        ..Log::new(seed, seconds, rate)
    }
    .with(start, start + length, share, traffic)
}

/// The evidence of one who knows the true interval, divided by the dispersion of requests.
fn evident(log: &Log, ticks: &[Tick]) -> (f64, f64) {
    let f = log.faults[0];
    let inside = |t: &&Tick| (f.start..f.end).contains(&(t.second - log.origin));
    let (n, k) = ticks
        .iter()
        .filter(inside)
        .fold((0.0, 0.0), |(n, k), t| (n + f64::from(t.good + t.failed), k + f64::from(t.failed)));
    let nats = if n > 0.0 { n * bernoulli_kl(k / n, log.background.max(0.001)) / 2.5 } else { 0.0 };
    (nats, nats / (f.end - f.start) as f64)
}

#[test]
fn what_is_severe_and_evident_is_found_and_dated() {
    let (mut due, mut missed, mut split, mut other) = (0, Vec::new(), 0, Vec::new());
    let (mut edges, mut exact, mut covered) = (0, 0, 0);
    for seed in 1..=90 {
        let log = random(seed, true);
        let ticks = log.ticks();
        let (nats, per_second) = evident(&log, &ticks);
        if nats < 25.0 {
            continue;
        }
        due += 1;
        let fault = log.faults[0];
        let (from, to) = (log.origin + fault.start, log.origin + fault.end);
        let found = run(&ticks);
        let hits: Vec<_> =
            found.anomalies.iter().filter(|a| a.start < to + 60 && a.end_or_last() > from - 60).collect();
        if found.anomalies.len() > hits.len() {
            other.push((log.clone(), found.clone()));
        }
        let Some(hit) = hits.first() else {
            missed.push((seed, nats, log, found));
            continue;
        };
        split += hits.len() - 1;
        for (at, truth, interval) in
            [(hit.start, from, hit.start_interval), (hit.end_or_last(), to, hit.end_interval)]
        {
            edges += 1;
            let error = (at - truth).abs() as f64;
            exact += i32::from(error <= (25.0 / per_second).max(1.0));
            covered += i32::from(interval.0 <= truth && truth <= interval.1);
        }
    }
    assert!(due > 60, "{due}");
    assert!(missed.is_empty(), "missed: {missed:#?} of {due}");
    assert!(split == 0 && other.is_empty(), "{split} splits; findings elsewhere: {other:#?}");
    assert!(f64::from(exact) >= 0.95 * f64::from(edges), "{exact} of {edges} edges");
    assert!(f64::from(covered) >= 0.90 * f64::from(edges), "{covered} of {edges} intervals");
}

#[test]
fn silence_is_found_from_six_seconds_on() {
    let (mut due, mut exact, mut edges) = (0, 0, 0);
    for seed in 2000..2036 {
        let mut r = Random(seed);
        let rate = [10.0, 30.0, 200.0][(seed % 3) as usize];
        let length = (6.0 * 50f64.powf(r.share())) as i64;
        let start = r.between(600.0, 3000.0 - length as f64) as i64;
        let log = Log { session: 1.0 + (seed % 2) as f64, background: 0.001, ..Log::new(seed, 3600, rate) }
            .with(start, start + length, 0.0, 0.0);
        due += 1;
        let found = run(&log.ticks()).anomalies;
        assert_eq!(found.len(), 1, "{log:?}: {found:#?}");
        for (at, truth) in
            [(found[0].start, log.origin + start), (found[0].end_or_last(), log.origin + start + length)]
        {
            edges += 1;
            exact += i32::from((at - truth).abs() <= 1);
        }
    }
    assert!(due == 36 && f64::from(exact) >= 0.95 * f64::from(edges), "{exact} of {edges}");
}

#[test]
fn traffic_that_falls_to_a_tenth_is_mostly_found() {
    let (mut due, mut seen) = (0, 0);
    for seed in 3000..3030 {
        let mut r = Random(seed);
        let rate = [2.0, 10.0, 50.0][(seed % 3) as usize];
        let (start, length) = (r.between(2000.0, 4000.0) as i64, r.between(120.0, 1200.0) as i64);
        let left = r.between(0.02, 0.1);
        let log = Log { session: 2.0, ..Log::new(seed, 7200, rate) }.with(start, start + length, 0.0, left);
        due += 1;
        let found = run(&log.ticks()).anomalies;
        let (from, to) = (log.origin + start, log.origin + start + length);
        seen += i32::from(found.iter().any(|a| a.start < to && a.end_or_last() > from));
        assert!(
            found.iter().all(|a| a.start < to + 60 && a.end_or_last() > from - 60),
            "{log:?}: {found:#?}"
        );
    }
    assert!(f64::from(seen) >= 0.9 * f64::from(due), "{seen} of {due}");
}

/// A hang of two minutes behind a timeout of one, in a log without request times, dated by the successes that vanish.
#[test]
fn timeouts_are_dated_to_the_second_without_request_times() {
    let (mut exact, mut edges) = (0, 0);
    for seed in 4000..4020 {
        let rate = [3.0, 30.0][(seed % 2) as usize];
        let mut ticks = Log::new(seed, 3600, rate).ticks();
        let origin = ticks[0].second;
        let hung: Vec<Tick> =
            ticks.iter().filter(|t| (1500..1620).contains(&(t.second - origin))).copied().collect();
        for t in &mut ticks {
            if (1500..1620).contains(&(t.second - origin)) {
                t.good = 0;
            }
        }
        for h in hung {
            match ticks.binary_search_by_key(&(h.second + 60), |t| t.second) {
                Ok(i) => ticks[i].failed += h.good,
                Err(i) => {
                    ticks.insert(i, Tick { second: h.second + 60, good: 0, neutral: 0, failed: h.good });
                }
            }
        }
        ticks.retain(|t| t.good + t.failed > 0);
        let options = Options { arrival_known: false, ..Options::default() };
        let found = Scene { options, timed_out: true, ..Scene::default() }.run(Some(&ticks)).anomalies;
        assert_eq!(found.len(), 1, "{seed}: {found:#?}");
        for (at, truth) in [(found[0].start - origin, 1500), (found[0].end_or_last() - origin, 1620)] {
            edges += 1;
            exact += i32::from((at - truth).abs() <= 1);
        }
    }
    assert!(f64::from(exact) >= 0.9 * f64::from(edges), "{exact} of {edges}");
}

#[test]
fn partial_failures_are_mostly_found() {
    let (mut due, mut seen) = (0, 0);
    for seed in 1000..1050 {
        let log = random(seed, false);
        let ticks = log.ticks();
        let fault = log.faults[0];
        if evident(&log, &ticks).0 < 25.0 || fault.share < 5.0 * log.background {
            continue;
        }
        due += 1;
        let (from, to) = (log.origin + fault.start, log.origin + fault.end);
        seen += i32::from(run(&ticks).anomalies.iter().any(|a| a.start < to && a.end_or_last() > from));
    }
    assert!(due > 12 && f64::from(seen) >= 0.9 * f64::from(due), "{seen} of {due}");
}

#[test]
fn a_shift_in_time_shifts_the_findings() {
    for seed in [3, 17, 40] {
        let log = random(seed, true);
        let ticks = log.ticks();
        let moved: Vec<Tick> = ticks.iter().map(|t| Tick { second: t.second - 98_765, ..*t }).collect();
        let (a, b) = (run(&ticks).anomalies, run(&moved).anomalies);
        assert_eq!(a.len(), b.len());
        for (a, b) in a.iter().zip(&b) {
            assert_eq!((a.start - 98_765, a.end.map(|e| e - 98_765)), (b.start, b.end));
            assert_eq!((a.failed, a.requests, a.phases.len()), (b.failed, b.requests, b.phases.len()));
        }
    }
}

#[test]
fn healthy_days_far_away_change_nothing() {
    let log = Log::new(9, 7200, 5.0).with(3000, 3300, 1.0, 1.0);
    let here = run(&log.ticks()).anomalies;
    let mut long = Log { background: 0.001, ..Log::new(10, 3 * 86_400, 5.0) }.ticks();
    for t in &mut long {
        t.second -= 3 * 86_400;
    }
    long.extend(log.ticks());
    let there = run(&long).anomalies;
    assert_eq!((here.len(), there.len()), (1, 1));
    assert_eq!((here[0].start, here[0].end), (there[0].start, there[0].end));
}

/// How exact the edges are and how honest their intervals, by the rate of evidence; to be run by hand:
/// `cargo test --release --lib figures -- --ignored --nocapture`.
#[test]
#[ignore = "prints figures and takes long"]
#[allow(clippy::print_stdout, reason = "this is what it is for")]
fn figures() {
    let mut bins: [Vec<(f64, bool, f64)>; 4] = std::array::from_fn(|_| Vec::new());
    for seed in 5000..5200 {
        let log = random(seed, seed % 2 == 0);
        let ticks = log.ticks();
        let (nats, per_second) = evident(&log, &ticks);
        if nats < 25.0 {
            continue;
        }
        let fault = log.faults[0];
        let (from, to) = (log.origin + fault.start, log.origin + fault.end);
        let found = run(&ticks);
        let Some(hit) = found.anomalies.iter().find(|a| a.start < to && a.end_or_last() > from) else {
            continue;
        };
        let bin = [30.0, 3.0, 0.3].iter().position(|least| per_second >= *least).unwrap_or(3);
        for (at, truth, interval) in
            [(hit.start, from, hit.start_interval), (hit.end_or_last(), to, hit.end_interval)]
        {
            let covered = interval.0 <= truth && truth <= interval.1;
            bins[bin].push(((at - truth).abs() as f64, covered, (interval.1 - interval.0) as f64));
        }
    }
    for (name, mut edges) in [">= 30", "3 - 30", "0.3 - 3", "< 0.3"].into_iter().zip(bins) {
        edges.sort_by(|a, b| a.0.total_cmp(&b.0));
        let n = edges.len();
        let covered = edges.iter().filter(|e| e.1).count();
        let width = edges.iter().map(|e| e.2).sum::<f64>() / n.max(1) as f64;
        let at = |q: f64| edges.get((q * n as f64) as usize).map_or(0.0, |e| e.0);
        println!(
            "{name:8} nats/s: {n:4} edges, error {:.0} / {:.0} s, covered {covered}, width {width:.1} s",
            at(0.5),
            at(0.95)
        );
    }
}
