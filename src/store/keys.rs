//! The log's key families, and which ranges of prefixes belong to whom. The first byte of a key names its family.
//! Numbers are big-endian, so that keys sort as their numbers do.
//!
//! | prefix | family | key after the prefix | value |
//! |---|---|---|---|
//! | `0x01` | leaf frame | index of its first leaf `u64` | leaves of one commit, packed (`log`) |
//! | `0x02` | leaf continuation | leaf index `u64`, part `u16` from 1 | what did not fit the frame of a long leaf |
//! | `0x03` | tile half | tile level `u8`, half `u64` | up to 128 hashes of tree level 8 × tile level |
//! | `0x04` | head | | size, frontier, time of the last entry, signed checkpoint |
//! | `0x05` | identity | | verifier key that the log was created with |
//! | `0x06`–`0x0f` | | | reserved for the log |
//! | `0x10`–`0x3f` | primary rows of services | | |
//! | `0x40`–`0x7f` | views | | can be discarded and rebuilt |
//! | `0x80`–`0xff` | | | unused |

/// Prefix of leaf frames.
pub const FRAME: u8 = 0x01;
/// Prefix of continuations of long leaves.
pub const CONTINUATION: u8 = 0x02;
/// Prefix of tile halves.
pub const TILE_HALF: u8 = 0x03;
/// The key of the head row.
pub const HEAD: [u8; 1] = [0x04];
/// The key of the identity row.
pub const IDENTITY: [u8; 1] = [0x05];
/// The first prefix that belongs to services. Only the log writes below it.
pub const FIRST_SERVICE: u8 = 0x10;
/// The first prefix of views.
pub const FIRST_VIEW: u8 = 0x40;
/// The last prefix of views.
pub const LAST_VIEW: u8 = 0x7f;

/// The version byte that a head row begins with.
pub const HEAD_VERSION: u8 = 1;

const FRAME_LENGTH: usize = 1 + 8;
const CONTINUATION_LENGTH: usize = 1 + 8 + 2;
const TILE_HALF_LENGTH: usize = 1 + 1 + 8;

// A key of another length would silently split the log into two layouts.
const _: () = assert!(FRAME_LENGTH == 9 && CONTINUATION_LENGTH == 11 && TILE_HALF_LENGTH == 10);

/// The key of the frame whose first leaf is `index`.
pub fn frame(index: u64) -> [u8; FRAME_LENGTH] {
    let mut key = [FRAME; FRAME_LENGTH];
    let (_, rest) = key.split_at_mut(1);
    rest.copy_from_slice(&index.to_be_bytes());
    key
}

/// The index of the first leaf of the frame under `key`.
pub fn frame_index(key: &[u8]) -> Option<u64> {
    match key.split_first() {
        Some((&FRAME, index)) => Some(u64::from_be_bytes(index.try_into().ok()?)),
        Some(_) | None => None,
    }
}

/// The key of part `part` (from 1) of the long leaf `index`.
pub fn continuation(index: u64, part: u16) -> [u8; CONTINUATION_LENGTH] {
    let mut key = [CONTINUATION; CONTINUATION_LENGTH];
    let (_, rest) = key.split_at_mut(1);
    let (at, rest) = rest.split_at_mut(8);
    at.copy_from_slice(&index.to_be_bytes());
    rest.copy_from_slice(&part.to_be_bytes());
    key
}

/// The key of half `half` of the tiles of `tile_level`: the hashes `128 × half ..` of tree level `8 × tile_level`.
pub fn tile_half(tile_level: u8, half: u64) -> [u8; TILE_HALF_LENGTH] {
    let mut key = [TILE_HALF; TILE_HALF_LENGTH];
    let (_, rest) = key.split_at_mut(1);
    let (level, rest) = rest.split_at_mut(1);
    level.copy_from_slice(&[tile_level]);
    rest.copy_from_slice(&half.to_be_bytes());
    key
}

/// The log's size as a head row states it after the version byte. `None` if the bytes are not a head row.
pub fn head_size(head: &[u8]) -> Option<u64> {
    let (&version, rest) = head.split_first()?;
    let size = rest.first_chunk::<8>()?;
    (version == HEAD_VERSION).then(|| u64::from_be_bytes(*size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_of_keys_is_order_of_numbers() {
        assert!(frame(255) < frame(256));
        assert!(continuation(1, u16::MAX) < continuation(2, 1));
        assert!(tile_half(0, u64::MAX) < tile_half(1, 0));
        assert_eq!(frame_index(&frame(77)), Some(77));
        assert_eq!(frame_index(&continuation(77, 1)), None);
        assert_eq!(frame_index(&[]), None);
    }

    /// The layout is on disks: these bytes never change.
    #[test]
    fn layout_is_golden() {
        assert_eq!(hex::encode(frame(0x0102)), "010000000000000102");
        assert_eq!(hex::encode(continuation(3, 4)), "0200000000000000030004");
        assert_eq!(hex::encode(tile_half(2, 5)), "03020000000000000005");
        assert_eq!((HEAD, IDENTITY), ([0x04], [0x05]));
    }
}
