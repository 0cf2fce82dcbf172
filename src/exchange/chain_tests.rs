//! Both ends of two streams, in all orders in which what is shown may arrive.

use super::{super::DisclosedTrees, *};
use crate::{
    domain::Jurisdiction,
    exchange::verify_links,
    merkle::{self, NodeReader, consistency_proof},
    note::LogSigner,
};
use proptest::prelude::*;
use std::{
    collections::{BTreeSet, VecDeque},
    convert::Infallible,
    sync::Arc,
};

/// Deliveries or answers under way at most.
const UNDER_WAY: usize = 8;

struct Nodes<'a>(&'a [Hash]);

impl NodeReader for Nodes<'_> {
    type Error = Infallible;

    fn node(&self, level: u8, index: u64) -> Result<Hash, Infallible> {
        if level == 0 {
            return Ok(self.0[usize::try_from(index).unwrap()]);
        }
        let left = self.node(level - 1, index * 2)?;
        Ok(merkle::node_hash(
            &left,
            &self.node(level - 1, index * 2 + 1)?,
        ))
    }
}

/// A message on its way: its checkpoint, links, and the size that the other side named when it was sent.
struct Message {
    checkpoint: Arc<SignedCheckpoint>,
    base: u64,
    links: Vec<Link>,
}

/// The owner of a log, and one history of it.
struct Owner {
    signer: LogSigner,
    leaves: Vec<Hash>,
    shown: DisclosedTrees,
    /// What each stream showed last.
    bases: [u64; 2],
    under_way: [VecDeque<Message>; 2],
}

fn code() -> Jurisdiction {
    "440000".parse().unwrap()
}

const LANES: [Lane; 2] = [Lane::Deliveries, Lane::Answers];

impl Owner {
    fn new() -> Self {
        Self {
            signer: LogSigner::from_seed("440000.yichuan/log/1", &[7; 32]).unwrap(),
            leaves: Vec::new(),
            shown: DisclosedTrees::default(),
            bases: [0; 2],
            under_way: [VecDeque::new(), VecDeque::new()],
        }
    }

    fn grow(&mut self, with: &[u8]) {
        self.leaves.push(merkle::leaf_hash(with));
    }

    fn root(&self, size: u64) -> Hash {
        merkle::root_at(&Nodes(&self.leaves), size).unwrap()
    }

    fn show(&mut self, lane: usize) {
        if self.under_way[lane].len() >= UNDER_WAY {
            return;
        }
        let size = self.leaves.len() as u64;
        let signed = Arc::new(self.signer.sign(size, self.root(size)));
        let (checkpoint, sizes): (_, BTreeSet<u64>) =
            self.shown.show(code(), LANES[lane], || Arc::clone(&signed));
        let link = |&at: &u64| Link {
            size: at,
            root: self.root(at),
            consistency: consistency_proof(&Nodes(&self.leaves), at, size).unwrap(),
        };
        let message = Message {
            checkpoint,
            base: self.bases[lane],
            links: sizes
                .iter()
                .filter(|at| (1..=size).contains(*at))
                .map(link)
                .collect(),
        };
        self.bases[lane] = size;
        self.under_way[lane].push_back(message);
    }
}

/// Who reads what it shows.
#[derive(Default)]
struct Reader {
    chain: TreeChain,
    numbers: [u64; 2],
}

impl Reader {
    fn newest(&self) -> u64 {
        self.chain.newest().map_or(0, |(newest, _)| newest.size)
    }

    fn open(&mut self, owner: &mut Owner, lane: usize) {
        self.numbers[lane] = self.chain.open(LANES[lane], owner.signer.origin());
        owner.under_way[lane].clear();
        owner.bases[lane] = self.newest();
        owner.shown.open(code(), LANES[lane], self.newest());
    }

    fn read(&mut self, owner: &mut Owner, lane: usize) -> Option<Result<(), TreeFault>> {
        let message = owner.under_way[lane].pop_front()?;
        let signed = &message.checkpoint;
        assert_eq!(message.base, self.chain.lanes(LANES[lane]).0.last);
        verify_links(signed, &message.links).unwrap();
        Some(
            self.chain
                .take(LANES[lane], self.numbers[lane], signed, &message.links),
        )
    }
}

#[derive(Clone, Debug)]
enum Move {
    Grow,
    Show(usize),
    Read(usize),
    /// What the reader verified is on its way back.
    Name,
    /// And arrives.
    Hear,
    Open(usize),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let lane = 0..2_usize;
    let one = prop_oneof![
        6 => Just(Move::Grow),
        6 => lane.clone().prop_map(Move::Show),
        6 => lane.clone().prop_map(Move::Read),
        3 => Just(Move::Name),
        3 => Just(Move::Hear),
        1 => lane.prop_map(Move::Open),
    ];
    prop::collection::vec(one, 1..400)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn an_honest_log_is_taken_in_whatever_order_its_two_streams_arrive(moves in moves()) {
        let (mut owner, mut reader) = (Owner::new(), Reader::default());
        let mut named = VecDeque::new();
        (0..2).for_each(|lane| reader.open(&mut owner, lane));
        for (nth, step) in moves.into_iter().enumerate() {
            match step {
                Move::Grow => owner.grow(&nth.to_be_bytes()),
                Move::Show(lane) => owner.show(lane),
                Move::Name => named.push_back(reader.newest()),
                Move::Hear => {
                    if let Some(size) = named.pop_front() {
                        owner.shown.verified(code(), size);
                    }
                }
                Move::Open(lane) => reader.open(&mut owner, lane),
                Move::Read(lane) => {
                    if let Some(taken) = reader.read(&mut owner, lane) {
                        prop_assert!(taken.is_ok(), "{taken:?}");
                    }
                }
            }
        }
        while let Some(taken) = reader.read(&mut owner, 0).or_else(|| reader.read(&mut owner, 1)) {
            prop_assert!(taken.is_ok(), "{taken:?}");
        }
    }

    /// Each stream has a history of its own, and links what it likes of it.
    #[test]
    fn of_two_histories_one_is_taken_in_whatever_order_they_are_shown(
        moves in moves(),
        common in 0..6_usize,
    ) {
        let mut reader = Reader::default();
        let mut owners = [Owner::new(), Owner::new()];
        let mut taken = [false; 2];
        for (lane, owner) in owners.iter_mut().enumerate() {
            (0..common).for_each(|nth| owner.grow(&nth.to_be_bytes()));
            owner.grow(format!("history {lane}").as_bytes());
            reader.open(owner, lane);
        }
        for (nth, step) in moves.into_iter().enumerate() {
            match step {
                Move::Grow => owners[nth % 2].grow(&nth.to_be_bytes()),
                Move::Show(lane) => {
                    // It pretends to have shown all of it on the other stream too.
                    let size = owners[lane].leaves.len() as u64;
                    let of_it = &owners[lane];
                    let signed = Arc::new(of_it.signer.sign(size, of_it.root(size)));
                    of_it.shown.show(code(), LANES[1 - lane], || signed);
                    owners[lane].show(lane);
                }
                Move::Read(lane) => {
                    let read = reader.read(&mut owners[lane], lane);
                    if matches!(read, Some(Ok(()))) {
                        taken[lane] = true;
                    } else if read.is_some() {
                        owners[lane].under_way[lane].clear();
                        owners[lane].bases[lane] = reader.chain.lanes(LANES[lane]).0.last;
                    }
                }
                Move::Name | Move::Hear | Move::Open(_) => {}
            }
        }
        prop_assert_ne!(taken, [true; 2]);
    }
}
