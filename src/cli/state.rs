//! `--state`: a report, or a check, that goes on where the last run stopped. What is news is printed first and the
//! state written last, so that a run that is killed says its news again and loses nothing.

use crate::cli::messages::{self, Exit};
use crate::cli::output::write;
use crate::cli::progress::Shown;
use crate::cli::when::{self, Now};
use crate::cli::{ReportArgs, resolve};
use anyhow::Result;
use clap::{Args, ValueHint};
use downtime::clock;
use downtime::error::Error;
use downtime::render;
use downtime::render::prometheus::{self, Metrics};
use downtime::report::Severity;
use downtime::state::{KEEP, Session};
use std::path::PathBuf;

/// Runs that go on from each other.
#[derive(Debug, Args)]
#[command(next_help_heading = "Runs that go on")]
pub(crate) struct StateArgs {
    /// Read only what is new since the last run with this file, and print only what is news
    ///
    /// Logs are known by their content: rotation by renaming, copying or packing loses no line and counts none twice.
    /// An incident is told when it is new and when it is over, each once.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) state: Option<PathBuf>,
    /// With --state: leave the state as it is, so that the next run says the same again
    #[arg(long, requires = "state")]
    pub(crate) dry_run: bool,
    /// With --state: tell an incident once more when it goes on for an hour
    #[arg(long, requires = "state")]
    pub(crate) remind: bool,
    /// With --state: how much of the logs is kept to compare with [default: 2d]
    #[arg(long, value_name = "TIME", value_parser = keep, requires = "state")]
    pub(crate) keep: Option<i64>,
    /// With --state: say on standard error how much was read
    #[arg(long, requires = "state")]
    pub(crate) stats: bool,
    /// With --state: write metrics for the text-file collector of node_exporter
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "state")]
    pub(crate) prometheus: Option<PathBuf>,
}

fn keep(text: &str) -> Result<i64, String> {
    let seconds = when::parse_duration(text).filter(|s| (3600..=31 * 86_400).contains(s));
    seconds.ok_or_else(|| "from an hour to 31 days, like 12h or 7d".into())
}

impl StateArgs {
    /// Seconds of log that are kept.
    pub(crate) fn kept(&self) -> i64 {
        self.keep.unwrap_or(KEEP)
    }

    /// What comes after the output: the metrics, the numbers, the state.
    pub(crate) fn finish(&self, session: Session, now: Now) -> Result<()> {
        if self.stats {
            let s = session.stats();
            let text = format!(
                "read {} new bytes in {}; {} bytes to know the files, {} of the state",
                clock::count(s.new),
                clock::count_of(s.files, "file"),
                clock::count(s.known_by),
                clock::count(s.state),
            );
            messages::note(&text);
        }
        if self.dry_run {
            return Ok(());
        }
        let metrics = self.prometheus.as_ref().map(|_| prometheus::text(&metrics(&session, now)));
        session.commit()?;
        if let (Some(file), Some(text)) = (&self.prometheus, metrics) {
            write(Some(file), |out| out.write_all(text.as_bytes()))?;
        }
        Ok(())
    }
}

fn metrics(session: &Session, now: Now) -> Metrics {
    let mut metrics = Metrics {
        now: now.utc,
        last: session.last(),
        incidents: session.ledger().sums(),
        unparsed: session.unparsed().clone(),
        ..Metrics::default()
    };
    // A series that is there only while something is wrong cannot be told from one that was lost.
    metrics.active.insert("all".into(), 0);
    for kind in
        [Severity::Outage, Severity::Degradation, Severity::Slowdown, Severity::Hidden, Severity::Unknown]
    {
        metrics.incidents.entry(("all".into(), kind)).or_default();
    }
    for known in session.ledger().known() {
        *metrics.active.entry(known.vhost.clone()).or_default() += u64::from(!known.is_over());
    }
    metrics
}

/// The state of a run, held; `None` when another run holds it.
pub(crate) fn open(file: &std::path::Path) -> Result<Option<Session>> {
    Ok(Session::open(file)?)
}

/// The report of what is news.
pub(crate) fn report(args: &ReportArgs, file: &std::path::Path) -> Result<Exit> {
    let now = Now::read();
    let options = resolve::options(&args.input, args.digest, now)?;
    if args.digest {
        return Err(Error::Usage("--digest does not fit --state: old files are not read again".into()).into());
    }
    if args.redact {
        let what = "--redact does not fit --state: its key is made of all of the logs, and old files are not read again";
        return Err(Error::Usage(what.into()).into());
    }
    let Some(mut session) = open(file)? else {
        messages::note(&format!("another run holds {}; nothing was done", file.display()));
        return Ok(Exit::Done);
    };
    session.remind(args.state.remind);
    let always = args.output.output.is_some();
    let advance =
        session.advance(&options, args.state.kept(), always, &Shown::start(args.output.progress))?;
    let mut exit = Exit::Done;
    if let Some(mut advance) = advance {
        let failures = &advance.outcome.failures;
        failures.iter().for_each(messages::warn);
        let report = &mut advance.outcome.report;
        report.incidents.retain(|i| advance.news.iter().any(|n| n.id == i.id));
        if always || !advance.news.is_empty() {
            let style = resolve::style(&args.output);
            write(args.output.output.as_deref(), |out| {
                render::report(report, args.format.into(), style, out)
            })?;
        }
        if !failures.is_empty() {
            exit = Exit::Failed;
        } else if args.exit_code && !advance.news.is_empty() {
            exit = Exit::Found;
        }
    }
    if !session.knows_logs() {
        // Silence for ever after would read as good news.
        messages::note("nothing was read: no nginx log was found");
        exit = Exit::Failed;
    }
    args.state.finish(session, now)?;
    Ok(exit)
}
