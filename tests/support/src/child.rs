//! A server as a child process: it is started, watched and stopped by its own process ID.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fmt;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{ChildStdin, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

/// How long a server may take to listen.
const START: Duration = Duration::from_secs(30);
/// How many of the last lines of standard error are kept.
const LINES: usize = 200;

/// A running server that printed `listening on URL`. Dropping this value kills the process.
#[derive(Debug)]
pub struct Child {
    process: Arc<Process>,
    stdin: Option<ChildStdin>,
    url: String,
    program: OsString,
    arguments: Vec<OsString>,
}

/// A second view of a server's process.
#[derive(Debug, Clone)]
pub struct Watch(Arc<Process>);

#[derive(Debug)]
struct Process {
    id: u32,
    child: Mutex<std::process::Child>,
    /// The test requested the end.
    asked: AtomicBool,
    log: Arc<Mutex<VecDeque<String>>>,
}

/// Why a server did not start.
#[derive(Debug)]
pub struct NotStarted {
    /// The exit code, if the program ended by itself.
    pub code: Option<i32>,
    words: String,
}

impl fmt::Display for NotStarted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

impl std::error::Error for NotStarted {}

impl From<io::Error> for NotStarted {
    fn from(error: io::Error) -> Self {
        Self { code: None, words: error.to_string() }
    }
}

/// A server that ended although no test requested the end.
#[derive(Debug, Clone)]
pub struct Ended {
    /// The exit status.
    pub status: ExitStatus,
    /// The last lines of standard error.
    pub log: String,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server ended by itself ({})", self.status)?;
        let last: Vec<_> = self.log.lines().rev().take(10).collect();
        if last.is_empty() {
            return write!(f, " and wrote nothing to standard error");
        }
        write!(f, "; its last lines of standard error:")?;
        last.iter().rev().try_for_each(|line| write!(f, "\n    | {line}"))
    }
}

impl Child {
    /// Runs this command, and waits for the line `listening on URL` of standard output. Standard input is a pipe that
    /// stays open until [`end_input`](Self::end_input).
    ///
    /// # Errors
    /// The program cannot be started, ends, or prints no such line within 30 s.
    pub fn start(command: &mut Command) -> Result<Self, NotStarted> {
        let program = command.get_program().to_owned();
        let arguments = command.get_args().map(OsString::from).collect();
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = spawned.map_err(|error| NotStarted {
            code: None,
            words: format!("{} cannot be started: {error}", program.display()),
        })?;
        let (stdin, out, err) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let log = Arc::new(Mutex::new(VecDeque::new()));
        let logged = err.map(|err| {
            let log = log.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(err).lines().map_while(Result::ok) {
                    let mut log = lock(&log);
                    if log.len() == LINES {
                        log.pop_front();
                    }
                    log.push_back(line);
                }
            })
        });
        let process = Process { id: child.id(), child: Mutex::new(child), asked: AtomicBool::new(false), log };
        let (send, lines) = mpsc::channel();
        if let Some(out) = out {
            std::thread::spawn(move || {
                for line in BufReader::new(out).lines().map_while(Result::ok) {
                    // After the URL there is no receiver. The pipe is emptied in any case.
                    let _ = send.send(line);
                }
            });
        }
        let begun = Instant::now();
        while let Ok(line) = lines.recv_timeout(START.saturating_sub(begun.elapsed())) {
            if let Some(url) = line.strip_prefix("listening on ") {
                let (process, url) = (Arc::new(process), url.to_owned());
                return Ok(Self { process, stdin, url, program, arguments });
            }
        }
        // A program that ends by itself closes standard output first.
        std::thread::sleep(Duration::from_millis(100));
        let code = process.kill()?.code();
        if let Some(logged) = logged {
            let _ = logged.join();
        }
        let end = code.map(|code| format!("; it ended with {code}")).unwrap_or_default();
        let words = format!("{} did not print `listening on URL`{end}\n{}", program.display(), process.log());
        Err(NotStarted { code, words: words.trim_end().to_owned() })
    }

    /// Where the server listens, as `http://127.0.0.1:3000`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The process ID.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id
    }

    /// The last 200 lines of standard error.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// A second view of the process.
    #[must_use]
    pub fn watch(&self) -> Watch {
        Watch(self.process.clone())
    }

    /// Starts the same command with the same arguments once more.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn another(&self) -> Result<Self, NotStarted> {
        Self::start(Command::new(&self.program).args(&self.arguments))
    }

    /// Writes to the server's standard input.
    ///
    /// # Errors
    /// The standard input is closed.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let stdin = self.stdin.as_mut().ok_or_else(|| io::Error::other("the input has ended"))?;
        stdin.write_all(bytes)?;
        stdin.flush()
    }

    /// Ends the server's standard input.
    pub fn end_input(&mut self) {
        self.stdin = None;
    }

    /// Sends SIGTERM. Without signals on the system, kills the process.
    ///
    /// # Errors
    /// The system rejects the signal.
    pub fn terminate(&self) -> io::Result<()> {
        self.process.asked.store(true, Ordering::SeqCst);
        #[cfg(unix)]
        return self.signal(rustix::process::Signal::TERM);
        #[cfg(not(unix))]
        self.process.kill().map(drop)
    }

    /// Sends SIGINT, as a terminal does.
    ///
    /// # Errors
    /// The system rejects the signal.
    #[cfg(unix)]
    pub fn interrupt(&self) -> io::Result<()> {
        self.process.asked.store(true, Ordering::SeqCst);
        self.signal(rustix::process::Signal::INT)
    }

    #[cfg(unix)]
    fn signal(&self, signal: rustix::process::Signal) -> io::Result<()> {
        let pid = rustix::process::Pid::from_child(&lock(&self.process.child));
        Ok(rustix::process::kill_process(pid, signal)?)
    }

    /// Kills the process, as a crash would.
    ///
    /// # Errors
    /// The system rejects the signal.
    pub fn kill(&self) -> io::Result<ExitStatus> {
        self.process.asked.store(true, Ordering::SeqCst);
        self.process.kill()
    }

    /// The exit status; `None` while the process runs.
    ///
    /// # Errors
    /// The system call fails.
    pub fn status(&self) -> io::Result<Option<ExitStatus>> {
        lock(&self.process.child).try_wait()
    }

    /// Waits for the end of the process.
    ///
    /// # Errors
    /// The process still runs after `within`.
    pub fn wait(&self, within: Duration) -> io::Result<ExitStatus> {
        let deadline = Instant::now() + within;
        loop {
            if let Some(status) = self.status()? {
                return Ok(status);
            }
            if Instant::now() >= deadline {
                return Err(io::Error::other(format!("the server still runs after {within:?}")));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

impl Process {
    fn kill(&self) -> io::Result<ExitStatus> {
        let mut child = lock(&self.child);
        child.kill()?;
        child.wait()
    }

    fn log(&self) -> String {
        lock(&self.log).iter().flat_map(|line| [line, "\n"]).collect()
    }
}

impl Watch {
    /// The end and the last lines of standard error, if the server ended although no test requested the end.
    #[must_use]
    pub fn ended(&self) -> Option<Ended> {
        if self.0.asked.load(Ordering::SeqCst) {
            return None;
        }
        // A process that closed its sockets may need a moment to end.
        let deadline = Instant::now() + Duration::from_millis(500);
        let status = loop {
            match lock(&self.0.child).try_wait().ok()? {
                Some(status) => break status,
                None if Instant::now() >= deadline => return None,
                None => std::thread::sleep(Duration::from_millis(10)),
            }
        };
        // The last lines of standard error may still arrive.
        std::thread::sleep(Duration::from_millis(20));
        Some(Ended { status, log: self.0.log() })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
