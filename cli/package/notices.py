"""Prints the licences of what the program contains: of each crate that is linked into it on this system.

A text that several have is printed once. A crate that brings no text has the name of its licence.
"""

import json
import pathlib
import subprocess

NAMES = ("licen", "copying", "notice", "unlicense", "copyright")


def metadata():
    host = subprocess.run(["rustc", "-vV"], check=True, capture_output=True, text=True).stdout
    host = next(line.split()[1] for line in host.splitlines() if line.startswith("host:"))
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", host]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def linked(found):
    """Returns the packages that the program is built of; those that only build it are none of them."""
    nodes = {node["id"]: node for node in found["resolve"]["nodes"]}
    packages = {package["id"]: package for package in found["packages"]}
    open_ends = [key for key, package in packages.items() if package["name"] == "yore"]
    seen = set()
    while open_ends:
        key = open_ends.pop()
        if key in seen:
            continue
        seen.add(key)
        for dependency in nodes[key]["deps"]:
            if any(kind["kind"] is None for kind in dependency["dep_kinds"]):
                open_ends.append(dependency["pkg"])
    others = (packages[key] for key in seen if packages[key]["source"])
    return sorted(others, key=lambda package: (package["name"], package["version"]))


def texts(package):
    """Returns the files of licences of a package, and of the sources in C that it brings."""
    folder = pathlib.Path(package["manifest_path"]).parent
    files = [*folder.glob("*"), *folder.glob("*/LICEN*"), *folder.glob("*/COPYING*")]
    return sorted({file for file in files if file.is_file() and file.name.lower().startswith(NAMES)})


def main():
    known = set()
    for package in linked(metadata()):
        authors = ", ".join(package["authors"])
        print("=" * 100)
        print(f"{package['name']} {package['version']}: {package['license'] or 'see below'}")
        print(f"Of {authors or 'its authors'}, {package['repository'] or 'crates.io'}\n")
        found = texts(package)
        if not found:
            print("It brings no text of its licence.\n")
        for file in found:
            text = file.read_text(errors="replace").strip()
            if text in known:
                print(f"{file.name}: as above.\n")
                continue
            known.add(text)
            print(f"{file.name}:\n\n{text}\n")


if __name__ == "__main__":
    main()
