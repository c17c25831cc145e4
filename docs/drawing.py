"""A layered Mermaid flowchart as SVG, so that the site needs no script to show it.

Of the text are used: `subgraph`, boxes `name["title<br/>description"]`, and dotted arrows `a -.label.-> b`. Layers are
drawn from top to bottom in the order of the text, boxes of an inner subgraph side by side. Boxes outside all subgraphs
are drawn below, as what all layers use; one that a dotted arrow points to is the last row of the frame.
"""

import re
from html import escape
from typing import NamedTuple

WIDTH, ROW, GAP, MARGIN = 760, 46, 20, 14


class Box(NamedTuple):
    """A box of the flowchart."""

    name: str
    title: str
    description: str
    dashed: bool = False


def draw(mermaid: str) -> str:
    """Return a flowchart as inline SVG."""
    frame, layers, outside = _read(mermaid)
    dotted = set(re.findall(r"-\..*?\.->\s*(\w+)", mermaid))
    used = [box for box in outside if box.name not in dotted]
    aside = [box._replace(dashed=True) for box in outside if box.name in dotted]
    inner, width = MARGIN + 14, WIDTH - 2 * MARGIN
    parts, top = [], MARGIN + 18
    for i, layer in enumerate([*layers, aside] if aside else layers):
        if 0 < i < len(layers):
            parts.append(_arrow(WIDTH / 2, top - GAP, top))
        parts += _row(layer, inner, width - 28, top)
        top += ROW + GAP
    bottom = top - GAP + 12
    lower = bottom + GAP + 8
    for i in range(len(used)):
        parts.append(_arrow(MARGIN + width / len(used) * (i + 0.5), bottom, lower))
    parts += _row(used, MARGIN, width, lower)
    background = _rectangle(MARGIN, 4, width, bottom - 4, fill="var(--frame,#f3f4f9)")
    height = lower + ROW + 6
    return (
        f'<div class="drawing-frame"><svg class="drawing" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
        f'height="{height}" role="img" aria-label="Layers of {escape(frame)}" xmlns="http://www.w3.org/2000/svg" '
        f'font-family="sans-serif">{background}{_text(inner, 22, frame, anchor="start", weight="bold")}'
        f"{''.join(parts)}</svg></div>\n"
    )


def _read(mermaid: str) -> tuple[str, list[list[Box]], list[Box]]:
    """Return the name of the frame, the boxes of each of its layers, and the boxes outside it."""
    frame, layers, outside, depth = "", [], [], 0
    for line in map(str.strip, mermaid.splitlines()):
        if line.startswith("subgraph"):
            depth += 1
            if depth == 1:
                frame = line.split()[1]
            else:
                layers.append([])
        elif line == "end":
            depth -= 1
        elif found := re.match(r'(\w+)\["(.*?)<br/>(.*?)"\]', line):
            box = Box(found[1], found[2], found[3])
            if depth == 2:
                layers[-1].append(box)
            elif depth == 1:
                layers.append([box])
            else:
                outside.append(box)
    return frame, layers, outside


def _row(boxes: list[Box], left: float, width: float, top: float) -> list[str]:
    each, space = width / max(1, len(boxes)), 4 if len(boxes) > 1 else 0
    parts = []
    for i, box in enumerate(boxes):
        x, w = left + i * each + space, each - 2 * space
        size = min(12, 1.95 * w / max(1, len(box.description)))
        parts.append(_rectangle(x, top, w, ROW, fill="var(--box,#fff)", dashed=box.dashed))
        parts.append(_text(x + w / 2, top + 18, box.title, weight="bold"))
        parts.append(_text(x + w / 2, top + 36, box.description, size=size))
    return parts


def _rectangle(x: float, y: float, width: float, height: float, *, fill: str, dashed: bool = False) -> str:
    dash = ' stroke-dasharray="5 4"' if dashed else ""
    return (
        f'<rect x="{x:.0f}" y="{y}" width="{width:.0f}" height="{height}" rx="4" fill="{fill}" '
        f'stroke="var(--line,#5b6172)"{dash}/>'
    )


def _text(x: float, y: float, text: str, *, anchor: str = "middle", weight: str = "normal", size: float = 13) -> str:
    return (
        f'<text x="{x:.0f}" y="{y}" text-anchor="{anchor}" font-weight="{weight}" font-size="{size:.1f}" '
        f'fill="var(--ink,#1a1c24)">{escape(text)}</text>'
    )


def _arrow(x: float, start: float, end: float) -> str:
    return (
        f'<path d="M{x:.0f} {start} V{end - 2} m-4 -6 l4 6 l4 -6" fill="none" stroke="var(--line,#5b6172)" '
        f'stroke-width="1.5"/>'
    )
