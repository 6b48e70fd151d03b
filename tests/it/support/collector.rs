//! A collector of traces: it takes what is sent by OTLP over HTTP.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// A collector: every request that it was sent, as the first line and the body.
pub struct Collector {
    address: String,
    received: Receiver<(String, Vec<u8>)>,
}

impl Collector {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let address = listener.local_addr().expect("it is bound").to_string();
        let (send, received) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let mut reader = BufReader::new(stream);
                let (mut first, mut length) = (String::new(), 0);
                reader.read_line(&mut first).expect("a request has a first line");
                loop {
                    let mut line = String::new();
                    reader.read_line(&mut line).expect("a request has headers");
                    let line = line.trim_end().to_lowercase();
                    if line.is_empty() {
                        break;
                    }
                    if let Some(value) = line.strip_prefix("content-length:") {
                        length = value.trim().parse().expect("a length is a number");
                    }
                }
                let mut body = vec![0; length];
                reader.read_exact(&mut body).expect("the body arrives");
                let answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                reader.get_mut().write_all(answer).expect("the service reads the answer");
                if send.send((first, body)).is_err() {
                    break;
                }
            }
        });
        Self { address, received }
    }

    /// The variables with which a service sends the traces of this share of its requests here.
    pub fn variables(&self, ratio: &str) -> [(&'static str, String); 3] {
        [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{}", self.address)),
            ("OTEL_TRACES_SAMPLER_ARG", ratio.to_owned()),
            ("NO_PROXY", "127.0.0.1".to_owned()),
        ]
    }

    /// Everything that was sent until now, as one.
    pub fn everything(&self) -> Vec<u8> {
        let mut all = Vec::new();
        while let Ok((first, body)) = self.received.recv_timeout(Duration::from_millis(200)) {
            assert_eq!(first.trim_end(), "POST /v1/traces HTTP/1.1");
            all.extend(body);
        }
        all
    }
}
