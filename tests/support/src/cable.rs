//! What lies between a client and a server, and can be pulled out.

use crate::Result;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Carries TCP connections to a server while it is plugged in. A browser's own emulation of being offline stops new
/// requests, but leaves a stream that is open and silent as it is.
#[derive(Debug)]
pub struct Cable {
    address: String,
    plugged: watch::Sender<bool>,
    carries: JoinHandle<()>,
}

impl Cable {
    /// Lays a cable to the server at this address; its own is on the loopback.
    ///
    /// # Errors
    /// There is no port for it.
    pub async fn to(server: impl Into<String>) -> Result<Self> {
        let server = server.into();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let (plugged, is_plugged) = watch::channel(true);
        let carries = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                // One that comes while it is unplugged is dropped.
                if *is_plugged.borrow() {
                    tokio::spawn(carry(client, server.clone(), is_plugged.clone()));
                }
            }
        });
        Ok(Self { address, plugged, carries })
    }

    /// Where it leads from, as `http://127.0.0.1:3001`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Cuts every connection, and lets no other through.
    pub fn pull(&self) {
        self.plugged.send_replace(false);
    }

    /// Lets connections through again.
    pub fn plug(&self) {
        self.plugged.send_replace(true);
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        self.carries.abort();
    }
}

async fn carry(mut client: TcpStream, server: String, mut plugged: watch::Receiver<bool>) {
    let Ok(mut server) = TcpStream::connect(server).await else { return };
    tokio::select! {
        _ = copy_bidirectional(&mut client, &mut server) => {}
        // Also when the cable is gone.
        _ = plugged.wait_for(|plugged| !plugged) => {}
    }
}
