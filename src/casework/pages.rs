//! Pages of records by log index, which neither skip nor repeat while the log grows.

use super::{CaseworkError, row_codec::RowDamaged};
use crate::{
    domain::{RecordId, Timestamp},
    entry::{CONSULTED_LIMIT, Entry},
    exchange::Rows as _,
    log::{ReadError, Reader},
    store::tables,
};
use std::{collections::BTreeMap, ops::Range};

/// A page has at most so many records: what one `Consulted` entry can name.
pub const PAGE_LIMIT: usize = CONSULTED_LIMIT;

/// A call looks at no more rows than this; a page that finds less goes on where it stopped.
pub const LOOK_LIMIT: usize = 5_000;

/// A search looks at more: where it stopped would say how many records there are that it may not find.
const SEARCH_LIMIT: usize = 50_000;

/// A search looks at no fewer rows than this, found or not: else the clock would say what it may not find.
const SEARCH_LEAST: usize = 16;

/// Rows read at once.
const CHUNK: usize = 256;

/// A page's records.
pub(super) struct Collected<T> {
    pub(super) found: Vec<(RecordId, T)>,
    /// Where the next page starts.
    pub(super) next_after: Option<u64>,
    /// Rows looked at to find them.
    pub(super) looked: usize,
}

/// Where candidates are found: ranges of keys that end in the log index.
pub(super) type Source = Box<dyn Fn(u64) -> Vec<u8>>;

/// What a page is to hold.
pub(super) struct Wanted {
    /// Indices in this log.
    pub(super) within: Range<u64>,
    /// At most so many records.
    pub(super) limit: usize,
    /// True where what records say is searched.
    pub(super) search: bool,
}

/// Collects a page: candidates of all sources in index order, those that `keep` keeps.
pub(super) fn collect<T>(
    reader: &Reader,
    sources: &[Source],
    wanted: Wanted,
    keep: impl Fn(&Reader, RecordId) -> Result<Option<T>, CaseworkError>,
) -> Result<Collected<T>, CaseworkError> {
    let search = wanted.search;
    let mut page = scan(reader, sources, wanted, &keep)?;
    while search && page.looked < SEARCH_LEAST {
        keep(reader, RecordId::from([0; 16]))?;
        page.looked += 1;
    }
    Ok(page)
}

fn scan<T>(
    reader: &Reader,
    sources: &[Source],
    wanted: Wanted,
    keep: &impl Fn(&Reader, RecordId) -> Result<Option<T>, CaseworkError>,
) -> Result<Collected<T>, CaseworkError> {
    let limit = wanted.limit.clamp(1, PAGE_LIMIT);
    let most = if wanted.search {
        SEARCH_LIMIT
    } else {
        LOOK_LIMIT
    };
    let (mut from, end) = (wanted.within.start, wanted.within.end);
    let mut page = Collected {
        found: Vec::new(),
        next_after: None,
        looked: 0,
    };
    // Every round reads on from `from`, so it ends when the sources do.
    while page.looked < most {
        let (chunk, covered) = next_chunk(reader, sources, from, end)?;
        for (index, record) in chunk {
            page.looked += 1;
            from = index.saturating_add(1);
            if let Some(row) = keep(reader, record)? {
                page.found.push((record, row));
                if page.found.len() == limit {
                    page.next_after = Some(index);
                    return Ok(page);
                }
            }
        }
        let Some(covered) = covered else {
            return Ok(page);
        };
        from = from.max(covered.saturating_add(1));
    }
    page.next_after = from.checked_sub(1);
    Ok(page)
}

/// Candidates from `from` on in index order, and up to which index they are complete; nothing where they are the last.
fn next_chunk(
    mut reader: &Reader,
    sources: &[Source],
    from: u64,
    end: u64,
) -> Result<(BTreeMap<u64, RecordId>, Option<u64>), CaseworkError> {
    let mut found = BTreeMap::new();
    let mut complete: Option<u64> = None;
    if from >= end {
        return Ok((found, None));
    }
    for source in sources {
        let rows = reader.rows(&source(from), &source(end), CHUNK)?;
        let full = rows.len() == CHUNK;
        let mut last = from;
        for (key, value) in rows {
            last = tables::last_index(&key).ok_or(RowDamaged)?;
            let record = RecordId::from_slice(&value).map_err(|_| RowDamaged)?;
            found.insert(last, record);
        }
        if full {
            // Beyond this one's last row there may be more of it, so nobody's later rows count yet.
            complete = Some(complete.map_or(last, |so_far| so_far.min(last)));
        }
    }
    if let Some(complete) = complete {
        found.retain(|index, _| *index <= complete);
    }
    Ok((found, complete))
}

/// The first entry written at or after a time: entry times never decrease, so it is found by halving.
pub(super) fn first_at(reader: &Reader, time: Timestamp) -> Result<u64, CaseworkError> {
    let (mut low, mut high) = (0, reader.size());
    while low < high {
        let middle = low + (high - low) / 2;
        let leaf = reader.entry(middle)?.ok_or(ReadError::NoSuchEntry {
            index: middle,
            size: high,
        })?;
        let entry = Entry::decode(&leaf).map_err(|_| RowDamaged)?;
        if entry.time < time {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::Clock,
        log::{Log, LogOptions, Proposal, TxnError},
        note::LogSigner,
        store::MemoryStore,
    };
    use std::{cell::Cell, sync::Arc};

    #[derive(Debug)]
    struct Still;

    impl Clock for Still {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(1_772_640_000_000)
        }
    }

    /// Rows that a caller's look at a page reads, where three are there and none is theirs, or where there is none.
    fn looked(log: &Log, tag: u8, search: bool) -> (usize, usize) {
        let source: Source =
            Box::new(move |index| tables::subject(203_103, &[tag; 16], index).to_vec());
        let wanted = Wanted {
            within: 0..u64::MAX,
            limit: 10,
            search,
        };
        let kept = Cell::new(0);
        let page = collect::<()>(&log.reader(), &[source], wanted, |_, _| {
            kept.set(kept.get() + 1);
            Ok(None)
        });
        let page = page.unwrap();
        assert_eq!(page.next_after, None);
        (kept.get(), page.looked)
    }

    #[tokio::test]
    async fn regression_a_search_reads_as_many_rows_for_what_is_not_theirs_as_for_what_is_not_there()
     {
        let dir = tempfile::tempdir().unwrap();
        let signer = LogSigner::from_seed("520624.yichuan/log/1", &[7; 32]).unwrap();
        let options = LogOptions::new(signer, Arc::new(Still), dir.path().join("checkpoint"));
        let log = Log::open(Arc::new(MemoryStore::new()), options).unwrap();
        let put = Proposal::new(|txn| -> Result<(), TxnError> {
            for index in 0..3 {
                txn.append(vec![1])?;
                let record = RecordId::new(txn.now()).as_bytes().to_vec();
                txn.put(tables::subject(203_103, &[1; 16], index), record)?;
            }
            Ok(())
        });
        log.propose(put).await.unwrap();
        assert_eq!(looked(&log, 1, true), looked(&log, 2, true));
        // What is no search may tell.
        assert_eq!(
            (looked(&log, 1, false), looked(&log, 2, false)),
            ((3, 3), (0, 0))
        );
    }
}
