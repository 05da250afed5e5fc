//! The real `bursar serve` as a process: started on a free port, waited for, stopped by signal. What it wrote is shown
//! when a test fails.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::client::Client;

/// How long a test waits for what must happen. Generous: it is a bound, not a measure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// Small segments, so that tests cross from one to the next.
pub(crate) const SEGMENT_BYTES: &str = "1048576";
/// What the server writes before it answers.
const ANSWERING: &str = "answering on ";

/// The program.
pub(crate) fn bursar() -> Command {
    undisturbed(Command::new(env!("CARGO_BIN_EXE_bursar")))
}

/// A program without the settings that whoever runs the tests may have.
pub(crate) fn undisturbed(mut program: Command) -> Command {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("BURSAR_") {
            program.env_remove(name);
        }
    }
    program.current_dir(std::env::temp_dir());
    program
}

/// A server that runs; dropping it kills it.
pub(crate) struct Server {
    child: Child,
    output: Arc<Mutex<String>>,
    /// Where it answers.
    pub(crate) base: String,
}

impl Server {
    /// Starts a server on a log and a database and waits until it answers; the read models may not be ready yet.
    pub(crate) fn start(data: &Path, database_url: &str) -> Self {
        Self::start_with(data, database_url, &[])
    }

    /// [`Server::start`] with more flags.
    pub(crate) fn start_with(data: &Path, database_url: &str, flags: &[&str]) -> Self {
        Self::start_as(bursar(), data, database_url, flags)
    }

    /// [`Server::start_with`] by another command, which becomes the program.
    pub(crate) fn start_as(mut program: Command, data: &Path, database_url: &str, flags: &[&str]) -> Self {
        // As variables, so that a flag of the test comes before them.
        program.env("BURSAR_LISTEN", "127.0.0.1:0").env("BURSAR_SEGMENT_BYTES", SEGMENT_BYTES);
        program.arg("serve").arg("--data").arg(data).args(["--database-url", database_url]).args(flags);
        Self::answering(program)
    }

    /// Starts a worker that fills a database from Kafka, and waits until it answers.
    pub(crate) fn start_worker(database_url: &str, flags: &[&str]) -> Self {
        let mut program = bursar();
        program.env("BURSAR_LISTEN", "127.0.0.1:0");
        program.arg("worker").args(["--database-url", database_url]).args(flags);
        Self::answering(program)
    }

    fn answering(mut program: Command) -> Self {
        let mut child = program.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let output = Arc::new(Mutex::new(String::new()));
        let addresses = follow(&mut child, Arc::clone(&output));
        let base = addresses.recv_timeout(PATIENCE);
        let server = Self { child, output, base: base.clone().unwrap_or_default() };
        assert!(base.is_ok(), "the server did not answer within {PATIENCE:?}");
        server
    }

    /// A client of it.
    pub(crate) fn client(&self) -> Client {
        Client::new(&self.base)
    }

    /// Waits until commands and queries are served.
    pub(crate) async fn ready(&self) {
        let client = self.client();
        let ready = async || client.get("/health/ready").await.0 == 200;
        assert!(within(PATIENCE, ready).await, "not ready: {:?}", client.get("/health/ready").await);
    }

    /// Waits until every event is in the read models, and tells the last position.
    pub(crate) async fn caught_up(&self) -> u64 {
        let client = self.client();
        let caught_up = async || {
            let (_, readiness) = client.get("/health/ready").await;
            readiness["status"] == "ready" && readiness["views"]["lag_events"] == 0
        };
        assert!(within(PATIENCE, caught_up).await, "not caught up: {:?}", client.get("/health/ready").await);
        self.position().await
    }

    /// The last durable position.
    pub(crate) async fn position(&self) -> u64 {
        self.client().get("/health/ready").await.1["log"]["position"].as_u64().unwrap()
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has written to its log so far.
    pub(crate) fn output(&self) -> String {
        self.output.lock().unwrap().clone()
    }

    /// Asks it to stop and waits until it has.
    pub(crate) fn terminate(mut self) -> ExitStatus {
        self.signal("TERM");
        self.wait()
    }

    /// Ends it at once, as a crash would.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
    }

    /// Waits until it has ended by itself.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "the server did not end within {PATIENCE:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- the server wrote:\n{}---", self.output());
        }
    }
}

/// Keeps what the process writes, and tells the address that it answers on.
fn follow(child: &mut Child, output: Arc<Mutex<String>>) -> Receiver<String> {
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let (tell, addresses) = channel();
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            if let Some((_, address)) = line.split_once(ANSWERING) {
                // Nobody listens any more when the test has given up.
                let _ = tell.send(address.trim().to_owned());
            }
            writeln!(output.lock().unwrap(), "{line}").unwrap();
        }
    });
    addresses
}

/// Asks again and again until it is so, at most so long.
pub(crate) async fn within(patience: Duration, is_so: impl AsyncFn() -> bool) -> bool {
    let asked = tokio::time::timeout(patience, async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    asked.await.is_ok()
}
