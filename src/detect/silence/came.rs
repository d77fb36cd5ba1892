//! Silences in which requests came that were answered late: nginx logs a request when it ends, and its line stands behind
//! the silence. Where the log tells how long requests took, it tells that they came.

use crate::detect::waited::LONGEST_WAIT;
use crate::detect::{Anomaly, Kind, SilenceKind};
use crate::time::{Second, Window};
use crate::timeline::{BUCKETS, Timeline, Timings, bucket_floor};

/// Of the requests that were to be expected so many came.
const CAME: f64 = 0.5;

/// Leaves out the silences of which late answers or failures tell already, in which requests came.
pub(crate) fn leave_out(timings: &Timeline, anomalies: &mut Vec<Anomaly>) {
    let told: Vec<Window> = anomalies
        .iter()
        .filter(|a| matches!(a.kind, Kind::Slow | Kind::Failing))
        .map(Anomaly::span)
        .collect();
    anomalies.retain(|a| {
        let in_doubt = matches!(
            a.kind,
            Kind::Silence(SilenceKind::Unknown | SilenceKind::LoggingStopped | SilenceKind::Dip)
        );
        let expected = a.expected_requests.map_or(f64::INFINITY, |e| e.value);
        let at = a.span();
        !in_doubt || !told.iter().any(|w| w.overlaps(at)) || came(timings, at) < CAME * expected
    });
}

/// About how many requests came in `silence` and were answered after it. How long they took is counted in steps, and those
/// of one step came as evenly as any.
fn came(timings: &Timeline, silence: Window) -> f64 {
    let mut count = Came { silence, second: silence.end, n: 0.0 };
    let behind = Window { start: silence.end, end: silence.end.saturating_add(LONGEST_WAIT) };
    timings.each_timing(behind, &mut count);
    count.n
}

struct Came {
    silence: Window,
    second: Second,
    n: f64,
}

impl Timings for Came {
    fn second(&mut self, second: Second) {
        self.second = second;
    }

    fn bucket(&mut self, bucket: usize, n: u32) {
        let seconds = |bucket: usize| f64::from(bucket_floor(bucket.min(BUCKETS - 1))) / 1000.0;
        // Counted from the line back, whose second stands for its middle.
        let (least, most) = (seconds(bucket), seconds(bucket + 1));
        let since = |second: Second| self.second.saturating_sub(second) as f64 + 0.5;
        let inside = most.min(since(self.silence.start)) - least.max(since(self.silence.end));
        self.n += f64::from(n) * (inside / (most - least).max(0.001)).clamp(0.0, 1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::Estimate;
    use crate::timeline::{Collected, bucket};

    #[test]
    fn who_was_answered_late_had_come() {
        // Ten a second, answered at once but for those of ten seconds, who wait until it is over.
        let mut collected = Collected::default();
        for second in 0..300_i64 {
            let hangs = (100..130).contains(&second);
            let end = if hangs { 130 } else { second };
            let mut latencies = [0; BUCKETS];
            latencies[bucket(((end - second) * 1000 + 20) as u32)] = 10;
            collected.latencies.push((end, latencies));
        }
        let mut timeline = Timeline::default();
        timeline.absorb(&mut collected);
        let at = Window { start: 100, end: 130 };
        assert!((250.0..=310.0).contains(&came(&timeline, at)), "{}", came(&timeline, at));
        assert!(came(&timeline, Window { start: 40, end: 60 }) < 1.0);
        let part = came(&timeline, Window { start: 112, end: 118 });
        assert!((40.0..=80.0).contains(&part), "{part}");
        let silence = Anomaly {
            expected_requests: Some(Estimate { value: 300.0, low: 250.0, high: 350.0 }),
            ..Anomaly::between(Kind::Silence(SilenceKind::Unknown), at, (0, 0))
        };
        let mut alone = vec![silence.clone()];
        leave_out(&timeline, &mut alone);
        assert_eq!(alone.len(), 1, "nothing else tells of it");
        let mut told = vec![silence, Anomaly::between(Kind::Slow, at, (290, 300))];
        leave_out(&timeline, &mut told);
        assert_eq!(told.iter().map(|a| a.kind).collect::<Vec<_>>(), [Kind::Slow]);
    }
}
