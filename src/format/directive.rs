//! nginx' `log_format` text, read as nginx' own configuration lexer reads it, into literals and variables.
//!
//! Accepts the whole directive over several lines, its quoted parameters alone, or the bare text. What the variables
//! look like in a log is not known here.

use crate::error::{Error, Result};

pub mod field;

pub use field::{Field, by_key};

/// One piece of a `log_format`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Bytes that stand in every line.
    Literal(Vec<u8>),
    /// A value.
    Var(Field),
}

/// How nginx escapes values (`escape=`, `ngx_http_log_module.c`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Escape {
    /// `\xXX` for quotes, backslashes, control bytes and bytes from 0x7F.
    #[default]
    Default,
    /// As in a JSON string; bytes from 0x7F stand raw.
    Json,
    /// Nothing is escaped.
    None,
}

impl Escape {
    /// By the word after `escape=`.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "default" => Self::Default,
            "json" => Self::Json,
            "none" => Self::None,
            _ => return None,
        })
    }

    /// The word after `escape=`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Json => "json",
            Self::None => "none",
        }
    }
}

/// What a `log_format` directive says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directive {
    /// The name, where the text had one.
    pub name: Option<String>,
    /// `escape=`, where the text had it.
    pub escape: Option<Escape>,
    /// The text after nginx' lexer: parameters joined without anything between ([`join`]).
    pub text: String,
    /// The text in pieces; literals are merged and never empty.
    pub pieces: Vec<Piece>,
}

fn error<T>(at: usize, what: impl Into<String>) -> Result<T> {
    Err(Error::Directive { what: what.into(), column: at + 1 })
}

/// Reads a whole directive, its parameters, or bare text.
pub fn read(source: &str) -> Result<Directive> {
    let trimmed = source.trim_matches(|c: char| c.is_ascii_whitespace());
    let start = source.len() - source.trim_start_matches(|c: char| c.is_ascii_whitespace()).len();
    let (name, escape, text, origin) = if is_configuration(trimmed) {
        let mut tokens = tokens(trimmed, start)?;
        let quoted_first = tokens.first().is_some_and(|t| t.quoted);
        if tokens.first().is_some_and(|t| !t.quoted && t.text == "log_format") {
            tokens.remove(0);
        }
        let mut tokens = tokens.into_iter().peekable();
        let name = if quoted_first { None } else { tokens.next().map(|t| t.text) };
        let mut escape = None;
        if let Some(token) = tokens.next_if(|t| t.text.starts_with("escape=")) {
            escape = Some(escape_of(&token.text[7..], token.at)?);
        }
        let Some(first) = tokens.peek().map(|t| t.at) else {
            return error(
                start + trimmed.len(),
                "the format itself is missing; write log_format NAME '$remote_addr ...';",
            );
        };
        (name, escape, join(tokens.map(|t| t.text)), first)
    } else {
        (None, None, trimmed.to_owned(), start)
    };
    let pieces = pieces(&text, origin)?;
    if !pieces.iter().any(|p| matches!(p, Piece::Var(_))) {
        return error(
            origin,
            "no $variable in it; write the text of a log_format, such as '$remote_addr [$time_local] \"$request\" $status'",
        );
    }
    Ok(Directive { name, escape, text, pieces })
}

fn escape_of(word: &str, at: usize) -> Result<Escape> {
    Escape::from_name(word).map_or_else(
        || error(at, format!("escape={word} is unknown; write escape=default, escape=json or escape=none")),
        Ok,
    )
}

/// Whether `text` is written in configuration syntax rather than as the bare format. A single quote never starts a
/// bare format in practice; a double quote may (`"$request" $status`), unless there are escaped quotes in it.
fn is_configuration(text: &str) -> bool {
    let word = |s: &str| s.split(|c: char| c.is_ascii_whitespace()).next().unwrap_or("").len();
    let first = word(text);
    if &text[..first] == "log_format" || text.starts_with('\'') {
        return true;
    }
    if text.starts_with('"') {
        return text.contains("\\\"") && text.trim_end_matches([';', ' ']).ends_with('"');
    }
    let after = text[first..].trim_start();
    let name = !text[..first].is_empty()
        && text[..first].bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b));
    name && (after.starts_with("escape=")
        || after.starts_with('\'') && text.trim_end_matches([';', ' ']).ends_with('\''))
}

/// Joins the parameters of a `log_format`. nginx compiles each by itself (`ngx_http_log_compile_format`), so a variable
/// ends with its parameter: `'$request_time' 'ms'` is `${request_time}ms`.
pub(crate) fn join(parameters: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut out = String::new();
    for part in parameters {
        let part = part.as_ref();
        let name = out.len() - out.trim_end_matches(is_name).len();
        let dollar = (out.len() - name).checked_sub(1).filter(|at| name > 0 && out.as_bytes()[*at] == b'$');
        if let Some(at) = dollar.filter(|_| part.starts_with(is_name)) {
            out.insert(at + 1, '{');
            out.push('}');
        }
        out.push_str(part);
    }
    out
}

struct Token {
    text: String,
    quoted: bool,
    at: usize,
}

/// Tokens as `ngx_conf_read_token` (`ngx_conf_file.c`) makes them: in and out of quotes a backslash frees `"`, `'`
/// and itself and makes `\t \r \n`; before anything else it stays. `;` ends the directive, `#` opens a comment.
fn tokens(text: &str, start: usize) -> Result<Vec<Token>> {
    let bytes = text.as_bytes();
    let mut out = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b' ' | b'\t' | b'\r' | b'\n' => at += 1,
            b';' => {
                if let Some(rest) = text[at + 1..].trim_start().chars().next().filter(|c| *c != '#') {
                    return error(
                        start + at,
                        format!(
                            "text after the `;` that ends the directive ({rest:?} ...); give one log_format at a time"
                        ),
                    );
                }
                break;
            }
            b'#' => at += text[at..].find('\n').unwrap_or(text.len() - at),
            quote => {
                let (quoted, begin) = (quote == b'"' || quote == b'\'', at);
                at += usize::from(quoted);
                let mut value = Vec::new();
                loop {
                    let Some(&b) = bytes.get(at) else {
                        if quoted {
                            let q = char::from(quote);
                            return error(
                                start + begin,
                                format!("the quote {q} that opens here is never closed; add {q} at the end"),
                            );
                        }
                        break;
                    };
                    if quoted && b == quote || !quoted && b" \t\r\n;".contains(&b) {
                        break;
                    }
                    let next = bytes.get(at + 1).copied();
                    let freed = match (b, next) {
                        (b'\\', Some(n @ (b'"' | b'\'' | b'\\'))) => Some(n),
                        (b'\\', Some(b't')) => Some(b'\t'),
                        (b'\\', Some(b'r')) => Some(b'\r'),
                        (b'\\', Some(b'n')) => Some(b'\n'),
                        _ => None,
                    };
                    value.push(freed.unwrap_or(b));
                    at += 1 + usize::from(freed.is_some());
                }
                at += usize::from(quoted);
                let text = String::from_utf8_lossy(&value).into_owned();
                out.push(Token { text, quoted, at: start + begin });
            }
        }
    }
    Ok(out)
}

/// Splits the text at its variables, `$name` and `${name}`.
pub(crate) fn pieces(text: &str, origin: usize) -> Result<Vec<Piece>> {
    let bytes = text.as_bytes();
    let mut out = Vec::new();
    let mut literal = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let stop = memchr::memchr(b'$', &bytes[at..]).map_or(bytes.len(), |n| at + n);
        literal.extend_from_slice(&bytes[at..stop]);
        if stop == bytes.len() {
            break;
        }
        let braced = bytes.get(stop + 1) == Some(&b'{');
        let begin = stop + 1 + usize::from(braced);
        let len = bytes[begin..].iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count();
        let end = begin + len;
        if braced && bytes.get(end) != Some(&b'}') {
            return error(origin + stop, "`${` without a closing `}` after the name; write ${name}");
        }
        if len == 0 {
            return error(
                origin + stop,
                "a `$` without a variable's name; nginx has no way to write a bare `$` here",
            );
        }
        if !literal.is_empty() {
            out.push(Piece::Literal(std::mem::take(&mut literal)));
        }
        out.push(Piece::Var(Field::from_variable(&text[begin..end])));
        at = end + usize::from(braced);
    }
    if !literal.is_empty() {
        out.push(Piece::Literal(literal));
    }
    Ok(out)
}

/// Writes pieces back as the bare text of a `log_format`.
pub fn write_text(pieces: &[Piece]) -> String {
    let mut out = String::new();
    for (i, piece) in pieces.iter().enumerate() {
        match piece {
            Piece::Literal(text) => out.push_str(&String::from_utf8_lossy(text)),
            Piece::Var(field) => {
                let name = field.variable();
                let glued = match pieces.get(i + 1) {
                    Some(Piece::Literal(l)) => {
                        l.first().is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_')
                    }
                    _ => false,
                };
                let (open, close) = if glued { ("${", "}") } else { ("$", "") };
                out.extend([open, name, close]);
            }
        }
    }
    out
}

/// Writes a whole directive that nginx, and [`read`], understand.
pub fn write(name: &str, escape: Escape, text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('\'', "\\'").replace('\t', "\\t");
    // nginx takes a first parameter `escape=...` for its own even in quotes; a second one is text.
    let unsaid = escape == Escape::Default && !text.starts_with("escape=");
    let escape = if unsaid { String::new() } else { format!("escape={} ", escape.name()) };
    format!("log_format {name} {escape}'{text}';")
}

#[cfg(test)]
mod tests;
