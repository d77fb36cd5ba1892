//! nginx's configuration syntax: words, quotes, comments, blocks (`ngx_conf_file.c`).

use crate::error::Error;
use std::path::Path;

/// Deeper blocks than this are no configuration.
const DEEPEST: usize = 256;

/// One directive with its words, and the blocks that it opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Directive {
    pub(super) words: Vec<String>,
    pub(super) line: usize,
    pub(super) block: Option<Vec<Directive>>,
}

impl Directive {
    pub(super) fn name(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }
}

/// What ends a list of words.
enum End {
    Semicolon,
    Open,
    Close,
    File,
}

struct Lexer<'a> {
    text: &'a [u8],
    at: usize,
    line: usize,
    path: &'a Path,
}

/// Reads one file.
pub(super) fn read(text: &[u8], path: &Path) -> Result<Vec<Directive>, Error> {
    let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
    let mut lexer = Lexer { text, at: 0, line: 1, path };
    lexer.block(0)
}

impl Lexer<'_> {
    fn error(&self, line: usize, what: impl Into<String>) -> Error {
        Error::Config { path: self.path.to_path_buf(), line, what: what.into() }
    }

    fn block(&mut self, depth: usize) -> Result<Vec<Directive>, Error> {
        let opened = self.line;
        let mut all = Vec::new();
        loop {
            let (words, line, end) = self.words()?;
            let script = words.first().is_some_and(|name| name.ends_with("_by_lua_block"));
            if let (End::Close | End::File, Some(name)) = (&end, words.first()) {
                return Err(self.error(line, format!("\"{name}\" is not ended by \";\"")));
            }
            let directive = |block| Directive { words, line, block };
            match end {
                End::Semicolon => all.push(directive(None)),
                End::Open if depth >= DEEPEST => return Err(self.error(line, "blocks are nested too deep")),
                End::Open if script => {
                    self.skip_script(line)?;
                    all.push(directive(Some(Vec::new())));
                }
                End::Open => {
                    let block = self.block(depth + 1)?;
                    all.push(directive(Some(block)));
                }
                End::Close if depth == 0 => return Err(self.error(self.line, "\"}\" closes nothing")),
                End::File if depth > 0 => return Err(self.error(opened, "this block is not closed by \"}\"")),
                End::Close | End::File => return Ok(all),
            }
        }
    }

    fn words(&mut self) -> Result<(Vec<String>, usize, End), Error> {
        let (mut words, mut line) = (Vec::new(), self.line);
        loop {
            let Some(&c) = self.text.get(self.at) else { return Ok((words, line, End::File)) };
            self.at += 1;
            match c {
                b'\n' => self.line += 1,
                b' ' | b'\t' | b'\r' => {}
                b';' => return Ok((words, line, End::Semicolon)),
                b'{' => return Ok((words, line, End::Open)),
                b'}' => return Ok((words, line, End::Close)),
                b'#' => {
                    let rest = &self.text[self.at..];
                    self.at += memchr::memchr(b'\n', rest).unwrap_or(rest.len());
                }
                _ => {
                    if words.is_empty() {
                        line = self.line;
                    }
                    self.at -= 1;
                    let word = self.word(c)?;
                    words.push(word);
                }
            }
        }
    }

    fn word(&mut self, first: u8) -> Result<String, Error> {
        let quote = matches!(first, b'"' | b'\'').then_some(first);
        let begun = self.line;
        let mut word = Vec::new();
        self.at += usize::from(quote.is_some());
        loop {
            let Some(&c) = self.text.get(self.at) else {
                return match quote {
                    Some(_) => Err(self.error(begun, "this quote is not closed")),
                    None => Ok(String::from_utf8_lossy(&word).into_owned()),
                };
            };
            match (quote, c) {
                (_, b'\\') => {
                    // Only these are escapes to nginx; the backslash of any other (`\d` in a regex) stays.
                    let next = self.text.get(self.at + 1).copied();
                    match next {
                        Some(n @ (b'"' | b'\'' | b'\\')) => word.push(n),
                        Some(b't') => word.push(b'\t'),
                        Some(b'r') => word.push(b'\r'),
                        Some(b'n') => word.push(b'\n'),
                        Some(n) => word.extend_from_slice(&[b'\\', n]),
                        None => word.push(b'\\'),
                    }
                    self.line += usize::from(next == Some(b'\n'));
                    self.at += 2;
                    continue;
                }
                (Some(q), c) if q == c => {
                    self.at += 1;
                    return Ok(String::from_utf8_lossy(&word).into_owned());
                }
                // `${name}` does not open a block, and a `}` inside a word closes none.
                (None, b'{') if word.last() == Some(&b'$') => {}
                (None, b' ' | b'\t' | b'\r' | b'\n' | b';' | b'{') => {
                    return Ok(String::from_utf8_lossy(&word).into_owned());
                }
                (_, b'\n') => self.line += 1,
                _ => {}
            }
            word.push(c);
            self.at += 1;
        }
    }

    /// Skips a body of Lua, whose braces, quotes and comments are not nginx's (`ngx_http_lua_conf.c` lexes it too).
    fn skip_script(&mut self, opened: usize) -> Result<(), Error> {
        let mut depth = 1;
        while let Some(&c) = self.text.get(self.at) {
            let rest = &self.text[self.at..];
            self.at += 1;
            match c {
                b'\n' => self.line += 1,
                b'{' => depth += 1,
                b'}' => {
                    depth -= 1;
                    if depth == 0 {
                        return Ok(());
                    }
                }
                b'"' | b'\'' => self.skip_lua_string(c),
                b'-' if rest.starts_with(b"--") => {
                    self.at += 1;
                    if !self.skip_long_bracket() {
                        let rest = &self.text[self.at..];
                        self.at += memchr::memchr(b'\n', rest).unwrap_or(rest.len());
                    }
                }
                b'[' => {
                    self.at -= 1;
                    if !self.skip_long_bracket() {
                        self.at += 1;
                    }
                }
                _ => {}
            }
        }
        Err(self.error(opened, "this Lua block is not closed by \"}\""))
    }

    fn skip_lua_string(&mut self, quote: u8) {
        while let Some(&c) = self.text.get(self.at) {
            if c == b'\n' {
                return;
            }
            self.at += 1 + usize::from(c == b'\\');
            if c == quote {
                return;
            }
        }
        self.at = self.text.len();
    }

    /// `[[ ... ]]` or `[=[ ... ]=]`.
    fn skip_long_bracket(&mut self) -> bool {
        let rest = &self.text[self.at..];
        let Some(inner) = rest.strip_prefix(b"[") else { return false };
        let level = inner.iter().take(16).take_while(|&&b| b == b'=').count();
        if inner.get(level) != Some(&b'[') {
            return false;
        }
        let mut close = vec![b'='; level + 2];
        (close[0], close[level + 1]) = (b']', b']');
        let len = memchr::memmem::find(inner, &close).map_or(rest.len(), |at| 1 + at + close.len());
        self.line += memchr::memchr_iter(b'\n', &rest[..len]).count();
        self.at += len;
        true
    }
}
