//! The command that opens the lines behind a statement, ready to be copied into a shell.

use crate::render::safe;
use crate::report::Report;

/// `downtime lines WHAT PATH...`, with the options that were given, since they may change what an incident is.
pub fn lines(report: &Report, what: &str) -> String {
    let mut out = format!("downtime lines {}", quoted(what));
    // Lines come from the logs themselves: whoever may read those has nothing hidden from them.
    for (name, value) in report.options.options.iter().filter(|o| o.0 != "redact") {
        // An option's value may begin with a hyphen (`-05:00`).
        out.extend([" --", name, "=", &quoted(value)]);
    }
    for path in &report.options.paths {
        // What begins with a hyphen would be taken for an option.
        let path = if path.starts_with('-') && path != "-" { format!("./{path}") } else { path.clone() };
        out.push(' ');
        out.push_str(&quoted(&path));
    }
    out
}

/// A word as a shell of the POSIX family takes it, in quotes where it needs them.
fn quoted(word: &str) -> String {
    let word = safe::visible(word);
    let plain = |c: char| c.is_ascii_alphanumeric() || "_./:@%+=,-".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Asked;

    #[test]
    fn a_shell_takes_every_word_as_one() {
        let paths = ["/var/log/nginx", "a b", "it's", "$(rm -rf)", "-x", "", "a\u{1b}\nb"];
        let report = Report {
            options: Asked {
                paths: paths.map(str::to_owned).into(),
                options: vec![("tz", "-05:00".into()), ("log-format", "$status \"$request\"".into())],
            },
            ..Report::default()
        };
        assert_eq!(
            lines(&report, "20200425T180000Z"),
            "downtime lines 20200425T180000Z --tz=-05:00 --log-format='$status \"$request\"' /var/log/nginx 'a b' \
             'it'\\''s' '$(rm -rf)' ./-x '' 'a\\x1b\\nb'"
        );
    }
}
