//! Node cards as the desk needs them.

use super::NodeCard;
use crate::{desk::CardReader, exchange::Partner};

/// Reads cards, and keeps development CAs to loopback.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cards;

impl CardReader for Cards {
    fn read(&self, card: &[u8]) -> Result<Partner, String> {
        let card = NodeCard::parse(card).map_err(|error| error.to_string())?;
        card.refuse_dev_outside_loopback()
            .map_err(|error| error.to_string())?;
        Ok(Partner {
            code: card.jurisdiction(),
            name: card.name().to_owned(),
            endpoint: card.endpoint().as_str().to_owned(),
            key: card
                .vkey()
                .parse()
                .map_err(|error| format!("its verifier key: {error}"))?,
            ca: card.authority().der().to_vec(),
        })
    }
}
