"""Chat templates that loop or explode are cut off; all others are the engine's business."""

from __future__ import annotations

from pathlib import Path
from time import process_time

import pytest

from falconry.engines.llama_cpp import LlamaCppEngine, LlamaCppOptions
from falconry.errors import BadModelFile
from falconry.models.chat_template import check_chat_template, judge
from falconry.models.eyas import path as eyas
from falconry.models.gguf import read_header
from tests.engines.tiny_gguf import write_reciter

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
ENDS = {
    "ChatML": CHATML,
    "empty": "",
    "no template at all": "{% for x in %}",
    "raises": "{{ raise_exception('Conversation roles must alternate') }}",
    "asks for a date and for tools": "{{ strftime_now('%d') }}{% if tools %}{{ tools | tojson }}{% endif %}" + CHATML,
    "long instructions": "You are a model. " * 8000 + CHATML,
    "loop controls": "{% for m in messages %}{% if loop.index > 3 %}{% break %}{% endif %}{{ m.content }}{% endfor %}",
    "a small range": "{% for i in range(50) %}{{ i }}{% endfor %}",
    "reaches for what it must not have": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
}
LOOPS = {
    "loops in loops": "{% for a in range(9999) %}{% for b in range(9999) %}{% for c in range(9999) %}"
    "{% endfor %}{% endfor %}{% endfor %}",
    "a macro that calls itself twice": "{% macro f(n) %}{% if n %}{% set a = f(n - 1) %}{% set b = f(n - 1) %}"
    "{% endif %}{% endmacro %}{{ f(60) }}",
    "only in a long conversation": "{% if messages | length > 100 %}{% for a in range(9999) %}"
    "{% for b in range(9999) %}{% endfor %}{% endfor %}{% endif %}",
}
EXPLODES = {
    "a range without an end": "{% for i in range(10 ** 12) %}{% endfor %}",
    "a text without an end": "{{ 'x' * 10 ** 10 }}",
    "doubles with each message": "{% set ns = namespace(x='ab') %}{% for m in messages %}{% set ns.x = ns.x + ns.x %}"
    "{% endfor %}{{ ns.x }}",
    "writes every message for every message": "{% for a in messages %}{% for b in messages %}{{ b.content * 9 }}"
    "{% endfor %}{% endfor %}",
}


@pytest.mark.parametrize("template", ENDS.values(), ids=ENDS)
def test_what_ends_is_let_pass(template: str, tmp_path: Path) -> None:
    check_chat_template(template, tmp_path / "model.gguf")


@pytest.mark.parametrize("template", LOOPS.values(), ids=LOOPS)
def test_what_loops_is_cut_off(template: str, tmp_path: Path) -> None:
    with pytest.raises(BadModelFile, match=r"model\.gguf has a chat template that did not end") as refused:
        check_chat_template(template, tmp_path / "model.gguf")
    assert refused.value.code == "chat_template_loops"


@pytest.mark.parametrize("template", EXPLODES.values(), ids=EXPLODES)
def test_what_explodes_is_cut_off(template: str, tmp_path: Path) -> None:
    with pytest.raises(BadModelFile) as refused:
        check_chat_template(template, tmp_path / "model.gguf")
    assert refused.value.code == "chat_template_explodes"


def test_a_template_of_megabytes_is_not_even_tried(tmp_path: Path) -> None:
    began = process_time()
    with pytest.raises(BadModelFile):
        check_chat_template("x" * 3_000_000, tmp_path / "model.gguf")
    assert process_time() - began < 0.1


def test_the_same_template_is_tried_once() -> None:
    judge.cache_clear()
    assert judge(CHATML) == judge(CHATML) == "ends"
    assert judge.cache_info().hits == 1


def test_the_built_in_models_template_is_sound() -> None:
    template = read_header(eyas()).chat_template
    assert template
    assert judge(template) == "ends"


@pytest.mark.parametrize("template", [LOOPS["loops in loops"], EXPLODES["a range without an end"]])
async def test_no_engine_is_started_with_such_a_template(template: str, tmp_path: Path) -> None:
    model = write_reciter(tmp_path / "evil.gguf", [b"Never"], chat_template=template)
    engine = LlamaCppEngine(model, LlamaCppOptions())
    try:
        with pytest.raises(BadModelFile, match="chat template"):
            await engine.start()
        assert engine.pid is None
    finally:
        await engine.aclose()
