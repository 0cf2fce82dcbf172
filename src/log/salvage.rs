//! Determines what of a stored log is proved and what is damaged (I3), and makes a fresh copy of it (I2, I4).
//!
//! Leaves, tiles and the signed head say the same thing three times. Where they contradict each other, the signed root
//! decides: the hashes that are chosen must add up to it. A damaged leaf can come from elsewhere; it is accepted if its
//! hash is the one that was signed. Memory grows with the damage, not with the log.

use std::{
    collections::BTreeMap,
    ops::{ControlFlow, Range},
    sync::Arc,
};

use super::{
    Damage, OpenError, frames,
    head::Head,
    lenient_scan::{self, ScannedLeaf},
    open,
    tiles::{TileEdges, TileReader},
};
use crate::{
    domain::Timestamp,
    entry::Entry,
    merkle::{
        Frontier, Hash, NodeReader, TILE_HEIGHT, inclusion_proof, leaf_hash, verify_inclusion,
    },
    note::{SignedCheckpoint, VerifierKey},
    store::{Batch, Order, Store, StoreError, keys},
};

/// How many rows a copy reads and commits at once.
const ROWS_AT_ONCE: usize = 512;
/// How many bytes of leaves a copy commits at once.
const BYTES_AT_ONCE: usize = 1024 * 1024;
/// How many damages are listed. All are counted.
const MAX_NAMED: usize = 100;
/// How many leaves may be wrong before the examination is abandoned: it remembers the hash of each.
const MAX_WRONG: usize = 1 << 20;

/// Why a log was not copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// What is stored does not pass. Nothing was copied.
    #[error(transparent)]
    Source(#[from] OpenError),
    /// The destination already holds something. Nothing was copied.
    #[error("the destination is not empty; give a fresh directory")]
    NotFresh,
    /// Reading or writing failed partway. Discard the destination.
    #[error("the copy is not complete: {0}. Throw it away and copy into another fresh directory")]
    Unfinished(#[from] StoreError),
    /// What was read the second time is not what was read the first time.
    #[error(
        "the copy does not have the signed root, though the source had it: memory or disk of this machine is not to be \
         trusted. Throw the copy away and repair on another machine"
    )]
    Unlike,
}

/// Leaves of the same log from elsewhere: an export or a copy. They are verified by their hash. Callers ask for
/// ascending indexes.
pub(crate) trait LeafSource {
    /// The leaf at `index`, if this source has one.
    fn leaf(&mut self, index: u64) -> Option<Vec<u8>>;
}

/// Leaves in another store of the same log: a copy of a node's data directory.
pub(crate) struct StoredLeaves(pub Arc<dyn Store>);

impl LeafSource for StoredLeaves {
    fn leaf(&mut self, index: u64) -> Option<Vec<u8>> {
        let mut found = None;
        let visited = frames::visit(self.0.as_ref(), index, index.checked_add(1)?, |_, leaf| {
            found = Some(leaf);
            ControlFlow::Break(())
        });
        visited.ok().and(found)
    }
}

/// What [`DamageReport::copy_leaves`] computed from the leaves that it copied.
#[derive(Debug)]
pub(crate) struct CopiedLeaves {
    frontier: Frontier,
    /// The time of the newest entry, as it was signed: the next start compares them.
    last_time: Timestamp,
}

/// What is damaged in a stored log.
#[derive(Debug)]
pub(crate) struct DamageReport {
    checkpoint: SignedCheckpoint,
    last_time: Timestamp,
    damages: Vec<Damage>,
    damage_count: u64,
    /// The signed hashes of leaves that the store does not have.
    wrong: BTreeMap<u64, Hash>,
    recovered: u64,
    lost: Vec<Range<u64>>,
    forked: Option<u64>,
    has_root: bool,
}

impl DamageReport {
    /// Reads and hashes all of the log in `store`, begun with `key`, and looks in `sources` for what is damaged. `kept`
    /// is the checkpoint in the file outside the store. `progress` gets the number of entries done and of all entries.
    /// Blocks.
    ///
    /// # Errors
    /// Nothing can be determined: the store holds another log, or has no signature.
    pub(crate) fn of(
        store: &dyn Store,
        key: &VerifierKey,
        kept: Option<&SignedCheckpoint>,
        sources: &mut [Box<dyn LeafSource>],
        mut progress: impl FnMut(u64, u64),
    ) -> Result<Self, OpenError> {
        let (mut report, head) = Self::begin(store, key, kept)?;
        let size = report.checkpoint.size();
        let tiles = TileReader::new(store);
        let (mut frontier, mut last_leaf) = (Frontier::new(), None);
        for leaf in lenient_scan::leaves(store, size) {
            let ScannedLeaf {
                index,
                bytes,
                frame_damaged,
            } = leaf;
            if frame_damaged && bytes.is_some() {
                report.note(Damage::Frame { index });
            }
            let chosen = report.choose(&tiles, index, bytes.as_deref(), sources)?;
            report.push(&tiles, &mut frontier, chosen);
            // A damaged leaf does not tell when the log ended.
            last_leaf = bytes.filter(|leaf| leaf_hash(leaf) == chosen);
            if kept.is_some_and(|kept| kept.size() == index + 1 && *kept.root() != frontier.root())
            {
                report.forked = Some(index + 1);
            }
            progress(index + 1, size);
        }
        report.has_root = frontier.root() == *report.checkpoint.root();
        let time = last_leaf.and_then(|leaf| Entry::decode(&leaf).ok());
        let written = head.as_ref().map(|head| head.last_time);
        report.last_time = time.map(|entry| entry.time).or(written).unwrap_or_default();
        match head {
            Some(head) if head.frontier.root() != *report.checkpoint.root() => {
                report.note(Damage::Frontier);
            }
            Some(head) if head.last_time != report.last_time => report.note(Damage::Head),
            Some(_) | None => {}
        }
        if let Some(kept) = kept.filter(|kept| kept.size() > size) {
            report.lost.push(size..kept.size());
        }
        Ok(report)
    }

    /// The newest signed head that can be found, and the row that it came from if that is intact.
    fn begin(
        store: &dyn Store,
        key: &VerifierKey,
        kept: Option<&SignedCheckpoint>,
    ) -> Result<(Self, Option<Head>), OpenError> {
        // Unreadable is as good as missing: the checkpoint file and the leaves may still tell what was signed.
        let row = store.get(&keys::HEAD).ok().flatten().unwrap_or_default();
        let whole = Head::from_bytes(&row).filter(|head| key.verify(&head.note).is_ok());
        let signed = match &whole {
            Some(head) => key.verify(&head.note).ok(),
            None => note_in(&row, key),
        };
        let identity = store.get(&keys::IDENTITY).ok().flatten();
        let identity = identity.unwrap_or_default();
        let identified = open::check_identity(&identity, key);
        let (checkpoint, head_damage) = match (signed, kept) {
            (Some(signed), _) => (signed, whole.is_none().then_some(Damage::Head)),
            (None, Some(kept)) if ends_at(store, kept.size())? => {
                (kept.clone(), Some(Damage::Signature))
            }
            // Whose log it is then matters more than that the head does not verify.
            (None, _) => return Err(identified.err().unwrap_or(Damage::Signature.into())),
        };
        let mut report = Self {
            checkpoint,
            last_time: Timestamp::default(),
            damages: Vec::new(),
            damage_count: 0,
            wrong: BTreeMap::new(),
            recovered: 0,
            lost: Vec::new(),
            forked: None,
            has_root: false,
        };
        if let Some(damage) = head_damage {
            report.note(damage);
        }
        let size_moved = whole
            .as_ref()
            .is_some_and(|head| head.size != report.checkpoint.size());
        if identified.is_err() || size_moved {
            report.note(Damage::Head);
        }
        Ok((report, whole))
    }

    fn note(&mut self, damage: Damage) {
        self.damage_count += 1;
        if self.damages.len() < MAX_NAMED {
            self.damages.push(damage);
        }
    }

    /// The hash that was probably signed for this entry; the root decides later whether that is right.
    fn choose(
        &mut self,
        tiles: &TileReader<'_>,
        index: u64,
        own: Option<&[u8]>,
        sources: &mut [Box<dyn LeafSource>],
    ) -> Result<Hash, OpenError> {
        let own = own.map(leaf_hash);
        let stored = tiles.node(0, index).ok();
        if let Some(hash) = own.filter(|own| Some(*own) == stored) {
            return Ok(hash);
        }
        let found: Vec<Hash> = sources
            .iter_mut()
            .filter_map(|source| source.leaf(index))
            .map(|leaf| leaf_hash(&leaf))
            .collect();
        // The proof does not include the hash itself, so it tells which one was signed.
        let size = self.checkpoint.size();
        let proof = inclusion_proof(tiles, index, size).ok();
        let root = *self.checkpoint.root();
        let is_signed = |hash: &Hash| {
            proof
                .as_ref()
                .is_some_and(|proof| verify_inclusion(hash, index, size, proof, &root).is_ok())
        };
        let all = || own.iter().chain(&found).chain(&stored);
        let chosen = all()
            .find(|hash| is_signed(hash))
            .or(found.first())
            .or(all().next())
            .copied()
            .unwrap_or(Hash::from([0; 32]));
        if own == Some(chosen) {
            self.note(Damage::Tile { level: 0, index });
            return Ok(chosen);
        }
        self.note(match own {
            Some(_) => Damage::Leaf { index },
            None => Damage::Frame { index },
        });
        if self.wrong.len() >= MAX_WRONG {
            return Err(Damage::Frame { index }.into());
        }
        self.wrong.insert(index, chosen);
        if found.contains(&chosen) {
            self.recovered += 1;
        } else {
            match self.lost.last_mut() {
                Some(range) if range.end == index => range.end += 1,
                Some(_) | None => self.lost.push(index..index + 1),
            }
        }
        Ok(chosen)
    }

    /// Appends a hash to the tree, and compares the nodes that it completes with the tiles.
    fn push(&mut self, tiles: &TileReader<'_>, frontier: &mut Frontier, leaf: Hash) {
        let mut damaged = Vec::new();
        frontier.push_with(leaf, |level, index, hash| {
            if level > 0 && level % TILE_HEIGHT == 0 && tiles.node(level, index).ok() != Some(*hash)
            {
                let level = level / TILE_HEIGHT;
                damaged.push(Damage::Tile { level, index });
            }
        });
        damaged.into_iter().for_each(|damage| self.note(damage));
    }

    /// The newest signed head that the store has.
    pub(crate) const fn checkpoint(&self) -> &SignedCheckpoint {
        &self.checkpoint
    }

    /// What is damaged, in order of entries; at most a hundred of them.
    pub(crate) fn damages(&self) -> &[Damage] {
        &self.damages
    }

    /// How many damages there are.
    pub(crate) const fn damage_count(&self) -> u64 {
        self.damage_count
    }

    /// How many damaged entries a source has as they were signed.
    pub(crate) const fn recovered(&self) -> u64 {
        self.recovered
    }

    /// Entries that were signed and that neither the store nor a source has.
    pub(crate) fn lost(&self) -> &[Range<u64>] {
        &self.lost
    }

    /// The size at which the store's history differs from that of the published checkpoint.
    pub(crate) const fn forked(&self) -> Option<u64> {
        self.forked
    }

    /// Whether nothing is wrong.
    pub(crate) fn is_sound(&self) -> bool {
        self.damage_count == 0 && self.can_continue()
    }

    /// Whether every published entry is available, so that a copy can continue as this log.
    pub(crate) fn can_continue(&self) -> bool {
        self.has_root && self.lost.is_empty() && self.forked.is_none()
    }

    /// Shows every leaf as it was signed, in order, damaged ones from `sources`. Lost leaves are skipped.
    pub(crate) fn each_leaf(
        &self,
        store: &dyn Store,
        sources: &mut [Box<dyn LeafSource>],
        mut visit: impl FnMut(u64, &[u8]),
    ) {
        for ScannedLeaf { index, bytes, .. } in lenient_scan::leaves(store, self.checkpoint.size())
        {
            if let Some(leaf) = self.right(index, bytes, sources) {
                visit(index, &leaf);
            }
        }
    }

    /// The leaf as it was signed: the store's, or a source's.
    fn right(
        &self,
        index: u64,
        own: Option<Vec<u8>>,
        sources: &mut [Box<dyn LeafSource>],
    ) -> Option<Vec<u8>> {
        match self.wrong.get(&index) {
            None => own,
            Some(hash) => sources
                .iter_mut()
                .filter_map(|source| source.leaf(index))
                .find(|leaf| leaf_hash(leaf) == *hash),
        }
    }

    /// Copies the leaves into the empty store `to`, damaged ones from `sources`, and recomputes the tiles. The store is
    /// a log only after [`DamageReport::finish_copy`].
    ///
    /// # Errors
    /// The destination is not empty, a store failed, or what is read now differs from what was examined.
    pub(crate) fn copy_leaves(
        &self,
        from: &dyn Store,
        to: &dyn Store,
        sources: &mut [Box<dyn LeafSource>],
        mut progress: impl FnMut(u64, u64),
    ) -> Result<CopiedLeaves, CopyError> {
        if !to.range(&[0], &[u8::MAX], Order::Ascending, 1)?.is_empty() {
            return Err(CopyError::NotFresh);
        }
        let size = self.checkpoint.size();
        let (mut frontier, mut edges) = (Frontier::new(), TileEdges::default());
        let (mut leaves, mut bytes) = (Vec::new(), 0);
        let mut last_time = self.last_time;
        for scanned in lenient_scan::leaves(from, size) {
            let (index, leaf) = (scanned.index, scanned.bytes);
            let leaf = self.right(index, leaf, sources).ok_or(CopyError::Unlike)?;
            edges.append(&mut frontier, leaf_hash(&leaf));
            if index + 1 == size
                && let Ok(entry) = Entry::decode(&leaf)
            {
                last_time = entry.time;
            }
            bytes += leaf.len();
            leaves.push(leaf.into());
            if bytes >= BYTES_AT_ONCE || index + 1 == size {
                let mut batch = Batch::new();
                let first = index + 1 - u64::try_from(leaves.len()).unwrap_or(u64::MAX);
                frames::pack(first, leaves.iter(), &mut batch);
                edges.write(&mut batch);
                to.commit(0, &batch)?;
                leaves.clear();
                bytes = 0;
            }
            progress(index + 1, size);
        }
        if frontier.root() != *self.checkpoint.root() {
            return Err(CopyError::Unlike);
        }
        Ok(CopiedLeaves {
            frontier,
            last_time,
        })
    }

    /// Writes identity and head, after everything else: a copy without them does not open.
    ///
    /// # Errors
    /// The store failed.
    pub(crate) fn finish_copy(
        &self,
        to: &dyn Store,
        key: &VerifierKey,
        leaves: CopiedLeaves,
    ) -> Result<(), StoreError> {
        let head = Head {
            size: self.checkpoint.size(),
            last_time: leaves.last_time,
            frontier: leaves.frontier,
            note: self.checkpoint.note().into(),
        };
        let mut batch = Batch::new();
        batch.put(keys::IDENTITY, key.to_string());
        batch.put(keys::HEAD, head.to_bytes());
        to.commit(0, &batch)
    }
}

/// Finds the signed note in a head row that does not parse.
fn note_in(row: &[u8], key: &VerifierKey) -> Option<SignedCheckpoint> {
    let begin = format!("{}\n", key.name());
    let at = row
        .windows(begin.len())
        .position(|window| window == begin.as_bytes())?;
    key.verify(row.get(at..)?).ok()
}

/// Whether the stored leaves end where a log of `size` entries does.
fn ends_at(store: &dyn Store, size: u64) -> Result<bool, StoreError> {
    let end = [keys::FRAME + 1];
    let beyond = store.range(&keys::frame(size), &end, Order::Ascending, 1)?;
    Ok(beyond.is_empty()
        && lenient_scan::leaves(store, size.saturating_add(1)).all(|leaf| {
            // Only the very last one asked for may be missing.
            leaf.index < size || leaf.bytes.is_none()
        }))
}

/// Copies the rows of services, in commits of bounded size, before the head is there.
fn copy_rows(from: &dyn Store, to: &dyn Store) -> Result<(), StoreError> {
    let mut next = vec![keys::FIRST_SERVICE];
    loop {
        let rows = from.range(&next, &[u8::MAX], Order::Ascending, ROWS_AT_ONCE)?;
        let Some((last, _)) = rows.last() else {
            return Ok(());
        };
        next = [last.as_slice(), &[0]].concat();
        let mut batch = Batch::new();
        for (key, value) in rows {
            batch.put(key, value);
        }
        to.commit(0, &batch)?;
    }
}

/// Verifies all of the log in `from`, entry by entry, and copies it with all other rows into the empty store `to`. This
/// is how a log that a storage error closed continues (I2). Blocks. Returns the number of entries.
///
/// # Errors
/// The log does not pass, or the copy could not be finished; the destination is then worthless.
pub fn copy_verified(
    from: &dyn Store,
    to: &dyn Store,
    key: &VerifierKey,
) -> Result<u64, CopyError> {
    let report = DamageReport::of(from, key, None, &mut [], |_, _| {})?;
    if let Some(damage) = report.damages().first() {
        return Err(OpenError::from(*damage).into());
    }
    if !report.can_continue() {
        return Err(OpenError::from(Damage::Frontier).into());
    }
    let frontier = report.copy_leaves(from, to, &mut [], |_, _| {})?;
    copy_rows(from, to)?;
    report.finish_copy(to, key, frontier)?;
    Ok(report.checkpoint().size())
}
