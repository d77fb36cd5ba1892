//! Long logs of sites on which nothing happens, and of sites with small outages in the middle of months.
//!
//! A few short ones on every run; `DOWNTIME_MONTHS=40` tries the goal of forty logs of thirty days (minutes in a release
//! build).

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "months/site.rs"]
mod site;
mod support;

use downtime::report::Report;
use site::{Fault, Months};

fn report(months: &Months) -> (u64, Report) {
    let folder = tempfile::tempdir().unwrap();
    let path = std::env::var("KEEP")
        .map_or(folder.path().join("access.log"), |k| format!("{k}/{}.log", months.seed).into());
    let lines = months.write(&path);
    (lines, support::report(&support::options(&[path])))
}

fn told(report: &Report) -> Vec<String> {
    report.incidents.iter().map(|i| format!("{}: {}", i.title, i.why)).collect()
}

#[test]
fn months_without_an_outage_are_silent() {
    let wanted: Option<u64> = std::env::var("DOWNTIME_MONTHS").ok().and_then(|n| n.parse().ok());
    let (logs, days) = wanted.map_or((4, 5), |n| (n, 30));
    let mut wrong = Vec::new();
    for seed in 0..logs {
        let rate = [0.05, 0.3, 1.0, 0.1, 2.0, 0.6][(seed % 6) as usize];
        let months = Months { seed: seed + 77, days, rate, timed: seed % 2 == 1, faults: Vec::new() };
        let (lines, report) = report(&months);
        if wanted.is_some() {
            println!(
                "{seed}: {lines} lines, {rate}/s, {} findings, {:?}",
                report.findings.len(),
                told(&report)
            );
        }
        wrong.extend(told(&report).into_iter().map(|t| format!("{seed}: {t}")));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn short_outages_in_months_are_found() {
    let hour = 3600.0;
    let faults = vec![
        Fault { from: 13.0 * hour, to: 13.0 * hour + 90.0, share: 1.0 },
        Fault { from: 36.0 * hour, to: 36.0 * hour + 400.0, share: 0.35 },
        Fault { from: 60.0 * hour, to: 60.0 * hour + 30.0, share: 1.0 },
    ];
    for (seed, rate) in [(501, 2.0), (502, 4.0)] {
        let months = Months { seed, days: 4, rate, timed: seed % 2 == 1, faults: faults.clone() };
        let (_, report) = report(&months);
        assert_eq!(
            report.incidents.len(),
            faults.len(),
            "{seed}: {:#?} {:#?}",
            told(&report),
            report.findings
        );
        for (incident, fault) in report.incidents.iter().zip(&faults) {
            let at = |ms: i64| ms as f64 / 1000.0 - support::TEN as f64;
            let (start, end) = (at(incident.start), at(incident.end.unwrap()));
            // A page a second or less: the edges are as sharp as the visits are dense.
            let sharp = if fault.share < 1.0 { 60.0 } else { 12.0 };
            assert!(
                (start - fault.from).abs() <= sharp && (end - fault.to).abs() <= sharp,
                "{seed}: {start} to {end}, not {fault:?}"
            );
        }
    }
}
