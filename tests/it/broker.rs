//! A Kafka for the tests: the one that `BURSAR_TEST_KAFKA_BROKERS` names, else a private broker that `scripts/kafka`
//! starts for this process alone and removes after it. Every test has a topic of its own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Where topics can be made, for tests that leave the broker alone.
pub(crate) fn brokers() -> &'static str {
    static BROKERS: OnceLock<String> = OnceLock::new();
    let start = || {
        let folder = tempfile::tempdir().unwrap().keep();
        started(&folder)
    };
    BROKERS.get_or_init(|| std::env::var("BURSAR_TEST_KAFKA_BROKERS").unwrap_or_else(|_| start()))
}

/// A name that no topic had before.
pub(crate) fn new_topic() -> String {
    format!("it-{}", uuid::Uuid::now_v7().simple())
}

/// A broker of one test's own, to be killed and started; dropping it removes it.
pub(crate) struct Broker {
    folder: PathBuf,
    /// Where it answers.
    pub(crate) address: String,
}

impl Broker {
    /// Makes and starts one.
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap().keep();
        Self { address: started(&folder), folder }
    }

    /// Ends it at once, as a crash would.
    pub(crate) fn kill(&self) {
        ctl(&["stop", "--immediate"], &self.folder);
    }

    /// Starts it again, where it was.
    pub(crate) fn start_again(&self) {
        assert_eq!(started(&self.folder), self.address);
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // It is removed with this process at the latest.
        let _ = Command::new(script()).arg("remove").arg(&self.folder).output();
    }
}

fn started(folder: &Path) -> String {
    let pid = std::process::id().to_string();
    ctl(&["start", "--throwaway", "--until-exit", &pid], folder)
}

fn ctl(arguments: &[&str], folder: &Path) -> String {
    let output = Command::new(script()).args(arguments).arg(folder).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn script() -> PathBuf {
    let given = std::env::var_os("BURSAR_TEST_KAFKA_CTL");
    given.map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/kafka"), PathBuf::from)
}
