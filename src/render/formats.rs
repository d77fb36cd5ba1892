//! How each file was read, for people: what was learnt, how sure, and one line's fields to check it by.

use crate::analysis::FormatReport;
use crate::render::Style;
use crate::render::text::page::{Page, Paint};
use std::io::{self, Write};

/// Columns a sample value may take: enough to recognise it.
const VALUE: usize = 200;

/// Writes one block a file.
pub fn write(formats: &[FormatReport], style: Style, out: &mut dyn Write) -> io::Result<()> {
    let mut page = Page::new(style);
    for (at, format) in formats.iter().enumerate() {
        if at != 0 {
            page.blank();
        }
        block(&mut page, format);
    }
    if formats.is_empty() {
        page.line("No file was found.");
    }
    out.write_all(page.text().as_bytes())
}

fn block(page: &mut Page, format: &FormatReport) {
    page.painted(&format.path, Paint::Strong);
    if let Some(refused) = &format.refused {
        page.label("Refused", refused);
    } else {
        let sure = (format.confidence * 100.0).clamp(0.0, 100.0).floor();
        page.label("Read as", &format!("{} log, {} ({sure:.0} % sure)", format.kind, format.name));
    }
    for (name, text) in [
        ("Because", format.reason.as_str()),
        ("log_format", &format.definition),
        ("Wrapped in", if format.framing == "plain" { "" } else { &format.framing }),
        ("Host", format.host.as_deref().unwrap_or_default()),
    ] {
        if !text.is_empty() {
            page.label(name, text);
        }
    }
    for (at, (name, value)) in format.fields.iter().enumerate() {
        let value = crate::render::safe::cut(value, VALUE);
        page.label(if at == 0 { "Sample" } else { "" }, &format!("{name} = {value}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_why_and_a_hostile_field_is_harmless() {
        let read = FormatReport {
            path: "access.log".into(),
            kind: "access",
            name: "combined".into(),
            framing: "plain".into(),
            confidence: 0.994,
            fields: vec![("request".into(), "GET /\x1b[2J\u{202e} HTTP/1.1".into())],
            ..FormatReport::default()
        };
        let refused = FormatReport {
            path: "auth.log".into(),
            refused: Some("not an nginx log: sshd's".into()),
            ..FormatReport::default()
        };
        let mut out = Vec::new();
        write(&[read, refused], Style::default(), &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("access log, combined (99 % sure)"), "{text}");
        assert!(text.contains("request = GET /\\x1b[2J\\u{202e} HTTP/1.1"), "{text}");
        assert!(text.contains("Refused"), "{text}");
    }
}
