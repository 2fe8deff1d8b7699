//! A server as a child process: started with its files in a directory of its own, awaited by asking it,
//! stopped and continued as a whole, killed when dropped.
use std::fs::File;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::{ask, namespace, wait};

/// Our own program: its binary, or, where Cargo builds none for it, this very program, which then serves too.
pub fn meridian() -> String {
    option_env!("CARGO_BIN_EXE_meridian").map_or_else(
        || std::env::current_exe().expect("this program has a path").to_str().expect("a plain path").to_owned(),
        str::to_owned,
    )
}

/// A running server.
pub struct Server {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Server {
    /// Starts `arguments` in the background; what it prints goes to `DIRECTORY/NAME.out`.
    pub fn start(name: &str, directory: &Path, arguments: &[&str]) -> Self {
        let log = directory.join(format!("{name}.out"));
        let out = File::create(&log).expect("the test's directory is writable");
        let program = namespace::find(arguments[0]).unwrap_or_else(|| PathBuf::from(arguments[0]));
        let child = Command::new(program)
            .args(&arguments[1..])
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(out.try_clone().expect("a file can be shared"))
            .stderr(out)
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        Self { name: name.to_owned(), child, log }
    }

    /// Waits until the server answers `question` at `address`, whatever the answer.
    pub fn wait_until_it_answers(&mut self, address: IpAddr, question: (&str, u16)) {
        self.wait_until_it_answers_at(SocketAddr::new(address, 53), question);
    }

    /// The same for any port.
    pub fn wait_until_it_answers_at(&mut self, address: SocketAddr, question: (&str, u16)) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while Instant::now() < deadline {
            if ask::once(address, question.0, question.1, Duration::from_millis(200)).is_some() {
                return;
            }
            if let Some(status) = self.ended() {
                panic!("{} ended with {status} before it answered:\n{}", self.name, self.output());
            }
            // An unbound port refuses at once; without a breath this loop would spin.
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("{} does not answer at {address}:\n{}", self.name, self.output());
    }

    /// Waits until Meridian's log names the address that it listens on: the port is the system's choice, and no other
    /// server that a test starts meanwhile can have it.
    pub fn listens_on(&mut self) -> SocketAddr {
        self.names("listening on ")
    }

    /// The same for the address of its admin resources.
    pub fn is_administered_on(&mut self) -> SocketAddr {
        self.names("admin on http://")
    }

    /// The address that stands in the log behind `words`.
    pub fn names(&mut self, words: &str) -> SocketAddr {
        wait::within(Duration::from_secs(30), words, || {
            let log = self.output();
            let named = log.split_once(words).and_then(|(_, rest)| rest.split_whitespace().next()?.parse().ok());
            assert!(named.is_some() || self.ended().is_none(), "{} has ended:\n{log}", self.name);
            named
        })
    }

    /// Waits until the log says `words`.
    pub fn says(&self, words: &str) {
        wait::until(words, || self.output().contains(words).then_some(()));
    }

    /// Whether the server has ended, and how.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be asked")
    }

    /// Waits for the server's end.
    pub fn wait_for_end(&mut self, limit: Duration) -> ExitStatus {
        let deadline = Instant::now() + limit;
        while Instant::now() < deadline {
            if let Some(status) = self.ended() {
                return status;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("{} still runs after {limit:?}:\n{}", self.name, self.output());
    }

    /// Sends a signal (`TERM`, `STOP`, ...) to the server and all its processes.
    pub fn signal(&self, signal: &str) {
        // The shell's own kill: the program of that name is not on every machine.
        let group = format!("kill -{signal} -{}", self.child.id());
        Command::new("sh").args(["-c", &group]).stderr(Stdio::null()).status().expect("sh starts");
    }

    /// The last lines of what the server has printed.
    pub fn output(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    /// Processor time that all its threads have had.
    pub fn processor_time(&self) -> Duration {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.id())).into_iter().flatten().flatten();
        let spent = |path: PathBuf| std::fs::read_to_string(path).ok()?.split(' ').next()?.parse::<u64>().ok();
        Duration::from_nanos(tasks.filter_map(|task| spent(task.path().join("schedstat"))).sum())
    }

    /// Octets of memory it holds now.
    pub fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
        line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) * 1024
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.ended().is_none() {
            self.signal("KILL");
        }
        self.child.wait().ok();
    }
}
