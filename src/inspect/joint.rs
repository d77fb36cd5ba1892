//! Incidents that several hosts had together are one incident.

use crate::report::{Context, Incident};

/// Joins incidents of different hosts that overlap by half of the shorter one and are of one severity.
pub fn join_hosts(incidents: &mut Vec<Incident>, hosts: usize) {
    if hosts < 2 {
        return;
    }
    incidents.sort_by(|a, b| (a.start, &a.id).cmp(&(b.start, &b.id)));
    let mut joined: Vec<Incident> = Vec::new();
    for incident in incidents.drain(..) {
        match joined.iter_mut().find(|j| belong_together(j, &incident)) {
            Some(j) => join(j, incident),
            None => joined.push(incident),
        }
    }
    for incident in joined.iter_mut().filter(|i| i.scope.hosts.len() > 1) {
        let all = incident.scope.hosts.len() == hosts;
        let names = incident.scope.hosts.join(", ");
        let own = incident.title.rfind(" (").map_or(incident.title.len(), |i| i);
        let on = if all { format!("on all {hosts} hosts") } else { format!("on {names}") };
        incident.title = format!("{} {on}", &incident.title[..own]);
    }
    *incidents = joined;
}

/// What the requests of two hosts say of the places, as one.
fn join_context(a: &mut Context, b: Context) {
    a.sampled |= b.sampled;
    a.remarks.extend(b.remarks);
    let (made, other) = (&mut a.made_of, b.made_of);
    made.slow_ms = [made.slow_ms, other.slow_ms].into_iter().flatten().min();
    made.given_up |= other.given_up;
    made.gone_paths.extend(other.gone_paths);
    made.gone_endpoints.extend(other.gone_endpoints);
    if a.counted.is_empty() {
        a.counted = b.counted;
    }
    for place in b.places {
        match a.places.iter_mut().find(|p| p.kind == place.kind && p.name == place.name) {
            Some(mine) => {
                mine.requests += place.requests;
                mine.failed += place.failed;
                mine.first_failure = [mine.first_failure, place.first_failure].into_iter().flatten().min();
                // Their traffic around the incident is not known apart: the worse share is the safer one.
                mine.usual_share =
                    [mine.usual_share, place.usual_share].into_iter().flatten().reduce(f64::max);
            }
            None => a.places.push(place),
        }
    }
    a.places.sort_by(|x, y| {
        (x.kind, y.failed, y.requests, &x.name).cmp(&(y.kind, x.failed, x.requests, &y.name))
    });
}

fn last(i: &Incident) -> i64 {
    i.end.unwrap_or(i.end_bounds.1)
}

fn belong_together(a: &Incident, b: &Incident) -> bool {
    let shared = last(a).min(last(b)) - a.start.max(b.start);
    let shorter = (last(a) - a.start).min(last(b) - b.start);
    let other_host = b.scope.hosts.iter().all(|h| !a.scope.hosts.contains(h));
    other_host && a.severity == b.severity && shared * 2 >= shorter && shared > 0
}

/// Says of what one host alone said which host it was.
fn sign(i: &mut Incident) {
    let [host] = i.scope.hosts.as_slice() else { return };
    let notes = i.phases.iter_mut().map(|p| &mut p.note).chain(&mut i.context.remarks);
    for note in notes.filter(|n| !n.is_empty()) {
        *note = format!("{host}: {note}");
    }
}

fn join(a: &mut Incident, mut b: Incident) {
    sign(a);
    sign(&mut b);
    let next = b.scope.hosts.join(", ");
    for cause in b.cause.iter_mut().chain(&mut b.other_causes) {
        cause.summary = format!("on {next}: {}", cause.summary);
    }
    if b.end_bounds.1 > a.end_bounds.1 {
        (a.end, a.end_bounds, a.open_end) = (b.end, b.end_bounds, b.open_end);
    }
    a.scope.hosts.extend(b.scope.hosts);
    a.scope.hosts.sort();
    for (mine, other) in [
        (&mut a.scope.vhosts, b.scope.vhosts),
        (&mut a.scope.endpoints, b.scope.endpoints),
        (&mut a.scope.upstreams, b.scope.upstreams),
    ] {
        mine.extend(other);
        mine.sort();
        mine.dedup();
    }
    let (mine, other) = (&mut a.impact, b.impact);
    mine.requests += other.requests;
    mine.failed += other.failed;
    mine.uncounted += other.uncounted;
    mine.slow = [mine.slow, other.slow].into_iter().flatten().reduce(|x, y| x + y);
    mine.failed_share = (mine.requests > 0).then(|| mine.failed as f64 / mine.requests as f64);
    mine.lost_estimate = match (mine.lost_estimate, other.lost_estimate) {
        (Some(x), Some(y)) => Some(x + y),
        (x, y) => x.or(y),
    };
    mine.lost_bounds = match (mine.lost_bounds, other.lost_bounds) {
        (Some(x), Some(y)) => Some((x.0 + y.0, x.1 + y.1)),
        (x, y) => x.or(y),
    };
    // One client may have met several hosts, so their sum is an upper bound; the larger is certain.
    mine.clients = mine.clients.max(other.clients);
    for (status, n) in other.statuses {
        *mine.statuses.entry(status).or_default() += n;
    }
    a.phases.extend(b.phases);
    a.phases.sort_by_key(|p| p.start);
    a.other_causes.extend(b.cause);
    a.other_causes.extend(b.other_causes);
    if a.cause.is_none() && !a.other_causes.is_empty() {
        a.cause = Some(a.other_causes.remove(0));
    }
    a.trigger = a.trigger.take().or(b.trigger);
    a.timeline.extend(b.timeline);
    a.timeline.sort_by_key(|e| e.time);
    a.evidence.extend(b.evidence);
    join_context(&mut a.context, b.context);
    a.why = format!("{}; on {next} {}", a.why, b.why);
}
