//! What is printed as JSON is what the schema says: no field more, none less.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use downtime::analysis::{FormatReport, Series, SeriesRow};
use downtime::catalogue::{Catalogue, read_line};
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
fn explanations_and_patterns_are_as_the_schema_says() {
    let catalogue = Catalogue::builtin().unwrap();
    for line in [
        &b"2026/03/01 10:00:00 [error] 1#1: *7 connect() failed (111: x) while connecting to upstream, client: a"[..],
        b"2026/03/01 10:00:00 [emerg] 1#1: unknown directive \"x\" in /etc/nginx/nginx.conf:1",
        b"nginx: something \x1b[2J \xff that nobody knows",
    ] {
        let mut out = Vec::new();
        let record = read_line(line).unwrap();
        json::write_explanation(&catalogue.explain(line, &record, 3), &mut out).unwrap();
        let value = assert_valid("explanation", &out);
        assert_eq!(value["at"], 3);
        assert_eq!(value["category"] == "unknown", value["pattern"].is_null());
    }
    let mut out = Vec::new();
    json::write_patterns(catalogue.patterns().iter(), &mut out).unwrap();
    let mut lines = out.split(|b| *b == b'\n').filter(|l| !l.is_empty());
    assert!(lines.next().is_some_and(|l| assert_valid("pattern", l)["id"].is_string()));
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

/// Whoever reads the JSON has the schema beside it and nothing else.
#[test]
fn every_field_is_explained() {
    fn unexplained(value: &Value, path: &str, out: &mut Vec<String>) {
        match value {
            Value::Object(object) => {
                for (name, field) in object.get("properties").and_then(Value::as_object).into_iter().flatten()
                {
                    let said = |v: &Value| v["description"].as_str().is_some_and(|d| !d.is_empty());
                    // A reference is explained where it leads, an alternative in one of its arms.
                    let arms = || {
                        field["anyOf"]
                            .as_array()
                            .is_some_and(|arms| arms.iter().any(|a| said(a) || a.get("$ref").is_some()))
                    };
                    if !said(field) && field.get("$ref").is_none() && !arms() {
                        out.push(format!("{path}.{name}"));
                    }
                }
                object.iter().for_each(|(name, v)| unexplained(v, &format!("{path}/{name}"), out));
            }
            Value::Array(list) => list.iter().for_each(|v| unexplained(v, path, out)),
            _ => {}
        }
    }
    let schema: Value = serde_json::from_str(json::SCHEMA).unwrap();
    let mut out = Vec::new();
    unexplained(&schema, "", &mut out);
    let unsaid = schema["$defs"].as_object().unwrap().iter().filter(|(_, d)| d.get("description").is_none());
    out.extend(unsaid.map(|(name, _)| name.clone()));
    assert!(out.is_empty(), "{out:#?}");
}
