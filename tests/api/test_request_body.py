"""Bodies with many mistakes: one is told, soon."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from falconry.api.anthropic_schemas import MessagesRequest
from falconry.api.openai_schemas import ChatBody, CompletionBody, EmbeddingBody
from falconry.api.people import NewKey
from falconry.api.request_body import RequestBody
from falconry.api.responses_schemas import ResponsesRequest
from falconry.api.schemas import Completion
from falconry.api.tgi_schemas import GenerateRequest
from falconry.api.tgi_tokenize import DetokenizeBody

WRONG = [{"wrong": number} for number in range(1000)]
ASKED = [{"role": "user", "content": "Hi"}]


@pytest.mark.parametrize(
    ("model", "body"),
    [
        (ChatBody, {"messages": WRONG}),
        (ChatBody, {"messages": [{"role": "user", "content": [1] * 1000}]}),
        (ChatBody, {"messages": ASKED, "tools": WRONG}),
        (ChatBody, {"messages": ASKED, "stop": WRONG}),
        (CompletionBody, {"prompt": WRONG}),
        (EmbeddingBody, {"input": WRONG}),
        (MessagesRequest, {"max_tokens": 5, "messages": [{"role": "user", "content": [1] * 1000}]}),
        (ResponsesRequest, {"input": [1] * 1000}),
        (GenerateRequest, {"inputs": "Hi", "parameters": {"stop": WRONG}}),
        (DetokenizeBody, {"tokens": WRONG}),
        (Completion, {"prompt": "Hi", "params": {"stop": WRONG}}),
        (NewKey, {"name": "n", "scopes": WRONG}),
    ],
)
def test_one_mistake_of_a_list_is_enough(model: type[RequestBody], body: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(body)
    assert caught.value.error_count() < 10


def test_what_is_right_is_read() -> None:
    assert len(DetokenizeBody.model_validate({"tokens": list(range(1000))}).tokens) == 1000
