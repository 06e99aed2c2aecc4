"""The command lines of the tools for the same steps.

Every tool backs up `.` from the source folder, to a repository and a cache of its own, at its default compression (borg's
default is not zstd: it gets zstd 3, as the others have).
"""

import os
import shutil

import servers

SECRET = "correct horse battery staple"


class Tool:
    """One tool in one folder of its own, for one run."""

    name = program = ""

    def __init__(self, folder, source, program):
        self.program = program
        self.source = source
        self.repo = os.path.join(folder, "repo")
        self.cache = os.path.join(folder, "cache")
        self.home = os.path.join(folder, "home")
        self.drive = os.path.join(folder, "drive")
        self.restored = os.path.join(folder, "restored")
        self.extra, self.options = {}, []
        for needed in (self.home, self.drive):
            os.makedirs(needed)

    def env(self):
        """Returns an environment without the user's own configuration."""
        kept = {name: os.environ[name] for name in ("PATH", "TMPDIR", "TZ") if name in os.environ}
        return kept | {"HOME": self.home, "LANG": "C.UTF-8"} | self.secret() | self.extra

    def over(self, server, port):
        """Puts the repository on a server behind a port; for S3 with its keys."""
        if server.kind == "sftp":
            self.config = server.prepare(self.home, port)
            self.repo = self.over_sftp(server, port)
        else:
            self.extra = dict(servers.KEYS)
            self.repo = self.over_s3(port)

    def forget_cache(self):
        """Makes the next command begin as on another machine."""
        shutil.rmtree(self.cache, ignore_errors=True)


class Yore(Tool):
    """Yore with a key file, as on an unattended machine: no run derives a key from a passphrase."""

    name = "yore"

    def secret(self):
        return {"YORE_CONFIG": self.home + "/config.toml", "YORE_STATE_DIR": self.home + "/state",
                "YORE_CACHE_DIR": self.cache, "YORE_KEY_FILE": self.home + "/key"}

    def _yore(self, *arguments):
        return [self.program, "--repo", self.repo, "--no-progress", *arguments]

    def init(self):
        return self._yore("init")

    def backup(self):
        return self._yore("backup", ".")

    def restore(self, target):
        return self._yore("restore", "latest", "--target", target)

    def restore_folder(self, folder, target):
        return self._yore("restore", f"latest:{self.source}/{folder}", "--target", target)

    def mount(self):
        return self._yore("mount", self.drive)

    def root(self):
        return f"{self.drive}/latest{self.source}"

    def over_sftp(self, server, port):
        return f"sftp://{server.user}@127.0.0.1:{port}{server.objects}/yore"

    def over_s3(self, port):
        return f"s3://{servers.BUCKET}/yore?endpoint=http://127.0.0.1:{port}&region=us-east-1&style=path"


class YorePassphrase(Yore):
    """Yore as its peers are measured: each run derives its key from a passphrase."""

    name = "yore (passphrase)"

    def secret(self):
        secret = super().secret()
        del secret["YORE_KEY_FILE"]
        return secret | {"YORE_PASSWORD": SECRET}


class Restic(Tool):
    name = "restic"

    def secret(self):
        return {"RESTIC_PASSWORD": SECRET}

    def _restic(self, *arguments):
        return [self.program, "-r", self.repo, "--cache-dir", self.cache, *self.options, *arguments]

    def over_sftp(self, server, port):
        self.options = ["-o", f"sftp.command=ssh -F {self.config} 127.0.0.1 -s sftp"]
        return f"sftp:127.0.0.1:{server.objects}/restic"

    def over_s3(self, port):
        return f"s3:http://127.0.0.1:{port}/{servers.BUCKET}/restic"

    def init(self):
        return self._restic("init")

    def backup(self):
        return self._restic("backup", "-q", ".")

    def restore(self, target):
        return self._restic("restore", "-q", "latest", "--target", target)

    def restore_folder(self, folder, target):
        return self._restic("restore", "-q", "latest", "--include", "/" + folder, "--target", target)

    def mount(self):
        return self._restic("mount", self.drive)

    def root(self):
        return self.drive + "/snapshots/latest"


class Rustic(Tool):
    name = "rustic"

    def secret(self):
        return {"RUSTIC_PASSWORD": SECRET}

    def _rustic(self, *arguments):
        return [self.program, "-r", self.repo, "--cache-dir", self.cache, "--no-progress", *arguments]

    def init(self):
        return self._rustic("init")

    def backup(self):
        return self._rustic("backup", ".")

    def restore(self, target):
        return self._rustic("restore", "latest", target)

    def restore_folder(self, folder, target):
        return self._rustic("restore", "latest:" + folder, target)

    def mount(self):
        return self._rustic("mount", "-e", self.drive, "latest")

    def root(self):
        return self.drive

    def over_s3(self, port):
        self.extra |= {"OPENDAL_BUCKET": servers.BUCKET, "OPENDAL_ROOT": "/rustic", "OPENDAL_ENDPOINT": f"http://127.0.0.1:{port}",
                       "OPENDAL_REGION": "us-east-1", "OPENDAL_ACCESS_KEY_ID": servers.KEYS["AWS_ACCESS_KEY_ID"],
                       "OPENDAL_SECRET_ACCESS_KEY": servers.KEYS["AWS_SECRET_ACCESS_KEY"]}
        return "opendal:s3"


class Rclone(Tool):
    """rclone, which copies files as they are: the bytes that any tool without deduplication has to send."""

    name = "rclone"

    def secret(self):
        return {"RCLONE_CONFIG": self.home + "/rclone.conf"}

    def over_sftp(self, server, port):
        return f":sftp,host=127.0.0.1,port={port},user={server.user},key_file={server.folder}/user:{server.objects}/rclone"

    def over_s3(self, port):
        return f":s3,provider=Other,env_auth=true,endpoint='http://127.0.0.1:{port}':{servers.BUCKET}/rclone"

    def init(self):
        return None

    def backup(self):
        return [self.program, "sync", ".", self.repo, "--transfers", "16", "--links", "-q"]

    def restore(self, target):
        return [self.program, "copy", self.repo, target, "--transfers", "16", "--links", "-q"]

    def mount(self):
        return [self.program, "mount", self.repo, self.drive, "--read-only"]

    def root(self):
        return self.drive


class Borg(Tool):
    name = "borg"
    made = 0

    def secret(self):
        return {"BORG_PASSPHRASE": SECRET, "BORG_BASE_DIR": self.cache}

    def _newest(self):
        return f"{self.repo}::{self.made}"

    def init(self):
        return [self.program, "init", "-e", "repokey-blake2", self.repo]

    def backup(self):
        self.made += 1
        return [self.program, "create", "-C", "zstd,3", self._newest(), "."]

    def restore(self, target):
        return self._extract(target)

    def restore_folder(self, folder, target):
        return self._extract(target, folder)

    def _extract(self, target, *paths):
        script = 'mkdir "$1" && cd "$1" && shift && exec "$@"'
        return ["sh", "-c", script, "sh", target, self.program, "extract", self._newest(), *paths]

    def mount(self):
        return [self.program, "mount", "-f", self._newest(), self.drive]

    def root(self):
        return self.drive


TOOLS = {tool.name: tool for tool in (Yore, YorePassphrase, Restic, Rustic, Borg, Rclone)}
NATIVE = "file system"
