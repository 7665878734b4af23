//! A server of S3's kind on this machine, with faults to order and a log of what it was asked for.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use bench_fetch::{Access, Proxy, Remote, Retry};
use md5::{Digest, Md5};

/// Name of the bucket.
const BUCKET: &str = "data";
/// A body is sent in pieces of this many bytes.
const PIECE: usize = 16 << 10;

/// What goes wrong with one answer. Numbers are bytes of the body that come before.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    Status(u16),
    SlowDown,
    /// Too many requests, with a number of seconds to wait.
    Wait(u32),
    /// The connection is reset.
    Reset(usize),
    /// The connection is closed, though more was promised.
    Close(usize),
    /// Nothing more comes.
    Stall(usize),
    /// Not even headers come.
    Silence,
    /// The body ends early, and its length is given as if it were whole.
    Short(usize),
    /// One byte is another one.
    Flip(usize),
    /// The answer to a range is the whole.
    NoRange,
    /// Neither length nor end is marked; the connection is closed.
    Unmarked(usize),
    /// The object is replaced before it is served.
    Swap(Vec<u8>),
}

/// An object as the server has it.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) bytes: Arc<Vec<u8>>,
    pub(crate) etag: String,
    pub(crate) headers: Vec<(&'static str, String)>,
}

impl Stored {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self { etag: format!("\"{}\"", hex(&Md5::digest(&bytes))), bytes: Arc::new(bytes), headers: Vec::new() }
    }

    /// Uploaded in parts of a size.
    pub(crate) fn in_parts(bytes: Vec<u8>, size: usize) -> Self {
        let md5s: Vec<u8> = bytes.chunks(size).flat_map(|part| Md5::digest(part).to_vec()).collect();
        let etag = format!("\"{}-{}\"", hex(&Md5::digest(&md5s)), bytes.len().div_ceil(size));
        Self { etag, ..Self::new(bytes) }
    }
}

/// One request and what was answered.
#[derive(Clone, Debug)]
pub(crate) struct Logged {
    pub(crate) method: String,
    pub(crate) key: String,
    /// First byte asked for, if not the first of all.
    pub(crate) from: Option<usize>,
    pub(crate) if_match: Option<String>,
    pub(crate) status: u16,
    /// Bytes of the body that were sent.
    pub(crate) sent: usize,
}

/// What becomes of a connection after an answer.
enum After {
    Again,
    Close,
    Stall,
}

#[derive(Default)]
struct State {
    objects: Mutex<BTreeMap<String, Stored>>,
    faults: Mutex<BTreeMap<String, VecDeque<Fault>>>,
    always: Mutex<BTreeMap<String, Fault>>,
    log: Mutex<Vec<Logged>>,
    pace: Mutex<Duration>,
    stopped: AtomicBool,
}

pub(crate) struct Server {
    address: SocketAddr,
    state: Arc<State>,
}

impl Server {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // Small answers are to go out at once.
                stream.set_nodelay(true).unwrap();
                if shared.stopped.load(Ordering::Relaxed) {
                    return;
                }
                let state = Arc::clone(&shared);
                // A client that goes away is no failure of the server.
                thread::spawn(move || while state.serve(&stream).unwrap_or(false) {});
            }
        });
        Self { address, state }
    }

    /// Puts objects of these lengths, with bytes that follow from the key, and gives them back.
    pub(crate) fn with(keys: &[(&str, usize)]) -> Self {
        let server = Self::start();
        for (key, length) in keys {
            server.put(key, Stored::new(content(key, *length)));
        }
        server
    }

    pub(crate) fn put(&self, key: &str, stored: Stored) {
        self.state.objects.lock().unwrap().insert(key.to_owned(), stored);
    }

    pub(crate) fn bytes(&self, key: &str) -> Vec<u8> {
        self.state.objects.lock().unwrap()[key].bytes.to_vec()
    }

    pub(crate) fn total(&self) -> u64 {
        self.state.objects.lock().unwrap().values().map(|stored| stored.bytes.len() as u64).sum()
    }

    /// Faults of the next answers about a key, in order.
    pub(crate) fn fail(&self, key: &str, faults: impl IntoIterator<Item = Fault>) {
        self.state.faults.lock().unwrap().entry(key.to_owned()).or_default().extend(faults);
    }

    /// A fault of every answer about a key, once the ordered ones are used up.
    pub(crate) fn always(&self, key: &str, fault: Fault) {
        self.state.always.lock().unwrap().insert(key.to_owned(), fault);
    }

    /// A pause after each piece of a body.
    pub(crate) fn pace(&self, pause: Duration) {
        *self.state.pace.lock().unwrap() = pause;
    }

    pub(crate) fn log(&self) -> Vec<Logged> {
        self.state.log.lock().unwrap().clone()
    }

    /// Requests for one object.
    pub(crate) fn requests(&self, key: &str) -> Vec<Logged> {
        self.log().into_iter().filter(|request| request.key == key).collect()
    }

    pub(crate) fn sent(&self) -> u64 {
        self.log().iter().map(|request| request.sent as u64).sum()
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Too little patience for a server that stalls.
    pub(crate) fn hasty(&self) -> Remote {
        let access = Access { read_timeout: Duration::from_millis(400), ..self.access() };
        Remote::open(&format!("s3://{BUCKET}"), &access).unwrap()
    }

    /// Short pauses, so that tests are quick.
    pub(crate) fn access(&self) -> Access {
        let ms = Duration::from_millis;
        Access {
            endpoint: Some(self.endpoint()),
            proxy: Proxy::Direct,
            connect_timeout: ms(1000),
            read_timeout: ms(10_000),
            retry: Retry { attempts: 4, first: ms(1), longest: ms(4), seed: 0 },
            ..Access::default()
        }
    }

    pub(crate) fn s3(&self) -> Remote {
        Remote::open(&format!("s3://{BUCKET}"), &self.access()).unwrap()
    }

    pub(crate) fn web(&self) -> Remote {
        Remote::open(&format!("{}/{BUCKET}", self.endpoint()), &self.access()).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.state.stopped.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
    }
}

impl State {
    /// Answers one request. Whether another one may follow.
    fn serve(&self, mut stream: &TcpStream) -> io::Result<bool> {
        let Some(request) = peek(stream)? else { return Ok(false) };
        let (head, length) = request;
        let mut lines = head.lines();
        let mut first = lines.next().unwrap_or_default().split(' ');
        let (method, target) = (first.next().unwrap_or_default(), first.next().unwrap_or_default());
        let headers: BTreeMap<String, String> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        // What comes for a proxy names the host, too.
        let path = path.strip_prefix("http://").map_or(path, |rest| &rest[rest.find('/').unwrap()..]);
        let path = decode(path);
        let key = path.strip_prefix(&format!("/{BUCKET}/")).unwrap_or_default().to_owned();
        let name = if key.is_empty() { "?".to_owned() } else { key.clone() };
        let next = self.faults.lock().unwrap().get_mut(&name).and_then(VecDeque::pop_front);
        let fault = next.or_else(|| self.always.lock().unwrap().get(&name).cloned());
        // A byte that was never read turns the end of the connection into a reset.
        let reset = matches!(fault, Some(Fault::Reset(_)));
        stream.read_exact(&mut vec![0; length - usize::from(reset)])?;

        let range =
            headers.get("range").and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
        // Before the answer: a client that has it may look at the log.
        let entry = Logged {
            method: method.to_owned(),
            key: name,
            from: range,
            if_match: headers.get("if-match").cloned(),
            status: 0,
            sent: 0,
        };
        let (is_head, from) = (entry.method == "HEAD", entry.from);
        let logged = {
            let mut log = self.log.lock().unwrap();
            log.push(entry);
            log.len() - 1
        };
        match self.answer(&mut stream, &key, query, &headers, fault, (logged, is_head, from))? {
            After::Again => Ok(true),
            After::Close => Ok(false),
            After::Stall => {
                self.stall();
                Ok(false)
            }
        }
    }

    fn answer(
        &self,
        stream: &mut &TcpStream,
        key: &str,
        query: &str,
        headers: &BTreeMap<String, String>,
        fault: Option<Fault>,
        (logged, is_head, from): (usize, bool, Option<usize>),
    ) -> io::Result<After> {
        if let Some(Fault::Wait(seconds)) = fault {
            self.note(logged, |entry| entry.status = 429);
            write!(stream, "HTTP/1.1 429 X\r\nRetry-After: {seconds}\r\nContent-Length: 0\r\n\r\n")?;
            return Ok(After::Again);
        }
        let mut refuse = |status: u16, code: &str| {
            self.note(logged, |entry| entry.status = status);
            let body = format!("<Error><Code>{code}</Code><Message>ordered</Message></Error>");
            let body = if is_head { String::new() } else { body };
            write!(stream, "HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n{body}", body.len())?;
            Ok(After::Again)
        };
        match &fault {
            Some(Fault::Status(status)) => return refuse(*status, "Ordered"),
            Some(Fault::SlowDown) => return refuse(503, "SlowDown"),
            Some(Fault::Silence) => return Ok(After::Stall),
            Some(Fault::Swap(bytes)) => {
                self.objects.lock().unwrap().insert(key.to_owned(), Stored::new(bytes.clone()));
            }
            _ => {}
        }
        if key.is_empty() {
            let body = self.list(query);
            self.note(logged, |entry| entry.status = 200);
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())?;
            return Ok(After::Again);
        }
        let Some(stored) = self.objects.lock().unwrap().get(key).cloned() else {
            return refuse(404, "NoSuchKey");
        };
        if headers.get("if-match").is_some_and(|etag| *etag != stored.etag) {
            return refuse(412, "PreconditionFailed");
        }
        if headers.get("if-none-match") == Some(&stored.etag) {
            self.note(logged, |entry| entry.status = 304);
            write!(stream, "HTTP/1.1 304 Not Modified\r\nETag: {}\r\n\r\n", stored.etag)?;
            return Ok(After::Again);
        }
        let range = from.filter(|_| !matches!(fault, Some(Fault::NoRange)));
        if range.is_some_and(|from| from >= stored.bytes.len()) {
            return refuse(416, "InvalidRange");
        }
        let total = stored.bytes.len();
        let mut body = stored.bytes[range.unwrap_or(0)..].to_vec();
        let status = if range.is_some() { 206 } else { 200 };
        self.note(logged, |entry| entry.status = status);
        let mut stop = body.len();
        match &fault {
            Some(Fault::Reset(n) | Fault::Close(n) | Fault::Stall(n) | Fault::Unmarked(n)) => stop = stop.min(*n),
            Some(Fault::Short(n)) => body.truncate(*n),
            Some(Fault::Flip(n)) => body[*n] ^= 0x40,
            _ => {}
        }
        stop = stop.min(body.len());
        let mut head = format!("HTTP/1.1 {} X\r\nETag: {}\r\n", status, stored.etag);
        if !matches!(fault, Some(Fault::Unmarked(_))) {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        if let Some(from) = range {
            head.push_str(&format!("Content-Range: bytes {from}-{}/{total}\r\n", total - 1));
        }
        for (name, value) in &stored.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        stream.write_all(format!("{head}\r\n").as_bytes())?;
        if is_head {
            return Ok(After::Again);
        }
        for piece in body[..stop].chunks(PIECE) {
            self.note(logged, |entry| entry.sent += piece.len());
            stream.write_all(piece)?;
            thread::sleep(*self.pace.lock().unwrap());
        }
        match fault {
            Some(Fault::Reset(_)) => {
                // What was sent is to arrive before the reset.
                thread::sleep(Duration::from_millis(30));
                Ok(After::Close)
            }
            Some(Fault::Close(_) | Fault::Unmarked(_)) => Ok(After::Close),
            Some(Fault::Stall(_)) => Ok(After::Stall),
            _ => Ok(After::Again),
        }
    }

    fn note(&self, logged: usize, change: impl FnOnce(&mut Logged)) {
        change(&mut self.log.lock().unwrap()[logged]);
    }

    /// Keeps the connection open and says nothing.
    fn stall(&self) {
        for _ in 0..40 {
            thread::sleep(Duration::from_millis(100));
            if self.stopped.load(Ordering::Relaxed) {
                break;
            }
        }
    }

    /// ListObjectsV2, three entries a page.
    fn list(&self, query: &str) -> String {
        let query: BTreeMap<&str, String> = query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name, decode(value)))
            .collect();
        let prefix = query.get("prefix").cloned().unwrap_or_default();
        let objects = self.objects.lock().unwrap();
        // Whether each is a prefix.
        let mut entries = BTreeMap::new();
        for key in objects.keys().filter(|key| key.starts_with(&prefix)) {
            let cut = query.get("delimiter").and_then(|_| key[prefix.len()..].find('/'));
            entries.insert(cut.map_or(key.as_str(), |cut| &key[..=prefix.len() + cut]), cut.is_some());
        }
        let after = query.get("continuation-token").map(|token| token.strip_prefix("after/+").unwrap().to_owned());
        let rest: Vec<_> =
            entries.into_iter().filter(|(entry, _)| after.as_deref().is_none_or(|after| *entry > after)).collect();
        let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult>");
        for (entry, is_prefix) in rest.iter().take(3) {
            match objects.get(*entry) {
                Some(stored) if !is_prefix => xml.push_str(&format!(
                    "<Contents><Key>{}</Key><LastModified>2024-01-01T00:00:00.000Z</LastModified><ETag>{}</ETag><Size>{}</Size></Contents>",
                    escape(entry),
                    escape(&stored.etag),
                    stored.bytes.len()
                )),
                _ => xml.push_str(&format!("<CommonPrefixes><Prefix>{}</Prefix></CommonPrefixes>", escape(entry))),
            }
        }
        if rest.len() > 3 {
            xml.push_str(&format!(
                "<NextContinuationToken>{}</NextContinuationToken>",
                escape(&format!("after/+{}", rest[2].0))
            ));
        }
        xml.push_str("</ListBucketResult>");
        xml
    }
}

/// The head of the next request, and its length; nothing where the client is gone.
fn peek(stream: &TcpStream) -> io::Result<Option<(String, usize)>> {
    let mut buffer = vec![0; 16 << 10];
    loop {
        let n = stream.peek(&mut buffer)?;
        if n == 0 {
            return Ok(None);
        }
        let text = String::from_utf8_lossy(&buffer[..n]);
        if let Some(end) = text.find("\r\n\r\n") {
            return Ok(Some((text[..end].to_owned(), end + 4)));
        }
        thread::sleep(Duration::from_millis(1));
    }
}

fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::new();
    let mut i = 0;
    while i < bytes.len() {
        if bytes[i] == b'%' {
            out.push(u8::from_str_radix(&text[i + 1..i + 3], 16).unwrap());
            i += 3;
        } else {
            out.push(bytes[i]);
            i += 1;
        }
    }
    String::from_utf8(out).unwrap()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bytes that follow from a name, and look like noise.
pub(crate) fn content(name: &str, length: usize) -> Vec<u8> {
    let mut state = name
        .bytes()
        .fold(0x9E37_79B9_7F4A_7C15u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3))
        | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..length).map(|_| next()).collect()
}
