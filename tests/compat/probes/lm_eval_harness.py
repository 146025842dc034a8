"""lm-evaluation-harness: logprobs of given texts and free generation, on two tiny tasks written here.

Nothing is downloaded: the questions are a file of our own, and the tokenizer is the server's.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", TOKENIZERS_PARALLELISM="false", OPENAI_API_KEY="x")

import lm_eval
from lm_eval.tasks import TaskManager

from tests.compat.probes.report import Probe, Target

probe = Probe("lm-evaluation-harness", "lm-eval")

QUESTIONS = [
    {"question": "The capital of France is", "choices": ["Paris", "a banana"], "answer": 0},
    {"question": "A falcon is a", "choices": ["xqzv kpt", "bird"], "answer": 1},
    {"question": "The sky is", "choices": ["blue", "8 8 8 8"], "answer": 0},
]
CHOICE: dict[str, Any] = {
    "task": "falconry_choice",
    "output_type": "multiple_choice",
    "doc_to_text": "{{question}}",
    "doc_to_target": "{{answer}}",
    "doc_to_choice": "{{choices}}",
    "metric_list": [{"metric": "acc"}],
}
FREE: dict[str, Any] = {
    "task": "falconry_free",
    "output_type": "generate_until",
    "doc_to_text": "{{question}}",
    "doc_to_target": "{{choices[answer]}}",
    "generation_kwargs": {"until": ["\n", "."], "max_gen_toks": 24, "do_sample": False},
    "metric_list": [{"metric": "exact_match"}],
}
PERPLEXITY: dict[str, Any] = {
    "task": "falconry_perplexity",
    "output_type": "loglikelihood_rolling",
    "doc_to_text": "",
    "doc_to_target": "{{question}}",
    "metric_list": [{"metric": "word_perplexity"}],
}


@contextmanager
def folder() -> Iterator[Path]:
    """The questions and the tasks as files, gone afterwards."""
    with tempfile.TemporaryDirectory() as name:
        data = Path(name) / "questions.jsonl"
        data.write_text("\n".join(json.dumps(question) for question in QUESTIONS))
        for task in (CHOICE, FREE, PERPLEXITY):
            source = {
                "dataset_path": "json",
                "dataset_kwargs": {"data_files": {"test": str(data)}},
                "test_split": "test",
            }
            (Path(name) / f"{task['task']}.yaml").write_text(json.dumps({**task, **source}))
        os.environ["HF_HOME"] = name
        yield Path(name)


def evaluate(model: str, task: str, arguments: dict[str, Any], **options: Any) -> Any:
    with folder() as tasks:
        return lm_eval.simple_evaluate(
            model=model,
            model_args={"max_retries": 1, "num_concurrent": 2, **arguments},
            tasks=[task],
            task_manager=TaskManager(include_path=str(tasks), include_defaults=False),
            log_samples=True,
            bootstrap_iters=0,
            **options,
        )


def completions(target: Target) -> dict[str, Any]:
    return {"base_url": f"{target.v1}/completions", "model": target.model, "tokenizer_backend": "remote"}


@probe.check("logprobs")
def loglikelihood_of_choices(target: Target) -> None:
    found = evaluate("local-completions", "falconry_choice", completions(target))
    samples = found["samples"]["falconry_choice"]
    assert len(samples) == 3
    assert all(float(response[0]) < 0 for sample in samples for response in sample["filtered_resps"])
    assert found["results"]["falconry_choice"]["acc,none"] > 0.6, "the likelihoods are not those of the texts"


@probe.check("logprobs")
def rolling_loglikelihood(target: Target) -> None:
    found = evaluate("local-completions", "falconry_perplexity", completions(target))
    assert 1 < found["results"]["falconry_perplexity"]["word_perplexity,none"] < 1e9


@probe.check("completions")
def free_generation(target: Target) -> None:
    texts = {"tokenizer_backend": "None", "tokenized_requests": False}
    found = evaluate("local-completions", "falconry_free", {**completions(target), **texts})
    samples = found["samples"]["falconry_free"]
    assert all(isinstance(sample["filtered_resps"][0], str) for sample in samples)
    assert not any("." in sample["filtered_resps"][0] for sample in samples)


@probe.check("chat")
def free_generation_in_chat(target: Target) -> None:
    arguments = {"base_url": f"{target.v1}/chat/completions", "model": target.model}
    found = evaluate("local-chat-completions", "falconry_free", arguments, apply_chat_template=True)
    assert all(sample["filtered_resps"][0] for sample in found["samples"]["falconry_free"])


if __name__ == "__main__":
    probe.main()
