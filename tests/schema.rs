//! What is printed as JSON is what the schema says: no field more, none less.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use downtime::analysis::{FormatReport, Series, SeriesRow};
use downtime::render::json;
use downtime::report::{News, Report};
use serde_json::{Value, json};

mod reports;
mod support;

fn assert_valid(form: &str, text: &[u8]) -> Value {
    let value: Value = serde_json::from_slice(text).unwrap();
    let faults: Vec<_> =
        support::validator(form).iter_errors(&value).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(faults.is_empty(), "{faults:#?}");
    value
}

fn all() -> [Report; 4] {
    [Report::default(), reports::calm(), reports::outage(), reports::several()]
}

#[test]
fn reports_are_as_the_schema_says() {
    for report in all() {
        let mut out = Vec::new();
        json::write(&report, &mut out).unwrap();
        let value = assert_valid("report", &out);
        assert_eq!(value["incidents"].as_array().unwrap().len(), report.incidents.len());
    }
}

#[test]
fn news_are_as_the_schema_says() {
    use downtime::report::NewsKind::{Continues, Ended, New, NewAndOver, Withdrawn};
    let kinds = [New, NewAndOver, Continues, Ended, Withdrawn];
    let news = kinds.map(|kind| News { id: "20260301T100000Z".into(), kind });
    let report = Report { news: Some(news.to_vec()), ..reports::outage() };
    let mut out = Vec::new();
    json::write(&report, &mut out).unwrap();
    let value = assert_valid("report", &out);
    assert_eq!(value["news"].as_array().unwrap().len(), kinds.len());
    assert_eq!(value["news"][1]["what"], "new and over");
}

#[test]
fn lines_are_as_the_schema_says_and_one_an_incident() {
    for report in all() {
        let mut out = Vec::new();
        json::write_lines(&report, &mut out).unwrap();
        let lines: Vec<_> = out.split(|b| *b == b'\n').filter(|l| !l.is_empty()).collect();
        assert_eq!(lines.len(), report.incidents.len());
        for line in lines {
            assert_valid("incident_line", line);
        }
    }
}

#[test]
fn hostile_text_and_impossible_numbers_are_still_valid() {
    let mut report = reports::several();
    report.incidents[0].impact.failed_share = Some(f64::NAN);
    report.incidents[0].start = i64::MIN;
    report.incidents[1].end = Some(i64::MAX);
    report.inputs[0].confidence = f64::INFINITY;
    report.zone = i16::MIN;
    let mut out = Vec::new();
    json::write(&report, &mut out).unwrap();
    assert_valid("report", &out);
}

#[test]
fn series_and_formats_are_as_the_schema_says() {
    let row =
        SeriesRow { start: 1_587_856_380, requests: 3, failed_share: Some(0.5), ..SeriesRow::default() };
    let timed = SeriesRow { p50: Some(0.25), ..row.clone() };
    let mut out = Vec::new();
    json::write_series(&Series { zone: 60, step: 60, rows: vec![row, timed] }, &mut out).unwrap();
    assert_valid("series", &out);
    let formats = [
        FormatReport {
            kind: "access",
            fields: vec![("status".into(), "200".into())],
            ..FormatReport::default()
        },
        FormatReport { kind: "other", refused: Some("not an nginx log".into()), ..FormatReport::default() },
    ];
    out.clear();
    json::write_formats(&formats, &mut out).unwrap();
    assert_valid("formats", &out);
}

#[test]
fn the_contract_bites() {
    let mut out = Vec::new();
    json::write(&reports::outage(), &mut out).unwrap();
    let good: Value = serde_json::from_slice(&out).unwrap();
    let breaks: [fn(&mut Value); 5] = [
        |v| v["schema"] = json!("downtime.report/2"),
        |v| v["incidents"][0]["severity"] = json!("bad"),
        |v| v["incidents"][0]["start"] = json!("2020-04-25 18:13:05"),
        |v| v["incidents"][0]["cause"]["evidence"] = json!([]),
        |v| _ = v["incidents"][0].as_object_mut().unwrap().remove("end"),
    ];
    for (at, damage) in breaks.into_iter().enumerate() {
        let mut bad = good.clone();
        damage(&mut bad);
        assert!(!support::validator("report").is_valid(&bad), "damage {at} went unseen");
    }
}
