//! SplitMix64: the same numbers everywhere, for good, so that a printed seed says all.

pub(crate) struct Random(u64);

impl Random {
    /// Numbers of their own for each `number` under one seed.
    pub(crate) fn for_number(seed: u64, number: u64) -> Self {
        let mut random = Self(seed);
        Self(random.next() ^ number.wrapping_mul(0xd134_2543_de82_ef95))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `limit`, which is not 0.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }

    /// From 0 to `most`, where both ends come often: they are what breaks things.
    pub(crate) fn moment(&mut self, most: usize) -> usize {
        match self.below(3) {
            0 => 0,
            1 => most,
            _ => self.below(most + 1),
        }
    }

    pub(crate) fn coin(&mut self) -> bool {
        self.below(2) == 0
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}
