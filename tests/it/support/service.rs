//! A running wintag: the real program, on a free port.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Client, StatusCode};
use serde_json::Value;

/// The program under test.
pub const WINTAG: &str = env!("CARGO_BIN_EXE_wintag");

const NO_PANIC: &str = "no holder of the lock panics";

/// A running service; dropping it stops the process.
pub struct Service {
    process: Child,
    address: String,
    admin_address: Option<String>,
    talk: Arc<Mutex<Vec<String>>>,
    readers: Vec<JoinHandle<()>>,
    client: Client,
}

/// An answer.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("headers are ASCII here"))
    }
}

impl Service {
    /// Starts `wintag serve` with these further options, and waits until it listens.
    pub fn start(options: &[&str]) -> Self {
        Self::start_in(options, &[])
    }

    /// As [`Service::start`], with these variables.
    pub fn start_in(options: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(WINTAG);
        command.args(["serve", "--listen", "127.0.0.1:0"]).args(options);
        // Tests query only the servers that they start.
        command.env("WINTAG_FACTS_FROM", "none");
        // Nothing of the machine's own settings may decide a test.
        for (name, _) in std::env::vars()
            .filter(|(name, _)| name.starts_with("WINTAG_") || name.starts_with("OTEL_"))
        {
            command.env_remove(name);
        }
        command.env("DOCKER_CONFIG", "/nonexistent");
        // Services of many tests run at once, and the default port is one.
        command.env("WINTAG_ADMIN_LISTEN", "off");
        // No load balancer has to notice the shutdown.
        command.env("WINTAG_DRAIN_DELAY", "0s");
        command.envs(variables.iter().copied());
        let mut process = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("wintag was built");
        let mut talk = BufReader::new(process.stderr.take().expect("it is piped")).lines();
        let mut admin_address = None;
        let said = Arc::new(Mutex::new(Vec::new()));
        let address = talk
            .by_ref()
            .map_while(Result::ok)
            .inspect(|line| said.lock().expect(NO_PANIC).push(line.clone()))
            .find_map(|line| {
                if let Some((_, rest)) = line.split_once("metrics at http://") {
                    admin_address = rest.split('/').next().map(str::to_owned);
                }
                Some(line.split_once("listening on http://")?.1.split(',').next()?.to_owned())
            })
            .expect("wintag says where it listens");
        // What it says later must not fill the pipes.
        let output = BufReader::new(process.stdout.take().expect("it is piped")).lines();
        let keep = |lines: Box<dyn Iterator<Item = std::io::Result<String>> + Send>| {
            let said = said.clone();
            std::thread::spawn(move || {
                lines
                    .map_while(Result::ok)
                    .for_each(|line| said.lock().expect(NO_PANIC).push(line));
            })
        };
        let readers = vec![keep(Box::new(talk)), keep(Box::new(output))];
        Self { process, address, admin_address, talk: said, readers, client: Client::new() }
    }

    /// A service that never asks a registry.
    pub fn offline() -> Self {
        Self::start(&["--offline"])
    }

    /// A service whose registry of base images is the one at this address.
    pub fn mirrored(registry: &str, options: &[&str]) -> Self {
        let mirror = format!("mcr.microsoft.com=http://{registry}");
        Self::start(&[&["--mirror", &mirror], options].concat())
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The first line on standard error that has this in it, once there is one.
    pub async fn line_with(&self, text: &str) -> String {
        for _ in 0..500 {
            if let Some(line) =
                self.talk.lock().expect(NO_PANIC).iter().find(|line| line.contains(text))
            {
                return line.clone();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("no line with {text:?} in {:?}", self.talk.lock().expect(NO_PANIC));
    }

    /// The process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[]).await
    }

    /// The JSON of an answer that must be 200.
    pub async fn json(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text);
        answer.json()
    }

    pub async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send_to(&self.address, method, path, headers).await
    }

    /// Sends a body; a text is sent as text, anything else as JSON.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        post(&self.address, path, body).await
    }

    /// Sends a body of this media type.
    pub async fn post_as(&self, path: &str, media: &str, body: impl Into<reqwest::Body>) -> Answer {
        post_as(&self.address, path, media, body).await
    }

    /// Sends a request to the operators' listener, which must be on.
    pub async fn ask_admin(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        let address = self.admin_address.as_ref().expect("the listener is enabled");
        self.send_to(address, method, path, headers).await
    }

    /// `127.0.0.1:PORT` of the operators' listener, when it is on.
    pub fn admin_address(&self) -> Option<&str> {
        self.admin_address.as_deref()
    }

    async fn send_to(
        &self,
        address: &str,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Answer {
        let method = method.parse().expect("a method");
        let mut request = self.client.request(method, format!("http://{address}{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        answer_to(request).await
    }

    /// Asks it to stop and waits for the end.
    pub fn terminate(mut self) -> ExitStatus {
        self.signal("TERM");
        self.wait()
    }

    /// The same, and everything that it ever said on standard output and standard error, in lines.
    pub fn terminate_and_tell(mut self) -> Vec<String> {
        self.signal("TERM");
        assert!(self.wait().success());
        for reader in self.readers.drain(..) {
            reader.join().expect("it ends with the pipe");
        }
        std::mem::take(&mut *self.talk.lock().expect(NO_PANIC))
    }

    /// Sends it a signal.
    pub fn signal(&self, name: &str) {
        let id = self.process.id().to_string();
        let sent =
            Command::new("kill").args(["-s", name, &id]).status().expect("kill is everywhere");
        assert!(sent.success());
    }

    /// How it ended, within half a minute.
    pub fn ended(mut self) -> ExitStatus {
        self.wait()
    }

    fn wait(&mut self) -> ExitStatus {
        for _ in 0..3000 {
            if let Some(status) = self.process.try_wait().expect("it is a child") {
                return status;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("it does not end");
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Asks the service at this address.
pub async fn get(address: &str, path: &str) -> Answer {
    answer_to(Client::new().get(format!("http://{address}{path}"))).await
}

/// Sends a body to the service at this address; a text is sent as text, anything else as JSON.
pub async fn post(address: &str, path: &str, body: &Value) -> Answer {
    match body {
        Value::String(text) => {
            post_as(address, path, "text/plain; charset=utf-8", text.clone()).await
        }
        json => post_as(address, path, "application/json", json.to_string()).await,
    }
}

async fn post_as(address: &str, path: &str, media: &str, body: impl Into<reqwest::Body>) -> Answer {
    let request = Client::new().post(format!("http://{address}{path}"));
    answer_to(request.header("content-type", media).body(body)).await
}

async fn answer_to(request: reqwest::RequestBuilder) -> Answer {
    let response = request.timeout(Duration::from_secs(30)).send().await.expect("wintag answers");
    let (status, headers) = (response.status(), response.headers().clone());
    Answer { status, headers, text: response.text().await.expect("the body arrives") }
}
