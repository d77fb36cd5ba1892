//! Counts per step as bars for a terminal; a spreadsheet's form is in `csv.rs`, a program's in `json.rs`.

use crate::analysis::{Series, SeriesRow};
use crate::clock::{self, Clock};
use crate::render::Style;
use crate::render::text::page::{Page, Paint};
use std::io::{self, Write};

const ANSWERED: char = '░';
const FAILED: char = '█';

/// Draws one bar a step: as long as its requests are many, the failed ones full.
pub fn write(series: &Series, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let clock = Clock::new(series.zone);
    let columns = style.columns;
    let mut page = Page::new(style);
    let (Some(first), Some(last)) = (series.rows.first(), series.rows.last()) else {
        page.line("No requests in the window.");
        return out.write_all(page.text().as_bytes());
    };
    let most = series.rows.iter().map(|r| r.requests).max().unwrap_or(0);
    let timed = series.rows.iter().any(|r| r.p50.is_some());
    let millis = |second: i64| second.saturating_mul(1000);
    page.line(&format!(
        "Requests a step of {}, {} to {} {}; {FAILED} failed {ANSWERED} answered",
        clock::duration(i64::from(series.step) * 1000),
        clock.full(millis(first.start)),
        clock.beside(millis(last.start.saturating_add(i64::from(series.step))), millis(first.start)),
        clock.zone(),
    ));
    let latency = if timed { "     p50     p99" } else { "" };
    let heads = format!("{:<19} {:>10} {:>11}{latency}", "start", "requests", "failed");
    page.line(&heads);
    // One block a row left: a narrow terminal still gets its ten columns of bar.
    let room = columns.saturating_sub(heads.len() + 1).max(10);
    for row in &series.rows {
        let bar = bar(row, most, room);
        let quantile =
            |q: Option<f64>| q.map_or_else(|| format!("{:>8}", "-"), |s| format!("{:>8}", seconds(s)));
        let latency = if timed { quantile(row.p50) + &quantile(row.p99) } else { String::new() };
        let failed = row.failed_share.map_or_else(|| "-".to_owned(), clock::share);
        let (date, time) = (clock.date(millis(row.start)), clock.time(millis(row.start)));
        let line = format!("{date} {time} {:>10} {failed:>11}{latency} {bar}", clock::count(row.requests));
        page.painted(
            line.trim_end(),
            if row.failed * 2 > row.requests { Paint::Alarm } else { Paint::Plain },
        );
    }
    out.write_all(page.text().as_bytes())
}

/// Seconds in five columns or so: `12 ms`, `1.25 s`, `60 s`.
fn seconds(s: f64) -> String {
    match s {
        s if !s.is_finite() => "-".into(),
        s if s < 0.9995 => format!("{:.0} ms", s * 1000.0),
        s if s < 9.995 => format!("{s:.2} s"),
        s => format!("{s:.0} s"),
    }
}

fn bar(row: &SeriesRow, most: u64, room: usize) -> String {
    // Rounded up: a step with one request and a step with one failure are seen.
    let scale =
        |n: u64| (u128::from(n) * room as u128).div_ceil(u128::from(most.max(1))).min(room as u128) as usize;
    let all = scale(row.requests.max(row.failed));
    let failed = scale(row.failed);
    let mut bar = String::with_capacity(all * 3);
    bar.extend(std::iter::repeat_n(FAILED, failed));
    bar.extend(std::iter::repeat_n(ANSWERED, all.saturating_sub(failed)));
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_show_the_smallest_failure_and_never_overflow() {
        let row = |requests, failed| SeriesRow { requests, failed, ..SeriesRow::default() };
        assert_eq!(bar(&row(100, 0), 100, 10), "░░░░░░░░░░");
        assert_eq!(bar(&row(100, 1), 100, 10), "█░░░░░░░░░");
        assert_eq!(bar(&row(1, 1), 100, 10), "█");
        assert_eq!(bar(&row(0, 0), 0, 10), "");
        assert_eq!(bar(&row(u64::MAX, u64::MAX), u64::MAX, 10), "██████████");
    }

    #[test]
    fn a_step_is_a_line_within_the_columns() {
        let rows = (0..3).map(|i| SeriesRow {
            start: 1_587_856_380 + i * 60,
            requests: 1000,
            failed: 900 * (i as u64 % 2),
            failed_share: Some(0.9 * (i % 2) as f64),
            p50: Some(0.0123),
            p99: Some(1.5),
            ..SeriesRow::default()
        });
        let series = Series { zone: -300, step: 60, rows: rows.collect() };
        let mut out = Vec::new();
        write(&series, Style::default(), &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("2020-04-25 18:14:00      1,000        90 %   12 ms  1.50 s █████"), "{text}");
        assert!(text.lines().skip(1).all(|l| l.chars().count() <= 80), "{text}");
    }
}
