//! What is hidden, what stays, and that a name is one client's and nobody can tell whose.

use super::*;
use crate::report::Scope;

fn redactor(content: &str) -> Redactor {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.log");
    std::fs::write(&file, content).unwrap();
    Redactor::of_contents(vec![of_file(&file).unwrap()])
}

/// With every pseudonym as `C`, `U` or `A`.
fn hidden(text: &str) -> String {
    let mut out = redactor("x").hidden(text).into_owned();
    for (kind, letter) in [("client-", "C"), ("user-", "U"), ("agent-", "A")] {
        while let Some(at) = out.find(kind) {
            out.replace_range(at..at + kind.len() + DIGITS, letter);
        }
    }
    out
}

#[test]
fn addresses_and_queries_go_and_the_rest_stays() {
    for (raw, want) in [
        (
            "192.0.2.7 - - [01/Mar/2026:10:00:00 +0000] \"GET /a?b=c HTTP/1.1\" 502 5 \"https://x/?q=1\" \"curl/8.5.0\"",
            "C - - [01/Mar/2026:10:00:00 +0000] \"GET /a?[hidden] HTTP/1.1\" 502 5 \"https://x/?[hidden]\" \"A\"",
        ),
        ("GET /a?b=c d HTTP/1.1", "GET /a?[hidden] d HTTP/1.1"),
        ("\"GET /a?b=c d HTTP/1.1\" 400", "\"GET /a?[hidden] HTTP/1.1\" 400"),
        ("\"GET /a?x=\\\"y\\\" HTTP/1.0\" 1", "\"GET /a?[hidden] HTTP/1.0\" 1"),
        ("client: 2001:db8::1, server: a", "client: C, server: a"),
        ("client: ::ffff:192.0.2.7, x", "client: C, x"),
        ("[2001:db8::1]:443 unix:/x", "[C]:443 unix:/x"),
        ("192.0.2.7:51000 to", "C:51000 to"),
        ("ip:192.0.2.7", "ip:C"),
        ("for 192.0.2.7.", "for C."),
        ("192.0.2.7, 198.51.100.1", "C, C"),
        ("/ip-192.0.2.7/x", "/ip-C/x"),
        ("Chrome/124.0.0.0 Safari/537.36", "Chrome/124.0.0.0 Safari/537.36"),
        ("2026/03/01 10:00:00 [error] 7#7: *91 x", "2026/03/01 10:00:00 [error] 7#7: *91 x"),
        ("\"args\":\"a=b&c=d\",\"status\":502", "\"args\":\"[hidden]\",\"status\":502"),
        ("args=a=b\tstatus=502", "args=[hidden]\tstatus=502"),
        ("\"args\":\"-\"", "\"args\":\"-\""),
        ("what? nothing", "what? nothing"),
        ("ip:2001:db8::1 ip:::1 ip192.0.2.7x", "ip:C ip:C ipCx"),
        ("std::vector Foo::Bad 1.2.3 1.2.3.4.5 300.1.1.1", "std::vector Foo::Bad 1.2.3 1.2.3.4.5 300.1.1.1"),
        ("größe 日本 ?ä", "größe 日本 ?[hidden]"),
        ("", ""),
    ] {
        assert_eq!(hidden(raw), want, "{raw}");
        let once = redactor("x").hidden(raw).into_owned();
        assert_eq!(redactor("x").hidden(&once), once, "twice is once");
    }
}

#[test]
fn a_client_has_one_name_in_a_report_and_another_in_another() {
    let (a, b) = (redactor("one log"), redactor("another log"));
    assert_eq!(a.hidden("192.0.2.7"), redactor("one log").hidden("192.0.2.7"));
    assert_eq!(a.hidden("192.0.2.7"), a.hidden("::ffff:192.0.2.7"));
    assert_eq!(a.hidden("2001:db8::1"), a.hidden("2001:DB8:0:0::1"));
    assert_ne!(a.hidden("192.0.2.7"), a.hidden("192.0.2.8"));
    assert_ne!(a.hidden("192.0.2.7"), b.hidden("192.0.2.7"));
}

#[test]
fn the_key_cannot_be_made_of_the_digests_that_a_report_prints() {
    // What `--digest` prints is the hash of the bare content.
    let digest = Sha256::digest(b"x");
    let bare: [u8; 32] = digest.into();
    let twice: [u8; 32] = Sha256::digest(digest).into();
    let key = redactor("x").key;
    assert!(key != bare && key != twice);
}

#[test]
fn peers_stay_unless_they_are_clients_too() {
    let line = |text: &str| Evidence { path: "e".into(), line: 1, byte: 0, text: text.into() };
    let mut incident = crate::render::text::tests::incident();
    incident.scope = Scope { upstreams: vec!["10.0.0.5:8080".into()], ..Scope::default() };
    incident.title = "failed for 192.0.2.7".into();
    let tail =
        "server: a, request: \"GET /192.0.2.1?x HTTP/1.1\", upstream: \"http://10.0.0.6:80/192.0.2.1?x\"";
    incident.evidence =
        vec![line(&format!("client: 192.0.2.7, {tail}")), line(&format!("client: 127.0.0.1, {tail}"))];
    incident.evidence.push(line("upstream: \"http://127.0.0.1:9000/\""));
    let mut report = Report { incidents: vec![incident], ..Report::default() };
    redactor("x").report(&mut report);
    let i = &report.incidents[0];
    assert_eq!(i.scope.upstreams, ["10.0.0.5:8080"]);
    assert!(i.evidence[0].text.contains("http://10.0.0.6:80/client-"), "{}", i.evidence[0].text);
    assert!(!i.evidence[2].text.contains("127.0.0.1"), "a peer that is a client too is hidden");
    for text in i.evidence.iter().map(|e| &e.text).chain([&i.title]) {
        assert!(!text.contains("192.0.2.") && !text.contains("?x"), "{text}");
    }
    assert_eq!(
        i.title.rsplit(' ').next(),
        i.evidence[0].text.split([' ', ',']).nth(1),
        "one name everywhere"
    );
}

proptest::proptest! {
    #[test]
    fn no_address_survives_and_nothing_panics(before in "[ -~é]{0,20}", a: [u8; 4], after in "[ -~é]{0,20}") {
        let address = Ipv4Addr::from(a);
        // A blank on either side: inside a longer word it is no address.
        let text = format!("{before} {address} {after}");
        let out = redactor("x").hidden(&text).into_owned();
        let shown = format!(" {address} ");
        proptest::prop_assert!(!out.contains(&shown), "{}", out);
    }
}
