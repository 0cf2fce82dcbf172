//! The layout of a tree's nodes in tiles, and the names of the tiles' files (C2SP tlog-tiles).

use super::{Hash, frontier::fold_peaks};
use std::{fmt, ops::Range, str::FromStr};

/// Tree levels that a tile spans.
pub const TILE_HEIGHT: u8 = 8;

/// Hashes in a full tile, and entries in a full bundle.
pub const TILE_WIDTH: usize = 1 << TILE_HEIGHT;

/// A tile: at level `l` and index `n` the roots of the perfect subtrees of `256^l` leaves number `n * 256` to
/// `n * 256 + 255`, of which the last tile of a level may hold fewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileId {
    /// The tile level: level 0 holds leaf hashes.
    pub level: u8,
    /// Within the level.
    pub index: u64,
}

/// The hashes of a tile from which a tree node is computed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeInTile {
    /// The tile.
    pub tile: TileId,
    /// Positions in the tile; their number is a power of two. The node is the root over them.
    pub hashes: Range<usize>,
}

impl TileId {
    /// Hashes that the tile holds in a tree of `size` leaves: 0 (there is no such tile) to [`TILE_WIDTH`] (it is full).
    pub fn width_at(self, size: u64) -> usize {
        let in_level = size
            .checked_shr(u32::from(self.level) * u32::from(TILE_HEIGHT))
            .unwrap_or(0);
        let width = self
            .index
            .checked_mul(TILE_WIDTH as u64)
            .map_or(0, |before| in_level.saturating_sub(before));
        usize::try_from(width).map_or(TILE_WIDTH, |width| width.min(TILE_WIDTH))
    }

    /// The tile's file in a tree of `size` leaves, `None` when that tree has no such tile.
    pub fn path_at(self, size: u64) -> Option<TilePath> {
        TilePath::new(
            Kind::Hashes { level: self.level },
            self.index,
            self.width_at(size),
        )
    }

    /// Where to find the root of the perfect subtree of `2^level` leaves that starts at leaf `index << level`.
    pub fn holding(level: u8, index: u64) -> NodeInTile {
        let rise = level % TILE_HEIGHT;
        // A node `rise` levels above the tile's row is made of 2^rise adjacent hashes of one tile.
        let per_tile = 1 << (TILE_HEIGHT - rise);
        let tile = Self {
            level: level / TILE_HEIGHT,
            index: index / per_tile,
        };
        let start = usize::try_from(index % per_tile).unwrap_or(0) << rise;
        NodeInTile {
            tile,
            hashes: start..start + (1 << rise),
        }
    }
}

impl NodeInTile {
    /// The node, computed from the tile's hashes. `None` if the tile is too narrow to hold it.
    pub fn root(&self, tile: &[Hash]) -> Option<Hash> {
        perfect_root(tile.get(self.hashes.clone())?)
    }
}

/// The root over a power of two of hashes; `None` for none.
fn perfect_root(hashes: &[Hash]) -> Option<Hash> {
    if let [hash] = hashes {
        return Some(*hash);
    }
    let (left, right) = hashes.split_at_checked(hashes.len() / 2)?;
    fold_peaks(&[perfect_root(left)?, perfect_root(right)?])
}

/// The name of a file of a tlog-tiles directory, such as `tile/0/x001/234` or `tile/entries/000.p/17`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TilePath {
    kind: Kind,
    index: u64,
    /// 1 to [`TILE_WIDTH`].
    width: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Kind {
    Hashes { level: u8 },
    Entries,
}

/// Not the name of a tile or entry bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a tile's name: expected one such as tile/0/x001/234 or tile/entries/000.p/17")]
pub struct MalformedTilePath;

impl TilePath {
    /// The largest level of the specification.
    const MAX_LEVEL: u8 = 63;

    fn new(kind: Kind, index: u64, width: usize) -> Option<Self> {
        (1..=TILE_WIDTH)
            .contains(&width)
            .then_some(Self { kind, index, width })
    }

    /// The bundle of entries `index * 256` to `index * 256 + 255` in a log of `size` entries, `None` when it has none of
    /// them.
    pub fn entries_at(index: u64, size: u64) -> Option<Self> {
        Self::new(
            Kind::Entries,
            index,
            TileId { level: 0, index }.width_at(size),
        )
    }

    /// The tile that is in the file, `None` when it holds entries.
    pub const fn tile(&self) -> Option<TileId> {
        match self.kind {
            Kind::Hashes { level } => Some(TileId {
                level,
                index: self.index,
            }),
            Kind::Entries => None,
        }
    }

    /// Within the level, or among the bundles.
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// Hashes or entries in the file, 1 to [`TILE_WIDTH`].
    pub const fn width(&self) -> usize {
        self.width
    }

    /// Whether a tree of `size` leaves has exactly this file.
    pub fn belongs_to(&self, size: u64) -> bool {
        let expected = match self.tile() {
            Some(tile) => tile.path_at(size),
            None => Self::entries_at(self.index, size),
        };
        expected == Some(*self)
    }
}

impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Hashes { level } => write!(f, "tile/{level}/")?,
            Kind::Entries => f.write_str("tile/entries/")?,
        }
        // Three digits for each directory, all but the last with an x, so that no file has a directory's name.
        let groups = self.index.checked_ilog(1000).unwrap_or(0);
        for group in (1..=groups).rev() {
            write!(f, "x{:03}/", self.index / 1000_u64.pow(group) % 1000)?;
        }
        write!(f, "{:03}", self.index % 1000)?;
        if self.width < TILE_WIDTH {
            write!(f, ".p/{}", self.width)?;
        }
        Ok(())
    }
}

impl FromStr for TilePath {
    type Err = MalformedTilePath;

    fn from_str(text: &str) -> Result<Self, MalformedTilePath> {
        let parse = || {
            let (kind, name) = text.strip_prefix("tile/")?.split_once('/')?;
            let kind = if kind == "entries" {
                Kind::Entries
            } else {
                let level = kind
                    .parse()
                    .ok()
                    .filter(|level| *level <= Self::MAX_LEVEL)?;
                Kind::Hashes { level }
            };
            let (name, width) = match name.split_once(".p/") {
                Some((name, width)) => (name, width.parse().ok()?),
                None => (name, TILE_WIDTH),
            };
            let index = name.split('/').try_fold(0_u64, |index, group| {
                let digits = group.strip_prefix('x').unwrap_or(group);
                index.checked_mul(1000)?.checked_add(digits.parse().ok()?)
            })?;
            Self::new(kind, index, width)
        };
        // Each file has one name: other spellings that parse are not names.
        parse()
            .filter(|path| path.to_string() == text)
            .ok_or(MalformedTilePath)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::reference;
    use proptest::prelude::*;

    fn path(level: u8, index: u64, size: u64) -> Option<String> {
        TileId { level, index }
            .path_at(size)
            .map(|path| path.to_string())
    }

    #[test]
    fn names_are_those_of_the_specification() {
        assert_eq!(
            path(0, 1_234_067, u64::MAX).unwrap(),
            "tile/0/x001/x234/067"
        );
        assert_eq!(path(3, 0, 5 << 24).unwrap(), "tile/3/000.p/5");
        assert_eq!(path(0, 999, 256_000).unwrap(), "tile/0/999");
        assert_eq!(path(0, 1000, 256_001).unwrap(), "tile/0/x001/000.p/1");
        assert_eq!(
            TilePath::entries_at(273, 70_000).unwrap().to_string(),
            "tile/entries/273.p/112"
        );
    }

    #[test]
    fn a_log_of_70_000_has_the_tiles_that_the_specification_says() {
        let widths = |level| {
            let tiles = (0..300).map(move |index| TileId { level, index }.width_at(70_000));
            tiles.filter(|width| *width > 0).collect::<Vec<_>>()
        };
        assert_eq!(widths(0), [vec![256; 273], vec![112]].concat());
        assert_eq!(widths(1), [256, 17]);
        assert_eq!(widths(2), [1]);
        assert!(widths(3).is_empty());
    }

    #[test]
    fn no_tile_is_empty_and_256_leaves_make_a_tile_above() {
        assert_eq!(path(0, 0, 0), None);
        assert_eq!(path(0, 0, 256).unwrap(), "tile/0/000");
        assert_eq!(path(0, 1, 256), None);
        assert_eq!(path(1, 0, 255), None);
        assert_eq!(path(1, 0, 256).unwrap(), "tile/1/000.p/1");
        assert_eq!(path(8, 0, u64::MAX), None);
        assert_eq!(path(0, u64::MAX, u64::MAX), None);
    }

    #[test]
    fn any_other_spelling_is_no_name() {
        for text in [
            "",
            "tile/0",
            "tile/0/",
            "tile/0/0",
            "tile/0/0000",
            "tile/0/x000/001",
            "tile/0/001/002",
            "tile/0/x001/x002",
            "tile/00/001",
            "tile/64/001",
            "tile/+1/001",
            "tile/0/+01",
            "tile/0/-01",
            "tile/0/001.p/0",
            "tile/0/001.p/256",
            "tile/0/001.p/05",
            "tile/0/001.p/1/2",
            "tile/0/001.p",
            "tile/data/001",
            "tile/8/0/001",
            "/tile/0/001",
            "tile/0/001/",
            "tile/0/../001",
            "tile/0/x018/x446/x744/x073/x709/x551/616",
        ] {
            assert_eq!(text.parse::<TilePath>(), Err(MalformedTilePath), "{text}");
        }
    }

    #[test]
    fn a_file_belongs_to_the_sizes_that_have_it_at_that_width() {
        let partial: TilePath = "tile/0/001.p/4".parse().unwrap();
        assert!(partial.belongs_to(260));
        assert!(!partial.belongs_to(259) && !partial.belongs_to(261) && !partial.belongs_to(512));
        let full: TilePath = "tile/entries/001".parse().unwrap();
        assert!(full.belongs_to(512) && full.belongs_to(513) && !full.belongs_to(511));
    }

    #[test]
    fn every_node_of_a_tree_is_found_in_its_tile() {
        let leaves = reference::leaves(1 << 10);
        let row = |level: u8| -> Vec<Hash> {
            leaves
                .chunks_exact(1 << (8 * level))
                .map(reference::root)
                .collect()
        };
        let rows = [row(0), row(1)];
        for level in 0..=10 {
            for (index, span) in leaves.chunks_exact(1 << level).enumerate() {
                let place = TileId::holding(level, index as u64);
                let hashes = &rows[usize::from(place.tile.level)];
                let tile = hashes
                    .chunks(TILE_WIDTH)
                    .nth(usize::try_from(place.tile.index).unwrap())
                    .unwrap();
                assert_eq!(
                    place.root(tile),
                    Some(reference::root(span)),
                    "{level}/{index}"
                );
            }
        }
    }

    #[test]
    fn a_node_beyond_a_partial_tile_is_not_invented() {
        let tile = reference::leaves(5);
        assert!(TileId::holding(0, 4).root(&tile).is_some());
        assert_eq!(TileId::holding(0, 5).root(&tile), None);
        assert_eq!(TileId::holding(1, 2).root(&tile), None);
    }

    proptest! {
        #[test]
        fn names_read_back(level in 0..8_u8, size in 1..=u64::MAX, at in any::<u64>()) {
            let in_level = size >> (8 * u32::from(level));
            prop_assume!(in_level > 0);
            let index = at % in_level.div_ceil(256);
            let tile = TileId { level, index }.path_at(size).unwrap();
            prop_assert_eq!(tile.to_string().parse(), Ok(tile));
            prop_assert!(tile.belongs_to(size));
            let entries = TilePath::entries_at(index, size).unwrap();
            prop_assert_eq!(entries.to_string().parse(), Ok(entries));
        }
    }
}
