//! What each command does: resolve, analyse, render, and say how it ended.

use crate::cli::messages::{self, Exit};
use crate::cli::output::{overwritten, write};
use crate::cli::progress::Shown;
use crate::cli::when::Now;
use crate::cli::{
    FormatsArgs, FormatsFormat, LinesArgs, ReportArgs, SeriesArgs, SeriesFormat, VerifyArgs, VerifyFormat,
    definition, resolve, state,
};
use anyhow::{Context, Result};
use downtime::analysis::{self, Options};
use downtime::error::Error;
use downtime::lines;
use downtime::render::{self, csv, formats, json, series};
use downtime::report::Report;
use downtime::verify as notes;
use std::fs;
use std::io::{ErrorKind, IsTerminal, Read, stdin, stdout};
use std::path::{Path, PathBuf};

pub(crate) fn keep_inputs<'a>(file: Option<&Path>, inputs: impl Iterator<Item = &'a str>) -> Result<()> {
    match overwritten(file, inputs) {
        Some(input) => Err(Error::Usage(format!("-o would overwrite the log {}", input.display())).into()),
        None => Ok(()),
    }
}

/// git's way: with `--exit-code`, 1 says "found", so that errors move to 2.
pub(crate) fn with_exit_code(exit_code: bool, ended: Result<Exit>) -> Result<Exit> {
    match ended {
        Ok(Exit::Failed) if exit_code => Ok(Exit::Error),
        Err(error) if exit_code => {
            let broken = messages::is_broken_pipe(&error);
            messages::fatal(&error);
            Ok(if broken { Exit::Done } else { Exit::Error })
        }
        other => other,
    }
}

/// The report.
pub(crate) fn report(args: &ReportArgs) -> Result<Exit> {
    with_exit_code(args.exit_code, run_report(args))
}

fn run_report(args: &ReportArgs) -> Result<Exit> {
    if let Some(file) = &args.state.state {
        return state::report(args, file);
    }
    let options = Options { redact: args.redact, ..resolve::options(&args.input, args.digest, Now::read())? };
    // What is named is checked before the work, what a folder held after it.
    let notes = args.notes.iter().filter_map(|p| p.to_str());
    let named = options.paths.iter().filter_map(|p| p.to_str()).chain(notes);
    keep_inputs(args.output.output.as_deref(), named)?;
    // Notes that cannot be read are told before the work.
    let text = args.notes.as_deref().map(|notes| read_notes(notes, &args.input.paths)).transpose()?;
    let mut outcome = analysis::run(&options, &Shown::start(args.output.progress))?;
    if let (Some(path), Some(text)) = (&args.notes, &text) {
        lay_beside(&mut outcome.report, path, text, args.redact);
    }
    let failed = warn(&outcome.failures);
    let report = &outcome.report;
    if report.inputs.is_empty() && failed {
        // A report of nothing would read as good news.
        return Ok(Exit::Failed);
    }
    let file = args.output.output.as_deref();
    keep_inputs(file, report.inputs.iter().map(|i| i.path.as_str()))?;
    if file.is_some() || !args.quiet || !report.incidents.is_empty() || report.inputs.is_empty() {
        let style = resolve::style(&args.output);
        write(file, |out| render::report(report, args.format.into(), style, out))?;
    }
    let exit = match (failed || report.inputs.is_empty(), args.exit_code && !report.incidents.is_empty()) {
        (true, _) => Exit::Failed,
        (false, true) => Exit::Found,
        (false, false) => Exit::Done,
    };
    // The process ends here: thousands of small things need not be given back one by one.
    std::mem::forget(outcome);
    Ok(exit)
}

/// Says which files could not be read, and whether there were any.
fn warn(failures: &[Error]) -> bool {
    failures.iter().for_each(messages::warn);
    !failures.is_empty()
}

fn ended(failed: bool) -> Exit {
    if failed { Exit::Failed } else { Exit::Done }
}

/// The raw lines behind an incident or at a place.
pub(crate) fn lines(args: &LinesArgs) -> Result<Exit> {
    let options = resolve::options(&args.input, false, Now::read())?;
    let file = args.output.output.as_deref();
    keep_inputs(file, options.paths.iter().filter_map(|p| p.to_str()))?;
    let request =
        lines::Request { what: args.what.clone(), context: usize::from(args.context), all: args.all };
    let escape = !args.raw || file.is_none() && stdout().is_terminal();
    let mut failed = false;
    let mut error = None;
    let written = write(file, |out| {
        let progress = Shown::start(args.output.progress);
        let shown = analysis::lines(&options, &request, &progress, &mut |line, clock| {
            render::lines::write(line, render::lines::Form { clock, raw: args.raw, escape }, out)
        });
        match shown {
            Ok(outcome) => failed = warn(&outcome.failures),
            Err(Error::Io { source, .. }) if source.kind() == ErrorKind::BrokenPipe => return Err(source),
            Err(e) => {
                // So that no file appears.
                let stop = std::io::Error::other(e.to_string());
                error = Some(e);
                return Err(stop);
            }
        }
        Ok(())
    });
    match error {
        Some(e) => Err(e.into()),
        None => written.map(|()| ended(failed)),
    }
}

/// Counts per step.
pub(crate) fn series(args: &SeriesArgs) -> Result<Exit> {
    let options = resolve::options(&args.input, false, Now::read())?;
    let (counts, failures) = analysis::series(&options, args.step, &Shown::start(args.output.progress))?;
    let failed = warn(&failures);
    if counts.rows.is_empty() && failed {
        return Ok(Exit::Failed);
    }
    let file = args.output.output.as_deref();
    keep_inputs(file, options.paths.iter().filter_map(|p| p.to_str()))?;
    write(file, |out| match args.format {
        SeriesFormat::Text => series::write(&counts, resolve::style(&args.output), out),
        SeriesFormat::Json => json::write_series(&counts, out),
        SeriesFormat::Csv => csv::write_series(&counts, out),
    })?;
    Ok(ended(failed))
}

/// Which format each file is read as.
pub(crate) fn formats(args: &FormatsArgs) -> Result<Exit> {
    let options = resolve::options(&args.input, false, Now::read())?;
    let (files, failures) = analysis::formats(&options)?;
    let failed = warn(&failures);
    if files.is_empty() && failed {
        return Ok(Exit::Failed);
    }
    let file = args.output.output.as_deref();
    keep_inputs(file, files.iter().map(|f| f.path.as_str()))?;
    write(file, |out| match args.format {
        FormatsFormat::Text => formats::write(&files, resolve::style(&args.output), out),
        FormatsFormat::Json => json::write_formats(&files, out),
    })?;
    Ok(ended(failed))
}

/// Written notes against the logs.
pub(crate) fn verify(args: &VerifyArgs) -> Result<Exit> {
    with_exit_code(args.exit_code, run_verify(args))
}

fn run_verify(args: &VerifyArgs) -> Result<Exit> {
    let name = args.notes.to_string_lossy();
    let text = read_notes(&args.notes, &args.input.paths)?;
    let options = resolve::options(&args.input, false, Now::read())?;
    let file = args.output.output.as_deref();
    let named = options.paths.iter().filter_map(|p| p.to_str());
    keep_inputs(file, named.chain(args.notes.to_str()))?;
    let outcome = analysis::run(&options, &Shown::start(args.output.progress))?;
    let failed = warn(&outcome.failures);
    let report = &outcome.report;
    if report.inputs.is_empty() {
        if !failed {
            messages::warn(&Error::Usage("no nginx log was found to hold the notes against".into()));
        }
        return Ok(Exit::Failed);
    }
    keep_inputs(file, report.inputs.iter().map(|i| i.path.as_str()))?;
    let found = notes::verify(&text, report);
    write(file, |out| match args.format {
        VerifyFormat::Text => render::verify::write(&found, &name, resolve::style(&args.output), out),
        VerifyFormat::Json => json::write_verification(&found, &name, out),
        VerifyFormat::Markdown => render::verify::markdown::write(&found, &name, out),
    })?;
    Ok(match (failed, args.exit_code && found.is_contradicted()) {
        (true, _) => Exit::Failed,
        (false, true) => Exit::Found,
        (false, false) => Exit::Done,
    })
}

/// Written notes; `-` is standard input, unless that is a log.
pub(crate) fn read_notes(notes: &Path, logs: &[PathBuf]) -> Result<String> {
    let is_stdin = |path: &Path| path.as_os_str() == "-";
    if is_stdin(notes) && logs.iter().any(|p| is_stdin(p)) {
        let both = "standard input is either the notes or a log, and - is given for both";
        return Err(Error::Usage(both.into()).into());
    }
    let mut bytes = Vec::new();
    let read = if is_stdin(notes) {
        stdin().lock().read_to_end(&mut bytes)
    } else {
        fs::File::open(notes).and_then(|mut file| file.read_to_end(&mut bytes))
    };
    read.map_err(Error::io(notes))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Tells a report when people noticed. A line of notes names whom it likes, so that a redacted report does without.
fn lay_beside(report: &mut Report, path: &Path, text: &str, redact: bool) {
    notes::tell(report, &path.to_string_lossy(), text);
    if redact {
        for noticed in report.incidents.iter_mut().filter_map(|i| i.context.noticed.as_mut()) {
            noticed.evidence.text.clear();
        }
    }
}

/// Completions for a shell. Generated into memory first: `clap_complete` panics when a pipe breaks.
pub(crate) fn completions(shell: clap_complete::Shell) -> Result<Exit> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut definition(), "downtime", &mut text);
    write(None, |out| out.write_all(&text))?;
    Ok(Exit::Done)
}

/// The manual page.
pub(crate) fn man() -> Result<Exit> {
    let mut text = Vec::new();
    clap_mangen::Man::new(definition()).render(&mut text).context("manual page")?;
    write(None, |out| out.write_all(&text))?;
    Ok(Exit::Done)
}

/// The JSON Schema.
pub(crate) fn schema() -> Result<Exit> {
    write(None, |out| out.write_all(json::SCHEMA.as_bytes()))?;
    Ok(Exit::Done)
}
