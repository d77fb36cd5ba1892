//! The JSON that nginx really writes.

use super::*;
use crate::format::AccessFormat;

const TEXT: &str = r#"{"time":"$time_iso8601","http":{"status":$status,"urt":$upstream_response_time,"rt":$request_time},"ua":"$http_user_agent","vhost":"$host:$server_port"}"#;

fn format() -> AccessFormat {
    AccessFormat::from_directive("j", TEXT, None).unwrap()
}

fn line(status: &str, urt: &str, rt: &str, ua: &str) -> String {
    format!(
        r#"{{"time":"2026-03-01T09:00:00+00:00","http":{{"status":{status},"urt":{urt},"rt":{rt}}},"ua":"{ua}","vhost":"a.example:443"}}"#
    )
}

#[test]
fn values_no_strict_parser_takes() {
    let f = format();
    for (status, urt, rt, ua, want) in [
        ("502", "0.000, 0.001", "0.001", "x", (Some(502), Some("0.000, 0.001"), Some(1))),
        ("502", "0.000 : 0.056", "0.056", r"a\x22b", (Some(502), Some("0.000 : 0.056"), Some(56))),
        ("009", "", "", r#"a \" b"#, (Some(9), None, None)),
        ("200", "-", "1", "a \" raw", (Some(200), None, Some(1000))),
        ("\"504\"", "\"60.001\"", "\"60.001\"", "", (Some(504), Some("60.001"), Some(60_001))),
        ("000", "null", "0.000", "\\\\", (Some(0), Some("null"), Some(0))),
    ] {
        let text = line(status, urt, rt, ua);
        let r = f.parse(text.as_bytes()).unwrap_or_else(|e| panic!("{text}: {e}"));
        let upstream = r.upstream_response_time.map(|b| std::str::from_utf8(b).unwrap());
        assert_eq!((r.status, upstream, r.request_time), want, "{text}");
        assert_eq!(r.vhost, Some(&b"a.example"[..]), "{text}");
        assert_eq!(r.time.unwrap().second(), 1_772_355_600);
    }
    let mut bytes = line("502", "-", "0.1", "\u{1}").into_bytes();
    let n = bytes.iter().position(|b| *b == 1).unwrap();
    bytes[n] = 0xff;
    assert_eq!(f.parse(&bytes).unwrap().user_agent, Some(&[0xff][..]));
}

#[test]
fn cut_and_glued_lines_never_mix() {
    let f = format();
    let (one, two) = (line("200", "0.1", "0.1", "Mozilla"), line("502", "0.2", "0.2", "curl"));
    for cut in 0..one.len() {
        let glued = format!("{}{two}", &one[..cut]);
        if let Ok(r) = f.parse(glued.as_bytes()) {
            let second = cut == 0;
            assert!(r.status == Some(if second { 502 } else { 200 }), "{glued}");
        }
        let _ = f.parse(&one.as_bytes()[..cut]);
    }
    assert_eq!(f.parse(&one.as_bytes()[..one.len() - 5]).unwrap().status, Some(200));
    assert!(f.parse(br#"{"time":"2026-03-01T09:00:00+00:00","http":{"status":50"#).is_err());
}

#[test]
fn needles_are_only_given_when_they_are_one() {
    let f = format();
    let keys = f.json_keys().unwrap();
    assert_eq!(keys.time().map(|(n, f)| (n, f.clone())), Some((b"\"time\":".to_vec(), Field::TimeIso8601)));
    assert_eq!(keys.status().as_deref(), Some(&b"\"status\":"[..]));
    assert_eq!(keys.request_time().map(|n| n.0).as_deref(), Some(&b"\"rt\":"[..]));
    let text = r#"{"t":"$msec","status":"$status","up":{"status":"$upstream_status"}}"#;
    let f = AccessFormat::from_directive("j", text, Some(Escape::Json)).unwrap();
    assert_eq!(f.json_keys().unwrap().status(), None);
    let r = f.parse(br#"{"t":"1772355600.250","up":{"status":"502, 200"},"status":"200"}"#).unwrap();
    assert_eq!((r.status, r.upstream_status), (Some(200), Some(&b"502, 200"[..])));
}

#[test]
fn deep_and_endless_input_ends() {
    let f = format();
    for text in
        ["{\"a\":".repeat(5000), "[".repeat(9000), format!("{{\"a\":{}", "[".repeat(9000)), "\"".repeat(9000)]
    {
        assert!(f.parse(text.as_bytes()).is_err());
    }
}

proptest::proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(proptest::sample::select(b"{}[]\",:\\ a1".to_vec()), 0..200)) {
        let _ = walk(&bytes, |_, _, _| Ok(()));
    }
}

proptest::proptest! {
    /// A line is read the same whether its keys are expected or searched for.
    #[test]
    fn expected_keys_are_read_as_any_others(
        values in proptest::collection::vec(("[a-z0-9.,:{}\\[\\]\"\\\\ -]{0,10}", proptest::bool::ANY), 5),
        plain in proptest::collection::vec("[0-9]{3}|0\\.[0-9]{3}|-|", 5),
        odd in 0usize..6,
        blanks in (proptest::bool::ANY, proptest::bool::ANY),
        cut in 0usize..300,
    ) {
        let names = ["status", "request_time", "request_uri", "http_user_agent", "other"];
        let variables = ["$status", "$request_time", "$request_uri", "$http_user_agent", "$msec_of_x"];
        let (colon, comma) = (if blanks.0 { ": " } else { ":" }, if blanks.1 { ", " } else { "," });
        let mut text = String::from(r#"{"time":"$time_iso8601""#);
        let mut line = format!(r#"{{"time"{colon}"2026-03-01T09:00:00+00:00""#);
        for (i, name) in names.iter().enumerate() {
            text += &[",\"", name, "\":\"", variables[i], "\""].concat();
            // One odd value at most, so that many lines go the short way.
            let value = if i == odd { &values[i].0 } else { &plain[i] };
            let quote = if values[i].1 { "\"" } else { "" };
            line += &[comma, "\"", name, "\"", colon, quote, value, quote].concat();
        }
        (text, line) = (text + "}", line + "}");
        let format = AccessFormat::from_directive("j", &text, None).unwrap();
        let keys = format.json_keys().unwrap();
        let searched = JsonKeys { order: Order::default(), ..keys.clone() };
        let line = &line.as_bytes()[..line.len() - cut.min(line.len()) / 50];
        let read = |keys: &JsonKeys| {
            let mut record = AccessRecord::default();
            keys.read(line, false, &mut record).map(|()| record)
        };
        let whole = read(keys);
        proptest::prop_assert_eq!(&whole, &read(&searched), "{}", String::from_utf8_lossy(line));
        // What is read in brief is read the same.
        let without = |r| AccessRecord { user_agent: None, ..r };
        let brief = format.parse_in_brief(line).map(without);
        proptest::prop_assert_eq!(brief, whole.map(without), "{}", String::from_utf8_lossy(line));
    }
}

#[test]
fn a_line_of_the_expected_keys_is_read_in_brief() {
    let text = r#"{"time":"$time_iso8601","a":"$remote_addr","status":$status,"a_key_longer_than_four_words_and_so_on":"$request_time","u":"$uri","ua":"$http_user_agent"}"#;
    let f = AccessFormat::from_directive("j", text, Some(Escape::Json)).unwrap();
    let line = br#"{"time":"2026-03-01T09:00:00+00:00","a":"192.0.2.1","status":502,"a_key_longer_than_four_words_and_so_on":"0.300","u":"/a","ua":"curl/8"}"#;
    let brief = f.parse_in_brief(line).unwrap();
    let whole = f.parse(line).unwrap();
    assert_eq!(whole.user_agent, Some(&b"curl/8"[..]));
    assert_eq!((brief.request_time, brief.client), (Some(300), Some(&b"192.0.2.1"[..])));
    assert_eq!(brief, AccessRecord { user_agent: None, ..whole });
}
