//! Answers that come, but late: the same automaton over requests that took far longer than this log's usually do.
//!
//! A request is slow when it took more than three times what half of this log's requests take, and also, in looks of
//! their own, three times what three quarters and nine tenths take: where most requests are for small files, the
//! median knows nothing of the pages behind them. Each look is paid for as a scope of its own.

use super::anomaly::{Anomaly, Detection, Kind, Reason, Remark, Slowness};
use super::steps::{Excused, Steps};
use super::{Options, Tick, Ticks, failing};
use crate::stats::median;
use crate::time::{Second, Window};
use crate::timeline::{BUCKETS, Latencies, Timeline, bucket_floor};

/// What is looked at: the quantile that is usual, the share of requests that must exceed three times its time, and how
/// many times the usual share of such requests that must be. One slow endpoint is a small share of a log, but of
/// requests that hardly ever occur.
const LOOKS: [(f64, f64, f64); 3] = [(0.5, 0.2, 3.0), (0.75, 0.2, 3.0), (0.9, 0.05, 6.0)];
/// Slow is more than so many times the usual.
const TIMES: f64 = 3.0;
/// and more than this many milliseconds: a tenth of a second is about the limit for an answer to feel instantaneous
/// (Miller 1968; Nielsen, "Usability Engineering", 1993, section 5.5).
const FELT_MS: f64 = 100.0;
/// Shorter spells of slowness are pauses, as of a garbage collector.
const LEAST_SECONDS: i64 = 10;
/// So are spells below a minute in which people go on undisturbed,
const SHORT_SECONDS: i64 = 60;
/// which they do up to about a second (Nielsen, the same section).
const DISTURBING_MS: f64 = 1000.0;
/// Latencies of neighbouring requests hang together.
const DISPERSION: f64 = 2.0;
/// Blocks whose medians make the usual one: a spell of slowness may fill nearly half of them.
const BLOCKS: i64 = 64;
/// The last bucket begins at 131 s; what took longer is dated as if it had taken so long.
const REACH: i64 = 132;

/// The timed requests of a log: those in bucket `limit` and above are its failures, all dated at their arrival.
#[derive(Debug, Clone, Copy)]
struct Slow<'a> {
    timeline: &'a Timeline,
    limit: usize,
    span: Window,
}

/// Seconds between the arrival of a request and its line, by bucket. A line carries the whole second its request ended
/// in, on average half a second before the end itself.
fn waited(bucket: usize) -> i64 {
    let upper = if bucket + 1 < BUCKETS { bucket_floor(bucket + 1) } else { bucket_floor(bucket) };
    let middle = i64::from(u32::midpoint(bucket_floor(bucket), upper));
    (middle + 499).div_euclid(1000)
}

impl Ticks for Slow<'_> {
    fn each(&self, window: Window, mut visit: impl FnMut(Tick)) {
        const ROOM: usize = REACH as usize + 2;
        let shifts: [i64; BUCKETS] = std::array::from_fn(waited);
        let window = Window { start: window.start.max(self.span.start), end: window.end.min(self.span.end) };
        // A ring of the seconds that later lines may still add to.
        let mut ring = [(0u32, 0u32); ROOM];
        let mut oldest = window.start;
        let slot = |second: Second| second.rem_euclid(ROOM as i64) as usize;
        let mut flush = |ring: &mut [(u32, u32); ROOM], oldest: &mut Second, until: Second| {
            // After a pause longer than the ring there is nothing left in it.
            let stop = until.min(oldest.saturating_add(ROOM as i64));
            while *oldest < stop {
                let (good, failed) = std::mem::take(&mut ring[slot(*oldest)]);
                if good + failed > 0 && *oldest < window.end {
                    visit(Tick { second: *oldest, good, neutral: 0, failed });
                }
                *oldest += 1;
            }
            *oldest = (*oldest).max(until);
        };
        let wide = Window { start: window.start, end: window.end.saturating_add(REACH) };
        self.timeline.each_latency(wide, |second, latencies| {
            flush(&mut ring, &mut oldest, second.saturating_sub(REACH));
            for (bucket, n) in latencies.iter().enumerate().filter(|(_, n)| **n > 0) {
                let arrived = second - shifts[bucket];
                if arrived >= oldest {
                    let sum = &mut ring[slot(arrived)];
                    let part = if bucket >= self.limit { &mut sum.1 } else { &mut sum.0 };
                    *part = part.saturating_add(*n);
                }
            }
        });
        flush(&mut ring, &mut oldest, window.end);
    }

    fn span(&self) -> Option<Window> {
        Some(self.span)
    }
}

/// Longest span of which the ticks of a look are kept, in seconds: six days, 12 MiB. The automaton walks them several
/// times, and to decode the histograms each time was a quarter of all instructions on a log of two days.
const KEPT: i64 = 1 << 19;

/// The ticks of a look: kept, or worked out anew at every walk.
enum Walked<'a> {
    Kept { ticks: Vec<Tick>, span: Window },
    Anew(Slow<'a>),
}

impl<'a> Walked<'a> {
    fn of(look: Slow<'a>) -> Self {
        let span = look.span;
        if span.end.saturating_sub(span.start) > KEPT {
            return Self::Anew(look);
        }
        let mut ticks = Vec::new();
        look.each(span, |tick| ticks.push(tick));
        Self::Kept { ticks, span }
    }
}

impl Ticks for Walked<'_> {
    fn each(&self, window: Window, visit: impl FnMut(Tick)) {
        match self {
            Self::Kept { ticks, .. } => ticks[..].each(window, visit),
            Self::Anew(look) => look.each(window, visit),
        }
    }

    fn span(&self) -> Option<Window> {
        match self {
            Self::Kept { span, .. } => Some(*span),
            Self::Anew(look) => look.span(),
        }
    }
}

/// The histograms of the log's blocks of time.
fn blocks(timeline: &Timeline, span: Window) -> Vec<Latencies> {
    let length = (span.end - span.start).div_euclid(BLOCKS).max(1);
    let mut blocks: Vec<Latencies> = vec![[0; BUCKETS]; BLOCKS as usize + 1];
    timeline.each_latency(span, |second, latencies| {
        let at = usize::try_from((second - span.start) / length).unwrap_or(0).min(BLOCKS as usize);
        for (sum, n) in blocks[at].iter_mut().zip(latencies) {
            *sum = sum.saturating_add(*n);
        }
    });
    blocks
}

/// A quantile in milliseconds, interpolated inside its bucket. `None` without requests.
fn quantile_ms(latencies: &Latencies, q: f64) -> Option<f64> {
    let mut left = q * latencies.iter().map(|n| f64::from(*n)).sum::<f64>();
    for (i, n) in latencies.iter().enumerate().filter(|(_, n)| **n > 0) {
        if left <= f64::from(*n) {
            let (low, high) = (f64::from(bucket_floor(i)), f64::from(bucket_floor(i + 1)));
            return Some(low + (high - low).max(1.0) * left / f64::from(*n));
        }
        left -= f64::from(*n);
    }
    None
}

/// What is usual: the middle one of the blocks' quantiles, each block with requests having one voice.
fn usual_ms(blocks: &[Latencies], q: f64) -> Option<f64> {
    let mut of_blocks: Vec<f64> = blocks.iter().filter_map(|b| quantile_ms(b, q)).collect();
    median(&mut of_blocks)
}

/// Finds the stretches in which answers were late. A log without request times has none.
pub(crate) fn find(timeline: &Timeline, span: Window, options: &Options, found: &mut Detection) {
    let blocks = blocks(timeline, span);
    let timed: u64 = blocks.iter().flatten().map(|n| u64::from(*n)).sum();
    let Some(median_ms) = usual_ms(&blocks, 0.5).filter(|_| timed > 0) else { return };
    let mut limits: Vec<usize> = Vec::new();
    let mut seen: Vec<Anomaly> = Vec::new();
    for (q, least_share, rise) in LOOKS {
        let Some(usual) = usual_ms(&blocks, q) else { continue };
        let floor = (TIMES * usual).max(FELT_MS);
        let Some(limit) = (0..BUCKETS).find(|b| f64::from(bucket_floor(*b)) >= floor) else { continue };
        if limits.contains(&limit) {
            continue;
        }
        limits.push(limit);
        let look = Walked::of(Slow { timeline, limit, span });
        let options = Options {
            scopes: options.scopes.max(1) * LOOKS.len(),
            least_dispersion: DISPERSION,
            least_seconds: LEAST_SECONDS,
            ..*options
        };
        let mut own = Detection::default();
        let steps = Steps::of(&look, span);
        failing::find(&look, &steps, Excused { seconds: &[] }, &options, &mut own);
        let material =
            |a: &Anomaly| a.failed_share().is_some_and(|s| s >= least_share && s >= rise * a.usual_share);
        seen.extend(own.anomalies.into_iter().filter(material).map(|a| Anomaly {
            slow: Some(Slowness {
                limit_ms: bucket_floor(limit),
                usual_ms: median_ms,
                ..slowness(timeline, &a)
            }),
            ..slowed(a)
        }));
    }
    for a in strongest(seen) {
        if a.end_or_last() - a.start >= SHORT_SECONDS || a.slow.is_some_and(|s| disturbs(&s)) {
            found.anomalies.push(a);
        } else {
            found.remarks.push(pause(&a));
        }
    }
}

/// Whether the late answers of a stretch interrupt what people do.
pub(super) fn disturbs(slow: &Slowness) -> bool {
    slow.p90_ms >= DISTURBING_MS || f64::from(slow.limit_ms) >= DISTURBING_MS
}

fn pause(a: &Anomaly) -> Remark {
    Remark {
        kind: Kind::Slow,
        reason: Reason::Blip,
        start: a.start,
        end: a.end_or_last(),
        requests: a.requests,
        failed: a.failed,
        usual_share: a.usual_share,
        evidence_nats: a.evidence_nats,
    }
}

/// Seconds were compared by how many of their requests were late; none of these failed.
fn slowed(mut a: Anomaly) -> Anomaly {
    a.kind = Kind::Slow;
    for p in &mut a.phases {
        p.kind = Kind::Slow;
    }
    a
}

fn slowness(timeline: &Timeline, a: &Anomaly) -> Slowness {
    let mut sum = [0; BUCKETS];
    timeline.each_latency(Window { start: a.start, end: a.end_or_last() }, |_, latencies| {
        for (sum, n) in sum.iter_mut().zip(latencies) {
            *sum += *n;
        }
    });
    Slowness {
        limit_ms: 0,
        usual_ms: 0.0,
        median_ms: quantile_ms(&sum, 0.5).unwrap_or_default(),
        p90_ms: quantile_ms(&sum, 0.9).unwrap_or_default(),
        slow: a.failed,
        timed: a.requests,
    }
}

/// Of looks that found the same stretch, the one with the most evidence.
fn strongest(mut seen: Vec<Anomaly>) -> Vec<Anomaly> {
    seen.sort_by(|a, b| b.evidence_nats.total_cmp(&a.evidence_nats).then(a.start.cmp(&b.start)));
    let mut kept: Vec<Anomaly> = Vec::new();
    for a in seen {
        if !kept.iter().any(|k| k.start < a.end_or_last() && a.start < k.end_or_last()) {
            kept.push(a);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
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
                let ms = if r.share() < small {
                    1.0
                } else {
                    base(second - span.start) * (0.5 * r.normal()).exp()
                };
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
        let mut found = Detection::default();
        find(timeline, span, &Options::default(), &mut found);
        found.anomalies
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
            let wave = |t: i64| {
                60.0 * (1.4 + 0.6 * (t as f64 / 600.0).sin()) * (1.0 + 0.2 * (t as f64 / 37.0).sin())
            };
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
        let look = Slow { timeline: &timeline, limit: 24, span };
        let (mut all, mut total) = (0, 0);
        let mut last = i64::MIN;
        look.each(Window::ALL, |t| {
            assert!(t.second > last, "{} after {last}", t.second);
            last = t.second;
            all += t.good + t.failed;
        });
        timeline.each_latency(Window::ALL, |_, l| total += l.iter().sum::<u32>());
        // Those that ended behind the log's end or arrived before it begins are not dated inside it.
        assert!(all <= total && f64::from(all) > 0.9 * f64::from(total), "{all} of {total}");
        let mut part = 0;
        for start in (span.start..span.end).step_by(100) {
            look.each(Window { start, end: start + 100 }, |t| part += t.good + t.failed);
        }
        assert_eq!(part, all);
    }

    #[test]
    fn kept_ticks_are_those_worked_out_anew() {
        let (timeline, span) = timed(5, 3.0, 0.5, |t| if (600..700).contains(&t) { 4000.0 } else { 80.0 });
        let look = Slow { timeline: &timeline, limit: bucket(500), span };
        let kept = Walked::of(look);
        assert!(matches!(kept, Walked::Kept { .. }));
        for window in [span, Window { start: span.start + 590, end: span.start + 720 }] {
            let (mut anew, mut again) = (Vec::new(), Vec::new());
            look.each(window, |t| anew.push(t));
            kept.each(window, |t| again.push(t));
            assert!(!anew.is_empty());
            assert_eq!(again, anew);
        }
        assert_eq!(kept.span(), look.span());
    }
}
