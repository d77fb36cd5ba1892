//! The command that opens the lines behind a statement, ready to be copied into a shell.

use crate::clock::Clock;
use crate::render::safe;
use crate::report::{Incident, Report};
use crate::time::Millis;

/// `downtime lines WHAT PATH...`, with the options that were given, since they may change what an incident is.
pub fn lines(report: &Report, what: &str) -> String {
    let mut out = format!("downtime lines {}", quoted(what));
    // Lines come from the logs themselves: whoever may read those has nothing hidden from them.
    asked(report, &["redact"], &mut out);
    out
}

/// The command that counts an incident and what lies around it, step by step.
pub fn series(report: &Report, incident: &Incident) -> String {
    let chart = incident.chart.as_ref();
    let end = incident.end.unwrap_or(incident.end_bounds.1);
    let (from, to) = chart.map_or((incident.start, end), |c| (c.start, c.end()));
    let step = match to.saturating_sub(from) / 1000 {
        // A minute is what is taken where nothing is said.
        n if n <= 14_400 => "",
        n if n <= 259_200 => " --step=1h",
        _ => " --step=1d",
    };
    // Without a zone a time is one of the zone that is shown; the minute is enough to hold all of it.
    let clock = Clock::new(report.zone);
    let minute = |at: Millis| clock.rfc3339(at)[..16].to_owned();
    let (from, to) = (minute(from), minute(to.saturating_add(59_999)));
    let mut out = format!("downtime series{step} --since={from} --until={to}");
    asked(report, &["redact", "since", "until"], &mut out);
    out
}

/// The options of the report, but for some, and its paths.
fn asked(report: &Report, but: &[&str], out: &mut String) {
    for (name, value) in report.options.options.iter().filter(|o| !but.contains(&o.0)) {
        // An option's value may begin with a hyphen (`-05:00`).
        out.extend([" --", name, "=", &quoted(value)]);
    }
    for path in &report.options.paths {
        // What begins with a hyphen would be taken for an option.
        let path = if path.starts_with('-') && path != "-" { format!("./{path}") } else { path.clone() };
        out.push(' ');
        out.push_str(&quoted(&path));
    }
}

/// A word as a shell of the POSIX family takes it, in quotes where it needs them.
fn quoted(word: &str) -> String {
    let word = safe::visible(word);
    let plain = |c: char| c.is_ascii_alphanumeric() || "_./:@%+=,-".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Asked;

    #[test]
    fn a_shell_takes_every_word_as_one() {
        let paths = ["/var/log/nginx", "a b", "it's", "$(rm -rf)", "-x", "", "a\u{1b}\nb"];
        let report = Report {
            options: Asked {
                paths: paths.map(str::to_owned).into(),
                options: vec![("tz", "-05:00".into()), ("log-format", "$status \"$request\"".into())],
            },
            ..Report::default()
        };
        assert_eq!(
            lines(&report, "20200425T180000Z"),
            "downtime lines 20200425T180000Z --tz=-05:00 --log-format='$status \"$request\"' /var/log/nginx 'a b' \
             'it'\\''s' '$(rm -rf)' ./-x '' 'a\\x1b\\nb'"
        );
    }
}
