//! The roots that the log under inspection had at earlier sizes.
//!
//! A partner's answer holds checkpoints of this log, of sizes that are unknown before the answer is read. Keeping every
//! root would take memory proportional to the log. So the roots of the last [`REMEMBERED`] sizes, computed from the
//! leaves, are kept: answers come soon, and nearly all are compared with those. For older sizes the tiles of the export
//! are read, if there is one; otherwise the inspection reports that it did not compare.

use super::defect::{DefectCode, Fault};
use crate::{
    audit::{LeafTooLong, LogVerifier},
    merkle::{Hash, empty_root},
};
use std::{collections::VecDeque, fmt};

/// How many roots are kept: 32 bytes each.
pub(super) const REMEMBERED: usize = 1 << 16;

/// Reads the root at a size from tiles, if it can.
pub(super) type TileRoots<'a> = Box<dyn Fn(u64) -> Option<Hash> + 'a>;

pub(super) struct Roots<'a> {
    log: LogVerifier,
    /// The last ones of the sizes up to the log's.
    recent: VecDeque<Hash>,
    tiles: Option<TileRoots<'a>>,
}

impl fmt::Debug for Roots<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Roots")
            .field("size", &self.size())
            .finish_non_exhaustive()
    }
}

impl<'a> Roots<'a> {
    pub(super) fn new() -> Self {
        Self {
            log: LogVerifier::new(),
            recent: VecDeque::from([empty_root()]),
            tiles: None,
        }
    }

    pub(super) fn ask_tiles(&mut self, tiles: TileRoots<'a>) {
        self.tiles = Some(tiles);
    }

    pub(super) const fn size(&self) -> u64 {
        self.log.size()
    }

    pub(super) fn push(&mut self, leaf: &[u8]) -> Result<(), LeafTooLong> {
        self.log.push(leaf)?;
        if self.recent.len() == REMEMBERED {
            self.recent.pop_front();
        }
        self.recent.push_back(self.log.root());
        Ok(())
    }

    pub(super) fn into_log(self) -> LogVerifier {
        self.log
    }

    /// Whether this log had that root at that size; `false` if that could not be compared.
    pub(super) fn compare(&self, size: u64, root: &Hash) -> Result<bool, Fault> {
        if size > self.size() {
            return Err(DefectCode::RootMismatch.with(format_args!(
                "it is of {size} entries, and there were {} then",
                self.size()
            )));
        }
        match self.at(size) {
            Some(own) if own == *root => Ok(true),
            Some(own) => Err(DefectCode::RootMismatch.with(format_args!(
                "at size {size} the entries have the root {own}, the checkpoint {root}"
            ))),
            None => Ok(false),
        }
    }

    fn at(&self, size: u64) -> Option<Hash> {
        let back = usize::try_from(self.size().checked_sub(size)?).ok()?;
        match self.recent.len().checked_sub(back + 1) {
            Some(position) => self.recent.get(position).copied(),
            None => self.tiles.as_ref()?(size),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recent_roots_are_remembered_older_ones_asked_for_and_others_not_invented() {
        let size = REMEMBERED as u64 + 5;
        let mut history = vec![empty_root()];
        let mut log = LogVerifier::new();
        for index in 0..size {
            log.push(&index.to_be_bytes()).unwrap();
            history.push(log.root());
        }
        let root = |size: u64| history[usize::try_from(size).unwrap()];
        let mut roots = Roots::new();
        for index in 0..size {
            roots.push(&index.to_be_bytes()).unwrap();
        }
        for known in [size, size - 1, size - REMEMBERED as u64 + 1] {
            assert!(roots.compare(known, &root(known)).unwrap());
            assert!(roots.compare(known, &root(0)).is_err());
        }
        let forgotten = size - REMEMBERED as u64;
        assert!(!roots.compare(forgotten, &root(forgotten)).unwrap());
        assert!(roots.compare(size + 1, &root(size)).is_err());
        roots.ask_tiles(Box::new(|size| Some(root(size))));
        assert!(roots.compare(forgotten, &root(forgotten)).unwrap());
        assert!(roots.compare(3, &root(4)).is_err());
    }
}
