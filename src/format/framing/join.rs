//! Joins lines that a container runtime delivered in parts.

use super::{Stream, Unwrapped};

/// Longest line that is put together; the rest of a longer one is dropped, and said to be.
const LONGEST_LINE: usize = 1024 * 1024;

#[derive(Debug, Default)]
struct Held {
    text: Vec<u8>,
    done: bool,
    cut: bool,
}

/// Holds the parts of unfinished lines, one for each stream.
#[derive(Debug, Default)]
pub struct Joiner {
    held: [Held; 3],
}

impl Joiner {
    /// Takes one unwrapped line: gives the whole line when it is complete, and whether it had to be cut.
    pub fn push<'a>(&'a mut self, part: &Unwrapped<'a>) -> Option<(&'a [u8], bool)> {
        let held = &mut self.held[match part.stream {
            None => 0,
            Some(Stream::Stdout) => 1,
            Some(Stream::Stderr) => 2,
        }];
        if std::mem::take(&mut held.done) {
            held.text.clear();
            held.cut = false;
        }
        if held.text.is_empty() && !part.partial {
            return Some((part.payload, false));
        }
        let room = LONGEST_LINE - held.text.len().min(LONGEST_LINE);
        held.cut |= part.payload.len() > room;
        held.text.extend_from_slice(&part.payload[..part.payload.len().min(room)]);
        if part.partial {
            return None;
        }
        held.done = true;
        Some((&held.text, held.cut))
    }

    /// What is left of a line of `stream` whose end never came.
    pub fn rest(&mut self, stream: Option<Stream>) -> Option<Vec<u8>> {
        let held = &mut self.held[match stream {
            None => 0,
            Some(Stream::Stdout) => 1,
            Some(Stream::Stderr) => 2,
        }];
        let text = std::mem::take(&mut held.text);
        (!std::mem::take(&mut held.done) && !text.is_empty()).then_some(text)
    }
}
