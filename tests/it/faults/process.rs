//! H09, H15, H21 and H24: a log that is not read, few open files, signals, and files that are not
//! what they should be.

use std::fs::OpenOptions;
use std::io::pipe;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::support::raw_client::{RawClient, exchange};
use crate::support::service::{Service, WINTAG, get};

/// A process that ends with the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An address that was free a moment ago, for a service that cannot say where it listens.
fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    listener.local_addr().expect("it is bound").to_string()
}

/// A service that writes its log there, its address and that of its metrics.
async fn logging_to(stderr: impl Into<Stdio>, options: &[&str]) -> (Process, String, String) {
    let (address, admin) = (free_address(), free_address());
    let mut command = Command::new(WINTAG);
    command.args(["serve", "--offline", "--drain-delay", "0s", "--listen", &address]);
    command.args(["--admin-listen", &admin]).args(options);
    let mut process = Process(command.stderr(stderr).spawn().expect("wintag was built"));
    while TcpStream::connect(&address).is_err() {
        assert_eq!(process.0.try_wait().expect("it is a child"), None, "it does not start");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    (process, address, admin)
}

async fn lines_dropped(admin: &str) -> u64 {
    let text = get(admin, "/metrics").await.text;
    let sample = text.lines().find_map(|line| line.strip_prefix("wintag_log_lines_dropped_total "));
    sample.expect("the metric is shown").parse().expect("it is a number")
}

/// Sends SIGTERM and waits for the end, and gives the exit status.
async fn terminated(mut process: Process) -> Option<i32> {
    let id = process.0.id().to_string();
    assert!(Command::new("kill").arg(id).status().expect("kill is everywhere").success());
    for _ in 0..2000 {
        if let Some(status) = process.0.try_wait().expect("it is a child") {
            return status.code();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it does not end");
}

#[tokio::test]
async fn h09_a_log_that_is_not_read_stops_nothing() {
    let (unread, stderr) = pipe().expect("there are pipes");
    let (process, address, admin) = logging_to(stderr, &["--log-level", "trace"]).await;
    let path = format!("/resolve?image=nanoserver&host=17763&{}=", "x".repeat(1000));
    for _ in 0..20 {
        let mut client = RawClient::connect(&address).await;
        for _ in 0..200 {
            client.send(format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n")).await;
            assert_eq!(client.answer().await.map(|answer| answer.status), Some(400));
        }
        if lines_dropped(&admin).await > 0 {
            break;
        }
    }
    assert!(lines_dropped(&admin).await > 0, "too few lines were logged");
    assert_eq!(get(&address, "/readyz").await.status.as_u16(), 200);
    assert_eq!(terminated(process).await, Some(0));
    drop(unread);
}

#[tokio::test]
async fn h09_a_log_that_cannot_be_written_stops_nothing() {
    let full = OpenOptions::new().write(true).open("/dev/full").expect("it is everywhere");
    let (reader, no_reader) = pipe().expect("there are pipes");
    drop(reader);
    for stderr in [Stdio::from(full), no_reader.into()] {
        let (process, address, admin) = logging_to(stderr, &[]).await;
        assert_eq!(get(&address, "/readyz").await.status.as_u16(), 200);
        assert!(lines_dropped(&admin).await > 0);
        assert_eq!(terminated(process).await, Some(0));
    }
}

#[test]
fn h09_a_message_that_cannot_be_written_leaves_the_exit_status() {
    let full = || OpenOptions::new().write(true).open("/dev/full").expect("it is everywhere");
    for (arguments, status) in [
        (&["serve", "--config", "/nonexistent"][..], 5),
        (&["serve", "--listen", "192.0.2.1:80"], 5),
        (&["resolve", "no such image", "--host", "17763", "--offline"], 2),
    ] {
        let mut command = Command::new(WINTAG);
        let ended = command.args(arguments).stderr(full()).status().expect("wintag was built");
        assert_eq!(ended.code(), Some(status), "{arguments:?}");
    }
}

#[tokio::test]
async fn h15_clients_cannot_take_all_open_files() {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 64 && exec \"$@\"", "sh", WINTAG, "serve", "--offline"]);
    let (address, admin) = (free_address(), free_address());
    command.args(["--drain-delay", "0s", "--listen", &address, "--admin-listen", &admin]);
    let child = command.stderr(Stdio::piped()).spawn().expect("there is a shell");
    let mut process = Process(child);
    while TcpStream::connect(&address).is_err() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let clients: Vec<_> = (0..100).map(|_| TcpStream::connect(&address)).collect();
    for _ in 0..10 {
        let answer = exchange(&admin, "GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
        assert_eq!(answer.map(|answer| answer.status), Some(200));
    }
    drop(clients);
    let log = process.0.stderr.take().expect("it is piped");
    assert_eq!(terminated(process).await, Some(0));
    let log = std::io::read_to_string(log).expect("the log is UTF-8");
    assert!(log.contains("--max-connections is 24 instead of 3000"), "{log}");
    assert!(!log.contains("Too many open files"), "{log}");
}

#[tokio::test]
async fn h21_a_hangup_under_load_changes_settings_and_fails_no_request() {
    let file = tempfile::NamedTempFile::new().expect("there is a place for it");
    let write = |text: &str| std::fs::write(file.path(), text).expect("the file can be written");
    let fleet = |host: &str| format!("[fleets.prod]\nhosts = [\"{host}\"]\n");
    write(&fleet("ltsc2019"));
    let path = file.path().to_str().expect("it is text");
    let service = Service::start(&["--offline", "--rate-limit", "off", "--config", path]);
    let tag = async || {
        let answer = service.get("/fleet?image=nanoserver&fleet=prod").await;
        answer.json()["groups"][0]["tag"].as_str().map(str::to_owned)
    };
    assert_eq!(tag().await.as_deref(), Some("ltsc2019"));
    let asking = async |client: usize| {
        for number in 0..200 {
            // Different ones, which the cache of answers does not have.
            let revision = client * 1000 + number;
            let path = format!("/resolve?image=servercore&host=10.0.20348.{revision}");
            assert_eq!(service.get(&path).await.status.as_u16(), 200, "{path}");
        }
    };
    let reloading = async {
        for host in ["ltsc2022", "ltsc2025", "ltsc2022", "ltsc2025"] {
            write(&fleet(host));
            service.signal("HUP");
            while tag().await.as_deref() != Some(host) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    };
    futures_util::join!(asking(1), asking(2), asking(3), asking(4), reloading);
    // What is wrong changes nothing.
    for (text, problem) in [
        ("[fleets.prod]\nhosts = [\"Windows 95\"]\n", "could not recognise"),
        ("nonsense = 1\n", "nonsense"),
        ("fresh_for = \"soon\"\n", "write a number and a unit"),
    ] {
        write(text);
        service.signal("HUP");
        let line = service.line_with(problem).await;
        assert!(line.contains("SIGHUP changed nothing"), "{line}");
        assert_eq!(tag().await.as_deref(), Some("ltsc2025"), "{text}");
    }
    assert!(service.terminate().success());
}

/// Signals are handled before the first client can be answered.
#[test]
fn h21_a_service_that_listens_can_be_stopped() {
    let address = free_address();
    let mut command = Command::new(WINTAG);
    command.args(["serve", "--offline", "--listen", &address, "--admin-listen", "off"]);
    let child = command.stderr(Stdio::null()).spawn().expect("wintag was built");
    let process = Process(child);
    // Without a pause, because the moment after the first connection counts.
    while TcpStream::connect(&address).is_err() {}
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.0.id()));
    let status = status.expect("the process runs");
    let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).expect("it is there");
    let handled = u64::from_str_radix(mask.trim(), 16).expect("it is hexadecimal");
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP] {
        assert!(handled & (1 << (signal - 1)) != 0, "{signal}: {mask}");
    }
}

#[tokio::test]
async fn h24_older_tables_and_open_passwords_are_noticed() {
    let directory = tempfile::tempdir().expect("there is a place for it");
    let path = |name: &str| directory.path().join(name);
    let tables = concat!(env!("CARGO_MANIFEST_DIR"), "/src/windows/data/");
    let kb = std::fs::read_to_string(format!("{tables}kb.csv")).expect("it is committed");
    let cut: String = kb.split_inclusive('\n').take(20).collect();
    std::fs::copy(format!("{tables}releases.csv"), path("releases.csv")).expect("it is committed");
    let tables_dir = directory.path().to_str().expect("it is text");
    let serve = ["serve", "--offline", "--tables-dir", tables_dir];
    std::fs::write(path("kb.csv"), cut).expect("it can be written");
    // A service that starts all the same must not hold the test.
    let ended = Command::new("timeout").args(["20", WINTAG]).args(serve).output();
    let ended = ended.expect("timeout is everywhere");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(5), "{said}");
    assert!(said.contains("--tables-dir: kb.csv: 19 rows up to 20"), "{said}");

    std::fs::write(path("kb.csv"), kb).expect("it can be written");
    std::fs::write(path("password"), "x").expect("it can be written");
    let all = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    std::fs::set_permissions(path("password"), all).expect("it is ours");
    let password = path("password").display().to_string();
    let file =
        format!("[registries.\"a.example\"]\nusername = \"u\"\npassword_file = \"{password}\"\n");
    std::fs::write(path("wintag.toml"), file).expect("it can be written");
    let file = path("wintag.toml").display().to_string();
    let service = Service::start(&["--offline", "--tables-dir", tables_dir, "--config", &file]);
    service.line_with(&format!("password_file {password} can be read by all users")).await;
}
