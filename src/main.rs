//! The command `downtime`: reads the arguments, runs one command, and ends with its code.
//!
//! Everything that is known about logs is in the library; everything about the command line is under `cli`.

mod cli;

use cli::{Cli, Command, check, commands, config, messages};
use std::process::ExitCode;

fn main() -> ExitCode {
    downtime::heap::prepare();
    // Known before the arguments are: whatever is wrong with them, a monitor must not take it for CRITICAL.
    let plugin = std::env::args_os().nth(1).is_some_and(|arg| arg == "check");
    let mut cli = match cli::parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) if plugin => return check::usage(&error),
        Err(error) => return messages::usage(&error),
    };
    if cli.waits_for_terminal() {
        return if plugin { check::terminal() } else { messages::help() };
    }
    match config::apply(&mut cli).and_then(|()| run(&cli)) {
        Ok(exit) => exit.into(),
        Err(error) if plugin => check::fatal(&error),
        Err(error) => messages::fatal(&error),
    }
}

fn run(cli: &Cli) -> anyhow::Result<messages::Exit> {
    match &cli.command {
        _ if cli.schema => commands::schema(),
        None => commands::report(&cli.report),
        Some(Command::Lines(args)) => commands::lines(args),
        Some(Command::Series(args)) => commands::series(args),
        Some(Command::Formats(args)) => commands::formats(args),
        Some(Command::Explain(args)) => cli::explain::explain(args),
        Some(Command::Patterns(args)) => cli::patterns::patterns(args),
        Some(Command::Verify(args)) => commands::verify(args),
        Some(Command::Check(args)) => check::check(args),
        Some(Command::Scan(args)) => cli::parts::scan(args),
        Some(Command::Merge(args)) => cli::parts::merge(args),
        Some(Command::Config { input }) => config::show(input),
        Some(Command::Completions { shell }) => commands::completions(*shell),
        Some(Command::Man) => commands::man(),
    }
}
