//! A log's size and root, as text (C2SP tlog-checkpoint).

use super::line::check_name;
use crate::merkle::Hash;
use base64::{Engine, engine::general_purpose::STANDARD};

/// The head of a log, without a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's permanent name.
    pub origin: String,
    /// How many entries it has.
    pub size: u64,
    /// The root of the tree over them.
    pub root: Hash,
}

impl Checkpoint {
    /// The text to sign: origin, size and root (base64), one line each.
    pub fn body(&self) -> String {
        format!(
            "{}\n{}\n{}\n",
            self.origin,
            self.size,
            STANDARD.encode(self.root.as_bytes())
        )
    }

    /// Parses only what [`Checkpoint::body`] writes, with an origin that can name a key. Extension lines are refused:
    /// nothing here understands any, and nobody can audit them.
    pub(super) fn parse(body: &str) -> Option<Self> {
        let mut lines = body.split('\n');
        let (origin, size, root) = (lines.next()?, lines.next()?, lines.next()?);
        let root = Hash::from_slice(&STANDARD.decode(root).ok()?).ok()?;
        let parsed = Self {
            origin: origin.to_owned(),
            size: size.parse().ok()?,
            root,
        };
        (check_name(origin).is_ok() && parsed.body() == body).then_some(parsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// C2SP tlog-checkpoint, the example.
    const BODY: &str = "example.com/behind-the-sofa\n\
        20852163\n\
        CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";

    #[test]
    fn the_text_of_the_specification_is_read_and_written() {
        let checkpoint = Checkpoint::parse(BODY).unwrap();
        assert_eq!(checkpoint.origin, "example.com/behind-the-sofa");
        assert_eq!(checkpoint.size, 20_852_163);
        assert!(checkpoint.root.to_string().starts_with("0ac5186a91863e8e"));
        assert_eq!(checkpoint.body(), BODY);
    }

    #[test]
    fn another_spelling_is_another_text_and_refused() {
        for (from, to) in [
            ("20852163", "020852163"),
            ("20852163", "+20852163"),
            ("20852163", "-1"),
            ("20852163", "18446744073709551616"),
            ("20852163", ""),
            ("q2I=\n", "q2I=\nextension\n"),
            ("q2I=\n", "q2I=\n\n"),
            ("q2I=\n", "q2I="),
            ("q2I=\n", "q2J=\n"),
            ("q2I=\n", "q2I\n"),
            ("q2I=\n", "\n"),
            ("example.com/behind-the-sofa", ""),
            ("sofa\n", "sofa\r\n"),
            (BODY, ""),
        ] {
            assert_eq!(
                Checkpoint::parse(&BODY.replace(from, to)),
                None,
                "{from:?} as {to:?}"
            );
        }
    }
}
