"""Builds the program under test and installs its peers where they are missing."""

import json
import os
import shutil
import subprocess

CLONE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DEBIAN = {"restic": ["restic"], "borg": ["borgbackup", "python3-pyfuse3"], "fusermount3": ["fuse3"]}


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
    """Where the programs of the tools are. Installs what is missing."""
    found = {}
    debian = [name for name in ("restic", "borg", "fusermount3") if not shutil.which(name)]
    from_debian([name for name in debian if name in tools or name == "fusermount3"])
    for tool in tools:
        if tool.startswith("yore"):
            found[tool] = found.get("yore") or (os.path.abspath(yore) if yore else build_yore())
        elif tool == "rustic":
            found[tool] = find_rustic(cache)
        else:
            found[tool] = shutil.which(tool)
    return found


def from_debian(programs):
    """Installs programs from Debian's packages."""
    if not programs:
        return
    packages = [package for program in programs for package in DEBIAN[program]]
    command = [] if os.geteuid() == 0 else ["sudo", "-n"]
    command += ["apt-get", "install", "-y", "-q", *packages]
    print("installing", *packages, flush=True)
    env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    try:
        failed = subprocess.run(command, env=env, stdout=subprocess.DEVNULL).returncode
    except FileNotFoundError:
        failed = True
    missing = [program for program in programs if not shutil.which(program)]
    if failed or missing:
        raise SystemExit(f"{', '.join(missing or programs)} could not be installed; install {' '.join(packages)}, "
                         "or leave tools out with --tools")


def find_rustic(cache):
    """rustic of the PATH, or of the cache folder; built from crates.io where there is none, which takes minutes."""
    root = os.path.join(cache, "rustic")
    ready = shutil.which("rustic") or shutil.which(root + "/bin/rustic")
    if ready:
        return ready
    print("building rustic from crates.io, which takes minutes", flush=True)
    command = ["cargo", "install", "--locked", "--quiet", "rustic-rs", "--features", "mount", "--root", root]
    env = {name: value for name, value in os.environ.items() if name != "CARGO_TARGET_DIR"}
    if subprocess.run(command, cwd="/", env=env).returncode:
        raise SystemExit("rustic could not be built; see above, or leave it out with --tools")
    return root + "/bin/rustic"


def version(program):
    """What a program says of its version, in its first line."""
    for argument in ("--version", "version"):
        said = subprocess.run([program, argument], capture_output=True, text=True)
        if said.returncode == 0 and said.stdout.strip():
            return said.stdout.splitlines()[0].strip()
    return "of unknown version"
