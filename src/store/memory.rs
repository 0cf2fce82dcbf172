use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{Batch, Order, Row, Store, StoreError, admit, admit_writer, keys};

/// A store in memory that fails on request, so that every write can be tested failing before and after it took effect.
#[derive(Debug, Default)]
pub struct MemoryStore {
    state: Mutex<State>,
}

#[derive(Clone, Debug, Default)]
struct State {
    rows: BTreeMap<Vec<u8>, Vec<u8>>,
    reads: u64,
    commits: u64,
    faults: Vec<Fault>,
    spoiled: Vec<(Vec<u8>, Vec<u8>)>,
}

/// A planned failure. Operations are counted from now on: 1 is the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// That commit fails and nothing of it is stored.
    CommitBefore(u64),
    /// That commit fails, but all of it is stored.
    CommitAfter(u64),
    /// That `get` or `range` fails.
    Read(u64),
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Plans a failure.
    pub fn inject(&self, fault: Fault) {
        let mut state = self.state();
        let planned = match fault {
            Fault::CommitBefore(nth) => Fault::CommitBefore(state.commits + nth),
            Fault::CommitAfter(nth) => Fault::CommitAfter(state.commits + nth),
            Fault::Read(nth) => Fault::Read(state.reads + nth),
        };
        state.faults.push(planned);
    }

    /// From now on every read that touches a row with `from <= key < to` fails, as if a page on disk were damaged.
    pub fn spoil(&self, from: &[u8], to: &[u8]) {
        self.state().spoiled.push((from.to_vec(), to.to_vec()));
    }

    /// A copy of the current content: what a disk would hold after a crash, or what an older backup holds.
    #[must_use]
    pub fn copy(&self) -> Self {
        let rows = self.state().rows.clone();
        Self {
            state: Mutex::new(State {
                rows,
                ..State::default()
            }),
        }
    }

    /// Changes a row past all checks, as damage would; `None` removes it.
    pub fn tamper(&self, key: &[u8], value: Option<Vec<u8>>) {
        let mut state = self.state();
        match value {
            Some(value) => state.rows.insert(key.to_vec(), value),
            None => state.rows.remove(key),
        };
    }

    /// How many commits there were, including failed ones.
    pub fn commits(&self) -> u64 {
        self.state().commits
    }

    /// How many reads there were, including failed ones.
    pub fn reads(&self) -> u64 {
        self.state().reads
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn read(&mut self) -> Result<(), StoreError> {
        self.reads += 1;
        if self.faults.contains(&Fault::Read(self.reads)) {
            return Err(StoreError::Injected);
        }
        Ok(())
    }

    fn touch(&self, key: &[u8]) -> Result<(), StoreError> {
        let mut spoiled = self.spoiled.iter();
        match spoiled.any(|(from, to)| from.as_slice() <= key && key < to.as_slice()) {
            true => Err(StoreError::Injected),
            false => Ok(()),
        }
    }
}

impl Store for MemoryStore {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let mut state = self.state();
        state.read()?;
        state.touch(key)?;
        Ok(state.rows.get(key).cloned())
    }

    fn range(
        &self,
        from: &[u8],
        to: &[u8],
        order: Order,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let mut state = self.state();
        state.read()?;
        if from >= to {
            return Ok(Vec::new());
        }
        let state = &*state;
        let mut rows = state.rows.range(from.to_vec()..to.to_vec());
        let rows: &mut dyn Iterator<Item = _> = match order {
            Order::Ascending => &mut rows,
            Order::Descending => &mut rows.rev(),
        };
        rows.take(limit)
            .map(|(key, value)| state.touch(key).map(|()| (key.clone(), value.clone())))
            .collect()
    }

    fn commit(&self, expected_size: u64, batch: &Batch) -> Result<(), StoreError> {
        admit(batch)?;
        let mut state = self.state();
        admit_writer(
            expected_size,
            state.rows.get(keys::HEAD.as_slice()).map(Vec::as_slice),
        )?;
        state.commits += 1;
        let commit = state.commits;
        if state.faults.contains(&Fault::CommitBefore(commit)) {
            return Err(StoreError::Injected);
        }
        for (key, value) in batch.iter() {
            match value {
                Some(value) => state.rows.insert(key.to_vec(), value.to_vec()),
                None => state.rows.remove(key),
            };
        }
        if state.faults.contains(&Fault::CommitAfter(commit)) {
            return Err(StoreError::Injected);
        }
        Ok(())
    }
}
