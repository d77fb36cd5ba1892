//! A year of a small site with a hundred outages: the page stays small, and the first screen of the text is of use.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use downtime::render::{OutputFormat, Style, report, safe};
use downtime::report::Report;
use std::fmt::Write as _;
use std::sync::LazyLock;
use support::{options, time_error, time_local};

mod support;

/// 2025-01-01 00:00:00 UTC.
const START: i64 = 1_735_689_600;
const MINUTES: i64 = 365 * 24 * 60;
const OUTAGES: i64 = 100;

/// Whether the upstream is gone in a minute: a hundred times a year for 40 to 75 minutes.
fn is_down(minute: i64) -> bool {
    let every = MINUTES / OUTAGES;
    let (nth, at) = (minute / every, minute % every);
    // Not at the same time of each day, and not alike long.
    (1000 + nth * 17 % 900..1000 + nth * 17 % 900 + 40 + nth * 7 % 36).contains(&at)
}

static YEAR: LazyLock<Report> = LazyLock::new(|| {
    let (mut access, mut error) = (String::new(), String::new());
    for minute in 0..MINUTES {
        let second = START + minute * 60 + minute * 37 % 60;
        let (client, item, down) = (minute * 31 % 200 + 1, minute * 13 % 40, is_down(minute));
        let (at, status) = (time_local(second, 0), if down { 502 } else { 200 });
        let request = format!("GET /item/{item}?n={minute} HTTP/1.1");
        let _ = writeln!(
            access,
            "198.51.100.{client} - - [{at}] \"{request}\" {status} 512 \"-\" \"Mozilla/5.0 (X11)\""
        );
        if down {
            let _ = writeln!(
                error,
                "{} [error] 7#7: *{minute} connect() failed (111: Connection refused) while connecting to upstream, \
                 client: 198.51.100.{client}, server: a.example, request: \"{request}\", upstream: \
                 \"http://127.0.0.1:8080/item/{item}?n={minute}\", host: \"a.example\"",
                time_error(second, 0)
            );
        }
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("access.log"), access).unwrap();
    std::fs::write(folder.path().join("error.log"), error).unwrap();
    support::report(&options(&[folder.path().to_path_buf()]))
});

fn written(format: OutputFormat) -> String {
    let mut out = Vec::new();
    report(&YEAR, format, Style::default(), &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    if let Some(folder) = std::env::var_os("YEAR_OUT") {
        std::fs::write(std::path::Path::new(&folder).join(format!("year.{format:?}").to_lowercase()), &text)
            .unwrap();
    }
    text
}

#[test]
fn the_page_of_a_hundred_outages_is_small_and_has_them_all() {
    assert_eq!(YEAR.incidents.len() as i64, OUTAGES);
    let page = written(OutputFormat::Html);
    assert!(page.len() < 2_000_000, "{} bytes", page.len());
    for at in 1..=OUTAGES {
        assert!(page.contains(&format!("href=\"#incident-{at}\"")), "{at} is in the list");
        assert!(page.contains(&format!("id=\"incident-{at}\"")), "and leads somewhere");
    }
}

#[test]
fn the_first_screen_of_the_text_says_what_kind_of_year_it_was() {
    let text = written(OutputFormat::Text);
    let first: String = text.lines().take(24).collect::<Vec<_>>().join("\n");
    for words in [
        "100 incidents (100 outages)",
        "Availability",
        "The worst was an outage",
        "Requests",
        "Failed",
        "Incidents",
    ] {
        assert!(first.contains(words), "{words} in {first}");
    }
    assert!(text.lines().count() < 2500, "{}", text.lines().count());
    assert!(text.lines().all(|l| safe::columns(l) <= 80 || l.trim_start().starts_with("downtime ")));
    for incident in &YEAR.incidents {
        assert!(text.contains(&incident.title));
    }
}

#[test]
fn the_draft_of_a_hundred_outages_can_be_read() {
    let draft = written(OutputFormat::Markdown);
    assert!(draft.len() < 400_000, "{} bytes", draft.len());
    let numbered = |l: &&str| {
        l.starts_with("| ") && l[2..].starts_with(|c: char| c.is_ascii_digit()) && l.contains("| outage |")
    };
    assert_eq!(draft.lines().filter(numbered).count() as i64, OUTAGES);
}
