//! Answers that come, but late: the same automaton over requests that took far longer than this log's usually do.
//!
//! A request is slow when it took more than three times what half of this log's requests take, and also, in looks of
//! their own, three times what three quarters and nine tenths take: where most requests are for small files, the
//! median knows nothing of the pages behind them. Each look is paid for as a scope of its own.

mod arrivals;
#[cfg(test)]
mod tests;

use super::anomaly::{Anomaly, AnomalyPhase, Detection, Kind, Reason, Remark, Slowness};
use super::steps::{Excused, Steps};
use super::{Options, Ticks, failing};
use crate::parallel::{self, Workers};
use crate::stats::median;
use crate::time::{Second, Window};
use crate::timeline::{BUCKETS, Class, Classes, Latencies, Timeline, Timings, bucket_floor};
use arrivals::{Arrivals, Slow};

/// What is looked at: the quantile that is usual, the share of requests that must exceed three times its time, and how
/// many times the usual share of such requests that must be. One slow endpoint is a small share of a log, but of
/// requests that hardly ever occur.
const LOOKS: [(f64, f64, f64); 3] = [(0.5, 0.2, 3.0), (0.75, 0.2, 3.0), (0.9, 0.05, 6.0)];
/// Slow is more than so many times the usual.
const TIMES: f64 = 3.0;
/// and more than this many milliseconds: a tenth of a second is about the limit for an answer to feel instantaneous
/// (Miller 1968; Nielsen, "Usability Engineering", 1993, section 5.5).
const FELT_MS: f64 = 100.0;
/// Shorter spells of slowness are pauses, as of a garbage collector,
const LEAST_SECONDS: i64 = 5;
/// and below this those are too in which most answers came as usual.
const FEW_SECONDS: i64 = 10;
/// So are spells below a minute in which people go on undisturbed,
const SHORT_SECONDS: i64 = 60;
/// which they do up to about a second (Nielsen, the same section).
const DISTURBING_MS: f64 = 1000.0;
/// A delay below this of fewer than half of the answers is slight (the RAIL model: Irish and Lewis, 2015),
const SLIGHT_MS: f64 = 300.0;
/// and one below this where most come about as usual: a neighbour's job on the same machine makes a third of the answers of
/// 60 ms take 350 to 600 ms for a minute or two (seen three times in 48 recordings on a busy machine), and hardly anybody
/// is worse off
const SLIGHT_OF_FEW_MS: f64 = 700.0;
/// for less than the shortest window that is alerted on by good custom (Beyer et al., "The Site Reliability Workbook", 2018,
/// chapter 5).
const SLIGHT_SECONDS: i64 = 300;
/// Latencies of neighbouring requests hang together.
const DISPERSION: f64 = 2.0;
/// Blocks whose medians make the usual one: a spell of slowness may fill nearly half of them.
const BLOCKS: i64 = 64;
/// Of the requests of a stretch so many failed that the times of its answers are those of failures: a refusal takes no
/// time at all, and where a third of the answers is usually slow, they would look like what is usual.
const FAILING: f64 = 0.5;

/// Where requests fail, in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Failing {
    /// Most of them: nothing is late there.
    most: Vec<Window>,
    /// Any: what is refused, or answered by a cache in the place of what is gone, takes no time at all, and says nothing of
    /// how many are usually late.
    any: Vec<Window>,
}

/// Where requests fail by what was found.
pub(crate) fn failing_windows(anomalies: &[Anomaly]) -> Failing {
    let most = |p: &&AnomalyPhase| p.failed as f64 >= FAILING * p.requests as f64 && p.failed > 0;
    let failing = || anomalies.iter().filter(|a| a.kind == Kind::Failing);
    let phases = failing().flat_map(|a| a.phases.iter().filter(most));
    let in_order = |mut windows: Vec<Window>| {
        windows.sort_unstable_by_key(|w| (w.start, w.end));
        windows
    };
    Failing {
        most: in_order(phases.map(|p| Window { start: p.start, end: p.end }).collect()),
        any: in_order(failing().map(Anomaly::span).collect()),
    }
}

/// The histograms of the log's blocks of time.
struct Blocks {
    sums: Vec<Latencies>,
    length: i64,
    /// The block at hand and the second it ends before.
    sum: Latencies,
    at: usize,
    end: Second,
}

impl Blocks {
    /// Puts the block at hand to its place.
    fn close(&mut self) {
        for (sum, n) in self.sums[self.at].iter_mut().zip(std::mem::replace(&mut self.sum, [0; BUCKETS])) {
            *sum = sum.saturating_add(n);
        }
    }
}

impl Timings for Blocks {
    #[inline]
    fn second(&mut self, second: Second) {
        while second >= self.end && self.at < BLOCKS as usize {
            self.close();
            self.at += 1;
            self.end = self.end.saturating_add(self.length);
        }
    }

    #[inline]
    fn bucket(&mut self, bucket: usize, n: u32) {
        let sum = &mut self.sum[bucket];
        *sum = sum.saturating_add(n);
    }
}

fn blocks(timeline: &Timeline, span: Window) -> Vec<Latencies> {
    let length = (span.end - span.start).div_euclid(BLOCKS).max(1);
    let sums = vec![[0; BUCKETS]; BLOCKS as usize + 1];
    let end = span.start.saturating_add(length);
    let mut blocks = Blocks { sums, length, sum: [0; BUCKETS], at: 0, end };
    timeline.each_timing(span, &mut blocks);
    blocks.close();
    blocks.sums
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

/// What a log's requests usually take, and what is slow beside it.
#[derive(Debug)]
pub(crate) struct Looked<'a> {
    timeline: &'a Timeline,
    span: Window,
    /// Half of the requests take no longer.
    median_ms: f64,
    /// The first slow bucket, the share of slow requests that a stretch must have, and how many times the usual one.
    looks: Vec<(usize, f64, f64)>,
}

/// Works out what is usual. `None` of a log without request times.
pub(crate) fn usual(timeline: &Timeline, span: Window) -> Option<Looked<'_>> {
    let blocks = blocks(timeline, span);
    let timed: u64 = blocks.iter().flatten().map(|n| u64::from(*n)).sum();
    let median_ms = usual_ms(&blocks, 0.5).filter(|_| timed > 0)?;
    let mut looks: Vec<(usize, f64, f64)> = Vec::new();
    for (q, least_share, rise) in LOOKS {
        let Some(usual) = usual_ms(&blocks, q) else { continue };
        let floor = (TIMES * usual).max(FELT_MS);
        let Some(limit) = (0..BUCKETS).find(|b| f64::from(bucket_floor(*b)) >= floor) else { continue };
        if looks.iter().all(|look| look.0 != limit) {
            looks.push((limit, least_share, rise));
        }
    }
    Some(Looked { timeline, span, median_ms, looks })
}

/// Finds the stretches in which answers were late, but for those where most requests fail.
pub(crate) fn find(
    looked: &Looked<'_>,
    failing: Failing,
    options: &Options,
    workers: Option<&Workers>,
) -> Detection {
    let Looked { timeline, span, looks, .. } = looked;
    let options = Options {
        scopes: options.scopes.max(1) * LOOKS.len(),
        least_dispersion: DISPERSION,
        least_seconds: LEAST_SECONDS,
        own_measure: true,
        ..*options
    };
    let limits: Vec<usize> = looks.iter().map(|look| look.0).collect();
    let arrivals = Arrivals::new(timeline, *span, &limits, failing.most);
    let mut jobs: Vec<(usize, Steps)> = arrivals.steps(looks.len()).into_iter().enumerate().collect();
    for (_, steps) in &mut jobs {
        steps.set_apart(&failing.any);
    }
    let judged =
        parallel::all(workers, jobs, |(look, steps)| looked.judge(&arrivals, (look, steps), &options));
    let (mut seen, mut slight): (Vec<Anomaly>, Vec<Anomaly>) = (Vec::new(), Vec::new());
    for (large, small) in judged {
        seen.extend(large);
        slight.extend(small);
    }
    let mut found = Detection { slight: strongest(slight), ..Detection::default() };
    // Times are counted in steps: of failures that waited some seem to have come a little before or after they did.
    let is_beside = |a: &Anomaly| {
        let near = |w: &Window| w.start - FEW_SECONDS < a.end_or_last() && a.start < w.end + FEW_SECONDS;
        arrivals.masked.iter().any(near)
    };
    for a in strongest(seen) {
        if a.end_or_last() - a.start < FEW_SECONDS && is_beside(&a) {
            continue;
        }
        if lasts(&a) {
            found.anomalies.push(a);
        } else {
            found.remarks.push(pause(&a));
        }
    }
    found
}

impl Looked<'_> {
    /// What one look finds: what is worth a word, and what is too little of all.
    fn judge(
        &self,
        arrivals: &Arrivals<'_>,
        (look, steps): (usize, Steps),
        options: &Options,
    ) -> (Vec<Anomaly>, Vec<Anomaly>) {
        let (limit, least_share, rise) = self.looks[look];
        let mut own = Detection::default();
        let ticks = Slow { arrivals, look };
        failing::anomalies(&ticks, &steps, Excused { seconds: &[] }, options, &mut own);
        drop(steps);
        let material =
            |a: &Anomaly| a.failed_share().is_some_and(|s| s >= least_share && s >= rise * a.usual_share);
        let slow = |a: Anomaly| Anomaly {
            slow: Some(Slowness { usual_ms: self.median_ms, ..slowness(arrivals, self.timeline, limit, &a) }),
            ..slowed(a)
        };
        let (large, small): (Vec<_>, Vec<_>) = own.anomalies.into_iter().partition(material);
        let small = small.into_iter().chain(own.remarks.iter().filter_map(too_few));
        (large.into_iter().map(slow).collect(), small.map(slow).collect())
    }
}

/// What was too little of all to be called.
fn too_few(r: &Remark) -> Option<Anomaly> {
    let at = Window { start: r.start, end: r.end };
    matches!(r.reason, Reason::TooLittle | Reason::OrdinaryWobble(_)).then(|| Anomaly {
        usual_share: r.usual_share,
        evidence_nats: r.evidence_nats,
        ..Anomaly::between(Kind::Slow, at, (r.failed, r.requests))
    })
}

/// Whether answers were late for so long that it is worth a word, by how late they were.
pub fn lasts(a: &Anomaly) -> bool {
    let least = match &a.slow {
        Some(s) if disturbs(s) && !mostly_usual(s) => LEAST_SECONDS,
        Some(s) if disturbs(s) => FEW_SECONDS,
        Some(s) if is_slight(s) => SLIGHT_SECONDS,
        _ => SHORT_SECONDS,
    };
    // At the ends of the log it went on for longer than can be told.
    let cut = (a.open_start || a.open_end) && least <= FEW_SECONDS;
    cut || a.end_or_last() - a.start >= least
}

/// Whether hardly anybody is worse off. Who gives up is: a program that waits 0.4 s for an answer and no longer.
fn is_slight(slow: &Slowness) -> bool {
    let few = 2 * slow.slow < slow.timed;
    let kept = 2 * slow.aborted < slow.slow;
    kept && (slow.late_ms < SLIGHT_MS && few || slow.late_ms < SLIGHT_OF_FEW_MS && mostly_usual(slow))
}

/// Whether most answers took no several times what they usually take.
fn mostly_usual(slow: &Slowness) -> bool {
    slow.median_ms < TIMES * slow.usual_ms
}

/// A series of requests of which some were late, looked at by itself: the stretches with more of them than usual.
pub fn late_stretches<T: Ticks>(ticks: &T, scopes: usize) -> Vec<Anomaly> {
    let options = Options {
        scopes,
        least_dispersion: DISPERSION,
        least_seconds: LEAST_SECONDS,
        own_measure: true,
        ..Options::default()
    };
    super::stretches(ticks, &options).anomalies.into_iter().map(slowed).collect()
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

fn slowness(arrivals: &Arrivals<'_>, timeline: &Timeline, limit: usize, a: &Anomaly) -> Slowness {
    let inside = a.span();
    // Those who came in a hang of seven seconds were all answered in the second after it.
    let sum = arrivals.latencies(inside);
    let mut late = sum;
    late[..limit].fill(0);
    let mut aborted = 0;
    timeline.each_sum(inside, [Classes::one(Class::Aborted), Classes::NONE], |s| {
        aborted += u64::from(s.lines[0]);
    });
    Slowness {
        limit_ms: bucket_floor(limit),
        usual_ms: 0.0,
        late_ms: quantile_ms(&late, 0.5).unwrap_or_default(),
        median_ms: quantile_ms(&sum, 0.5).unwrap_or_default(),
        p90_ms: quantile_ms(&sum, 0.9).unwrap_or_default(),
        slow: a.failed,
        aborted,
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
