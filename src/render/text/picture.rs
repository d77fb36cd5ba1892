//! The span of the logs as a picture of a few lines: how many requests came, what share failed, where the incidents
//! lie. Plain characters, so that it reads the same in a terminal, a mail of cron and a log file.

use super::page::{Page, Paint};
use crate::clock::{self, Clock};
use crate::render::safe;
use crate::report::{Chart, CoverageState, Report};
use crate::time::Millis;

/// Eighths of a line.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Columns for the names of the rows, and for their scales.
const NAME: usize = 10;
const SCALE: usize = 13;

/// Draws the span; nothing where there are too few steps to see a shape.
pub(super) fn draw(page: &mut Page, report: &Report, paint: Paint, clock: Clock) {
    let Some(chart) = report.chart.as_ref().filter(|c| c.len() >= 4) else { return };
    let room = page.columns().saturating_sub(2 + NAME + SCALE).max(20).min(chart.len().max(40));
    let columns = columns(chart, room, report.span);
    page.blank();
    let most = columns.iter().map(|c| c.a_second(c.requests)).fold(0.0, f64::max);
    if most > 0.0 {
        let holes = holes(report, &columns);
        let bars = columns.iter().zip(&holes).map(|(c, hole)| match c.requests {
            0 if *hole => '?',
            n => bar(c.a_second(n) / most),
        });
        row(page, "Requests", &bars.collect::<String>(), &rate(most), Paint::Plain);
        let shares: Vec<f64> = columns.iter().map(Column::share).collect();
        let worst = shares.iter().copied().fold(0.0, f64::max);
        let bars = shares.iter().map(|share| bar(share / worst.max(f64::MIN_POSITIVE)));
        let scale = if worst > 0.0 { format!("up to {}", clock::share(worst)) } else { "none".into() };
        row(page, "Failed", &bars.collect::<String>(), &scale, Paint::Plain);
    } else {
        let most = columns.iter().map(|c| c.a_second(c.errors)).fold(0.0, f64::max);
        let bars = columns.iter().map(|c| bar(c.a_second(c.errors) / most.max(f64::MIN_POSITIVE)));
        row(page, "Errors", &bars.collect::<String>(), &rate(most), Paint::Plain);
    }
    row(page, "Incidents", &marks(report, &columns), "", paint);
    axis(page, chart, room, clock);
}

/// The steps under one column of the page.
#[derive(Debug, Clone, Default)]
struct Column {
    start: Millis,
    end: Millis,
    requests: u64,
    failed: u64,
    errors: u64,
    /// How much of it the logs span: the first and the last step may lie outside in part.
    seconds: f64,
}

impl Column {
    fn a_second(&self, n: u64) -> f64 {
        n as f64 / self.seconds
    }

    fn share(&self) -> f64 {
        if self.failed == 0 { 0.0 } else { self.failed as f64 / self.requests.max(self.failed) as f64 }
    }
}

/// The steps laid out over so many columns: some to each, or each over some.
fn columns(chart: &Chart, room: usize, span: Option<(Millis, Millis)>) -> Vec<Column> {
    let steps = chart.len();
    let step = i64::from(chart.step_seconds) * 1000;
    let at = |column: usize| (column * steps).div_ceil(room);
    (0..room)
        .map(|column| {
            let first = (column * steps / room).min(steps - 1);
            let (from, to) = (at(column), at(column + 1));
            let range = if from < to { from..to } else { first..first + 1 };
            let sum = |of: &[u64]| of.get(range.clone()).unwrap_or_default().iter().sum();
            let start = chart.start.saturating_add(range.start as i64 * step);
            let end = chart.start.saturating_add(range.end as i64 * step);
            let (from, to) = span.unwrap_or((start, end));
            // A stamp of a whole second stands for all of it.
            let inside = end.min(to.saturating_add(1000)).saturating_sub(start.max(from));
            Column {
                start,
                end,
                seconds: inside.max(1000) as f64 / 1000.0,
                requests: sum(&chart.requests),
                failed: sum(&chart.failed),
                errors: sum(&chart.error_records),
            }
        })
        .collect()
}

/// A share of the height: whatever is not nothing is seen.
fn bar(share: f64) -> char {
    if share <= 0.0 || share.is_nan() {
        return ' ';
    }
    BARS[((share * 8.0).ceil() as usize).clamp(1, 8) - 1]
}

/// A rate in the unit that gives it digits.
fn rate(a_second: f64) -> String {
    let (n, unit) = match a_second {
        r if r >= 1.0 => (r, "s"),
        r if r * 60.0 >= 1.0 => (r * 60.0, "min"),
        r => (r * 3600.0, "h"),
    };
    let n = if n >= 10.0 { clock::count(n.round() as u64) } else { format!("{n:.1}") };
    format!("to {}/{unit}", n.strip_suffix(".0").unwrap_or(&n))
}

/// Which columns lie wholly in stretches that no file speaks for.
fn holes(report: &Report, columns: &[Column]) -> Vec<bool> {
    let holes: Vec<_> = report.coverage.iter().filter(|c| c.state == CoverageState::Missing).collect();
    columns.iter().map(|c| holes.iter().any(|h| h.start <= c.start && c.end <= h.end)).collect()
}

/// A stroke under each incident, with its number where there are several.
fn marks(report: &Report, columns: &[Column]) -> String {
    let mut marks = vec![' '; columns.len()];
    let ends = |i: &crate::report::Incident| i.end.unwrap_or(Millis::MAX).max(i.start.saturating_add(1));
    for incident in &report.incidents {
        for (mark, column) in marks.iter_mut().zip(columns) {
            if column.start < ends(incident) && incident.start < column.end {
                *mark = '━';
            }
        }
    }
    let mut free = 0;
    for (at, incident) in report.incidents.iter().enumerate().filter(|_| report.incidents.len() > 1) {
        let column = columns.partition_point(|c| c.end <= incident.start);
        let number = (at + 1).to_string();
        // Numbers that would run into one another are left to the list.
        if column >= free && column + number.len() <= marks.len() {
            for (mark, digit) in marks[column..].iter_mut().zip(number.chars()) {
                *mark = digit;
            }
            free = column + number.len() + 1;
        }
    }
    marks.into_iter().collect()
}

fn row(page: &mut Page, name: &str, bars: &str, scale: &str, paint: Paint) {
    page.painted(&format!("  {name:<NAME$}{bars} {scale}"), paint);
}

/// The times under the first and the last column, and one in the middle where it fits.
fn axis(page: &mut Page, chart: &Chart, room: usize, clock: Clock) {
    let (from, to) = (chart.start, chart.end());
    let middle = from.saturating_add(to.saturating_sub(from) / 2);
    let days = clock.date(from) != clock.date(to);
    let label =
        |at| if days { format!("{} {}", &clock.date(at)[5..], &clock.time(at)[..5]) } else { clock.time(at) };
    let short = |text: String| text.split_once('.').map_or(text.clone(), |(whole, _)| whole.to_owned());
    let (left, right) = (short(label(from)), short(label(to)));
    // Steps are of whole seconds, and the middle need not be.
    let middle = short(label(middle.saturating_sub(middle.rem_euclid(1000))));
    let used = safe::columns(&left) + safe::columns(&right);
    let free = room.saturating_sub(used);
    let text = if free >= safe::columns(&middle) + 6 {
        let centre = room / 2 - safe::columns(&middle) / 2;
        let before = centre.saturating_sub(safe::columns(&left));
        let after = free.saturating_sub(before + safe::columns(&middle));
        format!("{left}{}{middle}{}{right}", " ".repeat(before), " ".repeat(after))
    } else {
        format!("{left}{}{right}", " ".repeat(free))
    };
    page.line(&format!("  {}{text}", " ".repeat(NAME)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::Style;
    use crate::render::text::tests::incident;
    use crate::report::Coverage;

    fn drawn(report: &Report, width: usize) -> String {
        let mut page = Page::new(Style { columns: width, ..Style::default() });
        draw(&mut page, report, Paint::Plain, Clock::new(0));
        page.text().to_owned()
    }

    fn report(steps: usize) -> Report {
        let start = 1_587_859_200_000;
        let silent = |step: usize| step * 3 / steps == 1;
        let requests = (0..steps).map(|s| if silent(s) { 0 } else { 600 }).collect();
        let failed = (0..steps).map(|s| if s * 6 / steps == 1 { 300 } else { 0 }).collect();
        let step_seconds = 60;
        let third = steps as i64 * 20_000;
        let mut one = incident();
        (one.start, one.end) = (start + third, Some(start + 2 * third));
        Report {
            chart: Some(Chart { start, step_seconds, requests, failed, error_records: vec![1; steps] }),
            incidents: vec![one],
            ..Report::default()
        }
    }

    #[test]
    fn a_silence_is_blank_and_a_failure_stands_over_its_incident() {
        let text = drawn(&report(240), 80);
        let lines: Vec<&str> = text.lines().skip(1).collect();
        assert_eq!(lines.len(), 4, "{text}");
        assert!(lines.iter().all(|l| safe::columns(l) <= 80), "{text}");
        assert!(lines[0].contains(&format!("▂{}▄", " ".repeat(17))), "{text}");
        assert!(lines[0].ends_with("to 10/s") && lines[1].ends_with("up to 50 %"), "{text}");
        assert!(lines[2].trim().ends_with("━━━━━━━━━━━"), "{text}");
        assert!(lines[3].contains("00:00:00") && lines[3].ends_with("04:00:00"), "{text}");
    }

    #[test]
    fn every_request_is_drawn_once_however_the_steps_lie_under_the_columns() {
        for steps in [55, 56, 100, 239, 240] {
            let report = report(steps);
            let chart = report.chart.as_ref().unwrap();
            for room in [20, 35, 54, 55] {
                let drawn: u64 = columns(chart, room, None).iter().map(|c| c.requests).sum();
                assert_eq!(drawn, chart.requests.iter().sum::<u64>(), "{steps} in {room}");
            }
        }
        assert_eq!(columns(report(5).chart.as_ref().unwrap(), 40, None).len(), 40);
    }

    #[test]
    fn what_no_file_speaks_for_is_a_question_and_several_incidents_have_numbers() {
        let mut report = report(240);
        let (start, end) = (report.incidents[0].start, report.incidents[0].end.unwrap());
        let note = String::new();
        report.coverage = vec![Coverage { start, end, state: CoverageState::Missing, host: None, note }];
        report
            .incidents
            .push(crate::report::Incident { start: end + 600_000, ..report.incidents[0].clone() });
        report.incidents[1].end = Some(end + 1_200_000);
        let text = drawn(&report, 80);
        assert!(
            text.contains("▂?????????????????▄") && text.contains("1━━━━") && text.contains(" 2━"),
            "{text}"
        );
    }

    #[test]
    fn an_error_log_alone_is_drawn_by_its_records() {
        let mut report = report(60);
        let chart = report.chart.as_mut().unwrap();
        (chart.requests, chart.failed) = (vec![0; 60], vec![0; 60]);
        let text = drawn(&report, 80);
        assert!(text.contains("Errors    █████") && text.contains("to 1/min"), "{text}");
    }
}
