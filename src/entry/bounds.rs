//! Limits what a message may take in memory before it is decoded.
//!
//! An empty element of a repeated message takes two bytes on the wire and more than a hundred in memory, so a limit on
//! the encoding does not limit memory. Whatever others encoded is therefore walked first: a message in which something
//! is repeated too often, or which would take too much memory, is never built.

use super::EntryDefect;
use crate::domain::{PREDECESSOR_LIMIT, content::referral::LEADS_PER_REFERRAL};
use prost::{
    Message, Name,
    encoding::{WireType, decode_key, decode_varint},
};
use prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorSet,
    field_descriptor_proto::{Label, Type},
};
use std::{collections::HashMap, sync::LazyLock};

/// How often a repeated field may occur if nothing else is specified.
const OTHERS: usize = 64;

/// The deepest nesting of messages. The descriptors have no recursive ones.
const DEPTH: usize = 16;

/// The most memory for a stored entry or payload, in bytes.
const STORED_BUDGET: usize = 8 * 1024 * 1024;

/// Repeated fields of stored messages, and how often they may occur. Policies are limited by the length of their entry.
const STORED: &[(&str, usize)] = &[
    ("PolicyChanged.auditors", super::LEAF_LIMIT),
    ("PolicyChanged.units", super::LEAF_LIMIT),
    ("Unit.members", super::LEAF_LIMIT),
    ("DispatchSent.predecessors", PREDECESSOR_LIMIT),
    ("Consulted.record_ids", super::CONSULTED_LIMIT),
    ("Referral.lead_ids", LEADS_PER_REFERRAL),
];

static KEPT: LazyLock<Bounds> = LazyLock::new(|| Bounds::new(&[]));

/// Why a message is not built. Names fields, not their content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BoundsError {
    /// Not protobuf of this type.
    #[error("not an encoding of {0}")]
    Encoding(&'static str),
    /// A repeated field occurs more often than its limit allows.
    #[error("{field} stands more than {most} times")]
    TooMany {
        /// The field: `Delivery.dispatches`.
        field: String,
        /// Its limit.
        most: usize,
    },
    /// A field that holds one message occurs twice, which no writer does.
    #[error("{0} stands twice")]
    Twice(String),
    /// This field occurs where only another one may.
    #[error("{0} comes too early")]
    Early(String),
    /// It would take more memory than such a message may.
    #[error("built, it would take more than {0} bytes")]
    TooLarge(usize),
}

/// The limits of a message.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Bytes of memory, including the encoding.
    pub bytes: usize,
    /// The number of the only field that it may have, if it may have only one.
    pub only: Option<u32>,
}

/// How a field is held in memory.
#[derive(Clone, Copy, Debug)]
enum Held {
    /// A varint, of this many bytes.
    Varint(usize),
    /// Eight bytes.
    Fixed64,
    /// Four bytes.
    Fixed32,
    /// A `String`.
    Text,
    /// `Bytes`.
    Bytes,
    /// A message, by its index.
    Message(usize),
}

#[derive(Debug)]
struct Field {
    number: u32,
    name: String,
    held: Held,
    /// How often it may occur, if it is repeated.
    most: Option<usize>,
}

#[derive(Debug)]
struct Shape {
    name: &'static str,
    /// Size of the struct in bytes, or slightly more.
    size: usize,
    /// In the order of their numbers.
    fields: Vec<Field>,
}

/// The shapes of all messages, and how often their repeated fields may occur.
#[derive(Debug)]
pub struct Bounds {
    shapes: Vec<Shape>,
    places: HashMap<String, usize>,
}

impl Bounds {
    /// The shapes of all messages of this program. `most` limits repeated fields of messages on the wire, by
    /// `Message.field`.
    pub fn new(most: &[(&str, usize)]) -> Self {
        let set = FileDescriptorSet::decode(super::pb::DESCRIPTOR).unwrap_or_default();
        let most: HashMap<_, _> = STORED.iter().chain(most).copied().collect();
        let messages: Vec<_> = set.file.into_iter().flat_map(|f| f.message_type).collect();
        let names = messages.iter().map(|m| m.name().to_owned());
        let places: HashMap<_, _> = names.zip(0..).collect();
        let shape = |message: &DescriptorProto| {
            let fields = message.field.iter();
            let mut fields: Vec<_> = fields
                .map(|field| read(message.name(), field, &places, &most))
                .collect();
            fields.sort_by_key(|field| field.number);
            Shape {
                name: message.name().to_owned().leak(),
                size: size(message, &messages, &places, DEPTH),
                fields,
            }
        };
        let shapes = messages.iter().map(shape).collect();
        Self { shapes, places }
    }

    /// How often a repeated field may occur, by its name `Message.field`.
    pub fn most(&self, field: &str) -> Option<usize> {
        let message = field.split_once('.')?.0;
        let shape = self.shapes.get(*self.places.get(message)?)?;
        shape.fields.iter().find(|f| f.name == field)?.most
    }

    /// Walks an encoding without building anything.
    ///
    /// # Errors
    /// It is not an encoding of this message, something occurs too often, or it would take too much memory.
    pub fn admit<M: Name>(&self, bytes: &[u8], budget: Budget) -> Result<(), BoundsError> {
        let place = self.places.get(M::NAME);
        let shape = place.and_then(|place| self.shapes.get(*place));
        let Some(shape) = shape else {
            return Err(BoundsError::Encoding(M::NAME));
        };
        let mut walk = Walk {
            bounds: self,
            left: budget.bytes,
            budget: budget.bytes,
        };
        walk.take(bytes.len().saturating_add(shape.size))?;
        walk.message(shape, bytes, budget.only, DEPTH)
    }
}

/// Builds a stored message: an entry, a payload, or a part of one.
///
/// # Errors
/// As [`Bounds::admit`].
pub(super) fn decode<M: Message + Name + Default>(bytes: &[u8]) -> Result<M, EntryDefect> {
    let budget = Budget {
        bytes: STORED_BUDGET,
        only: None,
    };
    let admitted = KEPT.admit::<M>(bytes, budget);
    admitted.map_err(|_| EntryDefect::Encoding(M::NAME))?;
    M::decode(bytes).map_err(|_| EntryDefect::Encoding(M::NAME))
}

fn read(
    message: &str,
    field: &FieldDescriptorProto,
    places: &HashMap<String, usize>,
    most: &HashMap<&str, usize>,
) -> Field {
    let name = format!("{message}.{}", field.name());
    let repeated = field.label() == Label::Repeated;
    Field {
        number: u32::try_from(field.number()).unwrap_or_default(),
        held: held(field, places),
        most: repeated.then(|| most.get(name.as_str()).copied().unwrap_or(OTHERS)),
        name,
    }
}

fn held(field: &FieldDescriptorProto, places: &HashMap<String, usize>) -> Held {
    match field.r#type() {
        Type::String => Held::Text,
        Type::Bytes => Held::Bytes,
        Type::Message | Type::Group => {
            let name = field.type_name().rsplit('.').next().unwrap_or_default();
            Held::Message(places.get(name).copied().unwrap_or(usize::MAX))
        }
        Type::Double | Type::Fixed64 | Type::Sfixed64 => Held::Fixed64,
        Type::Float | Type::Fixed32 | Type::Sfixed32 => Held::Fixed32,
        Type::Bool => Held::Varint(1),
        Type::Int32 | Type::Uint32 | Type::Sint32 | Type::Enum => Held::Varint(4),
        Type::Int64 | Type::Uint64 | Type::Sint64 => Held::Varint(8),
    }
}

/// An upper bound of a message's struct size in bytes: each field is assumed to begin at a multiple of eight, and each
/// choice to have a word of its own for its variant.
fn size(
    message: &DescriptorProto,
    all: &[DescriptorProto],
    places: &HashMap<String, usize>,
    depth: usize,
) -> usize {
    let mut choices = HashMap::<i32, usize>::new();
    let mut sum = 0_usize;
    for field in &message.field {
        let repeated = field.label() == Label::Repeated;
        let bytes = match held(field, places) {
            _ if repeated => 24,
            Held::Varint(_) | Held::Fixed64 | Held::Fixed32 => 16,
            Held::Text => 24,
            Held::Bytes => 32,
            Held::Message(place) => match all.get(place) {
                Some(inner) if depth > 0 => 8 + size(inner, all, places, depth - 1),
                _ => 8,
            },
        };
        match field.oneof_index {
            Some(choice) => {
                let largest = choices.entry(choice).or_default();
                *largest = bytes.max(*largest);
            }
            None => sum += bytes,
        }
    }
    sum + choices.values().map(|largest| 8 + largest).sum::<usize>()
}

/// The memory of a vector of `n` elements that grew one by one, and half as much again for the moment in which it
/// grows.
fn vector(n: usize, element: usize) -> usize {
    if n == 0 {
        return 0;
    }
    let least = match element {
        0 | 1 => 8,
        2..=1024 => 4,
        _ => 1,
    };
    let held = n.next_power_of_two().max(least).saturating_mul(element);
    held.saturating_add(held / 2)
}

struct Walk<'a> {
    bounds: &'a Bounds,
    left: usize,
    budget: usize,
}

impl Walk<'_> {
    fn take(&mut self, bytes: usize) -> Result<(), BoundsError> {
        let left = self.left.checked_sub(bytes);
        self.left = left.ok_or(BoundsError::TooLarge(self.budget))?;
        Ok(())
    }

    fn message(
        &mut self,
        shape: &Shape,
        mut rest: &[u8],
        only: Option<u32>,
        depth: usize,
    ) -> Result<(), BoundsError> {
        let mut seen = vec![0_usize; shape.fields.len()];
        while !rest.is_empty() {
            let (number, wire) =
                decode_key(&mut rest).map_err(|_| BoundsError::Encoding(shape.name))?;
            let known = shape.fields.binary_search_by_key(&number, |f| f.number);
            let value = value(wire, &mut rest).ok_or(BoundsError::Encoding(shape.name))?;
            // Unknown fields are skipped: a newer program may send more.
            let Some((field, count)) = known
                .ok()
                .and_then(|at| Some((shape.fields.get(at)?, seen.get_mut(at)?)))
            else {
                continue;
            };
            if only.is_some_and(|only| only != number) {
                return Err(BoundsError::Early(field.name.clone()));
            }
            self.field(shape, field, wire, value, count, depth)?;
        }
        Ok(())
    }

    fn field(
        &mut self,
        shape: &Shape,
        field: &Field,
        wire: WireType,
        value: &[u8],
        count: &mut usize,
        depth: usize,
    ) -> Result<(), BoundsError> {
        let packed = wire == WireType::LengthDelimited;
        let (element, more) = match field.held {
            Held::Varint(size) if packed => (size, value.iter().filter(|b| **b < 0x80).count()),
            Held::Fixed64 if packed => (8, value.len() / 8),
            Held::Fixed32 if packed => (4, value.len() / 4),
            Held::Varint(size) => (size, 1),
            Held::Fixed64 => (8, 1),
            Held::Fixed32 => (4, 1),
            Held::Text => (24, 1),
            Held::Bytes => (32, 1),
            Held::Message(inner) => (self.bounds.shapes.get(inner).map_or(0, |s| s.size), 1),
        };
        let before = *count;
        *count = before.saturating_add(more);
        match field.most {
            Some(most) if *count > most => {
                let field = field.name.clone();
                return Err(BoundsError::TooMany { field, most });
            }
            Some(_) => {
                let grown = vector(*count, element).saturating_sub(vector(before, element));
                self.take(grown)?;
            }
            None if matches!(field.held, Held::Message(_)) && before > 0 => {
                return Err(BoundsError::Twice(field.name.clone()));
            }
            None => {}
        }
        match field.held {
            Held::Varint(_) | Held::Fixed64 | Held::Fixed32 => Ok(()),
            Held::Text | Held::Bytes if value.is_empty() => Ok(()),
            // Plus what the allocator rounds up, and the reference count.
            Held::Text | Held::Bytes => self.take(value.len().saturating_add(64)),
            Held::Message(inner) => match self.bounds.shapes.get(inner) {
                Some(inner) if packed && depth > 0 => self.message(inner, value, None, depth - 1),
                _ => Err(BoundsError::Encoding(shape.name)),
            },
        }
    }
}

/// Takes a field's value off the front; `None` if it is incomplete, or a group, which no writer of these messages uses.
fn value<'a>(wire: WireType, rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = match wire {
        WireType::Varint => decode_varint(rest).ok().map(|_| 0)?,
        WireType::SixtyFourBit => 8,
        WireType::ThirtyTwoBit => 4,
        WireType::LengthDelimited => usize::try_from(decode_varint(rest).ok()?).ok()?,
        WireType::StartGroup | WireType::EndGroup => return None,
    };
    let (value, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(value)
}
