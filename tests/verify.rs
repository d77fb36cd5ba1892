//! `downtime verify`: timelines in many hands against logs whose truth is known.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use downtime::analysis::{self, Options};
use downtime::report::{Notice, Report};
use downtime::verify::{Verdict, Verification, tell, verify};
use proptest::prelude::*;
use std::path::Path;
use std::sync::LazyLock;
use support::Traffic;

/// The recorded story: an outage on Thursday 2026-06-18 from 18:00:06 to 18:04:14 (UTC-05:00). nginx refused its
/// configuration at 18:00:06, started at 18:01:43 with a wrong port, was stopped at 18:03:35 and started at 18:04:14.
static STORY: LazyLock<Report> = LazyLock::new(|| {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/story");
    let options = Options { paths: vec![path], ..Options::default() };
    analysis::run(&options, &()).unwrap().report
});

/// Made traffic on Sunday 2026-03-01, 10:00 to 10:20 UTC, that fails from 10:10:00 to 10:13:00.
static MARCH: LazyLock<Report> = LazyLock::new(|| made(&Traffic::outage()));

fn made(traffic: &Traffic) -> Report {
    let folder = tempfile::tempdir().unwrap();
    traffic.write(folder.path());
    let options = Options { paths: vec![folder.path().into()], ..Options::default() };
    analysis::run(&options, &()).unwrap().report
}

/// Each claim as `line kind verdict`, the verdict by its first letter.
fn short(v: &Verification) -> Vec<String> {
    let of = |verdict: Verdict| match verdict {
        Verdict::Confirmed => '+',
        Verdict::Contradicted => '-',
        Verdict::Undecidable => '?',
    };
    v.claims
        .iter()
        .map(|c| format!("{} {}{}", c.claim.line, c.claim.kind.name(), of(c.judgement.verdict)))
        .collect()
}

/// The claims with what they were read as, for messages.
fn seen(v: &Verification) -> String {
    let one = |c: &downtime::verify::Judged| {
        let at = c.claim.moment.as_ref().map(|m| downtime::time::rfc3339(m.at, v.zone));
        format!("{} {:?} {:?} {:?}: {:?}\n", c.claim.line, c.claim.kind, at, c.claim.text, c.judgement.reason)
    };
    v.claims.iter().map(one).collect()
}

#[track_caller]
fn assert_story(notes: &str, want: &[&str]) -> Verification {
    let found = verify(notes, &STORY);
    assert_eq!(short(&found), want, "{notes}\n{}", seen(&found));
    found
}

fn kinds(v: &Verification) -> Vec<&str> {
    v.contradictions.iter().map(|c| c.kind).collect()
}

// Styles of timelines.

#[test]
fn a_table_in_utc() {
    let notes = "# Incident 12\n\n| Date | Time (UTC) | Event |\n|---|---|---|\n\
        | 2026-06-18 | 23:00 | Outage begins |\n| | 23:01 | nginx started with the wrong port |\n\
        | | 23:03 | nginx stopped |\n| | 23:04 | Service restored |\n";
    let found = assert_story(notes, &["5 start+", "6 restart+", "7 stop+", "8 end+"]);
    assert!(!found.is_contradicted());
}

#[test]
fn iso_stamps() {
    let notes = "2026-06-18T23:00:06Z requests start failing\n2026-06-18T23:01:43Z nginx starts\n\
        2026-06-18T18:04:14-05:00 everything back to normal\n2026-06-18 18:05:00 -0500 still down\n2026-06-18 18:02:00 -0500 still down\n";
    assert_story(notes, &["1 start+", "2 restart+", "3 end+", "4 failing-", "5 failing+"]);
}

#[test]
fn a_zone_behind_the_date() {
    for first in [
        "2026-06-19 (UTC+2)",
        "19 June 2026, CEST",
        "## Friday, 19 June 2026 (CEST)",
        "Date: 2026-06-19 UTC+02:00",
    ] {
        let found = assert_story(
            &format!("{first}\n\n01:00 outage begins\n01:04 restored\n"),
            &["3 start+", "4 end+"],
        );
        assert_eq!(found.remarks, [""; 0], "{first}");
    }
}

#[test]
fn a_chat() {
    let notes = "Thursday, June 18th, 2026\n\n[6:00 PM] ana: site went down\n[6:01 PM] ben: nginx restarted\n\
        [6:02 PM] ana: still investigating\n[6:04 PM] ben: we are back online\n";
    let found = assert_story(notes, &["3 start+", "4 restart+", "5 action?", "6 end+"]);
    assert_eq!(kinds(&found), [""; 0]);
}

#[test]
fn a_chat_with_names_above_the_words() {
    let notes = "2026-06-18 UTC-5\n\nana  6:00 PM\nShop went down\nben.k  6:04 PM\nWe are back online\nnothing in the logs\n";
    assert_story(notes, &["3 start+", "5 end+"]);
}

#[test]
fn labels() {
    let notes = "---\ntitle: ERP outage\nstart: 2026-06-18 18:00 UTC-5\nend: 2026-06-18 18:04 UTC-5\n\
        detected: 2026-06-18 18:02 UTC-5\nduration: 4 minutes\n---\n";
    assert_story(notes, &["3 start+", "4 end+", "5 detected?", "6 duration+"]);
}

#[test]
fn labels_in_bold_with_units_of_length() {
    let notes = "**Date:** June 18, 2026\n**Impact started:** 18:00 (UTC-05:00)\n**Impact ended:** 18:05 (UTC-05:00)\n\
        **Duration:** 5m\n**Requests failed:** 988 requests failed\n";
    assert_story(notes, &["2 start+", "3 end-", "4 duration+", "5 count+"]);
}

#[test]
fn prose() {
    let notes = "On June 18, 2026 the outage began around 6 PM and ended at 6:04 PM local time. It lasted about 4 minutes. \
        Clients saw 502s, and 81 % of the requests failed. It was noticed at 6:02 p.m. by a user.\n";
    let found =
        assert_story(notes, &["1 start+", "1 end+", "1 duration+", "1 share+", "1 status+", "1 detected?"]);
    assert!(found.claims[0].claim.moment.as_ref().unwrap().wider.is_some());
}

#[test]
fn another_zone_past_midnight() {
    let notes = "# Störung\n\n19.06.2026, all times CEST\n\n- 01:00 Uhr: outage starts\n- 01.04 Uhr: service is up again\n";
    assert_story(notes, &["5 start+", "6 end+"]);
}

#[test]
fn military_time_and_ranges() {
    let notes = "2026-06-18, all times UTC-5\n\n1800 hrs first failed requests\n1804 hrs service restored\n\
        18:00-18:04 total outage\n18h03 nginx stopped\n";
    assert_story(notes, &["3 start+", "4 end+", "5 start+", "5 end+", "6 stop+"]);
}

#[test]
fn headings_as_entries() {
    let notes = "# Postmortem\n\n## Thursday, 18 June 2026 (UTC-5)\n\n### 18:00 — outage begins\n\nNobody was at their desk.\n\n\
        ### 18:04 — service restored\n\nGood.\n\n## Action items\n\n- Alert by 2026-07-01 09:00\n";
    assert_story(notes, &["5 start+", "9 end+"]);
}

#[test]
fn a_wiki() {
    let notes = "h2. Timeline (America/Bogota)\n\n||Date||Time||What||\n|18/Jun/2026|6:00pm|Service went down|\n\
        |18/Jun/2026|6:01pm|Restarted nginx|\n|18/Jun/2026|6:04pm|Traffic recovered|\n";
    assert_story(notes, &["4 start+", "5 restart+", "6 end+"]);
}

#[test]
fn newest_first_with_a_range_over_two_lines() {
    let notes = "Timeline, 2026-06-18, times in EST:\n\n* 18:04 - resolved, everything is back\n* 18:02 - users report errors\n\
        * 18:00 - errors begin\n\nBetween 6:00 and 6:04 PM EST all\nrequests to the shop failed.\n";
    let found = assert_story(notes, &["3 end+", "4 detected?", "5 start+", "7 start+", "7 end+", "7 share-"]);
    assert_eq!(kinds(&found), [""; 0]);
}

#[test]
fn names_and_values_above_a_bold_timeline() {
    let notes = "# Outage of the shop on Thursday June 18\n\n| Status | Resolved |\n|---|---|\n| Start | 2026-06-18 18:00 (UTC-5) |\n\
        | End | 2026-06-18 18:04 (UTC-5) |\n| Time to detect | 2 minutes |\n| Duration | 4m08s |\n\n## Timeline\n\n\
        All times are in local time.\n\n**18:00** – Config change deployed to production\n\
        **18:00** – nginx is restarted, and fails to come up\n**18:01** – nginx starts; first 502s are returned\n\
        **18:02** – PagerDuty alert, on-call engineer acknowledges\n**18:04** – Fix applied, service recovers\n\
        **18:10** – Incident declared over\n";
    let found = assert_story(
        notes,
        &[
            "5 start+",
            "6 end+",
            "7 time_to_detect?",
            "8 duration+",
            "14 change+",
            "15 restart+",
            "15 failing+",
            "16 restart+",
            "16 start+",
            "16 status+",
            "17 detected?",
            "18 end+",
            "19 declared?",
        ],
    );
    assert!(!found.is_contradicted(), "{:#?}", found.contradictions);
    assert_eq!(found.remarks, [""; 0]);
}

#[test]
fn a_letter() {
    let notes = "Hello all,\n\nbetween 18:00 and approx. 18:05 (COT) on Thursday the 18th of June our proxy did not answer. The\n\
        cause was a configuration that had been rolled out at 5 pm. We started to work on it at 18:02. By 18:04:14 all\n\
        services were available again. During the outage roughly 80% of the requests were answered with an error (HTTP\n\
        502). The web server was restarted at 18:04.\n";
    let found = assert_story(
        notes,
        &["3 start+", "3 end+", "4 change?", "4 action?", "4 end+", "5 share+", "5 status+", "6 restart+"],
    );
    assert_eq!(kinds(&found), [""; 0]);
}

#[test]
fn counted_from_a_zero() {
    let notes = "T0 = 18:00 on 2026-06-18 (UTC-5)\n\n- T+0: outage starts\n- T+1m43s: nginx starts\n- T+4m: restored\n";
    assert_story(notes, &["1 other?", "3 start+", "4 restart+", "5 end+"]);
}

#[test]
fn counted_on_from_the_time_before() {
    let notes = "2026-06-18, times in UTC-5\n\n- 18:00 outage begins\n- One minute later nginx was started with the wrong port\n\
        - 2 min after that nginx was stopped\n- a minute later everything was back to normal\n";
    assert_story(notes, &["3 start+", "4 restart+", "5 stop+", "6 end+"]);
    // Nothing to count from, or no end of the incident.
    assert_story("Five minutes later it was over.\n", &[]);
    let notes = "On 2026-06-18 at 18:00 UTC-5 the outage began. Six minutes later service was restored.\n";
    assert_story(notes, &["1 start+", "1 end-"]);
}

#[test]
fn lengths_that_begin_where_the_last_sentence_ended_and_people() {
    let notes = "On 2026-06-18 at 18:00 UTC-5 the outage began. For the next 4 minutes requests failed. \
        About 160 client addresses were affected. 20 clients were affected. 300 users saw errors. \
        20,000 customers were affected.\n";
    let found = assert_story(
        notes,
        &["1 start+", "1 duration+", "1 clients+", "1 clients-", "1 clients?", "1 clients-"],
    );
    assert!(seen(&found).contains("addresses and not people"), "{}", seen(&found));
}

#[test]
fn no_date_and_no_zone_are_said() {
    let found = assert_story("18:00 outage begins\n18:04 outage over\n", &["1 start+", "2 end+"]);
    assert_eq!(found.remarks.len(), 2, "{:?}", found.remarks);
}

// What the logs can and cannot say.

#[test]
fn what_only_people_know_is_undecidable_unless_the_order_cannot_be() {
    let notes = "2026-06-18, times UTC-5\n\n17:58 a user reports that the shop is down\n18:02 alert fires\n18:03 restored a backup\n\
        18:02 declared that the incident is over\n18:06 recovery confirmed\n";
    assert_story(notes, &["3 detected-", "4 detected?", "5 action?", "6 declared-", "7 declared?"]);
}

#[test]
fn outside_the_logs_nothing_is_known() {
    let found = assert_story(
        "2026-06-18 UTC-5\n\n16:00 outage begins\n23:30 service restored\n2026-06-20 10:00 nginx restarted\n",
        &["3 start?", "4 end?", "5 restart?"],
    );
    assert_eq!(found.count(Verdict::Contradicted), 0);
}

#[test]
fn nginx_tells_of_its_restarts() {
    let notes = "2026-06-18 UTC-5\n\n17:57 restarted nginx\n17:58 restarted the database\n18:00 nginx could not start\n\
        18:04:39 nginx was restarted once more\n17:59 reloaded nginx\n18:03 successful rollback of the configuration\n\
        18:02 rollback of the configuration done\n";
    let found = assert_story(
        notes,
        &["3 restart-", "4 restart?", "5 restart+", "6 restart+", "7 reload-", "8 rollback?", "9 rollback-"],
    );
    let evidence = found.claims[2].judgement.evidence.as_ref().unwrap();
    assert!(evidence.text.contains("[emerg]"), "{evidence:?}");
    assert_eq!((evidence.line, evidence.byte), (21, 2119));
}

#[test]
fn a_claim_is_right_within_its_unit_and_the_difference_is_said() {
    let found = assert_story(
        "2026-06-18 UTC-5\n\n18:00:04 outage begins\n18:00:06 outage begins\n18:01 outage begins\n17:59 outage begins\n",
        &["3 start-", "4 start+", "5 start-", "6 start-"],
    );
    let differences: Vec<_> = found.claims.iter().map(|c| c.judgement.difference).collect();
    assert_eq!(differences, [Some(-2000), None, Some(54_000), Some(-66_000)]);
}

#[test]
fn about_widens_by_what_is_said() {
    let found = assert_story(
        "2026-06-18 UTC-5\n\naround 17:50 outage begins\n~18:05 service restored\nOutage began shortly after 5:58 PM\n\
         It was restored by 18:05\n",
        &["3 start+", "4 end+", "5 start+", "6 end+"],
    );
    assert!(found.claims.iter().all(|c| c.claim.moment.as_ref().unwrap().wider.is_some()));
}

#[test]
fn first_errors_are_the_first_errors() {
    let notes = "2026-06-18 UTC-5\n\n18:01:43 first 502s\n18:03 last 502 errors\n18:01:43 outage begins\n";
    let found = assert_story(notes, &["3 start+", "3 status+", "4 end+", "4 status+", "5 start-"]);
    assert!(found.claims[0].judgement.evidence.as_ref().unwrap().text.contains("\" 502 "));
}

#[test]
fn numbers() {
    let notes = "On 2026-06-18 at 18:00 UTC-5 the outage began. About 1,000 requests failed. 37 requests failed. \
        Clients got HTTP 503. There were 988 502s. It lasted 5 hours. Half of the requests failed.\n";
    assert_story(
        notes,
        &[
            "1 start+",
            "1 count+",
            "1 count-",
            "1 status-",
            "1 count+",
            "1 status+",
            "1 duration-",
            "1 share-",
        ],
    );
}

#[test]
fn a_healthy_log_contradicts_an_outage() {
    let calm = made(&Traffic::default());
    let found = verify("2026-03-01 UTC\n\n10:05 outage begins\n10:07 restored\n", &calm);
    assert_eq!(short(&found), ["3 start-", "4 end-"]);
    assert!(found.claims[0].judgement.evidence.is_none());
}

// The usual mistakes.

#[track_caller]
fn explained(notes: &str, report: &Report, words: &str) -> Verification {
    let found = verify(notes, report);
    let told = found.explanations.iter().any(|e| e.what.contains(words) && e.fit == e.of);
    assert!(told, "{words}: {:#?}\n{:#?}", found.explanations, short(&found));
    found
}

#[test]
fn a_wrong_zone_is_found() {
    explained(
        "2026-06-18 UTC-5\n\n23:00 outage begins\n23:04 restored\n",
        &STORY,
        "the times are UTC and not UTC-05:00",
    );
    explained(
        "2026-06-18, all times UTC\n\n18:00 outage begins\n18:04 restored\n",
        &STORY,
        "the times are UTC-05:00, as the logs are",
    );
    explained("2026-06-18 UTC-5\n\n19:00 outage begins\n19:04 restored\n", &STORY, "daylight saving time");
    let found = explained(
        "2026-06-18 UTC-5\n\n20:00 outage begins\n20:04 restored\n",
        &STORY,
        "as if written in UTC-03:00",
    );
    assert_eq!(found.explanations[0].add, Some(-7_200_000));
}

#[test]
fn am_and_pm_and_days_are_found() {
    explained("2026-06-18 UTC-5\n\n6:00 AM outage begins\n6:04 AM restored\n", &STORY, "am and pm");
    explained("2026-06-17 UTC-5\n\n18:00 outage begins\n18:04 restored\n", &STORY, "a day is added");
    explained(
        "2026-01-03 UTC\n\n10:10 outage begins\n10:12 last errors\n",
        &MARCH,
        "day and month of the date change places",
    );
}

#[test]
fn one_section_may_be_wrong_alone() {
    let notes = "# P\n\n## Summary\n\nOn 2026-06-18 the outage began at 18:00 UTC-5 and ended at 18:04 UTC-5.\n\n\
        ## Timeline (UTC-5)\n\n* 20:00 outage begins\n* 20:03 nginx stopped\n* 20:04 service restored\n";
    let found = explained(notes, &STORY, "2 h are taken off");
    assert_eq!(found.explanations.len(), 1);
    assert_eq!(found.explanations[0].section.as_deref(), Some("Timeline (UTC-5)"));
    assert_eq!(kinds(&found), ["start", "end"]);
}

#[test]
fn what_fits_needs_no_explanation_and_what_fits_nothing_gets_none() {
    for notes in [
        "2026-06-18 UTC-5\n\n18:00 outage begins\n18:04 restored\n",
        "2026-06-18 UTC-5\n\n17:56 outage begins\n18:07 restored\n",
    ] {
        assert_eq!(verify(notes, &STORY).explanations, [], "{notes}");
    }
}

// The notes against themselves.

#[test]
fn weekdays() {
    for (notes, wrong) in [
        ("On Sunday, April 26, 2020 the outage began at 18:00.", false),
        ("On Sunday, April 25, 2020 the outage began at 18:00.", true),
        ("The outage of April 25, 2020.\n\nOn Sunday, at 06:13pm, it began.", true),
        ("The outage of April 25, 2020.\n\nOn Saturday, at 06:13pm, it began.", false),
        ("## Saturday 25 April 2020\n- 23:50 outage begins\n## Sunday\n- 00:10 restored", false),
        ("Sat 2020-04-25 23:50 outage begins\nSun 00:10 restored", false),
        ("The outage of April 25, 2020 began at 18:00. We meet every Monday at 10:00.", false),
    ] {
        let found = verify(notes, &STORY);
        assert_eq!(kinds(&found).contains(&"weekday"), wrong, "{notes}\n{:#?}", found.contradictions);
    }
}

#[test]
fn order_and_lengths() {
    for (notes, kind) in [
        (
            "2026-06-18\n\n18:04 outage begins\n18:02 a user noticed it\n18:09 restored\n18:12 tests\n18:15 call",
            "order",
        ),
        ("2026-06-18\n\n18:00 outage begins\n18:09 restored\nIt lasted 30 minutes.", "duration"),
        (
            "2026-06-18\n\n18:00 outage begins\n18:09 a user noticed\n18:20 restored\nTime to detect: 2 minutes",
            "duration",
        ),
        (
            "2026-06-18\n\n## Summary\n\nThe outage began at 18:00.\n\n## Details\n\nAt 18:40 the outage began.",
            "start",
        ),
    ] {
        let found = verify(notes, &STORY);
        assert!(kinds(&found).contains(&kind), "{notes}\n{:#?}\n{:#?}", found.contradictions, short(&found));
    }
    for notes in [
        "2026-06-18\n\n18:00 outage begins\n18:02 a user noticed it\n18:09 restored\nIt lasted 9 minutes. Time to detect: 2 min",
        "2026-06-18\n\n23:50 outage begins\n00:10 restored\nDuration: 20 min",
        "2026-06-18\n\n10:00 outage begins\n10:05 restored\n11:00 outage begins again\n11:05 restored",
    ] {
        assert_eq!(kinds(&verify(notes, &STORY)), [""; 0], "{notes}");
    }
}

#[test]
fn how_long_it_took() {
    let found = verify("2026-06-18 UTC-5\n\n18:00 outage begins\n18:02 noticed\n18:05 restored\n", &STORY);
    assert_eq!((found.by_logs.detect, found.by_logs.repair), (Some(114_000), Some(248_000)));
    assert_eq!((found.by_notes.detect, found.by_notes.repair), (Some(120_000), Some(300_000)));
}

/// Seconds from the start to the notice, as written and mended, and the line it is taken from.
#[track_caller]
fn noticed(notes: &str) -> Option<([i64; 2], Option<[i64; 2]>, String)> {
    let mut report = STORY.clone();
    tell(&mut report, "notes.md", notes);
    assert_eq!(report.notes.as_deref(), Some("notes.md"));
    let noticed = report.incidents[0].context.noticed.as_ref()?;
    let seconds = |n: &Notice| [n.after.0 / 1000, n.after.1 / 1000];
    let line = &noticed.evidence;
    assert_eq!(notes[line.byte as usize..].lines().next(), Some(line.text.as_str()));
    Some((seconds(&noticed.written), noticed.mended.as_ref().map(|(n, _)| seconds(n)), line.text.clone()))
}

#[test]
fn the_report_is_told_when_people_noticed() {
    // Written to the minute: 18:02:00 to 18:02:59, the start between 18:00:05 and 18:00:06.
    let found = noticed("2026-06-18 UTC-5\n\n18:00 outage begins\n18:04 users report\n18:02 noticed\n");
    assert_eq!(found, Some(([114, 175], None, "18:02 noticed".into())));
    let found = noticed("2026-06-18 UTC-5\n\n18:00:06 outage begins\n17:58:10 alert fired\n18:05 restored\n");
    assert_eq!(found.unwrap().0, [-116, -114], "before the start is said and not hidden");
    let found = noticed("# Outage of 2026-06-18\n\nIt took us 4 minutes to notice.\n");
    assert_eq!(found.unwrap().0, [180, 299], "a length where no time is given");
    let found = noticed("2026-06-18 UTC\n\n18:00 outage begins\n18:01 alert\n18:04 restored\n").unwrap();
    assert_eq!((found.0, found.1), ([-17_946, -17_885], Some([54, 115])), "the wrong zone is mended");
    assert_eq!(noticed("2026-06-18 UTC-5\n\n18:00 outage begins\n18:05 restored\n"), None);
    assert_eq!(noticed("2026-05-11 UTC-5\n\n18:02 noticed\n"), None, "of another day");
}

// The program.

fn run(args: &[&str]) -> (i32, String, String) {
    let mut command = assert_cmd::cargo::cargo_bin_cmd!("downtime");
    command.current_dir(env!("CARGO_MANIFEST_DIR")).env_clear().env("TZ", "UTC");
    let output = command.args(args).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn the_postmortem_of_the_sample() {
    for format in ["text", "json", "markdown"] {
        let (code, out, err) =
            run(&["verify", "--format", format, "samples/story/postmortem.md", "samples/story"]);
        assert_eq!((code, err.as_str()), (0, ""));
        if format == "json" {
            let value: serde_json::Value = serde_json::from_str(&out).unwrap();
            let faults: Vec<_> =
                support::validator("verify").iter_errors(&value).map(|e| e.to_string()).collect();
            assert_eq!(faults, [""; 0]);
        }
        let out = out.replace(concat!("\"", env!("CARGO_PKG_VERSION"), "\""), "\"VERSION\"");
        insta::assert_snapshot!(format!("verify.{format}"), out);
    }
}

#[test]
fn the_draft_of_a_postmortem_has_the_detection_gap_of_the_notes() {
    let story = ["samples/story", "--notes", "samples/story/postmortem.md", "--format"];
    let report = |more: &[&str]| {
        let (code, out, err) = run(&[&story[..], more].concat());
        assert_eq!((code, err.as_str()), (0, ""));
        out
    };
    let draft = report(&["markdown"]);
    let part = draft.split_once("## Detection").unwrap().1.split_once("\n## ").unwrap().0;
    for words in
        ["2 h 54 s to 2 h 1 min 55 s after the start", "54 s to 1 min 55 s after", "a user calls and reports"]
    {
        assert!(part.contains(words), "{words}: {part}");
    }
    assert!(!report(&["markdown", "--redact"]).contains("a user calls"));
    assert!(report(&["text"]).contains("  Noticed     20:01:00, 2 h 54 s to"));
    assert!(report(&["html"]).contains("<dt>Noticed</dt>"));
    let value: serde_json::Value = serde_json::from_str(&report(&["json"])).unwrap();
    let faults: Vec<_> = support::validator("report").iter_errors(&value).map(|e| e.to_string()).collect();
    assert_eq!(faults, [""; 0]);
    let noticed = &value["incidents"][0]["context"]["noticed"];
    assert_eq!(noticed["written"]["after_seconds"], serde_json::json!([7254.0, 7315.0]));
    assert_eq!(noticed["evidence"]["line"], 14);

    let (code, _, err) = run(&["samples/story", "--notes", "no-such.md"]);
    assert_eq!(
        (code, err.as_str()),
        (1, "downtime: error: no-such.md: No such file or directory (os error 2)\n")
    );
    assert_eq!(run(&["--notes", "-", "-"]).0, 2, "both are standard input");
    assert_eq!(
        run(&[
            "samples/story",
            "-o",
            "samples/story/postmortem.md",
            "--notes",
            "samples/story/postmortem.md"
        ])
        .0,
        2
    );
}

#[test]
fn exit_codes() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let right = write("right.md", "2026-06-18 UTC-5\n\n18:00 outage begins\n");
    let wrong = write("wrong.md", "2026-06-18 UTC-5\n\n17:57 outage begins\n");
    let torn = write("torn.md", "2026-06-18 UTC-5\n\n18:00 outage begins \u{fffd}\u{0}\n");
    for (args, want) in [
        (vec!["verify", &right, "samples/story"], 0),
        (vec!["verify", &wrong, "samples/story"], 0),
        (vec!["verify", "--exit-code", &right, "samples/story"], 0),
        (vec!["verify", "--exit-code", &wrong, "samples/story"], 1),
        (vec!["verify", "--exit-code", &torn, "samples/story"], 0),
        (vec!["verify", "no-such.md", "samples/story"], 1),
        (vec!["verify", "--exit-code", "no-such.md", "samples/story"], 2),
        (vec!["verify", &right, "no-such-folder"], 1),
        (vec!["verify", "-o", &right, &right, "samples/story"], 2),
        (vec!["verify", "-", "-"], 2),
        (vec!["verify"], 2),
    ] {
        let (code, out, err) = run(&args);
        assert_eq!(code, want, "{args:?}\n{out}\n{err}");
        assert_eq!(err.is_empty(), !out.is_empty(), "{args:?}: says what is wrong, or what was found\n{err}");
    }
}

// No text breaks it.

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics(notes in "(\\PC|\n|[0-9:/. -]){0,200}") {
        let _ = verify(&notes, &STORY);
    }

    #[test]
    fn no_pieces_panic(pieces in proptest::collection::vec(proptest::sample::select(vec![
        "18:00", "25:99", "6pm", "-", "–", " ", "\n", "UTC-5", "2026-06-18", "31/02/2026", "Sunday", "about", "until", "|",
        "# ", "* ", "outage began", "restored", "4 minutes", "99999999999999 hours", "99999999999 requests failed", "100%",
        "(", ")", ".", ",", "and", "the next day", "T", "Z", "+14:00", "2099-12-31", "24:00", "é", "\u{202f}", "502s", "```", "---",
        "|---|", "12:00:60", "May 1", "29 Feb", "1e309 h", "America/Bogota", "İ", "ß",
    ]), 0..40)) {
        let notes = pieces.concat();
        let found = verify(&notes, &STORY);
        let lines = notes.lines().count();
        for judged in &found.claims {
            prop_assert!(judged.claim.line >= 1 && judged.claim.line <= lines);
            if let Some(m) = &judged.claim.moment {
                prop_assert!(m.from < m.to);
            }
        }
        prop_assert_eq!(&verify(&notes, &STORY), &found);
    }
}
