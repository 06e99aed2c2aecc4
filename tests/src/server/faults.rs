//! A relay in front of a real server that spoils exchanges on demand.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// A request, as a relay receives it.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// The number of requests before it.
    pub number: usize,
    /// The method.
    pub method: String,
    /// The path with the query.
    pub path: String,
    /// The headers, with names in lower case.
    pub headers: Vec<(String, String)>,
}

impl Exchange {
    /// Returns the value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// The fate of an exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// The server answers.
    Relay,
    /// The relay answers with this status and code; the server sees nothing.
    Refuse(u16, &'static str),
    /// The server answers, and the connection ends after half of the body.
    HalfOfBody,
    /// The server answers, and the connection ends without an answer.
    LoseAnswer,
    /// The server sees the request without this header.
    Without(&'static str),
}

type Decide = Box<dyn Fn(&Exchange) -> Action + Send + Sync>;

struct Shared {
    upstream: u16,
    decide: Decide,
    /// Guards the requests so far.
    seen: Mutex<Vec<Exchange>>,
    stops: AtomicBool,
}

/// A running relay.
pub struct FaultyProxy {
    shared: Arc<Shared>,
    port: u16,
    thread: Option<thread::JoinHandle<()>>,
}

impl FaultyProxy {
    /// Relays to the server at an endpoint; `decide` is called once for each request.
    pub fn start(
        endpoint: &str,
        decide: impl Fn(&Exchange) -> Action + Send + Sync + 'static,
    ) -> Self {
        let upstream = endpoint.rsplit(':').next().and_then(|port| port.parse().ok());
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let shared = Arc::new(Shared {
            upstream: upstream.expect("an endpoint has a port"),
            decide: Box::new(decide),
            seen: Mutex::default(),
            stops: AtomicBool::new(false),
        });
        let accepting = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if accepting.stops.load(Ordering::SeqCst) {
                    break;
                }
                let shared = Arc::clone(&accepting);
                // A client that gives up breaks its own connection only.
                thread::spawn(move || stream.and_then(|stream| shared.serve(stream)));
            }
        });
        FaultyProxy { shared, port, thread: Some(thread) }
    }

    /// Returns the URL of the relay.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Returns the requests so far.
    pub fn seen(&self) -> Vec<Exchange> {
        self.shared.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for FaultyProxy {
    fn drop(&mut self) {
        self.shared.stops.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    /// Serves one request of a connection, and closes it.
    fn serve(&self, mut client: TcpStream) -> io::Result<()> {
        let mut reader = BufReader::new(client.try_clone()?);
        let Some(mut exchange) = read_head(&mut reader)? else { return Ok(()) };
        if exchange.header("expect").is_some() {
            client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let length = exchange.header("content-length").and_then(|text| text.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        reader.read_exact(&mut body)?;
        {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            exchange.number = seen.len();
            seen.push(exchange.clone());
        }
        let action = (self.decide)(&exchange);
        let answer = match action {
            Action::Refuse(status, code) => refusal(&exchange, status, code),
            _ => self.forward(&exchange, &body, &action)?,
        };
        match action {
            Action::LoseAnswer => Ok(()),
            Action::HalfOfBody => client.write_all(&answer[..half(&answer)]),
            _ => client.write_all(&answer),
        }
    }

    /// Sends a request to the server; returns its answer.
    fn forward(&self, exchange: &Exchange, body: &[u8], action: &Action) -> io::Result<Vec<u8>> {
        let mut server = TcpStream::connect(("127.0.0.1", self.upstream))?;
        let mut head = format!("{} {} HTTP/1.1\r\n", exchange.method, exchange.path);
        for (name, value) in &exchange.headers {
            let is_left_out = matches!(action, Action::Without(header) if header == name);
            if !["connection", "expect"].contains(&name.as_str()) && !is_left_out {
                head += &format!("{name}: {value}\r\n");
            }
        }
        head += "connection: close\r\n\r\n";
        server.write_all(head.as_bytes())?;
        server.write_all(body)?;
        let mut answer = Vec::new();
        server.read_to_end(&mut answer)?;
        Ok(answer)
    }
}

/// Reads the head of a request; `None` when the connection ends before one.
fn read_head(reader: &mut impl BufRead) -> io::Result<Option<Exchange>> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_ascii_whitespace();
    let (Some(method), Some(path)) = (words.next(), words.next()) else { return Ok(None) };
    let (method, path) = (method.to_owned(), path.to_owned());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    Ok(Some(Exchange { number: 0, method, path, headers }))
}

/// Makes an answer that refuses a request, with a body unless it is for the head alone.
fn refusal(exchange: &Exchange, status: u16, code: &str) -> Vec<u8> {
    let body = match exchange.method.as_str() {
        "HEAD" => String::new(),
        _ => format!("<Error><Code>{code}</Code><Message>refused by a test</Message></Error>"),
    };
    let head = format!(
        "HTTP/1.1 {status} Refused\r\nContent-Type: application/xml\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n",
        body.len()
    );
    (head + &body).into_bytes()
}

/// Returns the offset of the middle of an answer's body.
fn half(answer: &[u8]) -> usize {
    let head = answer.windows(4).position(|four| four == b"\r\n\r\n").map_or(0, |at| at + 4);
    head + (answer.len() - head) / 2
}
