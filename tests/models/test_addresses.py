"""Where a download may lead."""

from __future__ import annotations

import pytest

from falconry.errors import DownloadFailed
from falconry.models.addresses import is_public, look_up, public_addresses
from falconry.models.download_errors import TemporaryFailure


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        ("127.0.0.1", False),
        ("::1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("ff02::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::a00:1", False),
        ("64:ff9b::5db8:d822", True),
        ("2002:7f00:1::", False),
        ("::127.0.0.1", False),
        ("fec0::1", False),
        ("64:ff9b:1::a00:1", False),
    ],
)
def test_public_addresses(address: str, public: bool) -> None:
    assert is_public(address) is public


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1", "0x7f000001", "2130706433"])
async def test_this_machine_is_refused_however_it_is_written(host: str) -> None:
    with pytest.raises(DownloadFailed, match="private network"):
        await public_addresses(host, 443)


async def test_a_name_that_nobody_knows() -> None:
    with pytest.raises(TemporaryFailure, match="cannot be reached"):
        await look_up("no-such-host.invalid", 443)
