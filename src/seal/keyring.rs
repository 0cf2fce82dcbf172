//! All bucket keys of a node, and the bytes of the key file. The file lies outside the store and outside its backups,
//! so that deleting a key from it destroys it.

use super::{BucketKeys, NoRandomness, PurgeMonth, payload::sha256, random};
use aws_lc_rs::hmac;
use std::{
    collections::{BTreeMap, btree_map::Entry},
    fmt,
};
use zeroize::{Zeroize, Zeroizing};

const MAGIC: &[u8; 8] = b"YCKEYS\x00\x01";
const ROW: usize = 4 + 32 + 32;
/// Sixty months ahead, and as many in the past that wait to be purged, with room to spare.
const BUCKET_LIMIT: usize = 1024;

/// Why a key file is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyringDefect {
    /// Not a key file of this version.
    #[error("not a key file of version 1")]
    Format,
    /// Its checksum does not match.
    #[error("the key file is damaged: its checksum does not fit; restore it from its own backup")]
    Checksum,
}

/// Bucket keys by month, and the key of the lead-number lookup.
#[derive(Clone)]
pub struct Keyring {
    buckets: BTreeMap<PurgeMonth, BucketKeys>,
    lookup: [u8; 32],
}

impl Keyring {
    /// A new node's keyring, without buckets.
    ///
    /// # Errors
    /// The random source failed.
    pub fn generate() -> Result<Self, NoRandomness> {
        Ok(Self {
            buckets: BTreeMap::new(),
            lookup: random()?,
        })
    }

    /// A bucket's keys, unless they were never made or are destroyed.
    pub fn bucket(&self, month: PurgeMonth) -> Option<&BucketKeys> {
        self.buckets.get(&month)
    }

    /// All buckets, oldest first.
    pub fn buckets(&self) -> impl Iterator<Item = (PurgeMonth, &BucketKeys)> {
        self.buckets.iter().map(|(month, keys)| (*month, keys))
    }

    /// Adds a bucket that does not exist yet. The file must be durable before the keys are used.
    ///
    /// # Errors
    /// The random source failed.
    pub fn add_bucket(&mut self, month: PurgeMonth) -> Result<(), NoRandomness> {
        if let Entry::Vacant(bucket) = self.buckets.entry(month) {
            bucket.insert(BucketKeys::generate()?);
        }
        Ok(())
    }

    /// Keyed tag of a text under the node's lookup key. It finds a lead by its sheet number, and tells whether its
    /// content is the same, without storing either in the clear.
    pub fn lookup_tag(&self, domain: &str, parts: &[&[u8]]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &self.lookup));
        for part in std::iter::once(domain.as_bytes()).chain(parts.iter().copied()) {
            context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            context.update(part);
        }
        let mut tag = [0; 32];
        for (to, from) in tag.iter_mut().zip(context.sign().as_ref()) {
            *to = *from;
        }
        tag
    }

    /// The bytes of the key file: magic, lookup key, rows of month (u32 BE), wrap key and index key by month, SHA-256
    /// of everything before.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let length = MAGIC.len() + 32 + self.buckets.len() * ROW + 32;
        let mut bytes = Zeroizing::new(Vec::with_capacity(length));
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&self.lookup);
        for (month, keys) in &self.buckets {
            bytes.extend_from_slice(&month.number().to_be_bytes());
            bytes.extend_from_slice(&keys.wrap);
            bytes.extend_from_slice(&keys.index);
        }
        let checksum = sha256(&bytes);
        bytes.extend_from_slice(&checksum);
        bytes
    }

    /// Reads what [`Keyring::to_bytes`] wrote.
    ///
    /// # Errors
    /// Not a key file, or damaged: every changed bit is detected.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyringDefect> {
        let (body, checksum) = bytes
            .split_last_chunk::<32>()
            .ok_or(KeyringDefect::Format)?;
        let rest = body.strip_prefix(MAGIC).ok_or(KeyringDefect::Format)?;
        if sha256(body) != *checksum {
            return Err(KeyringDefect::Checksum);
        }
        let (lookup, rows) = rest
            .split_first_chunk::<32>()
            .ok_or(KeyringDefect::Format)?;
        let (rows, rest) = rows.as_chunks::<ROW>();
        if !rest.is_empty() || rows.len() > BUCKET_LIMIT {
            return Err(KeyringDefect::Format);
        }
        let mut buckets = BTreeMap::new();
        for row in rows {
            let (month, keys) = row.split_first_chunk::<4>().ok_or(KeyringDefect::Format)?;
            let month = PurgeMonth::new(u32::from_be_bytes(*month)).ok_or(KeyringDefect::Format)?;
            let (wrap, index) = keys
                .split_first_chunk::<32>()
                .ok_or(KeyringDefect::Format)?;
            let index = index.try_into().map_err(|_| KeyringDefect::Format)?;
            // In the order in which they are written: if a month appeared twice, one key would be lost unnoticed.
            if buckets
                .last_key_value()
                .is_some_and(|(last, _)| *last >= month)
            {
                return Err(KeyringDefect::Format);
            }
            buckets.insert(month, BucketKeys { wrap: *wrap, index });
        }
        Ok(Self {
            buckets,
            lookup: *lookup,
        })
    }
}

impl Drop for Keyring {
    fn drop(&mut self) {
        self.lookup.zeroize();
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring")
            .field("buckets", &self.buckets.keys())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_and_finds_every_changed_bit() {
        let mut ring = Keyring::generate().unwrap();
        for month in [203_101, 203_012] {
            ring.add_bucket(PurgeMonth::new(month).unwrap()).unwrap();
        }
        let bytes = ring.to_bytes();
        let again = Keyring::from_bytes(&bytes).unwrap();
        assert_eq!(again.to_bytes(), bytes);
        assert_eq!(
            again.lookup_tag("d", &[b"x"]),
            ring.lookup_tag("d", &[b"x"])
        );
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(Keyring::from_bytes(&flipped).is_err(), "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert!(Keyring::from_bytes(&bytes[..length]).is_err());
        }
    }

    /// Found by fuzzing: the later of two keys of one month won, and nobody was told.
    #[test]
    fn months_twice_or_out_of_order_are_no_key_file() {
        let mut ring = Keyring::generate().unwrap();
        for month in [203_101, 203_102] {
            ring.add_bucket(PurgeMonth::new(month).unwrap()).unwrap();
        }
        let bytes = ring.to_bytes();
        let (head, rows) = bytes[..bytes.len() - 32].split_at(MAGIC.len() + 32);
        let (first, second) = rows.split_at(ROW);
        let file = |rows: [&[u8]; 2]| {
            let body = [head, rows[0], rows[1]].concat();
            let checksum = sha256(&body);
            [body, checksum.to_vec()].concat()
        };
        assert!(Keyring::from_bytes(&file([first, second])).is_ok());
        for rows in [[second, first], [first, first]] {
            let read = Keyring::from_bytes(&file(rows));
            assert_eq!(read.map(drop), Err(KeyringDefect::Format));
        }
    }

    #[test]
    fn lookup_tags_do_not_run_into_each_other() {
        let ring = Keyring::generate().unwrap();
        assert_ne!(
            ring.lookup_tag("d", &[b"ab", b"c"]),
            ring.lookup_tag("d", &[b"a", b"bc"])
        );
        assert_ne!(ring.lookup_tag("d", &[b"a"]), ring.lookup_tag("e", &[b"a"]));
    }
}
