"""What functions print becomes metrics."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chalicelib import telemetry
from lab.cloudwatch.metrics import embedded, reader, records


def line(**values: float) -> str:
    directive = {
        "Namespace": "EmqElb",
        "Dimensions": [["LoadBalancer"]],
        "Metrics": [{"Name": name} for name in values],
    }
    return json.dumps(
        {
            "_aws": {"Timestamp": 1_700_000_000_000, "CloudWatchMetrics": [directive]},
            "LoadBalancer": "demo",
            **values,
        }
    )


def test_a_line_of_the_format_is_its_metrics_and_no_other_line_is() -> None:
    (first, second) = embedded(line(ProbeSuccess=1, ProbeTcpTime=2.5))
    assert (first.namespace, first.name, first.dimensions) == (
        "EmqElb",
        "ProbeSuccess",
        (("LoadBalancer", "demo"),),
    )
    assert (second.name, second.value) == ("ProbeTcpTime", 2.5)
    assert embedded('{"message": "probe"}') == []


def test_a_metric_may_have_several_values() -> None:
    several = line(ProbeSuccess=1).replace('"ProbeSuccess": 1', '"ProbeSuccess": [1, 0]')
    assert [one.value for one in embedded(several)] == [1, 0]


def test_what_the_app_emits_is_read(capsys: object) -> None:
    telemetry.emit("demo", ProbeSuccess=0)
    printed = capsys.readouterr().out  # type: ignore[attr-defined] # pytest's
    assert [(one.name, one.value) for one in embedded(printed)] == [("ProbeSuccess", 0)]


def test_a_log_that_grows_is_read_on_by_whole_lines(tmp_path: Path) -> None:
    log = tmp_path / "functions.log"
    read = reader(log)
    assert read() == []
    half, rest = line(ProbeSuccess=1)[:20], line(ProbeSuccess=1)[20:]
    log.write_text(f"something else\n{half}")
    assert read() == []
    log.write_text(f"something else\n{half}{rest}\n")
    assert [one.value for one in read()] == [1]
    assert read() == []


@pytest.mark.parametrize("between", ["", "Traceback (most recent call last):", "{", '{"half": ', "}"])
def test_functions_that_print_at_once_lose_nothing(between: str) -> None:
    mixed = line(ProbeSuccess=1) + between + line(ProbeSuccess=0) + '{"message": "probe"}'
    assert [one.value for one in embedded(mixed)] == [1, 0]
    assert [one.get("message") for one in records(mixed)][-1] == "probe"
