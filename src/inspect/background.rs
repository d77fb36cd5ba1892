//! What the error log tells of outside of incidents: failures of the server's side, too few at a time to be one, and
//! requests that nginx refused by its configuration (a body above `client_max_body_size`, a header above its buffers).

use super::host::{Host, Said};
use super::incident::window;
use super::words::lower;
use crate::catalogue::pattern::Visible;
use crate::clock;
use crate::detect::Anomaly;
use crate::report::Finding;
use crate::time::Window;
use std::collections::BTreeMap;

/// Categories told, those with the most records first.
const TOLD: usize = 3;
/// Seconds around an incident whose records belong to it.
const BESIDE: i64 = 60;

/// Fewer refused requests are some client's own affair.
const REFUSED: u64 = 10;

/// A finding for each class of such records.
pub(super) fn findings(host: &Host<'_>, anomalies: &[Anomaly]) -> Vec<Finding> {
    let taken: Vec<Window> = anomalies
        .iter()
        .map(window)
        .map(|w| Window { start: w.start.saturating_sub(BESIDE), end: w.end.saturating_add(BESIDE) })
        .collect();
    let outside = |s: &Said| {
        let inside: u64 = taken.iter().map(|w| s.count_in(*w)).sum();
        u64::from(s.count).saturating_sub(inside)
    };
    // First and last of a category, and how many.
    let mut by: BTreeMap<u16, (&Said, &Said, u64)> = BTreeMap::new();
    let refuses = |class: u16| {
        let pattern = host.catalogue.patterns().get(usize::from(class));
        pattern.is_some_and(|p| p.category == "client.too_large" && p.client_visible == Visible::Yes)
    };
    for s in host.said.iter().filter(|s| host.server_side(s.class) || refuses(s.class)) {
        let n = outside(s);
        if n > 0 {
            let (_, last, count) = by.entry(s.class).or_insert((s, s, 0));
            (*last, *count) = (s, *count + n);
        }
    }
    by.retain(|class, (_, _, count)| *count >= REFUSED || !refuses(*class));
    let mut all: Vec<_> = by.into_iter().collect();
    all.sort_by_key(|(class, (_, _, count))| (std::cmp::Reverse(*count), *class));
    let tell = |(class, (first, last, count)): (u16, (&Said, &Said, u64))| {
        let pattern = host.catalogue.patterns().get(usize::from(class))?;
        let last = last.seconds.last().unwrap_or(last.second).max(last.second);
        let title = pattern.title.trim_end_matches('.');
        Some(Finding {
            kind: if refuses(class) { "refused-requests" } else { "background-errors" },
            time: first.second * 1000,
            end: (last > first.second).then_some(last * 1000),
            summary: format!(
                "{} outside of incidents: {} [{}]",
                clock::count_of(count, "error record"),
                lower(title),
                pattern.category.as_str()
            ),
            evidence: vec![host.evidence(first.file, &first.sample)],
        })
    };
    all.into_iter().take(TOLD).filter_map(tell).collect()
}
