//! Matches a line against the pieces of a text format, left to right, in time linear in the line.
//!
//! A typed value ends by its own shape. Free text ends at the next occurrence of the literal behind it from which
//! the pieces up to the next free text fit: a user name may hold ` [`, and with `escape=none` a request may hold
//! quotes. Once those fit, the choice stands; there is no deeper backtracking. The bytes looked at while choosing
//! are paid from a budget of a few times the line's length, so no line can cost more.

use super::Mismatch;
use super::shape::{Shape, request_len};
use super::store::{is_told, store};
use crate::error::{Error, Result};
use crate::format::directive::{Escape, Field, Piece};
use crate::format::find::{begins, find, find_blank};
use crate::format::record::AccessRecord;

/// A compiled text format.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// The literal before the first value.
    head: Vec<u8>,
    steps: Vec<Step>,
    /// Whether a literal that starts with a quote ends a value at the first quote: only under default
    /// escapes, for `escape=json` writes `\"` inside a value and `escape=none` a bare quote.
    quotes_escaped: bool,
    /// Quotes in the literals: a line of this format has as many, or more.
    quotes: usize,
}

#[derive(Debug, Clone)]
struct Step {
    fields: Vec<Field>,
    shape: Shape,
    /// Of the shape: whether its length can be told by itself.
    typed: bool,
    /// Of a request with a blank and free text behind it, which no shape tells from the request's own blanks.
    by_protocol: bool,
    needed: Needed,
    /// Looked up once: the search among the names costs more than reading a line.
    wanted: &'static str,
    /// The literal behind the value; empty at the end and between values that tell their own end.
    literal: Vec<u8>,
    /// The literal as a word, and the bits of it that count; none where it is longer.
    word: Option<(u64, u64)>,
    last: bool,
}

/// Who needs a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needed {
    /// A second look at a request as well ([`is_told`]).
    InBrief,
    /// Who reads the line as a whole.
    AsAWhole,
    Never,
}

impl Needed {
    fn of(field: &Field) -> Self {
        match field {
            field if field.is_other() => Self::Never,
            field if is_told(field) => Self::InBrief,
            _ => Self::AsAWhole,
        }
    }
}

impl Step {
    /// Whether the literal stands at the start of `rest`. Literals have one to four bytes: a word is compared at once.
    #[inline]
    fn follows(&self, rest: &[u8]) -> bool {
        match (self.word, rest.first_chunk::<8>()) {
            (Some((word, mask)), Some(here)) => u64::from_le_bytes(*here) & mask == word,
            _ => begins(rest, &self.literal),
        }
    }
}

/// A literal as a word, and the bits of a word that it covers.
fn word(literal: &[u8]) -> Option<(u64, u64)> {
    let mut bytes = [0; 8];
    bytes.get_mut(..literal.len())?.copy_from_slice(literal);
    let mask = u64::MAX.unbounded_shr(64 - 8 * literal.len() as u32);
    Some((u64::from_le_bytes(bytes), mask))
}

impl Plan {
    /// Compiles pieces; an error where two values cannot be told apart.
    pub(crate) fn new(pieces: &[Piece], escape: Escape) -> Result<Self> {
        let mut head = Vec::new();
        let mut steps: Vec<Step> = Vec::new();
        let mut column = 0;
        for piece in pieces {
            match piece {
                Piece::Literal(text) => {
                    match steps.last_mut() {
                        Some(step) => step.literal.extend_from_slice(text),
                        None => head.extend_from_slice(text),
                    }
                    column += text.len();
                }
                Piece::Var(field) => {
                    if let Some(step) = steps.last_mut().filter(|s| s.literal.is_empty()) {
                        if join(step, field) {
                            column += 1 + field.variable().len();
                            continue;
                        }
                        if !tells_apart(step, field) {
                            let before = step.fields.last().map_or("", Field::variable);
                            return Err(Error::Directive {
                                what: format!(
                                    "${before} and ${} stand side by side and their values cannot be told apart; put a \
                                     blank or another sign between them in the format",
                                    field.variable()
                                ),
                                column: column + 1,
                            });
                        }
                    }
                    steps.push(Step {
                        fields: vec![field.clone()],
                        shape: Shape::of(field),
                        typed: Shape::of(field).is_typed(),
                        by_protocol: false,
                        needed: Needed::of(field),
                        wanted: field.wanted(),
                        literal: Vec::new(),
                        word: None,
                        last: false,
                    });
                    column += 1 + field.variable().len();
                }
            }
        }
        if let Some(step) = steps.last_mut() {
            step.last = true;
        }
        for i in 0..steps.len() {
            let free = steps.get(i + 1).is_some_and(|next| !next.typed);
            let step = &mut steps[i];
            step.word = word(&step.literal);
            step.by_protocol = free && step.fields == [Field::Request] && step.literal.first() == Some(&b' ');
        }
        let literals = steps.iter().map(|step| step.literal.as_slice()).chain([head.as_slice()]);
        let quotes = literals.map(|l| memchr::memchr_iter(b'"', l).count()).sum();
        Ok(Self { head, steps, quotes_escaped: escape == Escape::Default, quotes })
    }

    /// Whether a line may be one of this format: it ends as they do and has their quotes.
    pub(crate) fn may_read(&self, line: &[u8]) -> bool {
        let end = self.steps.last().map_or(self.head.as_slice(), |step| &step.literal);
        let ends = line.len().checked_sub(end.len()).is_some_and(|at| begins(&line[at..], end));
        ends && (self.quotes == 0 || memchr::memchr_iter(b'"', line).count() >= self.quotes)
    }

    /// Reads a line into `record`, in brief only what [`is_told`] of a request. `base` is where `line` starts in the line a
    /// mismatch speaks of.
    pub(crate) fn run<'a>(
        &self,
        line: &'a [u8],
        (base, brief): (usize, bool),
        record: &mut AccessRecord<'a>,
    ) -> Result<(), Mismatch> {
        let mismatch = |at: usize, wanted| Err(Mismatch { byte: base + at, wanted });
        if !begins(line, &self.head) {
            let same = line.iter().zip(&self.head).take_while(|(a, b)| a == b).count();
            return mismatch(same, "the text at the start of the format");
        }
        let mut at = self.head.len();
        let mut trial = Trial { budget: 4 * line.len() + 1024, ..Trial::default() };
        for (i, step) in self.steps.iter().enumerate() {
            let Some(len) = trial.known(i).or_else(|| self.value_len(i, &line[at..], &mut trial)) else {
                return mismatch(at, step.wanted);
            };
            let value = &line[at..at + len];
            let needed = step.needed == Needed::InBrief || step.needed == Needed::AsAWhole && !brief;
            if needed && !store(record, &step.fields[0], value) {
                return mismatch(at, step.wanted);
            }
            at += len + step.literal.len();
        }
        if at == line.len() { Ok(()) } else { mismatch(at, "the end of the line") }
    }

    /// The length of value `i` at the start of `rest`; the literal behind it is then known to follow.
    #[inline]
    fn value_len(&self, i: usize, rest: &[u8], trial: &mut Trial) -> Option<usize> {
        let step = &self.steps[i];
        if step.typed {
            if let Some(len) = step.shape.len(rest) {
                let after = &rest[len..];
                if step.follows(after) && (!step.last || after.len() == step.literal.len()) {
                    return Some(len);
                }
            }
            // An empty value (escape=json and none write nothing), or a list with an empty item between quotes.
            return match step.shape {
                _ if step.literal.is_empty() => None,
                Shape::List(_) if step.literal[0] == b'"' || step.literal[0] == b']' => {
                    self.free_len(i, rest, trial)
                }
                _ => (step.follows(rest) && (!step.last || rest.len() == step.literal.len())).then_some(0),
            };
        }
        self.free_len(i, rest, trial)
    }

    fn free_len(&self, i: usize, rest: &[u8], trial: &mut Trial) -> Option<usize> {
        let step = &self.steps[i];
        if step.literal.is_empty() {
            if step.last {
                let fits = step.shape != Shape::Word || find_blank(rest).is_none();
                return fits.then_some(rest.len());
            }
            // `$host$request_uri`: the path begins at the first slash.
            return memchr::memchr(b'/', rest);
        }
        if step.by_protocol
            && let Some(len) = request_len(rest).filter(|len| step.follows(&rest[*len..]))
        {
            return Some(len);
        }
        let whole = if step.shape == Shape::Word {
            // A word ends before the first blank; the literal may begin there.
            let end = find_blank(rest).unwrap_or(rest.len());
            if step.literal[0] == b' ' && !step.last {
                // It begins there or nowhere. What is tried below is tried here, once.
                let fits = step.follows(&rest[end..])
                    && match self.followers_fit(i + 1, &rest[end + step.literal.len()..], trial) {
                        Ok(()) => true,
                        Err(bytes) => {
                            trial.budget = trial.budget.saturating_sub(8 + bytes);
                            false
                        }
                    };
                return fits.then_some(end);
            }
            end
        } else if self.quotes_escaped && step.literal[0] == b'"' {
            let quote = find(rest, b'"')?;
            return (step.follows(&rest[quote..])
                && (!step.last || rest.len() - quote == step.literal.len()))
            .then_some(quote);
        } else {
            rest.len()
        };
        // No value holds a quote then, so two lines glued together are not read as one.
        let quoteless = self.quotes_escaped && step.shape != Shape::Word;
        if step.last {
            let len = rest.len().checked_sub(step.literal.len())?;
            let fits = begins(&rest[len..], &step.literal) && len <= whole;
            return (fits && !(quoteless && find(&rest[..len], b'"').is_some())).then_some(len);
        }
        let window = &rest[..rest.len().min(whole + step.literal.len())];
        let mut from = 0;
        while from <= whole {
            let found = from + find_short(&window[from..], &step.literal)?;
            if quoteless && find(&window[from..found], b'"').is_some() {
                return None;
            }
            match self.followers_fit(i + 1, &rest[found + step.literal.len()..], trial) {
                Ok(()) => return Some(found),
                Err(bytes) => trial.budget = trial.budget.checked_sub(8 + bytes)?,
            }
            from = found + 1;
        }
        None
    }

    /// Whether the typed values from step `i` on fit at the start of `b`; the bytes looked at if not.
    fn followers_fit(&self, i: usize, b: &[u8], trial: &mut Trial) -> Result<(), usize> {
        let mut at = 0;
        (trial.first, trial.n) = (i, 0);
        for step in &self.steps[i..] {
            if !step.typed {
                // Free text cannot be tried, but text under default escapes holds no quote and a word no blank.
                return Ok(());
            }
            let len = step.shape.len(&b[at..]).ok_or(at)?;
            let after = &b[at + len..];
            if !step.follows(after) {
                let quoted = step.literal.first() == Some(&b'"') && matches!(step.shape, Shape::List(_));
                return if quoted { Ok(()) } else { Err(at + len) };
            }
            at += len + step.literal.len();
            if step.last && at != b.len() {
                return Err(at);
            }
            trial.fits(len);
        }
        Ok(())
    }
}

/// What was found out while the end of a value was looked for.
#[derive(Default)]
struct Trial {
    /// Bytes that may still be looked at in vain.
    budget: usize,
    /// The values behind it that are known to fit: the first of them, how many, and how long they are.
    first: usize,
    n: usize,
    lengths: [usize; FITTING],
}

/// Values in a row of which that is remembered; others are measured again.
const FITTING: usize = 8;

impl Trial {
    fn fits(&mut self, len: usize) {
        if let Some(slot) = self.lengths.get_mut(self.n) {
            (*slot, self.n) = (len, self.n + 1);
        }
    }

    /// The length of value `i`, where it is known and the literal behind it is known to follow.
    #[inline]
    fn known(&self, i: usize) -> Option<usize> {
        self.lengths.get(..self.n)?.get(i.checked_sub(self.first)?).copied()
    }
}

/// The literals of formats have one to four bytes: looking for the first byte was measured faster than a searcher.
fn find_short(b: &[u8], literal: &[u8]) -> Option<usize> {
    let first = *literal.first()?;
    let mut from = 0;
    loop {
        let at = from + find(b.get(from..)?, first)?;
        if begins(&b[at..], literal) {
            return Some(at);
        }
        from = at + 1;
    }
}

/// Whether `field` can be read as part of the value before it: text nobody needs, or a URI with its arguments.
fn join(step: &mut Step, field: &Field) -> bool {
    let first = &step.fields[0];
    let joined = matches!(
        (first, field),
        (
            Field::Other(_) | Field::RequestUri | Field::UserAgent | Field::Referer | Field::ForwardedFor,
            Field::Other(_)
        )
    );
    if joined {
        step.fields.push(field.clone());
    }
    joined
}

fn tells_apart(step: &Step, field: &Field) -> bool {
    step.shape.ends_itself()
        || matches!(step.fields[0], Field::Host | Field::ServerName) && *field == Field::RequestUri
}
