//! Which runs of a table are merged next. Pure; no file is opened here.

use std::ops::Range;

/// So many runs are merged at once at most: each has a buffer of its own.
const INPUTS_MAX: usize = 16;

/// When to merge.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tiers {
    /// So many runs of a tier make one of the next.
    pub(super) fanout: usize,
    /// Runs up to this length are of the lowest tier; each further tier goes `fanout` times as far.
    pub(super) lowest_bytes: u64,
}

impl Tiers {
    fn tier(&self, bytes: u64) -> u32 {
        let (mut tier, mut limit) = (0, self.lowest_bytes.max(1));
        while bytes > limit {
            tier += 1;
            limit = limit.saturating_mul(self.fanout as u64);
            if limit == u64::MAX {
                break;
            }
        }
        tier
    }

    /// The runs to be merged, out of the lengths of neighbouring runs, oldest first: of the newest tier that has enough
    /// of them.
    ///
    /// Only neighbours are merged, so that newer and older never change places. A run that is older than a longer one
    /// counts to the longer one's tier: so the tiers never fall from old to new, each tier is one stretch, and the number
    /// of runs is at most `fanout - 1` for each tier.
    pub(super) fn due(&self, bytes: &[u64]) -> Option<Range<usize>> {
        let mut stretch = bytes.len()..bytes.len();
        let mut stretch_tier = 0;
        for (number, bytes) in bytes.iter().enumerate().rev() {
            let tier = self.tier(*bytes).max(stretch_tier);
            if tier > stretch_tier {
                if stretch.len() >= self.fanout {
                    break;
                }
                stretch.end = number + 1;
                stretch_tier = tier;
            }
            stretch.start = number;
        }
        let enough = stretch.len() >= self.fanout;
        // Of more than can be merged at once, the oldest.
        enough.then(|| stretch.start..stretch.end.min(stretch.start + INPUTS_MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIERS: Tiers = Tiers { fanout: 4, lowest_bytes: 10 };

    #[test]
    fn runs_are_merged_when_a_tier_has_enough_of_them() {
        let table: [(&[u64], Option<Range<usize>>); 10] = [
            (&[], None),
            (&[5, 5, 5], None),
            (&[5, 5, 5, 5], Some(0..4)),
            (&[5, 5, 5, 5, 5], Some(0..5)),
            // A longer, older run stays out.
            (&[30, 5, 5, 5, 5], Some(1..5)),
            (&[30, 30, 30, 5, 5, 5], None),
            (&[30, 30, 30, 30, 5, 5, 5], Some(0..4)),
            // The newest tier first.
            (&[30, 30, 30, 30, 5, 5, 5, 5], Some(4..8)),
            // A short run behind a long one counts as a long one.
            (&[30, 5, 30, 30, 5], Some(0..4)),
            (&[200, 5, 30, 5, 30, 5], Some(1..5)),
        ];
        for (bytes, due) in table {
            assert_eq!(TIERS.due(bytes), due, "{bytes:?}");
        }
        assert_eq!(TIERS.due(&[1; 40]), Some(0..16));
    }

    #[test]
    fn a_long_life_of_equal_checkpoints_leaves_few_runs_and_writes_each_byte_few_times() {
        let mut runs: Vec<u64> = Vec::new();
        let (mut written, mut most) = (0, 0);
        for _ in 0..4096 {
            runs.push(10);
            written += 10;
            while let Some(due) = TIERS.due(&runs) {
                let merged = runs.drain(due.clone()).sum();
                written += merged;
                runs.insert(due.start, merged);
            }
            most = most.max(runs.len());
        }
        assert_eq!((runs.len(), most), (1, 18));
        assert_eq!(written, 4096 * 10 * 7);
    }
}
