use super::*;
use crate::report::Report;

/// The claims of notes without any log, as `line kind: words`.
fn claims(notes: &str) -> Vec<String> {
    let report = Report::default();
    let facts = Facts::of(&report);
    read(notes, &facts).claims.iter().map(|c| format!("{} {}: {}", c.line, c.kind.name(), c.text)).collect()
}

#[test]
fn each_time_takes_its_own_clause() {
    assert_eq!(
        claims("On 2026-06-18 the outage began at 18:00 and ended at 18:04."),
        ["1 start: On 2026-06-18 the outage began at 18:00", "1 end: ended at 18:04."]
    );
    assert_eq!(
        claims("2026-06-18: At 18:00 the service went down, and at 18:04 it was back online."),
        ["1 start: 2026-06-18: At 18:00 the service went down", "1 end: and at 18:04 it was back online."]
    );
    assert_eq!(
        claims(
            "Alerts fired on 2026-06-18 at 18:02, nginx was restarted at 18:03, service was restored at 18:04."
        ),
        [
            "1 detected: Alerts fired on 2026-06-18 at 18:02",
            "1 restart: nginx was restarted at 18:03",
            "1 end: service was restored at 18:04."
        ]
    );
}

#[test]
fn an_entry_can_claim_more_than_one_thing() {
    let found = claims("* 2026-06-18 18:04 rolled back the config, restarted nginx; traffic back online");
    let kinds: Vec<_> = found.iter().map(|c| c.split(':').next().unwrap()).collect();
    assert_eq!(kinds, ["1 rollback", "1 restart", "1 end"]);
}

#[test]
fn ranges_are_beginning_and_end() {
    for notes in [
        "2026-06-18, 18:00 - 18:04: outage",
        "The site was down on 2026-06-18 from 6:00 to 6:04 pm.",
        "Outage between 18:00 and 18:04 on 2026-06-18.",
        "| 2026-06-18 | 18:00–18:04 | outage |",
    ] {
        let found = claims(notes);
        let kinds: Vec<_> = found.iter().map(|c| c.split(':').next().unwrap()).collect();
        assert_eq!(kinds, ["1 start", "1 end"], "{notes}");
    }
}

#[test]
fn prepositions_tell_an_end_from_a_beginning() {
    let kinds = |notes: &str| {
        claims(notes).iter().map(|c| c.split(':').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(kinds("The site was down on 2026-06-18 until 18:04."), ["1 end"]);
    assert_eq!(kinds("The site was down on 2026-06-18 since 18:00."), ["1 start"]);
}

#[test]
fn what_is_to_be_done_is_no_claim() {
    assert_eq!(claims("## Action items\n\n- restart nginx on 2026-07-01 at 10:00\n"), [""; 0]);
}

#[test]
fn midnight_passes_in_a_list_and_in_a_range() {
    let report = Report::default();
    let facts = Facts::of(&report);
    let at = |notes: &str| -> Vec<String> {
        read(notes, &facts)
            .claims
            .iter()
            .map(|c| crate::time::rfc3339(c.moment.as_ref().unwrap().at, 0)[5..16].to_owned())
            .collect()
    };
    assert_eq!(at("2026-06-18\n\n23:50 outage begins\n00:10 restored\n"), ["06-18T23:50", "06-19T00:10"]);
    assert_eq!(at("Outage on 2026-06-18 from 23:50 to 00:10."), ["06-18T23:50", "06-19T00:10"]);
    assert_eq!(
        at("2026-06-18 23:50 outage begins\nthe next day 00:10 restored\n"),
        ["06-18T23:50", "06-19T00:10"]
    );
}

#[test]
fn a_flood_of_claims_is_cut_and_said() {
    let notes = format!("2026-06-18\n\n{}", "18:00 outage begins\n".repeat(MOST_CLAIMS + 100));
    let report = Report::default();
    let found = read(&notes, &Facts::of(&report));
    assert!(found.claims.len() <= MOST_CLAIMS + 3);
    assert!(found.remarks.iter().any(|r| r.contains("were not read")), "{:?}", found.remarks);
}
