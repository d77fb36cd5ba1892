//! One line an incident: start, end, severity, duration, share, cause, title, id. Columns keep their width, so that
//! the eye and `awk` both find them; nothing is printed when there is no incident.

use crate::clock::{self, Clock};
use crate::render::safe;
use crate::report::{Incident, Report};
use crate::time::Millis;
use std::io::{self, Write};

/// Writes one line an incident.
pub fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let clock = Clock::new(report.zone);
    report.incidents.iter().try_for_each(|incident| writeln!(out, "{}", line(incident, clock)))
}

/// The whole second: columns stay in line, and the other outputs have the rest.
fn whole(at: Millis) -> Millis {
    at.saturating_sub(at.rem_euclid(1000))
}

/// The line of one incident.
pub fn line(incident: &Incident, clock: Clock) -> String {
    let end = incident.end.map_or_else(|| "-".to_owned(), |end| clock.rfc3339_short(whole(end)));
    let lasted = match incident.end {
        Some(end) => clock::duration(end.saturating_sub(incident.start)),
        None => "open".into(),
    };
    let failed = incident.impact.failed_share.map_or_else(|| "-".to_owned(), clock::share);
    let cause = incident.cause.as_ref().map_or("-", |c| c.category.as_str());
    format!(
        "{}{}  {end:<25}  {:<11}  {lasted:<16}  {failed:<11}  {:<20}  {}  [{}]",
        if incident.open_start { "<" } else { "" },
        clock.rfc3339_short(whole(incident.start)),
        incident.severity.name(),
        safe::visible(cause),
        safe::cut(&incident.title, 120),
        safe::visible(&incident.id),
    )
}

/// Where the incident struck, in a few words: `everything`, or the names.
pub fn scope(incident: &Incident, names_each: usize) -> String {
    let scope = &incident.scope;
    let mut parts = Vec::new();
    if scope.all {
        parts.push("everything".to_owned());
    }
    for (noun, names) in [
        ("host", &scope.hosts),
        ("vhost", &scope.vhosts),
        ("endpoint", &scope.endpoints),
        ("upstream", &scope.upstreams),
    ] {
        if names.is_empty() {
            continue;
        }
        parts.push(listed(noun, names, names_each));
    }
    if parts.is_empty() { "not narrowed down".into() } else { parts.join("; ") }
}

/// Names of one kind with their noun, at most so many of them.
pub(crate) fn listed(noun: &str, names: &[String], most: usize) -> String {
    let plural = if names.len() == 1 { "" } else { "s" };
    let shown: Vec<_> = names.iter().take(most).map(|n| safe::cut(n, 60)).collect();
    let more = names.len().saturating_sub(most);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    format!("{noun}{plural} {}{more}", shown.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::text::tests::incident;

    #[test]
    fn a_hostile_title_stays_one_harmless_line() {
        let mut incident = incident();
        incident.title = "GET /\u{1b}[2J\n\u{202e}x failed".into();
        incident.id = "a\nb".into();
        let line = line(&incident, Clock::new(0));
        assert!(!line.chars().any(safe::is_hazard), "{line}");
    }

    #[test]
    fn an_open_incident_has_no_end() {
        let mut incident = incident();
        incident.end = None;
        incident.open_start = true;
        let line = line(&incident, Clock::new(0));
        assert!(line.starts_with("<2020-") && line.contains("  -  ") && line.contains("  open  "), "{line}");
    }
}
