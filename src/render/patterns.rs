//! The rules of a catalogue, for people: one line a rule under its category.

use crate::catalogue::pattern::Pattern;
use crate::render::Style;
use crate::render::safe;
use crate::render::text::page::Page;
use std::io::{self, Write};

/// Writes the rules in the order of their categories.
pub fn write<'a>(
    patterns: impl Iterator<Item = &'a Pattern>,
    style: Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut rules: Vec<&Pattern> = patterns.collect();
    rules.sort_by(|a, b| (&a.category, &a.id).cmp(&(&b.category, &b.id)));
    let wide = rules.iter().map(|p| safe::columns(&p.id)).max().unwrap_or(0);
    let mut page = Page::new(style);
    let mut category = "";
    for rule in &rules {
        if rule.category != category {
            if !category.is_empty() {
                page.blank();
            }
            category = &rule.category;
            page.painted(category, crate::render::text::page::Paint::Strong);
        }
        page.item(&format!("{:wide$}", rule.id), &rule.title);
    }
    if rules.is_empty() {
        page.line("No pattern.");
    }
    out.write_all(page.text().as_bytes())
}
