use super::*;
use proptest::prelude::*;
use std::sync::OnceLock;

fn ours() -> Catalogue {
    Catalogue::builtin().unwrap()
}

fn category(line: &str) -> Option<String> {
    let catalogue = ours();
    let record = read_line(line.as_bytes()).unwrap();
    catalogue.classify(&record).map(|p| p.category.clone())
}

#[test]
fn our_patterns_prove_themselves() {
    let proven = Catalogue::build(load::builtin_with_proof().unwrap()).unwrap();
    prove::prove(&proven).unwrap();
    // Those of a start are the same, read in another way: only the proof is left out.
    let without_proof = |p: &Pattern| {
        let p = Pattern {
            matches: Vec::new(),
            rejects: Vec::new(),
            at: 0,
            compiled: OnceLock::new(),
            ..p.clone()
        };
        format!("{p:?}")
    };
    let all = |c: &Catalogue| c.patterns().iter().map(without_proof).collect::<Vec<_>>();
    assert_eq!(all(&ours()), all(&proven));
    assert!(ours().patterns().iter().all(|p| p.matches.is_empty()));
}

#[test]
fn the_embedded_list_is_the_folder() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("patterns");
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| format!("patterns/{}", e.unwrap().file_name().to_string_lossy()))
        .filter(|n| Path::new(n).extension().is_some_and(|e| e == "toml"))
        .collect();
    names.sort();
    assert_eq!(names, load::EMBEDDED.map_names());
}

trait Names {
    fn map_names(&self) -> Vec<String>;
}

impl Names for [(&str, &str)] {
    fn map_names(&self) -> Vec<String> {
        self.iter().map(|(name, _)| (*name).to_string()).collect()
    }
}

#[test]
fn ids_are_in_order_and_categories_sorted() {
    for (name, text) in load::EMBEDDED {
        let ids: Vec<&str> = text.lines().filter(|l| l.starts_with("id = ")).collect();
        assert!(ids.is_sorted(), "{name}");
    }
    assert!(category::CATEGORIES.is_sorted());
}

#[test]
fn errno_counts_by_number_and_not_by_text() {
    let line = |errno: &str| {
        format!(
            "2026/03/01 10:00:00 [error] 1#1: *1 connect() failed ({errno}) while connecting to upstream, client: 203.0.113.7"
        )
    };
    assert_eq!(category(&line("111: Unknown error")).as_deref(), Some("upstream.refused"));
    assert_eq!(category(&line("61: Connection refused")).as_deref(), Some("upstream.refused"));
    assert_eq!(category(&line("10060: \u{43d}\u{435}")).as_deref(), Some("upstream.timeout"));
    assert_eq!(category(&line("111: Conn")).as_deref(), Some("upstream.refused"));
}

#[test]
fn what_no_rule_knows_is_unknown() {
    assert_eq!(
        category("2026/03/01 10:00:00 [error] 1#1: *1 no_such_module: text, client: 203.0.113.7"),
        None
    );
}

#[test]
fn words_that_name_a_cause_speak_where_no_other_rule_does() {
    let line = |text: &str| {
        format!(
            "2026/03/01 10:00:00 [error] 1#1: *1 {text}, client: 203.0.113.7, server: a, request: \"GET / HTTP/1.1\""
        )
    };
    assert_eq!(
        category(&line("no_such_module: Unable to Allocate 12 bytes")).as_deref(),
        Some("resource.memory")
    );
    assert_eq!(category(&line("no_such_module: 12 bytes of memory")), None);
    // What other rules know, they say.
    let refused = "connect() failed (111: Connection refused) while connecting to upstream";
    assert_eq!(category(&line(refused)).as_deref(), Some("upstream.refused"));
}

#[test]
fn general_rules_are_written_small() {
    for p in ours().patterns().iter().filter(|p| p.is_general()) {
        let words = p.keywords.iter().chain(&p.starts).chain(&p.without).chain(&p.regex);
        for word in words {
            // Classes of a regex are no letters: `\W`, `\S`.
            let text = word.replace('\\', "");
            assert!(text == text.to_lowercase() || word.contains('\\'), "{}: {word}", p.id);
        }
    }
}

fn load_text(text: &str) -> Result<Catalogue> {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("x.toml"), text).unwrap();
    Catalogue::load_dir(dir.path())
}

const GOOD: &str = r#"
[[pattern]]
id = "my-app"
title = "t"
category = "upstream.app_error"
fault = "upstream"
client_visible = "maybe"
keywords = ["shop is closed"]
hint = "h"
[[pattern.match]]
line = '2026/03/01 10:00:00 [error] 1#1: *1 shop is closed, client: 203.0.113.7'
[[pattern.reject]]
line = '2026/03/01 10:00:00 [error] 1#1: *1 shop is open, client: 203.0.113.7'
why = "open"
"#;

#[test]
fn rules_without_proof_are_refused() {
    assert!(load_text(GOOD).is_ok());
    for (from, to, says) in [
        ("[[pattern.reject]]", "[[pattern.rejekt]]", "rejekt"),
        ("shop is open", "shop is closed", "must not match"),
        ("*1 shop is closed", "*1 shop was closed", "taken by no pattern"),
        ("upstream.app_error", "upstream.app", "no category"),
        ("\"my-app\"", "\"My app\"", "small letters"),
        ("hint = \"h\"", "hint = \"\"", "hint"),
        ("hint = \"h\"", "hint = \"h\"\nregex = '(a{999}){999}'", "regex"),
        ("hint = \"h\"", "hint = \"h\"\nerrno = [\"ENOSUCH\"]", "ENOSUCH"),
        ("keywords = [\"shop is closed\"]", "", "starts or keywords"),
        ("keywords = [\"shop is closed\"]", "starts = [\"sh\"]", "three letters"),
        ("fault = \"upstream\"", "fault = \"somebody\"", "somebody"),
    ] {
        let error = load_text(&GOOD.replace(from, to)).unwrap_err().to_string();
        assert!(error.contains(says), "{says}: {error}");
    }
    assert!(load_text(&format!("{GOOD}{GOOD}")).unwrap_err().to_string().contains("twice"));
}

#[test]
fn users_can_replace_and_switch_off() {
    let dir = tempfile::tempdir().unwrap();
    let off = GOOD.replace("my-app", "upstream-refused").replace("hint =", "enabled = false\nhint =");
    std::fs::write(dir.path().join("a.toml"), off).unwrap();
    std::fs::write(dir.path().join("b.toml"), GOOD).unwrap();
    let catalogue = Catalogue::with_dirs(&[dir.path()]).unwrap();
    assert!(catalogue.get("my-app").is_some() && catalogue.get("upstream-refused").is_none());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_record_panics(level in 0usize..8, text in "(connect\\(\\) failed|open\\(\\) \"|upstream timed out| \\(111: x\\)| while connecting to upstream|, client: |, upstream: \"|exit|[lua] | in /a:1|.){0,12}") {
        let level = ["emerg", "alert", "crit", "error", "warn", "notice", "info", "debug"][level];
        let line = format!("2026/03/01 10:00:00 [{level}] 1#1: *1 {text}");
        if let Some(record) = read_line(line.as_bytes()) {
            let _ = CATALOGUE.with(|c| c.classify(&record).map(|p| p.id.clone()));
        }
    }
}

thread_local! {
    static CATALOGUE: Catalogue = ours();
}
