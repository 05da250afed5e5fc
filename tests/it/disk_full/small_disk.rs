//! A file system of a few MiB, mounted in a namespace of its own that ends with a process that does nothing: so nothing
//! is left behind, and nobody needs to be root. Where that is not allowed, root mounts it for all.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::server::{Server, bursar, undisturbed};

/// With room for a few segments of the tests.
const MOUNT: [&str; 5] = ["-t", "tmpfs", "-o", "size=8m,mode=0700", "bursar-test"];

/// A small disk; dropping it unmounts it.
pub(super) struct SmallDisk {
    folder: TempDir,
    namespace: Option<Child>,
}

impl SmallDisk {
    /// None, with the reason on standard output, where this system lets nobody mount.
    pub(super) fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        if let Some(namespace) = in_a_namespace(folder.path()) {
            return Some(Self { folder, namespace: Some(namespace) });
        }
        let mount = Command::new("mount").args(MOUNT).arg(folder.path()).output();
        let refused = match mount {
            Ok(output) if output.status.success() => return Some(Self { folder, namespace: None }),
            Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
            Err(error) => error.to_string(),
        };
        println!("not tested: nothing can be mounted here, also not in a namespace: {}", refused.trim());
        None
    }

    /// Where a program in its namespace finds it.
    fn data(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// Where this process finds it.
    pub(super) fn seen(&self) -> PathBuf {
        let folder = self.folder.path();
        match &self.namespace {
            None => folder.to_owned(),
            Some(process) => {
                Path::new("/proc").join(process.id().to_string()).join("root").join(folder.strip_prefix("/").unwrap())
            }
        }
    }

    /// A server with its log there.
    pub(super) fn server(&self, database_url: &str) -> Server {
        let Some(process) = &self.namespace else { return Server::start(&self.data(), database_url) };
        let mut enter = undisturbed(Command::new("nsenter"));
        enter.args(["--preserve-credentials", "--user", "--mount", "--target", &process.id().to_string()]);
        enter.arg(bursar().get_program());
        Server::start_as(enter, &self.data(), database_url, &[])
    }

    /// Others take of the disk, as far as there is room.
    pub(super) fn others_take(&self, bytes: usize) {
        // A full disk takes a part and then refuses: that is what is wanted.
        let _ = std::fs::write(self.seen().join("ballast"), vec![1; bytes]);
    }

    /// They take nothing any more.
    pub(super) fn others_give_back(&self) {
        std::fs::remove_file(self.seen().join("ballast")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        match &mut self.namespace {
            // The last process in it takes the mount with it.
            Some(process) => {
                let _ = process.kill();
                let _ = process.wait();
            }
            None => {
                // Detached at once, also where a killed server is not gone yet.
                let _ = Command::new("umount").arg("--lazy").arg(self.folder.path()).status();
            }
        }
    }
}

/// Mounts it in a new namespace; gives the process that keeps that alive.
fn in_a_namespace(folder: &Path) -> Option<Child> {
    // Says that it has mounted, then waits for the end of its input, which is the end of this process at the latest.
    let script = format!(r#"mount {} "$0" && echo mounted && read -r _"#, MOUNT.join(" "));
    let mut unshare = Command::new("unshare");
    unshare.args(["--map-root-user", "--mount", "sh", "-c", &script]).arg(folder);
    let spawned = unshare.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let mut namespace = spawned.ok()?;
    let mut said = String::new();
    BufReader::new(namespace.stdout.take()?).read_line(&mut said).unwrap();
    if said == "mounted\n" {
        return Some(namespace);
    }
    namespace.kill().unwrap();
    namespace.wait().unwrap();
    None
}
