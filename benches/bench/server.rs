//! A real `bursar serve` in a folder of its own, beside a private PostgreSQL. Both end when the value is dropped.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use anyhow::Context;
use tempfile::TempDir;

/// A private PostgreSQL cluster.
pub(crate) struct Postgres {
    folder: TempDir,
    pub(crate) url: String,
}

impl Postgres {
    pub(crate) fn start() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir_in("target")?;
        let started = Command::new("scripts/postgres")
            .args(["start", "--throwaway", "-c", "shared_buffers=1GB", "-c", "max_wal_size=4GB", "--until-exit"])
            .arg(std::process::id().to_string())
            .arg(folder.path())
            .stderr(Stdio::inherit())
            .output()?;
        anyhow::ensure!(started.status.success(), "scripts/postgres could not start a cluster");
        Ok(Self { folder, url: String::from_utf8(started.stdout)?.trim().to_owned() })
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let _ = Command::new("scripts/postgres").arg("remove").arg(self.folder.path()).status();
    }
}

/// A running server.
pub(crate) struct Server {
    process: Child,
    pub(crate) url: String,
    folder: Option<TempDir>,
}

impl Server {
    /// Starts a server. With a `database` that does not answer, commands are served and no view is built.
    pub(crate) fn start(database: &str) -> anyhow::Result<Self> {
        Self::start_in(tempfile::tempdir_in("target")?, database)
    }

    /// Starts a server over the log in a folder.
    pub(crate) fn start_in(folder: TempDir, database: &str) -> anyhow::Result<Self> {
        let mut process = Command::new(env!("CARGO_BIN_EXE_bursar"))
            .args(["serve", "--listen", "127.0.0.1:0", "--database-url", database, "--data"])
            .arg(folder.path())
            .stderr(Stdio::piped())
            .spawn()
            .context("bursar serve")?;
        let mut lines = BufReader::new(process.stderr.take().context("no standard error")?).lines();
        let url = lines
            .by_ref()
            .find_map(|line| line.ok()?.split_once("http://").map(|(_, address)| format!("http://{}", address.trim())))
            .context("the server ended without an address")?;
        // Whatever else it says is read, so that it never waits for a reader.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(Self { process, url, folder: Some(folder) })
    }

    /// Stops it, by a signal or at once, and gives its folder.
    pub(crate) fn stop(mut self, signal: &str) -> anyhow::Result<TempDir> {
        let pid = self.process.id().to_string();
        anyhow::ensure!(Command::new("kill").args([signal, &pid]).status()?.success(), "kill {signal} {pid}");
        self.process.wait()?;
        self.folder.take().context("a server has one folder")
    }

    /// The largest memory it has had, in MiB.
    pub(crate) fn peak_memory_mib(&self) -> anyhow::Result<u64> {
        self.status_mib("VmHWM:")
    }

    /// The memory that it has, in MiB.
    pub(crate) fn memory_mib(&self) -> anyhow::Result<u64> {
        self.status_mib("VmRSS:")
    }

    fn status_mib(&self, field: &str) -> anyhow::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find(|l| l.starts_with(field)).with_context(|| format!("no {field}"))?;
        Ok(line.split_whitespace().nth(1).context("no figure")?.parse::<u64>()? / 1024)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
