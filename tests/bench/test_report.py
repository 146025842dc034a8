"""What is shown of a benchmark."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest

from falconry.bench.measure import Measurement, Start
from falconry.bench.plot import Line, Texts, draw
from falconry.bench.report import Report, rows

SVG = "{http://www.w3.org/2000/svg}"
TEXTS = Texts("together", "each", "first", "users")


def measurement(users: int, speed: float | None = 10.0) -> Measurement:
    return Measurement(users, 3, 0.5, 0.9, 200.0, speed, 10.0 * users, 128)


def report(**changes: object) -> Report:
    values: dict[str, object] = {
        "model": "tiny", "title": "Tiny", "engine": "llama_cpp", "size": 2 * 10**9, "per_token": 2 * 10**9,
        "start": Start(1.0, 256, 2048, True),
        "measurements": (measurement(1), measurement(4)), "memory": 3 * 10**9, "bandwidth": 4e10,
    }  # fmt: skip
    return Report(**{**values, **changes})  # type: ignore[arg-type]


def test_the_limit_is_what_the_memory_can_bring() -> None:
    assert report().limit == 20.0
    assert report(per_token=None).limit is None
    assert report(bandwidth=None).limit is None


def test_json_holds_all_of_it() -> None:
    found = json.loads(json.dumps(report().as_json()))
    assert found["limit"] == 20.0
    assert found["start"]["prompt_tokens"] == 256
    assert [each["users"] for each in found["measurements"]] == [1, 4]


def test_a_table_has_a_row_for_each_number_of_users() -> None:
    def say(name: str, **values: object) -> str:
        return f"{values['seconds']} s" if values else name

    found = rows(report(measurements=(measurement(1), measurement(4, None))), say)
    assert [row[0] for row in found] == ["bench_users", "1", "4"]
    assert found[1] == ("1", "0.50 s", "0.90 s", "200", "10.0", "10.0")
    assert found[2][4] == "–"


def test_the_picture_shows_every_model_in_every_panel() -> None:
    lines = [
        Line("<one> & only", [measurement(1), measurement(4)], 20.0),
        Line("two", [measurement(1), measurement(4, None)], None),
    ]
    root = ElementTree.fromstring(draw(lines, TEXTS))  # noqa: S314 - our own
    panels = root.findall(f"{SVG}g")
    assert [len(panel.findall(f"{SVG}polyline")) for panel in panels] == [2, 2, 2]
    assert [len(panel.findall(f"{SVG}circle")) for panel in panels] == [4, 3, 4]
    dashed = [path for panel in panels for path in panel.findall(f"{SVG}path") if path.get("stroke-dasharray")]
    assert len(dashed) == 1
    assert "<one> & only" in {text.text for text in root.iter(f"{SVG}text")}


@pytest.mark.parametrize("together", [0.0, 0.003, 0.4, 9.99, 10.0, 123.0, 99_999.0])
def test_the_axis_holds_every_value(together: float) -> None:
    line = Line("m", [Measurement(1, 1, 0.5, 0.5, None, None, together, 1)], None)
    root = ElementTree.fromstring(draw([line], TEXTS))  # noqa: S314
    for circle in root.iter(f"{SVG}circle"):
        assert 40 <= float(circle.get("cy", "nan")) <= 40 + 220
