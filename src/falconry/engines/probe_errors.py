"""Why an endpoint cannot be used, from everything that it answered: the one sentence that helps most."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from falconry.engines import endpoint_errors as errors
from falconry.engines.endpoint_errors import Place, Refused
from falconry.engines.endpoint_url import Place as Where
from falconry.errors import EngineError, EngineUnavailable, FalconryError

FINAL = frozenset({"endpoint_key_refused", "endpoint_key_missing", "endpoint_key_of_another", "engine_overloaded"})
"""Codes that say all there is to say: asking in another way would not help."""

_MOST_NAMES = 12

# How the keys of some services begin; somebody who has several keys mixes them up.
_KEYS: tuple[tuple[str, str, str], ...] = (
    ("hf_", "Hugging Face", "huggingface"),
    ("sk-or-", "OpenRouter", "openrouter"),
    ("sk-ant-", "Anthropic", "anthropic"),
    ("sk-proj-", "OpenAI", "openai"),
    ("gsk_", "Groq", "groq"),
    ("AIza", "Google", "google"),
    ("xai-", "xAI", "x.ai"),
)


def explain(
    values: Mapping[str, object], failures: Mapping[str, Refused | FalconryError], where: Where, *, keyed: bool
) -> FalconryError:
    """The error for a place of which nothing is known, by what it answered to all that was asked."""
    place = Place(urlsplit(where.origin).netloc)
    lists = [f"{base}/models" for base in where.bases]
    ordered = [failures[url] for url in [*lists, *failures] if url in failures]
    refusals = [failure for failure in ordered if isinstance(failure, Refused)]
    for statuses in ((401, 403), (429,), (503,)):
        for refused in refusals:
            if refused.status in statuses:
                return refusal(place, refused, keyed=keyed)
    for refused in refusals:
        if refused.status >= 500 or refused.location:
            return errors.refused(place, refused)
    for url in lists:
        silent = failures.get(url)
        if isinstance(silent, FalconryError) and silent.code == "endpoint_silent":
            return silent  # that other routes are missing tells nothing, where this one has not answered
    if values:
        return _not_a_model_server(place)
    told = [failure for failure in ordered if not isinstance(failure, Refused)]
    if any(failure.details.get("reason") == "a web page" for failure in told):
        return _web_page(place)
    if any(failure.code == "endpoint_nonsense" for failure in told):
        return _not_a_model_server(place)
    if refusals:
        return _wrong_path(place, lists, refusals[0].status)
    return told[0] if told else errors.unreachable(place, "no answer")


def refusal(place: Place, refused: Refused, *, keyed: bool) -> FalconryError:
    """A refusal, where a key is missing told as such."""
    if refused.status in (401, 403) and not keyed:
        return EngineError(
            f"{place.host} wants a key (HTTP {refused.status}). Get one from its operator or its web page.",
            code="endpoint_key_missing",
            host=place.host,
            status=refused.status,
            reason=refused.failure.message,
        )
    return errors.refused(place, refused)


def foreign_key(error: FalconryError, host: str, key: str) -> FalconryError:
    """The error for a refused key that looks like another service's; otherwise the error itself."""
    if error.code != "endpoint_key_refused":
        return error
    for prefix, service, name in _KEYS:
        if key.startswith(prefix) and name not in host:
            return EngineError(
                f"{host} refuses the key, which looks like one of {service}. Give the key of this server.",
                code="endpoint_key_of_another",
                host=host,
                service=service,
            )
    return error


def is_certificate(failures: Mapping[str, Refused | FalconryError]) -> bool:
    return any(isinstance(each, FalconryError) and each.code == "endpoint_certificate" for each in failures.values())


def unknown_model(place: Place, model: str, there: list[str]) -> EngineError:
    names = ", ".join(there[:_MOST_NAMES]) + (", …" if len(there) > _MOST_NAMES else "")
    return EngineError(
        f"{place.host} has no model named {model}. It has: {names}.",
        code="endpoint_models_there",
        host=place.host,
        model=model,
        models=names,
    )


def no_models(place: Place) -> EngineError:
    return EngineError(
        f"{place.host} answers, but lists no model that chats. Load or fetch one there, or name one yourself.",
        code="endpoint_no_models",
        host=place.host,
    )


def no_chat(place: Place) -> EngineError:
    return EngineError(
        f"{place.host} serves a model that embeds or ranks texts, and cannot chat. Give another server.",
        code="endpoint_no_chat",
        host=place.host,
    )


def slow(place: Place, seconds: float) -> EngineUnavailable:
    return EngineUnavailable(
        f"{place.host} answers, but its model{f' {place.model}' if place.model else ''} wrote nothing within "
        f"{seconds:.1f} seconds. It may still be loading; try again in a minute.",
        code="endpoint_slow",
        host=place.host,
        model=place.model or "",
        seconds=round(seconds, 1),
    )


def _web_page(place: Place) -> EngineError:
    return EngineError(
        f"{place.host} answers with web pages, not as a model server does. Give the address of its API, which is "
        "often another port or path than that of its page.",
        code="endpoint_web_page",
        host=place.host,
    )


def _not_a_model_server(place: Place) -> EngineError:
    return EngineError(
        f"Something answers at {place.host}, but nothing that a model server is known by. Check host and port.",
        code="endpoint_not_a_model_server",
        host=place.host,
    )


def _wrong_path(place: Place, tried: list[str], status: int) -> EngineError:
    paths = ", ".join(urlsplit(url).path for url in tried)
    return EngineError(
        f"{place.host} answers, but has no list of models at {paths} (HTTP {status}). Give the whole base of its API, "
        "as its documentation has it.",
        code="endpoint_wrong_path",
        host=place.host,
        paths=paths,
        status=status,
    )
