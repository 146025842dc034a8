"""`falconry complete`: one raw prompt in, its continuation to stdout. Nothing is stored."""

from __future__ import annotations

import asyncio
import sys
from contextlib import aclosing

import click

from falconry.cli.configure import LOCAL_MODELS, load_settings, problem, settings_flags
from falconry.cli.log import configure_logging
from falconry.cli.sampling import sampling_flags, sampling_params
from falconry.cli.terminal import Terminal, printable
from falconry.cli.verbs import Verb
from falconry.messages import SamplingParams
from falconry.settings import Settings

DEFAULT_TOKENS = 256


@click.command("complete", cls=Verb)
@click.argument("prompt")
@settings_flags("model", *LOCAL_MODELS)
@sampling_flags
@click.pass_obj
def command(
    terminal: Terminal,
    /,
    prompt: str,
    debug: bool,
    max_tokens: int | None,
    temperature: float | None,
    stop: tuple[str, ...],
    seed: int | None,
    **flags: str | None,
) -> None:
    params = sampling_params(
        terminal, max_tokens=max_tokens, temperature=temperature, stop=stop, seed=seed, default_tokens=DEFAULT_TOKENS
    )
    settings = load_settings(terminal, debug=debug, **flags)
    configure_logging("debug" if debug else settings.log_level, settings.log_format)
    text = sys.stdin.read() if prompt == "-" else prompt
    if not text:
        raise problem(terminal, "empty_prompt")
    asyncio.run(_complete(settings, text, params))


async def _complete(settings: Settings, prompt: str, params: SamplingParams) -> None:
    """Stream to stdout. Ctrl-C cancels this, and leaving the generator stops the work."""
    from falconry.engines.shelf import chosen_pool  # not needed for --help

    to_person = sys.stdout.isatty()
    pool = chosen_pool(settings)
    try:
        async with pool.engine() as engine, aclosing(engine.generate(prompt, params)) as deltas:
            async for delta in deltas:
                sys.stdout.write(printable(delta.text) if to_person else delta.text)
                sys.stdout.flush()
    finally:
        if to_person:
            print()
        await pool.aclose()
