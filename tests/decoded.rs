//! What messages come to in memory. Two bytes on the wire, an element that says nothing, may be a hundred in memory: each
//! message of each service is sent as full of nothing as its limits allow, and more than that, and what is held while it is
//! read is counted by the allocator. The figures in RELIABILITY.md are these.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "helpers of tests: a panic is a failed test"
)]

#[path = "../fuzz/targets/reading.rs"]
#[expect(dead_code, reason = "the fuzzer calls the rest of it")]
mod reading;

use bytes::Bytes;
use futures_util::FutureExt as _;
use http_body::Frame;
use http_body_util::StreamBody;
use peak_alloc::PeakAlloc;
use prost::{Message, Name, encoding::encode_varint};
use prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorSet,
    field_descriptor_proto::{Label, Type},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    fs,
    path::Path,
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
};
use tonic::{
    Status, Streaming,
    codec::{Codec as _, Decoder as _},
};
use yichuan::{
    entry::{Entry, LEAF_LIMIT, Plaintext},
    rpc::{
        MAX_MESSAGE, MAX_REQUEST,
        codec::{CARRIED, Counted, NODE_BUDGET, PERSON_BUDGET},
        pb,
    },
};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// The allocator counts for the whole process.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    LazyLock::force(&CARRIED);
    turn
}

/// What is held beyond what was held before, at most, while this is done.
fn held<T>(doing: impl FnOnce() -> T) -> (usize, T) {
    ALLOCATOR.reset_peak_usage();
    let before = ALLOCATOR.current_usage();
    let done = doing();
    (ALLOCATOR.peak_usage().saturating_sub(before), done)
}

static DESCRIPTOR: LazyLock<FileDescriptorSet> =
    LazyLock::new(|| FileDescriptorSet::decode(pb::DESCRIPTOR).unwrap());

fn message(name: &str) -> &'static DescriptorProto {
    let name = name.rsplit('.').next().unwrap();
    let mut all = DESCRIPTOR.file.iter().flat_map(|file| &file.message_type);
    all.find(|message| message.name() == name).unwrap()
}

/// Reads one message as a node or a command reads it: off a stream, in the pieces in which HTTP/2 brings them. Says how much
/// was held, the encoding included.
type Read = fn(&[u8]) -> (usize, Result<(), Status>);

fn read<M: Message + Name + Default + Send + 'static>(
    encoded: &[u8],
) -> (usize, Result<(), Status>) {
    let mut stream = Vec::new();
    let mut say = |message: &[u8]| {
        stream.push(0);
        stream.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
        stream.extend(message);
    };
    // Nothing else is read before a hello.
    let relayed = [pb::RelayRequest::NAME, pb::RelayResponse::NAME].contains(&M::NAME);
    if relayed {
        say(&[0x0a, 0]);
    }
    say(encoded);
    let pieces: Vec<_> = stream
        .chunks(16 * 1024)
        .map(|piece| Ok::<_, Infallible>(Frame::data(Bytes::copy_from_slice(piece))))
        .collect();
    let body = StreamBody::new(futures_util::stream::iter(pieces));
    let decoder = Counted::<M, M>::default().decoder();
    _ = decoder.buffer_settings();
    let most = longest(M::NAME);
    let mut streaming = Streaming::new_request(decoder, body, None, Some(most));
    if relayed {
        streaming.message().now_or_never().unwrap().unwrap();
    }
    let (held, read) = held(|| streaming.message().now_or_never().unwrap());
    (held, read.map(drop))
}

macro_rules! messages {
    ($($message:ident)*) => {
        const MESSAGES: &[(&str, Read)] = &[$((stringify!($message), read::<pb::$message>),)*];
    };
}

messages! {
    PushRecordsRequest PushRecordsResponse ListRecordsRequest ListRecordsResponse ShowRecordRequest ShowRecordResponse
    ActOnRecordRequest ActionTaken AssignRecordRequest AssignRecordResponse
    OpenReferralRequest ApproveRecordRequest ActOnRecordRequest ActionTaken ListRecordsRequest
    ListRecordsResponse ShowRecordRequest ShowRecordResponse WatchRecordsRequest WatchRecordsResponse
    PushRecordsRequest PushRecordsResponse ListRecordsRequest ListRecordsResponse ShowRecordRequest ShowRecordResponse
    ProposePartnerRequest ApprovePartnerRequest PartnerSummary ListPartnersRequest ListPartnersResponse
    SuspendPartnerRequest DraftPartnerChangeRequest ApprovePartnerChangeRequest PartnerChanged
    GetCheckpointRequest GetCheckpointResponse ReplayRequest ReplayResponse ProveInclusionRequest
    ProveInclusionResponse ProveConsistencyRequest ProveConsistencyResponse
    RelayRequest RelayResponse
}

/// A request of a person.
fn of_a_person(name: &str) -> bool {
    name.ends_with("Request") && name != pb::RelayRequest::NAME
}

fn longest(name: &str) -> usize {
    if of_a_person(name) {
        MAX_REQUEST
    } else {
        MAX_MESSAGE
    }
}

fn budget(name: &str) -> usize {
    if of_a_person(name) {
        PERSON_BUDGET
    } else {
        NODE_BUDGET
    }
}

type Step = (&'static DescriptorProto, &'static FieldDescriptorProto);

fn is_repeated(field: &FieldDescriptorProto) -> bool {
    field.label() == Label::Repeated
}

/// The way to each repeated field in a message, itself the last step.
fn ways(of: &'static DescriptorProto, so_far: &[Step], found: &mut Vec<Vec<Step>>) {
    for field in &of.field {
        let mut way = so_far.to_vec();
        way.push((of, field));
        if is_repeated(field) {
            found.push(way.clone());
        }
        if field.r#type() == Type::Message {
            ways(message(field.type_name()), &way, found);
        }
    }
}

fn full_name((of, field): &Step) -> String {
    format!("{}.{}", of.name(), field.name())
}

fn most(step: &Step) -> usize {
    CARRIED.most(&full_name(step)).unwrap()
}

fn length_delimited(field: &FieldDescriptorProto, content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_varint(u64::from(field.number() as u32) << 3 | 2, &mut bytes);
    encode_varint(content.len() as u64, &mut bytes);
    bytes.extend(content);
    bytes
}

/// So many elements of a field that say nothing, one by one or packed.
fn nothing(field: &FieldDescriptorProto, count: usize, packed: bool) -> Vec<u8> {
    let number = u64::from(field.number() as u32) << 3;
    if matches!(field.r#type(), Type::String | Type::Bytes | Type::Message) {
        return length_delimited(field, &[]).repeat(count);
    }
    if packed {
        return length_delimited(field, &vec![0; count]);
    }
    let mut one = Vec::new();
    encode_varint(number, &mut one);
    one.push(0);
    one.repeat(count)
}

/// A message in which the last field of the way stands so often, and those that it stands in as often as they may.
fn along(way: &[Step], count: usize, packed: bool, longest: usize) -> Vec<u8> {
    let (last, outer) = way.split_last().unwrap();
    let mut bytes = nothing(last.1, count, packed);
    for step in outer.iter().rev() {
        bytes = length_delimited(step.1, &bytes);
        if is_repeated(step.1) {
            let copies = (longest / 2 / bytes.len()).clamp(1, most(step));
            bytes = bytes.repeat(copies);
        }
    }
    bytes
}

#[test]
fn every_message_of_every_service_is_read_here() {
    let services = DESCRIPTOR.file.iter().flat_map(|file| &file.service);
    let methods = services.flat_map(|service| &service.method);
    let types = methods.flat_map(|method| [method.input_type(), method.output_type()]);
    let spoken: BTreeSet<_> = types.map(|name| message(name).name()).collect();
    let read: BTreeSet<_> = MESSAGES.iter().map(|(name, _)| *name).collect();
    assert_eq!(read, spoken);
    // What others' services are asked holds nothing that is repeated, and is at most 4 KiB.
    for set in [
        tonic_health::pb::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
    ] {
        let set = FileDescriptorSet::decode(set).unwrap();
        let all = || set.file.iter().flat_map(|file| &file.message_type);
        let methods = set
            .file
            .iter()
            .flat_map(|file| &file.service)
            .flat_map(|s| &s.method);
        for asked in methods.map(|method| method.input_type().rsplit('.').next().unwrap()) {
            let message = all().find(|message| message.name() == asked).unwrap();
            assert!(!message.field.iter().any(is_repeated), "{asked}");
        }
    }
}

#[test]
fn regression_no_message_holds_more_than_its_budget_however_full_of_nothing() {
    let _turn = alone();
    let mut worst = BTreeMap::new();
    for (name, read) in MESSAGES {
        let (longest, budget) = (longest(name), budget(name));
        let mut ways_in = Vec::new();
        ways(message(name), &[], &mut ways_in);
        let mut at_once = Vec::new();
        for way in &ways_in {
            let last = way.last().unwrap();
            let (field, most) = (full_name(last), most(last));
            for packed in [false, true] {
                let full = along(way, most, packed, longest);
                let (held, done) = read(&full);
                done.unwrap_or_else(|status| panic!("{name}, {field}: {status:?}"));
                assert!(held <= budget, "{name} full of {field} holds {held}");
                let of = of_a_person(name);
                worst
                    .entry(of)
                    .and_modify(|w: &mut usize| *w = held.max(*w))
                    .or_insert(held);
                if way.len() == 1 && !packed {
                    at_once.extend(full);
                }
                // More than that is not built, be it one or millions.
                for count in [most + 1, longest / 2 - 16 * way.len()] {
                    let over = along(way, count, packed, longest);
                    let (held, done) = read(&over);
                    let status = done.expect_err(&field);
                    assert!(status.message().contains(&field), "{name}: {status:?}");
                    assert!(
                        held <= over.len() + 64 * 1024,
                        "{name}, {count} of {field}: {held}"
                    );
                }
            }
        }
        let (held, done) = read(&at_once);
        done.unwrap_or_else(|status| panic!("{name}: {status:?}"));
        assert!(held <= budget, "{name} full of everything holds {held}");
        // One field as long as the message may be.
        let long = message(name).field.iter().find(|field| {
            !is_repeated(field) && matches!(field.r#type(), Type::String | Type::Bytes)
        });
        if let Some(field) = long {
            let (held, done) = read(&length_delimited(field, &vec![b'0'; longest - 16]));
            done.unwrap_or_else(|status| panic!("{name}: {status:?}"));
            assert!(held <= budget, "{name} of one long field holds {held}");
        }
    }
    // What RELIABILITY.md says.
    assert!(worst[&true] < 128 * 1024, "{worst:?}");
    assert!(worst[&false] < 6 * 1024 * 1024, "{worst:?}");
}

/// As [`regression_no_message_holds_more_than_its_budget_however_full_of_nothing`], of a true message at its longest and what
/// it is turned into.
#[test]
fn a_delivery_and_a_greeting_at_their_longest_hold_no_more_than_a_message_may() {
    let _turn = alone();
    let dispatch = pb::DeliveredDispatch {
        index: 1,
        entry: vec![1; 1024].into(),
        inclusion: vec![2; 32 * 40].into(),
        ciphertext: vec![3; 60 * 1024].into(),
        key: vec![4; 32].into(),
    };
    let delivery = pb::Delivery {
        dispatches: vec![dispatch; 64],
        linked: vec![
            pb::LinkedTree {
                size: 1,
                root: vec![5; 32].into(),
                consistency: vec![6; 32 * 40].into(),
            };
            32
        ],
        ..Default::default()
    };
    let tree = pb::VerifiedTree {
        origin: "520624.yichuan/log/1".to_owned(),
        size: 1,
        root: vec![7; 32].into(),
    };
    let hello = pb::RelayHello {
        protocol: 1,
        verified: Some(tree),
        crl: vec![8; 64 * 1024].into(),
        witnessed: vec![vec![9; 512].into(); 64],
        asked: vec![u64::MAX; 64],
        ..Default::default()
    };
    use pb::relay_request::Message::{Delivery, Hello};
    for request in [Delivery(delivery), Hello(hello)] {
        let message = Some(request);
        let bytes = pb::RelayRequest { message }.encode_to_vec();
        assert!(bytes.len() <= MAX_MESSAGE);
        let (held, read) = held(|| reading::relay_request(&bytes));
        read.unwrap();
        assert!(held <= NODE_BUDGET, "{held}");
    }
    for (name, read) in reading::REQUESTS {
        let mut ways_in = Vec::new();
        ways(message(name), &[], &mut ways_in);
        for way in &ways_in {
            let full = along(way, MAX_REQUEST / 2 - 64, false, MAX_REQUEST);
            let (held, read) = held(|| read(&full).map(drop));
            read.unwrap_err();
            assert!(held <= 64 * 1024, "{name}: {held}");
        }
    }
}

#[test]
fn entries_and_payloads_of_others_hold_no_more_than_a_request_may() {
    let _turn = alone();
    let mut ways_in = Vec::new();
    ways(message("Entry"), &[], &mut ways_in);
    assert!(ways_in.len() >= 6, "{}", ways_in.len());
    for way in &ways_in {
        for count in [1, 9, LEAF_LIMIT / 8, LEAF_LIMIT / 2 - 16] {
            let entry = along(way, count, false, LEAF_LIMIT);
            let (held, read) = held(|| Entry::decode(&entry).map(drop));
            read.unwrap_err();
            assert!(
                held <= PERSON_BUDGET / 2,
                "{}: {held}",
                full_name(way.last().unwrap())
            );
        }
    }
    let mut ways_in = Vec::new();
    ways(message("PayloadContent"), &[], &mut ways_in);
    for way in &ways_in {
        let content = along(way, 130_000, false, 256 * 1024);
        let payload = pb::Payload {
            commitment_key: vec![1; 32].into(),
            content: content.into(),
        };
        let payload = Plaintext::from_bytes(&payload.encode_to_vec()).unwrap();
        let (held, read) = held(|| payload.content().map(drop));
        read.unwrap_err();
        assert!(
            held <= 64 * 1024,
            "{}: {held}",
            full_name(way.last().unwrap())
        );
    }
}

/// Whoever adds a message reads it where messages are counted.
#[test]
fn nothing_else_builds_messages() {
    let counts = ["entry/bounds.rs", "rpc/codec.rs"];
    let own = ["rpc/refusals.rs"];
    let mut directories = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(directory) = directories.pop() {
        for item in fs::read_dir(directory).unwrap() {
            let path = item.unwrap().path();
            if path.is_dir() {
                directories.push(path);
                continue;
            }
            let source = fs::read_to_string(&path).unwrap_or_default();
            let is_one = |names: &[&str]| names.iter().any(|name| path.ends_with(name));
            if !is_one(&counts) && !is_one(&own) {
                let builds = source.split("pb::").skip(1).any(|rest| {
                    let name = rest.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_');
                    ["::decode(", "::decode_length"]
                        .iter()
                        .any(|call| name.starts_with(call))
                });
                assert!(!builds, "{}", path.display());
            }
        }
    }
}
