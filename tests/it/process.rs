//! The broker as a process of its own: started with flags, killed, and asked what it logged.

use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use crate::client::POLL;

const LEVERET: &str = env!("CARGO_BIN_EXE_leveret");

/// A running program; killed when dropped.
pub struct Program {
    child: Child,
    ports_file: PathBuf,
    log: Arc<Mutex<String>>,
    log_reader: Option<JoinHandle<()>>,
}

/// The number of this process, and one that nothing else of it has: two tests may choose the same name.
fn unique() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

impl Program {
    /// Starts it on a free port and waits until it says that it is ready.
    pub fn start(name: &str, arguments: &[&str]) -> Self {
        Self::start_by(Command::new(LEVERET), name, arguments).ready()
    }

    /// Starts it after these words of the shell, such as `ulimit -n 256`.
    pub fn start_after(words: &str, name: &str, arguments: &[&str]) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("{words}; exec \"$0\" \"$@\""), LEVERET]);
        Self::start_by(shell, name, arguments).ready()
    }

    /// Starts it with these environment variables.
    pub fn start_with(environment: &[(&str, &str)], name: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(LEVERET);
        command.envs(environment.iter().copied());
        Self::start_by(command, name, arguments).ready()
    }

    /// Starts it after these words, which may make its output useless, and waits until the file with its port is there.
    pub async fn start_unheard(words: &str, name: &str, arguments: &[&str]) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("{words}; exec \"$0\" \"$@\""), LEVERET]);
        let program = Self::start_by(shell, name, arguments);
        crate::client::eventually("the file with the port is there", async || {
            if program.ports_file.exists() { Ok(()) } else { Err(program.log()) }
        })
        .await;
        program
    }

    fn start_by(mut command: Command, name: &str, arguments: &[&str]) -> Self {
        let ports_file = std::env::temp_dir().join(format!("leveret-test-{}-{name}.json", unique()));
        command.args(arguments);
        if !arguments.contains(&"--ports-file") {
            command.arg("--ports-file").arg(&ports_file);
        }
        if !arguments.contains(&"--no-amqp") {
            command.args(["--amqp-listen", "127.0.0.1:0"]);
        }
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // Read all the time, so that a long log never makes the broker wait.
        let log = Arc::new(Mutex::new(String::new()));
        let (lines, written) = (BufReader::new(child.stderr.take().unwrap()).lines(), Arc::clone(&log));
        let log_reader = std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let mut log = written.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
            }
        });
        Self { child, ports_file, log, log_reader: Some(log_reader) }
    }

    /// Waits until it says that it is.
    fn ready(self) -> Self {
        let mut program = self;
        let mut lines = String::new();
        let mut stdout = BufReader::new(program.child.stdout.take().unwrap());
        while matches!(stdout.read_line(&mut lines), Ok(1..)) && !lines.ends_with(" plugins.\n") {}
        if lines != "Server startup complete; 0 plugins started.\n completed with 0 plugins.\n" {
            panic!("it did not start: {lines:?}; {:?}", program.end());
        }
        program
    }

    /// Starts it with a data directory.
    pub fn start_in(directory: &Directory, arguments: &[&str]) -> Self {
        Self::start(&directory.name, &[&["--data-dir", directory.text()], arguments].concat())
    }

    /// The port that the file tells, which is there once the line is.
    pub fn address(&self) -> SocketAddr {
        let port = self.ports()["amqp"].as_u64().unwrap().try_into().unwrap();
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    /// All ports that the file tells.
    pub fn ports(&self) -> serde_json::Value {
        let text = std::fs::read_to_string(&self.ports_file).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// The file that tells the port.
    pub fn ports_file(&self) -> &Path {
        &self.ports_file
    }

    /// What it takes in memory.
    pub fn resident_bytes(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
    }

    /// The number of its process.
    pub fn process_id(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// `kill -9`, and waits until it is dead; what it had logged.
    pub fn kill(&mut self) -> String {
        self.child.kill().unwrap();
        self.end().1
    }

    /// Stops it as an operator does; what it had logged.
    pub fn stop(&mut self) -> String {
        self.signal("TERM");
        let (code, log) = self.end();
        assert_eq!(code, Some(0), "{log}");
        log
    }

    /// Waits for the end; exit code and log.
    pub fn end(&mut self) -> (Option<i32>, String) {
        let code = ended(&mut self.child).code();
        self.log_reader.take().unwrap().join().unwrap();
        (code, self.log())
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        std::fs::remove_file(&self.ports_file).ok();
    }
}

/// A port on which nothing listens. It lies below those that a system gives to whoever wants any port: one of these, once it was given
/// back, may go to another test at any moment.
pub fn unused_port() -> u16 {
    const FIRST: u32 = 20_000;
    const COUNT: u32 = 12_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let mut candidates = (0..COUNT).map(|_| {
        let number = std::process::id().wrapping_mul(31).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        (FIRST + number % COUNT) as u16
    });
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    candidates.find(is_free).expect("not all of them are taken")
}

/// Runs it to its end, which comes by itself.
pub fn run(arguments: &[&str]) -> Output {
    run_with(&[], arguments)
}

/// Runs it to its end with these environment variables.
pub fn run_with(environment: &[(&str, &str)], arguments: &[&str]) -> Output {
    let mut command = Command::new(LEVERET);
    command.envs(environment.iter().copied()).args(arguments).stdin(Stdio::null());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let read = |mut output: Box<dyn Read + Send>| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            output.read_to_end(&mut bytes).unwrap();
            bytes
        })
    };
    let [stdout, stderr] = [read(Box::new(child.stdout.take().unwrap())), read(Box::new(child.stderr.take().unwrap()))];
    let status = ended(&mut child);
    Output { status, stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap() }
}

/// Waits for its end. What goes on for minutes is killed, so that a test fails and does not wait for ever.
fn ended(child: &mut Child) -> ExitStatus {
    const POLLS_MAX: u32 = 9_000;
    for _ in 0..POLLS_MAX {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        std::thread::sleep(POLL);
    }
    child.kill().ok();
    child.wait().unwrap()
}

/// It does not start: a clear sentence on stderr, and a failure.
pub fn check_refused(arguments: &[&str], sentence: &str) {
    let output = run(arguments);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success(), "{arguments:?} succeeded");
    assert!(output.stdout.is_empty(), "{:?}", output.stdout);
    assert!(stderr.contains(sentence), "{arguments:?}: {stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
}

/// A data directory, empty at first. It goes with the test, unless that fails: then it is there to be looked at.
#[derive(Debug)]
pub struct Directory {
    name: String,
    path: PathBuf,
}

impl Directory {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("leveret-data-{}-{name}", unique()));
        std::fs::remove_dir_all(&path).ok();
        Self { name: name.to_owned(), path }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn text(&self) -> &str {
        self.path.to_str().unwrap()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the data directory is left in {}", self.path.display());
        } else {
            std::fs::remove_dir_all(&self.path).ok();
        }
    }
}
