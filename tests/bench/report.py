"""Turns measurements into RESULTS.md: one table for each data set and machine, and what misses its bar.

What is written by hand below `### What limits` stays when the section is measured again.
"""

import datetime
import os
import re
import shlex
import statistics
import sys

import bars
import steps
import table
from machine import BUSY
from tools import NATIVE

NOTES = "### What limits"
HEAD = f"""# How fast it is

Measured side by side by `tests/bench/run`, on the same data in the same run. `tests/bench/run --write` writes a section for each
data set and machine, and replaces the one with the same heading; the notes under "What limits" are written by hand and kept.

Seconds are medians of all runs. "Cold" steps, first backups and restores begin with empty caches of the kernel. *File system* is
the same work without a backup tool: tar and zstd -3 for a backup, cp -a and sync for a restore, the same command on the source for
the drive. *Best peer* tells how many times as long the fastest peer takes as yore (bar: ≥ {bars.PEERS:g}), *of it* how many times as
long yore takes as the file system, *cores* how many cores yore kept busy. Yore is measured with a key file; with a passphrase, as
its peers are, each command derives the key first. Peaks below 15 MiB are those of the small process that starts each program.
The command lines are in `tools.py`, the bars in `bars.py`.
"""


class Section:
    """The results for one data set on one machine."""

    def __init__(self, chosen, found, machine, versions, given, results):
        self.chosen, self.found, self.machine, self.versions = chosen, found, dict(machine), versions
        self.given, self.results = given, results
        self.tools = given.tools
        self.peers = [name for name in given.tools if not name.startswith("yore")]
        self.missed = []

    def title(self):
        """The heading that this section is found again by."""
        cores = self.given.cores or os.cpu_count()
        return f"## {self.chosen.name}: {cores} cores of {self.machine['processor'].split(',')[0]}, {self.machine['memory']}"

    def text(self):
        """The part that is written by the benchmark, as Markdown that is readable as it is."""
        rows = [*self.times(), *self.peaks(), self.sizes()]
        parts = [self.title(), self.about(), table.of(rows), self.troubles()]
        return "\n\n".join(part for part in parts if part)

    def about(self):
        """What was measured, on what, with what, by which command."""
        found = self.found
        # Where files are on the machine is of no interest.
        arguments = [os.path.basename(word) if word.startswith("/") else word for word in sys.argv[1:]]
        command = " ".join(["tests/bench/run", *map(shlex.quote, arguments)])
        warnings = []
        if not self.results.cold:
            warnings.append("**Not cold:** the kernel's caches could not be emptied (this needs root); steps that say \"cold\" were warm.")
        if float(self.machine[BUSY].split()[0]) > 0.2:
            warnings.append("**Busy:** other programs were running; measure again when the machine is quiet.")
        lines = [f"{datetime.date.today()}, `{command}`; runs: {self.given.runs}.",
                 f"{self.chosen.says[0].upper()}{self.chosen.says[1:]}: {len(found.files):,} files, {found.bytes / 1e6:,.1f} MB; the "
                 f"1 % changed are {self.results.changed:,} files, the folder copied and restored is `{found.folder or 'none'}`.",
                 f"Processor {self.machine['processor']}; {self.machine['system']}; {self.machine['file system']}.",
                 f"Versions: {', '.join(version for _, version in self.versions)}."]
        return "\n\n".join([*warnings, "\n".join(lines)])

    def times(self):
        """A row for each step."""
        yield ["", *self.tools, NATIVE, "best peer", "of it", "bar", "cores"]
        for step in (step for step in steps.STEPS if step in self.results.steps):
            own, native, bar = self.middle(step, "yore"), self.middle(step, NATIVE), bars.file_system(step)
            cores = f"{self.middle(step, 'yore', 'cpu') / own:.1f}" if own else "–"
            share = own / native if own and native else None
            yield [step + ", s", *(self.cell(step, tool) for tool in [*self.tools, NATIVE]),
                   self.ahead(step, self.best(lambda tool, step=step: self.middle(step, tool)), own),
                   f"{share:.2f} ×" if share else "–", self.bar(step, share, bar, "×"), cores]

    def peaks(self):
        """A row for each peak of memory."""
        for step in (steps.FIRST, steps.WARM, steps.RESTORE, steps.SERVING):
            own = self.peak(step, "yore")
            yield [f"peak of {step}, MiB", *(table.whole(self.peak(step, tool)) for tool in self.tools), "–",
                   ratio(self.best(lambda tool, step=step: self.peak(step, tool)), own), "–",
                   self.bar(f"peak of {step}", own, bars.peak(self.chosen, step), "MiB"), "–"]

    def sizes(self):
        """The row of the repository's size; of the file system it is the size of a tar with zstd -3."""
        own = self.size("yore")
        return [f"{steps.SIZE}, MB", *(table.tenths(self.size(tool)) for tool in [*self.tools, NATIVE]),
                ratio(self.best(self.size), own), "–", self.bar(steps.SIZE, own, bars.size(self.chosen), "MB"), "–"]

    def middle(self, step, tool, field="wall"):
        """The median of the runs of a step that went well."""
        values = [getattr(took, field) for took in self.results.steps.get(step, {}).get(tool, []) if not took.trouble]
        return statistics.median(values) if values else None

    def peak(self, step, tool):
        """The highest peak of all runs."""
        if step == steps.SERVING:
            return max(self.results.peaks.get(tool, []), default=None)
        return max((one.peak for one in self.results.steps.get(step, {}).get(tool, []) if not one.trouble), default=None)

    def size(self, tool):
        """What the repository takes after the first backup, in MB."""
        sizes = self.results.sizes.get(tool)
        return statistics.median(sizes) / 1e6 if sizes else None

    def best(self, value):
        """The smallest of the peers' values."""
        return min((found for found in map(value, self.peers) if found is not None), default=None)

    def cell(self, step, tool):
        """A time, or why there is none."""
        took = self.results.steps.get(step, {}).get(tool, [])
        value = self.middle(step, tool)
        if value is not None:
            lost = sum(1 for one in took if one.trouble)
            return table.seconds(value) + (f" ({lost} of {len(took)} failed)" if lost else "")
        if not took:
            return "–"
        return "> " + table.seconds(self.given.step_s) if took[0].trouble.startswith("ended at") else "failed"

    def ahead(self, step, peer, own):
        """How far the best peer is behind; remembers what is below the bar."""
        if peer is not None and own and peer < bars.PEERS * own:
            self.missed.append(f"{step}: {peer / own:.1f} × the best peer, not {bars.PEERS:g} ×")
        return ratio(peer, own)

    def bar(self, what, own, bar, unit):
        """A bar; remembers what misses it."""
        if bar is None:
            return ""
        if own is not None and own > bar:
            self.missed.append(f"{what}: {own:.3g} {unit}, not {bar:g} {unit}" + (" the file system" if unit == "×" else ""))
            return f"≤ {bar:g} {unit} **missed**"
        return f"≤ {bar:g} {unit}"

    def troubles(self):
        """What misses its bar, and what went wrong, in words. Filled while the rows are made."""
        failed = dict.fromkeys(f"{tool}, {step}: {took.trouble}" for step, tools in self.results.steps.items()
                               for tool, all_took in tools.items() for took in all_took if took.trouble)
        notes = {took.note: None for took in self.results.steps.get(steps.RANDOM, {}).get("yore", []) if took.note}
        lines = [f"* Missed: {line}." for line in self.missed] + [f"* Failed: {line}." for line in failed]
        return "\n".join(lines + [f"* Random reads of yore: {note}." for note in list(notes)[-1:]])

    def readme(self):
        """The table of the page at the root, which tells the essence of one data set."""
        tools = [tool for tool in self.tools if "passphrase" not in tool]
        rows = [["", *(plain_version(said) for tool, said in self.versions)]]
        for step, said in README_ROWS:
            rows.append([said, *(self.cell(step, tool) for tool in tools)])
        rows.append(["size of the repository, MB", *(table.tenths(self.size(tool)) for tool in tools)])
        both = [[table.whole(self.peak(step, tool)) for step in (steps.FIRST, steps.SERVING)] for tool in tools]
        rows.append(["peak memory of a backup / of the drive, MiB", *(" / ".join(peaks) for peaks in both)])
        return table.of(rows)

    def write(self, path):
        """Puts the section into the file, in place of the one with the same heading, whose notes are kept."""
        old = HEAD
        if os.path.exists(path):
            with open(path) as file:
                old = file.read()
        sections = old.split("\n## ")[1:]
        mine = self.text().removeprefix("## ")
        heading = mine.split("\n", 1)[0]
        same = [number for number, section in enumerate(sections) if section.split("\n", 1)[0] == heading]
        if same:
            _, _, notes = sections[same[0]].partition(NOTES)
            sections[same[0]] = mine + (f"\n\n{NOTES}{notes}" if notes else "")
        else:
            sections.append(mine)
        whole_file = "\n\n## ".join(part.strip("\n") for part in [HEAD, *sections]) + "\n"
        with open(path + ".new", "w") as file:
            file.write(whole_file)
        os.replace(path + ".new", path)
        print(f"written to {path}", flush=True)


README_ROWS = [(steps.FIRST, "first backup"), (steps.WARM, "again, nothing changed"), (steps.RESTORE, "restore everything"),
               (steps.FIND, "drive: list every file"), (steps.TAR, "drive: read every file"),
               (steps.TAR_AGAIN, "drive: read every file again")]


def plain_version(said):
    """The name and the first two numbers of a version."""
    found = re.match(r"(\S+) v?(\d+\.\d+)", said)
    return "yore" if said.startswith("yore") else f"{found[1]} {found[2]}" if found else said


def ratio(peer, own):
    """How many times as much the best peer needs."""
    return f"{peer / own:.1f} ×" if peer is not None and own else "–"
