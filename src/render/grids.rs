//! The tables that text, Markdown and HTML share, as cells: each output makes the cells harmless and lays them out in its
//! own way.

use crate::clock::{self, Clock};
use crate::report::{Availability, ErrorBudget, Incident, PlaceKind, Report, Severity, Skew};

/// A table; nothing in it is escaped yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Grid {
    /// What it shows.
    pub(crate) name: &'static str,
    /// Names of the columns.
    pub(crate) heads: Vec<&'static str>,
    /// Which columns hold numbers.
    pub(crate) numbers: Vec<usize>,
    /// The rows, as wide as the heads.
    pub(crate) rows: Vec<Vec<String>>,
    /// The column whose texts come from the logs and may be long.
    pub(crate) long: usize,
}

/// The name of a place or host that has none.
fn named(name: &str) -> String {
    if name.is_empty() { "-".into() } else { name.to_owned() }
}

/// A share for a narrow column.
fn short(share: f64) -> String {
    clock::share(share).replace("under ", "<").replace("over ", ">")
}

/// Seconds that are short and long.
fn seconds(s: f64) -> String {
    if s < 10.0 { format!("{s:.2} s") } else { format!("{s:.0} s") }
}

/// The time around an incident; `None` where nothing but the incident was seen.
pub(crate) fn around(i: &Incident) -> Option<Grid> {
    let stretches = &i.context.stretches;
    if stretches.len() < 2 {
        return None;
    }
    let timed = stretches.iter().any(|s| s.p50.is_some());
    let mut heads = vec!["", "length", "req/s", "1xx-3xx", "4xx", "499", "5xx"];
    if timed {
        heads.extend(["half in", "95 % in"]);
    }
    let rows = stretches.iter().map(|s| {
        let mut row = vec![
            s.kind.name().to_owned(),
            clock::duration(s.end.saturating_sub(s.start)),
            match s.rate() {
                _ if s.requests == 0 => "0".into(),
                r if r >= 10.0 => format!("{r:.1}"),
                r if r >= 0.1 => format!("{r:.2}"),
                r => format!("{r:.4}"),
            },
        ];
        row.extend([s.good, s.client_errors, s.aborted, s.server_errors].map(clock::count));
        if timed {
            row.extend([s.p50, s.p95].map(|q| q.map_or_else(|| "-".into(), seconds)));
        }
        row
    });
    let rows = rows.collect();
    Some(Grid { name: "Before, during, after", numbers: (1..heads.len()).collect(), heads, rows, long: 0 })
}

/// Where it struck, each place against its own traffic; `None` where places are not told apart.
pub(crate) fn places(i: &Incident, clock: Clock) -> Option<Grid> {
    let places = &i.context.places;
    let alone = failures_alone(i);
    let mut before = None;
    let rows: Vec<Vec<String>> = places
        .iter()
        .map(|p| {
            let again = before.replace(p.kind) == Some(p.kind);
            let kind = if again { "" } else { p.kind.name() };
            let share = p.failed as f64 / p.requests.max(1) as f64;
            let mut row = vec![kind.into(), named(&p.name), clock::count(p.failed)];
            if !alone {
                row.push(clock::count(p.requests));
                row.push(short(share));
                row.push(p.usual_share.map_or_else(|| "-".into(), short));
            }
            row.push(p.first_failure.map_or_else(|| "-".into(), |at| clock.beside(at, i.start)));
            row
        })
        .collect();
    let counted = if i.context.counted.is_empty() { "failed" } else { i.context.counted };
    let (heads, numbers) = if alone {
        (vec!["", "name", counted, "first"], vec![2])
    } else {
        (vec!["", "name", counted, "of", "share", "usually", "first"], vec![2, 3, 4, 5])
    };
    (!rows.is_empty()).then_some(Grid { name: "Where", heads, numbers, rows, long: 1 })
}

/// Whether the log keeps failed requests only, so that of how many they are is not known.
fn failures_alone(i: &Incident) -> bool {
    i.context.counted == "failed" && i.impact.failed_share.is_none() && i.impact.failed > 0
}

/// What has to be known to read [`places`].
pub(crate) fn places_note(i: &Incident) -> Option<String> {
    let context = &i.context;
    let tries = context.counted == "failed" && context.places.iter().any(|p| p.kind == PlaceKind::Upstream);
    let parts = [
        context.sampled.then_some("Counted over some of the requests, read at places spread evenly."),
        tries.then_some(
            "Of upstreams tries are counted: a retried request counts at each peer it was sent to.",
        ),
    ];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    (!context.places.is_empty() && !parts.is_empty()).then(|| parts.join(" "))
}

/// Each host's part of an incident.
pub(crate) fn hosts_of(i: &Incident, clock: Clock) -> Option<Grid> {
    let time = |at: Option<i64>| at.map_or_else(|| "-".into(), |at| clock.beside(at, i.start));
    let rows: Vec<Vec<String>> = i
        .context
        .hosts
        .iter()
        .map(|h| {
            let share = (h.requests > 0).then(|| short(h.failed as f64 / h.requests as f64));
            vec![
                named(&h.host),
                clock::count(h.requests),
                clock::count(h.failed),
                share.unwrap_or_else(|| "-".into()),
                time(h.first_failure),
                time(h.last_failure),
                h.verdict.clone(),
            ]
        })
        .collect();
    let heads = vec!["host", "requests", "failed", "share", "first", "last", "verdict"];
    (!rows.is_empty()).then(|| Grid { name: "By host", heads, numbers: vec![1, 2, 3], rows, long: 0 })
}

/// The hosts over the whole span.
pub(crate) fn hosts(report: &Report) -> Option<Grid> {
    let rows: Vec<Vec<String>> = report
        .hosts
        .iter()
        .map(|h| {
            let share = (h.requests > 0).then(|| short(h.failed as f64 / h.requests as f64));
            vec![
                named(&h.host),
                clock::count(h.requests),
                clock::count(h.failed),
                share.unwrap_or_else(|| "-".into()),
                clock::count(h.incidents),
                clock::duration((h.bad_seconds * 1000.0) as i64),
                skew(&h.skew),
            ]
        })
        .collect();
    let heads = vec!["host", "requests", "failed", "share", "incidents", "hit for", "clock"];
    (!rows.is_empty()).then(|| Grid { name: "Hosts", heads, numbers: vec![1, 2, 3, 4], rows, long: 0 })
}

/// A clock in a few words.
fn skew(s: &Skew) -> String {
    let Some(_) = &s.against else { return "the measure".into() };
    match s.seconds {
        None => "not known".into(),
        Some((low, high)) if low <= 0.0 && high >= 0.0 => {
            format!("agrees to {} s", digits(high.max(-low)))
        }
        Some((low, high)) if low > 0.0 => format!("{}-{} s ahead", digits(low), digits(high)),
        Some((low, high)) => format!("{}-{} s behind", digits(-high), digits(-low)),
    }
}

fn digits(s: f64) -> String {
    let text = format!("{s:.1}");
    text.strip_suffix(".0").unwrap_or(&text).to_owned()
}

/// How the clocks are known, a sentence a host.
pub(crate) fn clocks(report: &Report) -> Vec<String> {
    let mut out: Vec<(String, Vec<&str>)> = Vec::new();
    for h in &report.hosts {
        let Some(against) = &h.skew.against else { continue };
        let text = match h.skew.seconds {
            None => h.skew.how.clone(),
            Some(_) => format!("compared with {against}'s, {}", h.skew.how),
        };
        match out.iter_mut().find(|o| o.0 == text) {
            Some(o) => o.1.push(&h.host),
            None => out.push((text, vec![&h.host])),
        }
    }
    out.into_iter().map(|(text, hosts)| format!("Clock of {}: {text}.", hosts.join(", "))).collect()
}

/// A share with as many digits as an objective has, rounded down: 100 % is said of nothing less.
fn fine(share: f64) -> String {
    let text = format!("{:.3}", (share.clamp(0.0, 1.0) * 100_000.0).floor() / 1000.0);
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

/// How available the service was, in a sentence.
pub(crate) fn availability(a: &Availability, incidents: &[Incident]) -> String {
    let time = |s: f64| clock::duration((s * 1000.0) as i64);
    // What silence without a reason cost is not counted.
    let counted = |i: &&Incident| i.client_visible && i.severity != Severity::Unknown;
    let lost = incidents.iter().filter(counted).any(|i| i.impact.lost_estimate.is_some_and(|n| n > 0));
    let lost = if lost { " (of those that came or, by the estimate, should have come)" } else { "" };
    let free = if a.bad_seconds > 0.0 {
        format!(
            "{} of the time was free of outages and degradations: all but {}",
            fine(a.time),
            time(a.bad_seconds)
        )
    } else {
        "no time was lost to outages and degradations, out".into()
    };
    let unknown = if a.unknown_seconds > 0.0 {
        format!("; {} were silent without a reason, neither up nor down", time(a.unknown_seconds))
    } else {
        String::new()
    };
    format!(
        "{} of requests were answered well{lost}; {free} of {}{unknown}.",
        fine(a.requests),
        time(a.covered_seconds)
    )
}

/// `99.95 %`.
pub(crate) fn target(target: f64) -> String {
    let text = format!("{:.2}", target * 100.0);
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

/// What an incident spent of the usual error budgets, in a sentence.
pub(crate) fn budget(b: &ErrorBudget, open: bool) -> String {
    let least = if open { "at least " } else { "" };
    let of = b.objectives.iter().enumerate().map(|(at, o)| {
        let budget = if at == 0 { format!(" of a {}-day budget", b.window_days) } else { String::new() };
        format!("{:.1} %{budget} at {}", o.spent_share * 100.0, target(o.target))
    });
    format!("{least}{:.2} minutes: {}", b.spent_minutes, of.collect::<Vec<_>>().join(", "))
}

/// Earlier incidents that are alike, in a sentence.
pub(crate) fn alike(i: &Incident) -> Option<String> {
    let ids = &i.context.alike;
    let (last, n) = (ids.last()?, ids.len() as u64);
    let text = match n {
        1 => format!("one earlier incident had this cause at these places: {last}"),
        _ => format!("{n} earlier incidents had this cause at these places, the last of them {last}"),
    };
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_availability_are_rounded_down() {
        assert_eq!(fine(0.999_999_9), "99.999 %");
        assert_eq!(fine(1.0), "100 %");
        assert_eq!(fine(0.9995), "99.95 %");
    }

    #[test]
    fn clocks_are_ahead_behind_or_agree() {
        let of =
            |seconds| skew(&Skew { against: Some("a".into()), seconds: Some(seconds), ..Skew::default() });
        assert_eq!(of((2.5, 4.0)), "2.5-4 s ahead");
        assert_eq!(of((-4.0, -3.0)), "3-4 s behind");
        assert_eq!(of((-1.0, 2.0)), "agrees to 2 s");
    }
}
