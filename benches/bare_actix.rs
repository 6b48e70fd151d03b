//! The least that an answer over actix-web can cost: a server that gives the bytes of a file to everyone who asks.
//!
//! `benches/run` compares wintag with it. What could make a difference beside the work itself is the same on both sides: the
//! version of actix-web and its features, the allocator, the profile it is built with, as many workers as there are cores
//! for it, and no header but the media type and what actix-web adds by itself.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;

use actix_web::http::header;
use actix_web::{App, HttpResponse, HttpServer, web};
use bytes::Bytes;
use clap::Parser;

/// Answers every request with the bytes of a file, as JSON, until it is told to stop.
#[derive(Parser)]
struct Arguments {
    /// The file. It is read once.
    file: PathBuf,
    /// The path that is answered.
    #[arg(long, default_value = "/resolve")]
    path: String,
    /// The port on 127.0.0.1; a free one when not given.
    #[arg(long, default_value_t = 0)]
    port: u16,
}

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let Arguments { file, path, port } = Arguments::parse();
    let body = Bytes::from(fs::read(file)?);
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    println!("listening on http://{}, {workers} worker(s)", listener.local_addr()?);
    let server =
        HttpServer::new(move || App::new().app_data(web::Data::new(body.clone())).route(&path, web::get().to(answer)));
    server.workers(workers).listen(listener)?.run().await
}

async fn answer(body: web::Data<Bytes>) -> HttpResponse {
    HttpResponse::Ok().insert_header((header::CONTENT_TYPE, "application/json")).body(body.as_ref().clone())
}
