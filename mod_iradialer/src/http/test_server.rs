//! A web server that does as a test says, and counts what it is asked.

use parking_lot::Mutex;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// What the server is asked.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Its first line and headers, in small letters.
    pub head: String,
    /// The path.
    pub path: String,
    /// The body.
    pub body: String,
}

/// What it does then.
pub enum Says {
    /// A status with headers, each on a line, and a body.
    Answer(u16, &'static str, Vec<u8>),
    /// Nothing, and the connection stays.
    Nothing,
    /// A body of so many bytes that is told to have no end.
    Flood(usize),
}

/// A server on a free port of the loopback, gone when dropped.
pub struct TestServer {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    open: Arc<Mutex<Vec<TcpStream>>>,
    stopped: Arc<AtomicBool>,
    gone: Arc<AtomicUsize>,
}

impl TestServer {
    /// One that answers as `says` does.
    pub fn start(says: impl Fn(&Asked) -> Says + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = TestServer {
            address: listener.local_addr().unwrap(),
            asked: Arc::default(),
            open: Arc::default(),
            stopped: Arc::default(),
            gone: Arc::default(),
        };
        let (asked, open) = (server.asked.clone(), server.open.clone());
        let (stopped, gone) = (server.stopped.clone(), server.gone.clone());
        let says = Arc::new(says);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                open.lock().extend(stream.try_clone());
                let (says, asked, gone) = (says.clone(), asked.clone(), gone.clone());
                std::thread::spawn(move || {
                    serve(stream, &*says, &asked);
                    gone.fetch_add(1, Ordering::SeqCst);
                });
            }
        });
        server
    }

    /// An address on it.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// How many of those who asked have got an answer, or have gone.
    pub fn gone(&self) -> usize {
        self.gone.load(Ordering::SeqCst)
    }

    /// All it was asked.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().clone()
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        for stream in self.open.lock().drain(..) {
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
    }
}

fn serve(stream: TcpStream, says: &dyn Fn(&Asked) -> Says, all: &Mutex<Vec<Asked>>) {
    let Some(asked) = read(&stream) else { return };
    all.lock().push(asked.clone());
    let mut stream = stream;
    match says(&asked) {
        Says::Answer(status, headers, body) => {
            let head = format!(
                "HTTP/1.1 {status} X\r\n{}content-length: {}\r\nconnection: close\r\n\r\n",
                headers
                    .lines()
                    .map(|line| format!("{line}\r\n"))
                    .collect::<String>(),
                body.len()
            );
            let _ = stream.write_all(head.as_bytes());
            let _ = stream.write_all(&body);
        }
        Says::Nothing => {
            let _ = stream.read(&mut [0; 1]);
        }
        Says::Flood(bytes) => {
            let _ = stream.write_all(b"HTTP/1.1 200 X\r\nconnection: close\r\n\r\n");
            for _ in 0..bytes / 65_536 {
                if stream.write_all(&[b'x'; 65_536]).is_err() {
                    return;
                }
            }
        }
    }
}

fn read(stream: &TcpStream) -> Option<Asked> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        if line == "\r\n" {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        head += &line;
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Asked {
        path: head.split(' ').nth(1)?.to_owned(),
        head: head.to_ascii_lowercase(),
        body: String::from_utf8(body).ok()?,
    })
}
