//! Metrics for the text-file collector of `node_exporter`: no timestamps, base units in the names, and no id of an
//! incident as a label.

use crate::report::Severity;
use crate::time::Second;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// What is exported.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metrics {
    /// When this was written (UTC).
    pub now: Second,
    /// The last second with a line.
    pub last: Option<Second>,
    /// Incidents that go on, by virtual host.
    pub active: BTreeMap<String, u64>,
    /// Incidents and their seconds, by virtual host and severity, since the state began.
    pub incidents: BTreeMap<(String, Severity), (u64, f64)>,
    /// Lines that no format fitted, by name of the rotated set.
    pub unparsed: BTreeMap<String, u64>,
}

/// The text of the file.
pub fn text(metrics: &Metrics) -> String {
    let mut out = String::new();
    let mut family = |name: &str, kind: &str, help: &str, rows: Vec<(String, String)>| {
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in rows {
            let _ = writeln!(out, "{name}{labels} {value}");
        }
    };
    let one = |value: Second| vec![(String::new(), value.to_string())];
    family("downtime_last_run_timestamp_seconds", "gauge", "When the logs were last read.", one(metrics.now));
    family(
        "downtime_log_last_line_timestamp_seconds",
        "gauge",
        "Time of the last line of the logs.",
        metrics.last.map_or_else(Vec::new, one),
    );
    let active = metrics.active.iter().map(|(v, n)| (format!("{{vhost=\"{}\"}}", label(v)), n.to_string()));
    family("downtime_incident_active", "gauge", "Incidents that go on.", active.collect());
    let labels = |(vhost, kind): &(String, Severity)| {
        format!("{{vhost=\"{}\",kind=\"{}\"}}", label(vhost), kind.name())
    };
    let sums = |f: &dyn Fn(&(u64, f64)) -> String| {
        metrics.incidents.iter().map(|(k, v)| (labels(k), f(v))).collect()
    };
    family("downtime_incidents_total", "counter", "Incidents that are over.", sums(&|v| v.0.to_string()));
    family(
        "downtime_unavailable_seconds_total",
        "counter",
        "Seconds of incidents that are over.",
        sums(&|v| format!("{:.3}", v.1)),
    );
    let unparsed =
        metrics.unparsed.iter().map(|(f, n)| (format!("{{file=\"{}\"}}", label(f)), n.to_string()));
    family(
        "downtime_unparsed_lines_total",
        "counter",
        "Lines that no log format fitted.",
        unparsed.collect(),
    );
    out
}

/// A value of a label: what the format reserves is escaped, and what could hurt a terminal is shown as it is written.
fn label(text: &str) -> String {
    super::safe::visible(text).replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_what_a_collector_reads() {
        let vhost = "a\"b\\c\n".to_owned();
        let metrics = Metrics {
            now: 1_800_000_000,
            last: Some(1_799_999_990),
            active: BTreeMap::from([("all".to_owned(), 1)]),
            incidents: BTreeMap::from([((vhost, Severity::Outage), (2, 61.5))]),
            unparsed: BTreeMap::new(),
        };
        let text = text(&metrics);
        assert!(text.contains("downtime_incident_active{vhost=\"all\"} 1\n"), "{text}");
        assert!(text.contains("downtime_last_run_timestamp_seconds 1800000000\n"), "{text}");
        assert!(text.contains("kind=\"outage\"} 61.500\n"), "{text}");
        // Every line is a comment or name, labels and one value: nothing breaks out of a label.
        for line in text.lines() {
            let value = line.rsplit(' ').next().unwrap_or_default();
            assert!(line.starts_with("# ") || value.parse::<f64>().is_ok(), "{line}");
        }
        assert!(text.contains("a\\\"b"), "{text}");
        assert_eq!(text.matches("# TYPE").count(), 6);
    }
}
