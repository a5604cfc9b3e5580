//! A TCP relay between a client and a server, which cuts connections at a chosen byte.

use crate::Result;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The bytes before a read in which the texts of [`Cable::cut_after`] may begin.
const KEPT: usize = 1024;

/// Carries TCP connections to a server while it is plugged in. A browser's own emulation of being offline stops new
/// requests, but leaves an open stream as it is.
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
    server: String,
    /// The cut that ended the connections, while the cable is unplugged.
    cut: watch::Sender<Option<Cut>>,
    /// Texts that a server sends one after the other, and the cut after the last of them.
    cut_after: Mutex<Option<(Vec<String>, Cut)>>,
    requests: Mutex<Vec<Request>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Request {
    path: String,
    last_event_id: Option<String>,
}

impl Cable {
    /// Connects to the server at this address, on a port of its own on the loopback.
    ///
    /// # Errors
    /// No port can be bound.
    pub async fn to(server: impl Into<String>) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let (cut, _) = watch::channel(None);
        let state = State { server: server.into(), cut, cut_after: Mutex::default(), requests: Mutex::default() };
        let state = Arc::new(state);
        let carried = state.clone();
        let carries = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let cut = *carried.cut.borrow();
                match cut {
                    None => {
                        tokio::spawn(carry(client, carried.clone()));
                    }
                    Some(cut) => end(client, cut),
                }
            }
        });
        Ok(Self { address, state, carries })
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
        self.state.cut.send_replace(Some(cut));
    }

    /// Cuts as [`Cable::cut`] does once the server has sent these texts, one after the other, with any bytes between
    /// them. The last byte of the last text is the last that a client receives. Counts once, for what is sent from now
    /// on; texts further apart than 1 KiB may be missed.
    pub fn cut_after(&self, texts: &[&str], cut: Cut) {
        let texts = texts.iter().map(|text| (*text).to_owned()).collect();
        *self.state.cut_after.lock().unwrap_or_else(PoisonError::into_inner) = Some((texts, cut));
    }

    /// Waits until the cable is unplugged, by [`Cable::cut_after`] for example.
    ///
    /// # Errors
    /// The bound passes.
    pub async fn is_cut(&self, bound: std::time::Duration) -> Result {
        let mut cut = self.state.cut.subscribe();
        let unplugged = tokio::time::timeout(bound, cut.wait_for(Option::is_some)).await;
        unplugged.map_err(|_| format!("not cut within {bound:?}"))??;
        Ok(())
    }

    /// Accepts connections again.
    pub fn plug(&self) {
        self.state.cut.send_replace(None);
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

async fn carry(mut client: TcpStream, state: Arc<State>) {
    let Ok(mut server) = TcpStream::connect(&state.server).await else { return };
    let mut cuts = state.cut.subscribe();
    let (mut heads, mut passed) = (Vec::new(), Vec::new());
    let (mut from_client, mut from_server) = (vec![0; 16 * 1024], vec![0; 16 * 1024]);
    let cut = loop {
        tokio::select! {
            cut = unplugged(&mut cuts) => break cut,
            read = client.read(&mut from_client) => {
                let Some(bytes) = read.ok().and_then(|read| from_client.get(..read)).filter(|bytes| !bytes.is_empty())
                else { break Cut::Fin };
                heads.extend_from_slice(bytes);
                state.note_requests(&mut heads);
                if server.write_all(bytes).await.is_err() {
                    break Cut::Fin;
                }
            }
            read = server.read(&mut from_server) => {
                let Some(bytes) = read.ok().and_then(|read| from_server.get(..read)).filter(|bytes| !bytes.is_empty())
                else { break Cut::Fin };
                let before = passed.len();
                passed.extend_from_slice(bytes);
                let cut = state.find_cut(&passed, before);
                let last = cut.map_or(bytes.len(), |(last, _)| last - before);
                if client.write_all(bytes.get(..last).unwrap_or_default()).await.is_err() {
                    break Cut::Fin;
                }
                if let Some((_, cut)) = cut {
                    state.cut.send_replace(Some(cut));
                    break cut;
                }
                passed.drain(..passed.len().saturating_sub(KEPT));
            }
        }
    };
    end(client, cut);
}

impl State {
    /// Where in these bytes the cut is, if it is after the first `before` of them.
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
            // These texts passed before the cut was asked for.
            from = end_of_first;
        };
        let cut = *cut;
        *cut_after = None;
        Some((end, cut))
    }

    /// Takes the heads that are whole out of what a client sent.
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

/// Waits for a cut. Without the cable itself there is none to come, so that is one.
async fn unplugged(cuts: &mut watch::Receiver<Option<Cut>>) -> Cut {
    cuts.wait_for(Option::is_some).await.ok().and_then(|cut| *cut).unwrap_or(Cut::Fin)
}

fn end(client: TcpStream, cut: Cut) {
    if cut == Cut::Reset {
        let _ = client.set_zero_linger();
    }
    drop(client);
}
