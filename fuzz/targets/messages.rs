//! gRPC messages: officers' requests, and what nodes say to each other.

use super::{
    input::{Input, discreet},
    payloads::{lead_is_read, notice_is_read, referral_is_read},
    reading::{Carried, REQUESTS, Relayed, relay_request, relay_response},
};
use yichuan::{
    casework::CardReader as _,
    exchange::{CRL_LIMIT, WITNESSED_LIMIT},
    tls::Cards,
};

/// A request: the first byte says of which method.
pub(crate) fn request(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (_, read) = input.pick(REQUESTS);
    match read(input.rest()) {
        Ok(Carried::Nothing) => {}
        Ok(Carried::Lead(fields)) => lead_is_read(bytes, &fields),
        Ok(Carried::ArrestNotice(fields)) => notice_is_read(bytes, &fields),
        Ok(Carried::Referral(fields)) => referral_is_read(bytes, &fields),
        Ok(Carried::Card(card)) => {
            if let Err(said) = Cards.read(&card) {
                discreet(bytes, &said);
            }
        }
        Err(refused) => discreet(bytes, &refused.to_string()),
    }
}

/// A message of a relay stream: the first byte says who opened it. What is understood means the same when sent on.
pub(crate) fn relay(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let read = if input.flag() {
        relay_response
    } else {
        relay_request
    };
    let understood = match read(input.rest()) {
        Ok(understood) => understood,
        Err(refused) => return discreet(bytes, &refused.to_string()),
    };
    if let Relayed::Hello(greeting) | Relayed::Welcome(greeting) = &understood {
        assert!(greeting.crl.len() <= CRL_LIMIT);
        assert!(greeting.witnessed.len() <= WITNESSED_LIMIT);
    }
    let sent = understood.encode();
    let again = read(&sent).expect("our own encoding");
    assert_eq!(again.encode(), sent);
}
