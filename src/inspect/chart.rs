//! Counts in few enough steps to draw: over the whole span, and over each incident with some time around it.

use super::seen::Seen;
use crate::report::{Chart, Incident};
use crate::time::{Second, Window};
use crate::timeline::{self, Classes, Run, Walker};

/// Steps of a chart: as many as a page can show apart.
const MOST: i64 = 240;
/// Lengths of a step that people count in.
const STEPS: [i64; 18] =
    [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400];
/// Least seconds shown before and after an incident.
const AROUND: i64 = 60;

/// What charts are drawn from.
#[derive(Debug)]
pub struct Charts<'a> {
    hosts: &'a [Seen<'a>],
    zone: i16,
}

impl<'a> Charts<'a> {
    /// Charts over the logs of `hosts`; their steps begin at round times of the zone.
    pub fn new(hosts: &'a [Seen<'a>], zone: i16) -> Self {
        Self { hosts, zone }
    }

    /// The chart of everything.
    pub fn of_span(&self) -> Option<Chart> {
        let window = self.span(|_| true)?;
        Some(self.chart(window, |_| true))
    }

    /// The chart of an incident: from its own hosts, with a quarter of its length before and after.
    pub fn of_incident(&self, incident: &Incident) -> Option<Chart> {
        let hosts = &incident.scope.hosts;
        let mine = |h: &Seen<'_>| hosts.is_empty() || h.name.is_none_or(|n| hosts.iter().any(|h| h == n));
        let span = self.span(mine)?;
        let start = incident.start.div_euclid(1000);
        let end = incident.end.unwrap_or(incident.end_bounds.1).div_euclid(1000).max(start + 1);
        let around = ((end - start) / 4).max(AROUND);
        let window =
            Window { start: (start - around).max(span.start), end: end.saturating_add(around).min(span.end) };
        (window.start < window.end).then(|| self.chart(window, mine))
    }

    /// First and last second of the logs of some hosts.
    fn span(&self, mine: impl Fn(&Seen<'_>) -> bool) -> Option<Window> {
        let mut all: Option<Window> = None;
        for host in self.hosts.iter().filter(|h| mine(h)) {
            let of_errors = host.errors.first().zip(host.errors.last());
            let of_errors = of_errors.map(|(f, l)| Window { start: f.second, end: l.second + 1 });
            for w in host.timeline.span().into_iter().chain(of_errors) {
                let sum = all.get_or_insert(w);
                *sum = Window { start: sum.start.min(w.start), end: sum.end.max(w.end) };
            }
        }
        all
    }

    fn chart(&self, window: Window, mine: impl Fn(&Seen<'_>) -> bool) -> Chart {
        let step = step(window.end - window.start);
        // Steps begin at round local times, as those of `series` do.
        let shift = i64::from(self.zone) * 60;
        let start = (window.start + shift).div_euclid(step) * step - shift;
        let steps = (window.end - start).div_euclid(step) + i64::from((window.end - start) % step != 0);
        let none = || vec![0; usize::try_from(steps).unwrap_or(0)];
        let mut chart = Chart {
            start: start.saturating_mul(1000),
            step_seconds: step as u32,
            requests: none(),
            failed: none(),
            error_records: none(),
        };
        let at = |second: Second| usize::try_from((second - start).div_euclid(step)).unwrap_or(usize::MAX);
        for host in self.hosts.iter().filter(|h| mine(h)) {
            let mut sums = Sums { chart: &mut chart, start, step, now: 0, end: Second::MIN };
            host.timeline.each_run(window, [Classes::ALL, Classes::NONE], &mut sums);
            let from = host.errors.partition_point(|t| t.second < window.start);
            for tick in host.errors[from..].iter().take_while(|t| t.second < window.end) {
                add(&mut chart.error_records, at(tick.second), u64::from(tick.count));
            }
        }
        chart
    }
}

/// Sums of the requests by step.
struct Sums<'c> {
    chart: &'c mut Chart,
    start: Second,
    step: i64,
    /// The step at hand and the second it ends before: one division a step and not a second.
    now: usize,
    end: Second,
}

impl Walker for Sums<'_> {
    const CLOSE: bool = false;

    fn until(&self) -> Second {
        self.end
    }

    fn run(&mut self, run: Run) {
        add(&mut self.chart.requests, self.now, u64::from(run.lines[0]));
    }

    fn second(&mut self, s: timeline::Sums) {
        if s.second >= self.end {
            self.now = usize::try_from((s.second - self.start).div_euclid(self.step)).unwrap_or(usize::MAX);
            self.end = self.start + (self.now as i64 + 1) * self.step;
        }
        add(&mut self.chart.requests, self.now, u64::from(s.lines[0]));
        if s.failed > 0 {
            add(&mut self.chart.failed, self.now, u64::from(s.failed));
        }
    }
}

fn add(sums: &mut [u64], at: usize, n: u64) {
    if let Some(sum) = sums.get_mut(at) {
        *sum += n;
    }
}

/// The shortest step of which so many seconds hold at most [`MOST`]; beyond the round ones whole days.
fn step(seconds: i64) -> i64 {
    let fits = |step: &i64| seconds <= step.saturating_mul(MOST);
    STEPS.into_iter().find(fits).unwrap_or_else(|| {
        let day = 86_400;
        (seconds / (MOST * day) + 1) * day
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_chart_has_more_steps_than_a_page_shows() {
        for (seconds, want) in [(1, 1), (240, 1), (241, 2), (3600, 15), (86_400, 600), (30 * 86_400, 10_800)]
        {
            assert_eq!(step(seconds), want, "{seconds}");
        }
        for seconds in [7i64, 1000, 86_399, 40_000_000, 400_000_000, 10_000_000_000] {
            assert!(seconds.div_euclid(step(seconds)) <= MOST, "{seconds}");
        }
    }
}
