//! Writes sled's configuration file durably before sled opens.
//!
//! sled writes `conf` in two writes, syncs neither, and then creates its database. A power cut between them left half a
//! configuration, which sled takes for damage: a node that had not written a single entry no longer opened.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::Path,
};

/// What sled 0.34.7 writes with the options that [`SledStore`](super::SledStore) gives: the text, then its CRC-32.
const CONF: &[u8] =
    b"segment_size: 524288\nuse_compression: false\nversion: 0.34\n\x76\x19\x51\xc1";

/// Writes `conf` into sled's directory, durably, if sled has no database there yet. If it has one, `conf` was durable
/// before it and stays untouched.
pub(super) fn write_if_new(root: &Path) -> io::Result<()> {
    if root.join("db").try_exists()? {
        return Ok(());
    }
    let new = root.join("conf.new");
    let mut file = File::create(&new)?;
    file.write_all(CONF)?;
    file.sync_all()?;
    fs::rename(&new, root.join("conf"))?;
    File::open(root)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::SledStore;

    #[test]
    fn it_is_what_sled_writes() {
        let directory = tempfile::tempdir().unwrap();
        drop(sled::open(directory.path()).unwrap());
        assert_eq!(fs::read(directory.path().join("conf")).unwrap(), CONF);
    }

    /// Found by cutting the power of a node at its first start.
    #[test]
    fn regression_half_a_configuration_of_a_store_that_holds_nothing_harms_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("sled");
        fs::create_dir(&root).unwrap();
        for left in [0, 20, CONF.len() - 4] {
            fs::write(root.join("conf"), &CONF[..left]).unwrap();
            drop(SledStore::open(directory.path()).unwrap());
            fs::remove_file(root.join("db")).unwrap();
        }
    }

    #[test]
    fn that_of_a_store_with_a_database_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        for (file, bytes) in [("conf", "damaged"), ("db", "")] {
            fs::write(directory.path().join(file), bytes).unwrap();
        }
        write_if_new(directory.path()).unwrap();
        let kept = fs::read(directory.path().join("conf")).unwrap();
        assert_eq!(kept, b"damaged");
    }
}
