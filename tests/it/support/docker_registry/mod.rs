//! A real registry for the tests: Debian's `docker-registry` over a folder that the tests wrote.
//!
//! The folder is written and not pushed to, because only so do the recorded image indexes keep
//! their exact bytes and with them their real digests (a push would want their children, whose
//! bytes are not public). What is in it: [`content`].
//!
//! What this registry cannot show: it ignores `n` and `last` on `tags/list`, never sends `Link` and
//! does not sort. The children of recorded indexes are not in it.

pub mod bodies;
mod catalogue;
pub mod content;
pub mod storage;
pub mod software;
mod tags;

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use storage::Content;

/// How the registry is to run. The default is anonymous, on a free port, with everything that
/// [`content`] describes.
#[derive(Default)]
pub struct Options {
    /// What it holds, for a test that changes it later.
    pub content: Option<Content>,
    /// The port on 127.0.0.1; a free one when not given.
    pub port: Option<u16>,
    /// The only user with read access, and the password; without it, access is public.
    pub login: Option<(String, String)>,
    /// Where the access log goes.
    pub log: Option<PathBuf>,
}

/// A running registry. Dropping it stops the process and removes what was written for it alone.
pub struct DockerRegistry {
    process: Child,
    address: SocketAddr,
    access_log: PathBuf,
    /// Where in the log the requests begin that were not this module's own.
    log_start: usize,
    /// Its storage, when that is not shared with other registries.
    own_storage: Option<PathBuf>,
    /// Keeps the folder with configuration and logs, and removes it in the end.
    _folder: TempDir,
}

impl DockerRegistry {
    /// A registry that anyone may read and that holds everything.
    pub fn start() -> Self {
        Self::start_with(Options::default())
    }

    /// A registry that holds only this, and whose content can be changed while it runs.
    pub fn start_holding(content: Content) -> Self {
        Self::start_with(Options { content: Some(content), ..Options::default() })
    }

    /// A registry that holds everything and wants this user and password (HTTP Basic).
    pub fn start_behind_login(user: &str, password: &str) -> Self {
        Self::start_with(Options {
            login: Some((user.to_owned(), password.to_owned())),
            ..Options::default()
        })
    }

    /// A registry that runs as the options say.
    pub fn start_with(options: Options) -> Self {
        let folder =
            TempDir::with_prefix("wintag-registry-").expect("a temporary folder can be made");
        let own_storage = options.content.map(|content| {
            let storage = folder.path().join("storage");
            fs::create_dir(&storage).expect("the temporary folder is writable");
            content.write_to(&storage);
            storage
        });
        let storage = own_storage.as_deref().unwrap_or_else(|| shared_storage());
        if let Some((user, password)) = &options.login {
            write_htpasswd(folder.path(), user, password);
        }
        let access_log = options.log.unwrap_or_else(|| folder.path().join("access.log"));

        // A free port can be taken by someone else before the registry binds it, so several are
        // tried.
        let attempts = if options.port.is_some() { 1 } else { 5 };
        for _ in 0..attempts {
            let port = options.port.unwrap_or_else(free_port);
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            write_config(folder.path(), storage, address, options.login.is_some());
            let mut process = spawn(folder.path(), &access_log);
            if wait_until_ready(&mut process, address) {
                let mut registry = Self {
                    process,
                    address,
                    access_log,
                    log_start: 0,
                    own_storage,
                    _folder: folder,
                };
                registry.log_start = registry.settled_log().len();
                return registry;
            }
        }
        let said = fs::read_to_string(registry_log(folder.path())).unwrap_or_default();
        panic!("docker-registry did not start:\n{said}");
    }

    /// `127.0.0.1:PORT`, as it stands in an image reference.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// The URL of a path such as `/v2/`.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Adds content; tags that exist are moved. It shows at once.
    pub fn add(&self, content: &Content) {
        content.write_to(self.own_storage());
    }

    /// Removes a tag. It shows at once.
    pub fn remove_tag(&self, repository: &str, tag: &str) {
        storage::remove_tag(self.own_storage(), repository, tag);
    }

    fn own_storage(&self) -> &Path {
        self.own_storage
            .as_deref()
            .expect("only the content of a registry started with `start_holding` may change")
    }

    /// The requests so far, each as `GET /v2/windows/nanoserver/tags/list`, in the order they
    /// ended.
    ///
    /// A request is logged just after its answer went out; [`Self::settled_requests`] waits for
    /// that.
    pub fn requests(&self) -> Vec<String> {
        requests_in(self.read_log().get(self.log_start..).unwrap_or_default())
    }

    /// The requests, once none has been added for a moment.
    pub fn settled_requests(&self) -> Vec<String> {
        requests_in(self.settled_log().get(self.log_start..).unwrap_or_default())
    }

    fn read_log(&self) -> String {
        fs::read_to_string(&self.access_log).expect("the access log exists while the registry runs")
    }

    /// The log, once it has not grown for 150 ms; after 5 s of growing, as it is.
    fn settled_log(&self) -> String {
        let deadline = Instant::now() + Duration::from_secs(5);
        let mut log = self.read_log();
        let mut last_growth = Instant::now();
        while last_growth.elapsed() < Duration::from_millis(150) && Instant::now() < deadline {
            sleep(Duration::from_millis(10));
            let now = self.read_log();
            if now.len() != log.len() {
                last_growth = Instant::now();
                log = now;
            }
        }
        log
    }
}

impl Drop for DockerRegistry {
    fn drop(&mut self) {
        // Both fail only when the process is gone already, which is what is wanted.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Runs a program of the machine, and names the Debian package when it is not there.
pub fn tool(program: &str, package: &str, arguments: &[&str]) -> std::process::Output {
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{}", missing(program, package, &error)))
}

fn missing(program: &str, package: &str, error: &std::io::Error) -> String {
    format!(
        "cannot run {program} ({error}); it comes with Debian's package {package}: apt-get \
         install {package}"
    )
}

/// Reads requests off an access log in Apache's combined form. A last line without its end is left
/// out: it is still being written.
fn requests_in(log: &str) -> Vec<String> {
    let complete = log.rsplit_once('\n').map_or("", |(lines, _)| lines);
    complete
        .lines()
        .filter_map(|line| {
            let (request, _) = line.split_once('"')?.1.split_once('"')?;
            let (method_and_path, _) = request.rsplit_once(' ')?;
            Some(method_and_path.to_owned())
        })
        .collect()
}

/// The storage folder that holds everything. Writing some ten thousand files and folders can take
/// many seconds, so it is written once and kept in the build folder under a name that changes with
/// the content; nothing writes into it afterwards.
fn shared_storage() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let content = content::everything();
        let program = std::env::current_exe().expect("this program knows where it is");
        // Beside target/debug/deps, where tests are, and target/debug/examples.
        let parent = program.ancestors().nth(2).expect("programs are built two folders deep");
        let shared = parent.join(format!("wintag-registry-storage-{}", content.fingerprint()));
        if !shared.exists() {
            let unfinished = TempDir::new_in(parent).expect("the build folder is writable");
            content.write_to(unfinished.path());
            // Another process may have been faster; then this copy goes away with its handle.
            if fs::rename(unfinished.path(), &shared).is_ok() {
                let _ = unfinished.keep();
            }
        }
        shared
    })
}

fn registry_log(folder: &Path) -> PathBuf {
    folder.join("registry.log")
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .expect("the loopback interface has a free port");
    listener.local_addr().expect("a bound listener has an address").port()
}

fn write_htpasswd(folder: &Path, user: &str, password: &str) {
    // bcrypt (-B) is the only kind that the registry reads.
    let output = tool("htpasswd", "apache2-utils", &["-nbB", user, password]);
    assert!(
        output.status.success(),
        "htpasswd failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    fs::write(folder.join("htpasswd"), output.stdout).expect("the temporary folder is writable");
}

/// Writes the configuration: nothing on but reading, so that many registries run side by side.
fn write_config(folder: &Path, storage: &Path, address: SocketAddr, behind_login: bool) {
    let mut config = format!(
        "version: 0.1\nlog: {{level: warn, accesslog: {{disabled: false}}}}\nstorage:\n  \
         filesystem: {{rootdirectory: '{storage}'}}\n  delete: {{enabled: false}}\n  maintenance: \
         {{uploadpurging: {{enabled: false}}}}\nhttp: {{addr: '{address}', secret: none, headers: \
         {{X-Content-Type-Options: [nosniff]}}}}\nhealth: {{storagedriver: {{enabled: false}}}}\n",
        storage = storage.display(),
    );
    if behind_login {
        config += &format!(
            "auth: {{htpasswd: {{realm: wintag-tests, path: '{}'}}}}\n",
            folder.join("htpasswd").display()
        );
    }
    fs::write(folder.join("config.yml"), config).expect("the temporary folder is writable");
}

fn spawn(folder: &Path, access_log: &Path) -> Child {
    // The registry writes its access log to standard output and everything else to standard error.
    let access_log = File::create(access_log).expect("the access log can be written");
    let messages = File::create(registry_log(folder)).expect("the temporary folder is writable");
    Command::new("docker-registry")
        .arg("serve")
        .arg(folder.join("config.yml"))
        .stdin(Stdio::null())
        .stdout(access_log)
        .stderr(messages)
        .spawn()
        .unwrap_or_else(|error| panic!("{}", missing("docker-registry", "docker-registry", &error)))
}

/// Waits until `/v2/` answers; false when the process ended instead or did not answer in 20 s.
fn wait_until_ready(process: &mut Child, address: SocketAddr) -> bool {
    let deadline = Instant::now() + Duration::from_secs(20);
    while Instant::now() < deadline {
        if let Ok(Some(_)) = process.try_wait() {
            return false;
        }
        if answers(address) {
            // Whoever answered may be another process that took the port; then ours has ended by
            // now.
            sleep(Duration::from_millis(20));
            return matches!(process.try_wait(), Ok(None));
        }
        sleep(Duration::from_millis(10));
    }
    let _ = process.kill();
    let _ = process.wait();
    false
}

fn answers(address: SocketAddr) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        write!(stream, "GET /v2/ HTTP/1.0\r\nHost: {address}\r\n\r\n")?;
        let mut head = [0; 12];
        stream.read_exact(&mut head)?;
        Ok(String::from_utf8_lossy(&head).into_owned())
    };
    ask().is_ok_and(|head| head.ends_with("200") || head.ends_with("401"))
}
