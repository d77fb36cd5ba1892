//! Text formats against odd lines.

use super::*;

fn combined() -> AccessFormat {
    AccessFormat::by_name("combined").unwrap()
}

fn text(b: Option<&[u8]>) -> Option<&str> {
    b.map(|b| std::str::from_utf8(b).unwrap())
}

#[test]
fn odd_requests_clients_and_users() {
    let f = combined();
    for (client, user, request, status, method, uri) in [
        ("203.0.113.7", "-", "GET /app/?q=1 HTTP/1.1", "502", Some("GET"), Some("/app/?q=1")),
        ("2001:db8::7", "alice [x] b", r"\x16\x03\x01\x02", "400", None, None),
        ("unix:", "a [01/Mar/2026", "", "000", None, None),
        ("203.0.113.7", "-", "-", "408", None, None),
        ("203.0.113.7", "", "GET /", "009", Some("GET"), Some("/")),
    ] {
        let line =
            format!(r#"{client} - {user} [01/Mar/2026:10:00:00 +0100] "{request}" {status} 157 "-" "x y""#);
        let r = f.parse(line.as_bytes()).unwrap_or_else(|e| panic!("{line}: {e}"));
        assert_eq!((text(r.client), text(r.method), text(r.uri)), (Some(client), method, uri), "{line}");
        assert_eq!(r.status, status.parse().ok());
        assert_eq!((r.bytes_sent, text(r.referer), text(r.user_agent)), (Some(157), None, Some("x y")));
        assert_eq!(r.time.unwrap().second(), 1_772_355_600);
    }
}

#[test]
fn a_bare_request_before_free_text_ends_with_its_protocol() {
    let f = AccessFormat::from_directive("", "$time_iso8601 $remote_addr $request $app took $status", None)
        .unwrap();
    for (request, method, uri) in [
        ("GET /a/b?q=1 HTTP/1.1", Some("GET"), Some("/a/b?q=1")),
        ("POST /a b c HTTP/2.0", Some("POST"), Some("/a b c")),
        ("-", None, None),
    ] {
        let line = format!("2026-03-01T10:00:00+00:00 203.0.113.7 {request} shop took 502");
        let r = f.parse(line.as_bytes()).unwrap_or_else(|e| panic!("{line}: {e}"));
        assert_eq!((text(r.method), text(r.uri), r.status), (method, uri, Some(502)), "{line}");
    }
}

#[test]
fn a_mismatch_names_the_place() {
    let f = combined();
    for (line, byte, wanted) in [
        (r#"1.2.3.4 - - [99/Mar/2026:10:00:00 +0100] "GET / HTTP/1.1" 200 1 "-" "-""#, 13, "time_local"),
        (r#"1.2.3.4 - - [01/Mar/2026:10:00:00 +0100] "GET / HTTP/1.1" 20 1 "-" "-""#, 58, "status"),
        (r#"1.2.3.4 - - [01/Mar/2026:10:00:00 +0100] "GET / HTTP/1.1" 200 x "-" "-""#, 62, "body_bytes_sent"),
    ] {
        let e = f.parse(line.as_bytes()).unwrap_err();
        assert_eq!((e.byte, e.wanted), (byte, wanted), "{line}");
    }
}

#[test]
fn raw_quotes_are_read_where_the_format_says_so() {
    let f = combined().unescaped().unwrap();
    let line =
        br#"1.2.3.4 - a "b" [01/Mar/2026:10:00:00 +0100] "GET /"x" 200 y HTTP/1.1" 502 1 "-" "a "b" c""#;
    let r = f.parse(line).unwrap();
    assert_eq!(
        (r.status, text(r.uri), text(r.user_agent)),
        (Some(502), Some(r#"/"x" 200 y"#), Some(r#"a "b" c"#))
    );
    assert!(combined().parse(line).is_err());
}

#[test]
fn values_side_by_side() {
    let f = AccessFormat::from_directive("x", "$status$msec $scheme://$host$request_uri$is_args$args", None)
        .unwrap();
    let r = f.parse(b"5021772355600.250 https://a.example/x?y").unwrap();
    assert_eq!((r.status, text(r.vhost), text(r.uri)), (Some(502), Some("a.example"), Some("/x?y")));
    let e = AccessFormat::from_directive("x", "$status $body_bytes_sent$connection", None).unwrap_err();
    assert!(e.to_string().contains("side by side"), "{e}");
}

#[test]
fn unknown_variables_are_read_over() {
    let f = AccessFormat::from_directive(
        "x",
        "$geo_city|$time_iso8601|$my_thing|$status|$upstream_addr|$x",
        None,
    )
    .unwrap();
    let r = f.parse(b"New York|2026-03-01T09:00:00Z||502|10.0.0.5:80, 10.0.0.6:80|end of it").unwrap();
    assert_eq!((r.status, text(r.upstream_addr)), (Some(502), Some("10.0.0.5:80, 10.0.0.6:80")));
    assert_eq!(f.fields(), [Field::TimeIso8601, Field::Status, Field::UpstreamAddr]);
    assert!(f.is_usable());
}

#[test]
fn in_brief_every_format_tells_the_same_of_a_request() {
    let without = |r: AccessRecord<'static>| AccessRecord {
        bytes_sent: None,
        user_agent: None,
        referer: None,
        connection: None,
        request_id: None,
        upstream_status: None,
        upstream_connect_time: None,
        upstream_header_time: None,
        upstream_name: None,
        ..r
    };
    let samples = concat!(env!("CARGO_MANIFEST_DIR"), "/samples/formats");
    let mut read = 0;
    for format in builtin::all() {
        let text = std::fs::read(format!("{samples}/{}.log", format.name())).unwrap_or_default().leak();
        for line in text.split(|b| *b == b'\n').filter(|l| !l.is_empty()) {
            let (brief, whole) = (format.parse_in_brief(line), format.parse(line));
            assert_eq!(brief.map(without), whole.map(without), "{}", String::from_utf8_lossy(line));
            read += usize::from(whole.is_ok());
        }
    }
    assert!(read > 100, "{read}");
}

/// The square of half a megabyte would take this test hours.
#[test]
fn long_hostile_lines_end() {
    let f = combined();
    for unit in [" [", "\" ", "[01/Mar/2026:10:00:00 +0100] \"", "0, ", " - "] {
        let line = format!("1.2.3.4 - {}", unit.repeat(100_000));
        let _ = f.parse(line.as_bytes());
        let _ = f.unescaped().unwrap().parse(line.as_bytes());
        for g in builtin::all() {
            let _ = g.parse(line.as_bytes());
        }
    }
}

proptest::proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..120), cut in 0usize..100) {
        let line = br#"1.2.3.4 - - [01/Mar/2026:10:00:00 +0100] "GET / HTTP/1.1" 200 1 "-" "-" 0.001 0.001, - ."#;
        let mixed = [&line[..cut.min(line.len())], &bytes[..]].concat();
        for f in builtin::all() {
            let _ = f.parse(&mixed);
        }
        let _ = crate::format::learn(&[&mixed, &bytes], &[]);
    }
}

#[test]
fn where_no_time_of_requests_is_logged_that_of_upstreams_stands_for_it() {
    let f = AccessFormat::from_directive("x", "$msec $status $upstream_addr|$upstream_response_time", None)
        .unwrap();
    let took = |line: &str| f.parse(line.as_bytes()).unwrap().request_time;
    assert!(f.tells_wait());
    assert_eq!(took("1772355600.250 200 10.0.0.1:80|0.120"), Some(120));
    assert_eq!(
        took("1772355600.250 504 10.0.0.1:80, 10.0.0.2:80 : 10.0.0.3:80|3.001, 3.002 : 0.007"),
        Some(6010)
    );
    assert_eq!(took("1772355600.250 200 -|-"), None);
    assert_eq!(took("1772355600.250 502 10.0.0.1:80, app|0.000, -"), Some(0));
    let both = AccessFormat::from_directive("x", "$msec $status $request_time $upstream_response_time", None)
        .unwrap();
    let record = both.parse(b"1772355600.250 200 0.700 0.120").unwrap();
    assert_eq!((record.request_time, both.waits_at_upstream()), (Some(700), false));
}
