use super::arrivals::Timed;
use super::*;
use crate::detect::tests::Random;
use crate::timeline::{Collected, bucket};

/// A log of an hour with lognormal latencies about `base(t)` milliseconds, and a share of requests for small files.
fn timed(seed: u64, rate: f64, small: f64, base: impl Fn(i64) -> f64) -> (Timeline, Window) {
    let mut r = Random(seed);
    let span = Window { start: 1_700_000_000, end: 1_700_003_600 };
    let mut collected = Collected::default();
    for second in span.start..span.end {
        for _ in 0..r.poisson(rate) {
            let ms =
                if r.share() < small { 1.0 } else { base(second - span.start) * (0.5 * r.normal()).exp() };
            let mut latencies = [0; BUCKETS];
            latencies[bucket(ms as u32)] = 1;
            collected.latencies.push((second + ms as i64 / 1000, latencies));
        }
    }
    let mut timeline = Timeline::default();
    timeline.absorb(&mut collected);
    (timeline, Window { start: span.start, end: span.end + 1 })
}

fn found(timeline: &Timeline, span: Window) -> Vec<Anomaly> {
    let looked = usual(timeline, span).unwrap();
    find(&looked, Failing::default(), &Options::default(), None).anomalies
}

#[test]
fn what_a_cache_answers_does_not_make_the_rest_slow() {
    for seed in 20..25 {
        // Four minutes of an hour in which it answers for a backend that is gone.
        let cached = |t: i64| if (1800..2040).contains(&t) { 1.0 } else { 400.0 };
        let (timeline, span) = timed(seed, 10.0, 0.6, cached);
        assert!(found(&timeline, span).is_empty(), "seed {seed}");
        // Two fifths of it: only the failures of what it does not know tell that the rest is usual.
        let cached = |t: i64| if (1200..2640).contains(&t) { 1.0 } else { 400.0 };
        let (timeline, span) = timed(seed, 10.0, 0.6, cached);
        assert!(!found(&timeline, span).is_empty(), "seed {seed}");
        let failed = Window { start: span.start + 1200, end: span.start + 2640 };
        let failing = Failing { most: Vec::new(), any: vec![failed] };
        let looked = usual(&timeline, span).unwrap();
        let late = find(&looked, failing, &Options::default(), None);
        assert!(late.anomalies.is_empty(), "seed {seed}");
    }
}

#[test]
fn brownouts_are_found_and_dated() {
    for (seed, rate, small, factor) in
        [(1, 5.0, 0.0, 6.0), (2, 20.0, 0.3, 6.0), (3, 100.0, 0.7, 10.0), (4, 8.0, 0.6, 40.0)]
    {
        let slow = |t: i64| if (1800..2000).contains(&t) { 80.0 * factor } else { 80.0 };
        let (timeline, span) = timed(seed, rate, small, slow);
        let found = found(&timeline, span);
        assert_eq!(found.len(), 1, "seed {seed}: {found:#?}");
        let (start, end) = (found[0].start - span.start, found[0].end.unwrap() - span.start);
        assert!((start - 1800).abs() <= 3 && (end - 2000).abs() <= 3, "seed {seed}: {start} {end}");
        let slow = found[0].slow.unwrap();
        assert!(slow.slow as f64 >= 0.1 * slow.timed as f64, "{slow:?}");
        assert_eq!(found[0].kind, Kind::Slow);
    }
}

#[test]
fn ordinary_swings_of_latency_are_none() {
    for seed in 10..20 {
        // Twice as slow at the peak of a slow wave, with a wobble on top; small files answered at once.
        let wave =
            |t: i64| 60.0 * (1.4 + 0.6 * (t as f64 / 600.0).sin()) * (1.0 + 0.2 * (t as f64 / 37.0).sin());
        let (timeline, span) = timed(seed, 10.0, 0.2, wave);
        assert!(found(&timeline, span).is_empty(), "seed {seed}");
        // Slow for a machine, and nothing that a person feels.
        let fast = |t: i64| if (1800..2000).contains(&t) { 20.0 } else { 2.0 };
        let (timeline, span) = timed(seed, 10.0, 0.2, fast);
        assert!(found(&timeline, span).is_empty(), "seed {seed}");
    }
}

#[test]
fn every_request_is_seen_once_at_its_arrival() {
    let (timeline, span) = timed(7, 3.0, 0.0, |t| if t % 600 < 60 { 70_000.0 } else { 900.0 });
    let arrivals = Arrivals::new(&timeline, span, &[24, 30], Vec::new());
    let (mut all, mut total) = ([0; 1 + LOOKS.len()], 0);
    let mut last = i64::MIN;
    let add = |sums: &mut Timed, timed: Timed| sums.iter_mut().zip(timed).for_each(|(s, n)| *s += n);
    arrivals.each(Window::ALL, |second, timed| {
        assert!(second > last, "{second} after {last}");
        last = second;
        add(&mut all, timed);
    });
    timeline.each_latency(Window::ALL, |_, l| total += l.iter().sum::<u32>());
    // Those that ended behind the log's end or arrived before it begins are not dated inside it.
    assert!(all[0] <= total && f64::from(all[0]) > 0.9 * f64::from(total), "{all:?} of {total}");
    assert!(all[0] > all[1] && all[1] > all[2] && all[2] > 0 && all[3] == 0, "{all:?}");
    let mut part = [0; 1 + LOOKS.len()];
    for start in (span.start..span.end).step_by(100) {
        arrivals.each(Window { start, end: start + 100 }, |_, timed| add(&mut part, timed));
    }
    assert_eq!(part, all);
}

#[test]
fn the_folds_are_those_of_each_look_by_itself() {
    let (timeline, span) = timed(5, 3.0, 0.5, |t| if (600..700).contains(&t) { 4000.0 } else { 80.0 });
    let arrivals = Arrivals::new(&timeline, span, &[bucket(200), bucket(500)], Vec::new());
    for (look, steps) in arrivals.steps(2).iter().enumerate() {
        let own = Steps::of(&Slow { arrivals: &arrivals, look }, span);
        assert!(steps.failed > 0);
        assert_eq!((&steps.list, steps.good, steps.failed), (&own.list, own.good, own.failed));
    }
}
