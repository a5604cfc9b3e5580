//! A request as the bytes of the wire.

/// A request of HTTP/1, or the same parts for HTTP/2.
#[derive(Debug, Clone)]
#[must_use = "a request does nothing until it is sent"]
pub struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    version: &'static str,
    host: String,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Option<Vec<u8>>,
}

impl Request {
    /// A GET request without `Accept`.
    pub fn get(path: impl Into<String>) -> Self {
        Self::new("GET", path)
    }

    /// A request without headers.
    pub fn new(method: impl Into<String>, path: impl Into<String>) -> Self {
        let (method, path) = (method.into(), path.into());
        let host = "conformance".to_owned();
        Self { method, path, version: "HTTP/1.1", host, headers: Vec::new(), body: None }
    }

    /// The request of an `EventSource` for `/script` with these steps.
    pub fn script(steps: &str) -> Self {
        Self::get(Self::script_path(steps)).header("accept", "text/event-stream")
    }

    /// The POST request of a fetch client for `/fetch` with these steps.
    pub fn fetch(steps: impl Into<Vec<u8>>) -> Self {
        let request = Self::new("POST", "/fetch").header("accept", "text/event-stream");
        request.header("content-type", "application/json").body(steps)
    }

    /// The path of `/script` with these steps.
    #[must_use]
    pub fn script_path(steps: &str) -> String {
        let query = form_urlencoded::Serializer::new(String::new()).append_pair("steps", steps).finish();
        format!("/script?{query}")
    }

    /// The same request with another method.
    pub fn with_method(mut self, method: &str) -> Self {
        method.clone_into(&mut self.method);
        self
    }

    /// Sets the host; the default is `conformance`.
    pub fn host(mut self, host: &str) -> Self {
        host.clone_into(&mut self.host);
        self
    }

    /// Adds a header line without any check.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// Sets the body and `content-length`.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Uses HTTP/1.0.
    pub const fn http10(mut self) -> Self {
        self.version = "HTTP/1.0";
        self
    }

    /// The bytes of the request in HTTP/1.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes =
            format!("{} {} {}\r\nhost: {}\r\n", self.method, self.path, self.version, self.host).into_bytes();
        for (name, value) in &self.headers {
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"\r\n");
        }
        if let Some(body) = &self.body {
            bytes.extend_from_slice(format!("content-length: {}\r\n", body.len()).as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(self.body.as_deref().unwrap_or_default());
        bytes
    }
}
