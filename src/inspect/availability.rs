//! How available the service was, counted both ways: by requests, and by time.

use crate::report::{Availability, Coverage, CoverageState, Incident, Severity, Totals};
use crate::time::Millis;

/// Availability over all hosts. `None` without requests.
///
/// By requests: those that did not fail, of those that came and those that are missing in silences that clients saw. By
/// time: the covered time outside outages and degradations that clients saw. Slow answers are answers; silence without
/// proof is neither up nor down, and counted apart.
pub fn availability(incidents: &[Incident], coverage: &[Coverage], totals: Totals) -> Option<Availability> {
    if totals.requests == 0 {
        return None;
    }
    let covered: Vec<(Millis, Millis, Option<&str>)> = coverage
        .iter()
        .filter(|c| c.state == CoverageState::Covered)
        .map(|c| (c.start, c.end, c.host.as_deref()))
        .collect();
    let seconds = |ms: i64| ms as f64 / 1000.0;
    let all: i64 = covered.iter().map(|c| c.1 - c.0).sum();
    // On the hosts it is about, an incident takes the time that the files cover.
    let taken = |wanted: &dyn Fn(&Incident) -> bool| -> i64 {
        let of_stretch = |&(from, to, host): &(Millis, Millis, Option<&str>)| {
            let here = |i: &&Incident| {
                i.scope.hosts.is_empty() || host.is_none_or(|h| i.scope.hosts.iter().any(|s| s == h))
            };
            let mut parts: Vec<(Millis, Millis)> = incidents
                .iter()
                .filter(|i| wanted(i))
                .filter(here)
                .map(|i| (i.start.max(from), i.end.unwrap_or(to).min(to)))
                .collect();
            parts.sort_unstable();
            let mut at = from;
            let mut sum = 0;
            for (start, end) in parts {
                sum += (end - start.max(at)).max(0);
                at = at.max(end);
            }
            sum
        };
        covered.iter().map(of_stretch).sum()
    };
    let bad = taken(&|i| i.client_visible && matches!(i.severity, Severity::Outage | Severity::Degradation));
    let unknown = taken(&|i| i.severity == Severity::Unknown);
    let lost: u64 = incidents
        .iter()
        .filter(|i| i.client_visible && i.severity != Severity::Unknown)
        .filter_map(|i| i.impact.lost_estimate)
        .sum();
    // What failed without the scan knowing (content gone, bodies cut short) is counted with its incident.
    let uncounted: u64 = incidents.iter().map(|i| i.impact.uncounted).sum();
    let failed = totals.failed.saturating_add(uncounted);
    let came = totals.requests.saturating_add(lost) as f64;
    Some(Availability {
        requests: 1.0 - (failed.saturating_add(lost) as f64 / came).min(1.0),
        time: 1.0 - (bad as f64 / all.max(1) as f64).min(1.0),
        covered_seconds: seconds(all),
        bad_seconds: seconds(bad),
        unknown_seconds: seconds(unknown),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Context, Impact, Scope};

    fn incident(severity: Severity, from: i64, to: Option<i64>, impact: Impact) -> Incident {
        Incident {
            id: String::new(),
            severity,
            title: String::new(),
            why: String::new(),
            start: from * 1000,
            start_bounds: (0, 0),
            end: to.map(|t| t * 1000),
            end_bounds: (0, 0),
            open_start: false,
            open_end: to.is_none(),
            client_visible: severity != Severity::Hidden,
            scope: Scope::default(),
            impact,
            phases: Vec::new(),
            cause: None,
            other_causes: Vec::new(),
            trigger: None,
            timeline: Vec::new(),
            evidence: Vec::new(),
            chart: None,
            error_budget: None,
            context: Context::default(),
        }
    }

    #[test]
    fn time_and_requests_are_counted_once() {
        let covered = |from: i64, to: i64| Coverage {
            start: from * 1000,
            end: to * 1000,
            state: CoverageState::Covered,
            host: None,
            note: String::new(),
        };
        let lost = Impact { lost_estimate: Some(100), ..Impact::default() };
        let incidents = [
            incident(Severity::Outage, 100, Some(200), lost),
            // Overlaps the first, and lies partly outside what is covered.
            incident(Severity::Degradation, 150, Some(600), Impact { uncounted: 20, ..Impact::default() }),
            incident(Severity::Hidden, 0, Some(50), Impact::default()),
            incident(Severity::Slowdown, 0, Some(50), Impact::default()),
            incident(Severity::Unknown, 900, None, Impact::default()),
        ];
        let totals = Totals { requests: 900, failed: 30, ..Totals::default() };
        let a = availability(&incidents, &[covered(0, 500), covered(800, 1000)], totals).unwrap();
        assert_eq!((a.covered_seconds, a.bad_seconds, a.unknown_seconds), (700.0, 400.0, 100.0));
        assert!((a.time - 300.0 / 700.0).abs() < 1e-12);
        assert!((a.requests - 0.85).abs() < 1e-12, "{}", a.requests);
        assert_eq!(availability(&incidents, &[], Totals::default()), None);
    }
}
