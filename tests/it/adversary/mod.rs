//! Partners that lie. Each has a valid certificate and an approved card, and its log key is the test's: what an honest
//! node believes of it is what it can prove. After every lie honest traffic flows on, the honest log verifies, and
//! nothing is receipted that should not be.

mod answers;
mod cards;
mod caught;
mod deliveries;
mod forks;
mod gossip;
mod hostile;
mod months;
mod not_yet;
mod own_log;
mod people;
mod people_ways;
mod recalls;
mod recipient;
mod referrals;
mod refused;
mod restarts;
mod sender;
mod streams;
mod suspended;

use crate::common::{heard, leads, world};
