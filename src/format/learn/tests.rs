//! The formats of the field, recognised without a flag, from a handful of lines and from one.

use super::*;
use crate::format::directive::Piece;

/// One expectation about the first line: time is 2026-03-01T10:00:00Z everywhere.
#[derive(Default)]
struct Want {
    status: Option<u16>,
    client: &'static str,
    vhost: &'static str,
    upstream: &'static str,
    upstream_status: &'static str,
    request_time: Option<u32>,
    uri: &'static str,
}

fn text(b: Option<&[u8]>) -> &str {
    b.map_or("", |b| std::str::from_utf8(b).unwrap())
}

fn check(name: &str, lines: &[&str], want: &Want) {
    let bytes: Vec<&[u8]> = lines.iter().map(|l| l.as_bytes()).collect();
    for take in [bytes.len(), 1] {
        let learned = learn(&bytes[..take], &[]);
        assert_eq!(learned.kind, LogKind::Access, "{name} of {take}: {}", learned.reason);
        for line in &bytes[..take] {
            let read = learned.formats.iter().any(|f| f.parse(line).is_ok());
            assert!(read, "{name} of {take}: {} | {}", learned.reason, text(Some(line)));
        }
        let r = learned.formats.iter().find_map(|f| f.parse(bytes[0]).ok()).unwrap();
        let definitions: Vec<String> = learned.formats.iter().map(AccessFormat::definition).collect();
        let why = format!("{name} of {take}: {definitions:?}");
        assert_eq!(r.time.unwrap().second(), 1_772_359_200, "{why}");
        assert_eq!(r.status, want.status, "{why}");
        assert_eq!(text(r.client), want.client, "{why}");
        assert_eq!(text(r.vhost), want.vhost, "{why}");
        assert_eq!(text(r.upstream_addr), want.upstream, "{why}");
        assert_eq!(text(r.upstream_status), want.upstream_status, "{why}");
        assert_eq!(r.request_time, want.request_time, "{why}");
        assert_eq!(text(r.uri), want.uri, "{why}");
        assert!(learned.confidence > 0.8, "{why} {}", learned.confidence);
        for format in &learned.formats {
            let again = AccessFormat::from_directive("", &format.definition(), None).unwrap();
            assert_eq!(
                again.parse(bytes[0]).ok().map(|r| r.status),
                format.parse(bytes[0]).ok().map(|r| r.status),
                "{why}"
            );
        }
    }
}

const T: &str = "[01/Mar/2026:10:00:00 +0000]";

fn base() -> Want {
    Want { status: Some(502), client: "203.0.113.7", uri: "/app", ..Want::default() }
}

/// Lines that start as combined, with these tails.
fn combined(name: &str, tails: &[&str], want: &Want) {
    let requests = [
        ("203.0.113.7 - -", "GET /app HTTP/1.1", "502 157", "-", "curl/8.5.0"),
        (
            "2001:db8::7 - alice",
            "POST /login HTTP/2.0",
            "200 0",
            "https://example.com/",
            "Mozilla/5.0 (X11; Linux x86_64)",
        ),
        ("203.0.113.9 - -", r"\x16\x03\x01\x02", "400 157", "-", "-"),
        ("unix: - -", "", "000 0", "-", r"a\x22b"),
    ];
    let lines: Vec<String> = (0..16)
        .map(|i| {
            let (who, request, status, referer, agent) = requests[i % 4];
            format!(r#"{who} {T} "{request}" {status} "{referer}" "{agent}"{}"#, tails[i % tails.len()])
        })
        .collect();
    check(name, &lines.iter().map(String::as_str).collect::<Vec<_>>(), want);
}

#[test]
fn combined_and_its_tails() {
    combined("1 combined", &[""], &base());
    combined("2 main", &[r#" "203.0.113.7, 198.51.100.2""#, r#" "-""#], &base());
    let timed = |upstream: &'static str, us: &'static str, ms| Want {
        request_time: Some(ms),
        upstream,
        upstream_status: us,
        ..base()
    };
    combined("4 timed", &[" 3.004 3.004, 0.000 .", " 0.000 - p"], &timed("", "", 3004));
    combined("4 plus", &[" 3.004 3.001", " 0.000 -"], &timed("", "", 3004));
    combined("4 reversed", &[" 3.001 3.004", " - 0.000"], &timed("", "", 3004));
    combined("4 quoted", &[r#" "3.004""#], &timed("", "", 3004));
    combined("4 rt", &[" rt=3.004"], &timed("", "", 3004));
    combined("4 xff time", &[r#" "-" 3.004"#, r#" "192.0.2.1" 0.001"#], &timed("", "", 3004));
    combined(
        "5 upstreaminfo",
        &[
            " 431 0.002 [shop-api-8080] [] 10.42.0.5:8080, 10.42.0.6:8080 0, 0 0.000, 0.001 502, 502 0f3c9a1be2d44c6fa1d2c3b4a5968778",
            " 431 0.000 [shop-api-8080] [] - - - - 1f3c9a1be2d44c6fa1d2c3b4a5968779",
        ],
        &timed("10.42.0.5:8080, 10.42.0.6:8080", "502, 502", 2),
    );
    let amplify = r#" "-" "example.com" sn="example.com" rt=0.001 ua="10.0.0.5:8080, 10.0.0.6:8080" us="502, 502" ut="0.000, 0.001" ul="0, 0" cs=-"#;
    let nothing = r#" "-" "example.com" sn="example.com" rt=0.000 ua="-" us="-" ut="-" ul="-" cs=HIT"#;
    let want = Want { vhost: "example.com", ..timed("10.0.0.5:8080, 10.0.0.6:8080", "502, 502", 1) };
    combined("11 amplify", &[amplify, nothing], &want);
    combined("12 upstream_time", &[r#"rt=60.003 uct="0.001" uht="-" urt="60.003""#], &timed("", "", 60_003));
    combined("13 kong", &[r#" kong_request_id: "a1b2c3d4e5f60718293a4b5c6d7e8f90""#], &base());
    combined("15 gitlab", &[" -", " 2.31"], &base());
    let want = Want { vhost: "example.com", ..timed("", "", 1) };
    combined("16 serverpilot", &[r#" "-" 340 0.001 "0" "0.001" "example.com""#], &want);
    combined("18 datadog", &[r#" "-" "6931470000000000001" "314159265358979323""#], &base());
}

#[test]
fn tails_of_no_known_name_are_named_by_shape() {
    let want =
        |ms| Want { request_time: Some(ms), upstream: "10.0.0.5:80", upstream_status: "502", ..base() };
    combined(
        "labels",
        &[
            r#" "-" rt=0.084 ua="10.0.0.5:80" us="502" ut="0.084" ct="0.000" cs=-"#,
            r#" "-" rt=0.0 ua="-" us="-" ut="-" ct="-" cs=HIT"#,
        ],
        &want(84),
    );
    combined(
        "plain",
        &[
            " 10.0.0.5:80 502 0.040 0.041 HIT",
            " - - - 0.000 -",
            " 10.0.0.5:80, 10.0.0.6:80 502, 200 0.040, 0.001 0.050 MISS",
        ],
        &want(41),
    );
    combined(
        "bars",
        &[
            " | 0.041 | 10.0.0.5:80 | 502 | 0.040",
            " | 0.041 | 10.0.0.5:80 : 10.0.0.6:80 | 502 : 200 | 0.040 : 0.001",
        ],
        &want(41),
    );
}

fn lines(name: &str, text: &str, want: &Want) {
    let lines: Vec<&str> =
        text.lines().map(|l| l.trim_start_matches("    ")).filter(|l| !l.is_empty()).collect();
    check(name, &lines, want);
}

#[test]
fn other_layouts() {
    let at = |request_time, upstream, vhost| Want { vhost, upstream, request_time, ..base() };
    lines("3 clf", r#"203.0.113.7 - - [01/Mar/2026:10:00:00 +0000] "GET /app HTTP/1.0" 502 612"#, &base());
    lines(
        "4 host user",
        r#"203.0.113.7 example.com - [01/Mar/2026:10:00:00 +0000]  "GET /app HTTP/1.0" 502 612 "-" "curl/8""#,
        &at(None, "", "example.com"),
    );
    lines(
        "4 iso",
        r#"203.0.113.7 - - [2026-03-01T10:00:00+00:00] "GET /app HTTP/1.0" 502 612 "-" "curl/8""#,
        &base(),
    );
    lines(
        "6 ingress stream",
        "[203.0.113.7] [01/Mar/2026:10:00:00 +0000] TCP 502 0 0 60.003
    [203.0.113.8] [01/Mar/2026:10:00:01 +0000] UDP 200 12 30 1.003",
        &Want { uri: "", ..at(Some(60_003), "", "") },
    );
    lines(
        "7 vhost",
        r#"shop.example.com 203.0.113.7 - - [01/Mar/2026:10:00:00 +0000] "GET /app HTTP/2.0" 502 592 "-" "Mozilla/5.0" "-""#,
        &at(None, "", "shop.example.com"),
    );
    lines(
        "7 port",
        r#"shop.example.com:80 203.0.113.7 - - [01/Mar/2026:10:00:00 +0000] "GET /app HTTP/2.0" 502 592 "-" "Mozilla/5.0""#,
        &at(None, "", "shop.example.com"),
    );
    lines(
        "8 npm",
        r#"[01/Mar/2026:10:00:00 +0000] - 502 502 - GET https shop.example.com "/app" [Client 203.0.113.7] [Length 154] [Gzip -] [Sent-to 192.0.2.10] "Mozilla/5.0" "-"
    [01/Mar/2026:10:00:00 +0000] MISS 200 200 - GET https shop.example.com "/app" [Client 203.0.113.7] [Length 154] [Gzip 2.10] [Sent-to 192.0.2.10] "Mozilla/5.0" "-""#,
        &Want { upstream_status: "502", ..at(None, "", "shop.example.com") },
    );
    lines(
        "8 npm standard",
        r#"[01/Mar/2026:10:00:00 +0000] 502 - GET https shop.example.com "/app" [Client 203.0.113.7] [Length 154] [Gzip -] "Mozilla/5.0" "-""#,
        &at(None, "", "shop.example.com"),
    );
    lines(
        "9 npmplus",
        r#"[01/Mar/2026:10:00:00 +0000] shop.example.com 203.0.113.7 0.012 "GET /app HTTP/2.0" 502 154 420 - Mozilla/5.0"#,
        &at(Some(12), "", "shop.example.com"),
    );
    lines(
        "10 healthd",
        r#"1772359200.123"/app"502"60.001"60.001"203.0.113.7"#,
        &Want { client: "", ..at(Some(60_001), "", "") },
    );
    lines(
        "14 apisix",
        r#"203.0.113.7 - - [01/Mar/2026:10:00:00 +0000] api.example.com "GET /app HTTP/1.1" 502 154 0.002 "-" "curl/8.5.0" 10.0.0.5:8080 502 0.001 "http://api.example.com/app""#,
        &Want { upstream_status: "502", ..at(Some(2), "10.0.0.5:8080", "api.example.com") },
    );
    lines(
        "17 netdata",
        r#"example.com 443 203.0.113.7 - - [01/Mar/2026:10:00:00 +0000] "GET /app HTTP/2.0" 502 167 420 60.001 60.001 "-" "curl/8.5.0""#,
        &at(Some(60_001), "", "example.com"),
    );
    lines(
        "18 dogstream",
        r#"01/Mar/2026:10:00:00 +0000 "GET /app HTTP/1.1" S=502 320 T=0.001 R=-"#,
        &Want { client: "", ..at(Some(1), "", "") },
    );
    lines(
        "19 ltsv",
        "time:01/Mar/2026:10:00:00 +0000\thost:203.0.113.7\tforwardedfor:-\treq:GET /app HTTP/1.1\tstatus:502\tmethod:GET\turi:/app\tsize:157\treferer:-\tua:curl/8.5.0\treqtime:0.001\tcache:-\truntime:-\tapptime:0.001\tvhost:example.com",
        &at(Some(1), "", "example.com"),
    );
    lines(
        "20 labelled",
        r#"remote_addr="203.0.113.7", [time_local=01/Mar/2026:10:00:00 +0000], request="GET /app HTTP/1.1", status="502", upstream_addr="10.0.0.5:8080""#,
        &at(None, "10.0.0.5:8080", ""),
    );
    lines(
        "21 puppet",
        "[01/Mar/2026:10:00:00 +0000] 203.0.113.7 - example.com  to: 10.0.0.5:8080: GET /app HTTP/1.1 - upstream_response_time 0.001 msec 1772359200.123 request_time 0.001 sec",
        &Want { status: None, ..at(Some(1), "10.0.0.5:8080", "example.com") },
    );
    lines(
        "21 with the status at the end",
        "[01/Mar/2026:10:00:00 +0000] 203.0.113.7 - - - example.com to: 10.0.0.5:8080: GET /app HTTP/1.1 upstream_response_time 0.001 msec 1772359200.123 request_time 0.001 status 502",
        &at(Some(1), "10.0.0.5:8080", "example.com"),
    );
    lines("23 minimal", r#"2026-03-01 10:00:00 203.0.113.7 502 "GET /app HTTP/1.1""#, &base());
    lines(
        "24 stream",
        r#"203.0.113.7 [01/Mar/2026:10:00:00 +0000] TCP 502 0 0 0.000 "10.0.0.5:5432" "0" "0" "-""#,
        &Want { uri: "", ..at(Some(0), "10.0.0.5:5432", "") },
    );
}

#[test]
fn times_with_their_unit() {
    let timed = Want { request_time: Some(1), ..base() };
    for line in [
        r#"203.0.113.7 -> 502 [01/Mar/2026:10:00:00 +0000] "GET /app HTTP/1.1" in 0.001s"#,
        r#"203.0.113.7 - - [01/Mar/2026:10:00:00 +0000] "GET /app HTTP/1.1" 502 157 "-" "curl/8.5.0" 0.001s -s"#,
        r#"[01/Mar/2026:10:00:00 +0000] 203.0.113.7 "GET /app HTTP/1.1" 502 request_time=0.001sec"#,
        r#"{"time":"2026-03-01T10:00:00+00:00","ip":"203.0.113.7","request":"GET /app HTTP/1.1","status":502,"duration":"0.001s","upstream":"0.001s"}"#,
        r#"time=2026-03-01T10:00:00Z ip=203.0.113.7 request="GET /app HTTP/1.1" status=502 duration=0.001s upstream=0.001s"#,
    ] {
        lines(line, line, &timed);
    }
}

/// Of many lines each, as they are in repositories that anybody can read: the shapes of a single line would not do.
#[test]
fn layouts_of_public_configurations() {
    let timed = |ms| Want { request_time: Some(ms), ..base() };
    let host = |want: Want| Want { vhost: "example.com", ..want };
    let peer = |want: Want| Want { upstream: "10.0.0.5:8080", ..want };
    let cases: &[(&str, Want)] = &[
        (r#"IP,2026-03-01T10:00:00+00:00,GET,"/app",502,0.0NN,-,"curl/8.5.0""#, timed(1)),
        (
            r#"example.com,443,IP,-,-,[01/Mar/2026:10:00:00 +0000],375,NN10,10.0.0.5:8080,157,0.0NN,0.000,502,"HTTP/1.1","GET","/app","-""#,
            host(peer(timed(1))),
        ),
        (
            r#"IP - - [01/Mar/2026:10:00:00 +0000] "GET /app HTTP/1.1" 502 157 "-" "curl/8.5.0" "3.NN""#,
            base(),
        ),
        (
            r#"IP - 10.0.0.5:8080 [01/Mar/2026:10:00:00 +0000] "GET /app HTTP/1.1" 502 157 "curl/8.5.0""#,
            peer(base()),
        ),
        (
            r#"2026-03-01T10:00:00+00:00 IP "GET https://example.com/app" 502 157 80 . 0.0NN -"#,
            Want { uri: "https://example.com/app", ..timed(1) },
        ),
        (
            r#"example.com example.com 443 IP HIT - [01/Mar/2026:10:00:00 +0000] " GET /app HTTP/1.1 " 502 157 "-" "curl/8.5.0" "-""#,
            host(base()),
        ),
        (
            r#"example.com IP - - [01/Mar/2026:10:00:00 +0000] "GET /app HTTP/1.1" 502 157 "-" "curl/8.5.0" "IP, 10.1.2.3""#,
            host(base()),
        ),
        (r#"IP - [01/Mar/2026:10:00:00 +0000] "GET /app HTTP/1.1" 502 MISS -"#, base()),
        (
            "[01/Mar/2026:10:00:00 +0000] IP:40NN -> example.com | 10.0.0.5:8080 | 0.0NN s | 502",
            Want { uri: "", ..host(peer(timed(1))) },
        ),
        (
            r#"{"time":"2026-03-01T10:00:00+00:00","level":"INFO","message":"access request","method":"GET","uri":"/app","status":"502","request_time":"0.0NN","upstream_status":"502"}"#,
            Want { client: "", upstream_status: "502", ..timed(1) },
        ),
    ];
    for (line, want) in cases {
        let lines: Vec<String> = (0..60)
            .map(|n| {
                line.replace("IP", &format!("203.0.113.{}", 7 + n)).replace("NN", &format!("{:02}", n + 1))
            })
            .collect();
        let lines: Vec<&[u8]> = lines.iter().map(String::as_bytes).collect();
        let learned = learn(&lines, &[]);
        let r = learned.formats.iter().find_map(|f| f.parse(lines[0]).ok());
        let r = r.unwrap_or_else(|| panic!("{line}: {}", learned.reason));
        let found =
            (r.status, text(r.client), text(r.vhost), text(r.upstream_addr), r.request_time, text(r.uri));
        let want = (want.status, want.client, want.vhost, want.upstream, want.request_time, want.uri);
        assert_eq!(found, want, "{line}: {:?}", learned.formats[0].definition());
    }
}

/// A service of sixty pods: each has an address, and all have one port.
#[test]
fn many_peers_on_one_port_are_no_clients() {
    let lines: Vec<String> = (0..60)
        .map(|n| {
            format!(r#"[01/Mar/2026:10:00:00 +0000] 10.0.0.{n}:8080 "GET /app HTTP/1.1" 502 0.0{:02}"#, n + 1)
        })
        .collect();
    let lines: Vec<&[u8]> = lines.iter().map(String::as_bytes).collect();
    let learned = learn(&lines, &[]);
    let r = learned.formats[0].parse(lines[7]).unwrap();
    assert_eq!((text(r.client), text(r.upstream_addr), r.status), ("", "10.0.0.7:8080", Some(502)));
}

#[test]
fn json_of_any_keys() {
    let at = |request_time, upstream, vhost| Want { vhost, upstream, request_time, ..base() };
    lines(
        "25",
        r#"{"time": "01/Mar/2026:10:00:00 +0000", "remote_ip": "203.0.113.7", "remote_user": "-", "request": "GET /app HTTP/1.1", "response": "502", "bytes": "157", "referrer": "-", "agent": "curl/8.5.0"}"#,
        &base(),
    );
    lines(
        "26",
        r#"{"msec": "1772359200.123", "connection": "4711", "connection_requests": "1", "pid": "29", "request_id": "0f3c", "remote_addr": "203.0.113.7", "time_local": "01/Mar/2026:10:00:00 +0000", "time_iso8601": "2026-03-01T10:00:00+00:00", "request": "GET /app HTTP/1.1", "status": "502", "request_time": "0.001", "upstream": "10.0.0.5:8080", "upstream_response_time": "0.001"}"#,
        &at(Some(1), "10.0.0.5:8080", ""),
    );
    lines(
        "27",
        r#"{"@timestamp":"2026-03-01T10:00:00+00:00","@version":"1","remote_addr":"203.0.113.7","request_time":"0.001","upstream_addr":"-","status":"502","uri":"/app","request_method":"GET","http_host":"a.example","http_user_agent":"a \x22b\x22"}"#,
        &at(Some(1), "", "a.example"),
    );
    lines(
        "28",
        r#"{"remote_addr":"203.0.113.7","time_local":"01/Mar/2026:10:00:00 +0000","request":"GET /app HTTP/1.1","status":"502","request_time":"0.001","upstream_addr":"10.0.0.5:8080","upstream_status":"502"}"#,
        &Want { upstream_status: "502", ..at(Some(1), "10.0.0.5:8080", "") },
    );
    lines(
        "29",
        r#"{"@timestamp":"2026-03-01T10:00:00+00:00","nginx":{"connection":4711},"http":{"status_code":502,"upstream_response_time":0.000, 0.001,"request_time":0.001}}
    {"@timestamp":"2026-03-01T10:00:00+00:00","nginx":{"connection":4712},"http":{"status_code":009,"upstream_response_time":,"request_time":0.001}}"#,
        &Want { client: "", uri: "", ..at(Some(1), "", "") },
    );
    lines(
        "camel, ms",
        r#"{"ts":1772359200.123,"clientIp":"203.0.113.7","httpMethod":"GET","requestPath":"/app","statusCode":502,"durationMs":12,"vHost":"a.example"}"#,
        &at(Some(12), "", "a.example"),
    );
    lines(
        "integers are ms",
        r#"{"t":"2026-03-01T10:00:00Z","ip":"203.0.113.7","path":"/app","method":"GET","status":502,"duration":120}
    {"t":"2026-03-01T10:00:01Z","ip":"203.0.113.7","path":"/app","method":"GET","status":200,"duration":0}"#,
        &at(Some(120), "", ""),
    );
}

#[test]
fn layouts_nobody_has_named() {
    let at = |request_time, upstream, vhost| Want { vhost, upstream, request_time, ..base() };
    lines("bars", "2026-03-01T10:00:00+00:00|203.0.113.7|a.example|GET /app HTTP/1.1|502|157|0.012|10.0.0.5:80|0.011
    2026-03-01T10:00:01+00:00|203.0.113.8|a.example|GET /x HTTP/1.1|200|157|0.012|10.0.0.5:80, 10.0.0.6:80|0.011, 0.001
    2026-03-01T10:00:01+00:00|203.0.113.8|a.example|GET /x HTTP/1.1|304|0|0.000|-|-", &at(Some(12), "10.0.0.5:80", "a.example"));
    lines(
        "tabs",
        "1772359200.123\t203.0.113.7\tGET\t/app\tHTTP/1.1\t502\t157\t0.012
    1772359200.124\t203.0.113.7\tPOST\t/x\tHTTP/1.1\t200\t17\t0.002",
        &at(Some(12), "", ""),
    );
    lines(
        "csv",
        "2026-03-01T10:00:00Z, 203.0.113.7, \"GET /app HTTP/1.1\", 502, 157, 0.012
    2026-03-01T10:00:00Z, 203.0.113.8, \"GET /y HTTP/1.1\", 200, 1570, 0.010",
        &at(Some(12), "", ""),
    );
    lines(
        "logfmt",
        r#"time=2026-03-01T10:00:00Z client=203.0.113.7 method=GET uri="/app" status=502 request_time=0.012
    time=2026-03-01T10:00:01Z client=203.0.113.7 method=GET uri="/a=b c" status=200 request_time=0.002"#,
        &at(Some(12), "", ""),
    );
    lines(
        "status first",
        r#"502 0.012 203.0.113.7 [01/Mar/2026:10:00:00 +0000] a.example "GET /app HTTP/1.1" "curl/8" 10.0.0.5:80
    200 0.001 203.0.113.7 [01/Mar/2026:10:00:00 +0000] a.example "GET /b HTTP/1.1" "curl/8" -"#,
        &at(Some(12), "10.0.0.5:80", "a.example"),
    );
}

#[test]
fn a_file_with_two_formats_errors_and_damage() {
    let one = r#"203.0.113.7 - - [01/Mar/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 6 "-" "curl/8""#;
    let two = format!(r#"{one} 0.001 10.0.0.5:80 200 "x""#);
    let error = "2026/03/01 10:00:00 [error] 7#7: *1 connect() failed (111: Connection refused)";
    let glued = format!("{}{one}", &one[..one.len() - 4]);
    let mut all: Vec<&[u8]> = vec![one.as_bytes(); 60];
    all.extend(std::iter::repeat_n(two.as_bytes(), 30));
    all.extend([
        error.as_bytes(),
        glued.as_bytes(),
        &one.as_bytes()[..40],
        b"",
        b"/docker-entrypoint.sh: ready",
    ]);
    let learned = learn(&all, &[]);
    assert_eq!(learned.kind, LogKind::Access);
    assert_eq!(learned.formats[0].name(), "combined");
    assert_eq!(learned.formats.len(), 2, "{}", learned.reason);
    assert!(learned.formats[1].parse(two.as_bytes()).unwrap().upstream_addr.is_some());
}

#[test]
fn what_is_given_comes_first() {
    let given = AccessFormat::from_directive("mine", &format!("{COMBINED} $a $b"), None).unwrap();
    let line =
        br#"203.0.113.7 - - [01/Mar/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 6 "-" "curl/8" 0.001 0.002"#;
    let learned = learn(&[line], &[given]);
    assert_eq!((learned.formats[0].name(), learned.confidence), ("mine", 1.0));
    assert!(matches!(learned.formats[0].pieces().unwrap().last(), Some(Piece::Var(_))));
}

#[test]
fn errors_nothing_and_nonsense() {
    let error: &[u8] = b"2026/03/01 10:00:00 [error] 7#7: *1 open() failed";
    assert_eq!(learn(&[error, b"stack traceback:", b"  x"], &[]).kind, LogKind::Error);
    let angie = br#"{"time":"2026-03-01T10:00:00.1Z","level":"error","pid":7,"tid":7,"message":"x"}"#;
    assert_eq!(learn(&[angie], &[]).kind, LogKind::Error);
    assert_eq!(learn(&[b"nginx: [emerg] bind() to 0.0.0.0:80 failed"], &[]).kind, LogKind::Error);
    assert_eq!(learn(&[b"", b"  "], &[]).kind, LogKind::Empty);
    assert_eq!(learn(&[], &[]).kind, LogKind::Empty);
    assert!(matches!(
        learn(&[b"2026-03-01 10:00:00 started", b"2026-03-01 10:00:01 did 200 things"], &[]).kind,
        LogKind::Unknown(_)
    ));
    assert!(matches!(
        learn(&[br#"{"time":"2026-03-01T10:00:00Z","status":"ok","x":1}"#], &[]).kind,
        LogKind::Unknown(_)
    ));
}

/// Found by fuzzing: a guess whose text, written down, was read by labels and lost its status.
#[test]
fn a_learned_definition_reads_as_it_was_learned() {
    let json: &[u8] = b"{\"time\":\"01/Mar/2026:10:00:00 +0000\",\"status\":9,\"urt\xff\xd3\":0.000, 0.001}";
    let labels: &[u8] = br#"remoe=datrd_"204.0.113.7", [time_local=01/Mar/2026:10:00:00 +0000], request="GET / HTT"e_local=01/Mar/2026:10:00:00 +0000], request="GET / HTTP/1.1", status="50200:00 +0000], request="GET / HTTP/1.1", status="502""#;
    // And blanks before the first label, which reading the definition again drops.
    let tabs = b"       status:502\treq:GET / HTTP/1.1\treqtime:0.001\ttime:01/Mar/2026:10:00:00 +0000\thost:203.0.113.7";
    for line in [json, labels, tabs] {
        for format in learn(&[line], &[]).formats {
            let again = AccessFormat::from_directive("", &format.definition(), None).unwrap();
            assert_eq!(again.parse(line), format.parse(line));
        }
    }
}

/// Found by fuzzing: a time beyond all measure overflowed the check of its upstream's.
#[test]
fn times_beyond_measure_are_compared() {
    let line = br#"{"time":"01/Mar/2026:10:00:00 +0000","status":"200","request_time":99999999999.000,"upstream_response_time":0.001}"#;
    assert_eq!(learn(&[line], &[]).kind, LogKind::Access);
    let line = br#"203.0.113.7 - - [01/Mar/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "curl/8.5.0" 99999999999.000 0.001"#;
    assert_eq!(learn(&[line], &[]).kind, LogKind::Access);
}

proptest::proptest! {
    /// What is told from another log of the set is what learning says, whatever the two hold.
    #[test]
    fn beside_a_model_as_learnt(
        kinds in proptest::collection::vec((0usize..9, 0usize..9), 1..30),
        model in 0usize..9,
        given in 0usize..4,
    ) {
        let line = |kind: usize, i: usize| match kind {
            0 | 1 => format!("203.0.113.{i} - - {T} \"GET /a{i} HTTP/1.1\" 200 {i} \"-\" \"curl/8\""),
            2 => format!("203.0.113.{i} - - {T} \"GET /a{i} HTTP/1.1\" 200 {i}"),
            3 => format!("203.0.113.{i} - - {T} \"GET /a{i} HTTP/1.1\" 200 {i} \"-\" \"curl/8\" \"-\""),
            4 => format!("203.0.113.{i} - - {T} \"GET /a{i} HTTP/1.1\" 200 - \"-\" \"curl/8\""),
            5 => format!("2026/03/01 10:00:0{} [error] 7#7: *{i} x", i % 10),
            6 => format!("{{\"time_local\":\"01/Mar/2026:10:00:00 +0000\",\"status\":200,\"request\":\"GET /{i} HTTP/1.1\"}}"),
            7 => format!("a.example 203.0.113.{i} - - {T} \"GET /a{i} HTTP/1.1\" 200 {i} \"-\" \"curl/8\""),
            _ => "no line of a log".to_owned(),
        };
        let known: Vec<AccessFormat> = match given {
            0 => AccessFormat::by_name("combined").into_iter().collect(),
            1 => AccessFormat::by_name("main").into_iter().collect(),
            _ => Vec::new(),
        };
        let model: Vec<String> = (0..40).map(|i| line(model, i)).collect();
        let model: Vec<&[u8]> = model.iter().map(String::as_bytes).collect();
        let model = learn(&model, &known);
        // Mostly lines of one kind.
        let main = kinds[0].0;
        let lines: Vec<String> =
            kinds.iter().enumerate().map(|(i, k)| line(if k.1 < 8 { main } else { k.0 }, i)).collect();
        let lines: Vec<&[u8]> = lines.iter().map(String::as_bytes).collect();
        if let Some(told) = learn_beside(&lines, &known, &model) {
            let learnt = learn(&lines, &known);
            let says = |l: &Learned| {
                let formats: Vec<String> = l.formats.iter().map(AccessFormat::definition).collect();
                (l.kind.clone(), formats, l.confidence.to_bits(), l.reason.clone())
            };
            proptest::prop_assert_eq!(says(&told), says(&learnt));
        }
    }
}

#[test]
fn a_model_saves_the_learning() {
    let line = |i: usize| format!("203.0.113.{i} - - {T} \"GET /a{i} HTTP/1.1\" 200 {i} \"-\" \"curl/8\"");
    let lines: Vec<String> = (0..40).map(line).collect();
    let lines: Vec<&[u8]> = lines.iter().map(String::as_bytes).collect();
    let model = learn(&lines, &[]);
    assert!(learn_beside(&lines[..3], &[], &model).is_some());
}

#[test]
fn a_url_is_read_as_scheme_host_and_path() {
    let line = |n: usize| {
        format!(
            "1772355600.{n:03} 203.0.113.{n} GET https://shop.example.com/item/{n}?x=1 502 154 0.01{}",
            n % 10
        )
    };
    let lines: Vec<String> = (10..60).map(line).collect();
    let lines: Vec<&[u8]> = lines.iter().map(String::as_bytes).collect();
    let learned = learn(&lines, &[]);
    let format = &learned.formats[0];
    let record = format.parse(lines[0]).unwrap();
    assert_eq!((text(record.vhost), text(record.uri)), ("shop.example.com", "/item/10?x=1"));
    assert!(format.definition().contains("$scheme://$host$request_uri"), "{}", format.definition());
}

#[test]
fn a_known_format_whose_values_are_odd_yields_to_a_guess() {
    let line = |n: usize| {
        let (peer, status, took) =
            if n.is_multiple_of(9) { ("-", "-", "-") } else { ("10.0.0.5:8080", "200", "0.120") };
        format!(
            r#"203.0.113.{n} - - [01/Mar/2026:10:00:{:02} +0000] "GET /item/{n} HTTP/1.1" 200 15{n} "-" "curl/8.5.0" "{peer}" "{status}" "{took}""#,
            n % 60
        )
    };
    let lines: Vec<String> = (1..120).map(line).collect();
    let lines: Vec<&[u8]> = lines.iter().map(String::as_bytes).collect();
    let record = learn(&lines, &[]).formats[0].parse(lines[0]).unwrap();
    assert_eq!((text(record.upstream_addr), record.request_time), ("10.0.0.5:8080", Some(120)));
}
