//! Text in the encodings that spreadsheet programs write: UTF-8 with or without a mark, UTF-16 with one, GB18030.

use encoding_rs::{Decoder, DecoderResult, Encoding, GB18030, UTF_8, UTF_16BE, UTF_16LE};

/// This many well-formed UTF-8 characters beyond ASCII are no coincidence: bytes of GB18030 hardly ever form one.
const SURELY_UTF_8: usize = 8;
/// How much is decoded at once, in bytes.
const PIECE_BYTES: usize = 16 * 1024;

/// The bytes of a text, and their encoding.
pub(super) struct Text {
    bytes: Vec<u8>,
    encoding: &'static Encoding,
}

impl Text {
    /// Determines the encoding: by the byte order mark, else UTF-8 if all of it is valid, else GB18030. A text that is
    /// UTF-8 except for a stray byte stays UTF-8, so that the byte is reported and not read as characters of another
    /// encoding.
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        let encoding = match bytes.as_slice() {
            [0xef, 0xbb, 0xbf, ..] => UTF_8,
            [0xff, 0xfe, ..] => UTF_16LE,
            [0xfe, 0xff, ..] => UTF_16BE,
            bytes => match std::str::from_utf8(bytes) {
                Ok(_) => UTF_8,
                Err(error) => {
                    let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
                    // Bytes that begin a character.
                    let beyond_ascii = valid.iter().filter(|byte| **byte >= 0xc0);
                    if beyond_ascii.count() >= SURELY_UTF_8 {
                        UTF_8
                    } else {
                        GB18030
                    }
                }
            },
        };
        Self { bytes, encoding }
    }

    /// The encoding's name.
    pub(super) fn encoding(&self) -> &'static str {
        match self.encoding.name() {
            "gb18030" => "GB18030",
            name => name,
        }
    }

    /// Its pieces, decoded one after the other.
    pub(super) fn pieces(&self) -> Pieces<'_> {
        Pieces {
            rest: &self.bytes,
            decoder: self.encoding.new_decoder_with_bom_removal(),
            state: State::Reading,
            buffer: vec![0; PIECE_BYTES].into_boxed_slice(),
        }
    }
}

/// A text, decoded piece by piece.
pub(super) struct Pieces<'a> {
    rest: &'a [u8],
    decoder: Decoder,
    state: State,
    buffer: Box<[u8]>,
}

#[derive(Clone, Copy)]
enum State {
    Reading,
    Malformed,
    Done,
}

/// Bytes that are invalid in the text's encoding.
#[derive(Debug)]
pub(super) struct Malformed;

impl Pieces<'_> {
    /// The next piece, as UTF-8; `None` after the last. The text before malformed bytes is returned first.
    pub(super) fn next(&mut self) -> Result<Option<&[u8]>, Malformed> {
        loop {
            match self.state {
                State::Done => return Ok(None),
                State::Malformed => return Err(Malformed),
                State::Reading => {}
            }
            let (result, read, written) =
                self.decoder
                    .decode_to_utf8_without_replacement(self.rest, &mut self.buffer, true);
            self.rest = self.rest.get(read..).unwrap_or_default();
            self.state = match result {
                DecoderResult::InputEmpty => State::Done,
                DecoderResult::OutputFull => State::Reading,
                DecoderResult::Malformed(..) => State::Malformed,
            };
            if written > 0 {
                return Ok(self.buffer.get(..written));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> (&'static str, Option<String>) {
        let text = Text::new(bytes.to_vec());
        let mut pieces = text.pieces();
        let mut all = Vec::new();
        let read = loop {
            match pieces.next() {
                Ok(Some(piece)) => all.extend_from_slice(piece),
                Ok(None) => break Some(String::from_utf8(all).unwrap()),
                Err(Malformed) => break None,
            }
        };
        (text.encoding(), read)
    }

    #[test]
    fn each_encoding_is_known_by_its_bytes() {
        let said = "线索编号,姓名,性别,备注\r\n".repeat(3_000) + "龘㐂𠮷";
        let said = said.as_str();
        let some = |encoding| (encoding, Some(said.to_owned()));
        assert_eq!(read(said.as_bytes()), some("UTF-8"));
        assert_eq!(read(format!("\u{feff}{said}").as_bytes()), some("UTF-8"));
        assert_eq!(read(&GB18030.encode(said).0), some("GB18030"));
        let utf_16 = |mark: [u8; 2], bytes: fn(u16) -> [u8; 2]| {
            let body = said.encode_utf16().flat_map(bytes);
            mark.into_iter().chain(body).collect::<Vec<u8>>()
        };
        assert_eq!(
            read(&utf_16([0xff, 0xfe], u16::to_le_bytes)),
            some("UTF-16LE")
        );
        assert_eq!(
            read(&utf_16([0xfe, 0xff], u16::to_be_bytes)),
            some("UTF-16BE")
        );
    }

    #[test]
    fn a_stray_byte_is_found_and_not_read_as_another_encoding() {
        let mut bytes = "线索编号,姓名,性别,备注\r\n".repeat(3).into_bytes();
        bytes[40] = 0xff;
        assert_eq!(read(&bytes), ("UTF-8", None));
        let cut = "线索编号,姓名,性别,备注".as_bytes();
        assert_eq!(read(&cut[..cut.len() - 1]), ("UTF-8", None));
        assert_eq!(read(b"\xd0\xd5\xc3\xfb,\xff"), ("GB18030", None));
    }
}
