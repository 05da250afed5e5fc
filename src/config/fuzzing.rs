//! The configuration file on any bytes: nothing here may panic, and what is refused names what is wrong.

#![allow(clippy::unwrap_used)]

use std::cell::LazyCell;

use tempfile::TempDir;

use super::Configuration;
use super::resolve::{FILE, Resolved};
use super::table::arguments;

thread_local! {
    static FOLDER: LazyCell<TempDir> = LazyCell::new(|| tempfile::tempdir().unwrap());
}

#[path = "../../tests/fuzz/src/replay.rs"]
mod replay;

fn configuration(data: &[u8]) {
    FOLDER.with(|folder| {
        std::fs::write(folder.path().join(FILE), data).unwrap();
        let flags = clap::Command::new("bursar").args(arguments()).try_get_matches_from(["bursar"]).unwrap();
        let resolved = Resolved::resolve(&flags, |_| None, folder.path());
        let shown = resolved.as_ref().map(|resolved| resolved.shown().count()).unwrap_or_default();
        if let Err(refused) = resolved.and_then(|resolved| Configuration::read(&resolved)) {
            assert!(!refused.to_string().is_empty());
        } else {
            assert_eq!(shown, super::table::SETTINGS.len());
        }
    });
}

#[test]
fn no_bytes_are_too_much_for_a_configuration_file() {
    replay::replay("configuration", configuration);
}
