"""Turns measurements into tables: medians, ratios to the best peer and to the bars, and what limits."""

import datetime
import os
import shlex
import statistics
import sys

import bars
import steps
from machine import BUSY
from tools import NATIVE

HEAD = """# How fast it is

Measured side by side by `tests/bench/run`, on the same data in the same run; nothing here is copied from elsewhere. Sections are
written by `tests/bench/run --write`, which replaces the section of the same name.

Seconds, medians of all runs. *Best peer* tells how many times as long the fastest peer takes as yore. *Bar* is the design's, and
how much of it yore needs (1.00 just reaches it). *File system* is the limit: the same work without any backup tool (tar and
zstd -3 for a backup, cp -a and sync for a restore, the source itself for the drive). "Cold" steps, first backups and restores
begin with empty caches of the kernel. Peaks below 15 MiB are those of the small process that starts each program.
"""


class Section:
    """The results for one data set."""

    def __init__(self, chosen, found, machine, versions, given, results):
        self.chosen, self.found, self.machine, self.versions = chosen, found, machine, versions
        self.given, self.results = given, results
        self.tools = given.tools
        self.peers = [name for name in given.tools if not name.startswith("yore")]

    def title(self):
        """The heading that this section is found again by."""
        cores = f", {self.given.cores} cores" if self.given.cores else ""
        return f"## {self.chosen.name}{cores}"

    def text(self):
        """The whole section, as Markdown that is readable as it is."""
        parts = [self.title(), self.about(), "### Time, in seconds", self.times(), "### Peak memory, in MiB", self.peaks(),
                 "### Size, in MB", self.sizes(), self.limits(), self.failures(), self.commands()]
        return "\n\n".join(part for part in parts if part) + "\n"

    def about(self):
        """What was measured, on what, with what, by which command."""
        found = self.found
        command = " ".join(["tests/bench/run", *map(shlex.quote, sys.argv[1:])])
        lines = [f"{datetime.date.today()}. {self.chosen.says.capitalize()}: {len(found.files):,} files, {found.bytes / 1e6:,.1f} MB. "
                 f"The 1 % changed: {self.results.changed:,} files. The folder copied and restored: `{found.folder or 'none'}`. "
                 f"Runs: {self.given.runs}.", "", f"    {command}", ""]
        if not self.results.cold:
            lines[:0] = ["**Not cold:** the kernel's caches could not be emptied (this needs root); steps that say \"cold\" were warm.", ""]
        if float(dict(self.machine)[BUSY].split()[0]) > 0.2:
            lines[:0] = ["**Busy:** other programs were running; measure again when the machine is quiet.", ""]
        lines += [f"- {name}: {value}" for name, value in self.machine + self.versions]
        return "\n".join(lines)

    def middle(self, step, tool, field="wall"):
        """The median of the runs of a step that went well."""
        values = [getattr(took, field) for took in self.results.steps.get(step, {}).get(tool, []) if not took.trouble]
        return statistics.median(values) if values else None

    def cell(self, step, tool):
        """A time, or why there is none."""
        took = self.results.steps.get(step, {}).get(tool, [])
        value = self.middle(step, tool)
        if value is not None:
            lost = sum(1 for one in took if one.trouble)
            return seconds(value) + (f" ({lost} of {len(took)} failed)" if lost else "")
        if not took:
            return "–"
        return "> " + seconds(self.given.step_s) if took[0].trouble.startswith("ended at") else "failed"

    def bar(self, step):
        """The bar of a step."""
        return bars.seconds(self.chosen, step, self.middle(step, NATIVE), self.middle(steps.RESTORE_FOLDER, "yore"))

    def times(self):
        """All steps of all tools."""
        rows = [["step", *self.tools, NATIVE, "best peer", "bar"]]
        for step in (step for step in steps.STEPS if step in self.results.steps):
            own = self.middle(step, "yore")
            rows.append([step, *(self.cell(step, tool) for tool in [*self.tools, NATIVE]),
                         ratio(self.best(lambda tool, step=step: self.middle(step, tool)), own),
                         reached(self.bar(step), own, seconds)])
        return table(rows)

    def best(self, value):
        """The smallest of the peers' values."""
        return min((found for found in map(value, self.peers) if found is not None), default=None)

    def peak(self, step, tool):
        """The highest peak of all runs."""
        if step == steps.SERVING:
            return max(self.results.peaks.get(tool, []), default=None)
        took = [one.peak for one in self.results.steps.get(step, {}).get(tool, []) if not one.trouble]
        return max(took, default=None)

    def peaks(self):
        """What the programs needed of memory at most."""
        rows = [["step", *self.tools, "best peer", "bar"]]
        for step in (steps.FIRST, steps.WARM, steps.RESTORE, steps.SERVING):
            own = self.peak(step, "yore")
            rows.append([step, *(whole(self.peak(step, tool)) for tool in self.tools),
                         ratio(self.best(lambda tool, step=step: self.peak(step, tool)), own),
                         reached(bars.peak(self.chosen, step), own, whole)])
        return table(rows)

    def size(self, tool):
        """What the repository takes after the first backup, in MB."""
        sizes = self.results.sizes.get(tool)
        return statistics.median(sizes) / 1e6 if sizes else None

    def sizes(self):
        """The sizes of the repositories."""
        tools = [tool for tool in self.tools if "passphrase" not in tool]
        own = self.size("yore")
        return table([["", *tools, "tar, zstd -3", "best peer", "bar"],
                      [steps.SIZE, *(tenths(self.size(tool)) for tool in [*tools, NATIVE]),
                       ratio(self.best(self.size), own), reached(bars.size(self.chosen), own, tenths)]])

    def limits(self):
        """For each step of yore: how far it is from the file system, and how many cores it kept busy."""
        cores = len(os.sched_getaffinity(0))
        rows = [["step of yore", "times the file system", "cores busy", "note"]]
        for step in (step for step in steps.STEPS if self.middle(step, "yore")):
            own, native = self.middle(step, "yore"), self.middle(step, NATIVE)
            missed = self.bar(step) and own > self.bar(step)
            rows.append([step, f"{own / native:.2f}" if native else "–", f"{self.middle(step, 'yore', 'cpu') / own:.1f} of {cores}",
                         "; ".join(filter(None, [f"bar missed by {own - self.bar(step):.2f} s" if missed else "",
                                                 self.results.steps[step]["yore"][-1].note]))])
        if len(rows) == 1:
            return ""
        return "### What limits\n\n" + table(rows) + ("\n\nAll cores busy: computing limits. Fewer: waiting does, for the disk, for the kernel or, on the drive, "
                              "for the program that reads it.")

    def failures(self):
        """What went wrong, in words."""
        said = [f"- {tool}, {step}: {took.trouble}" for step, tools in self.results.steps.items()
                for tool, all_took in tools.items() for took in all_took if took.trouble]
        return "### What did not end well\n\n" + "\n".join(dict.fromkeys(said)) if said else ""

    def commands(self):
        """What each tool was told to do, without the folder in which it all was."""
        lines = [line for tool in self.tools if "passphrase" not in tool for line in self.results.commands.get(tool, [])]
        return "### What was typed\n\n" + "\n".join("    " + line for line in lines) if lines else ""

    def write(self, path):
        """Puts the section into the file, in place of the section of the same name."""
        old = HEAD
        if os.path.exists(path):
            with open(path) as file:
                old = file.read()
        before, *sections = ("\n" + old).split("\n## ")
        mine = self.text().removeprefix("## ").rstrip("\n")
        names = [section.split("\n", 1)[0] for section in sections]
        if self.title().removeprefix("## ") in names:
            sections[names.index(self.title().removeprefix("## "))] = mine
        else:
            sections.append(mine)
        whole_file = "\n\n## ".join(part.strip("\n") for part in [before, *sections]) + "\n"
        with open(path + ".new", "w") as file:
            file.write(whole_file)
        os.replace(path + ".new", path)
        print(f"written to {path}", flush=True)


def seconds(value):
    """A time, as exact as it means something."""
    return "–" if value is None else f"{value:.3f}" if value < 0.1 else f"{value:.2f}" if value < 100 else f"{value:.0f}"


def whole(value):
    return "–" if value is None else f"{value:.0f}"


def tenths(value):
    return "–" if value is None else f"{value:.1f}"


def ratio(peer, own):
    """How many times as much the best peer needs."""
    return f"{peer / own:.1f} ×" if peer is not None and own else "–"


def reached(bar, own, shown):
    """The bar, and how much of it is needed."""
    if bar is None:
        return ""
    return f"≤ {shown(bar)}" + (f": {own / bar:.2f}{'' if own <= bar else ' **missed**'}" if own is not None else "")


def table(rows):
    """A Markdown table whose columns line up: words to the left, numbers to the right."""
    rows = [[str(cell) for cell in row] for row in rows]
    widths = [max(3, *(len(row[column]) for row in rows)) for column in range(len(rows[0]))]
    def line(row):
        return "| " + " | ".join(cell.ljust(width) if not at else cell.rjust(width)
                                 for at, (cell, width) in enumerate(zip(row, widths))) + " |"
    rule = "|" + "|".join("-" * (width + 2) if not at else "-" * (width + 1) + ":" for at, width in enumerate(widths)) + "|"
    return "\n".join([line(rows[0]), rule, *map(line, rows[1:])])
