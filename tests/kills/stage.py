"""One cluster, one repository, one controller: the real programs, and how they are started, asked and
killed. Everything is on loopback and in one private folder."""
import http.server
import json
import os
import queue
import re
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
import urllib.parse
import urllib.request

import scenes

HERE = os.path.dirname(os.path.abspath(__file__))
SECRET = "11111111-1111-1111-1111-111111111111"
ROOT = "PVEAPIToken=root@pam!t=22222222-2222-2222-2222-222222222222"
BACKEND = "/usr/lib/git-core/git-http-backend"
SIGNALS = {"kill": signal.SIGKILL, "term": signal.SIGTERM}
LOOK_S = 1  # between two looks at a condition, when nothing is heard


class Wrong(Exception):
    """Something is not as it must be."""


class Guest:
    def __init__(self, entry, config, pending, volumes):
        self.vmid, self.node, self.status = entry["vmid"], entry["node"], entry["status"]
        self.config, self.pending, self.volumes = config, pending, volumes
        mark = re.search(rf"^ramet: {scenes.ID}/(\S+) vmid={self.vmid} ", config.get("description", ""), re.M)
        self.name = mark.group(1) if mark else None

    def lines(self):
        """It as text, to be compared; a stranger word for word."""
        who = self.name or str(self.vmid)
        skip = {"digest", "meta"} | ({"vmgenid", "smbios1"} if self.name else set())
        text = scenes.plain if self.name else str
        yield f"{who} {self.status} on {self.node}, {len(self.volumes)} volumes"
        for kind, of in (("has", self.config), ("pends", self.pending)):
            for key in sorted(set(of) - skip):
                yield f"{who} {kind} {key}={text(str(of[key]))}"


class Cluster:
    """What the API says of all guests and volumes, at one moment."""

    def __init__(self, ask):
        self.guests, owned, self.orphans = [], {}, []
        entries = [e for e in ask("/cluster/resources", type="vm") if e.get("type") == "qemu"]
        nodes = sorted(n["node"] for n in ask("/nodes"))
        for node, store in [(nodes[0], "shared"), (nodes[0], "fast")] + [(n, "local") for n in nodes]:
            for v in ask(f"/nodes/{node}/storage/{store}/content", content="images"):
                owned.setdefault(int(v["vmid"]), []).append(v["volid"])
        for e in entries:
            config = {k: str(v) for k, v in ask(f"/nodes/{e['node']}/qemu/{e['vmid']}/config", current=1).items()}
            pending = {p["key"]: str(p["pending"]) for p in ask(f"/nodes/{e['node']}/qemu/{e['vmid']}/pending")
                       if "pending" in p}
            self.guests.append(Guest(e, config, pending, owned.pop(e["vmid"], [])))
        for vmid, volumes in owned.items():
            self.orphans += volumes
        self.running = [t["upid"] for t in ask("/cluster/tasks") if "endtime" not in t]

    def lines(self):
        return sorted(line for g in self.guests for line in g.lines())


class GitServer:
    """Repositories over HTTPS, by Git's own backend. Each request is told to its trial, before it is
    carried out and when it has been."""

    def __init__(self, tls):
        outer, self.trials, self.tls = self, {}, tls

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                outer.serve(self, b"")

            def do_POST(self):
                if self.headers.get("Transfer-Encoding") == "chunked":
                    body = b""
                    while size := int(self.rfile.readline(), 16):
                        body += self.rfile.read(size)
                        self.rfile.readline()
                    self.rfile.readline()
                else:
                    body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                outer.serve(self, body)

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, request, client_address):
                pass  # a client that was killed

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{tls}/server.pem", f"{tls}/server.key")
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self, trial):
        self.trials[str(id(trial))] = trial
        return f"https://127.0.0.1:{self.server.server_port}/{id(trial)}/vms.git"

    def serve(self, h, body):
        path, _, query = h.path.partition("?")
        _, who, rest = path.split("/", 2)
        trial = self.trials.get(who)
        if not trial or trial.git_touch("before"):
            h.close_connection = True
            return
        env = {"PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": trial.dir, "GIT_HTTP_EXPORT_ALL": "1",
               "PATH_INFO": "/" + rest, "QUERY_STRING": query, "REQUEST_METHOD": h.command, "REMOTE_USER": "ramet",
               "CONTENT_TYPE": h.headers.get("Content-Type", ""), "CONTENT_LENGTH": str(len(body)),
               "GIT_PROTOCOL": h.headers.get("Git-Protocol", ""), "HTTP_CONTENT_ENCODING":
               h.headers.get("Content-Encoding", ""), "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
        done = subprocess.run([BACKEND], input=body, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env,
                              check=False)
        if trial.git_touch("after"):
            h.close_connection = True
            return
        if rest.endswith("git-receive-pack"):
            trial.pushed.set()
        head, _, out = done.stdout.partition(b"\r\n\r\n")
        headers = [line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line]
        status = next((int(v.split()[0]) for k, v in headers if k == "Status"), 200)
        h.send_response(status)
        for k, v in headers:
            if k not in ("Status", "Content-Length"):
                h.send_header(k, v)
        h.send_header("Content-Length", str(len(out)))
        h.end_headers()
        h.wfile.write(out)


class Stage:
    def __init__(self, where, seed, build, server, patience):
        self.dir, self.seed, self.build, self.tls, self.patience = where, seed, build, server.tls, patience
        self.own = 0  # requests to the cluster that were ours
        self.controller = self.sim = None
        self.git_at, self.git_count, self.git_lock = None, 0, threading.Lock()
        self.lines, self.pushed = queue.Queue(), threading.Event()
        self.ssl = ssl.create_default_context(cafile=f"{self.tls}/ca.pem")
        self.repo, self.state = f"{where}/vms.git", f"{where}/state"
        self.start_cluster()
        self.make_repository()
        self.configure(server.url(self))

    def path(self, name):
        return os.path.join(self.dir, name)

    def until(self, what, condition, bound=60):
        """Only the bound is in time. The last thing that the condition said goes into the message. It is asked when a
        report was pushed, and now and then."""
        end = time.monotonic() + bound * self.patience
        while True:
            said = condition()
            if not said:
                return
            if time.monotonic() > end:
                raise Wrong(f"waited in vain for {what}: {said}")
            self.pushed.wait(LOOK_S)
            self.pushed.clear()

    # --- the cluster ---

    def start_cluster(self):
        self.sim = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", f"{self.build}/ramet-sim", "--seed", self.seed,
             "--listen", "127.0.0.1:0", "--all-nodes", "--cert", f"{self.tls}/server.pem", "--key",
             f"{self.tls}/server.key", "--journal", self.path("cluster.journal"), "--control", self.path("control")],
            stdout=subprocess.PIPE, stderr=open(self.path("sim.log"), "w"), stdin=subprocess.DEVNULL, text=True)
        threading.Thread(target=self.read_sim, daemon=True).start()
        self.endpoints = []
        while (line := self.line("ramet-sim")) != "ready":
            if line.startswith("endpoint "):
                self.endpoints.append(line.split()[1])

    def read_sim(self):
        for line in self.sim.stdout:
            self.lines.put(line.rstrip("\n"))

    def line(self, what):
        try:
            return self.lines.get(timeout=60 * self.patience)
        except queue.Empty:
            raise Wrong(f"no word of {what}") from None

    def say(self, line):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(self.path("control"))
            s.sendall(line.encode() + b"\n")
            answer = s.makefile().readline().strip()
        if not answer.startswith("ok"):
            raise Wrong(f"{line}: {answer}")
        return answer[3:]

    def ask(self, path, **params):
        self.own += 1
        query = "?" + urllib.parse.urlencode(params) if params else ""
        request = urllib.request.Request(f"{self.endpoints[0]}/api2/json{path}{query}", headers={"Authorization": ROOT})
        with urllib.request.urlopen(request, context=self.ssl, timeout=60) as answer:
            return json.load(answer)["data"]

    def look(self):
        return Cluster(self.ask)

    def requests(self):
        """Of the controller."""
        return int(self.say("requests")) - self.own

    def changes(self):
        """Of the state directory, since the controller was started with KILLAT_COUNT."""
        try:
            return os.path.getsize(self.path("touches"))
        except OSError:
            return 0

    def journal(self):
        with open(self.path("cluster.journal"), encoding="utf-8") as f:
            nothing = {"user": "", "method": "", "path": "", "vmid": 0, "effect": "", "key": ""}
            return [{**nothing, **json.loads(line)} for line in f]

    # --- the repository ---

    def git(self, *args, where=None, check=True):
        env = {"PATH": os.environ["PATH"], "HOME": self.dir, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null",
               "GIT_AUTHOR_NAME": "Robin", "GIT_AUTHOR_EMAIL": "robin@example.org", "GIT_COMMITTER_NAME": "Robin",
               "GIT_COMMITTER_EMAIL": "robin@example.org"}
        done = subprocess.run(["git", "-C", where or self.repo, *args], env=env, capture_output=True, text=True, check=False)
        if done.returncode and check:
            raise Wrong(f"git {' '.join(args)}: {done.stderr}")
        return done.stdout

    def make_repository(self):
        os.mkdir(self.repo)
        self.git("init", "-q", "--bare", "-b", "main")
        self.git("config", "http.receivepack", "true")
        os.mkdir(self.path("checkout"))
        self.git("init", "-q", "-b", "main", where=self.path("checkout"))

    def commit(self, text, subject):
        where = self.path("checkout")
        os.makedirs(f"{where}/vms", exist_ok=True)
        with open(f"{where}/vms/all.yaml" if text else f"{where}/README", "w", encoding="utf-8") as f:
            f.write(text or "nothing yet\n")
        self.git("add", "-A", where=where)
        self.git("commit", "-q", "-m", subject, where=where)
        self.git("push", "-q", self.repo, "HEAD:main", where=where)
        self.head = self.git("rev-parse", "HEAD", where=where).strip()

    def report(self, name):
        return self.git("show", f"refs/heads/ramet/status:{name}", check=False)

    def git_touch(self, when):
        """True: the controller was killed at it, and nothing comes of it any more."""
        with self.git_lock:
            self.git_count += when == "before"
            if not self.git_at or self.git_at[:2] != (self.git_count, when):
                return False
            sign, self.git_at = self.git_at[2], None
        if sign == "kill":
            self.kill()
        else:
            self.controller.send_signal(SIGNALS[sign])
        self.lines.put("struck at Git")
        return sign == "kill"

    # --- the controller ---

    def configure(self, url):
        with open(self.path("token"), "w", encoding="utf-8", opener=lambda p, f: os.open(p, f, 0o600)) as f:
            f.write(f"ramet@pve!ctl={SECRET}\n")
        with open(self.path("ramet.yaml"), "w", encoding="utf-8") as f:
            f.write(f"""controller: {{ id: {scenes.ID}, state_dir: {self.state} }}
git: {{ url: "{url}", path: vms, interval: 1s, ca_file: {self.tls}/ca.pem }}
cluster:
  endpoints: [{", ".join(self.endpoints)}]
  token_file: {self.path("token")}
  ca_file: {self.tls}/ca.pem
report: {{ interval: 100ms }}
policy: {{ vmid_range: 1100-1199 }}
reconcile: {{ tick: 500ms }}
http: {{ listen: "" }}
""")

    def start(self, **env):
        env = {"PATH": os.environ["PATH"], **env}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"):
            if name in os.environ:
                env[name] = os.environ[name]
        if "LD_PRELOAD" in env:  # the runtime of a sanitizer wants to be the first
            env["ASAN_OPTIONS"] = env.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
        self.controller = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", f"{self.build}/ramet", "--config", self.path("ramet.yaml"), "run"],
            env=env, stdout=subprocess.DEVNULL, stderr=open(self.path("ramet.log"), "a"), stdin=subprocess.DEVNULL)

    def kill(self):
        self.controller.send_signal(signal.SIGKILL)
        self.controller.wait()

    def stop(self):
        self.controller.send_signal(signal.SIGTERM)
        try:
            rc = self.controller.wait(timeout=15 * self.patience)
        except subprocess.TimeoutExpired:
            raise Wrong("the controller does not end when asked") from None
        if rc:
            raise Wrong(f"the controller ended with {rc}")

    def close(self, keep):
        for process in (self.controller, self.sim):
            if process and process.poll() is None:
                process.kill()
                process.wait()
        if not keep:
            shutil.rmtree(self.dir, ignore_errors=True)

    def tail(self, name, n=40):
        try:
            with open(self.path(name), encoding="utf-8", errors="replace") as f:
                return "".join(f.readlines()[-n:])
        except OSError:
            return ""


def single(text):
    """The cluster with its first node alone: what is elsewhere is there, and nobody waits for a quorum to be old."""
    text = text.replace("cluster: {name: kills, ", "cluster: {")
    text = re.sub(r"^  - \{name: pve[23], .*\n", "", text, flags=re.M)
    return re.sub(r"node: pve[23]", "node: pve1", text)


def make_seeds(where):
    """By the number of their nodes."""
    with open(f"{HERE}/cluster.yaml", encoding="utf-8") as f:
        text = f.read()
    with open(f"{where}/one.yaml", "w", encoding="utf-8") as f:
        f.write(single(text))
    return {1: f"{where}/one.yaml", 3: f"{HERE}/cluster.yaml"}


def make_tls(build, where):
    """The authority and certificate that ramet-sim makes for itself, for all stages and for Git."""
    with open(os.path.join(where, "seed.yaml"), "w", encoding="utf-8") as f:
        f.write("cluster: { name: none }\nnodes: [{ name: none }]\n")
    p = subprocess.Popen([f"{build}/ramet-sim", "--seed", f"{where}/seed.yaml", "--listen", "127.0.0.1:0", "--tls-dir",
                          f"{where}/tls"], stdout=subprocess.PIPE, text=True)
    for line in p.stdout:
        if line.strip() == "ready":
            break
    p.terminate()
    if p.wait():
        raise Wrong("ramet-sim makes no certificate")
    return f"{where}/tls"
