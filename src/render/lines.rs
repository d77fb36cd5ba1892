//! Raw lines of logs for people and for `less`: each behind its time on the common clock and its place.

use crate::clock::Clock;
use crate::lines::Line;
use crate::render::safe;
use std::io::{self, Write};

/// How lines are shown.
#[derive(Debug, Clone, Copy)]
pub struct Form {
    /// The zone of the times.
    pub clock: Clock,
    /// Lines as they stand in the log and nothing else.
    pub raw: bool,
    /// Whether bytes that act on a terminal are shown as escapes.
    pub escape: bool,
}

/// Writes one line. A colon behind its number says that it was asked for, a hyphen that it stands beside one that
/// was, two hyphens that lines were left out: grep's way.
pub fn write(line: &Line<'_>, form: Form, out: &mut dyn Write) -> io::Result<()> {
    if form.raw && !form.escape {
        out.write_all(line.text)?;
        return out.write_all(b"\n");
    }
    let text = String::from_utf8_lossy(line.text);
    if form.raw {
        return writeln!(out, "{}", safe::visible(&text));
    }
    if line.gap {
        writeln!(out, "--")?;
    }
    let mark = if line.wanted { ':' } else { '-' };
    let (time, path) = (form.clock.rfc3339_short(line.time), safe::visible(line.path));
    writeln!(out, "{time} {path}{mark}{}{mark} {}", line.line, safe::visible(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_line_is_harmless_unless_its_bytes_are_asked_for() {
        let text = b"GET /\x1b[2J\xff";
        let line = Line { time: 0, path: "a\u{1b}", line: 7, text, wanted: true, gap: true };
        let shown = |raw, escape| {
            let mut out = Vec::new();
            write(&line, Form { clock: Clock::new(0), raw, escape }, &mut out).unwrap();
            out
        };
        assert_eq!(
            String::from_utf8(shown(false, true)).unwrap(),
            "--\n1970-01-01T00:00:00+00:00 a\\x1b:7: GET /\\x1b[2J\u{fffd}\n"
        );
        assert_eq!(shown(true, true), "GET /\\x1b[2J\u{fffd}\n".as_bytes());
        assert_eq!(shown(true, false), b"GET /\x1b[2J\xff\n");
    }
}
