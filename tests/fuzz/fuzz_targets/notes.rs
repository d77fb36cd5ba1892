//! A postmortem of any bytes against a report of a quiet log. Claims must stand in the notes and be of some width.
#![no_main]

use downtime::report::{Coverage, CoverageState, Report};
use downtime::verify::verify;
use libfuzzer_sys::fuzz_target;

/// 2026-06-18 18:00 to 18:20 at UTC-05:00.
const SPAN: (i64, i64) = (1_781_823_600_000, 1_781_824_800_000);

fuzz_target!(|bytes: &[u8]| {
    let notes = String::from_utf8_lossy(bytes);
    let covered = Coverage {
        start: SPAN.0,
        end: SPAN.1,
        state: CoverageState::Covered,
        host: None,
        note: String::new(),
    };
    let report = Report { span: Some(SPAN), zone: -300, coverage: vec![covered], ..Report::default() };
    let found = verify(&notes, &report);
    let lines = notes.lines().count();
    for judged in &found.claims {
        assert!((1..=lines).contains(&judged.claim.line), "{:?}", judged.claim);
        assert!(judged.claim.moment.as_ref().is_none_or(|m| m.from < m.to), "{:?}", judged.claim);
    }
    assert_eq!(verify(&notes, &report), found);
});
