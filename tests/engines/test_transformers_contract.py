"""What every engine promises, kept by models without a GGUF too: the suite of test_contract over that engine.

The model is the built-in one, led back to a Hugging Face folder, in a real child process. Left out is what needs
logprobs, which this engine does not give.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from falconry.engines.transformers_launch import TransformersOptions
from falconry.engines.transformers_serve import TransformersEngine
from falconry.messages import SamplingParams
from tests.engines.test_contract import (
    RAW,
    Case,
    test_a_seed_repeats_the_answer,
    test_an_exact_count_is_what_the_backend_reports,
    test_answers_several_at_the_same_time,
    test_cancelling_frees_the_backend_within_a_second,
    test_characters_stay_whole,
    test_closing_frees_the_backend_within_a_second,
    test_continues_an_assistant_message_where_it_says_so,
    test_describes_itself,
    test_max_tokens_ends_it_by_length,
    test_no_part_of_a_stop_sequence_is_shown,
    test_streams_text_and_ends_with_finish_reason_and_usage,
    test_temperature_0_repeats_the_answer,
    test_the_stop_sequence_that_ended_it_is_named,
    test_tokens_are_answered_like_the_text_they_are,
    test_too_long_a_prompt_is_refused_with_both_numbers,
    test_what_it_cannot_give_is_refused_before_anything_is_generated,
    text_of,
)

pytestmark = [pytest.mark.torch, pytest.mark.asyncio(loop_scope="module")]

__all__ = [
    "test_a_seed_repeats_the_answer",
    "test_an_exact_count_is_what_the_backend_reports",
    "test_answers_several_at_the_same_time",
    "test_cancelling_frees_the_backend_within_a_second",
    "test_characters_stay_whole",
    "test_closing_frees_the_backend_within_a_second",
    "test_continues_an_assistant_message_where_it_says_so",
    "test_describes_itself",
    "test_max_tokens_ends_it_by_length",
    "test_no_part_of_a_stop_sequence_is_shown",
    "test_streams_text_and_ends_with_finish_reason_and_usage",
    "test_temperature_0_repeats_the_answer",
    "test_the_stop_sequence_that_ended_it_is_named",
    "test_tokens_are_answered_like_the_text_they_are",
    "test_too_long_a_prompt_is_refused_with_both_numbers",
    "test_what_it_cannot_give_is_refused_before_anything_is_generated",
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def case(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Case]:
    from tests.engines.eyas_folder import write_eyas

    folder: Path = await asyncio.to_thread(write_eyas, tmp_path_factory.mktemp("models") / "eyas")
    engine = TransformersEngine(folder, TransformersOptions())

    async def freed() -> None:
        # There is one thread: another reply comes when the one before has stopped.
        await text_of(engine, RAW, SamplingParams(max_tokens=1))

    await engine.start()
    yield Case(engine, freed)
    await engine.aclose()


@pytest.fixture(name="endless")
def endless_fixture(case: Case) -> Case:
    """Two thousand tokens take it seconds."""
    return case
