//! The command line: what may be typed, and its help. What it means is worked out in [`resolve`], what is done with
//! it in [`commands`].

#![expect(clippy::doc_markdown, reason = "these comments are the help text, where back-ticks would show")]

mod args;
pub(crate) mod check;
pub(crate) mod commands;
pub(crate) mod config;
pub(crate) mod explain;
pub(crate) mod messages;
mod output;
pub(crate) mod parts;
pub(crate) mod patterns;
mod progress;
mod resolve;
mod state;
mod when;

pub(crate) use args::{
    Choice, FormatsFormat, InputArgs, OutputArgs, RecordFormat, ReportFormat, SeriesFormat, VerifyFormat,
};
use clap::{Args, CommandFactory, Parser, Subcommand, ValueHint};
use std::ffi::OsString;
use std::io::{IsTerminal, stdin};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  downtime                                  what happened to the nginx of this machine
  downtime access.log error.log             the same for two files
  downtime logs/ --since yesterday          a folder with rotated and packed logs
  zcat access.log.*.gz | downtime -         standard input
  downtime web1/ web2/ --format json        for programs; ndjson, csv and brief too
  downtime logs/ --format markdown          the draft of a postmortem
  downtime lines ID logs/ | less            the lines behind an incident of the report
  downtime series --step 1m access.log      requests and failures by the minute
  downtime formats /var/log/nginx           which format each file is read as
  downtime explain error.log                what the messages of an error log mean
  downtime verify postmortem.md logs/       a written timeline against the logs
  downtime scan logs/ -o web1.part          on each host; then: downtime merge *.part
  downtime check --window 15m -w 2 -c 5     for monitoring: one line and a code
";

const EXIT_CODES: &str = "\
Times:
  RFC 3339, '2020-04-25 18:00', 2020-04-25 (the whole day), 18:00 (the last
  one), '2h ago', yesterday, or a stamp copied from a log. Without a zone they
  are times of the zone that is shown: --tz, or the log's own.

Exit codes:
  0  done, whether or not something was found
  1  could not run, or not on every file (the report covers the rest)
  2  wrong usage
  With --exit-code: 0 no incident, 1 an incident was found, 2 an error.
  check: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN (and usage and errors).

Settings:
  What is not typed is taken from the environment (DOWNTIME_TZ and so on), then
  from ./downtime.toml, ~/.config/downtime/downtime.toml and
  /etc/downtime/downtime.toml; 'downtime config' shows what holds.

A file that bears the name of a command is given with its folder: ./series";

/// When nginx had an outage: start, end, how sure, what failed, for whom, and why, from its own logs.
#[derive(Debug, Parser)]
#[command(name = "downtime", version, before_help = EXAMPLES, after_long_help = EXIT_CODES)]
#[command(args_conflicts_with_subcommands = true, max_term_width = 100)]
#[command(disable_help_subcommand = true, subcommand_help_heading = "Commands")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
    /// Print the JSON Schema of everything that is printed as JSON
    #[arg(long, hide = true, exclusive = true)]
    pub(crate) schema: bool,
}

impl Cli {
    /// Whether standard input is to be read and is a person at a terminal.
    pub(crate) fn waits_for_terminal(&self) -> bool {
        let input = match &self.command {
            None => &self.report.input,
            Some(Command::Lines(args)) => &args.input,
            Some(Command::Series(args)) => &args.input,
            Some(Command::Formats(args)) => &args.input,
            Some(Command::Explain(args)) => {
                let reads = args.inputs.is_empty() || args.inputs.iter().any(|i| i == "-");
                return reads && stdin().is_terminal();
            }
            Some(Command::Verify(args)) if args.notes.as_os_str() == "-" && stdin().is_terminal() => {
                return true;
            }
            Some(Command::Verify(args)) => &args.input,
            Some(Command::Check(args)) => &args.input,
            Some(Command::Scan(args)) => &args.input,
            Some(
                Command::Merge(_)
                | Command::Patterns(_)
                | Command::Config { .. }
                | Command::Completions { .. }
                | Command::Man,
            ) => return false,
        };
        resolve::would_wait_for_terminal(input)
    }
}

/// The commands beside the report.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// The raw lines behind an incident, or at a place, in order of time over all files
    Lines(LinesArgs),
    /// Requests, failures and latency per step of time
    Series(SeriesArgs),
    /// Which format each file is read as, how sure, and a sample of its fields
    Formats(FormatsArgs),
    /// What error-log records mean: category, side at fault, whether clients saw it, what to look at
    Explain(ExplainArgs),
    /// The catalogue of messages, and the check of own pattern files
    Patterns(PatternsArgs),
    /// A written timeline or postmortem against the logs, claim by claim
    Verify(VerifyArgs),
    /// For monitoring and cron: one line, and exit 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN
    Check(Box<check::CheckArgs>),
    /// What the logs of some hosts say, into a file: for 'merge', on a machine that has not the logs
    Scan(ScanArgs),
    /// The report of parts that 'scan' wrote on many hosts, as of one run over everything
    Merge(MergeArgs),
    /// Which settings hold, and where each was said
    Config {
        #[command(flatten)]
        input: InputArgs,
    },
    /// Completions for a shell, to standard output
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// The manual page, to standard output
    Man,
}

/// The report.
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    #[command(flatten)]
    pub(crate) input: InputArgs,
    #[command(flatten)]
    pub(crate) state: state::StateArgs,
    /// Form of the report
    #[arg(long, value_name = "FORM", value_enum, default_value = "text", help_heading = "Output")]
    pub(crate) format: ReportFormat,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    /// Print nothing when no incident was found
    ///
    /// For cron, which mails whatever is printed. A file given with -o is written all the same.
    #[arg(short, long, help_heading = "Output")]
    pub(crate) quiet: bool,
    /// Exit with 1 when an incident was found, 0 when not, 2 on an error
    #[arg(long, help_heading = "Output")]
    pub(crate) exit_code: bool,
    /// Hide clients, user names, user agents, query strings and cookies, so that the report can be shown around
    ///
    /// A client (user, agent) has the same pseudonym everywhere in one report. The pseudonyms are keyed by the logs
    /// themselves: the same logs give the same names, and who has only the report cannot tell whose they are. Query
    /// strings, cookies, authorization and tokens are left out where they are logged. Paths, virtual hosts and the
    /// server's own addresses stay. Files are read twice, standard input once.
    #[arg(long, help_heading = "Output")]
    pub(crate) redact: bool,
    /// Notes or a timeline of the incident: the report then says how long it took to notice
    ///
    /// The first notice in them, against the start in the logs. 'downtime verify' holds all of them against the logs.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Input", conflicts_with = "state")]
    pub(crate) notes: Option<PathBuf>,
    /// Add the SHA-256 of each file, so that the report is evidence later
    ///
    /// Costs more than reading the logs does.
    #[arg(long, help_heading = "Input")]
    pub(crate) digest: bool,
}

/// `downtime scan`.
#[derive(Debug, Args)]
pub(crate) struct ScanArgs {
    #[command(flatten)]
    pub(crate) input: InputArgs,
    /// The file to write; it appears whole or not at all
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath, required = true, help_heading = "Output")]
    pub(crate) output: PathBuf,
    /// Add the SHA-256 of each file, so that the report is evidence later
    #[arg(long, help_heading = "Input")]
    pub(crate) digest: bool,
}

/// `downtime merge`.
#[derive(Debug, Args)]
pub(crate) struct MergeArgs {
    /// Files written by 'downtime scan', of this version and with the same options
    #[arg(value_name = "PART", required = true, value_hint = ValueHint::FilePath)]
    pub(crate) parts: Vec<PathBuf>,
    /// Notes or a timeline of the incident: the report then says how long it took to notice
    ///
    /// The first notice in them, against the start in the logs. 'downtime verify' holds all of them against the logs.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Input")]
    pub(crate) notes: Option<PathBuf>,
    /// Form of the report
    #[arg(long, value_name = "FORM", value_enum, default_value = "text", help_heading = "Output")]
    pub(crate) format: ReportFormat,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    /// Print nothing when no incident was found
    #[arg(short, long, help_heading = "Output")]
    pub(crate) quiet: bool,
    /// Exit with 1 when an incident was found, 0 when not, 2 on an error
    #[arg(long, help_heading = "Output")]
    pub(crate) exit_code: bool,
}

/// `downtime lines`. Standard input is kept in a temporary file, for its lines are read twice.
#[derive(Debug, Args)]
pub(crate) struct LinesArgs {
    /// The id of an incident as reports give it, or a place like error.log:21
    #[arg(value_name = "ID")]
    pub(crate) what: String,
    #[command(flatten)]
    pub(crate) input: InputArgs,
    /// Lines to show before and after each, of all files
    #[arg(short = 'C', long, value_name = "N", default_value_t = 0, help_heading = "Output")]
    #[arg(value_parser = clap::value_parser!(u16).range(0..=10_000))]
    pub(crate) context: u16,
    /// Every line of the incident's time, and not only what failed and what nginx said
    #[arg(long, help_heading = "Output")]
    pub(crate) all: bool,
    /// The lines as they stand in the logs, without time and place
    ///
    /// On a terminal, bytes that would act on it are shown as escapes all the same.
    #[arg(long, help_heading = "Output")]
    pub(crate) raw: bool,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// `downtime series`.
#[derive(Debug, Args)]
pub(crate) struct SeriesArgs {
    #[command(flatten)]
    pub(crate) input: InputArgs,
    /// Length of a step, like 10s, 1m, 1h
    #[arg(long, value_name = "TIME", value_parser = when::parse_step, default_value = "1m", help_heading = "Output")]
    pub(crate) step: u32,
    /// Form of the output
    #[arg(long, value_name = "FORM", value_enum, default_value = "text", help_heading = "Output")]
    pub(crate) format: SeriesFormat,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// `downtime formats`.
#[derive(Debug, Args)]
pub(crate) struct FormatsArgs {
    #[command(flatten)]
    pub(crate) input: InputArgs,
    /// Form of the output
    #[arg(long, value_name = "FORM", value_enum, default_value = "text", help_heading = "Output")]
    pub(crate) format: FormatsFormat,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// `downtime explain`.
#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// Lines of an error log, files of them, or - for standard input [default: -]
    ///
    /// A file may be packed, and wrapped by Docker, CRI, syslog or journald. Text is grouped by meaning; JSON is one
    /// object a record.
    #[arg(value_name = "LINE|FILE", value_hint = ValueHint::FilePath)]
    pub(crate) inputs: Vec<OsString>,
    /// Folder of own patterns for error messages; may be repeated
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "Input")]
    pub(crate) patterns: Vec<PathBuf>,
    /// Form of the output
    #[arg(long, value_name = "FORM", value_enum, default_value = "text", help_heading = "Output")]
    pub(crate) format: RecordFormat,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// `downtime patterns`.
#[derive(Debug, Args)]
pub(crate) struct PatternsArgs {
    /// Only those whose id or category holds one of these words
    #[arg(value_name = "WORD", conflicts_with = "check")]
    pub(crate) words: Vec<String>,
    /// Hold the pattern files of a folder against the rules, and say what is wrong
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) check: Option<PathBuf>,
    /// Folder of own patterns for error messages; may be repeated
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "Input")]
    pub(crate) patterns: Vec<PathBuf>,
    /// Form of the output
    #[arg(long, value_name = "FORM", value_enum, default_value = "text", help_heading = "Output")]
    pub(crate) format: RecordFormat,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// `downtime verify`.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The timeline or postmortem: Markdown or plain text; - is standard input
    ///
    /// Every dated claim is confirmed, contradicted or undecidable, with the line of the log that says so. The notes
    /// are also held against themselves.
    #[arg(value_name = "NOTES", value_hint = ValueHint::FilePath)]
    pub(crate) notes: PathBuf,
    #[command(flatten)]
    pub(crate) input: InputArgs,
    /// Form of the output
    #[arg(long, value_name = "FORM", value_enum, default_value = "text", help_heading = "Output")]
    pub(crate) format: VerifyFormat,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    /// Exit with 1 when something is contradicted, 0 when not, 2 on an error
    #[arg(long, help_heading = "Output")]
    pub(crate) exit_code: bool,
}

/// Reads the arguments; `Err` holds help, version, or what is wrong with them.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(args)
}

/// The definition, for completions and manual.
pub(crate) fn definition() -> clap::Command {
    Cli::command()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        definition().debug_assert();
    }

    #[test]
    fn a_path_named_like_a_command_can_be_given() {
        let cli = parse(["downtime", "./series"].map(OsString::from)).unwrap();
        assert!(cli.command.is_none());
        assert_eq!(cli.report.input.paths, [PathBuf::from("./series")]);
    }
}
