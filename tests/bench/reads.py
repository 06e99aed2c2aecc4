"""Reads 4 KiB at each of many places below a folder, as a program that looks things up does: open, read, close.

    reads.py FOLDER PLACES          PLACES: a JSON list of [path below FOLDER, offset]; prints the median and the slowest 1 %, in ms
"""

import json
import os
import sys
import time


def main():
    root, places = sys.argv[1], json.load(open(sys.argv[2]))
    took = []
    for path, offset in places:
        begin = time.perf_counter()
        file = os.open(os.path.join(root, path), os.O_RDONLY)
        os.pread(file, 4096, offset)
        os.close(file)
        took.append(time.perf_counter() - begin)
    took.sort()
    print(f"{took[len(took) // 2] * 1000:.2f} {took[len(took) * 99 // 100] * 1000:.2f}")


main()
