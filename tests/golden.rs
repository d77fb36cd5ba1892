//! Every output over the same three reports, and the program over two of the samples, as a person would read it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use downtime::render::{OutputFormat, Style, report};
use downtime::report::Report;

mod reports;

fn text(from: &Report, format: OutputFormat) -> String {
    let mut out = Vec::new();
    report(from, format, Style::default(), &mut out).unwrap();
    without_version(&String::from_utf8(out).unwrap())
}

/// The version of the tool changes with each release, and nothing else here may.
fn without_version(text: &str) -> String {
    text.replace(concat!("\"", env!("CARGO_PKG_VERSION"), "\""), "\"VERSION\"")
        .replace(concat!("downtime ", env!("CARGO_PKG_VERSION")), "downtime VERSION")
}

#[test]
fn every_output_of_every_report() {
    let stories = [("calm", reports::calm()), ("outage", reports::outage()), ("several", reports::several())];
    for (story, from) in stories {
        for (name, format) in [
            ("text", OutputFormat::Text),
            ("json", OutputFormat::Json),
            ("ndjson", OutputFormat::Ndjson),
            ("markdown", OutputFormat::Markdown),
            ("html", OutputFormat::Html),
            ("csv", OutputFormat::Csv),
            ("brief", OutputFormat::Brief),
        ] {
            insta::assert_snapshot!(format!("{story}.{name}"), text(&from, format));
        }
    }
}

/// The program itself, with relative paths, so that its words are the same on every machine.
#[test]
fn the_program_over_the_samples() {
    for sample in ["story", "healthy"] {
        for format in ["text", "brief", "json", "markdown"] {
            let mut command = assert_cmd::cargo::cargo_bin_cmd!("downtime");
            command.current_dir(env!("CARGO_MANIFEST_DIR")).env_clear().env("TZ", "UTC");
            let output = command.args(["--format", format, &format!("samples/{sample}")]).output().unwrap();
            assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
            let text = without_version(&String::from_utf8(output.stdout).unwrap());
            if format == "text" {
                // A command is for copying, and never broken.
                let command = |line: &str| line.trim_start().starts_with("downtime ");
                assert!(text.lines().all(|line| command(line) || line.chars().count() <= 80), "{text}");
            }
            insta::assert_snapshot!(format!("sample-{sample}.{format}"), text);
        }
    }
}

#[test]
fn text_keeps_to_its_columns() {
    for from in [reports::calm(), reports::outage(), reports::several()] {
        for columns in [60, 80, 110] {
            let mut out = Vec::new();
            report(&from, OutputFormat::Text, Style { columns, ..Style::default() }, &mut out).unwrap();
            for line in String::from_utf8(out).unwrap().lines() {
                // Digests and tables of a narrow terminal may stand out; prose may not.
                let command = line.trim_start().starts_with("downtime ");
                let table = line.contains("sha256") || columns < 80 || command;
                assert!(table || line.chars().count() <= columns, "{columns}: {line}");
            }
        }
    }
}
