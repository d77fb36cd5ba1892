//! What users paste.

use super::*;

fn var(name: &str) -> Piece {
    Piece::Var(Field::from_variable(name))
}

fn lit(text: &str) -> Piece {
    Piece::Literal(text.as_bytes().to_vec())
}

#[test]
fn a_whole_directive_over_lines() {
    let d = read(
        "  log_format  main escape=json '$remote_addr - ' # who\n  \"\\\"$request\\\" \"\n\t'${status}x' ;\n",
    )
    .unwrap();
    assert_eq!((d.name.as_deref(), d.escape), (Some("main"), Some(Escape::Json)));
    assert_eq!(
        d.pieces,
        [var("remote_addr"), lit(" - \""), var("request"), lit("\" "), var("status"), lit("x")]
    );
}

#[test]
fn parameters_alone_and_bare_text() {
    let want = vec![var("remote_addr"), lit(" \""), var("request"), lit("\"")];
    for text in [
        "$remote_addr \"$request\"",
        "'$remote_addr \"$request\"'",
        "'$remote_addr ' '\"$request\"';",
        "main '$remote_addr \"$request\"'",
        "\"$remote_addr \\\"$request\\\"\"",
        "\n$remote_addr \"$request\"\n",
    ] {
        assert_eq!(read(text).unwrap().pieces, want, "{text}");
    }
    assert_eq!(read("\"$request\" $status").unwrap().pieces.len(), 4);
    assert_eq!(read("'a:$status\\tb:$msec\\q'").unwrap().text, "a:$status\tb:$msec\\q");
}

#[test]
fn errors_say_where_and_what_to_write() {
    for (text, column, word) in [
        ("$remote_addr $ x", 14, "bare `$`"),
        ("$status ${request", 9, "${name}"),
        ("log_format x '$status", 14, "never closed"),
        ("log_format x escape=xml '$status';", 14, "escape=json"),
        ("log_format x;", 14, "missing"),
        ("log_format a '$status'; log_format b '$status';", 23, "one log_format"),
        ("hello", 1, "$variable"),
        ("", 1, "$variable"),
    ] {
        match read(text) {
            Err(Error::Directive { what, column: c }) => {
                assert!(what.contains(word), "{text}: {what}");
                assert_eq!(c, column, "{text}: {what}");
            }
            other => panic!("{text}: {other:?}"),
        }
    }
}

#[test]
fn what_is_written_reads_back() {
    let text = "it's \\ $status\t${msec}x";
    let d = read(&write("n", Escape::None, text)).unwrap();
    assert_eq!((d.text.as_str(), d.escape, d.name.as_deref()), (text, Some(Escape::None), Some("n")));
    assert_eq!(write_text(&d.pieces), text);
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text in "\\PC*") {
        let _ = read(&text);
        let _ = read(&format!("log_format x '{text}"));
    }
}

#[test]
fn a_variable_ends_with_its_parameter() {
    let read = read("log_format x '$remote_addr $request_time' 'ms \"$request' '\" $status';").unwrap();
    assert_eq!(read.text, "$remote_addr ${request_time}ms \"$request\" $status");
    assert_eq!(join(["$a", "_b", "$", "c", "", "d${e}", "f"]), "${a}_b${c}d${e}f");
}

/// Found by fuzzing.
#[test]
fn text_that_begins_like_a_parameter_is_written_behind_one() {
    let written = write("x", Escape::Default, "escape=$status");
    assert_eq!(written, "log_format x escape=default 'escape=$status';");
    assert_eq!(read(&written).unwrap().text, "escape=$status");
}

/// Found by fuzzing: a form feed ended a token and began none, for ever.
#[test]
fn a_form_feed_is_no_blank() {
    let read = read("log_format x $status\x0c$request\x0b;").unwrap();
    assert_eq!(read.text, "$status\x0c$request\x0b");
}
