//! Our own pattern files, read at every start that has an error log to judge. They are TOML written plainly: a key and its
//! value on a line, strings of one line, lists of strings. A parser of all of TOML took as long over them as the scan
//! takes over ten megabytes. A test reads them with that parser and compares.

use super::pattern::Pattern;
use memchr::memmem;
use serde::Deserialize;
use serde::de::value::{Error, MapDeserializer, SeqDeserializer};
use serde::de::{Deserializer, IntoDeserializer, Unexpected, Visitor};
use std::borrow::Cow;

const HEADER: &str = "[[pattern]]\n";

/// The patterns of a file without their proof, which is two thirds of it; or what is wrong with one.
pub(super) fn read(text: &str) -> Result<Vec<Pattern>, String> {
    let headers: Vec<usize> = memmem::find_iter(text.as_bytes(), HEADER).collect();
    let ends = headers.iter().skip(1).copied().chain([text.len()]);
    let parts = headers.iter().zip(ends).map(|(from, to)| &text[from + HEADER.len()..to]);
    // Proof follows the pattern's own keys, and no value of it begins a line.
    let own = |part: &'_ str| memmem::find(part.as_bytes(), b"\n[[").unwrap_or(part.len());
    parts.map(|part| own_keys(&part[..own(part)])).collect()
}

fn own_keys(text: &str) -> Result<Pattern, String> {
    let mut keys: Vec<(&str, Value<'_>)> = Vec::with_capacity(16);
    let mut rest = text.trim_ascii_start();
    while !rest.is_empty() {
        if rest.starts_with('#') {
            rest = rest.split_once('\n').map_or("", |(_, behind)| behind).trim_ascii_start();
            continue;
        }
        let odd = || format!("not written plainly: {}", rest.lines().next().unwrap_or_default());
        let (key, behind) = rest.split_once(' ').ok_or_else(odd)?;
        let behind = behind.strip_prefix("= ").ok_or_else(odd)?;
        let (value, behind) = Value::read(behind).ok_or_else(odd)?;
        let behind = behind.trim_start_matches(' ');
        if !(behind.is_empty() || behind.starts_with('\n')) {
            return Err(odd());
        }
        keys.push((key, value));
        rest = behind.trim_ascii_start();
    }
    Pattern::deserialize(MapDeserializer::<_, Error>::new(keys.into_iter())).map_err(|e| e.to_string())
}

/// What stands behind a key.
enum Value<'a> {
    Text(Cow<'a, str>),
    List(Vec<Cow<'a, str>>),
    Truth(bool),
    Number(i32),
}

impl<'a> Value<'a> {
    /// Reads a value; gives what stands behind it.
    fn read(text: &'a str) -> Option<(Self, &'a str)> {
        if let Some(mut rest) = text.strip_prefix('[') {
            let mut list = Vec::with_capacity(4);
            loop {
                rest = rest.trim_ascii_start();
                if let Some(behind) = rest.strip_prefix(']') {
                    return Some((Self::List(list), behind));
                }
                let (item, behind) = string(rest)?;
                list.push(item);
                let behind = behind.trim_ascii_start();
                rest = match behind.strip_prefix(',') {
                    Some(behind) => behind,
                    None => behind.starts_with(']').then_some(behind)?,
                };
            }
        }
        if text.starts_with(['"', '\'']) {
            let (text, rest) = string(text)?;
            return Some((Self::Text(text), rest));
        }
        let (word, _) = text.split_once('\n').unwrap_or((text, ""));
        let value = match word {
            "true" => Self::Truth(true),
            "false" => Self::Truth(false),
            _ => Self::Number(word.parse().ok()?),
        };
        Some((value, &text[word.len()..]))
    }
}

/// Reads a string of one line; gives what stands behind it.
fn string(text: &str) -> Option<(Cow<'_, str>, &str)> {
    if let Some(text) = text.strip_prefix('\'') {
        let (own, rest) = text.split_once('\'')?;
        return (!own.contains('\n')).then_some((Cow::Borrowed(own), rest));
    }
    let text = text.strip_prefix('"')?;
    let end = memchr::memchr3(b'"', b'\\', b'\n', text.as_bytes())?;
    if text.as_bytes()[end] == b'"' {
        return Some((Cow::Borrowed(&text[..end]), &text[end + 1..]));
    }
    let mut own = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((Cow::Owned(own), &text[at + 1..])),
            '\n' => return None,
            '\\' => own.push(match chars.next()?.1 {
                c @ ('"' | '\\') => c,
                't' => '\t',
                'n' => '\n',
                _ => return None,
            }),
            c => own.push(c),
        }
    }
    None
}

impl<'de> Deserializer<'de> for Value<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Self::Text(text) => text.into_deserializer().deserialize_any(visitor),
            Self::List(list) => SeqDeserializer::new(list.into_iter()).deserialize_any(visitor),
            Self::Truth(truth) => visitor.visit_bool(truth),
            Self::Number(number) => visitor.visit_i32(number),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self {
            Self::Text(text) => visitor.visit_enum(text.into_deserializer()),
            _ => Err(serde::de::Error::invalid_type(Unexpected::Other("no string"), &visitor)),
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

impl<'de> IntoDeserializer<'de, Error> for Value<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: &str =
        "id = \"a\"\ntitle = 't'\ncategory = \"c\"\nfault = \"tls\"\nclient_visible = \"no\"\nhint = \"h\"\n";

    #[test]
    fn what_is_written_plainly_is_read() {
        let text = format!(
            "# Of all.\n\n{HEADER}{KEYS}starts = [\n  \"a \\\"b\\\\\",\n  'c\"',\n]\nregex = '^\\d'\npriority = -3\ncontext = true\n\n[[pattern.match]]\nline = 'x = y'\n\n{HEADER}{KEYS}"
        );
        let patterns = read(&text).unwrap();
        assert_eq!(patterns.len(), 2);
        assert_eq!(patterns[0].starts, ["a \"b\\", "c\""]);
        assert_eq!(patterns[0].regex.as_deref(), Some("^\\d"));
        assert_eq!(
            (patterns[0].priority, patterns[0].context, patterns[0].matches.len()),
            (-3, Some(true), 0)
        );
        assert_eq!((patterns[1].priority, patterns[1].context), (0, None));
    }

    #[test]
    fn what_is_not_plain_is_named() {
        for (line, told) in [
            ("hint = \"\"\"h\n\"\"\"", "not written plainly: hint"),
            ("starts = [\"a\" \"b\"]", "not written plainly: starts"),
            ("priority = 1.5", "not written plainly: priority"),
            ("colour = \"red\"", "unknown field `colour`"),
            ("fault = [\"tls\"]", "duplicate field `fault`"),
        ] {
            let error = read(&format!("{HEADER}{KEYS}{line}\n")).unwrap_err();
            assert!(error.contains(told), "{line}: {error}");
        }
    }
}
