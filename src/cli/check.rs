//! `downtime check`: for monitoring. The first line is the plugin's, the code is the state, and whatever goes wrong is
//! UNKNOWN: the usual 2 of wrong usage would read as CRITICAL.

use crate::cli::messages::{self, Exit};
use crate::cli::output::write;
use crate::cli::progress::Shown;
use crate::cli::state::{self, StateArgs};
use crate::cli::when::{self, Now};
use crate::cli::{Choice, InputArgs, resolve};
use anyhow::Result;
use clap::Args;
use downtime::analysis::{self, Options};
use downtime::check::{Limits, Range, State, verdict};
use downtime::error::Error;
use downtime::render::safe;
use downtime::time::Window;
use std::process::ExitCode;

/// What is usual is learnt from so many windows before the one that is judged, and from six hours at least.
const CONTEXT: i64 = 24;
const LEAST_CONTEXT: i64 = 6 * 3600;

/// `downtime check`.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) input: InputArgs,
    /// How far back to judge, from now or from --until
    #[arg(long, value_name = "TIME", value_parser = length, default_value = "15m", help_heading = "Check")]
    pub(crate) window: i64,
    /// WARNING when the failed share in per cent is outside this range
    ///
    /// Ranges are those of monitoring plugins: 5 (0 to 5), 5:, ~:5, 5:10, and @5:10 to alarm inside. Without limits
    /// the incidents decide: an outage is CRITICAL, a degradation or slowdown WARNING.
    #[arg(short, long, value_name = "RANGE", allow_hyphen_values = true, help_heading = "Check")]
    pub(crate) warning: Option<Range>,
    /// CRITICAL when the failed share in per cent is outside this range
    #[arg(short, long, value_name = "RANGE", allow_hyphen_values = true, help_heading = "Check")]
    pub(crate) critical: Option<Range>,
    /// WARNING when the seconds of outage inside the window are outside this range
    #[arg(long, value_name = "RANGE", allow_hyphen_values = true, help_heading = "Check")]
    pub(crate) down_warning: Option<Range>,
    /// CRITICAL when the seconds of outage inside the window are outside this range
    #[arg(long, value_name = "RANGE", allow_hyphen_values = true, help_heading = "Check")]
    pub(crate) down_critical: Option<Range>,
    #[command(flatten)]
    pub(crate) state: StateArgs,
}

fn length(text: &str) -> Result<i64, String> {
    let seconds = when::parse_duration(text).filter(|s| (1..=366 * 86_400).contains(s));
    seconds.ok_or_else(|| "a window is like 90s, 15m, 6h or 1d".into())
}

/// Runs it.
pub(crate) fn check(args: &CheckArgs) -> Result<Exit> {
    if args.input.since.is_some() {
        return Err(Error::Usage(
            "check judges the last --window before now or --until; leave --since out".into(),
        )
        .into());
    }
    let now = Now::read();
    let mut options = resolve::options(&args.input, false, now)?;
    let open = args.input.until.is_none();
    if open {
        options.window.end = now.utc;
    }
    let context = args.window.saturating_mul(CONTEXT).max(LEAST_CONTEXT);
    options.window.start = options.window.end.saturating_sub(args.window.saturating_add(context));
    options.civil_start = options.civil_end;
    let read = Options {
        // A log whose clock is ahead of this machine's is read to its end.
        window: Window { end: if open { Window::ALL.end } else { options.window.end }, ..options.window },
        ..options.clone()
    };
    let (outcome, session) = match &args.state.state {
        None => (analysis::run(&read, &Shown::start(Choice::Never))?, None),
        Some(file) => {
            let Some(mut session) = state::open(file)? else {
                return Err(Error::Usage(format!("another run holds {}", file.display())).into());
            };
            let all =
                Options { window: Window::ALL, civil_start: false, civil_end: false, ..options.clone() };
            let advance = session.advance(&all, args.state.kept(), true, &Shown::start(Choice::Never))?;
            let none = || Error::Usage("nothing was read".into());
            (advance.ok_or_else(none)?.outcome, Some(session))
        }
    };
    let end = options.window_in(outcome.report.zone).end;
    let last = outcome.timeline.span().map_or(end, |s| s.end);
    let window =
        Window { start: end.saturating_sub(args.window), end: if open { end.max(last) } else { end } };
    let limits = Limits {
        warning: args.warning.clone(),
        critical: args.critical.clone(),
        down_warning: args.down_warning.clone(),
        down_critical: args.down_critical.clone(),
    };
    let mut verdict = verdict(&outcome.report, &outcome.timeline, window, &limits);
    for failure in &outcome.failures {
        // What could not be read might hold the outage.
        if verdict.state == State::Ok || verdict.state == State::Warning {
            let before = std::mem::replace(&mut verdict.summary, failure.to_string());
            verdict.details.insert(0, before);
            verdict.state = State::Unknown;
        } else {
            verdict.details.push(failure.to_string());
        }
    }
    write(None, |out| out.write_all(verdict.text(&limits).as_bytes()))?;
    if let Some(session) = session {
        args.state.finish(session, now)?;
    }
    Ok(Exit::Plugin(verdict.state))
}

/// Says on standard output, where monitoring reads, that nothing can be said.
fn unknown(why: &str) -> ExitCode {
    let line = format!("DOWNTIME UNKNOWN - {}\n", safe::visible(why).replace('|', "/"));
    let _ = write(None, |out| out.write_all(line.as_bytes()));
    Exit::Plugin(State::Unknown).into()
}

/// Wrong arguments. Help and version are what was asked for.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        return messages::usage(error);
    }
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default();
    unknown(first.strip_prefix("error: ").unwrap_or(first))
}

/// An error that left nothing to judge.
pub(crate) fn fatal(error: &anyhow::Error) -> ExitCode {
    unknown(&messages::whole(error))
}

/// `-` at a terminal.
pub(crate) fn terminal() -> ExitCode {
    unknown("- reads standard input, and that is a terminal")
}
