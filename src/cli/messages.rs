//! What is said to the person at the terminal, on standard error, and the codes the program ends with.

use downtime::check::State;
use downtime::error::Error;
use downtime::render::safe;
use std::io::{self, Write};
use std::process::ExitCode;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done.
    Done,
    /// Done with `--exit-code`, and an incident was found.
    Found,
    /// Could not run, or not on all of it.
    Failed,
    /// An error with `--exit-code`, where 1 is taken.
    Error,
    /// Wrong usage.
    Usage,
    /// What `check` found, in the codes of monitoring plugins.
    Plugin(State),
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Found | Exit::Failed => 1,
            Exit::Error | Exit::Usage => 2,
            Exit::Plugin(state) => state.code(),
        })
    }
}

/// Says something. That nobody may be listening is no reason to stop.
fn say(kind: &str, text: &str) {
    // One write a message: lines of several processes on one terminal do not mix.
    let line = format!("downtime: {kind}{}\n", safe::visible(text));
    let _ = io::stderr().lock().write_all(line.as_bytes());
}

/// A file could not be read and the rest goes on.
pub(crate) fn warn(error: &Error) {
    say("warning: ", &error.to_string());
}

/// One error of several.
pub(crate) fn error(error: &Error) {
    say("error: ", &error.to_string());
}

/// A word that is no error.
pub(crate) fn note(text: &str) {
    say("", text);
}

/// Whoever read the output has seen enough of it, as in `downtime | head`: no error.
pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = |e: &io::Error| e.kind() == io::ErrorKind::BrokenPipe;
    error.chain().any(|e| e.downcast_ref().is_some_and(io))
}

/// An error and what it came of, each said once: ours name the cause themselves.
pub(crate) fn whole(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |told, cause| match () {
        () if told.is_empty() => cause,
        () if told.ends_with(&cause) => told,
        () => format!("{told}: {cause}"),
    })
}

/// Nothing goes on; says why and returns how to end.
pub(crate) fn fatal(error: &anyhow::Error) -> ExitCode {
    let usage = matches!(error.downcast_ref(), Some(Error::Usage(_) | Error::Directive { .. }));
    if is_broken_pipe(error) {
        return Exit::Done.into();
    }
    say("error: ", &whole(error));
    if usage {
        say("", "try 'downtime --help'");
    }
    if usage { Exit::Usage.into() } else { Exit::Failed.into() }
}

/// Help and version go to standard output, mistakes to standard error; clap knows which.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    let _ = error.print();
    if error.use_stderr() { Exit::Usage.into() } else { Exit::Done.into() }
}

/// The short help, for a person whom we would else keep waiting.
pub(crate) fn help() -> ExitCode {
    let mut help = crate::cli::definition();
    let help = help.render_help();
    let text = format!("downtime: - reads standard input, and that is this terminal\n\n{help}");
    let _ = io::stderr().lock().write_all(text.as_bytes());
    Exit::Usage.into()
}
