//! The tables at the end of the report: what was read, and what was not counted. The one place of `tabled`.

use super::page::Page;
use super::places::Places;
use crate::clock::{self, Clock};
use crate::render::grids::Grid;
use crate::render::safe;
use crate::report::{ErrorZone, Input, Report};
use std::collections::BTreeMap;
use tabled::builder::Builder;
use tabled::settings::object::Columns;
use tabled::settings::{Alignment, Padding, Style};

/// Files and reasons shown; the rest is summed.
const ROWS: usize = 30;
/// The path gets what the other columns leave, and no less than this.
const PATH: usize = 12;
/// The reason why lines were not counted.
const REASON: usize = 36;
/// The same for the name of a place or host.
const NAME: usize = 8;
/// Longest cell of a log.
const LONGEST: usize = 60;
/// A format's name, and what is left of it where paths are long.
const FORMAT: usize = 24;
const FORMAT_NARROW: [usize; 2] = [16, 12];

/// Rows as aligned columns, two blanks apart; `right` are the columns of numbers.
fn lines(rows: Vec<Vec<String>>, right: &[usize]) -> String {
    let mut table = Builder::from_iter(rows).build();
    table.with(Style::empty()).with(Padding::new(0, 2, 0, 0));
    for &column in right {
        table.modify(Columns::one(column), Alignment::right());
    }
    table.to_string()
}

fn print(page: &mut Page, indent: usize, table: &str) {
    let indent = " ".repeat(indent);
    for line in table.lines() {
        page.line(&format!("{indent}{}", line.trim_end()));
    }
}

/// A table that other outputs have too; its long column gets what the others leave.
pub(super) fn grid(page: &mut Page, indent: usize, grid: &Grid) {
    let heads = grid.heads.iter().map(|h| (*h).to_owned()).collect::<Vec<_>>();
    let cells = |row: &Vec<String>| row.iter().map(|c| safe::cut(c, LONGEST)).collect::<Vec<_>>();
    let mut rows: Vec<Vec<String>> = std::iter::once(heads).chain(grid.rows.iter().map(cells)).collect();
    for row in &mut rows {
        row.swap(0, grid.long);
    }
    let room = page.columns().saturating_sub(others(&rows) + indent + 2).max(NAME);
    for row in &mut rows {
        row[0] = safe::cut_front(&row[0], room);
        row.swap(0, grid.long);
    }
    let table = lines(rows, &grid.numbers);
    let fits = table.lines().all(|l| safe::columns(l.trim_end()) + indent <= page.columns());
    if fits {
        print(page, indent, &table);
        return;
    }
    // No room for columns: a row is a sentence.
    for row in &grid.rows {
        let named = grid.heads.iter().zip(row).filter(|(_, cell)| !cell.is_empty());
        let words: Vec<_> = named.map(|(head, cell)| format!("{head} {cell}").trim().to_owned()).collect();
        page.indented(indent, &words.join(", "));
    }
}

/// The columns of all cells but the first of each row, with their gaps.
fn others(rows: &[Vec<String>]) -> usize {
    let widths = rows.iter().fold(Vec::new(), |mut widest: Vec<usize>, row| {
        widest.resize(widest.len().max(row.len()), 0);
        for (wide, cell) in widest.iter_mut().zip(row) {
            *wide = (*wide).max(safe::columns(cell) + 2);
        }
        widest
    });
    widths.iter().skip(1).sum::<usize>()
}

/// A confidence in percent, rounded down: 100 % is said of certainty alone.
fn sure(confidence: f64) -> String {
    format!("{:.0} %", (confidence * 100.0).clamp(0.0, 100.0).floor())
}

/// Which files were read, and as what.
pub(super) fn inputs(page: &mut Page, report: &Report, places: &Places<'_>) {
    if report.inputs.is_empty() {
        return;
    }
    match places.folder() {
        Some(folder) => page.heading(&format!("Inputs, in {folder}")),
        None => page.heading("Inputs"),
    }
    let clock = places.clock;
    let hosts = report.inputs.iter().any(|i| i.host.is_some());
    // Beside a host there is no room for the kind, and the format says it too.
    let kind = usize::from(!hosts);
    let mut rows = vec![vec![
        "file".into(),
        "kind".into(),
        "format".into(),
        "sure".into(),
        "lines".into(),
        "span".into(),
    ]];
    if hosts {
        rows[0].push("host".into());
    }
    for input in report.inputs.iter().take(ROWS) {
        let span = match (input.first, input.last) {
            (Some(first), Some(last)) => clock.short_span(first, last),
            _ => "no dated line".into(),
        };
        let mut row = vec![
            String::new(),
            input.kind.to_owned(),
            safe::cut(&input.format, FORMAT),
            sure(input.confidence),
            clock::count(input.lines),
            span,
        ];
        if hosts {
            row.push(safe::cut(input.host.as_deref().unwrap_or("-"), 20));
        }
        rows.push(row);
    }
    let widest =
        report.inputs.iter().take(ROWS).map(|i| safe::columns(&safe::visible(places.short(&i.path)))).max();
    if hosts {
        for row in &mut rows {
            row.remove(1);
        }
    }
    for limit in FORMAT_NARROW {
        if others(&rows) + 4 + widest.unwrap_or(0) > page.columns() {
            for row in &mut rows {
                row[1 + kind] = safe::cut(&row[1 + kind], limit);
            }
        }
    }
    let room = page.columns().saturating_sub(others(&rows) + 4).max(PATH);
    for (row, input) in rows.iter_mut().skip(1).zip(&report.inputs) {
        row[0] = safe::cut_front(places.short(&input.path), room);
    }
    print(page, 2, &lines(rows, &[2 + kind, 3 + kind]));
    if report.inputs.len() > ROWS {
        let rest = &report.inputs[ROWS..];
        let sum = rest.iter().map(|i| i.lines).fold(0, u64::saturating_add);
        let text = format!(
            "  and {} with {}",
            clock::count_of(rest.len() as u64, "more file"),
            clock::count_of(sum, "line")
        );
        page.line(&text);
    }
    zones(page, report, places);
    for input in report.inputs.iter().take(ROWS) {
        notes(page, input, places);
    }
}

/// In which zone the stamps of the error logs were read: once for all that were read alike.
fn zones(page: &mut Page, report: &Report, places: &Places<'_>) {
    let mut alike: BTreeMap<(i16, &str), Vec<&str>> = BTreeMap::new();
    for input in &report.inputs {
        if let Some(ErrorZone { offset, how }) = &input.error_zone {
            alike.entry((*offset, how.as_str())).or_default().push(places.short(&input.path));
        }
    }
    let all = alike.len() == 1;
    for ((offset, how), files) in alike.iter().take(ROWS) {
        let of = match files.as_slice() {
            _ if all => "Error-log times".to_owned(),
            [one] => format!("Times of {}", safe::cut_front(one, 40)),
            [first, rest @ ..] => format!("Times of {} and {} more", safe::cut_front(first, 40), rest.len()),
            [] => continue,
        };
        page.indented(2, &format!("{of} have no zone; read as {}: {how}", Clock::new(*offset).zone()));
    }
}

fn notes(page: &mut Page, input: &Input, places: &Places<'_>) {
    let name = safe::cut_front(places.short(&input.path), 40);
    for note in &input.notes {
        page.item(&format!("{name}:"), note);
    }
    if let Some(digest) = &input.digest {
        // Never cut: it is there to be copied.
        page.line(&format!("  sha256 {digest}  {name}"));
    }
}

/// What took no part in the counts: every report ends with it.
pub(super) fn not_counted(page: &mut Page, report: &Report, places: &Places<'_>) {
    match places.folder().filter(|_| report.inputs.is_empty() && !report.not_counted.is_empty()) {
        Some(folder) => page.heading(&format!("Not counted, in {folder}")),
        None => page.heading("Not counted"),
    }
    if report.not_counted.is_empty() {
        page.line("  nothing: every line took part");
        return;
    }
    // Lines stand in a table; a file that was not read has none, and its reason needs the room.
    let (counted, files): (Vec<_>, Vec<_>) = report.not_counted.iter().take(ROWS).partition(|n| n.lines > 0);
    if !counted.is_empty() {
        let mut rows = vec![vec!["file".into(), "why".into(), "lines".into(), "size".into()]];
        for n in &counted {
            // Where bytes were not counted, a nought would say that there were none.
            let size = if n.bytes == 0 { "-".into() } else { clock::bytes(n.bytes) };
            rows.push(vec![String::new(), safe::cut(&n.reason, REASON), clock::count(n.lines), size]);
        }
        let room = page.columns().saturating_sub(others(&rows) + 4).max(PATH);
        for (row, n) in rows.iter_mut().skip(1).zip(&counted) {
            row[0] = safe::cut_front(&places.short_list(&n.path), room);
        }
        print(page, 2, &lines(rows, &[2, 3]));
    }
    let names: Vec<_> = files.iter().map(|n| safe::cut_front(&places.short_list(&n.path), REASON)).collect();
    let widest = names.iter().map(|name| safe::columns(name)).max().unwrap_or(0);
    for (n, name) in files.iter().zip(&names) {
        let size = if n.bytes == 0 { String::new() } else { format!(" ({})", clock::bytes(n.bytes)) };
        let gap = " ".repeat(widest - safe::columns(name));
        page.item(&format!("{name}{gap}"), &format!("{}{size}", safe::cut(&n.reason, 400)));
    }
    if report.not_counted.len() > ROWS {
        let rest = &report.not_counted[ROWS..];
        let sum = rest.iter().map(|n| n.lines).fold(0, u64::saturating_add);
        page.line(&format!("  and {} more entries with {}", rest.len(), clock::count_of(sum, "line")));
    }
    for n in report.not_counted.iter().take(ROWS) {
        if let Some(e) = &n.example {
            page.quote(2, &format!("{}, e.g. {}", safe::cut(&n.reason, REASON), places.place(e)), e, 2);
        }
    }
}
