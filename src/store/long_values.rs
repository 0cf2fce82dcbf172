//! Values above [`MAX_VALUE`], cut into parts under `key ++ part`, where `part` is a big-endian `u16` from 0. The first
//! part begins with a version byte and the total length as `u32`.
//!
//! A family of keys is either long or not: the parts of a long value are looked up by number, never by a range scan.

use super::{MAX_VALUE, Row, StoreError};

const VERSION: u8 = 1;
const HEADER: usize = 1 + 4;

/// The longest long value in bytes: the limit of a payload, with room for its encryption.
pub const MAX_LONG: usize = 1024 * 1024;

/// The key of one part.
pub fn part_key(key: &[u8], part: u16) -> Vec<u8> {
    let mut part_key = Vec::with_capacity(key.len() + 2);
    part_key.extend_from_slice(key);
    part_key.extend_from_slice(&part.to_be_bytes());
    part_key
}

/// The rows that hold `value`; at least one, even for an empty value.
pub fn split(key: &[u8], value: &[u8]) -> Result<Vec<Row>, StoreError> {
    let length = u32::try_from(value.len())
        .ok()
        .filter(|_| value.len() <= MAX_LONG)
        .ok_or(StoreError::ValueTooLong {
            length: value.len(),
        })?;
    let mut bytes = Vec::with_capacity(HEADER + value.len());
    bytes.push(VERSION);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(value);
    Ok((0..=u16::MAX)
        .zip(bytes.chunks(MAX_VALUE))
        .map(|(part, chunk)| (part_key(key, part), chunk.to_vec()))
        .collect())
}

/// Joins the parts of a long value. `get` reads one row. `None` if there is no such value.
pub fn join<E: From<StoreError>>(
    key: &[u8],
    mut get: impl FnMut(&[u8]) -> Result<Option<Vec<u8>>, E>,
) -> Result<Option<Vec<u8>>, E> {
    let Some(first) = get(&part_key(key, 0))? else {
        return Ok(None);
    };
    let (parts, length) = shape(&first)?;
    let mut value = Vec::with_capacity(length);
    value.extend_from_slice(first.get(HEADER..).unwrap_or_default());
    for part in 1..parts {
        let row = get(&part_key(key, part))?.ok_or(StoreError::PartMissing)?;
        value.extend_from_slice(&row);
    }
    if value.len() != length {
        return Err(StoreError::PartMissing.into());
    }
    Ok(Some(value))
}

/// The keys of all parts, computed from the first part as stored.
pub fn part_keys(key: &[u8], first: &[u8]) -> Result<Vec<Vec<u8>>, StoreError> {
    let (parts, _) = shape(first)?;
    Ok((0..parts).map(|part| part_key(key, part)).collect())
}

/// The number of parts, and the length of the value.
fn shape(first: &[u8]) -> Result<(u16, usize), StoreError> {
    let (&version, rest) = first.split_first().ok_or(StoreError::PartMissing)?;
    let length = rest.first_chunk::<4>().ok_or(StoreError::PartMissing)?;
    let length =
        usize::try_from(u32::from_be_bytes(*length)).map_err(|_| StoreError::PartMissing)?;
    let parts = (HEADER + length.min(MAX_LONG)).div_ceil(MAX_VALUE);
    if version != VERSION || length > MAX_LONG {
        return Err(StoreError::PartMissing);
    }
    Ok((
        u16::try_from(parts).map_err(|_| StoreError::PartMissing)?,
        length,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn read(rows: &BTreeMap<Vec<u8>, Vec<u8>>, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        join(key, |key| Ok::<_, StoreError>(rows.get(key).cloned()))
    }

    #[test]
    fn values_around_the_borders_come_back() {
        for length in [
            0,
            1,
            MAX_VALUE - HEADER,
            MAX_VALUE - HEADER + 1,
            MAX_VALUE,
            3 * MAX_VALUE - HEADER,
            MAX_LONG,
        ] {
            let value: Vec<u8> = (0..=250).cycle().take(length).collect();
            let rows: BTreeMap<_, _> = split(b"k", &value).unwrap().into_iter().collect();
            assert!(rows.values().all(|row| row.len() <= MAX_VALUE));
            assert_eq!(read(&rows, b"k").unwrap(), Some(value), "{length}");
            let first = &rows[&part_key(b"k", 0)];
            assert!(part_keys(b"k", first).unwrap().iter().eq(rows.keys()));
        }
        assert!(split(b"k", &vec![0; MAX_LONG + 1]).is_err());
    }

    #[test]
    fn a_missing_part_is_damage_not_absence() {
        let mut rows: BTreeMap<_, _> = split(b"k", &[7; 20_000]).unwrap().into_iter().collect();
        rows.remove(&part_key(b"k", 2));
        assert!(matches!(read(&rows, b"k"), Err(StoreError::PartMissing)));
        assert!(matches!(read(&rows, b"other"), Ok(None)));
    }
}
