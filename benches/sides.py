"""What `benches/run` measures with: the programs of each side, the load generators, and what stands in for the world.

Everything listens on 127.0.0.1 only. Servers are held on the first core and what asks them on the second, so that each
server has one worker and the same core for it.
"""

import hashlib
import http.client
import http.server
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
PROGRAMS = TOP / os.environ.get("CARGO_TARGET_DIR", "target") / "release"
EXAMPLES = ["filled-registry", "bare-actix", "paced-load", "slow-proxy"]
NEEDED = ["cargo", "taskset", "wrk", "nginx", "skopeo", "docker-registry", "valgrind"]
SERVER_CORE, CLIENT_CORE = "0", "1"
CONNECTIONS = 32


def check_and_build():
    """Ends when something is missing; else builds everything in its release form."""
    os.environ["PATH"] += ":/usr/sbin"
    missing = [program for program in NEEDED if not shutil.which(program)]
    if missing:
        raise SystemExit(f"missing: {', '.join(missing)}")
    if not {int(SERVER_CORE), int(CLIENT_CORE)} <= os.sched_getaffinity(0):
        raise SystemExit("two cores are needed, one for the servers and one for the clients")
    command = ["cargo", "build", "--release", "--locked", "--quiet", "--bin", "wintag"]
    command += [word for example in EXAMPLES for word in ("--example", example)]
    subprocess.run(command, cwd=TOP, check=True, timeout=3600)


def environment(**variables):
    """The variables of a process: nothing of the machine's own settings decides a measurement."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("WINTAG_", "OTEL_"))}
    return kept | {"DOCKER_CONFIG": "/nonexistent", "NO_PROXY": "127.0.0.1", "WINTAG_DRAIN_DELAY": "0s"} | variables


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(address, seconds=20):
    """Waits for a listener at HOST:PORT."""
    host, port = address.split(":")
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            return socket.create_connection((host, int(port)), 1).close()
        except OSError:
            time.sleep(0.0005)
    raise SystemExit(f"no listener at {address}")


class Side:
    """A server process. It says where it listens, or listens at the address that is given. A context that stops it."""

    def __init__(self, command, address=None, core=SERVER_CORE, **variables):
        self.said = []
        command = [str(word) for word in ["taskset", "-c", core, *command]]
        self.process = subprocess.Popen(
            command, env=environment(**variables), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True,
        )
        # What it says later must not fill the pipe.
        self.reader = threading.Thread(target=lambda: self.said.extend(self.process.stdout), daemon=True)
        self.reader.start()
        try:
            self.address = address or self._said_address()
            wait_for(self.address)
        except BaseException:
            self.stop()
            raise

    def _said_address(self):
        end = time.monotonic() + 60
        while time.monotonic() < end and (self.process.poll() is None or self.reader.is_alive()):
            for line in list(self.said):
                if found := re.search(r"listening on http://([0-9.:]+)", line):
                    return found[1]
            time.sleep(0.01)
        raise SystemExit(f"it does not start: {''.join(self.said)}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.reader.join(5)

    def headers(self, target):
        """The headers of an answer, but those that every server makes itself."""
        host, port = self.address.split(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=60)
        try:
            connection.request("GET", target)
            headers = connection.getresponse().getheaders()
        finally:
            connection.close()
        return [(name, value) for name, value in headers if name.lower() not in ("content-length", "date")]

    def get(self, target, status=200):
        """The body of an answer, which must have this status; with None, any, and then it comes with the body."""
        host, port = self.address.split(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=60)
        try:
            connection.request("GET", target)
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        if status is None:
            return answer.status, body
        if answer.status != status:
            raise SystemExit(f"{target} was answered {answer.status}: {body[:500]}")
        return body

    def processor_seconds(self):
        """What this process and its children have had of the processor."""
        own = self.process.pid
        children = Path(f"/proc/{own}/task/{own}/children").read_text().split()
        fields = [Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split() for each in [own, *children]]
        return sum(int(each[11]) + int(each[12]) for each in fields) / os.sysconf("SC_CLK_TCK")

    def resident_mebibytes(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s*(\d+) kB", status)[1]) / 1024


def wintag(*options, before=(), core=SERVER_CORE, **variables):
    listen = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]
    return Side([*before, PROGRAMS / "wintag", "serve", "--facts-from", "none", *listen, *options], core=core, **variables)


def mirror(address):
    return "--mirror", f"mcr.microsoft.com=http://{address}", "--fresh-for", "24h"


def traced(collector):
    """The variables with which one request in a hundred is traced."""
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_TRACES_SAMPLER_ARG": "0.01"}


def bare_actix(file, before=(), headers=()):
    headers = [word for name, value in headers for word in ("--header", f"{name}:{value}")]
    return Side([*before, PROGRAMS / "examples/bare-actix", file, *headers])


def real_registry():
    """Debian's docker-registry with the base images, on the core of the clients; it only works while wintag is cold."""
    address = f"127.0.0.1:{free_port()}"
    return Side([PROGRAMS / "examples/filled-registry", address.split(":")[1]], address, CLIENT_CORE)


def slow_proxy(upstream):
    return Side([PROGRAMS / "examples/slow-proxy", upstream, "--delay-milliseconds", "30"], core=CLIENT_CORE)


def nginx(file, folder):
    """nginx as it serves a small file best: no log, no limit on a connection, the file held open."""
    address = f"127.0.0.1:{free_port()}"
    configuration = folder / "nginx.conf"
    paths = "".join(
        f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if os.geteuid() == 0 else ""
    configuration.write_text(
        f"""{user} daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr;
        events {{ worker_connections 1024; }}
        http {{
            access_log off; {paths} sendfile on; tcp_nopush on; tcp_nodelay on;
            keepalive_timeout 600s; keepalive_requests 1000000000;
            open_file_cache max=16; open_file_cache_valid 600s;
            server {{ listen {address}; location = /resolve {{ default_type application/json; alias {file}; }} }}
        }}"""
    )
    return Side(["nginx", "-e", "stderr", "-p", folder, "-c", configuration], address)


def wrk(side, target, seconds, script=None):
    """Requests a second as fast as they go, and the share of its core that the server was busy."""
    command = ["taskset", "-c", CLIENT_CORE, "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "10s"]
    command += ["-s", script] if script else []
    busy, began = side.processor_seconds(), time.monotonic()
    run = subprocess.run(
        [*map(str, command), f"http://{side.address}{target}"],
        capture_output=True, text=True, check=True, timeout=seconds + 30,
    )
    share = (side.processor_seconds() - busy) / (time.monotonic() - began)
    if re.search(r"Non-2xx|Socket errors", run.stdout):
        raise SystemExit(f"not all were answered: {run.stdout}")
    return float(re.search(r"Requests/sec:\s*([0-9.]+)", run.stdout)[1]), share


def paced_load(side, target, requests, rate=None, connections=16):
    """The quantiles of the latency in microseconds, of requests at a steady rate."""
    command = ["taskset", "-c", CLIENT_CORE, PROGRAMS / "examples/paced-load", side.address, target]
    command += ["--requests", requests, "--connections", connections, "--timeout-seconds", 300]
    command += ["--rate", rate] if rate else []
    run = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=330)
    if run.returncode != 0:
        raise SystemExit(f"{target}: {run.stderr}")
    words = run.stdout.split()
    return {name: float(value) for name, value in zip(words[::2], words[1::2])}


class HereServer:
    """A server of this process, for what is not measured."""

    def __init__(self):
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Head and body are two writes; the second must not wait for the client's acknowledgement of the first.
            disable_nagle_algorithm = True

            def do_GET(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                media, body = owner.answer(self.path, body)
                self.send_response(200)
                self.send_header("Content-Type", media)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.address = f"127.0.0.1:{self.server.server_address[1]}"
        self.url = f"http://{self.address}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


class Collector(HereServer):
    """Takes traces and counts how often some came."""

    received = 0

    def answer(self, path, body):
        self.received += 1
        return "application/x-protobuf", b""


class LargeRegistry(HereServer):
    """A registry whose repositories have as many tags as their names end with, such as `large/tags-1000`."""

    LINES = ["ltsc2016", "ltsc2019", "ltsc2022", "ltsc2025"]
    BUILDS = [14393, 17763, 20348, 26100]

    def answer(self, path, body):
        if found := re.fullmatch(r"/v2/(.+)/tags/list(\?.*)?", path):
            count = int(found[1].rpartition("-")[2])
            revisions = (f"10.0.{self.BUILDS[n % 4]}.{n // 4 + 1}" for n in range(count - len(self.LINES)))
            return "application/json", json.dumps({"name": found[1], "tags": [*self.LINES, *revisions]}).encode()
        tag = path.rpartition("/")[2]
        build = self.BUILDS[self.LINES.index(tag)] if tag in self.LINES else None
        version = f"10.0.{build}.999999" if build else tag
        digest = "sha256:" + hashlib.sha256(version.encode()).hexdigest()
        platform = {"os": "windows", "architecture": "amd64", "os.version": version}
        kind = "application/vnd.docker.distribution.manifest.v2+json"
        entry = {"mediaType": kind, "size": 1000, "digest": digest, "platform": platform}
        media = "application/vnd.docker.distribution.manifest.list.v2+json"
        return media, json.dumps({"schemaVersion": 2, "mediaType": media, "manifests": [entry]}).encode()
