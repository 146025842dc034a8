"""THE DOOR AT THE TERMINAL: one verb per file, each imported only when it is asked for.

Nothing heavy is imported here: `falconry --version` answers in a tenth of a second.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from falconry.cli.terminal import Terminal
from falconry.errors import FalconryError

CANNOT = 1  # exit status: Falconry understood and could not
MISUSE = 2  # exit status: the command line is wrong
INTERRUPTED = 130  # exit status: Ctrl-C, as shells have it


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command line and exit with its status. Errors become one sentence in the terminal's language."""
    terminal = Terminal()
    sys.exit(_run(list(sys.argv[1:] if arguments is None else arguments), terminal))


def _run(arguments: list[str], terminal: Terminal) -> int:
    import click  # 50 ms, after the Ctrl-C handler of the caller is in place

    from falconry.cli.verbs import Falconry, usage_sentence

    try:
        status = Falconry().main(arguments, prog_name="falconry", standalone_mode=False, obj=terminal)
    except click.UsageError as error:
        terminal.complain(usage_sentence(error, terminal.language))
        return MISUSE
    except FalconryError as error:
        if terminal.debug:
            raise
        terminal.complain(terminal.error(error.as_dict()))
        return CANNOT
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    return status if isinstance(status, int) else 0
