"""The servers of destinations over distance, on this machine's loopback address, and the link before each of them.

- SFTP: OpenSSH's server with keys of its own (Debian: openssh-server);
- S3: moto's server (PyPI), in a virtual environment of the cache folder;
- the link: the proxy of the harness (`tests/src/server/proxy.rs`), as the program `link`.
"""

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import time
import urllib.request

import install

READY_S = 30
MOTO = "moto[server,s3]"
KEYS = {"AWS_ACCESS_KEY_ID": "access-of-anybody", "AWS_SECRET_ACCESS_KEY": "secret-of-anybody", "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1"}
BUCKET = "bucket"


def free_port():
    """A port that nobody listens at now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def wait_for(port, child):
    """Waits until a server listens."""
    until = time.monotonic() + READY_S
    while time.monotonic() < until and child.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise SystemExit(f"{child.args[0]} does not listen")


class Sshd:
    """OpenSSH's server for the user who measures."""

    kind = "sftp"

    def __init__(self, programs, folder):
        self.folder, self.port, self.user = folder, free_port(), getpass.getuser()
        self.objects = folder + "/objects"
        os.makedirs(self.objects)
        for key in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{folder}/{key}"], check=True)
        shutil.copy(folder + "/user.pub", folder + "/authorized_keys")
        with contextlib.suppress(OSError):
            os.makedirs("/run/sshd", exist_ok=True)
        lines = [f"Port {self.port}", "ListenAddress 127.0.0.1", f"HostKey {folder}/host", f"AuthorizedKeysFile {folder}/authorized_keys",
                 "PidFile none", "StrictModes no", "UsePAM no", "PasswordAuthentication no", "Subsystem sftp internal-sftp",
                 "MaxStartups 100", "MaxSessions 100"]
        with open(folder + "/config", "w") as file:
            file.write("\n".join(lines) + "\n")
        self.child = programs.start(["/usr/sbin/sshd", "-D", "-f", folder + "/config"], dict(os.environ))
        wait_for(self.port, self.child)

    def prepare(self, home, port):
        """Lets the programs of a home know the server behind a port."""
        ssh = home + "/.ssh"
        os.makedirs(ssh, mode=0o700, exist_ok=True)
        with open(self.folder + "/host.pub") as key, open(ssh + "/known_hosts", "w") as known:
            known.write(f"[127.0.0.1]:{port} {key.read()}")
        with open(ssh + "/config", "w") as file:
            file.write(f"Host 127.0.0.1\n  Port {port}\n  User {self.user}\n  IdentityFile {self.folder}/user\n"
                       f"  IdentitiesOnly yes\n  UserKnownHostsFile {ssh}/known_hosts\n")
        return ssh + "/config"


class Moto:
    """moto's server of S3."""

    kind = "s3"

    def __init__(self, programs, folder, cache):
        self.port = free_port()
        os.makedirs(folder)
        self.child = programs.start([find_moto(cache), "-H", "127.0.0.1", "-p", str(self.port)], dict(os.environ) | KEYS)
        wait_for(self.port, self.child)
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/{BUCKET}", method="PUT")
        urllib.request.urlopen(request).close()


def find_moto(cache):
    """moto's server of the cache folder, from PyPI."""
    program = cache + "/moto/bin/moto_server"
    if not os.path.exists(program):
        print("getting moto from PyPI", flush=True)
        python = shutil.which("python3")
        install.must("moto", [python, "-m", "venv", cache + "/moto"], [cache + "/moto/bin/pip", "install", "-q", MOTO])
    return program


class Counts:
    """What went through a link: connections, bytes up and down, round trips."""

    def __init__(self, connections=0, up=0, down=0, trips=0):
        self.connections, self.up, self.down, self.trips = connections, up, down, trips

    def since(self, before):
        """The difference from earlier counts."""
        return Counts(self.connections - before.connections, self.up - before.up, self.down - before.down,
                      self.trips - before.trips)


class Link:
    """A link before a server: a delay of so many milliseconds in each direction, and a rate in Mbit/s (0 for none)."""

    def __init__(self, program, server, delay_ms, mbit):
        self.server = server
        self.child = subprocess.Popen([program, str(server.port), str(delay_ms), str(mbit)], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, text=True, bufsize=1)
        self.port = int(self.child.stdout.readline())

    def counts(self):
        """What went through so far."""
        self.child.stdin.write("\n")
        return Counts(*map(int, self.child.stdout.readline().split()))

    def close(self):
        """Ends the link with its connections."""
        self.child.stdin.close()
        self.child.wait()
