//! The fenced examples of a Markdown document.

use std::collections::BTreeMap;

/// An example as it stands in the document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// Where its fence is, counted from 1.
    pub(crate) line: usize,
    /// What it says.
    pub(crate) bytes: Vec<u8>,
}

/// Every fenced block by the name in its info string, which is `text <name>` or `hex <name>`.
///
/// Hex is read generously, so that it can be annotated: blanks count for nothing, `#` begins a comment, and `"…"` is the
/// text in it, in which `\n` is a line feed and `\0` a zero byte.
///
/// # Errors
/// A fence that is left open or has no name, a name used twice, or hex that is none.
pub(crate) fn blocks(document: &str) -> Result<BTreeMap<String, Block>, String> {
    let mut found = BTreeMap::new();
    let mut lines = (1..).zip(document.lines());
    while let Some((line, text)) = lines.next() {
        let Some(info) = text.strip_prefix("```") else {
            continue;
        };
        let mut body = String::new();
        loop {
            match lines.next() {
                Some((_, "```")) => break,
                Some((_, text)) => body.extend([text, "\n"]),
                None => return Err(format!("line {line}: the fence is left open")),
            }
        }
        let (bytes, name) = match info.split_once(' ') {
            Some(("text", name)) => (Some(body.into_bytes()), name),
            Some(("hex", name)) => (hex_bytes(&body), name),
            Some(_) | None => return Err(format!("line {line}: neither text nor hex with a name")),
        };
        let bytes = bytes.ok_or_else(|| format!("line {line}: {name} is not hex"))?;
        if found
            .insert(name.to_owned(), Block { line, bytes })
            .is_some()
        {
            return Err(format!("line {line}: there is another {name}"));
        }
    }
    Ok(found)
}

fn hex_bytes(body: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for line in body.lines() {
        let mut rest = line;
        while let Some(first) = rest.chars().next() {
            match first {
                '#' => break,
                ' ' => rest = &rest[1..],
                '"' => {
                    let (text, after) = rest[1..].split_once('"')?;
                    let text = text.replace("\\n", "\n").replace("\\0", "\0");
                    bytes.extend_from_slice(text.as_bytes());
                    rest = after;
                }
                _ => {
                    let (digits, after) = rest.split_at_checked(2)?;
                    bytes.extend(hex::decode(digits).ok()?);
                    rest = after;
                }
            }
        }
    }
    Some(bytes)
}

#[test]
fn blocks_are_read_by_name() {
    let document = "a\n```hex one\n0102 \"x\\n\" # text\n\n ff\n```\nb\n```text two\na # b\n```\n";
    let found = blocks(document).unwrap();
    assert_eq!(found["one"].bytes, [1, 2, b'x', b'\n', 0xff]);
    assert_eq!(found["two"].bytes, b"a # b\n");
    assert_eq!((found["one"].line, found["two"].line), (2, 8));
}

#[test]
fn blocks_that_nothing_could_check_are_refused() {
    for document in [
        "```\nfree\n```\n",
        "```text\nfree\n```\n",
        "```rust one\nfree\n```\n",
        "```text one\nfree\n",
        "```hex one\n0\n```\n",
        "```hex one\n0g\n```\n",
        "```hex one\n\"x\n```\n",
        "```text one\n```\n```text one\n```\n",
    ] {
        assert!(blocks(document).is_err(), "{document}");
    }
}
