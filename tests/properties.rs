//! Laws of the whole report: how a log is cut, packed, ordered and scanned makes no difference, and no bytes crash it.

#![allow(
    clippy::single_range_in_vec_init,
    clippy::naive_bytecount,
    clippy::needless_for_each,
    reason = "short"
)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use downtime::analysis::Options;
use downtime::report::Report;
use proptest::prelude::*;
use std::path::PathBuf;
use support::{Lines, Traffic, json, options, report, text, write_lines};

/// Fourteen minutes with an outage somewhere in the middle, or none.
fn traffic() -> impl Strategy<Value = Traffic> {
    (any::<u64>(), 1_u64..4, 300_i64..500, 30_i64..200, any::<bool>(), -11_i64..12).prop_map(
        |(seed, rate, at, lasts, fails, zone)| Traffic {
            seed,
            rate,
            seconds: 840,
            offset: zone * 60,
            outages: if fails { vec![at..at + lasts] } else { Vec::new() },
            ..Traffic::default()
        },
    )
}

/// What of a report does not speak of files: incidents without the places of their lines, findings, totals.
fn essence(report: &Report) -> String {
    let mut report = report.clone();
    for i in &mut report.incidents {
        i.evidence.clear();
        i.timeline.iter_mut().for_each(|e| e.evidence = None);
        let causes = i.cause.iter_mut().chain(&mut i.other_causes);
        let lines =
            causes.flat_map(|c| &mut c.evidence).chain(i.trigger.iter_mut().flat_map(|t| &mut t.evidence));
        for e in lines {
            (e.path, e.line, e.byte) = (String::new(), 0, 0);
        }
    }
    report.findings.iter_mut().for_each(|f| f.evidence.clear());
    format!("{:#?}\n{:#?}\n{:?}", report.incidents, report.findings, report.totals)
}

/// The lines of a log cut into rotated members at the given places, the oldest with the highest number.
fn rotate(folder: &std::path::Path, lines: &Lines, mut cuts: Vec<usize>) -> usize {
    cuts.iter_mut().for_each(|c| *c %= lines.len());
    cuts.extend([0, lines.len()]);
    cuts.sort_unstable();
    cuts.dedup();
    let members = cuts.len() - 1;
    for (i, pair) in cuts.windows(2).enumerate() {
        let bytes = text(&lines[pair[0]..pair[1]]);
        let (name, bytes) = match members - 1 - i {
            0 => ("access.log".to_owned(), bytes),
            1 => ("access.log.1".to_owned(), bytes),
            n => (format!("access.log.{n}.gz"), support::gzip(&bytes)),
        };
        std::fs::write(folder.join(name), bytes).unwrap();
    }
    members
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, failure_persistence: None, max_shrink_iters: 100, ..ProptestConfig::default() })]

    #[test]
    fn cutting_ordering_and_threads_change_no_byte(
        traffic in traffic(), chunk in 64_usize..20_000, threads in 2_usize..4, cuts in prop::collection::vec(any::<usize>(), 1..4),
    ) {
        let folder = tempfile::tempdir().unwrap();
        traffic.write(folder.path());
        let paths: Vec<PathBuf> = ["access.log", "error.log"].iter().map(|n| folder.path().join(n)).collect();
        let whole = report(&options(&paths));
        prop_assert_eq!(whole.incidents.len(), traffic.outages.len());
        let wanted = json(&whole);
        let cut = report(&Options { chunk_bytes: Some(chunk), threads, ..options(&paths) });
        prop_assert_eq!(String::from_utf8(json(&cut)).unwrap(), String::from_utf8(wanted.clone()).unwrap());
        let turned: Vec<PathBuf> = paths.iter().rev().cloned().collect();
        prop_assert_eq!(json(&report(&options(&turned))), wanted, "order of the paths");
        // Rotated into members at any line.
        let set = tempfile::tempdir().unwrap();
        let members = rotate(set.path(), &traffic.access(), cuts);
        write_lines(&set.path().join("error.log"), &traffic.error());
        let rotated = report(&options(&[set.path().to_owned()]));
        prop_assert_eq!(essence(&rotated), essence(&whole), "{} members", members);
        // Packed.
        let packed = tempfile::tempdir().unwrap();
        std::fs::write(packed.path().join("access.log.gz"), support::gzip(&text(&traffic.access()))).unwrap();
        std::fs::write(packed.path().join("error.log.zst"), support::zstd(&text(&traffic.error()))).unwrap();
        prop_assert_eq!(essence(&report(&options(&[packed.path().to_owned()]))), essence(&whole));
    }

    #[test]
    fn incidents_move_with_the_clock_and_ignore_far_quiet(traffic in traffic(), hours in -2000_i64..2000) {
        let edges = |t: &Traffic| {
            let folder = tempfile::tempdir().unwrap();
            t.write(folder.path());
            let report = report(&options(&[folder.path().to_owned()]));
            report.incidents.iter().map(|i| (i.start, i.end, i.impact.clone(), i.severity)).collect::<Vec<_>>()
        };
        let here = edges(&traffic);
        let there = edges(&Traffic { start: traffic.start + hours * 3600, ..traffic.clone() });
        let moved: Vec<_> = here.iter().cloned().map(|(s, e, i, v)| (s + hours * 3_600_000, e.map(|e| e + hours * 3_600_000), i, v)).collect();
        prop_assert_eq!(there, moved);
        // Forty more minutes of the same quiet traffic behind it.
        let longer = edges(&Traffic { seconds: traffic.seconds + 2400, ..traffic });
        let short = |all: &[(i64, Option<i64>, downtime::report::Impact, downtime::report::Severity)]| {
            all.iter().map(|(s, e, i, v)| (*s, *e, i.requests, i.failed, *v)).collect::<Vec<_>>()
        };
        prop_assert_eq!(short(&longer), short(&here));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, max_shrink_iters: 100, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_crash_it_or_are_an_incident(bytes in prop::collection::vec(any::<u8>(), 0..3000), name in "(access|error)\\.log(\\.1)?(\\.gz)?") {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(&name), &bytes).unwrap();
        let report = report(&options(&[folder.path().to_owned()]));
        prop_assert!(report.incidents.is_empty());
        prop_assert!(bytes.is_empty() || !report.inputs.is_empty() || !report.not_counted.is_empty());
    }

    #[test]
    fn damaged_lines_crash_nothing_and_none_is_lost(
        places in prop::collection::vec((any::<usize>(), any::<u8>()), 1..200),
    ) {
        let (folder, access, error) = damaged(places);
        let whole = report(&options(&[folder.path().to_owned()]));
        for input in &whole.inputs {
            let log = if input.kind == "access" { &access } else { &error };
            prop_assert_eq!(input.bytes, log.len() as u64);
            let newlines = log.iter().filter(|b| **b == b'\n').count() as u64;
            prop_assert_eq!(input.lines, newlines + u64::from(!log.ends_with(b"\n")), "{}", input.path);
        }
    }

    #[test]
    fn damaged_lines_count_the_same_in_any_chunks(
        places in prop::collection::vec((any::<usize>(), any::<u8>()), 1..200), chunk in 64_usize..9000,
    ) {
        let (folder, ..) = damaged(places);
        let paths = [folder.path().to_owned()];
        let cut = report(&Options { chunk_bytes: Some(chunk), threads: 2, ..options(&paths) });
        let whole = json(&report(&options(&paths)));
        prop_assert_eq!(String::from_utf8(json(&cut)).unwrap(), String::from_utf8(whole).unwrap());
    }
}

/// A minute of both logs with some bytes replaced: the folder, and what is in it.
fn damaged(places: Vec<(usize, u8)>) -> (tempfile::TempDir, Vec<u8>, Vec<u8>) {
    let traffic = Traffic { seconds: 60, outages: vec![20..30], ..Traffic::default() };
    let folder = tempfile::tempdir().unwrap();
    let (mut access, mut error) = (text(&traffic.access()), text(&traffic.error()));
    for (place, byte) in places {
        let log = if place % 2 == 0 { &mut access } else { &mut error };
        let at = place / 2 % log.len();
        log[at] = byte;
    }
    std::fs::write(folder.path().join("access.log"), &access).unwrap();
    std::fs::write(folder.path().join("error.log"), &error).unwrap();
    (folder, access, error)
}

/// A record whose end is damaged takes the next one for its own, and a chunk that holds no more than that has no second
/// in the index: its lines are read again all the same.
#[test]
fn a_chunk_without_a_record_of_its_own_is_read_again() {
    let (folder, ..) = damaged(vec![(4_363_660_692_633_987_111, 127), (9_347_060_203_462_284_301, 175)]);
    let paths = [folder.path().to_owned()];
    let cut = report(&Options { chunk_bytes: Some(351), ..options(&paths) });
    assert_eq!(cut, report(&options(&paths)));
}

/// The last record of the error log has lost its start: it goes on the one before, wherever chunks end.
#[test]
fn a_damaged_end_counts_the_same_in_any_chunks() {
    let (folder, ..) = damaged(vec![(2_648_287_937_370_854_251, 62), (17_129_106_784_642_415_508, 92)]);
    let paths = [folder.path().to_owned()];
    let whole = json(&report(&options(&paths)));
    for chunk in [64, 200, 1282, 5000, 20_000] {
        let cut = report(&Options { chunk_bytes: Some(chunk), threads: 2, ..options(&paths) });
        assert_eq!(String::from_utf8_lossy(&json(&cut)), String::from_utf8_lossy(&whole), "{chunk}");
    }
}
