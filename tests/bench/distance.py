"""The steps over distance: backup, restore and drive through a link, with what each sends over it."""

import datetime
import os
import statistics
import subprocess

import data
import drive
import install
import measure
import servers
import steps
import table
from tools import TOOLS

DISTANT = ("30 ms, 100 Mbit/s", 15, 100)
UNSHAPED = ("unshaped", 0, 0)
FIRST, AGAIN, RESTORE = "first backup", "unchanged", "restore"
LIST, READ = "mount: ls -lR", "mount: largest file"
STEPS = [FIRST, AGAIN, RESTORE, LIST, READ]
DEFAULT_TOOLS = "yore,restic,rustic,rclone"
SPEAKS = {"yore": ("sftp", "s3"), "restic": ("sftp", "s3"), "rustic": ("s3",), "rclone": ("sftp", "s3")}


def build_link():
    """Builds the program that carries connections."""
    built = subprocess.run(["cargo", "build", "--release", "--locked", "-p", "yore-tests", "--bin", "link"], cwd=install.CLONE)
    if built.returncode:
        raise SystemExit("the link could not be built; see above")
    target = os.environ.get("CARGO_TARGET_DIR") or os.path.join(install.CLONE, "target")
    return os.path.join(target, "release", "link")


class Distance:
    """All measurements over all links."""

    def __init__(self, given, located, programs, work):
        self.given, self.located, self.programs, self.work = given, located, programs, work
        self.took, self.sent, self.troubles = {}, {}, []

    def measure(self, chosen):
        """Measures every tool over every server and link."""
        carry = os.path.abspath(self.given.link) if self.given.link else build_link()
        found = data.survey(chosen.path)
        for number in range(self.given.runs):
            for name, delay, mbit in (DISTANT, UNSHAPED):
                folder = f"{self.work}/link-{number}-{delay}"
                os.makedirs(folder)
                for server in (servers.Sshd(self.programs, self.made(folder, "sshd")),
                               servers.Moto(self.programs, folder + "/moto", self.given.cache)):
                    for tool in self.given.tools:
                        if server.kind in SPEAKS.get(tool, ()):
                            link = servers.Link(carry, server, delay, mbit)
                            try:
                                self.all_steps(name, tool, server, link, f"{folder}/{tool}-{server.kind}", chosen, found)
                            finally:
                                link.close()
                    self.programs.stop(server.child)
        print(self.text(chosen, found), flush=True)

    @staticmethod
    def made(folder, name):
        """Makes a folder in another."""
        path = f"{folder}/{name}"
        os.makedirs(path)
        return path

    def all_steps(self, link_name, tool_name, server, link, folder, chosen, found):
        """Does every step of one tool through one link, until one fails."""
        source = chosen.path
        tool = TOOLS[tool_name](folder, source, self.located[tool_name])
        tool.over(server, link.port)
        key = (link_name, f"{tool_name}, {server.kind}")
        if tool.init():
            trouble = self.programs.run(tool.init(), tool.env()).trouble
            if trouble:
                self.troubles.append(f"{', '.join(key)}, init: {trouble}")
                return
        for step, command in ((FIRST, tool.backup), (AGAIN, tool.backup)):
            if not self.step(key, step, link, lambda command=command: self.programs.run(command(), tool.env(), source)):
                return
        measure.drop_caches()
        tool.forget_cache()
        self.step(key, RESTORE, link, lambda: self.programs.run(tool.restore(tool.restored), tool.env()))
        data.drop_big_files(tool.restored) if os.path.isdir(tool.restored) else None
        tool.forget_cache()
        before = link.counts()
        with drive.mounted(self.programs, tool) as mounted:
            if mounted.ready.trouble:
                self.troubles.append(f"{', '.join(key)}, mount: {mounted.ready.trouble}")
                return
            listing = ["sh", "-c", 'ls -lR "$1" | wc -l', "sh", tool.root() + "/."]
            self.step(key, LIST, link, lambda: mounted.run(listing), before)
            self.step(key, READ, link, lambda: mounted.run(steps.read_command(tool.root(), found.largest())))

    def step(self, key, step, link, run, before=None):
        """Measures one step and what went through the link."""
        measure.settle()
        before = before or link.counts()
        took, sent = run(), link.counts().since(before)
        if took.trouble:
            self.troubles.append(f"{', '.join(key)}, {step}: {took.trouble}")
        else:
            self.took.setdefault(key, {}).setdefault(step, []).append(took.wall)
            self.sent.setdefault(key, {}).setdefault(step, []).append(sent)
        print(f"  {key[0]:18} {key[1]:14} {step:20} {took.trouble or f'{took.wall:7.2f} s'}  {sent.connections} connections, "
              f"{sent.trips} round trips, {sent.up / 1e6:.1f} MB up, {sent.down / 1e6:.1f} MB down", flush=True)
        return not took.trouble

    def text(self, chosen, found):
        """The results as Markdown: times, then what was sent."""
        versions = [install.version(self.located[name]) for name in self.given.tools]
        parts = [f"## link: {chosen.name}", f"{datetime.date.today()}; runs: {self.given.runs}; {len(found.files):,} files, "
                 f"{found.bytes / 1e6:,.1f} MB. Versions: {', '.join(versions)}."]
        for link, delay, mbit in (DISTANT, UNSHAPED):
            keys = [key for key in self.took if key[0] == link]
            if not keys:
                continue
            rows = [[link, *(key[1] for key in keys)]]
            rows += [[step + ", s", *(table.seconds(self.middle(key, step)) for key in keys)] for step in STEPS]
            if mbit:
                rows += [[f"{step}: share of the link", *(self.share(key, step, mbit) for key in keys)] for step in (FIRST, RESTORE)]
            for said, part in (("round trips", "trips"), ("connections", "connections")):
                rows += [[f"{step}: {said}", *(self.count(key, step, part) for key in keys)] for step in (AGAIN, LIST)]
            rows += [[f"{step}, MB", *(self.megabytes(key, step) for key in keys)] for step in STEPS]
            parts.append(table.of(rows))
        return "\n\n".join(parts + ["\n".join(f"* Failed: {line}." for line in self.troubles)])

    def middle(self, key, step):
        """The median of a step's times."""
        values = self.took[key].get(step)
        return statistics.median(values) if values else None

    def count(self, key, step, part):
        """The median of a count."""
        values = self.sent[key].get(step)
        return table.whole(statistics.median(getattr(sent, part) for sent in values)) if values else "–"

    def megabytes(self, key, step):
        """What went over the link in both directions."""
        values = self.sent[key].get(step)
        return table.tenths(statistics.median(sent.up + sent.down for sent in values) / 1e6) if values else "–"

    def share(self, key, step, mbit):
        """The part of the link's rate that a step used, in the direction in which it sent more."""
        took, sent = self.middle(key, step), self.sent[key].get(step)
        if not took:
            return "–"
        most = statistics.median(max(one.up, one.down) for one in sent)
        return f"{most * 8 / took / mbit / 1e4:.0f} %"
