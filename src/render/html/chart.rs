//! Charts as SVG without text: they stretch to any width, and words would stretch with them. Scales and times stand
//! around them as HTML.

use crate::clock::{self, Clock};
use crate::report::{Chart, Incident, Report};
use crate::time::Millis;
use maud::{Markup, html};
use std::fmt::Write as _;

/// The drawing's own measures; the page stretches them.
const WIDE: f64 = 1000.0;
const HIGH: f64 = 100.0;

/// Where an instant lies, within the drawing.
fn x(chart: &Chart, at: Millis) -> f64 {
    let span = (chart.end() - chart.start).max(1) as f64;
    (at.saturating_sub(chart.start) as f64 / span * WIDE).clamp(0.0, WIDE)
}

/// The area under counts, as steps from the ground.
fn area(counts: impl ExactSizeIterator<Item = f64>) -> String {
    let step = WIDE / counts.len().max(1) as f64;
    let mut path = format!("M0 {HIGH}");
    let mut at = 0.0;
    let mut level = 0.0;
    for share in counts {
        // What is not nothing is seen.
        let next = if share > 0.0 { (share.min(1.0) * HIGH).max(1.5) } else { 0.0 };
        if (next - level).abs() > f64::EPSILON {
            let _ = write!(path, "H{at:.1}V{:.1}", HIGH - next);
            level = next;
        }
        at += step;
    }
    let _ = write!(path, "H{WIDE}V{HIGH}Z");
    path
}

fn most(of: &[u64]) -> u64 {
    of.iter().copied().max().unwrap_or(0)
}

/// Counts of a step as a rate.
fn rate(n: u64, chart: &Chart) -> String {
    let a_second = n as f64 / f64::from(chart.step_seconds.max(1));
    match a_second {
        r if r >= 9.95 => format!("{} a second", clock::count(r.round() as u64)),
        r if r >= 1.0 => format!("{r:.1} a second"),
        r if r * 60.0 >= 1.0 => format!("{:.1} a minute", r * 60.0),
        r => format!("{:.1} an hour", r * 3600.0),
    }
}

fn key(class: &str, name: &str) -> Markup {
    html! {
        span class="key" {
            svg viewBox="0 0 1 1" aria-hidden="true" { rect class=(class) width="1" height="1" {} }
            (name)
        }
    }
}

fn axis(chart: &Chart, clock: Clock) -> Markup {
    let (from, to) = (chart.start, chart.end());
    let middle = from + (to - from) / 2;
    let middle = middle - middle.rem_euclid(1000);
    let days = clock.date(from) != clock.date(to);
    let label =
        |at| if days { format!("{} {}", &clock.date(at)[5..], &clock.time(at)[..5]) } else { clock.time(at) };
    html! { div class="axis" aria-hidden="true" { span { (label(from)) } span { (label(middle)) } span { (label(to)) } } }
}

/// Requests and failures, one over the other; records of the error log where there is no request.
fn counts(chart: &Chart, under: &Markup, over: &Markup, label: &str) -> Markup {
    let top = most(&chart.requests).max(most(&chart.failed));
    let of = |counts: &[u64], top: u64| {
        let shares: Vec<f64> = counts.iter().map(|n| *n as f64 / top.max(1) as f64).collect();
        area(shares.into_iter())
    };
    html! {
        svg class="chart" role="img" aria-label=(label) viewBox=(format!("0 0 {WIDE} {HIGH}")) preserveAspectRatio="none" {
            (under)
            @if top > 0 {
                path class="f-requests" d=(of(&chart.requests, top)) {}
                path class="f-failed" d=(of(&chart.failed, top)) {}
            } @else {
                path class="f-errors" d=(of(&chart.error_records, most(&chart.error_records))) {}
            }
            (over)
        }
    }
}

/// The key of the colours, with the scale.
fn keys(chart: &Chart, silent: bool) -> Markup {
    let top = most(&chart.requests).max(most(&chart.failed));
    html! {
        @if top > 0 {
            (key("f-requests", &format!("requests, up to {}", rate(top, chart))))
            (key("f-failed", "failed"))
        } @else {
            (key("f-errors", &format!("error-log records, up to {}", rate(most(&chart.error_records), chart))))
        }
        @if silent { (key("b-silent", "silence")) }
    }
}

/// The whole span with its incidents, and below it the share that failed.
pub(super) fn of_span(report: &Report, chart: &Chart, clock: Clock) -> Markup {
    let band = |i: &Incident| {
        let from = x(chart, i.start);
        let to = x(chart, i.end.unwrap_or_else(|| chart.end()));
        html! { rect class="b-incident" x=(format!("{from:.1}")) y="0" width=(format!("{:.1}", (to - from).max(2.0))) height=(HIGH) {} }
    };
    let bands = html! { @for i in &report.incidents { (band(i)) } };
    let shares = || {
        let share = |(r, f): (&u64, &u64)| if *f == 0 { 0.0 } else { *f as f64 / *r.max(f) as f64 };
        chart.requests.iter().zip(&chart.failed).map(share).collect::<Vec<f64>>()
    };
    let label = format!(
        "Requests and failed requests over the whole span of the logs; incidents: {}",
        report.incidents.len()
    );
    html! {
        figure {
            figcaption {
                (keys(chart, false))
                @if !report.incidents.is_empty() { (key("b-incident", "incident")) }
            }
            (counts(chart, &bands, &html! {}, &label))
            @if most(&chart.requests) > 0 {
                svg class="chart share" role="img" aria-label="Share of requests that failed, 0 to 100 %" viewBox=(format!("0 0 {WIDE} {HIGH}")) preserveAspectRatio="none" {
                    (bands)
                    path class="f-failed" d=(area(shares().into_iter())) {}
                }
            }
            (axis(chart, clock))
            @if most(&chart.requests) > 0 { p class="quiet" { "Above: requests. Below: the share that failed, 0 to 100 %." } }
        }
    }
}

/// One incident: silent phases as ground, its edges as strokes, its events as dashes that the timeline names.
pub(super) fn of_incident(i: &Incident, chart: &Chart, clock: Clock) -> Markup {
    let band = |from: Millis, to: Millis, class: &str| {
        let (from, to) = (x(chart, from), x(chart, to));
        html! { rect class=(class) x=(format!("{from:.1}")) y="0" width=(format!("{:.1}", (to - from).max(0.5))) height=(HIGH) {} }
    };
    let stroke = |at: Millis, class: &str, what: &str| {
        let at = format!("{:.1}", x(chart, at));
        html! { line class=(class) x1=(at) x2=(at) y1="0" y2=(HIGH) { title { (what) } } }
    };
    let silent: Vec<_> = i.phases.iter().filter(|p| p.kind == "silent").collect();
    let under = html! {
        @for p in &silent { (band(p.start, p.end.unwrap_or_else(|| chart.end()), "b-silent")) }
    };
    let inside = |at: Millis| chart.start <= at && at <= chart.end();
    let over = html! {
        @for e in i.timeline.iter().filter(|e| inside(e.time)).take(super::ROWS) {
            (stroke(e.time, "m-event", &super::shown(&format!("{} {}", clock.time(e.time), e.what))))
        }
        (stroke(i.start, "m-edge", &format!("start, {}", clock.time(i.start))))
        @if let Some(end) = i.end { (stroke(end, "m-edge", &format!("end, {}", clock.time(end)))) }
    };
    let until = i.end.map_or_else(|| "and later".into(), |end| format!("to {}", clock.beside(end, i.start)));
    let label = format!(
        "Requests and failed requests around the incident, which lasts from {} {until}",
        clock.full(i.start)
    );
    html! {
        figure {
            figcaption { (keys(chart, !silent.is_empty())) span { "strokes: start and end; dashes: events of the timeline" } }
            (counts(chart, &under, &over, &label))
            (axis(chart, clock))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_area_stands_on_the_ground_and_shows_the_smallest_count() {
        assert_eq!(area([0.0, 1.0, 1.0, 0.001].into_iter()), "M0 100H250.0V0.0H750.0V98.5H1000V100Z");
        assert_eq!(area(std::iter::empty::<f64>().collect::<Vec<_>>().into_iter()), "M0 100H1000V100Z");
    }
}
