//! A collector of traces: it takes what is sent by OTLP over HTTP, and reads it.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// A collector: every request that it was sent, as the first line and the body.
pub struct Collector {
    address: String,
    received: Receiver<(String, Vec<u8>)>,
}

/// A span that was sent, as far as tests look at it.
#[derive(Debug, Default)]
pub struct Span {
    pub trace_id: String,
    pub span_id: String,
    /// The span above it; empty without one.
    pub parent_id: String,
    pub name: String,
    /// 1: within the process, 2: of a server, 3: of a client.
    pub kind: u64,
    /// When it began and ended, in nanoseconds.
    pub time: (u64, u64),
    pub attributes: BTreeMap<String, String>,
    pub has_failed: bool,
}

impl Span {
    /// The text of an attribute; empty without it.
    pub fn attribute(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }
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
                let answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\n\
                    content-length: 0\r\nconnection: close\r\n\r\n";
                reader.get_mut().write_all(answer).expect("the service reads the answer");
                if send.send((first, body)).is_err() {
                    break;
                }
            }
        });
        Self { address, received }
    }

    /// Host and port.
    pub fn address(&self) -> &str {
        &self.address
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
    /// Every span that was sent until now.
    pub fn spans(&self) -> Vec<Span> {
        // ExportTraceServiceRequest, ResourceSpans, ScopeSpans (opentelemetry-proto, trace.proto).
        let all = self.everything();
        let of_resources = fields(&all)
            .filter_map(|(number, value)| (number == 1).then(|| value.bytes().to_vec()));
        let of_scopes: Vec<Vec<u8>> = of_resources.flat_map(|bytes| all_of(2, &bytes)).collect();
        of_scopes.iter().flat_map(|bytes| all_of(2, bytes)).map(|bytes| read_span(&bytes)).collect()
    }
}

fn read_span(bytes: &[u8]) -> Span {
    let mut span = Span::default();
    for (number, value) in fields(bytes) {
        match number {
            1 => span.trace_id = hex(value.bytes()),
            2 => span.span_id = hex(value.bytes()),
            4 => span.parent_id = hex(value.bytes()),
            5 => span.name = value.text(),
            6 => span.kind = value.number(),
            7 => span.time.0 = value.number(),
            8 => span.time.1 = value.number(),
            9 => span.attributes.extend([read_attribute(value.bytes())]),
            15 => {
                span.has_failed =
                    fields(value.bytes()).any(|(number, value)| number == 3 && value.number() == 2)
            }
            _ => {}
        }
    }
    span
}

fn read_attribute(bytes: &[u8]) -> (String, String) {
    let (mut name, mut text) = (String::new(), String::new());
    for (number, value) in fields(bytes) {
        match number {
            1 => name = value.text(),
            _ => {
                let (kind, value) = fields(value.bytes()).next().expect("an attribute has a value");
                text = if kind == 1 { value.text() } else { value.number().to_string() };
            }
        }
    }
    (name, text)
}

/// The value of one field of a message in the encoding of Protocol Buffers.
enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

impl<'a> Value<'a> {
    fn number(&self) -> u64 {
        let Self::Number(number) = self else { panic!("it is a number") };
        *number
    }

    fn bytes(&self) -> &'a [u8] {
        let Self::Bytes(bytes) = self else { panic!("it has a length") };
        bytes
    }

    fn text(&self) -> String {
        String::from_utf8(self.bytes().to_vec()).expect("texts are UTF-8")
    }
}

/// The fields of a message, with their numbers.
fn fields(mut rest: &[u8]) -> impl Iterator<Item = (u64, Value<'_>)> {
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let key = varint(&mut rest);
        let value = match key & 7 {
            0 => Value::Number(varint(&mut rest)),
            1 => Value::Number(u64::from_le_bytes(
                take(&mut rest, 8).try_into().expect("they are eight"),
            )),
            2 => {
                let length = varint(&mut rest).try_into().expect("it fits");
                Value::Bytes(take(&mut rest, length))
            }
            5 => Value::Number(
                u32::from_le_bytes(take(&mut rest, 4).try_into().expect("they are four")).into(),
            ),
            kind => panic!("there is no wire type {kind}"),
        };
        Some((key >> 3, value))
    })
}

fn all_of(wanted: u64, bytes: &[u8]) -> Vec<Vec<u8>> {
    fields(bytes)
        .filter(|(number, _)| *number == wanted)
        .map(|(_, value)| value.bytes().to_vec())
        .collect()
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> &'a [u8] {
    let (taken, after) = rest.split_at(length);
    *rest = after;
    taken
}

fn varint(rest: &mut &[u8]) -> u64 {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(rest, 1)[0];
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    number
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
