//! Limits for the TCP sockets below the framework, set once on the listening socket.
//!
//! A server does not poll the body of a stalled client, so the stream cannot end itself. A timeout of the socket can end
//! the connection.

use socket2::{SockRef, TcpKeepalive};
use std::io;
use std::time::Duration;

/// The limits of the connections that a listener accepts. `None` keeps the default of the operating system.
///
/// # Examples
/// ```
/// use sse_core::{SocketLimits, apply_socket_limits};
///
/// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// let applied = apply_socket_limits(&listener, &SocketLimits::default())?;
/// assert!(applied.no_delay);
/// # #[cfg(target_os = "linux")]
/// assert!(applied.missing().is_empty());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SocketLimits {
    /// The longest time that sent bytes stay unacknowledged, or that the client's receive window stays closed. Then the
    /// connection ends. 30 s by default; Linux only.
    ///
    /// This limit ends the connection of a client that stalled or vanished while bytes were on the way.
    pub user_timeout: Option<Duration>,
    /// TCP keep-alive: the idle time before the first probe, the time between probes, and the number of unanswered probes
    /// that ends the connection. 30 s, 10 s and 3 by default. Windows ignores the number.
    pub keep_alive: Option<(Duration, Duration, u32)>,
    /// Whether the kernel sends small writes at once (`TCP_NODELAY`). `true` by default.
    pub no_delay: bool,
    /// The most bytes that the kernel buffers before it sends them (`TCP_NOTSENT_LOWAT`). 128 KiB by default; the kernel's
    /// own limit is several megabytes. The limit does not reduce throughput. Linux only.
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

/// The limits that are in force for the connections that the listener accepts from now on.
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
    /// The names of the limits that are not in force, because they are unset or because this system lacks them.
    ///
    /// [`SocketLimits`] has an example.
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

/// Sets limits on a listening TCP socket of `std` or tokio. Accepted connections inherit the limits.
///
/// Call this function before you pass the listener to the framework. Linux passes on all limits. On other systems this
/// function sets only the limits that are known to be passed on, and the result names the others.
///
/// # Errors
/// The error of the operating system if the system has an option and rejects the value.
///
/// # Examples
/// [`SocketLimits`] has an example.
///
/// Source: tcp(7); RFC 5482 (user timeout).
pub fn apply_socket_limits<'s, S>(listener: &'s S, limits: &SocketLimits) -> io::Result<AppliedLimits>
where
    SockRef<'s>: From<&'s S>,
{
    let socket = SockRef::from(listener);
    socket.set_tcp_nodelay(limits.no_delay)?;
    let mut applied =
        AppliedLimits { user_timeout: false, keep_alive: false, no_delay: limits.no_delay, unsent_bytes: false };
    if let Some((idle, interval, retries)) = limits.keep_alive {
        let probes = TcpKeepalive::new().with_time(idle).with_interval(interval);
        #[cfg(not(windows))]
        let probes = probes.with_retries(retries);
        #[cfg(windows)]
        let _ = retries;
        socket.set_tcp_keepalive(&probes)?;
        applied.keep_alive = true;
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        if let Some(timeout) = limits.user_timeout {
            socket.set_tcp_user_timeout(Some(timeout))?;
            applied.user_timeout = true;
        }
        if let Some(bytes) = limits.unsent_bytes {
            socket.set_tcp_notsent_lowat(bytes)?;
            applied.unsent_bytes = true;
        }
    }
    Ok(applied)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    /// Hazard E15.
    #[test]
    fn accepted_connection_has_the_limits_of_its_listener() -> io::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let applied = apply_socket_limits(&listener, &SocketLimits::default())?;
        assert_eq!(applied.missing(), Vec::<&str>::new());

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
    fn unset_limits_are_listed_as_missing() -> io::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let limits = SocketLimits { user_timeout: None, keep_alive: None, no_delay: false, unsent_bytes: None };
        let applied = apply_socket_limits(&listener, &limits)?;
        assert_eq!(applied.missing(), ["user_timeout", "keep_alive", "no_delay", "unsent_bytes"]);
        Ok(())
    }
}
