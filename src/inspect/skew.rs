//! How far the clocks of two hosts are apart, from what both logs saw.
//!
//! A failed request that stands once in each log (one host proxies to the other, or a balancer tried both) has two
//! stamps, and their differences agree when they are those of the clocks. Where no request is shared, an incident that
//! struck both hosts bounds the difference, if it struck them at once: every start and every end leaves an interval, and
//! what lies in all of them is possible. Where nothing does, it did not strike them at once, and nothing can be said.

use super::seen::Seen;
use crate::clock;
use crate::report::{Incident, Skew};
use crate::time::Second;

/// Clocks further apart than this are taken for a wrong zone, or for another request.
const APART: Second = 3600;
/// Shared requests that are enough, the part of them that must agree, and to within how many seconds: stamps are whole
/// seconds, and a request may be logged a little later on one side.
const SHARED: usize = 5;
const AGREE: f64 = 0.8;
const CLOSE: Second = 2;
/// Edges of shared incidents that are enough: one start or end alone always fits.
const EDGES: usize = 2;

/// How far the clock of `b` is ahead of that of `a`. `shared` are the incidents of both, each as its host saw it.
pub(super) fn skew(a: &Seen<'_>, b: &Seen<'_>, shared: &[(&Incident, &Incident)]) -> Skew {
    let against = Some(a.shown());
    if let Some((seconds, how)) = of_requests(a.sightings, b.sightings) {
        return Skew { against, seconds: Some(seconds), how };
    }
    let (seconds, how) = of_edges(shared);
    Skew { against, seconds, how }
}

fn of_requests(a: &[(u64, Second)], b: &[(u64, Second)]) -> Option<((f64, f64), String)> {
    let other = |key: u64| b.binary_search_by_key(&key, |s| s.0).ok().map(|i| b[i].1);
    let pairs = a.iter().filter_map(|&(key, at)| Some(other(key)? - at));
    let mut apart: Vec<Second> = pairs.filter(|d| d.abs() <= APART).collect();
    apart.sort_unstable();
    let middle = *apart.get(apart.len() / 2)?;
    let close: Vec<Second> = apart.iter().copied().filter(|d| (d - middle).abs() <= CLOSE).collect();
    if close.len() < SHARED || (close.len() as f64) < AGREE * apart.len() as f64 {
        return None;
    }
    let how = format!("{} stand in both logs", clock::count_of(close.len() as u64, "failed request"));
    // Half of those that agree lie between the quartiles; a stamp of a whole second adds one on each side.
    let (low, high) = (close[close.len() / 4], close[close.len() * 3 / 4]);
    Some((((low - 1) as f64, (high + 1) as f64), how))
}

fn of_edges(shared: &[(&Incident, &Incident)]) -> (Option<(f64, f64)>, String) {
    let mut edges: Vec<(i64, i64)> = Vec::new();
    let apart = |a: (i64, i64), b: (i64, i64)| (b.0 - a.1, b.1 - a.0);
    for (a, b) in shared {
        edges.extend((!a.open_start && !b.open_start).then(|| apart(a.start_bounds, b.start_bounds)));
        let over = a.end.is_some() && b.end.is_some() && !a.open_end && !b.open_end;
        edges.extend(over.then(|| apart(a.end_bounds, b.end_bounds)));
    }
    if edges.is_empty() {
        let why = "cannot be estimated: the two share no failed request and had no incident together";
        return (None, why.into());
    }
    if edges.len() < EDGES {
        let why =
            "cannot be estimated: one edge of one incident is all the two share, and it fits any difference";
        return (None, why.into());
    }
    let low = edges.iter().map(|e| e.0).max().unwrap_or(0);
    let high = edges.iter().map(|e| e.1).min().unwrap_or(0);
    if low > high {
        let why = "cannot be estimated: what they had together began and ended at different distances, so that it \
                   did not strike them at once";
        return (None, why.into());
    }
    let of = clock::count_of(edges.len() as u64, "edge");
    let how = format!("from {of} of incidents that they had together, if those struck both at once");
    (Some((low as f64 / 1000.0, high as f64 / 1000.0)), how)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::text::tests::incident;

    #[test]
    fn requests_that_both_logs_saw_tell_the_difference() {
        let a = (0..20).map(|n| (n, 1000 + n as i64 * 7)).collect::<Vec<_>>();
        let b = (0..20).map(|n| (n, 1000 + n as i64 * 7 + 43 + i64::from(n == 3))).collect::<Vec<_>>();
        let (seconds, how) = of_requests(&a, &b).unwrap();
        assert_eq!(seconds, (42.0, 44.0));
        assert!(how.starts_with("20 failed requests"), "{how}");
        // Chance pairs agree on nothing.
        let b = (0..20).map(|n| (n, 1000 + (n as i64 * 37) % 101)).collect::<Vec<_>>();
        assert_eq!(of_requests(&a, &b), None);
        assert_eq!(of_requests(&a, &[]), None);
    }

    #[test]
    fn edges_bound_the_difference_or_contradict_each_other() {
        let a = incident();
        let mut b = incident();
        let shift = |i: &mut Incident, start: i64, end: i64| {
            i.start_bounds = (a.start_bounds.0 + start, a.start_bounds.1 + start);
            i.end_bounds = (a.end_bounds.0 + end, a.end_bounds.1 + end);
        };
        shift(&mut b, 3000, 3500);
        let (seconds, how) = of_edges(&[(&a, &b)]);
        assert_eq!(seconds, Some((2.5, 4.0)));
        assert!(how.contains("2 edges"), "{how}");
        shift(&mut b, 3000, 30_000);
        let (seconds, how) = of_edges(&[(&a, &b)]);
        assert!(seconds.is_none() && how.contains("different distances"), "{how}");
        b.open_end = true;
        assert!(of_edges(&[(&a, &b)]).1.contains("one edge"));
        assert!(of_edges(&[]).1.contains("no incident together"));
    }
}
