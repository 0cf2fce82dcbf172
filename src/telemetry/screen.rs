//! The only way to this process's stdout and stderr: only printable characters get through.

use crate::domain::{is_printable, is_selector_of};
use anstream::AutoStream;
use std::{
    io::{self, BufWriter, Stderr, Stdout, Write},
    mem,
};

/// How unprintable characters are shown. In JSON they occur only within strings, so the escape can be inserted into
/// finished text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Escape {
    /// `\u{202e}`.
    Text,
    /// `\u202e`, as a pair for code points beyond 16 bits.
    Json,
}

/// Lets printable characters and line ends through, and escapes everything else, wherever it comes from: nothing in a
/// partner's message, a file or a name can move the cursor, change colours, reorder or hide text. Bytes that are not
/// UTF-8 become U+FFFD.
#[derive(Debug)]
pub(crate) struct Screen<W> {
    inner: W,
    escape: Escape,
    /// The beginning of a character that was cut between two writes.
    part: Vec<u8>,
    /// The character before.
    before: char,
}

impl<W: Write> Screen<W> {
    /// A screen in front of `inner`.
    pub(crate) const fn new(inner: W, escape: Escape) -> Self {
        Self {
            inner,
            escape,
            part: Vec::new(),
            before: ' ',
        }
    }

    /// Bypasses the screen: for this program's own styling.
    pub(crate) const fn unscreened(&mut self) -> &mut W {
        &mut self.inner
    }

    fn text(&mut self, text: &str) -> io::Result<()> {
        let mut from = 0;
        for (at, c) in text.char_indices() {
            let fits = c == '\n' || is_printable(c) || is_selector_of(self.before, c);
            self.before = c;
            if !fits {
                let before = text.get(from..at).unwrap_or_default();
                self.inner.write_all(before.as_bytes())?;
                self.escaped(c)?;
                from = at + c.len_utf8();
            }
        }
        let rest = text.get(from..).unwrap_or_default();
        self.inner.write_all(rest.as_bytes())
    }

    fn escaped(&mut self, c: char) -> io::Result<()> {
        match self.escape {
            Escape::Text => write!(self.inner, "{}", c.escape_default()),
            Escape::Json => c
                .encode_utf16(&mut [0; 2])
                .iter()
                .try_for_each(|unit| write!(self.inner, "\\u{unit:04x}")),
        }
    }
}

impl<W: Write> Write for Screen<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut all = mem::take(&mut self.part);
        all.extend_from_slice(bytes);
        let mut chunks = all.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            self.text(chunk.valid())?;
            let wrong = chunk.invalid();
            let is_cut = chunks.peek().is_none()
                && std::str::from_utf8(wrong).is_err_and(|error| error.error_len().is_none());
            if is_cut {
                self.part = wrong.to_vec();
            } else if !wrong.is_empty() {
                self.inner.write_all("\u{fffd}".as_bytes())?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// This process's stdout, buffered: flush it.
pub(crate) fn stdout(escape: Escape) -> Screen<BufWriter<Stdout>> {
    Screen::new(BufWriter::new(io::stdout()), escape)
}

/// This process's stdout, line by line: for output that is read while it is produced.
pub(crate) fn stdout_by_line() -> Screen<Stdout> {
    Screen::new(io::stdout(), Escape::Text)
}

/// This process's stderr. Without styling if it is not a terminal or `NO_COLOR` is set.
pub(crate) fn stderr() -> Screen<AutoStream<Stderr>> {
    Screen::new(anstream::stderr(), Escape::Text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(writes: &[&[u8]], escape: Escape) -> String {
        let mut out = Vec::new();
        let mut screen = Screen::new(&mut out, escape);
        for bytes in writes {
            screen.write_all(bytes).unwrap();
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn regression_a_text_of_others_cannot_print_a_green_verdict() {
        let text = "开始\u{1b}[32mverified\u{1b}[0m\r\u{202e}\u{e0041}\t末\n";
        assert_eq!(
            shown(&[text.as_bytes()], Escape::Text),
            "开始\\u{1b}[32mverified\\u{1b}[0m\\r\\u{202e}\\u{e0041}\\t末\n"
        );
        let json = serde_json::to_string(text).unwrap();
        let json = shown(&[json.as_bytes()], Escape::Json);
        assert!(json.chars().all(is_printable), "{json}");
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }

    #[test]
    fn a_character_that_is_cut_between_writes_is_whole_again() {
        let text = "甲\u{202e}乙𠀀\u{e0100}".as_bytes();
        let bytes: Vec<_> = text.chunks(1).collect();
        assert_eq!(shown(&bytes, Escape::Text), "甲\\u{202e}乙𠀀\u{e0100}");
        assert_eq!(
            shown(&[b"\xffa\xe4\xb8b"], Escape::Text),
            "\u{fffd}a\u{fffd}b"
        );
    }
}
