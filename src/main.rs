//! The command `downtime`: reads the arguments, runs one command, and ends with its code.
//!
//! Everything that is known about logs is in the library; everything about the command line is under `cli`.

mod cli;

use cli::{Cli, Command, commands, messages};
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match cli::parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => return messages::usage(&error),
    };
    if cli.waits_for_terminal() {
        return messages::help();
    }
    match run(&cli) {
        Ok(exit) => exit.into(),
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
        Some(Command::Completions { shell }) => commands::completions(*shell),
        Some(Command::Man) => commands::man(),
    }
}
