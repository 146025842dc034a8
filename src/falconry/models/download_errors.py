"""What goes wrong when a model is fetched, said once: which host or file, what happened, what to do.

    DownloadFailed
      TemporaryFailure     the same request may go well later: fetching goes on by itself, a few times

No sentence holds a URL's query, which may be a signature, or a token.
"""

from __future__ import annotations

from falconry.errors import DownloadFailed, DownloadNotFound, InvalidRequest, NotAllowed, NotFound


class TemporaryFailure(DownloadFailed):
    """Worth another try. `retry_after` is in seconds, None where the server did not say."""

    def __init__(
        self, message: str, *, code: str, retry_after: float | None = None, **details: str | int | float
    ) -> None:
        super().__init__(message, code=code, **details)
        self.retry_after = retry_after


# What was asked for


def bad_reference(wanted: str) -> InvalidRequest:
    return InvalidRequest(
        f"“{wanted}” names no model. Write a name from the catalogue, org/name as on the hub, org/name:Q4_K_M, "
        "org/name/file.gguf, or the https:// URL of one of these.",
        code="bad_model_reference",
        wanted=wanted,
    )


def not_in_catalogue(name: str) -> NotFound:
    return NotFound(
        f"There is no “{name}” in the catalogue. See falconry models catalog, or name a model of the hub: org/name.",
        code="not_in_catalogue",
        name=name,
    )


def host_not_allowed(host: str) -> NotAllowed:
    return NotAllowed(
        f"Models are not fetched from {host}. Only the hub is asked, and hosts that the setting download_hosts names.",
        code="host_not_allowed",
        host=host,
    )


def nothing_usable(repo: str, found: str) -> NotFound:
    return NotFound(
        f"{repo} has no model that Falconry can run: no GGUF file, and no folder of safetensors with its config.json. "
        f"What is there: {found}.",
        code="no_usable_files",
        repo=repo,
        found=found,
    )


def no_such_quantization(repo: str, quantization: str, available: str) -> NotFound:
    return NotFound(
        f"{repo} has no {quantization}. There is: {available}.",
        code="no_such_quantization",
        repo=repo,
        quantization=quantization,
        available=available,
    )


def no_such_file(repo: str, file: str, available: str) -> NotFound:
    return NotFound(
        f"{repo} has no file {file} that Falconry can run. There is: {available}.",
        code="no_such_file",
        repo=repo,
        file=file,
        available=available,
    )


def parts_missing(repo: str, file: str) -> NotFound:
    return NotFound(
        f"{repo} has not all parts of {file}, so it cannot be used. Choose another quantisation or repository.",
        code="parts_missing",
        repo=repo,
        file=file,
    )


def unsafe_name(repo: str, file: str) -> DownloadFailed:
    return DownloadFailed(
        f"{repo} has a file whose name Falconry does not write to a disk: {file!r}. Choose another repository.",
        code="unsafe_file_name",
        repo=repo,
        file=file,
    )


# What the hub says


def offline() -> NotAllowed:
    return NotAllowed(
        "HF_HUB_OFFLINE is set, so nothing is fetched. Unset it to get models.",
        code="hub_offline",
    )


def not_found(repo: str, host: str) -> NotFound:
    return NotFound(
        f"{host} has no {repo}, or it is private. Check the name; for a private one set HF_TOKEN to a token that may "
        "read it.",
        code="hub_not_found",
        repo=repo,
        host=host,
    )


def gated(repo: str, page: str) -> NotAllowed:
    return NotAllowed(
        f"{repo} is given only to those who accept its licence. Log in and accept it at {page}, make a token at "
        "https://huggingface.co/settings/tokens, set HF_TOKEN to it and try again.",
        code="hub_gated",
        repo=repo,
        page=page,
    )


def token_refused(host: str) -> NotAllowed:
    return NotAllowed(
        f"{host} does not accept the token. Set HF_TOKEN to one that is valid, or unset it for public models.",
        code="hub_token_refused",
        host=host,
    )


def refused(host: str, status: int) -> DownloadFailed:
    return DownloadFailed(
        f"{host} refuses the download (HTTP {status}). Try again later, or get the model elsewhere.",
        code="hub_refused",
        host=host,
        status=status,
    )


def link_refused(host: str, status: int) -> TemporaryFailure:
    """A store that the hub led us to says no: its links are signed for some minutes, and the next one may be good."""
    return TemporaryFailure(
        f"{host} refuses the download (HTTP {status}). Try again later, or get the model elsewhere.",
        code="hub_refused",
        host=host,
        status=status,
    )


def busy(host: str, retry_after: float | None) -> TemporaryFailure:
    return TemporaryFailure(
        f"{host} has had too many requests from here (HTTP 429). Try again in some minutes; with HF_TOKEN set it "
        "allows more.",
        code="hub_busy",
        retry_after=retry_after,
        host=host,
    )


def broken_server(host: str, status: int, retry_after: float | None) -> TemporaryFailure:
    return TemporaryFailure(
        f"{host} has a problem of its own (HTTP {status}). Try again later.",
        code="hub_broken",
        retry_after=retry_after,
        host=host,
        status=status,
    )


def nonsense(host: str) -> DownloadFailed:
    return DownloadFailed(
        f"{host} does not answer as a model hub does. Check HF_ENDPOINT.",
        code="hub_nonsense",
        host=host,
    )


# The network


def unreachable(host: str, reason: str) -> TemporaryFailure:
    return TemporaryFailure(
        f"{host} cannot be reached: {reason}. Check the network; HF_ENDPOINT names a mirror where there is one.",
        code="hub_unreachable",
        host=host,
        reason=reason,
    )


def stalled(host: str, seconds: float) -> TemporaryFailure:
    return TemporaryFailure(
        f"{host} has sent nothing for {seconds:.0f} s. What is there already is kept; try again later.",
        code="download_stalled",
        host=host,
        seconds=round(seconds),
    )


def broken_off(host: str) -> TemporaryFailure:
    return TemporaryFailure(
        f"{host} has broken off the connection. What is there already is kept; try again.",
        code="download_broken_off",
        host=host,
    )


def address_refused(host: str) -> DownloadFailed:
    return DownloadFailed(
        f"{host} is an address in a private network, to which no download may lead. If it is yours, name it in the "
        "setting download_hosts.",
        code="address_refused",
        host=host,
    )


def bad_redirect(host: str) -> DownloadFailed:
    return DownloadFailed(
        f"{host} leads on to an address that is no https:// URL. Nothing was fetched from there.",
        code="bad_redirect",
        host=host,
    )


def too_many_redirects(host: str) -> DownloadFailed:
    return DownloadFailed(
        f"{host} leads on and on from one address to the next. Try again later, or get the model elsewhere.",
        code="too_many_redirects",
        host=host,
    )


# What arrives


def no_length(host: str, file: str) -> DownloadFailed:
    return DownloadFailed(
        f"{host} does not say how large {file} is, so it is not fetched.", code="no_length", host=host, file=file
    )


def wrong_length(file: str, expected: int, told: int | str) -> DownloadFailed:
    return DownloadFailed(
        f"{file} should have {expected} bytes and comes with {told}. Try again later, or get the model elsewhere.",
        code="wrong_length",
        file=file,
        expected=expected,
        told=told,
    )


def wrong_content(file: str) -> DownloadFailed:
    return DownloadFailed(
        f"{file} has arrived with other content than the hub announces, so it was thrown away. Try again; if it "
        "happens again, something between here and the hub changes what it sends.",
        code="wrong_content",
        file=file,
    )


def not_a_model(host: str, file: str) -> DownloadFailed:
    return DownloadFailed(
        f"{host} sends something else in place of {file}: most likely a web page that asks you to log in. Open the "
        "page in a browser, or get the model elsewhere.",
        code="not_a_model",
        host=host,
        file=file,
    )


# Our side


def cannot_write(file: str, reason: str) -> DownloadFailed:
    return DownloadFailed(
        f"{file} cannot be written: {reason}. Check the folder that models_dir names.",
        code="cannot_write",
        file=file,
        reason=reason,
    )


def download_not_found(download_id: str) -> DownloadNotFound:
    return DownloadNotFound("There is no such download, or it has been removed from the list.", id=download_id)


def unexpected(title: str) -> DownloadFailed:
    return DownloadFailed(
        f"{title} could not be fetched because of an error in Falconry. The log tells more.",
        code="download_error",
        title=title,
    )
