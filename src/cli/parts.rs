//! `downtime scan` and `downtime merge`: one report from the logs of many hosts, without moving the logs.

use crate::cli::commands::{keep_inputs, read_notes, with_exit_code};
use crate::cli::messages::{self, Exit};
use crate::cli::output::write;
use crate::cli::progress::Shown;
use crate::cli::when::Now;
use crate::cli::{Choice, MergeArgs, ScanArgs, resolve};
use anyhow::Result;
use downtime::error::Error;
use downtime::{parts, render};

/// What the logs of some hosts say, into a file.
pub(crate) fn scan(args: &ScanArgs) -> Result<Exit> {
    let options = resolve::options(&args.input, args.digest, Now::read())?;
    keep_inputs(Some(&args.output), options.paths.iter().filter_map(|p| p.to_str()))?;
    let (part, failures) = parts::scan(&options, &Shown::start(Choice::Auto))?;
    failures.iter().for_each(messages::warn);
    write(Some(&args.output), |out| out.write_all(&part))?;
    Ok(if failures.is_empty() { Exit::Done } else { Exit::Failed })
}

/// The report of such files.
pub(crate) fn merge(args: &MergeArgs) -> Result<Exit> {
    with_exit_code(args.exit_code, run_merge(args))
}

fn run_merge(args: &MergeArgs) -> Result<Exit> {
    let file = args.output.output.as_deref();
    keep_inputs(file, args.parts.iter().chain(&args.notes).filter_map(|p| p.to_str()))?;
    let text = args.notes.as_deref().map(|notes| read_notes(notes, &[])).transpose()?;
    let (mut report, failures) = parts::merge(&args.parts)?;
    if let (Some(path), Some(text)) = (&args.notes, &text) {
        downtime::verify::tell(&mut report, &path.to_string_lossy(), text);
    }
    for failure in &failures {
        messages::warn(&Error::Usage(failure.clone()));
    }
    if report.inputs.is_empty() {
        messages::note("nothing was read: no nginx log was found");
    }
    if file.is_some() || !args.quiet || !report.incidents.is_empty() {
        let style = resolve::style(&args.output);
        write(file, |out| render::report(&report, args.format.into(), style, out))?;
    }
    Ok(
        match (
            !failures.is_empty() || report.inputs.is_empty(),
            args.exit_code && !report.incidents.is_empty(),
        ) {
            (true, _) => Exit::Failed,
            (false, true) => Exit::Found,
            (false, false) => Exit::Done,
        },
    )
}
