//! The least that an answer over actix-web can cost: a server that gives the bytes of a file to
//! every client.
//!
//! `benches/run` compares wintag with it. What could make a difference beside the work itself is
//! the same on both sides: the version of actix-web and its features, the allocator, the profile it
//! is built with, as many workers as there are cores for it, and no header but the media type and
//! what actix-web adds by itself, unless options name others.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;

use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{App, HttpResponse, HttpServer, web};
use bytes::Bytes;
use clap::Parser;

/// Answers every request with the bytes of a file, as JSON, until a signal.
#[derive(Parser)]
struct Arguments {
    /// The file. It is read once.
    file: PathBuf,
    /// A header to send instead of the media type, as NAME:VALUE; may be repeated.
    #[arg(long = "header")]
    headers: Vec<String>,
    /// The path that is answered.
    #[arg(long, default_value = "/resolve")]
    path: String,
    /// The port on 127.0.0.1; a free one when not given.
    #[arg(long, default_value_t = 0)]
    port: u16,
}

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let Arguments { file, headers, path, port } = Arguments::parse();
    let headers: Option<Vec<_>> = headers.iter().map(|header| read_header(header)).collect();
    let mut headers = headers.ok_or_else(|| std::io::Error::other("a header is NAME:VALUE"))?;
    if headers.is_empty() {
        headers.push((header::CONTENT_TYPE, HeaderValue::from_static("application/json")));
    }
    let answered = web::Data::new(Answered { body: Bytes::from(fs::read(file)?), headers });
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    println!("listening on http://{}, {workers} worker(s)", listener.local_addr()?);
    let server = HttpServer::new(move || {
        App::new().app_data(answered.clone()).route(&path, web::get().to(answer))
    });
    server.workers(workers).listen(listener)?.run().await
}

/// What everyone is answered.
struct Answered {
    body: Bytes,
    headers: Vec<(HeaderName, HeaderValue)>,
}

fn read_header(text: &str) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = text.split_once(':')?;
    Some((name.parse().ok()?, value.parse().ok()?))
}

async fn answer(answered: web::Data<Answered>) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    for (name, value) in &answered.headers {
        response.append_header((name, value));
    }
    response.body(answered.body.clone())
}
