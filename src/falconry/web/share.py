"""A public address for a while: Gradio's tunnel, from one of its servers to this machine.

Everybody who has the address reaches the login page, and nothing else without a password; Falconry does not open a
tunnel while it has no users. Gradio fetches the tunnel's program, `frpc`, when it is first used.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

import httpx

from falconry.errors import FalconryError


class ShareFailed(FalconryError):
    """The tunnel could not be opened."""

    status = 503
    default_code = "share_failed"


def open_tunnel(port: int) -> tuple[str, Callable[[], None]]:
    """Open a tunnel to a port of this machine, in some seconds; gives its URL, and what closes it.

    Raises ShareFailed.
    """
    from gradio import networking, tunneling  # reaches out, so only when a person asks for it

    before = list(tunneling.CURRENT_TUNNELS)
    try:
        url = networking.setup_tunnel("127.0.0.1", port, secrets.token_urlsafe(32), None, None)
    except (OSError, RuntimeError, ValueError, httpx.HTTPError) as error:
        _close(before)
        raise ShareFailed(
            f"No public address could be opened ({type(error).__name__}). It needs the internet: try again later, or "
            "start without --share.",
            reason=type(error).__name__,
        ) from error
    return str(url), lambda: _close(before)


def _close(before: list[object]) -> None:
    """Stop the tunnels that were opened since. Gradio's own `kill` prints, so their programs are ended here."""
    from gradio import tunneling

    for tunnel in [each for each in tunneling.CURRENT_TUNNELS if each not in before]:
        tunneling.CURRENT_TUNNELS.remove(tunnel)
        process, tunnel.proc = tunnel.proc, None
        if process is not None:
            process.terminate()
            process.wait()
            for pipe in (process.stdout, process.stderr):
                if pipe is not None:
                    pipe.close()
