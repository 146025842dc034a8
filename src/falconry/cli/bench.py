"""`falconry bench`: how fast models answer here, alone and with several users, as table, JSON and picture."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from falconry.cli.configure import LOCAL_MODELS, load_settings, problem, settings_flags
from falconry.cli.log import configure_logging
from falconry.cli.tables import aligned, short_size
from falconry.cli.terminal import Terminal, printable
from falconry.cli.verbs import Number, Verb
from falconry.errors import FalconryError
from falconry.settings import Settings

if TYPE_CHECKING:
    from falconry.bench.measure import Plan
    from falconry.bench.report import Report
    from falconry.engines.pool import EnginePool

MOST_USERS = 256


class Users(click.ParamType[Any]):
    """Numbers of users, separated by commas."""

    name = "users"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        each = Number(1, MOST_USERS, whole=True)
        return tuple(dict.fromkeys(int(each.convert(part.strip(), param, ctx)) for part in str(value).split(",")))


@click.command("bench", cls=Verb)
@click.argument("models", nargs=-1)
@settings_flags("model", *LOCAL_MODELS)
@click.option("--users", type=Users(), default="1,4", metavar="N,…")
@click.option("--prompt-tokens", type=Number(32, 100_000, whole=True), default=256, metavar="N")
@click.option("--tokens", type=Number(8, 100_000, whole=True), default=128, metavar="N")
@click.option("--rounds", type=Number(1, 1000, whole=True), default=3, metavar="N")
@click.option("--json", "as_json", is_flag=True)
@click.option("--plot", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False))
@click.pass_obj
def command(
    terminal: Terminal,
    /,
    models: tuple[str, ...],
    debug: bool,
    users: tuple[int, ...],
    prompt_tokens: int,
    tokens: int,
    rounds: int,
    as_json: bool,
    plot: Path | None,
    **flags: str | None,
) -> int:
    from falconry.bench.measure import Plan  # not needed for --help

    settings = load_settings(terminal, debug=debug, **flags)
    configure_logging("debug" if debug else "error", settings.log_format)
    plan = Plan(users, prompt_tokens, tokens, rounds)
    if plot is not None and not plot.absolute().parent.is_dir():
        raise problem(terminal, "bench_no_folder", path=str(plot))
    reports, failed = asyncio.run(_all(settings, terminal, models, plan, quiet=as_json))
    if as_json:
        found = {"plan": asdict(plan), "models": [report.as_json() for report in reports], "failed": failed}
        print(json.dumps(found, ensure_ascii=False, indent=2))
    if plot is not None and reports:
        plot.write_text(_picture(reports, terminal), encoding="utf-8")
        terminal.note("bench_plotted", path=plot)
    return 1 if failed else 0


async def _all(
    settings: Settings, terminal: Terminal, names: tuple[str, ...], plan: Plan, *, quiet: bool
) -> tuple[list[Report], list[dict[str, object]]]:
    """One model after the other, each shown as soon as it is known. One that fails does not end the others."""
    from falconry.engines.shelf import whole_pool
    from falconry.models.machine import measure_bandwidth

    bandwidth = await asyncio.to_thread(measure_bandwidth)
    reports: list[Report] = []
    failed: list[dict[str, object]] = []
    pool = await asyncio.to_thread(whole_pool, settings)
    wanted = [pool.resolve(name) for name in names] or [_named(pool)]
    await pool.aclose()
    for model in dict.fromkeys(wanted):
        if sys.stderr.isatty():
            terminal.note("bench_running", model=model)
        try:
            report = await _one(settings, model, plan, bandwidth)
        except FalconryError as error:
            failed.append({"model": model, **error.as_dict()})
            terminal.complain(f"{model}: {terminal.error(error.as_dict())}")
            continue
        reports.append(report)
        if not quiet:
            print(printable(_table(report, terminal)) + "\n", flush=True)
    return reports, failed


def _named(pool: EnginePool) -> str:
    """The model that the settings name, even if it is not there: figures of another one would be taken for its own."""
    missing = (model.name for model in pool.models() if model.engine == "missing")
    return next(missing, None) or pool.resolve(None)


async def _one(settings: Settings, model: str, plan: Plan, bandwidth: float | None) -> Report:
    from falconry.bench.measure import Measurement, Start, measure
    from falconry.bench.report import Report
    from falconry.engines.shelf import whole_pool
    from falconry.figures import engine_memory

    pool = await asyncio.to_thread(whole_pool, settings)  # its own, so that its children are this model's
    try:
        about = next(each for each in pool.models() if each.name == model)
        found = [each async for each in measure(pool, model, plan)]
        memory = engine_memory() if about.size else None
        per_token = _bytes_per_token(pool, model)
    finally:
        await pool.aclose()
    start = next(each for each in found if isinstance(each, Start))
    measured = tuple(each for each in found if isinstance(each, Measurement))
    local = bandwidth if about.size else None
    return Report(model, about.title, about.engine, about.size, per_token, start, measured, memory, local)


def _bytes_per_token(pool: EnginePool, model: str) -> int | None:
    """Of the model whose weights it has; None where they are not a file of ours."""
    from falconry.models.gguf import read_header
    from falconry.models.speed import bytes_per_token

    spec = pool.spec(model)
    spec = pool.spec(spec.base) if spec.base else spec
    return bytes_per_token(read_header(spec.path)) if spec.kind == "llama_cpp" and spec.path else None


def _table(report: Report, terminal: Terminal) -> str:
    from falconry.bench.report import rows

    say = terminal.text
    about = [report.engine]
    if report.size:
        about.append(say("bench_size", size=short_size(report.size)))
    if report.memory:
        about.append(say("bench_memory", size=short_size(report.memory)))
    if report.start.load_seconds is not None:
        about.append(say("bench_loaded", seconds=f"{report.start.load_seconds:.1f}"))
    lines = [f"{report.title} · {' · '.join(about)}"]
    lines.append(say("bench_lengths", prompt=report.start.prompt_tokens, reply=f"{report.reply_tokens:.0f}"))
    lines.append(aligned(rows(report, say)))
    if drafted := sum(measured.drafted for measured in report.measurements):
        accepted = sum(measured.accepted for measured in report.measurements)
        lines.append(say("bench_drafted", drafted=drafted, accepted=accepted))
    if report.limit and report.bandwidth:
        alone = next((m.speed for m in report.measurements if m.users == 1), None)
        lines.append(say("bench_limit", bandwidth=f"{report.bandwidth / 1e9:.1f}", limit=f"{report.limit:.0f}"))
        if alone is not None:
            lines.append(say("bench_share", share=f"{alone / report.limit:.0%}"))
    return "\n".join(lines)


def _picture(reports: list[Report], terminal: Terminal) -> str:
    from falconry.bench.plot import Line, Texts, draw

    texts = Texts(**{name: terminal.text(f"bench_plot_{name}") for name in ("together", "each", "first", "users")})
    return draw([Line(_legend(report, terminal), report.measurements, report.limit) for report in reports], texts)


def _legend(report: Report, terminal: Terminal) -> str:
    if report.limit is None:
        return report.title
    return terminal.text("bench_plot_model", model=report.title, limit=f"{report.limit:.0f}")
