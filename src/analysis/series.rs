//! Counts per step of time.

use super::{Counts, Options, Progress, count};
use crate::error::{Error, Result};
use crate::time::{Second, Window};
use crate::timeline::{BUCKETS, Class, Latencies, Timeline, quantile};

/// Counts per step.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Series {
    /// Minutes east of UTC of the zone that is shown.
    pub zone: i16,
    /// Seconds a step.
    pub step: u32,
    /// The steps in order.
    pub rows: Vec<SeriesRow>,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SeriesRow {
    /// Its first second.
    pub start: Second,
    /// Requests.
    pub requests: u64,
    /// By class: 1xx, 2xx, 3xx, 4xx, 5xx, other.
    pub class: [u64; 6],
    /// Status 499.
    pub aborted: u64,
    /// Failed.
    pub failed: u64,
    /// Share that failed.
    pub failed_share: Option<f64>,
    /// Median seconds a request took.
    pub p50: Option<f64>,
    /// 90 % took at most so many seconds.
    pub p90: Option<f64>,
    /// 99 % took at most so many seconds.
    pub p99: Option<f64>,
}

/// Counts per step of `step_seconds`.
pub fn series(options: &Options, step_seconds: u32, progress: &dyn Progress) -> Result<(Series, Vec<Error>)> {
    let (Counts { reads, failures, zone, .. }, _) = count(options, progress)?;
    let zone = zone.unwrap_or(0);
    let timeline = Timeline::sum(reads.into_iter().map(|mut read| read.take_timeline()));
    let step = i64::from(step_seconds.max(1));
    // Steps begin at round local times.
    let shift = i64::from(zone) * 60;
    let start_of = |second: Second| (second + shift).div_euclid(step) * step - shift;
    let mut rows: Vec<SeriesRow> = Vec::new();
    timeline.each(Window::ALL, |m| {
        let start = start_of(m.second);
        while rows.last().is_some_and(|r| r.start < start) {
            // Steps without a line are rows too: silence must be seen.
            let next = rows.last().map_or(start, |r| r.start + step);
            rows.push(SeriesRow { start: next, ..SeriesRow::default() });
        }
        if rows.is_empty() {
            rows.push(SeriesRow { start, ..SeriesRow::default() });
        }
        let Some(row) = rows.last_mut() else { return };
        let of = |c: Class| u64::from(m.counts[c as usize]);
        let client = of(Class::ClientError) + of(Class::Missing) + of(Class::Aborted);
        let classes = [
            of(Class::Info),
            of(Class::Ok),
            of(Class::Redirect),
            client,
            of(Class::ServerError),
            of(Class::Odd),
        ];
        for (sum, n) in row.class.iter_mut().zip(classes) {
            *sum += n;
            row.requests += n;
        }
        row.aborted += of(Class::Aborted);
        row.failed += u64::from(m.failed);
    });
    let mut latencies: Latencies = [0; BUCKETS];
    let mut at = 0;
    let mut close = |at: usize, latencies: &mut Latencies| {
        if let Some(row) = rows.get_mut(at) {
            row.p50 = quantile(latencies, 0.5);
            row.p90 = quantile(latencies, 0.9);
            row.p99 = quantile(latencies, 0.99);
        }
        *latencies = [0; BUCKETS];
    };
    let first = timeline.span().map_or(0, |s| start_of(s.start));
    timeline.each_latency(Window::ALL, |second, found| {
        let row = usize::try_from((start_of(second) - first) / step).unwrap_or(0);
        if row != at {
            close(at, &mut latencies);
            at = row;
        }
        for (sum, n) in latencies.iter_mut().zip(found) {
            *sum += n;
        }
    });
    close(at, &mut latencies);
    for row in &mut rows {
        row.failed_share =
            (row.requests > 0).then(|| row.failed as f64 / row.requests.max(row.failed) as f64);
    }
    Ok((Series { zone, step: step_seconds.max(1), rows }, failures))
}
