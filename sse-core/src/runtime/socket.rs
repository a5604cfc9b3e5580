//! Bounds on what lies beneath a body, set once at the listening socket, whatever the framework above it.
//!
//! A reader that stalls is no longer polled, so nothing in this crate can end it; the socket can.

use socket2::{SockRef, TcpKeepalive};
use std::io;
use std::time::Duration;

/// What the sockets of a listener are bounded by. `None` leaves the system's own choice.
///
/// ```
/// use sse_core::{SocketLimits, apply_socket_limits};
///
/// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// let bounded = apply_socket_limits(&listener, &SocketLimits::default())?;
/// assert!(bounded.no_delay);
/// # #[cfg(target_os = "linux")]
/// assert!(bounded.missing().is_empty());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SocketLimits {
    /// How long sent bytes may stay unacknowledged, or a closed window closed, before the connection ends: 30 s by
    /// default. This is what ends a reader that stalls or vanishes with bytes on their way to it. Linux only.
    pub user_timeout: Option<Duration>,
    /// How long a silent connection is left alone before it is probed, how long between probes, and how many go
    /// unanswered before it ends: 30 s, 10 s and 3 by default.
    pub keep_alive: Option<(Duration, Duration, u32)>,
    /// Whether small writes leave at once: true by default.
    pub no_delay: bool,
    /// How many bytes the kernel takes that it has not sent yet: 128 KiB by default, where it would take megabytes. It
    /// bounds no throughput. Linux only.
    pub unsent_bytes: Option<u32>,
}

impl Default for SocketLimits {
    fn default() -> Self {
        Self {
            user_timeout: Some(Duration::from_secs(30)),
            keep_alive: Some((Duration::from_secs(30), Duration::from_secs(10), 3)),
            no_delay: true,
            unsent_bytes: Some(128 * 1024),
        }
    }
}

/// Which of the bounds are in force for the connections that the listener accepts from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct AppliedLimits {
    /// [`SocketLimits::user_timeout`].
    pub user_timeout: bool,
    /// [`SocketLimits::keep_alive`].
    pub keep_alive: bool,
    /// [`SocketLimits::no_delay`].
    pub no_delay: bool,
    /// [`SocketLimits::unsent_bytes`].
    pub unsent_bytes: bool,
}

impl AppliedLimits {
    /// The names of the bounds that were asked for or not, and are not in force: what this system lacks.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        let all = [
            ("user_timeout", self.user_timeout),
            ("keep_alive", self.keep_alive),
            ("no_delay", self.no_delay),
            ("unsent_bytes", self.unsent_bytes),
        ];
        all.into_iter().filter_map(|(name, set)| (!set).then_some(name)).collect()
    }
}

/// Sets these bounds on a listening TCP socket, std's or tokio's, from which accepted connections inherit them.
///
/// Call it before the framework takes the listener. On Linux all are inherited; elsewhere only what is known to be is
/// set, and the result says what is not.
///
/// # Errors
/// What the system says where it has an option and refuses its value.
///
/// Source: tcp(7); RFC 5482 (the user timeout).
pub fn apply_socket_limits<'s, S>(listener: &'s S, limits: &SocketLimits) -> io::Result<AppliedLimits>
where
    SockRef<'s>: From<&'s S>,
{
    let socket = SockRef::from(listener);
    socket.set_tcp_nodelay(limits.no_delay)?;
    let mut bounded =
        AppliedLimits { user_timeout: false, keep_alive: false, no_delay: limits.no_delay, unsent_bytes: false };
    if let Some((idle, interval, retries)) = limits.keep_alive {
        let probes = TcpKeepalive::new().with_time(idle).with_interval(interval);
        #[cfg(not(windows))]
        let probes = probes.with_retries(retries);
        #[cfg(windows)]
        let _ = retries;
        socket.set_tcp_keepalive(&probes)?;
        bounded.keep_alive = true;
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        if let Some(timeout) = limits.user_timeout {
            socket.set_tcp_user_timeout(Some(timeout))?;
            bounded.user_timeout = true;
        }
        if let Some(bytes) = limits.unsent_bytes {
            socket.set_tcp_notsent_lowat(bytes)?;
            bounded.unsent_bytes = true;
        }
    }
    Ok(bounded)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    /// Hazard E15.
    #[test]
    fn an_accepted_connection_has_the_bounds_of_its_listener() -> io::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let bounded = apply_socket_limits(&listener, &SocketLimits::default())?;
        assert_eq!(bounded.missing(), Vec::<&str>::new());

        let _client = TcpStream::connect(listener.local_addr()?)?;
        let (accepted, _) = listener.accept()?;
        let socket = SockRef::from(&accepted);
        assert_eq!(socket.tcp_user_timeout()?, Some(Duration::from_secs(30)));
        assert_eq!(socket.tcp_notsent_lowat()?, 128 * 1024);
        assert_eq!(socket.tcp_keepalive_time()?, Duration::from_secs(30));
        assert_eq!(socket.tcp_keepalive_interval()?, Duration::from_secs(10));
        assert_eq!(socket.tcp_keepalive_retries()?, 3);
        assert!(socket.tcp_nodelay()?);
        Ok(())
    }

    #[test]
    fn what_was_not_asked_for_is_said_to_be_missing() -> io::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let limits = SocketLimits { user_timeout: None, keep_alive: None, no_delay: false, unsent_bytes: None };
        let bounded = apply_socket_limits(&listener, &limits)?;
        assert_eq!(bounded.missing(), ["user_timeout", "keep_alive", "no_delay", "unsent_bytes"]);
        Ok(())
    }
}
