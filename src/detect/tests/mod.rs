//! Tests of the whole detection, on simulated logs.

mod accuracy;
mod cases;
mod simulator;

pub(crate) use simulator::Random;

use super::{Detection, ErrorTick, Mark, Options, Signals, Tick, detect};
use crate::time::Window;

/// Everything a test may set; the rest is empty.
#[derive(Default)]
struct Scene<'a> {
    errors: &'a [ErrorTick],
    marks: &'a [Mark],
    other: &'a [Window],
    covered: &'a [Window],
    options: Options,
    timed_out: bool,
}

impl Scene<'_> {
    fn run(&self, ticks: Option<&[Tick]>) -> Detection {
        let signals = Signals {
            access: ticks.as_ref(),
            timings: None,
            errors: self.errors,
            server_side: &|class| class < 100,
            excused: &|class| class == 100,
            timed_out: &|_| self.timed_out,
            marks: self.marks,
            other_activity: self.other,
            covered: self.covered,
        };
        let found = detect(&signals, &self.options);
        check(&found, ticks);
        found
    }
}

/// What must hold of every finding whatsoever.
fn check(found: &Detection, ticks: Option<&[Tick]>) {
    let mut last = i64::MIN;
    for a in &found.anomalies {
        assert!(a.start >= last, "in order and apart: {a:#?}");
        last = a.end_or_last();
        assert!(a.start_bounds.0 <= a.start && a.start <= a.start_bounds.1, "{a:#?}");
        assert!(a.start_interval.0 <= a.start_interval.1, "{a:#?}");
        assert!(a.end_interval.0 <= a.end_interval.1, "{a:#?}");
        assert!(a.end_bounds.0 <= a.end_bounds.1, "{a:#?}");
        assert!(!a.phases.is_empty());
        assert_eq!(a.end.is_none(), a.open_end, "{a:#?}");
        if let Some(end) = a.end {
            assert!(a.start < end && a.end_bounds.0 <= end && end <= a.end_bounds.1, "{a:#?}");
        }
        assert!(a.evidence_nats.is_finite() && a.evidence_nats > 0.0, "{a:#?}");
        assert!(a.failed <= a.requests || ticks.is_none());
        for w in a.phases.windows(2) {
            assert!(w[0].start <= w[1].start, "{a:#?}");
        }
    }
}

fn run(ticks: &[Tick]) -> Detection {
    Scene::default().run(Some(ticks))
}
