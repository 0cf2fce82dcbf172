//! Structure in a fuzzer's bytes, and what no message may say of them.

/// Bytes to be taken from the front. Where they run out come zeros and nothing, so that every input means something.
pub(crate) struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// At most so many bytes.
    pub(crate) fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }

    pub(crate) fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut array = [0; N];
        let taken = self.take(N);
        array[..taken.len()].copy_from_slice(taken);
        array
    }

    pub(crate) fn byte(&mut self) -> u8 {
        u8::from_be_bytes(self.array())
    }

    pub(crate) fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    pub(crate) fn short(&mut self) -> usize {
        usize::from(u16::from_be_bytes(self.array()))
    }

    pub(crate) fn number(&mut self) -> u64 {
        u64::from_be_bytes(self.array())
    }

    /// Bytes behind their length.
    pub(crate) fn piece(&mut self) -> &'a [u8] {
        let length = self.short();
        self.take(length)
    }

    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.0
    }

    /// One of several.
    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[usize::from(self.byte()) % of.len()]
    }
}

/// Changes a buffer as the input says: one byte, a cut, an insertion, or nothing.
pub(crate) fn edit(input: &mut Input<'_>, bytes: &mut Vec<u8>) {
    let (what, at) = (input.byte(), input.short());
    let at = at % (bytes.len() + 1);
    match what % 5 {
        0 => {}
        1 => {
            let mask = input.byte();
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= mask;
            }
        }
        2 => bytes.truncate(at),
        3 => {
            let more = input.piece();
            bytes.splice(at..at, more.iter().copied());
        }
        _ => *bytes = input.piece().to_vec(),
    }
}

/// Digits in a row that may be somebody's number. Codes of jurisdictions have six.
const NUMBER_DIGITS: usize = 7;
/// What messages show as examples, which an input may hold by chance.
const EXAMPLES: [&str; 2] = [
    "0198c6de-7f3a-7cc0-b0f3-0123456789ab",
    "线索编号, 姓名, 公民身份号码",
];
/// Characters of a name or a place in a row. The words for urgencies, which messages explain, have two.
const NAME_CHARS: usize = 3;

/// What is said about an input repeats nothing of it that may be about a person: an error is kept in logs, and shown to
/// people who may not read what it is about.
pub(crate) fn discreet(input: &[u8], said: &str) {
    let said = EXAMPLES
        .iter()
        .fold(said.to_owned(), |said, example| said.replace(example, ""));
    let numbers = said.split(|c: char| !c.is_ascii_digit());
    for run in numbers.filter(|run| run.len() >= NUMBER_DIGITS) {
        not_repeated(input, run, &said);
    }
    nameless(input, &said);
}

/// As [`discreet`], of what is said about entries and trees: indexes, sizes and versions are numbers of the protocol.
pub(crate) fn nameless(input: &[u8], said: &str) {
    let names = said.split(|c: char| c.is_ascii() || !c.is_alphabetic());
    for run in names.filter(|run| run.chars().count() >= NAME_CHARS) {
        not_repeated(input, run, said);
    }
}

fn not_repeated(input: &[u8], run: &str, said: &str) {
    let repeated = input.windows(run.len()).any(|part| part == run.as_bytes());
    assert!(!repeated, "the message repeats {run:?}: {said}");
}
