//! The catalogue against a table of every message of nginx and its relatives, where that table is at hand: named by
//! `DOWNTIME_MESSAGES`, or beside the corpus (`$DOWNTIME_CORPUS/../nginx/messages.tsv`). Without it the test says so.
//!
//! Judged are the messages at error or worse and the lines of operators, as far as their text belongs to one
//! category alone. Where the table itself cannot be right, [`DISAGREED`] says why.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use downtime::catalogue::{Catalogue, read_line};
use downtime::reading::each_record;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Messages on which the table is not followed: its level, the start of its text, and why.
const DISAGREED: &[(&str, &str, &str)] = &[
    (
        "emerg",
        "host not found in upstream",
        "the text is that of config.dns, which the table gives the same line elsewhere",
    ),
    ("alert", "pcre_exec() failed", "the same text comes from many modules, and the table gives it twice"),
    ("alert", "lua_code_cache is off", "a warning for developers; no file is missing"),
    (
        "error",
        "invalid location config: no runnable Lua code",
        "the configuration is wrong; no file is missing",
    ),
    ("error", "lua pipe child exec", "a script's child process; no upgrade of nginx"),
    ("notice", "example: 512", "a setting of BSD whose name is left out in the table's line"),
    ("notice", "signal 9 (SIGCHLD)", "SIGCHLD by its name; the number 9 is that of another signal"),
    ("alert", "512: ", "a dump of numbers that only a build for developers prints; no word to tell it by"),
    ("error", "example", "free text of a script or page: nothing of nginx's stands in it"),
];

fn table() -> Option<(PathBuf, String)> {
    let named = std::env::var_os("DOWNTIME_MESSAGES").map(PathBuf::from);
    let beside =
        || std::env::var_os("DOWNTIME_CORPUS").map(|c| PathBuf::from(c).join("../nginx/messages.tsv"));
    let path = named.or_else(beside)?;
    let text = std::fs::read_to_string(&path).ok()?;
    Some((path, text))
}

/// Whether every message of that kind must be right; of the others a share.
fn counts(row: &BTreeMap<&str, &str>) -> bool {
    let grave = matches!(row["level"], "emerg" | "alert" | "crit" | "error" | "stderr");
    let operator = row["level"] == "notice" && row["category"].starts_with("process.");
    (grave || operator) && !row["note"].contains("ambiguous text")
}

#[test]
fn every_message_of_the_table_has_its_category() {
    let Some((path, text)) = table() else {
        println!("skipped: neither DOWNTIME_MESSAGES nor a table beside DOWNTIME_CORPUS");
        return;
    };
    let catalogue = Catalogue::builtin().unwrap();
    let mut lines = text.lines().filter(|l| !l.starts_with('#'));
    let names: Vec<&str> = lines.next().unwrap().split('\t').collect();
    let (mut right, mut all) = (0_u32, 0_u32);
    let mut others = (0_u32, 0_u32);
    let mut wrong = Vec::new();
    for line in lines {
        let row: BTreeMap<&str, &str> = names.iter().copied().zip(line.split('\t')).collect();
        let quiet =
            matches!(row["level"], "warn" | "notice" | "info") && !row["note"].contains("ambiguous text");
        if !counts(&row) && !quiet {
            continue;
        }
        let example = row["example"].replace("\\n", "\n").replace("\\t", "\t");
        let record = read_line(example.as_bytes());
        let found = record.as_ref().and_then(|r| catalogue.classify(r));
        let category = found.map_or("unknown", |p| p.category.as_str());
        if !counts(&row) {
            others.0 += u32::from(category == row["category"]);
            others.1 += 1;
            continue;
        }
        all += 1;
        if category == row["category"] {
            right += 1;
            continue;
        }
        let message = record.map_or(String::new(), |r| String::from_utf8_lossy(r.message).into_owned());
        let known =
            DISAGREED.iter().any(|(level, start, _)| *level == row["level"] && message.starts_with(start));
        if !known {
            wrong.push(format!("{}: {category} instead of {}: {example}", row["level"], row["category"]));
        }
    }
    println!("{right} of {all} in {}, of the quiet ones {} of {}", path.display(), others.0, others.1);
    assert!(all > 2000, "the table has lost its rows");
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(f64::from(right) >= 0.97 * f64::from(all), "{right} of {all}");
    assert!(f64::from(others.0) >= 0.93 * f64::from(others.1), "quiet: {} of {}", others.0, others.1);
}

/// The categories of the records in `text`, which can have the frame of a container's or a system's log, or be quoted.
fn categories(catalogue: &Catalogue, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    each_record(text.as_bytes(), &mut |whole| {
        let record = catalogue.read_pasted(whole.bytes).map(|(record, _)| record);
        let pattern = record.as_ref().and_then(|r| catalogue.classify(r));
        found.push(pattern.map_or("unknown", |p| p.category.as_str()).to_string());
        Ok(())
    })
    .unwrap();
    found
}

/// Holds every line of `table` against the category before it; of 100, `most` may be wrong.
#[allow(clippy::print_stdout, reason = "tells how many are known")]
fn lines_are_known(table: &str, rows: usize, most: usize) {
    let catalogue = Catalogue::builtin().unwrap();
    let lines = table.lines().filter(|l| !l.starts_with('#')).map(|row| row.split_once('\t').unwrap());
    let (mut all, mut wrong) = (0, Vec::new());
    for (want, line) in lines {
        all += 1;
        let found = categories(&catalogue, line);
        if found != [want] {
            wrong.push(format!("{found:?} instead of {want}: {line}"));
        }
    }
    println!("{} of {all}", all - wrong.len());
    assert!(all >= rows, "the table has lost its rows");
    assert!(wrong.len() * 100 <= all * most, "{} of {all}:\n{}", wrong.len(), wrong.join("\n"));
}

/// Wordings of many versions, systems and frames, which no rule was written from.
#[test]
fn other_wordings_are_known_too() {
    lines_are_known(include_str!("wordings.tsv"), 100, 0);
}

/// Real lines, gathered.
#[test]
fn gathered_lines_are_known() {
    lines_are_known(include_str!("gathered.tsv"), 1150, 3);
}

/// Lines as they are shown most often.
#[test]
fn lines_shown_most_are_known() {
    lines_are_known(include_str!("pasted.tsv"), 300, 2);
}

/// Lines as people pass them on: quoted, cut, without their time.
#[test]
fn lines_passed_on_are_known() {
    lines_are_known(include_str!("passed_on.tsv"), 230, 9);
}

/// Lines kept aside, which had their category before a rule was looked at.
#[test]
fn lines_kept_aside_are_known() {
    lines_are_known(include_str!("aside.tsv"), 400, 1);
}

/// Lines as they were met, in places from which none had been taken before.
#[test]
fn lines_met_are_known() {
    lines_are_known(include_str!("met.tsv"), 160, 2);
}

/// Lines as they were found in what people write about nginx, in places from which none had been taken before.
#[test]
fn lines_found_are_known() {
    lines_are_known(include_str!("found.tsv"), 100, 1);
}

/// What a real nginx wrote when it was given settings and requests that its modules refuse.
#[test]
fn lines_driven_out_of_nginx_are_known() {
    lines_are_known(include_str!("driven.tsv"), 140, 1);
}

/// Messages of modules by others, out of their sources.
#[test]
fn messages_of_modules_are_known() {
    lines_are_known(include_str!("modules.tsv"), 580, 7);
}
