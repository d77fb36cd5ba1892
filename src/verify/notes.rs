//! The claims of the notes: each time, range and number with the words that say what it is of.

use super::blocks::{self, Block, Form, Topic};
use super::clauses::{self, Spot, leading, phrase, spots};
use super::context::{Context, Weekday, zone_behind};
use super::facts::Facts;
use super::regex;
use super::times::{self, Mention, Said};
use super::words::Words;
use super::{Basis, Claim, Kind, MOST_CLAIMS, Moment, Sight, Value, values, words};
use regex::Regex;
use std::ops::Range;
use std::sync::LazyLock;

/// What was read.
pub(super) struct Read {
    pub(super) claims: Vec<Claim>,
    pub(super) weekdays: Vec<Weekday>,
    /// Pairs of claims, by number, that were written as one range.
    pub(super) spans: Vec<(usize, usize)>,
    pub(super) remarks: Vec<String>,
}

/// Characters of the notes quoted with a claim.
const QUOTED: usize = 160;
/// A range that ends before it begins has passed midnight.
const DAY: i64 = 86_400_000;

static UNTIL: LazyLock<Regex> = LazyLock::new(|| {
    regex(r"(?i)\b(?:until|till|through|up to)\s+(?:about\s+|around\s+|approx\S*\s+|~)?(?:\S+\s+)?$")
});
static SINCE: LazyLock<Regex> =
    LazyLock::new(|| regex(r"(?i)\b(?:since|from)\s+(?:about\s+|around\s+|approx\S*\s+|~)?(?:\S+\s+)?$"));
static ZERO: LazyLock<Regex> = LazyLock::new(|| regex(r"\bT\s?[-=+]?\s?0\b[^\d]{0,20}$"));
static OCCURRED: LazyLock<Regex> =
    LazyLock::new(|| regex(r"(?i)\b(?:occur\w*|happen\w*|took place|experienc\w+|suffer\w*|had)\b"));

/// Reads the claims of `notes`.
pub(super) fn read(notes: &str, facts: &Facts<'_>) -> Read {
    let mut blocks: Vec<(Block, Vec<Mention>)> = blocks::read(notes)
        .into_iter()
        .map(|block| {
            let mentions = times::scan(&block.text);
            (block, mentions)
        })
        .collect();
    count_from_zero(&mut blocks);
    count_on(&mut blocks);
    let mut context = Context::new(&blocks, facts);
    let mut reader = Reader { claims: Vec::new(), spans: Vec::new(), undated: 0 };
    let mut remarks = Vec::new();
    for (block, mentions) in &blocks {
        if block.topic == Topic::Actions {
            continue;
        }
        if reader.claims.len() > MOST_CLAIMS {
            remarks.push(format!(
                "more than {MOST_CLAIMS} claims: those from line {} on were not read",
                block.line(0)
            ));
            break;
        }
        context.enter(block, mentions);
        reader.block(block, mentions, &mut context, facts);
    }
    if context.assumed.0 {
        remarks.push("the notes give no date: the day is taken from the logs".into());
    }
    if context.assumed.1 {
        remarks.push("the notes give no zone: their times are read in the zone of the logs".into());
    }
    if reader.undated > 0 {
        remarks.push(format!("{} times of day could not be placed: no date is known", reader.undated));
    }
    Read { claims: reader.claims, weekdays: context.weekdays, spans: reader.spans, remarks }
}

/// Makes times of day of what is counted from a zero that the notes give: `T0 = 18:00`, then `T+5m`.
fn count_from_zero(blocks: &mut [(Block, Vec<Mention>)]) {
    let zero = blocks.iter().find_map(|(block, mentions)| {
        let at = mentions.iter().position(|m| matches!(m.what, Said::Clock(_)))?;
        let Said::Clock(clock) = mentions[at].what else { return None };
        let zone = clock.zone.or_else(|| zone_behind(block, mentions, at));
        ZERO.is_match(&block.text[..mentions[at].start]).then_some(times::ClockText { zone, ..clock })
    });
    let Some(zero) = zero else { return };
    for mention in blocks.iter_mut().flat_map(|(_, mentions)| mentions) {
        if let Said::After(length) = mention.what {
            let millis = (zero.millis + length.millis).rem_euclid(DAY);
            // A sum is as fine as the coarser of its parts.
            let unit = if length.unit.millis() > zero.unit.millis() { length.unit } else { zero.unit };
            let unit = if unit == times::Unit::Hour { times::Unit::Minute } else { unit };
            mention.what = Said::Clock(times::ClockText { millis, unit, ..zero });
        }
    }
}

/// Makes times of day of what is counted from the time before it: `18:00 ...`, then `five minutes later ...`.
fn count_on(blocks: &mut [(Block, Vec<Mention>)]) {
    let mut last: Option<times::ClockText> = None;
    for (block, mentions) in blocks.iter_mut().filter(|(block, _)| block.topic != Topic::Actions) {
        for at in 0..mentions.len() {
            match (mentions[at].what.clone(), last) {
                (Said::Clock(clock), _) => {
                    let zone = clock.zone.or_else(|| zone_behind(block, mentions, at));
                    last = Some(times::ClockText { zone, ..clock });
                }
                (Said::Later(length), Some(before)) => {
                    let millis = (before.millis + length.millis).rem_euclid(DAY);
                    // A sum is as fine as the coarser of its parts; days later it may have been any time.
                    let coarser = length.unit.millis() > before.unit.millis();
                    let unit = if coarser { length.unit } else { before.unit };
                    if unit != times::Unit::Day {
                        let clock = times::ClockText { millis, unit, ..before };
                        mentions[at].what = Said::Clock(clock);
                        last = Some(clock);
                    }
                }
                _ => {}
            }
        }
    }
}

struct Reader {
    claims: Vec<Claim>,
    spans: Vec<(usize, usize)>,
    undated: usize,
}

impl Reader {
    fn block(&mut self, block: &Block, mentions: &[Mention], context: &mut Context<'_>, facts: &Facts<'_>) {
        let spots = spots(&block.text, mentions);
        let words = Words::of(&block.text);
        let leads = block.form == Form::Entry && spots.first().is_some_and(|s| leading(block, mentions, s));
        // All of an entry is of its time.
        let whole = std::iter::once(0..block.text.len());
        let sentences = if leads { whole.collect() } else { clauses::sentences(&block.text, mentions) };
        for sentence in sentences {
            let here: Vec<&Spot> = spots
                .iter()
                .filter(|s| sentence.start <= s.range.start && s.range.end <= sentence.end)
                .collect();
            let parts = clauses::clauses(&block.text, sentence.clone(), &here);
            for (at, spot) in here.iter().enumerate() {
                let kinds = if leads && at == 0 {
                    clauses::entry_kinds(block, &words, &parts, &here)
                } else {
                    vec![phrase(&block.text, &words, sentence.clone(), &parts, &here, at)]
                };
                let claims = self.claims.len();
                self.spot((block, &words), mentions, context, spot, &kinds);
                if let Some(first) = self.claims.get_mut(claims) {
                    first.leads = leads && at == 0;
                }
            }
            if here.is_empty() {
                self.days(block, mentions, &sentence, context, facts);
            }
            if block.form != Form::Heading {
                for (kind, value) in values::of_sentence(&block.text, sentence.clone(), mentions, leads) {
                    let line = line_of_value(block, mentions, &sentence, &value);
                    let text = quoted(&block.text[sentence.clone()]);
                    self.claims.push(claim(block, kind, None, value, line, &text));
                }
            }
        }
    }

    /// The claims of one time or range, whose clause is given.
    fn spot(
        &mut self,
        (block, words): (&Block, &Words<'_>),
        mentions: &[Mention],
        context: &mut Context<'_>,
        spot: &Spot,
        kinds: &[Range<usize>],
    ) {
        let clock = |at: usize| match mentions[at].what {
            Said::Clock(clock) => Some(clock),
            _ => None,
        };
        let partner = spot.second.and_then(clock);
        let Some(moment) = context.place(block, mentions, spot.first, partner) else {
            self.undated += 1;
            return;
        };
        let second = spot.second.and_then(|second| {
            let mut end = context.place(
                block,
                mentions,
                second,
                clock(spot.first).map(|c| times::ClockText { half: None, ..c }),
            )?;
            if end.at < moment.at && (end.day_from != Basis::Written || one_date(mentions, spot)) {
                end = end.moved(DAY);
            }
            Some(end)
        });
        let line = block.line(mentions[spot.first].start);
        for range in kinds {
            let text = &block.text[range.clone()];
            // A clause of an entry is quoted with its time.
            let quote = if range.end <= spot.range.start || spot.range.end <= range.start {
                &block.text
            } else {
                text
            };
            let claim = |kind, moment| Claim {
                text: quoted(quote),
                ..claim(block, kind, Some(moment), Value::None, line, text)
            };
            let before = clauses::tail(&block.text[range.start.min(spot.range.start)..spot.range.start], 48);
            let kind = words.kind(range);
            let troubled = words.trouble(range);
            if let Some(end) = &second {
                let edges = matches!(kind, Some(Kind::Start | Kind::End | Kind::Failing) | None)
                    && (troubled || kind.is_some());
                // In a summary a range is the incident's, whatever the words.
                let edges = edges || block.topic == Topic::Summary && (troubled || kind.is_none());
                if edges {
                    self.spans.push((self.claims.len(), self.claims.len() + 1));
                    for (kind, moment) in [(Kind::Start, moment.clone()), (Kind::End, end.clone())] {
                        self.claims.push(claim(kind, moment));
                    }
                } else {
                    let window = Moment { to: end.to.max(moment.to), ..moment.clone() };
                    self.claims.push(claim(kind.unwrap_or(Kind::Other), window));
                }
                continue;
            }
            let kind = match kind {
                Some(Kind::Start | Kind::Failing) if UNTIL.is_match(before) => Kind::End,
                None if troubled && UNTIL.is_match(before) => Kind::End,
                Some(Kind::Failing) if SINCE.is_match(before) => Kind::Start,
                None if troubled && SINCE.is_match(before) => Kind::Start,
                Some(kind) => kind,
                None if troubled && block.form == Form::Paragraph => Kind::Failing,
                None => Kind::Other,
            };
            self.claims.push(claim(kind, moment.clone()));
        }
    }

    /// `the outage that occurred on April 25, 2020`: a claim of a day.
    fn days(
        &mut self,
        block: &Block,
        mentions: &[Mention],
        sentence: &Range<usize>,
        context: &Context<'_>,
        facts: &Facts<'_>,
    ) {
        let text = &block.text[sentence.clone()];
        if block.form == Form::Heading || !words::trouble(text) || !OCCURRED.is_match(text) {
            return;
        }
        for (at, mention) in mentions.iter().enumerate() {
            if !(sentence.contains(&mention.start) && matches!(mention.what, Said::Date(_))) {
                continue;
            }
            let Some((day, other)) = context.day_at(block, mentions, at) else { continue };
            let (from, to) = facts.day_window(day);
            let moment = Moment {
                at: from,
                from,
                to,
                offset: facts.zone(),
                day_from: Basis::Written,
                zone_from: Basis::Logs,
                wider: None,
                written: block.text[mention.start..mention.end].to_owned(),
                swap: other.map(|o| (o - day).num_days() * DAY),
            };
            let line = block.line(mention.start);
            self.claims.push(claim(block, Kind::Occurred, Some(moment), Value::None, line, &quoted(text)));
        }
    }
}

/// Whether both ends of a range have one date between them.
fn one_date(mentions: &[Mention], spot: &Spot) -> bool {
    let between = spot.second.map_or(&[][..], |second| &mentions[spot.first..second]);
    between.iter().all(|m| !matches!(m.what, Said::Date(_)))
}

fn claim(block: &Block, kind: Kind, moment: Option<Moment>, value: Value, line: usize, text: &str) -> Claim {
    Claim {
        kind,
        sight: if matches!(kind, Kind::Start | Kind::End | Kind::Failing) {
            words::sight(text)
        } else {
            Sight::Any
        },
        moment,
        value,
        line,
        section: block.heading().to_owned(),
        text: quoted(
            text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '|' | ',' | ';' | '(' | ')')),
        ),
        nginx: words::about_nginx(text),
        succeeded: words::succeeded(text),
        leads: false,
    }
}

fn quoted(text: &str) -> String {
    let text = text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '|' | ',' | ';'));
    let text = text.replace('\n', " ");
    match text.char_indices().nth(QUOTED) {
        Some((at, _)) => format!("{}...", text[..at].trim_end()),
        None => text,
    }
}

fn line_of_value(block: &Block, mentions: &[Mention], sentence: &Range<usize>, value: &Value) -> usize {
    let length = mentions.iter().find(|m| {
        let same = |l: &times::Length| matches!(value, Value::Length { millis, .. } if *millis == l.millis);
        sentence.contains(&m.start) && matches!(&m.what, Said::Length(l) if same(l))
    });
    // A sentence may begin with the blank that parts it from the one before.
    let blank = block.text[sentence.clone()].len() - block.text[sentence.clone()].trim_start().len();
    block.line(length.map_or(sentence.start + blank, |m| m.start))
}

#[cfg(test)]
#[path = "notes/tests.rs"]
mod tests;
