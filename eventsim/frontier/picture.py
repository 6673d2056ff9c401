"""The picture of a front: accuracy against one axis of cost, as SVG for a page.

Matplotlib draws the picture, and the page contains it as SVG elements, not as an image. Each point
is a link to its first run. Its name appears under the mouse, also without JavaScript.
"""

from collections.abc import Mapping
from xml.etree import ElementTree

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from eventsim.experiment.statistics import Summary
from eventsim.frontier.measure import ACCURACY
from eventsim.frontier.points import Frontier, Key, Kind, Point
from eventsim.plot import style
from eventsim.plot.style import BLUE, INK, MUTED, ORANGE

POINT = "point-"  # begins the ids of points in the picture, before their number
PJ_PER_UJ = 1e6
# Marker, and colour of what is on no front.
_FORMS: Mapping[Kind, tuple[str, str]] = {"exact": ("o", ""), "grid": ("s", ORANGE)}
MISFIT = "X"  # the marker of what does not fit on the chip, or was not checked
MIDDLE = 0.6  # of the width: names of points further right stand on their left
WIDE = 4.0  # an axis over a wider range is logarithmic


def draw(frontier: Frontier, axis: Key) -> Figure:
    """Accuracy against that axis; call it inside :func:`eventsim.plot.style.look`.

    A dot is a condition: the mean over its seeds with their standard deviation. The line joins the
    dots on the front. A square is the fixed-step counterpart. A cross does not fit on the chip of
    the axis, or was not checked.
    """
    drawn = style.figure(9.0, 5.0)
    axes = drawn.subplots()
    scale = 1.0 / PJ_PER_UJ if axis.startswith("energy") else 1.0
    shown = [point for point in frontier.points if axis in point.summary]
    front = [point for point in shown if axis in point.front]
    for number, point in enumerate(frontier.points):
        if point in shown:
            _draw_point(axes, number, frontier, axis, scale)
    line = sorted((_centre(point, axis, scale) for point in front), key=lambda at: at[0])
    axes.plot([x for x, _ in line], [y for _, y in line], color=BLUE, linewidth=1.2, zorder=1)
    costs = [_centre(point, axis, scale)[0] for point in shown]
    if costs and min(costs) > 0.0 and max(costs) > WIDE * min(costs):
        axes.set_xscale("log")
    unit = " (µJ)" if axis.startswith("energy") else ""
    bound = "; a lower bound" if any(point.lacks(axis) for point in shown) else ""
    axes.set_xlabel(frontier.axes[axis] + unit + bound)
    axes.set_ylabel(f"accuracy on {frontier.data} (%)")
    axes.margins(0.08)
    if axes.get_xscale() == "log":
        style.log_scale(axes)
    style.grid(axes, axis="both")
    for point in shown:
        misfit = frontier.misfit(point, axis)
        if misfit is not None or axis in point.front or not point.is_exact:
            title = point.title if misfit is None else f"{point.title} ({misfit.state})"
            _write(axes, title, _centre(point, axis, scale))
    return drawn


def _centre(point: Point, axis: Key, scale: float) -> tuple[float, float]:
    return scale * point.summary[axis].mean, 100.0 * point.summary[ACCURACY].mean


def _draw_point(axes: Axes, number: int, frontier: Frontier, axis: Key, scale: float) -> None:
    point = frontier.points[number]
    x, y = _centre(point, axis, scale)
    on = axis in point.front
    marker, beside = _FORMS[point.kind]
    marker = marker if frontier.misfit(point, axis) is None else MISFIT
    colour = beside or (BLUE if on else MUTED)
    axes.errorbar(
        x, y, fmt="none", color=colour, elinewidth=0.8, alpha=0.6, zorder=2,
        xerr=_spread(point.summary[axis], scale), yerr=_spread(point.summary[ACCURACY], 100.0),
    )  # fmt: skip
    for run in point.runs:
        cost, accuracy = run.numbers[axis], run.numbers[ACCURACY]
        assert cost is not None
        assert accuracy is not None
        axes.plot(scale * cost, 100.0 * accuracy, ".", color=colour, ms=3, alpha=0.5, zorder=2)
    dot = axes.scatter([x], [y], marker=marker, s=44, zorder=3, facecolor=colour if on else "white",
                       edgecolor=colour, linewidth=1.6)  # fmt: skip
    dot.set_gid(f"{POINT}{number}")


def _write(axes: Axes, title: str, at: tuple[float, float]) -> None:
    """Write a title beside a point, on the side where there is room."""
    x, _ = axes.transLimits.transform(axes.transScale.transform(at))
    left = x > MIDDLE
    text = axes.annotate(
        title, at, (-7 if left else 7, -10), textcoords="offset points", fontsize=7,
        color=INK, ha="right" if left else "left",
    )  # fmt: skip
    text.set_in_layout(False)


def _spread(found: Summary, scale: float) -> float | None:
    return None if found.deviation is None else scale * found.deviation


def inline_svg(frontier: Frontier, axis: Key, *, name: str) -> str:
    """The picture of :func:`draw` as an element of a page; ``name`` begins all ids inside."""
    with style.look(), rc_context({"svg.fonttype": "none"}):
        root = ElementTree.fromstring(style.svg(draw(frontier, axis)))
    _plain(root, name)
    for number, point in enumerate(frontier.points):
        _link(root, f"{name}-{POINT}{number}", number, point)
    root.set("role", "img")
    root.set("aria-label", f"Accuracy against {frontier.axes[axis]}; the table has the numbers.")
    root.set("width", "100%")
    del root.attrib["height"]
    return ElementTree.tostring(root, encoding="unicode")


def _plain(root: ElementTree.Element, name: str) -> None:
    """Without name spaces, descriptions and clipping; ids begin with ``name``."""
    for above in list(root.iter()):
        for below in list(above):
            kind = below.tag.rpartition("}")[2]
            if kind in ("metadata", "clipPath"):
                above.remove(below)
    for one in root.iter():
        one.tag = one.tag.rpartition("}")[2]
        one.attrib = {
            key.rpartition("}")[2]: _renamed(key.rpartition("}")[2], value, name)
            for key, value in one.attrib.items()
            if key != "clip-path"
        }


def _renamed(key: str, value: str, name: str) -> str:
    if key == "id":
        return f"{name}-{value}"
    return f"#{name}-{value[1:]}" if key == "href" else value


def _link(root: ElementTree.Element, place: str, number: int, point: Point) -> None:
    """Put a point into a link to its first run, with its name as the tip of the browser."""
    for above in root.iter():
        for at, below in enumerate(list(above)):
            if below.get("id") == place:
                link = ElementTree.Element(
                    "a", {"href": point.runs[0].link, "data-point": str(number)}
                )
                ElementTree.SubElement(link, "title").text = point.title
                above[at] = link
                link.append(below)
                return
