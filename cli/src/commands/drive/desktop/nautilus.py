"""Adds "Previous versions" to the menus of Nautilus; needs nautilus-python.

Of a person: written by `yore desktop install`, taken away by `yore desktop remove`. Of everybody: by a package.
"""

import subprocess

from gi.repository import GObject, Nautilus

YORE = @YORE@


class PreviousVersions(GObject.GObject, Nautilus.MenuProvider):
    def get_file_items(self, *arguments):
        # Before version 4 of its interface, Nautilus gives its window first.
        files = arguments[-1]
        return self.items("Files", files[0]) if len(files) == 1 else []

    def get_background_items(self, *arguments):
        return self.items("Background", arguments[-1])

    def items(self, menu, file):
        path = file.get_location().get_path()
        if path is None:
            return []
        item = Nautilus.MenuItem(
            # Nautilus takes items of one name for one item, also in different menus.
            name="Yore::PreviousVersions" + menu,
            label="Previous versions",
            tip="Open what the backups have of it",
            icon="document-open-recent",
        )
        item.connect("activate", lambda _: subprocess.Popen([YORE, "desktop", "open", "--", path]))
        return [item]
