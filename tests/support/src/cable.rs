//! A TCP relay between a client and a server. The relay can cut connections at a chosen byte, swallow bytes, slow them
//! down, deliver them late, and connect to another server.

use crate::Result;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The bytes before a read in which the texts of [`Cable::cut_after`] may begin.
const KEPT: usize = 1024;

/// A relay that carries TCP connections to a server while plugged in. A browser's own emulation of being offline stops
/// new requests, but leaves an open stream as before.
#[derive(Debug)]
pub struct Cable {
    address: String,
    state: Arc<State>,
    carries: JoinHandle<()>,
}

/// How a client sees the end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cut {
    /// A FIN, as from a peer that ends.
    Fin,
    /// A RST, as from a network that changed or a peer that crashed.
    Reset,
}

impl Cut {
    /// Every way to cut a connection.
    pub const ALL: [Self; 2] = [Self::Fin, Self::Reset];

    /// The word for this cut in the name of a trial.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fin => "fin",
            Self::Reset => "reset",
        }
    }
}

#[derive(Debug)]
struct State {
    plug: watch::Sender<Plug>,
    line: Mutex<Line>,
    /// Texts that a server sends one after the other, and the cut after the last one.
    cut_after: Mutex<Option<(Vec<String>, Cut)>>,
    requests: Mutex<Vec<Request>>,
    /// The number of connections that were opened so far.
    opened: AtomicU64,
    /// The bytes to the server of connections below this number are held.
    held: watch::Sender<u64>,
}

/// A number that grows with every cut. A cut ends the connections that began before, also if the cable was plugged in
/// again at once.
#[derive(Debug, Clone, Copy, Default)]
struct Plug {
    cuts: u64,
    last: Option<Cut>,
    is_unplugged: bool,
}

/// The treatment of the carried bytes.
#[derive(Debug, Default)]
struct Line {
    server: String,
    delay: Duration,
    bytes_per_second: u64,
    swallows_to_server: bool,
    swallows_to_client: bool,
}

impl Line {
    fn pause(&self, bytes: usize) -> Duration {
        let micros = (bytes as u64 * 1_000_000).checked_div(self.bytes_per_second).unwrap_or_default();
        self.delay + Duration::from_micros(micros)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Request {
    path: String,
    last_event_id: Option<String>,
}

impl Cable {
    /// Connects to the server at this address, on a new port of the loopback.
    ///
    /// # Errors
    /// No port can be bound.
    pub async fn to(server: impl Into<String>) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let line = Mutex::new(Line { server: server.into(), ..Line::default() });
        let plug = watch::Sender::new(Plug::default());
        let state = Arc::new(State {
            plug,
            line,
            cut_after: Mutex::default(),
            requests: Mutex::default(),
            opened: AtomicU64::new(0),
            held: watch::Sender::new(0),
        });
        let carried = state.clone();
        let carries = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let plug = *carried.plug.borrow();
                if plug.is_unplugged {
                    end(client, plug.last.unwrap_or(Cut::Fin));
                } else {
                    tokio::spawn(carry(client, carried.clone(), plug.cuts));
                }
            }
        });
        Ok(Self { address, state, carries })
    }

    /// The address of the client's end, as `127.0.0.1:3001`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The URL of the client's end, as `http://127.0.0.1:3001`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends every connection with a FIN, and accepts no other until [`Cable::plug`].
    pub fn pull(&self) {
        self.cut(Cut::Fin);
    }

    /// Cuts every connection, and accepts no other until [`Cable::plug`].
    pub fn cut(&self, cut: Cut) {
        self.state.cut(cut);
    }

    /// Cuts as [`Cable::cut`] does once the server has sent these texts, one after the other, with any bytes between
    /// them. The last byte of the last text is the last that a client receives. Cuts once, and searches only bytes that
    /// are sent from now on. Texts further apart than 1 KiB can be missed.
    pub fn cut_after(&self, texts: &[&str], cut: Cut) {
        let texts = texts.iter().map(|text| (*text).to_owned()).collect();
        *self.state.cut_after.lock().unwrap_or_else(PoisonError::into_inner) = Some((texts, cut));
    }

    /// Waits until the cable is unplugged, by [`Cable::cut_after`] for example.
    ///
    /// # Errors
    /// The bound passes.
    pub async fn is_cut(&self, bound: Duration) -> Result {
        let mut plug = self.state.plug.subscribe();
        let unplugged = tokio::time::timeout(bound, plug.wait_for(|plug| plug.is_unplugged)).await;
        unplugged.map_err(|_| format!("not cut within {bound:?}"))??;
        Ok(())
    }

    /// Accepts connections again.
    pub fn plug(&self) {
        self.state.plug.send_modify(|plug| plug.is_unplugged = false);
    }

    /// Leads new connections to the server at this address.
    pub fn lead_to(&self, server: impl Into<String>) {
        self.state.line().server = server.into();
    }

    /// Delays each piece of up to 16 KiB, in both directions, and limits the rate; 0 bytes per second are no limit.
    pub fn slow(&self, delay: Duration, bytes_per_second: u64) {
        let mut line = self.state.line();
        (line.delay, line.bytes_per_second) = (delay, bytes_per_second);
    }

    /// Drops the bytes to the server, those to the client, or both; the connections stay open.
    pub fn swallow(&self, to_server: bool, to_client: bool) {
        let mut line = self.state.line();
        (line.swallows_to_server, line.swallows_to_client) = (to_server, to_client);
    }

    /// Holds the bytes to the server of all connections that are open now, until [`Cable::release`]. The bytes arrive also if
    /// the client closes its connection in the meantime, as those in the buffers of a network do. Later connections are not
    /// affected.
    pub fn hold(&self) {
        self.state.held.send_replace(self.state.opened.load(Ordering::SeqCst));
    }

    /// Delivers the bytes that are held.
    pub fn release(&self) {
        self.state.held.send_replace(0);
    }

    /// The `Last-Event-ID` of each request for this path so far, empty where the request had none.
    #[must_use]
    pub fn requests(&self, path: &str) -> Vec<String> {
        let requests = self.state.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let of_path = requests.iter().filter(|request| request.path == path);
        of_path.map(|request| request.last_event_id.clone().unwrap_or_default()).collect()
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        self.carries.abort();
        self.pull();
    }
}

/// Carries one connection, which began after this many cuts.
async fn carry(mut client: TcpStream, state: Arc<State>, cuts: u64) {
    let address = state.line().server.clone();
    let Ok(mut server) = TcpStream::connect(address).await else { return };
    let number = state.opened.fetch_add(1, Ordering::SeqCst);
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    let cut = tokio::select! {
        cut = state.unplugged(cuts) => cut,
        () = state.to_server(from_client, to_server, number) => Cut::Fin,
        cut = state.to_client(from_server, to_client) => cut,
    };
    end(client, cut);
}

impl State {
    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cut(&self, cut: Cut) {
        self.plug.send_modify(|plug| *plug = Plug { cuts: plug.cuts + 1, last: Some(cut), is_unplugged: true });
    }

    /// Waits for a cut after the first `cuts`. A dropped cable counts as a cut.
    async fn unplugged(&self, cuts: u64) -> Cut {
        let mut plug = self.plug.subscribe();
        plug.wait_for(|plug| plug.cuts != cuts).await.ok().and_then(|plug| plug.last).unwrap_or(Cut::Fin)
    }

    /// Reads the next piece, and delays that piece as a slow line does.
    async fn piece<'b>(&self, from: &mut ReadHalf<'_>, buffer: &'b mut [u8]) -> Option<&'b [u8]> {
        let read = from.read(buffer).await.ok().filter(|read| *read > 0)?;
        let pause = self.line().pause(read);
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        buffer.get(..read)
    }

    /// Reads until the bytes of this connection are no longer held, and returns them.
    async fn held_back(&self, client: &mut ReadHalf<'_>, number: u64, bytes: &[u8]) -> Vec<u8> {
        let (mut all, mut buffer) = (bytes.to_vec(), vec![0; 16 * 1024]);
        let mut held = self.held.subscribe();
        let mut is_open = true;
        loop {
            tokio::select! {
                _ = held.wait_for(|held| *held <= number) => return all,
                read = client.read(&mut buffer), if is_open => match read {
                    Ok(read) if read > 0 => all.extend_from_slice(buffer.get(..read).unwrap_or_default()),
                    _ => is_open = false,
                },
            }
        }
    }

    async fn to_server(&self, mut client: ReadHalf<'_>, mut server: WriteHalf<'_>, number: u64) {
        let (mut heads, mut buffer) = (Vec::new(), vec![0; 16 * 1024]);
        while let Some(bytes) = self.piece(&mut client, &mut buffer).await {
            let late;
            let bytes = if number < *self.held.borrow() {
                late = self.held_back(&mut client, number, bytes).await;
                &*late
            } else {
                bytes
            };
            if self.line().swallows_to_server {
                continue;
            }
            heads.extend_from_slice(bytes);
            self.note_requests(&mut heads);
            if server.write_all(bytes).await.is_err() {
                return;
            }
        }
    }

    async fn to_client(&self, mut server: ReadHalf<'_>, mut client: WriteHalf<'_>) -> Cut {
        let (mut passed, mut buffer) = (Vec::new(), vec![0; 16 * 1024]);
        while let Some(bytes) = self.piece(&mut server, &mut buffer).await {
            if self.line().swallows_to_client {
                continue;
            }
            let before = passed.len();
            passed.extend_from_slice(bytes);
            let cut = self.find_cut(&passed, before);
            let last = cut.map_or(bytes.len(), |(last, _)| last - before);
            if client.write_all(bytes.get(..last).unwrap_or_default()).await.is_err() {
                return Cut::Fin;
            }
            if let Some((_, cut)) = cut {
                self.cut(cut);
                return cut;
            }
            passed.drain(..passed.len().saturating_sub(KEPT));
        }
        Cut::Fin
    }

    /// The place of the cut in these bytes, if the place is after the first `before` bytes.
    fn find_cut(&self, bytes: &[u8], before: usize) -> Option<(usize, Cut)> {
        let mut cut_after = self.cut_after.lock().unwrap_or_else(PoisonError::into_inner);
        let (texts, cut) = cut_after.as_ref()?;
        let (first, others) = texts.split_first()?;
        let end_of = |text: &String, from: usize| {
            let mut windows = bytes.get(from..)?.windows(text.len());
            windows.position(|window| window == text.as_bytes()).map(|start| from + start + text.len())
        };
        let mut from = 0;
        let end = loop {
            let end_of_first = end_of(first, from)?;
            let end = others.iter().try_fold(end_of_first, |from, text| end_of(text, from))?;
            if end > before {
                break end;
            }
            // These texts passed before the cut was requested.
            from = end_of_first;
        };
        let cut = *cut;
        *cut_after = None;
        Some((end, cut))
    }

    /// Removes the complete request heads from the bytes that a client sent.
    fn note_requests(&self, sent: &mut Vec<u8>) {
        while let Some(end) = sent.windows(4).position(|window| window == b"\r\n\r\n") {
            let head: Vec<u8> = sent.drain(..end + 4).collect();
            let head = String::from_utf8_lossy(&head);
            let mut lines = head.lines();
            // The body of an earlier request may stand before the method.
            let target = lines.next().and_then(|line| line.rsplit(' ').nth(1)).unwrap_or_default();
            let path = target.split('?').next().unwrap_or_default().to_owned();
            let mut headers = lines.filter_map(|line| line.split_once(':'));
            let id = headers.find(|(name, _)| name.eq_ignore_ascii_case("last-event-id"));
            let request = Request { path, last_event_id: id.map(|(_, id)| id.trim().to_owned()) };
            self.requests.lock().unwrap_or_else(PoisonError::into_inner).push(request);
        }
    }
}

fn end(client: TcpStream, cut: Cut) {
    if cut == Cut::Reset {
        let _ = client.set_zero_linger();
    }
    drop(client);
}

#[cfg(test)]
mod tests {
    use super::Cable;
    use crate::Result;
    use std::time::Duration;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::time::timeout;

    const SOON: Duration = Duration::from_secs(10);

    /// A server that sends this byte to each connection, and then echoes every byte.
    async fn server(greeting: u8) -> Result<String> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                tokio::spawn(async move {
                    client.write_all(&[greeting]).await?;
                    let (mut from, mut to) = client.split();
                    tokio::io::copy(&mut from, &mut to).await
                });
            }
        });
        Ok(address)
    }

    async fn next(client: &mut TcpStream) -> Result<u8> {
        Ok(timeout(SOON, client.read_u8()).await??)
    }

    #[tokio::test]
    async fn a_cut_ends_each_connection_also_if_the_cable_is_plugged_in_at_once() -> Result {
        let cable = Cable::to(server(b'1').await?).await?;
        let mut client = TcpStream::connect(cable.address()).await?;
        assert_eq!(next(&mut client).await?, b'1');
        cable.lead_to(server(b'2').await?);
        cable.pull();
        cable.plug();
        assert!(next(&mut client).await.is_err());
        assert_eq!(next(&mut TcpStream::connect(cable.address()).await?).await?, b'2');
        Ok(())
    }

    #[tokio::test]
    async fn swallowed_bytes_do_not_arrive_and_the_connection_stays() -> Result {
        let cable = Cable::to(server(b'1').await?).await?;
        for (to_server, to_client) in [(true, false), (false, true)] {
            let mut client = TcpStream::connect(cable.address()).await?;
            assert_eq!(next(&mut client).await?, b'1');
            cable.swallow(to_server, to_client);
            client.write_all(b"x").await?;
            assert!(timeout(Duration::from_millis(100), client.read_u8()).await.is_err());
            cable.swallow(false, false);
            client.write_all(b"y").await?;
            assert_eq!(next(&mut client).await?, b'y');
        }
        Ok(())
    }

    #[tokio::test]
    async fn held_bytes_arrive_after_those_of_a_later_connection_also_if_their_client_has_left() -> Result {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let cable = Cable::to(listener.local_addr()?.to_string()).await?;
        let mut first = TcpStream::connect(cable.address()).await?;
        let (mut of_first, _) = timeout(SOON, listener.accept()).await??;
        first.write_all(b"a").await?;
        assert_eq!(next(&mut of_first).await?, b'a');
        cable.hold();
        first.write_all(b"b").await?;
        drop(first);
        let mut second = TcpStream::connect(cable.address()).await?;
        second.write_all(b"c").await?;
        let (mut of_second, _) = timeout(SOON, listener.accept()).await??;
        assert_eq!(next(&mut of_second).await?, b'c');
        assert!(timeout(Duration::from_millis(100), of_first.read_u8()).await.is_err());
        cable.release();
        assert_eq!(next(&mut of_first).await?, b'b');
        Ok(())
    }

    #[tokio::test]
    async fn a_slow_cable_delays_each_direction() -> Result {
        let cable = Cable::to(server(b'1').await?).await?;
        let mut client = TcpStream::connect(cable.address()).await?;
        assert_eq!(next(&mut client).await?, b'1');
        let began = std::time::Instant::now();
        cable.slow(Duration::from_millis(50), 0);
        client.write_all(b"x").await?;
        assert_eq!(next(&mut client).await?, b'x');
        assert!(began.elapsed() >= Duration::from_millis(100));
        Ok(())
    }
}
