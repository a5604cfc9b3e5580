//! Events through a real nginx with its defaults, buffering included.

use libtest_mimic::{Arguments, Failed};
use sse_conformance::client::Request;
use sse_conformance::process::Server;
use sse_conformance::server::Adapter;
use sse_conformance::{Failure, Target};
use sse_test_support::trials::needing;
use std::fs;
use std::net::TcpListener;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const SERVER: &str = env!("CARGO_BIN_EXE_conformance-server");
/// What is promised; a buffer that waits to be filled would take for ever.
const PROMISE: Duration = Duration::from_millis(50);

fn main() -> ExitCode {
    let trials = Adapter::ALL.map(|adapter| {
        // Hazard E1.
        needing("nginx", format!("{}::events_pass_a_buffering_proxy_at_once", adapter.as_str()), move || {
            pass(adapter).map_err(|failure| Failed::from(failure.to_string()))
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.into()).exit_code()
}

/// A running nginx in a folder of its own; it is stopped when this is dropped.
struct Nginx {
    child: Child,
    target: Target,
    _folder: TempDir,
}

impl Nginx {
    fn before(server: &Target) -> Result<Self, Failure> {
        let folder = tempfile::tempdir()?;
        // Free a moment ago; nobody else is given it that soon.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        // Nothing is said of buffering: it is on.
        let configuration = format!(
            "daemon off; master_process off; worker_processes 1; pid nginx.pid; error_log stderr;
            events {{ worker_connections 64; }}
            http {{
                access_log off;
                client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
                uwsgi_temp_path uwsgi; scgi_temp_path scgi;
                server {{
                    listen {address};
                    location / {{ proxy_pass http://{}; proxy_http_version 1.1; proxy_set_header connection \"\"; }}
                }}
            }}",
            server.address()
        );
        let file = folder.path().join("nginx.conf");
        fs::write(&file, configuration)?;
        let mut command = Command::new("nginx");
        command.arg("-p").arg(folder.path()).arg("-c").arg(&file).arg("-e").arg("stderr").stdin(Stdio::null());
        let child = command.spawn()?;
        let nginx = Self { child, target: Target::new(&format!("http://{address}"))?, _folder: folder };
        let began = Instant::now();
        while nginx.target.connect().is_err() {
            if began.elapsed() > Duration::from_secs(10) {
                return Err(Failure::new("nginx does not listen"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(nginx)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Without a master process this is all of it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn pass(adapter: Adapter) -> Result<(), Failure> {
    let server = Server::start(Command::new(SERVER).args(["--adapter", adapter.as_str()]))?;
    let nginx = Nginx::before(server.target())?;
    // So that connections and caches are warm.
    delay(&nginx.target)?;
    let mut delays = (0..20).map(|_| delay(&nginx.target)).collect::<Result<Vec<_>, _>>()?;
    delays.sort();
    let (median, most) = (delays[delays.len() / 2], delays[delays.len() - 1]);
    println!("{}: through nginx after {median:?}, {most:?} at most", adapter.as_str());
    // The median, because this machine has other things to do; and at most a second for all.
    if median > PROMISE || most > Duration::from_secs(1) {
        return Err(Failure::new(format_args!("an event came after {median:?} on the median, {most:?} at most")));
    }
    Ok(())
}

/// From the request to the first event, and to one that comes on its own.
fn delay(proxy: &Target) -> Result<Duration, Failure> {
    let asked = Instant::now();
    let mut stream = proxy.ask(&Request::script(r#"[{"send":{"data":"1"}},{"sleep":100},{"send":{"data":"2"}}]"#))?;
    stream.read_until("data: 1\n\n", Duration::from_secs(5))?;
    let first = asked.elapsed();
    stream.read_until("data: 2\n\n", Duration::from_secs(5))?;
    Ok(first.max((asked.elapsed() - first).saturating_sub(Duration::from_millis(100))))
}
