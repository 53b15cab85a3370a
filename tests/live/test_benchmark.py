"""The benchmark of workers in `make bench`. Its results are in docs/benchmarks.md."""

from __future__ import annotations

import pytest

from benchmarks.worker import FIGURES, main


@pytest.mark.usefixtures("redis_server")
def test_a_worker_is_measured_against_one_with_celerys_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--pairs", "1", "--tasks", "300", "--brokers", "redis", "--pools", "threads"])

    head, _, *rows = capsys.readouterr().out.splitlines()
    figures = [dict(zip(head.split(" | "), row.split(" | "), strict=True)) for row in rows]
    assert [row["figure"] for row in figures] == [*FIGURES, *FIGURES]  # for each baseline
    assert all(float(row["baseline value"]) > 0 and float(row["generated"]) > 0 for row in figures)
