"""Markdown tables that line up, and numbers as exact as they mean something."""


def of(rows):
    """A table: words to the left, numbers to the right. The first row is its head."""
    rows = [[str(cell) for cell in row] for row in rows]
    widths = [max(3, *(len(row[column]) for row in rows)) for column in range(len(rows[0]))]

    def line(row):
        return "| " + " | ".join(cell.ljust(width) if not at else cell.rjust(width)
                                 for at, (cell, width) in enumerate(zip(row, widths))) + " |"

    rule = "|" + "|".join("-" * (width + 2) if not at else "-" * (width + 1) + ":" for at, width in enumerate(widths)) + "|"
    return "\n".join([line(rows[0]), rule, *map(line, rows[1:])])


def seconds(value):
    return "–" if value is None else f"{value:.3f}" if value < 0.1 else f"{value:.2f}" if value < 100 else f"{value:.0f}"


def whole(value):
    return "–" if value is None else f"{value:.0f}"


def tenths(value):
    return "–" if value is None else f"{value:.1f}"
