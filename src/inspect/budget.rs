//! What an incident costs of an error budget. By time alone an hour in which one request of a hundred fails would
//! cost as much as an hour of nothing; by requests alone a silent night would cost nothing. So its minutes count by
//! the share of what should have been answered and was not, with the requests that never came among them (the
//! "occurrences" and "timeslices" of `OpenSLO`, in one figure).

use crate::report::{ErrorBudget, Incident, Objective, Severity};

/// The window over which budgets are usually given.
const DAYS: u32 = 30;
/// The usual objectives.
const TARGETS: [f64; 4] = [0.99, 0.999, 0.9995, 0.9999];

/// The cost of an incident up to its end, or up to where the log ends.
pub fn error_budget(incident: &Incident) -> Option<ErrorBudget> {
    if !incident.client_visible {
        return None;
    }
    let share = share(incident)?;
    let end = incident.end.unwrap_or(incident.end_bounds.0);
    let spent_minutes = end.saturating_sub(incident.start).max(0) as f64 / 60_000.0 * share;
    let objective = |target: f64| {
        let budget_minutes = f64::from(DAYS) * 1440.0 * (1.0 - target);
        Objective { target, budget_minutes, spent_share: spent_minutes / budget_minutes }
    };
    Some(ErrorBudget { window_days: DAYS, spent_minutes, objectives: TARGETS.map(objective).into() })
}

/// Of the requests that came or should have come, the share that was not answered well. Silence with proof that
/// nginx was down costs all of its time, whatever the rate; silence without a proof and without an estimate is not
/// priced.
fn share(incident: &Incident) -> Option<f64> {
    let impact = &incident.impact;
    let lost = impact.lost_estimate.unwrap_or(0);
    if impact.failed > 0 && impact.failed_share.is_none() {
        return None;
    }
    let wanted = impact.requests.saturating_add(lost);
    if wanted == 0 {
        return (incident.severity == Severity::Outage).then_some(1.0);
    }
    let bad = impact.failed.saturating_add(lost);
    Some((bad as f64 / wanted as f64).clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::text::tests::incident;

    #[test]
    fn minutes_count_by_the_share_that_failed() {
        let mut i = incident();
        i.end = Some(i.start + 3_600_000);
        (i.impact.requests, i.impact.failed) = (200, 50);
        let half_hour = |i: &Incident| error_budget(i).unwrap().spent_minutes;
        assert_eq!(half_hour(&i), 15.0);
        i.impact.lost_estimate = Some(100);
        assert_eq!(half_hour(&i), 30.0);
        let budget = error_budget(&i).unwrap();
        let rounded: Vec<_> =
            budget.objectives.iter().map(|o| (o.budget_minutes * 100.0).round() / 100.0).collect();
        assert_eq!(rounded, [432.0, 43.2, 21.6, 4.32]);
        assert!((budget.objectives[1].spent_share - 30.0 / 43.2).abs() < 1e-9);
    }

    #[test]
    fn what_clients_did_not_see_costs_nothing_and_what_is_unknown_is_not_priced() {
        let mut i = incident();
        (i.impact.requests, i.impact.failed) = (0, 0);
        assert_eq!(error_budget(&i).unwrap().spent_minutes, 69.6);
        i.severity = Severity::Unknown;
        assert_eq!(error_budget(&i), None);
        i.severity = Severity::Outage;
        i.client_visible = false;
        assert_eq!(error_budget(&i), None);
    }
}
