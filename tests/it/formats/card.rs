//! The example of a node card. Its signature is another each time it is made, so the one that is written stands as long as
//! it verifies and says what would be said now.

use super::{Examples, NOW, blocks, code, witness};
use yichuan::{
    domain::{Clock, Timestamp},
    tls::{Ca, CardFacts, NodeCard, dev},
};

#[derive(Debug)]
struct Then;

impl Clock for Then {
    fn now(&self) -> Timestamp {
        NOW
    }
}

/// What is signed, and the empty line.
fn body(card: &NodeCard) -> &str {
    card.as_str().split_once("signature: ").unwrap().0
}

pub(crate) fn card(examples: &mut Examples) {
    let of_dev = dev::ca(code("520624")).unwrap();
    let facts = CardFacts {
        name: of_dev.name,
        endpoint: &"https://127.0.0.1:7443".parse().unwrap(),
        vkey: &witness().verifier_key().to_string(),
    };
    let ca = Ca::from_pem(of_dev.certificate, of_dev.key).unwrap();
    let made = NodeCard::make(&ca, &facts, &Then).unwrap();
    let written = blocks::blocks(include_str!("../../../docs/FORMATS.md")).unwrap();
    let written = written.get("node-card");
    let written = written.and_then(|block| NodeCard::parse(&block.bytes).ok());
    let card = written.filter(|card| body(card) == body(&made));
    let card = card.unwrap_or(made);
    examples.insert("node-card", card.as_str().as_bytes().to_vec());
}
