"""Whatever is sent to text-generation-inference's routes: an answer or a refusal, never a failure."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from falconry.api.tgi_schemas import Parameters
from falconry.services import Services, open_services
from falconry.settings import Settings
from tests.conftest import LiveServer, serve

_NUMBERS = st.one_of(
    st.integers(-3, 9),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0.5, 1.0, 1.5, 2**31, 2**64, -(2**70), 10**400]),
)
_JSON = st.recursive(
    st.none() | st.booleans() | _NUMBERS | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
_GRAMMARS = st.fixed_dictionaries(
    {"type": st.sampled_from(["json", "regex", "json_object", "xml"]), "value": _JSON | st.text(max_size=30)}
)
_GOOD: dict[str, st.SearchStrategy[Any]] = {
    "best_of": st.just(1),
    "decoder_input_details": st.just(False),
    "details": st.booleans(),
    "do_sample": st.booleans() | st.none(),
    "frequency_penalty": st.floats(-2, 2),
    "repetition_penalty": st.floats(0.01, 10),
    "return_full_text": st.booleans(),
    "seed": st.integers(0, 2**64 - 1),
    "stop": st.lists(st.text(max_size=5), max_size=4),
    "temperature": st.floats(1e-6, 2),
    "top_k": st.integers(1),
    "top_n_tokens": st.integers(0, 5),
    "top_p": st.floats(0.001, 0.999),
    "truncate": st.integers(1, 2047),
    "typical_p": st.floats(0.001, 0.999),
    "watermark": st.booleans(),
}
_BAD = st.one_of(
    st.tuples(st.sampled_from(list(Parameters.model_fields)), _NUMBERS | _JSON),
    st.tuples(st.just("grammar"), _GRAMMARS),
)
_PARAMETERS = st.builds(
    lambda good, bad: good | dict(bad),
    st.fixed_dictionaries({"max_new_tokens": st.integers(1, 4)}, optional=_GOOD),
    st.lists(_BAD, max_size=1),
)
_BODIES = st.fixed_dictionaries(
    {"inputs": st.text(min_size=1, max_size=40), "parameters": _PARAMETERS}, optional={"stream": st.booleans() | _JSON}
)


_TEXTS = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("inputs", "prompt", "content", "model"), st.text(max_size=40)),
        **dict.fromkeys(("add_special_tokens", "add_special", "parse_special", "with_pieces"), st.booleans()),
        "messages": st.lists(st.fixed_dictionaries({"role": st.just("user"), "content": st.text(max_size=9)}) | _JSON),
        "tokens": st.lists(st.integers(0, 4000)) | _JSON,
    },
)
_FUZZ = settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture
async def live(make_settings: Callable[..., Settings]) -> AsyncGenerator[LiveServer, None]:
    async with open_services(make_settings(model="eyas")) as services, serve(services) as opened:
        yield opened


def is_answer_or_refusal(answer: httpx.Response) -> bool:
    if answer.status_code == 200:
        return '"error"' not in answer.text or answer.headers["content-type"].startswith("application/json")
    return answer.status_code == 422 and answer.json()["error_type"] == "validation"


async def alive(services: Services) -> bool:
    async with services.pool.engine() as engine:
        return (await engine.count_tokens("A falcon")).exact


@_FUZZ
@given(path=st.sampled_from(["/", "/generate", "/generate_stream", "/invocations"]), body=_BODIES | _JSON)
async def test_generating(live: LiveServer, path: str, body: Any) -> None:
    answer = await live.client.post(path, json=body)
    assert is_answer_or_refusal(answer), f"{answer.status_code} {answer.text}"
    assert await alive(live.services)


@_FUZZ
@given(path=st.sampled_from(["/tokenize", "/chat_tokenize", "/detokenize"]), body=_TEXTS | _JSON)
async def test_tokenizing(live: LiveServer, path: str, body: Any) -> None:
    answer = await live.client.post(path, json=body)
    assert is_answer_or_refusal(answer), f"{answer.status_code} {answer.text}"
    assert await alive(live.services)
