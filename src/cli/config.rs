//! Settings that are not typed: flags go before the environment, that before files, the nearer file before the
//! farther. `downtime config` prints what holds and from where.

use crate::cli::messages::Exit;
use crate::cli::output::write;
use crate::cli::{Cli, Command, InputArgs, resolve, when};
use anyhow::Result;
use downtime::error::Error;
use serde::Deserialize;
use std::env;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The name of the file, wherever it lies.
const NAME: &str = "downtime.toml";

/// One source of settings; the names are those of the flags.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct Settings {
    paths: Vec<PathBuf>,
    tz: Option<String>,
    error_tz: Option<String>,
    log_format: Vec<String>,
    nginx_conf: Option<PathBuf>,
    host_from: Option<String>,
    exclude: Vec<String>,
    exclude_agent: Vec<String>,
    patterns: Vec<PathBuf>,
    threads: Option<u16>,
}

/// A source and what to call it.
type Named = (String, Settings);

/// What holds: name, value as TOML, and where it was said.
type Row = (&'static str, String, String);

/// Fills in what was not typed.
pub(crate) fn apply(cli: &mut Cli) -> Result<()> {
    let input = match &mut cli.command {
        None => &mut cli.report.input,
        Some(Command::Lines(args)) => &mut args.input,
        Some(Command::Series(args)) => &mut args.input,
        Some(Command::Verify(args)) => &mut args.input,
        Some(Command::Formats(args)) => &mut args.input,
        Some(Command::Check(args)) => &mut args.input,
        Some(Command::Scan(args)) => &mut args.input,
        Some(Command::Config { input }) => input,
        // These read no logs.
        Some(
            Command::Explain(_)
            | Command::Merge(_)
            | Command::Patterns(_)
            | Command::Completions { .. }
            | Command::Man,
        ) => {
            return Ok(());
        }
    };
    fill(input, &sources()?)?;
    Ok(())
}

/// Prints what holds and from where.
pub(crate) fn show(input: &InputArgs) -> Result<Exit> {
    let sources = sources()?;
    // What was filled in before is told apart from what was typed by looking at the sources again.
    let mut bare = InputArgs { paths: Vec::new(), ..InputArgs::default() };
    let said = fill(&mut bare, &sources)?;
    let mut out = String::new();
    for (name, value, default) in rows(input) {
        let of_source = said.iter().find(|(n, v, _)| *n == name && *v == value);
        let from = match (&value, of_source) {
            (v, _) if v.is_empty() => "default",
            (_, Some((.., from))) => from,
            (_, None) => "command line",
        };
        if value.is_empty() {
            let _ = writeln!(out, "# {name}: {default}");
        } else {
            let _ = writeln!(out, "{name} = {value}  # {from}");
        }
    }
    let places = places();
    let shown: Vec<String> = places.iter().map(|p| downtime::input::source::shown(p)).collect();
    let _ = writeln!(out, "# looked for: {}", shown.join(", "));
    write(None, |to| to.write_all(out.as_bytes()))?;
    Ok(Exit::Done)
}

/// The values as they hold: name, TOML (empty where nothing was said), and what the default is.
fn rows(input: &InputArgs) -> Vec<Row> {
    // A JSON string is a TOML string.
    let text = |t: &str| serde_json::Value::from(t).to_string();
    let one = |t: Option<String>| t.map_or_else(String::new, |t| text(&t));
    let list = |v: &[String]| {
        if v.is_empty() {
            String::new()
        } else {
            format!("[{}]", v.iter().map(|t| text(t)).collect::<Vec<_>>().join(", "))
        }
    };
    let paths = |v: &[PathBuf]| list(&v.iter().map(|p| p.to_string_lossy().into_owned()).collect::<Vec<_>>());
    let zone = input.tz.map(|z| downtime::clock::Clock::new(z).offset());
    vec![
        ("paths", paths(&input.paths), "/var/log/nginx".into()),
        ("tz", one(zone), "the log's own".into()),
        ("error-tz", one(input.error_tz.as_ref().map(resolve::error_zone_text)), "found by comparing".into()),
        ("log-format", list(&input.log_format), "learnt".into()),
        (
            "nginx-conf",
            one(input.nginx_conf.as_ref().map(|p| p.to_string_lossy().into_owned())),
            "none".into(),
        ),
        ("host-from", one(input.host_from.clone()), "auto".into()),
        ("exclude", list(&input.exclude), "nothing".into()),
        ("exclude-agent", list(&input.exclude_agent), "nobody".into()),
        ("patterns", paths(&input.patterns), "the built-in ones alone".into()),
        (
            "threads",
            if input.threads == 0 { String::new() } else { input.threads.to_string() },
            "all cores".into(),
        ),
    ]
}

/// The environment, then the files, the nearest first.
fn sources() -> Result<Vec<Named>> {
    let mut out = environment()?;
    for place in places() {
        let text = match std::fs::read_to_string(&place) {
            Ok(text) => text,
            Err(e)
                if matches!(e.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) =>
            {
                continue;
            }
            Err(source) => return Err(Error::Io { path: place, source }.into()),
        };
        out.push((downtime::input::source::shown(&place), of_file(&place, &text)?));
    }
    Ok(out)
}

fn of_file(place: &Path, text: &str) -> Result<Settings> {
    let wrong = |e: toml::de::Error| {
        let at = e.span().map_or(0, |s| s.start).min(text.len());
        let line = text.get(..at).map_or(1, |before| before.split('\n').count());
        Error::Config { path: place.to_owned(), line, what: e.message().to_owned() }
    };
    let mut settings: Settings = toml::from_str(text).map_err(wrong)?;
    // A path means the same wherever the program is started: it is seen from the file.
    let folder = place.parent().unwrap_or(Path::new(""));
    let from_here = |p: &mut PathBuf| *p = folder.join(&*p);
    settings
        .paths
        .iter_mut()
        .chain(&mut settings.patterns)
        .chain(&mut settings.nginx_conf)
        .for_each(from_here);
    Ok(settings)
}

/// `./downtime.toml`, that of the user, that of the machine.
fn places() -> Vec<PathBuf> {
    let set = |name: &str| env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let user = set("XDG_CONFIG_HOME").or_else(|| set("HOME").map(|h| h.join(".config")));
    let user = user.map(|folder| folder.join("downtime").join(NAME));
    [Some(PathBuf::from(NAME)), user, Some(Path::new("/etc/downtime").join(NAME))]
        .into_iter()
        .flatten()
        .collect()
}

/// `DOWNTIME_PATHS` and the like; lists of paths are written as in `PATH`.
fn environment() -> Result<Vec<Named>> {
    let mut out = Vec::new();
    let set = |name: &str| env::var_os(name).filter(|v| !v.is_empty());
    let text = |name: &str| -> Result<Option<String>> {
        let value = set(name).map(std::ffi::OsString::into_string).transpose();
        value.map_err(|_| Error::Usage(format!("{name} in the environment is not UTF-8")).into())
    };
    let list = |name: &str| set(name).map_or_else(Vec::new, |v| env::split_paths(&v).collect());
    let threads = text("DOWNTIME_THREADS")?.map(|t| t.parse::<u16>());
    let threads = threads.transpose().map_err(|_| Error::Usage("DOWNTIME_THREADS is no number".into()))?;
    let mut push = |name: &str, settings: Settings| out.push((format!("environment, {name}"), settings));
    push("DOWNTIME_PATHS", Settings { paths: list("DOWNTIME_PATHS"), ..Settings::default() });
    push("DOWNTIME_TZ", Settings { tz: text("DOWNTIME_TZ")?, ..Settings::default() });
    push("DOWNTIME_ERROR_TZ", Settings { error_tz: text("DOWNTIME_ERROR_TZ")?, ..Settings::default() });
    let formats = text("DOWNTIME_LOG_FORMAT")?.into_iter().collect();
    push("DOWNTIME_LOG_FORMAT", Settings { log_format: formats, ..Settings::default() });
    let conf = set("DOWNTIME_NGINX_CONF").map(PathBuf::from);
    push("DOWNTIME_NGINX_CONF", Settings { nginx_conf: conf, ..Settings::default() });
    push("DOWNTIME_HOST_FROM", Settings { host_from: text("DOWNTIME_HOST_FROM")?, ..Settings::default() });
    // No path of a request holds a blank; the name of a user agent can.
    let exclude =
        text("DOWNTIME_EXCLUDE")?.iter().flat_map(|t| t.split_whitespace()).map(str::to_owned).collect();
    push("DOWNTIME_EXCLUDE", Settings { exclude, ..Settings::default() });
    let agent = text("DOWNTIME_EXCLUDE_AGENT")?.into_iter().collect();
    push("DOWNTIME_EXCLUDE_AGENT", Settings { exclude_agent: agent, ..Settings::default() });
    push("DOWNTIME_PATTERNS", Settings { patterns: list("DOWNTIME_PATTERNS"), ..Settings::default() });
    push("DOWNTIME_THREADS", Settings { threads, ..Settings::default() });
    Ok(out)
}

/// Fills what is not set from the sources, the first first, and says what came from where.
fn fill(input: &mut InputArgs, sources: &[Named]) -> Result<Vec<Row>> {
    let mut said = Vec::new();
    for (name, settings) in sources {
        let wrong = |key: &str, what: String| Error::Usage(format!("{name}: {key}: {what}"));
        let before: Vec<String> = rows(input).into_iter().map(|r| r.1).collect();
        if input.paths.is_empty() {
            input.paths.clone_from(&settings.paths);
        }
        if let (None, Some(zone)) = (input.tz, &settings.tz) {
            input.tz = Some(when::parse_shown_zone(zone).map_err(|e| wrong("tz", e))?);
        }
        if let (None, Some(zone)) = (&input.error_tz, &settings.error_tz) {
            input.error_tz = Some(resolve::parse_error_zone(zone).map_err(|e| wrong("error-tz", e))?);
        }
        if input.log_format.is_empty() {
            input.log_format.clone_from(&settings.log_format);
        }
        input.nginx_conf = input.nginx_conf.take().or_else(|| settings.nginx_conf.clone());
        input.host_from = input.host_from.take().or_else(|| settings.host_from.clone());
        if input.exclude.is_empty() {
            input.exclude.clone_from(&settings.exclude);
        }
        if input.exclude_agent.is_empty() {
            input.exclude_agent.clone_from(&settings.exclude_agent);
        }
        if input.patterns.is_empty() {
            input.patterns.clone_from(&settings.patterns);
        }
        if let (0, Some(threads)) = (input.threads, settings.threads) {
            if threads > 1024 {
                return Err(wrong("threads", "is more than 1024".into()).into());
            }
            input.threads = threads;
        }
        for ((key, value, _), before) in rows(input).into_iter().zip(before) {
            if value != before {
                said.push((key, value, name.clone()));
            }
        }
    }
    Ok(said)
}
