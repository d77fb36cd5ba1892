//! CSV: one row an incident, for spreadsheets. Cells are made safe by [`safe::csv_cell`]; lines end in a bare line
//! feed, which every spreadsheet takes and every Unix tool expects.

use crate::analysis::Series;
use crate::clock::Clock;
use crate::render::{brief, safe};
use crate::report::{Incident, Report};
use std::io::{self, Write};

const COLUMNS: &str = "id,severity,title,start,start_after,start_by,end,end_from,end_before,open_start,open_end,\
duration_seconds,client_visible,scope,requests,failed,failed_share,lost_estimate,clients,cause,cause_confidence,\
cause_summary,trigger_time,trigger_summary,evidence";

/// Writes the heads and one row an incident.
pub fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let clock = Clock::new(report.zone);
    writeln!(out, "{COLUMNS}")?;
    report.incidents.iter().try_for_each(|incident| writeln!(out, "{}", row(incident, clock).join(",")))
}

fn optional(value: Option<impl ToString>) -> String {
    value.map_or_else(String::new, |v| v.to_string())
}

fn row(i: &Incident, clock: Clock) -> [String; 25] {
    let cause = i.cause.as_ref();
    let place = cause.and_then(|c| c.evidence.first()).or(i.evidence.first());
    [
        safe::csv_cell(&i.id),
        i.severity.name().into(),
        safe::csv_cell(&i.title),
        clock.rfc3339(i.start),
        clock.rfc3339(i.start_bounds.0),
        clock.rfc3339(i.start_bounds.1),
        optional(i.end.map(|t| clock.rfc3339(t))),
        clock.rfc3339(i.end_bounds.0),
        clock.rfc3339(i.end_bounds.1),
        i.open_start.to_string(),
        i.open_end.to_string(),
        optional(i.end.map(|end| end.saturating_sub(i.start).max(0) as f64 / 1000.0)),
        i.client_visible.to_string(),
        safe::csv_cell(&brief::scope(i, 20)),
        i.impact.requests.to_string(),
        i.impact.failed.to_string(),
        share(i.impact.failed_share),
        optional(i.impact.lost_estimate),
        optional(i.impact.clients),
        safe::csv_cell(cause.map_or("", |c| &c.category)),
        safe::csv_cell(cause.map_or("", |c| c.confidence)),
        safe::csv_cell(cause.map_or("", |c| &c.summary)),
        optional(i.trigger.as_ref().map(|t| clock.rfc3339(t.time))),
        safe::csv_cell(i.trigger.as_ref().map_or("", |t| &t.summary)),
        safe::csv_cell(&place.map_or_else(String::new, |e| format!("{}:{}", e.path, e.line))),
    ]
}

fn share(value: Option<f64>) -> String {
    value.filter(|v| v.is_finite()).map_or_else(String::new, |v| format!("{v:.6}"))
}

/// Counts per step: one row a step.
pub fn write_series(series: &Series, out: &mut dyn Write) -> io::Result<()> {
    let clock = Clock::new(series.zone);
    writeln!(
        out,
        "start,requests,status_1xx,status_2xx,status_3xx,status_4xx,status_5xx,status_other,aborted_499,failed,\
         failed_share,p50_seconds,p90_seconds,p99_seconds"
    )?;
    for row in &series.rows {
        write!(out, "{},{}", clock.rfc3339_short(row.start.saturating_mul(1000)), row.requests)?;
        for class in row.class {
            write!(out, ",{class}")?;
        }
        write!(out, ",{},{},{}", row.aborted, row.failed, share(row.failed_share))?;
        for seconds in [row.p50, row.p90, row.p99] {
            match seconds.filter(|s| s.is_finite()) {
                Some(seconds) => write!(out, ",{seconds:.3}")?,
                None => write!(out, ",")?,
            }
        }
        writeln!(out)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::text::tests::incident;

    #[test]
    fn each_row_has_the_cells_its_heads_promise_and_no_formula() {
        let mut incident = incident();
        incident.title = "=HYPERLINK(\"http://x\")\r\n".into();
        let cells = row(&incident, Clock::new(0));
        assert_eq!(cells.len(), COLUMNS.split(',').count());
        assert_eq!(cells[2], "\"'=HYPERLINK(\"\"http://x\"\")\\r\\n\"");
    }
}
