//! What lookups go to: the runs of every table as they were published, newest first. Owned by the store's owner.

use std::sync::Arc;

use super::catalogue::Catalogue;
use super::run::Run;

/// A published state, for lookups and figures.
#[derive(Debug)]
pub(super) struct View {
    /// Of each table, newest first.
    pub(super) tables: Vec<Vec<Run>>,
    pub(super) compactions: Compactions,
}

/// What became of merges so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Compactions {
    pub(super) done: u64,
    /// Why the last merge failed, until one succeeds.
    pub(super) failed: Option<Arc<str>>,
}

/// Figures of a store, for metrics.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Of each table, in the order of the schema.
    pub tables: Vec<TableStats>,
    /// Merges since the store was opened.
    pub compactions: u64,
    /// Why the last merge failed, until one succeeds; tried again after each checkpoint.
    pub compaction_failed: Option<Arc<str>>,
}

/// Figures of a table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TableStats {
    /// Runs.
    pub runs: u64,
    /// Records, those with equal keys in several runs counted in each.
    pub records: u64,
    /// Bytes on disk.
    pub disk_bytes: u64,
    /// Bytes of filters and fences in memory.
    pub filter_bytes: u64,
    /// Runs whose filters and fences are on disk only.
    pub runs_without_filter: u64,
}

impl View {
    pub(super) fn of(catalogue: &Catalogue, compactions: Compactions) -> Self {
        let newest_first = |runs: &Vec<Run>| runs.iter().rev().cloned().collect();
        Self { tables: catalogue.tables.iter().map(newest_first).collect(), compactions }
    }

    pub(super) fn stats(&self) -> Stats {
        let of_table = |runs: &Vec<Run>| {
            let mut stats = TableStats::default();
            for run in runs {
                stats.runs += 1;
                stats.records += run.file.footer().records;
                stats.disk_bytes += run.file.footer().run_bytes();
                match run.index {
                    Some(_) => stats.filter_bytes += run.file.index_bytes(),
                    None => stats.runs_without_filter += 1,
                }
            }
            stats
        };
        let Compactions { done, failed } = self.compactions.clone();
        Stats { tables: self.tables.iter().map(of_table).collect(), compactions: done, compaction_failed: failed }
    }
}
