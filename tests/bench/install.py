"""Builds the program under test, and gets its peers at their newest, which stay in the cache folder:

- restic: the program in the package of Debian's unstable suite, unpacked and not installed;
- borg: from PyPI, with its mount, in a virtual environment;
- rustic: built from crates.io;
- rclone: of the system's own suite, for the measurements over distance.

Delete a tool's folder to get a newer one.
"""

import json
import os
import shutil
import subprocess

CLONE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BORG = "borgbackup[pyfuse3]==1.4.5"
BORG_NEEDS = ["python3-venv", "python3-dev", "gcc", "pkg-config", "libacl1-dev", "libssl-dev", "liblz4-dev", "libxxhash-dev",
              "libzstd-dev", "libfuse3-dev"]
UNSTABLE = """Types: deb
URIs: http://deb.debian.org/debian
Suites: unstable
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
"""


def build_yore():
    """Builds the release program. Returns where it is."""
    command = ["cargo", "build", "--release", "--locked", "-p", "yore", "--message-format", "json-render-diagnostics"]
    built = subprocess.run(command, cwd=CLONE, stdout=subprocess.PIPE, text=True)
    if built.returncode:
        raise SystemExit("yore could not be built; see above")
    messages = [json.loads(line) for line in built.stdout.splitlines() if line.startswith("{")]
    programs = [message["executable"] for message in messages
                if message.get("executable") and message["target"]["name"] == "yore"]
    if not programs:
        raise SystemExit("cargo built no program called yore")
    return programs[-1]


def find_programs(tools, cache, yore):
    """Finds the programs of the tools. Gets what is missing."""
    if not shutil.which("fusermount3"):
        from_debian(["fuse3"])
    find_peer = {"restic": find_restic, "borg": find_borg, "rustic": find_rustic, "rclone": find_rclone}
    found = {}
    for tool in tools:
        if tool.startswith("yore"):
            found[tool] = found.get("yore") or (os.path.abspath(yore) if yore else build_yore())
        else:
            found[tool] = find_peer[tool](os.path.join(cache, tool))
    return found


def must(tool, *commands, **options):
    """Runs commands that get a tool; ends the benchmark when one fails."""
    env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    # A build of this project's must not be mixed with that of another.
    env.pop("CARGO_TARGET_DIR", None)
    for command in commands:
        try:
            failed = subprocess.run(command, env=env, stdout=subprocess.DEVNULL, **options).returncode
        except FileNotFoundError as error:
            failed = error.filename + " is not there"
        if failed:
            raise SystemExit(f"{tool} could not be got: `{' '.join(command)}` ended with {failed}; leave it out with --tools")


def from_debian(packages):
    """Installs packages of the system's own Debian suite."""
    print("installing", *packages, flush=True)
    as_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    must(packages[0], [*as_root, "apt-get", "install", "-y", "-q", "--no-install-recommends", *packages])


def find_restic(folder):
    """restic of the cache folder, out of Debian's unstable suite."""
    program = folder + "/usr/bin/restic"
    if os.path.exists(program):
        return program
    print("getting restic from Debian's unstable suite", flush=True)
    state = folder + "/apt"
    for needed in ("state/lists/partial", "cache/archives/partial"):
        os.makedirs(f"{state}/{needed}", exist_ok=True)
    with open(state + "/unstable.sources", "w") as file:
        file.write(UNSTABLE)
    # Lists of its own: those of the system stay as they are.
    own = ["-o", f"Dir::Etc::sourcelist={state}/unstable.sources", "-o", "Dir::Etc::sourceparts=-", "-o", f"Dir::State={state}/state",
           "-o", f"Dir::Cache={state}/cache", "-o", "Acquire::Languages=none", "-o", "APT::Sandbox::User="]
    must("restic", ["apt-get", "-q", *own, "update"], ["apt-get", "-q", *own, "download", "restic"], cwd=folder)
    package = next(name for name in os.listdir(folder) if name.endswith(".deb"))
    must("restic", ["dpkg-deb", "-x", package, "."], cwd=folder)
    os.unlink(f"{folder}/{package}")
    shutil.rmtree(state)
    return program


def find_borg(folder):
    """borg of the cache folder, built from PyPI."""
    program = folder + "/bin/borg"
    if os.path.exists(program):
        return program
    print("building borg from PyPI, which takes minutes", flush=True)
    installed = subprocess.run(["dpkg-query", "-W", *BORG_NEEDS], capture_output=True).returncode == 0
    if not installed:
        from_debian(BORG_NEEDS)
    must("borg", ["/usr/bin/python3", "-m", "venv", folder], [folder + "/bin/pip", "install", "-q", BORG])
    return program


def find_rustic(folder):
    """rustic of the cache folder, built from crates.io."""
    program = folder + "/bin/rustic"
    if os.path.exists(program):
        return program
    print("building rustic from crates.io, which takes minutes", flush=True)
    must("rustic", ["cargo", "install", "--locked", "--quiet", "rustic-rs", "--features", "mount", "--root", folder], cwd="/")
    return program


def find_rclone(_folder):
    """rclone of the system's own Debian suite."""
    if not shutil.which("rclone"):
        from_debian(["rclone"])
    return shutil.which("rclone")


def version(program):
    """Returns the first line that a program prints about its version."""
    for argument in ("--version", "version"):
        said = subprocess.run([program, argument], capture_output=True, text=True)
        if said.returncode == 0 and said.stdout.strip():
            return said.stdout.splitlines()[0].strip()
    return "of unknown version"
