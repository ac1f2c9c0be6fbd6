//! A web server that answers as a test tells it to, and notes what it was asked.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What is asked for: the method, the path, and the query or the form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub method: String,
    pub path: String,
    pub query: String,
}

type Respond = dyn Fn(&Asked) -> (u16, String) + Send + Sync;

/// A web server; it ends with the test.
pub struct Web {
    port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Web {
    pub fn start(respond: impl Fn(&Asked) -> (u16, String) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (asked, respond) = (Arc::new(Mutex::new(Vec::new())), Arc::new(respond) as Arc<Respond>);
        let noted = Arc::clone(&asked);
        std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let (noted, respond) = (Arc::clone(&noted), Arc::clone(&respond));
                std::thread::spawn(move || serve(&socket, &noted, &*respond));
            }
        });
        Self { port, asked }
    }

    pub fn address(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// What was asked for below this path.
    pub fn asked(&self, path: &str) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|asked| asked.path == path).map(|asked| asked.query.clone()).collect()
    }

    pub fn methods(&self) -> Vec<String> {
        self.asked.lock().unwrap().iter().map(|asked| asked.method.clone()).collect()
    }
}

/// Requests of one connection, one after the other, until it is closed.
fn serve(socket: &TcpStream, noted: &Mutex<Vec<Asked>>, respond: &Respond) {
    let mut reader = BufReader::new(socket);
    while let Some(asked) = read(&mut reader) {
        noted.lock().unwrap().push(asked.clone());
        let (status, body) = respond(&asked);
        let head = format!("HTTP/1.1 {status} Said\r\nContent-Length: {}\r\n\r\n", body.len());
        if (&*socket).write_all(format!("{head}{body}").as_bytes()).is_err() {
            return;
        }
    }
}

fn read(reader: &mut impl BufRead) -> Option<Asked> {
    let mut first = String::new();
    reader.read_line(&mut first).ok().filter(|bytes| *bytes > 0)?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|bytes| *bytes > 0)?;
        if line.trim().is_empty() {
            break;
        }
        if let Some(bytes) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = bytes.trim().parse().unwrap();
        }
    }
    let mut form = vec![0; length];
    reader.read_exact(&mut form).ok()?;
    let mut words = first.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let query = if form.is_empty() { query.to_owned() } else { String::from_utf8(form).unwrap() };
    Some(Asked { method, path: path.to_owned(), query })
}
