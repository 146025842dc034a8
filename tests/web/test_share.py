"""A public address: Gradio's tunnel, with a program of ours in the place of `frpc`."""

from __future__ import annotations

from pathlib import Path

import pytest
from gradio import tunneling

from falconry.web.share import ShareFailed, open_tunnel

WORKS = '#!/bin/sh\necho "$@" > "$0.args"\necho "start proxy success: https://0123abcd.gradio.live"\nexec sleep 600\n'
REFUSED = '#!/bin/sh\necho "login to server failed: no"\n'


@pytest.fixture
def frpc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    program = tmp_path / "frpc"
    monkeypatch.setattr(tunneling, "BINARY_PATH", str(program))
    monkeypatch.setattr("gradio.networking.GRADIO_SHARE_SERVER_ADDRESS", "127.0.0.1:7000")
    return program


def install(program: Path, text: str) -> None:
    program.write_text(text)
    program.chmod(0o700)


def test_a_tunnel_leads_to_our_port_and_is_closed_again(frpc: Path) -> None:
    install(frpc, WORKS)
    url, close = open_tunnel(7860)
    assert url == "https://0123abcd.gradio.live"
    arguments = Path(f"{frpc}.args").read_text()
    assert "-l 7860 -i 127.0.0.1" in arguments
    close()
    assert tunneling.CURRENT_TUNNELS == []


def test_a_tunnel_that_is_refused_says_so(frpc: Path, capfd: pytest.CaptureFixture[str]) -> None:
    install(frpc, REFUSED)
    with pytest.raises(ShareFailed, match="start without --share"):
        open_tunnel(7860)
    assert tunneling.CURRENT_TUNNELS == []
    capfd.readouterr()
