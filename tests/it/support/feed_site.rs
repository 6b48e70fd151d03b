//! A site with documents about Windows updates, as a plain HTTP server whose answers a test sets.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What the site answers for a path.
#[derive(Clone)]
pub enum Answer {
    /// This document, with an ETag of its content.
    Document(Vec<u8>),
    /// This status and these headers, without a body.
    Status(u16, String),
    /// The beginning of a document, whose length is announced as a whole.
    Half(Vec<u8>),
}

/// A site, until the test ends.
pub struct FeedSite {
    /// Its URL, without a slash at the end.
    pub url: String,
    answers: Arc<Mutex<BTreeMap<String, Answer>>>,
    requests: Arc<Mutex<Vec<(String, u16)>>>,
}

impl FeedSite {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (answers, requests) = (Arc::default(), Arc::default());
        let site = Self { url, answers, requests };
        let (answers, requests) = (site.answers.clone(), site.requests.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let _ = serve(stream, &answers, &requests);
            }
        });
        site
    }

    /// Sets the answer for a path, which begins with a slash.
    pub fn put(&self, path: &str, answer: Answer) {
        self.answers.lock().unwrap().insert(path.to_owned(), answer);
    }

    /// The documents of `tests/data/feeds`, from this file.
    pub fn put_file(&self, path: &str, file: &str) {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/feeds/");
        self.put(path, Answer::Document(std::fs::read(format!("{folder}{file}")).unwrap()));
    }

    /// The requests since the last call: the path, and the status of the answer.
    pub fn take_requests(&self) -> Vec<(String, u16)> {
        std::mem::take(&mut self.requests.lock().unwrap())
    }
}

fn serve(
    stream: TcpStream,
    answers: &Mutex<BTreeMap<String, Answer>>,
    requests: &Mutex<Vec<(String, u16)>>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut first, mut known) = (String::new(), String::new());
    reader.read_line(&mut first)?;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? <= 2 {
            break;
        }
        if let Some(tag) = line.to_ascii_lowercase().strip_prefix("if-none-match: ") {
            known = tag.trim().to_owned();
        }
    }
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let answer = answers.lock().unwrap().get(&path).cloned();
    let (status, headers, body) = match answer {
        Some(Answer::Document(body)) => {
            let sum = body.iter().fold(7u64, |sum, byte| sum.wrapping_mul(31) + u64::from(*byte));
            let tag = format!("\"{sum:x}\"");
            let headers = format!("ETag: {tag}\r\nContent-Length: {}\r\n", body.len());
            match known == tag {
                true => (304, String::new(), Vec::new()),
                false => (200, headers, body),
            }
        }
        Some(Answer::Half(body)) => (200, format!("Content-Length: {}\r\n", 2 * body.len()), body),
        Some(Answer::Status(status, headers)) => (status, headers, Vec::new()),
        None => (404, "Content-Length: 0\r\n".to_owned(), Vec::new()),
    };
    requests.lock().unwrap().push((path, status));
    let mut stream = stream;
    stream.write_all(
        format!("HTTP/1.1 {status} X\r\nConnection: close\r\n{headers}\r\n").as_bytes(),
    )?;
    stream.write_all(&body)
}
