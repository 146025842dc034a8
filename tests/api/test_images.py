"""Pictures that programs send come to models that see, whole and in order; everything else about them is refused."""

from __future__ import annotations

import base64
import io
from collections.abc import AsyncGenerator

import pytest
from PIL import Image as Picture

from falconry.messages import Delta, Message
from falconry.services import Services
from tests.api.programs import post
from tests.api.scripted import END, ScriptedEngine, asked, server_of
from tests.conftest import LiveServer


def picture(colour: str) -> str:
    file = io.BytesIO()
    Picture.new("RGB", (3, 2), colour).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


RED, BLUE = picture("red"), picture("blue")


def openai(*images: str) -> dict[str, object]:
    parts = [{"type": "image_url", "image_url": {"url": image}} for image in images]
    return {"messages": [{"role": "user", "content": [{"type": "text", "text": "Which?"}, *parts]}]}


def responses(*images: str) -> dict[str, object]:
    parts = [{"type": "input_image", "image_url": image} for image in images]
    return {"input": [{"role": "user", "content": [{"type": "input_text", "text": "Which?"}, *parts]}]}


def anthropic(*images: str) -> dict[str, object]:
    sources = [
        {"type": "base64", "media_type": "image/png", "data": image.partition(",")[2]}
        if image.startswith("data:")
        else {"type": "url", "url": image}
        for image in images
    ]
    parts = [{"type": "image", "source": source} for source in sources]
    return {"max_tokens": 9, "messages": [{"role": "user", "content": [*parts, {"type": "text", "text": "Which?"}]}]}


DOORS = [("/v1/chat/completions", openai), ("/v1/responses", responses), ("/v1/messages", anthropic)]
INLINE = [f"data:image/png;base64,{image}" for image in (RED, BLUE)]


class Seeing(ScriptedEngine):
    sees_images = True


@pytest.fixture
async def seeing(services: Services) -> AsyncGenerator[tuple[LiveServer, Seeing], None]:
    engine = Seeing([Delta("Red."), END])
    blind = ScriptedEngine([Delta("What?"), END])
    async with server_of(services, {"seeing": engine, "blind": blind}) as live:
        yield live, engine


async def test_pictures_reach_the_model_in_their_order(seeing: tuple[LiveServer, Seeing]) -> None:
    live, engine = seeing
    for path, body in DOORS:
        answer = await post(live, path, **body(*INLINE))
        assert answer.status_code == 200, answer.text
        (message,) = asked(engine)
        assert isinstance(message, Message)
        assert message.content == "Which?"
        assert [base64.b64encode(image.data).decode() for image in message.images] == [RED, BLUE]
        assert (message.images[0].width, message.images[0].height) == (3, 2)


async def test_what_cannot_be_seen_is_a_400_with_a_sentence(seeing: tuple[LiveServer, Seeing]) -> None:
    live, engine = seeing
    for path, body in DOORS:
        for given, more, words in (
            (INLINE, {"model": "blind"}, "cannot see pictures"),
            (["http://127.0.0.1:1/picture.png"], {}, "fetches no picture"),
            ([f"data:image/png;base64,{base64.b64encode(b'nothing').decode()}"], {}, "no picture that models can see"),
            ([INLINE[0][:40]], {}, "damaged"),
            (INLINE * 9, {}, "at most 16"),
        ):
            answer = await post(live, path, **body(*given), **more)
            assert answer.status_code == 400, answer.text
            assert words in answer.text
    assert engine.asked == []


async def test_only_people_send_pictures(seeing: tuple[LiveServer, Seeing]) -> None:
    live, _ = seeing
    part = {"type": "image_url", "image_url": {"url": INLINE[0]}}
    for role in ("system", "assistant"):
        answer = await post(live, DOORS[0][0], messages=[{"role": role, "content": [part]}])
        assert answer.status_code == 400
        assert "only messages of the user" in answer.text
