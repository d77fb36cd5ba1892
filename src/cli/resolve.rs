//! What was typed becomes what it means: arguments, clock and environment into `analysis::Options` and a style.

use crate::cli::when::{self, Edge, Now, TIME_FORMS, When};
use crate::cli::{Choice, InputArgs, OutputArgs, ReportFormat};
use downtime::analysis::{ErrorZoneChoice, Options};
use downtime::error::{Error, Result};
use downtime::render::{Links, OutputFormat, Style};
use downtime::time::{Second, Window};
use std::io::{IsTerminal, stdin, stdout};
use std::path::{Path, PathBuf};

/// Where nginx logs unless told otherwise, on nearly every distribution.
const DEFAULT_PATH: &str = "/var/log/nginx";
/// Wider lines are hard to read, narrower ones break tables.
const COLUMNS: std::ops::RangeInclusive<usize> = 60..=110;

/// The options of the analysis.
pub(crate) fn options(args: &InputArgs, digest: bool, now: Now) -> Result<Options> {
    let since = bound(args.since.as_deref(), "--since", Edge::Since, now, args.tz)?;
    let until = bound(args.until.as_deref(), "--until", Edge::Until, now, args.tz)?;
    if let (Some(When::At(from)), Some(When::At(to))) | (Some(When::Civil(from)), Some(When::Civil(to))) =
        (since, until)
        && from >= to
    {
        return Err(Error::Usage(
            "--since must lie before --until; as they stand nothing is between them".into(),
        ));
    }
    let second = |when: Option<When>, open: Second| match when {
        Some(When::At(second) | When::Civil(second)) => second,
        None => open,
    };
    Ok(Options {
        paths: paths(&args.paths)?,
        window: Window { start: second(since, Window::ALL.start), end: second(until, Window::ALL.end) },
        civil_start: matches!(since, Some(When::Civil(_))),
        civil_end: matches!(until, Some(When::Civil(_))),
        zone: args.tz,
        error_zone: args.error_tz.clone(),
        log_formats: args.log_format.clone(),
        nginx_conf: args.nginx_conf.clone(),
        host_from: args.host_from.clone(),
        exclude: args.exclude.clone(),
        exclude_agent: args.exclude_agent.clone(),
        patterns: pattern_dirs(&args.patterns),
        threads: usize::from(args.threads),
        digest,
        redact: false,
        keep_streams: false,
        chunk_bytes: args.chunk_bytes.and_then(|n| usize::try_from(n).ok()),
    })
}

/// The folders of patterns: the user's own where there is one, then those that were named.
pub(crate) fn pattern_dirs(named: &[PathBuf]) -> Vec<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    let config = absolute("XDG_CONFIG_HOME").or_else(|| absolute("HOME").map(|home| home.join(".config")));
    let own = config.map(|c| c.join("downtime/patterns")).filter(|p| p.is_dir());
    own.into_iter().chain(named.iter().cloned()).collect()
}

fn bound(text: Option<&str>, name: &str, edge: Edge, now: Now, zone: Option<i16>) -> Result<Option<When>> {
    let Some(text) = text else { return Ok(None) };
    match (when::parse_time(text, edge, now), zone) {
        (None, _) => {
            let text = downtime::render::safe::cut(text, 60);
            Err(Error::Usage(format!("{name} '{text}' is not a time; write {TIME_FORMS}")))
        }
        (Some(When::Civil(civil)), Some(zone)) => Ok(Some(When::At(civil - i64::from(zone) * 60))),
        (when, _) => Ok(when),
    }
}

fn paths(given: &[PathBuf]) -> Result<Vec<PathBuf>> {
    if given.is_empty() {
        if Path::new(DEFAULT_PATH).exists() {
            return Ok(vec![DEFAULT_PATH.into()]);
        }
        return Err(Error::Usage(format!(
            "no PATH given and there is no {DEFAULT_PATH}; name log files or folders, or - for standard input"
        )));
    }
    let stdin = |path: &PathBuf| path.as_os_str() == "-";
    if given.iter().filter(|p| stdin(p)).count() > 1 {
        return Err(Error::Usage(
            "standard input can be read once only, and - is given more than once".into(),
        ));
    }
    Ok(given.to_vec())
}

/// Whether standard input is asked for and is a person at a terminal, who should get help and not a silent wait.
pub(crate) fn would_wait_for_terminal(args: &InputArgs) -> bool {
    args.paths.iter().any(|p| p.as_os_str() == "-") && stdin().is_terminal()
}

/// A zone for error logs: an offset, or a name that the zone database may know.
pub(crate) fn parse_error_zone(text: &str) -> Result<ErrorZoneChoice, String> {
    if let Some(offset) = when::parse_zone(text) {
        return Ok(ErrorZoneChoice::Fixed(offset));
    }
    // A name becomes a path under the zone database, so that nothing may climb out of it.
    let name = text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'_' | b'-' | b'+'));
    if name && text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.len() <= 64 {
        return Ok(ErrorZoneChoice::Named(text.to_owned()));
    }
    Err("a zone is an offset like -05:00 or a name like America/Bogota".into())
}

/// The same as it would be typed.
pub(crate) fn error_zone_text(zone: &ErrorZoneChoice) -> String {
    match zone {
        ErrorZoneChoice::Fixed(offset) => downtime::clock::Clock::new(*offset).offset(),
        ErrorZoneChoice::Named(name) => name.clone(),
    }
}

/// How text is laid out where it goes.
pub(crate) fn style(args: &OutputArgs) -> Style {
    let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty());
    let terminal = args.output.is_none() && stdout().is_terminal();
    let colour = match args.color {
        Choice::Always => true,
        Choice::Never => false,
        Choice::Auto => terminal && set("NO_COLOR").is_none() && set("TERM").is_none_or(|t| t != "dumb"),
    };
    let asked = set("COLUMNS").and_then(|c| c.to_str()?.parse().ok());
    let measured = || terminal_size::terminal_size_of(stdout()).map(|(width, _)| usize::from(width.0));
    let columns = asked.or_else(|| if terminal { measured() } else { None }).unwrap_or(80);
    let plain = set("TERM").is_none_or(|t| t == "dumb" || t == "linux");
    let links = (terminal && !plain && args.color != Choice::Never).then(links).flatten();
    Style { columns: columns.clamp(*COLUMNS.start(), *COLUMNS.end()), colour, links }
}

/// Where files are, for a terminal that opens them. The name of the machine tells a terminal at home that the file is
/// not there.
fn links() -> Option<Links> {
    let folder = std::env::current_dir().ok()?.to_str()?.to_owned();
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned();
    Some(Links { host, folder })
}

impl From<ReportFormat> for OutputFormat {
    fn from(format: ReportFormat) -> Self {
        match format {
            ReportFormat::Text => Self::Text,
            ReportFormat::Json => Self::Json,
            ReportFormat::Ndjson => Self::Ndjson,
            ReportFormat::Markdown => Self::Markdown,
            ReportFormat::Html => Self::Html,
            ReportFormat::Csv => Self::Csv,
            ReportFormat::Brief => Self::Brief,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_of_error_logs() {
        assert_eq!(parse_error_zone("-05:00"), Ok(ErrorZoneChoice::Fixed(-300)));
        assert_eq!(parse_error_zone("utc"), Ok(ErrorZoneChoice::Fixed(0)));
        assert_eq!(parse_error_zone("America/Bogota"), Ok(ErrorZoneChoice::Named("America/Bogota".into())));
        for bad in ["", "../etc/passwd", "/etc/localtime", "A\u{1b}", "America/../x"] {
            assert!(parse_error_zone(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_time_without_zone_waits_for_the_logs_zone_unless_one_is_shown() {
        let now = Now { utc: 0, civil: 0 };
        let at = |zone| bound(Some("2020-04-25 18:00"), "--since", Edge::Since, now, zone).unwrap();
        assert_eq!(at(None), Some(When::Civil(1_587_837_600)));
        assert_eq!(at(Some(-300)), Some(When::At(1_587_837_600 + 18_000)));
    }
}
