//! Logs whose every word wants to do harm, through the whole program into every output.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use downtime::analysis::Options;
use downtime::render::{Links, OutputFormat, Style, report, safe};
use downtime::report::Report;
use downtime::verify::verify;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::LazyLock;
use support::{TEN, options, time_error, time_local};

mod support;

/// Names that a header, a path or a folder can hold.
const VHOSTS: [&str; 4] = [
    "[x](javascript:alert(1))",
    "<img/src=x/onerror=alert(1)>",
    "=cmd|'/C\u{a0}calc'!A0",
    "\u{202e}moc.knab",
];
/// User agents and paths; `escape=none` lets all of them into a log.
const WORDS: [&str; 6] = [
    "\u{1b}]8;;http://evil.example/\u{1b}\\click\u{1b}]8;;\u{1b}\\",
    "\u{1b}[2J\u{9b}31m\u{7}",
    "![i](http://evil.example/i.png)<http://evil.example>@everyone",
    "</pre><script>alert(1)</script>",
    "\u{2066}\u{200f}\u{feff}`code`",
    "＝1+1",
];

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (nth, host) in ["web1\u{1b}[31m<b>", "=web2|[l](http:x)"].into_iter().enumerate() {
        let (mut access, mut error) = (String::new(), String::new());
        for n in 0..1200i64 {
            let second = TEN + n;
            for of in 0..3i64 {
                let vhost = VHOSTS[((n + of) % 4) as usize];
                let word = WORDS[((n + of) % 6) as usize];
                let down = (600..720).contains(&n);
                let status = if down { 502 } else { 200 };
                let path = format!("/{}", word.replace([' ', '"'], ""));
                let _ = writeln!(
                    access,
                    "\"{vhost}\" 198.51.100.{} - - [{}] \"GET {path} HTTP/1.1\" {status} 9 \"-\" \"{word}\"",
                    of + 1,
                    time_local(second, 0)
                );
                if down {
                    let _ = writeln!(
                        error,
                        "{} [error] 7#7: *{n} connect() failed (111: Connection refused) while connecting to upstream, \
                         client: 198.51.100.{}, server: {vhost}, request: \"GET {path} HTTP/1.1\", upstream: \
                         \"http://10.0.0.{nth}:80/{word}\", host: \"{vhost}\"",
                        time_error(second, 0),
                        of + 1
                    );
                }
            }
        }
        let at: PathBuf = folder.path().join(host);
        std::fs::create_dir(&at).unwrap();
        std::fs::write(at.join("access\u{202e}<i>[m](x).log"), access).unwrap();
        std::fs::write(at.join("error`|@x.log"), error).unwrap();
    }
    folder
}

static REPORT: LazyLock<Report> = LazyLock::new(|| {
    let folder = folder();
    let format = "\"$host\" $remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent \
                  \"$http_referer\" \"$http_user_agent\"";
    let log_formats = vec![format.to_owned()];
    support::report(&Options { log_formats, ..options(&[folder.path().to_path_buf()]) })
});

fn written(format: OutputFormat, style: Style) -> String {
    let mut out = Vec::new();
    report(&REPORT, format, style, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn acts(text: &str) -> Option<char> {
    text.chars().find(|c| *c != '\n' && safe::is_hazard(*c))
}

#[test]
fn the_logs_are_read_and_their_words_are_in_the_report() {
    assert_eq!(
        REPORT.incidents.len(),
        1,
        "{:?}",
        REPORT.incidents.iter().map(|i| &i.title).collect::<Vec<_>>()
    );
    assert_eq!(REPORT.hosts.len(), 2);
    let places: Vec<&str> = REPORT.incidents[0].context.places.iter().map(|p| p.name.as_str()).collect();
    assert!(places.iter().any(|p| p.contains("javascript")), "{places:?}");
    assert!(REPORT.incidents[0].evidence.iter().any(|e| e.text.contains('\u{1b}')));
}

#[test]
fn nothing_acts_on_a_terminal_but_the_reports_own_links() {
    for format in [OutputFormat::Text, OutputFormat::Brief] {
        let text = written(format, Style::default());
        assert_eq!(acts(&text), None, "{format:?}");
        assert!(format == OutputFormat::Brief || text.contains("\\x1b]8;;"), "it is shown as an escape");
    }
    let links = Some(Links { host: "h".into(), folder: "/f".into() });
    let linked = written(OutputFormat::Text, Style { colour: true, links, ..Style::default() });
    let mut rest = linked.as_str();
    while let Some(at) = rest.find('\u{1b}') {
        rest = &rest[at + 1..];
        let own =
            rest.starts_with("]8;;file://h/") || rest.starts_with("]8;;\u{1b}\\") || rest.starts_with('\\');
        let colour = rest.strip_prefix('[').is_some_and(|r| r.split('m').next().unwrap().len() <= 4);
        assert!(own || colour, "{:?}", &rest[..rest.len().min(40)]);
    }
}

#[test]
fn nothing_is_markup_on_the_page() {
    let page = written(OutputFormat::Html, Style::default());
    assert_eq!(acts(&page), None);
    let lower = page.to_lowercase();
    let own_tags =
        ["script", "img", "i>", "b>", "svg/", "a href=\"http", "a href=\"java", "base", "iframe", "object"];
    for tag in own_tags {
        assert!(!lower.contains(&format!("<{tag}")), "<{tag}");
    }
    for (at, _) in page.match_indices("href=") {
        assert!(page[at..].starts_with("href=\"#incident-"), "{}", &page[at..at + 40]);
    }
    assert!(!lower.contains("src=\"") && !lower.contains("url("));
}

#[test]
fn nothing_is_markup_in_the_draft() {
    let draft = written(OutputFormat::Markdown, Style::default());
    assert_eq!(acts(&draft), None);
    let mut block: Option<&str> = None;
    for line in draft.lines() {
        let fence = line.starts_with("```").then(|| &line[..line.len() - line.trim_start_matches('`').len()]);
        match (block, fence) {
            (None, Some(fence)) => block = Some(fence),
            (Some(open), Some(fence)) if open == fence => block = None,
            (Some(_), _) => {}
            (None, None) => {
                // Code within a line is set apart by back-ticks of its own number; none here holds one but in file names.
                let outside: String = line.split('`').step_by(2).collect();
                let bare = !line.contains("``");
                assert!(!bare || !outside.contains(['<', '[', '@', '\\']), "{line}");
                assert!(!bare || !outside.contains("http"), "{line}");
            }
        }
    }
    assert_eq!(block, None);
}

#[test]
fn no_cell_of_a_sheet_is_a_formula() {
    let sheet = written(OutputFormat::Csv, Style::default());
    assert_eq!(acts(&sheet), None);
    let mut cells = 0;
    for line in sheet.lines() {
        let mut rest = line;
        loop {
            let (cell, after) = if let Some(inner) = rest.strip_prefix('"') {
                let mut end = 0;
                loop {
                    end += inner[end..].find('"').unwrap();
                    if !inner[end + 1..].starts_with('"') {
                        break;
                    }
                    end += 2;
                }
                (&inner[..end], &inner[end + 1..])
            } else {
                rest.split_at(rest.find(',').unwrap_or(rest.len()))
            };
            assert!(!cell.trim_start().starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']), "{cell}");
            cells += 1;
            match after.strip_prefix(',') {
                Some(next) => rest = next,
                None => break,
            }
        }
    }
    assert_eq!(cells, 2 * 25);
}

#[test]
fn json_is_plain_and_valid() {
    for format in [OutputFormat::Json, OutputFormat::Ndjson] {
        let text = written(format, Style::default());
        assert_eq!(acts(&text), None, "{format:?}");
    }
    let value = serde_json::from_str(&written(OutputFormat::Json, Style::default())).unwrap();
    assert!(support::validator("report").is_valid(&value));
}

#[test]
fn notes_are_quoted_as_harmlessly() {
    let notes = WORDS.map(|w| format!("- 2026-03-01 10:10 UTC outage began {w}\n")).concat();
    let found = verify(&notes, &REPORT);
    assert!(!found.claims.is_empty());
    let mut text = Vec::new();
    downtime::render::verify::write(&found, "n\u{1b}<b>", Style::default(), &mut text).unwrap();
    assert_eq!(acts(&String::from_utf8(text).unwrap()), None);
    let mut draft = Vec::new();
    downtime::render::verify::markdown::write(&found, "n\u{1b}<b>", &mut draft).unwrap();
    let draft = String::from_utf8(draft).unwrap();
    assert_eq!(acts(&draft), None);
    assert!(!draft.contains("\n<script") && !draft.contains(" <script"), "{draft}");
}
