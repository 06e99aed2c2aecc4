"""The steps of a measurement. All tools do a step before any does the next, so that changes in the machine's speed affect all."""

import json
import os
import shlex
import shutil
import subprocess
import sys

import data
import drive
import measure
from tools import NATIVE, TOOLS

FIRST, COLD, WARM, CHANGED = "first backup", "unchanged, cold", "unchanged, warm", "1 % changed"
RESTORE, READY = "restore", "mount: until it shows files"
FIND, FIND_AGAIN = "mount: find, cold", "mount: find, again"
TAR, TAR_AGAIN = "mount: tar of everything, cold", "mount: tar, again"
READ, READ_AGAIN = "mount: largest file, cold", "mount: largest file, again"
RANDOM = "mount: 2,000 random reads of 4 KiB"
COPY, RESTORE_FOLDER = "mount: cp -a of a folder", "restore of that folder"
STEPS = [FIRST, COLD, WARM, CHANGED, RESTORE, READY, FIND, FIND_AGAIN, TAR, TAR_AGAIN, READ, READ_AGAIN, RANDOM, COPY,
         RESTORE_FOLDER]
SIZE, SERVING = "repository", "serving the drive"
PLACES = 2000
HERE = os.path.dirname(os.path.abspath(__file__))


class Results:
    """All measurements: for each step and tool, one value a run."""

    def __init__(self):
        self.steps = {}
        self.sizes = {}
        self.peaks = {}
        self.commands = {}
        self.changed = 0
        self.cold = True

    def add(self, tool, step, took):
        """Keeps and prints the measurements of a step."""
        self.steps.setdefault(step, {}).setdefault(tool, []).append(took)
        shown = took.trouble or f"{took.wall:8.2f} s  cpu {took.cpu:7.2f} s  peak {took.peak:5.0f} MiB  {took.note}"
        print(f"  {tool:18} {step:34} {shown}", flush=True)

    def add_peak(self, tool, peak):
        """Keeps the peak memory of a program that served a drive."""
        self.peaks.setdefault(tool, []).append(peak)


class Run:
    """One run: all tools over a copy of the data of its own."""

    def __init__(self, folder, found, names, located, programs, results):
        self.folder, self.found, self.programs, self.results = folder, found, programs, results
        self.source = folder + "/source"
        self.tools = [TOOLS[name](f"{folder}/{name.replace(' ', '-')}", self.source, located[name]) for name in names]
        self.expected = {}
        self.env = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}

    def all(self, original):
        """Does every step."""
        subprocess.run(["cp", "-a", original, self.source], check=True)
        with open(self.folder + "/places", "w") as file:
            json.dump(self.found.places(PLACES), file)
        self.native_reads()
        for step in (self.first, self.unchanged):
            self.each(step)
        self.results.changed = data.change(self.source, self.found)
        self.each(lambda tool: self.program(tool, CHANGED, tool.backup(), self.source))
        self.native_copies()
        self.each(self.restore)
        self.native_drive()
        for step in (self.walk_drive, self.read_drive, self.look_up_drive, self.copy_out):
            self.each(step)

    def each(self, step):
        """Lets every tool do a step; one that could not make its first backup does no more."""
        for tool in list(self.tools):
            if step(tool) == "out":
                self.tools.remove(tool)

    def cold(self):
        """Empties the caches, and remembers if that could not be done."""
        self.results.cold &= measure.drop_caches()

    def program(self, tool, step, command, cwd=None):
        """Measures a command of a tool."""
        measure.settle()
        took = self.programs.run(command, tool.env(), cwd)
        self.results.add(tool.name, step, took)
        return took

    def native(self, step, script, *arguments):
        """Measures the same work on the file system itself."""
        measure.settle()
        took = self.programs.run(["sh", "-c", script, "sh", *arguments], self.env)
        self.expected[step] = took.out
        if step == RANDOM and not took.trouble:
            took.note = note_of_reads(took.out)
        self.results.add(NATIVE, step, took)
        return took

    def first(self, tool):
        """Makes the repository and the first backup."""
        took = self.programs.run(tool.init(), tool.env())
        if took.trouble:
            self.results.add(tool.name, FIRST, took)
        else:
            self.cold()
            backup = tool.backup()
            took = self.program(tool, FIRST, backup, self.source)
            self.results.commands[tool.name] = [
                shlex.join(command).replace(os.path.dirname(tool.repo) + "/", "").replace(tool.program, os.path.basename(tool.program))
                for command in (tool.init(), backup, tool.restore(tool.restored), tool.mount())]
        if took.trouble:
            print(f"  {tool.name} is left out of this run: {took.trouble}", flush=True)
            return "out"
        self.results.sizes.setdefault(tool.name, []).append(data.total(tool.repo)[1])
        return None

    def unchanged(self, tool):
        """Backs up again without changes."""
        self.cold()
        self.program(tool, COLD, tool.backup(), self.source)
        self.program(tool, WARM, tool.backup(), self.source)

    def restore(self, tool):
        """Restores everything to a new folder, and counts it."""
        self.cold()
        measure.settle()
        took = self.programs.run(tool.restore(tool.restored), tool.env())
        if not took.trouble:
            took.trouble = lacks(data.total(tool.restored), self.expected[RESTORE])
        self.results.add(tool.name, RESTORE, took)
        if os.path.isdir(tool.restored):
            data.drop_big_files(tool.restored)

    def on_drive(self, drive_, tool, steps):
        """Does steps on a drive until one fails; their output must be that of the file system itself."""
        for step, command in steps:
            measure.settle()
            took = drive_.run(command)
            if step in (FIND, FIND_AGAIN, TAR, TAR_AGAIN) and not took.trouble and took.out != self.expected[step]:
                took.trouble = f"showed {took.out or 'nothing'} where there is {self.expected[step]}"
            if step == RANDOM and not took.trouble:
                took.note = note_of_reads(took.out)
            self.results.add(tool.name, step, took)
            if took.trouble:
                return

    def session(self, tool, steps):
        """Mounts a drive with cold caches, does steps on it, unmounts it."""
        self.cold()
        with drive.mounted(self.programs, tool) as mounted:
            if FIND in dict(steps) or mounted.ready.trouble:
                self.results.add(tool.name, READY, mounted.ready)
            if not mounted.ready.trouble:
                self.on_drive(mounted, tool, steps)
                self.results.add_peak(tool.name, mounted.peak())

    def walk_drive(self, tool):
        """Lists and reads everything, twice."""
        root = tool.root() + "/."
        find, tar = ["sh", "-c", FIND_SCRIPT, "sh", root], ["sh", "-c", TAR_SCRIPT, "sh", root]
        self.session(tool, [(FIND, find), (FIND_AGAIN, find), (TAR, tar), (TAR_AGAIN, tar)])

    def read_drive(self, tool):
        """Reads one file from its beginning to its end, twice."""
        command = read_command(tool.root(), self.found.largest())
        self.session(tool, [(READ, command), (READ_AGAIN, command)])

    def look_up_drive(self, tool):
        """Reads 4 KiB in many places."""
        self.session(tool, [(RANDOM, reads_command(tool.root(), self.folder))])

    def copy_out(self, tool):
        """Copies a folder out of the drive, and restores the same folder."""
        if not self.found.folder:
            return
        copy = ["cp", "-a", f"{tool.root()}/{self.found.folder}", tool.restored + "-copied"]
        self.session(tool, [(COPY, copy)])
        self.cold()
        self.program(tool, RESTORE_FOLDER, tool.restore_folder(self.found.folder, tool.restored + "-folder"))
        for made in ("-copied", "-folder"):
            if os.path.isdir(tool.restored + made):
                data.drop_big_files(tool.restored + made)

    def native_reads(self):
        """The limits of a backup: everything read once and compressed, everything listed."""
        if shutil.which("zstd"):
            self.cold()
            took = self.native(FIRST, 'tar cf - -C "$1" . | zstd -q -3 -T0 | wc -c', self.source)
            self.results.sizes.setdefault(NATIVE, []).append(int(took.out or 0))
        self.cold()
        self.native(COLD, FIND_SCRIPT, self.source)
        self.native(WARM, FIND_SCRIPT, self.source)

    def native_copies(self):
        """The limit of a restore: a copy that is on the disk in the end."""
        copy = self.folder + "/copied"
        self.cold()
        self.native(RESTORE, 'cp -a "$1" "$2" && sync -f "$2"', self.source, copy)
        self.expected[RESTORE] = data.total(self.source)
        data.drop_big_files(copy)

    def native_drive(self):
        """The limits of the drive: the same steps on the source itself."""
        self.cold()
        for step, script in ((FIND, FIND_SCRIPT), (FIND_AGAIN, FIND_SCRIPT), (TAR, TAR_SCRIPT), (TAR_AGAIN, TAR_SCRIPT)):
            self.native(step, script, self.source + "/.")
        self.cold()
        for step in (READ, READ_AGAIN):
            self.native(step, 'exec "$@"', *read_command(self.source, self.found.largest()))
        self.cold()
        self.native(RANDOM, 'exec "$@"', *reads_command(self.source, self.folder))
        if self.found.folder:
            copy = self.folder + "/copied-folder"
            self.cold()
            took = self.native(COPY, 'exec "$@"', "cp", "-a", f"{self.source}/{self.found.folder}", copy)
            self.results.add(NATIVE, RESTORE_FOLDER, took)
            data.drop_big_files(copy)

    def drop_big_files(self):
        """Makes room for the next run."""
        data.drop_big_files(self.folder)


FIND_SCRIPT = 'find "$1" -printf "%s\\n" | wc -l'
TAR_SCRIPT = 'tar cf - -C "$1" . | wc -c'


def read_command(root, path):
    """Reads a file sequentially."""
    return ["dd", f"if={root}/{path}", "of=/dev/null", "bs=1M", "status=none"]


def reads_command(root, folder):
    """Reads at random places."""
    return [sys.executable, "-IS", os.path.join(HERE, "reads.py"), root, folder + "/places"]


def note_of_reads(printed):
    """Describes the output of `reads.py`."""
    median, slow = (printed.split() + ["?", "?"])[:2]
    return f"median {median} ms, slowest 1 % from {slow} ms"


def lacks(got, wanted):
    """Returns the difference between restored and expected (files, bytes); empty if there is none."""
    if got == tuple(wanted):
        return ""
    return f"restored {got[0]:,} files of {got[1]:,} bytes, not {wanted[0]:,} of {wanted[1]:,}"
