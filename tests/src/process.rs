//! Starts a server as a child, and stops it by its own process id.

use crate::{Failure, Target};
use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

const MOST_LOG: usize = 64 * 1024;

/// A running server; it is killed when this is dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    target: Target,
    /// To start one like it.
    program: OsString,
    arguments: Vec<OsString>,
    log: Arc<Mutex<String>>,
}

impl Server {
    /// Runs this command, and waits until it says `listening on URL`.
    ///
    /// # Errors
    /// It did not start, or said nothing within 10 s.
    pub fn start(command: &mut Command) -> Result<Self, Failure> {
        let program = command.get_program().display().to_string();
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.map_err(|error| Failure::new(format_args!("{program} cannot be started: {error}")))?;
        let Some(out) = child.stdout.take() else { return Err(Failure::new("the server has no output")) };
        let log = Arc::new(Mutex::new(String::new()));
        if let Some(err) = child.stderr.take() {
            let log = log.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(err).lines().map_while(Result::ok) {
                    let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
                    // A server that talks without end is not listened to for ever.
                    if log.len() < MOST_LOG {
                        log.push_str(&line);
                        log.push('\n');
                    }
                }
            });
        }
        let (send, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                // Nobody listens once the first line was read; the pipe is emptied all the same.
                let _ = send.send(line);
            }
        });
        let target = lines
            .recv_timeout(Duration::from_secs(10))
            .map_err(|_| Failure::new(format_args!("{program} did not print `listening on URL`")))
            .and_then(|line| match line.strip_prefix("listening on ") {
                Some(url) => Target::new(url),
                None => Err(Failure::new(format_args!("{program} printed {line:?}, and not `listening on URL`"))),
            });
        match target {
            Ok(target) => {
                let arguments = command.get_args().map(OsString::from).collect();
                Ok(Self { child, target, program: command.get_program().into(), arguments, log })
            }
            Err(failure) => {
                // One that exits by itself closes its output first.
                std::thread::sleep(Duration::from_millis(100));
                let _ = child.kill();
                let code = child.wait()?.code();
                // As the contract has it for an option that a server does not have.
                if code == Some(2) {
                    return Err(Failure::out_of_scope("an option is not offered"));
                }
                // One that was killed has no code. What it said itself tells more than we can.
                let end = code.map(|code| format!("; it ended with {code}")).unwrap_or_default();
                let log = log.lock().unwrap_or_else(PoisonError::into_inner);
                Err(Failure::new(format!("{failure}{end}\n{log}").trim_end()))
            }
        }
    }

    /// The server, seen from outside.
    #[must_use]
    pub const fn target(&self) -> &Target {
        &self.target
    }

    /// What it has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The process, for whoever looks at it from outside.
    #[must_use]
    pub fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// Starts the same once more beside it: where the command says where a history is kept, a server of the same one.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn another(&self) -> Result<Self, Failure> {
        Self::start(Command::new(&self.program).args(&self.arguments))
    }

    /// Stops it, and starts the same again.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn again(mut self) -> Result<Self, Failure> {
        self.terminate()?;
        self.wait(Duration::from_secs(15))?;
        self.another()
    }

    /// Sends SIGTERM. Where there are no signals, kills.
    ///
    /// # Errors
    /// The system said no.
    pub fn terminate(&mut self) -> Result<(), Failure> {
        #[cfg(unix)]
        return self.signal(rustix::process::Signal::TERM);
        #[cfg(not(unix))]
        Ok(self.child.kill()?)
    }

    /// Sends SIGINT, as a terminal does.
    ///
    /// # Errors
    /// The system said no.
    #[cfg(unix)]
    pub fn interrupt(&mut self) -> Result<(), Failure> {
        self.signal(rustix::process::Signal::INT)
    }

    #[cfg(unix)]
    fn signal(&self, signal: rustix::process::Signal) -> Result<(), Failure> {
        let pid = rustix::process::Pid::from_child(&self.child);
        let sent = rustix::process::kill_process(pid, signal);
        sent.map_err(|error| Failure::new(format_args!("no signal was sent: {error}")))
    }

    /// Waits for the end of the process.
    ///
    /// # Errors
    /// It still runs after this long.
    pub fn wait(&mut self, within: Duration) -> Result<ExitStatus, Failure> {
        let deadline = Instant::now() + within;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if Instant::now() >= deadline {
                return Err(Failure::new(format_args!("the server still runs after {within:?}")));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
