//! Strangers are refused by name, and nginx' own lines are not.

use crate::format::{LogKind, learn};

fn name(text: &str) -> String {
    let lines: Vec<&[u8]> = text.lines().map(|l| l.trim_start().as_bytes()).collect();
    match learn(&lines, &[]).kind {
        LogKind::Foreign(f) => f.name.to_owned(),
        other => format!("{other:?}"),
    }
}

#[test]
fn strangers_by_name() {
    for (want, text) in [
        (
            "Apache",
            r#"203.0.113.7 - - [01/Mar/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 612 "-" "a \"b\" c""#,
        ),
        ("Apache", r#"203.0.113.7 - - [01/Mar/2026:10:00:00 +0000] "GET / HTTP/1.1" 304 - "-" "x""#),
        ("Apache", r#"203.0.113.7 - - [01/Mar/2026:10:00:00 +0000] "GET / HTTP/1.1" 304 -"#),
        (
            "Apache",
            r#"a.example:80 203.0.113.7 - - [01/Mar/2026:10:00:00 +0000] "GET /\xc3\xa4 HTTP/1.1" 404 12 "-" "x""#,
        ),
        (
            "Apache error",
            "[Sun Mar 01 10:00:00.123456 2026] [core:error] [pid 1:tid 2] [client 203.0.113.7:1] AH00126: x",
        ),
        (
            "Traefik",
            r#"203.0.113.7 - - [01/Mar/2026:10:00:00 +0000] "GET / HTTP/1.1" 502 11 "-" "x" 42 "web@docker" "http://10.0.0.5:80" 3ms"#,
        ),
        (
            "Caddy",
            r#"{"level":"info","ts":1772359200.1,"logger":"http.log.access","msg":"handled request","request":{"method":"GET","uri":"/"},"duration":0.1,"status":200}"#,
        ),
        (
            "HAProxy",
            "203.0.113.7:1234 [01/Mar/2026:10:00:00.123] web app/s1 0/0/1/2/3 200 157 - - ---- 1/1/0/0/0 0/0 \"GET / HTTP/1.1\"",
        ),
        (
            "AWS",
            "https 2026-03-01T10:00:00.123456Z app/NAME/ID 203.0.113.7:1 10.0.0.5:80 0.001 0.002 0.000 502 502 1 2 \"GET https://a.example:443/ HTTP/1.1\" \"x\"",
        ),
        (
            "Envoy",
            r#"[2026-03-01T10:00:00.123Z] "GET / HTTP/1.1" 503 UF 0 91 2 - "-" "x" "id" "a.example" "10.0.0.5:80""#,
        ),
        (
            "W3C",
            "#Software: Microsoft Internet Information Services 10.0\n#Fields: date time s-ip cs-method\n2026-03-01 10:00:00 10.0.0.1 GET",
        ),
        ("byte-count", "157\n2100\n0"),
        ("byte-count", "1772355600.123 320 .\n1772355601.123 20 ."),
        ("PHP-FPM", "[01-Mar-2026 10:00:00] WARNING: [pool www] server reached pm.max_children"),
        (
            "klog",
            "W0301 10:00:00.123456       7 controller.go:1101] Service \"a\" does not have any active Endpoint.",
        ),
        (
            "application",
            r#"{"time":"2026-03-01T10:00:00Z","level":"info","msg":"request","status":200,"method":"GET","path":"/"}"#,
        ),
        ("plain text", "hello\nworld 502"),
    ] {
        let got = name(text);
        assert!(got.contains(want), "{want}: {got}: {text}");
    }
}

#[test]
fn nginx_is_no_stranger() {
    for text in [
        r#"203.0.113.7 - - [01/Mar/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 612 "-" "plain""#,
        r#"203.0.113.7 - - [01/Mar/2026:10:00:00 +0000] "\x16\x03\x01" 400 157 "-" "-""#,
        r#"203.0.113.7 - - [01/Mar/2026:10:00:00 +0000] "GET /\x22\xC3\xA4 HTTP/1.1" 400 157 "-" "-""#,
        r#"a.example:80 203.0.113.7 - - [01/Mar/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 612 "-" "x""#,
        r#"203.0.113.7 - - [01/Mar/2026:10:00:00 +0000] "GET / HTTP/1.1" 499 0 "-" "x" - - -"#,
    ] {
        assert_eq!(name(text), "Access", "{text}");
    }
}
