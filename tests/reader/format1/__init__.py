"""The reader of format version 1, in parts; "§" refers to sections of engine/FORMAT.md."""
