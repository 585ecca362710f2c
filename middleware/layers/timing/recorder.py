"""The times and metrics of one request. Part of Timing."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from middleware.layers.timing.server_timing import duration_fault, metric_fault
from middleware.wsgi.measurement import Measurement

SAID: Final[tuple[()]] = ()  # the metrics of a recorder whose whole time has been sent


class Recorder:
    """`environ["middleware.timing"]`: takes metrics of the application until its headers are sent."""

    __slots__ = (
        "claimed",
        "exposed",
        "marks",
        "measurement",
        "metrics",
        "ns",
        "outer",
        "seconds",
        "start",
        "status",
    )

    clock: Callable[[], float]  # a class attribute, one for each Timing, so that no request sets it
    ns: int  # when the request was received, in nanoseconds
    start: float  # when the request was received, in seconds by the clock of the Timing
    # None: the whole time is the only metric; SAID: it was sent. The other attributes exist only if this is a list.
    metrics: list[tuple[str, float, str | None]] | tuple[()] | None
    outer: "Recorder | None"  # of an outer Timing
    claimed: int | None  # the id of the measured response, or None before there is one
    marks: dict[tuple[int, str], float]  # (number of a probe, "in" or "out") -> time
    status: str | None
    seconds: float | None
    exposed: bool  # whether the header is sent
    measurement: Measurement  # of the request, if it is reported

    def add(self, name: str, seconds: float, description: str | None = None) -> None:
        """Add a metric. ValueError if the name is not a token, or the time is negative or not finite."""
        fault = metric_fault(name, description) or duration_fault(seconds)
        if fault is not None:
            raise ValueError(fault)
        self.more().append((name, seconds, description))

    def more(self) -> list[tuple[str, float, str | None]]:
        """Create the attributes that an ordinary request does not need; return the list of metrics."""
        metrics = self.metrics
        if not isinstance(metrics, list):
            self.claimed = None if metrics is None else 0
            self.metrics = metrics = []
            self.marks = {}
            self.exposed = True
            if hasattr(self, "ns"):
                self.start = self.ns / 1e9
            self.outer = self.status = self.seconds = None
        return metrics

    @property
    def running(self) -> bool:
        """Whether its response is still to come."""
        return self.metrics is None or (isinstance(self.metrics, list) and self.claimed is None)

    @contextmanager
    def measure(self, name: str, description: str | None = None) -> Iterator[None]:
        """Add the duration of the `with` block, even if the block raises. ValueError as for `add`."""
        if (fault := metric_fault(name, description)) is not None:
            raise ValueError(fault)
        start = self.clock()
        try:
            yield
        finally:
            self.add(name, max(self.clock() - start, 0.0), description)

    def own(self, kind: "type[Recorder]", response: object) -> "Recorder | None":
        """Return the recorder of one Timing (`kind`) for the response. An error may have left inner recorders open."""
        recorder: Recorder | None = self
        while recorder is not None:
            said = recorder.metrics is SAID
            recorder.more()
            if said:  # the head of a response with only the whole time is replaced
                recorder.claimed = id(response)
            if type(recorder) is kind and recorder.claimed in (None, id(response)):
                recorder.claimed = id(response)
                return recorder
            recorder = recorder.outer
        return None

    def layers(self, names: Sequence[str], now: float) -> Iterator[tuple[str, float, None]]:
        """Yield the time spent in each layer that the request met, without the layers inside it."""
        marks = {**self.marks, (0, "in"): self.start, (0, "out"): now}
        for index, name in enumerate(names):
            came, went = marks.get((index, "in")), marks.get((index, "out"))
            if came is None or went is None:
                return
            further, back = marks.get((index + 1, "in"), went), marks.get((index + 1, "out"), went)
            yield name, max(further - came + went - back, 0.0), None


class Running:
    """The recorders of one Timing in one request, innermost last: several if the Timing is nested in itself."""

    __slots__ = ("recorders",)

    def __init__(self, recorders: list[Recorder]) -> None:
        self.recorders = recorders


def recorders(clock: Callable[[], float]) -> type[Recorder]:
    """Return the class of the recorders of one Timing."""
    return type("Recorder", (Recorder,), {"__slots__": (), "clock": staticmethod(clock)})


def running(found: Iterable[Recorder | None]) -> list[Recorder]:
    """The recorders whose response is still to come."""
    return [recorder for recorder in found if recorder is not None and recorder.running]
