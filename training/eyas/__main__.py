"""``python -m training.eyas``: corpus, tokenizer, training, export and check, from nothing to a model file.

Killed half-way, the same command goes on from the last checkpoint. What a run needs and leaves lies in
``training/eyas/runs``.
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import hashlib
import json
import os
import pathlib
import sys
import time

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # spinning threads collapse on a busy machine; set before torch

from transformers import PreTrainedTokenizerFast

from training.eyas import check
from training.eyas.corpus import Sample, samples
from training.eyas.export import Card, export, parameters
from training.eyas.model import build_model
from training.eyas.recipe import EYAS, SMOKE, Recipe
from training.eyas.tokenizer import train_tokenizer
from training.eyas.train import Progress, Tokens, encode, train

HERE = pathlib.Path(__file__).parent
SHIPPED = HERE.parent.parent / "src" / "falconry" / "models" / "eyas" / "eyas.gguf"


def corpus_digest(corpus: list[Sample]) -> str:
    """A short fingerprint of every sample: the recipe's numbers do not tell which words it was made from."""
    digest = hashlib.sha256()
    for sample in corpus:
        digest.update(sample.text.encode())
    return digest.hexdigest()[:12]


def corpus_facts(corpus: list[Sample], tokens: Tokens) -> dict[str, int | float]:
    """What the corpus holds, counted."""
    kinds = collections.Counter(sample.kind for sample in corpus)
    lengths = tokens.lengths()
    return {
        "samples": len(corpus),
        **{f"samples_{kind}": count for kind, count in sorted(kinds.items())},
        "distinct_samples": len({sample.text for sample in corpus}),
        "characters": sum(len(sample.text) for sample in corpus),
        "tokens": int(lengths.sum()),
        "tokens_learnt": int(tokens.learn.sum()),
        "longest_sample_tokens": int(lengths.max()),
        "samples_over_1000_tokens": int((lengths > 1000).sum()),
    }


def make(recipe: Recipe, folder: pathlib.Path, target: pathlib.Path) -> bool:
    """Run every step; True if the file passed its check."""
    folder.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    print(f"recipe {recipe.digest()}, seed {recipe.seed}")
    corpus = list(samples(recipe.seed, recipe.conversations))
    held_out = list(samples(recipe.seed + 1, recipe.validation))
    print(f"corpus: {len(corpus)} samples in {time.monotonic() - began:.0f} s", flush=True)
    tokenizer = load_tokenizer(corpus, recipe, folder)
    tokens, held_out_tokens = encode(corpus, tokenizer, recipe), encode(held_out, tokenizer, recipe)
    print(f"corpus digest {corpus_digest(corpus)}")
    facts = corpus_facts(corpus, tokens)
    print(json.dumps(facts), flush=True)
    model = build_model(recipe, tokenizer)
    print(f"model: {parameters(model):,} parameters", flush=True)
    progress = train(model, tokens, held_out_tokens, recipe, folder)
    model.to("cpu").eval()
    model.save_pretrained(folder / "hf")
    tokenizer.save_pretrained(folder / "hf")
    run_facts: dict[str, int | float | str] = {
        "corpus": corpus_digest(corpus),
        "parameters": parameters(model),
        "tokens_seen": progress.tokens,
    }
    size = export(model, tokenizer, recipe, target, card=Card(facts=run_facts))
    print(f"{target}: {size:,} bytes", flush=True)
    passed = report(target, folder, facts, progress, recipe)
    print(f"all steps took {(time.monotonic() - began) / 60:.1f} minutes")
    return passed


def load_tokenizer(corpus: list[Sample], recipe: Recipe, folder: pathlib.Path) -> PreTrainedTokenizerFast:
    """The tokenizer of the run; trained once, because the checkpoint depends on its numbering."""
    path = folder / "tokenizer"
    if (path / "tokenizer.json").exists():
        return PreTrainedTokenizerFast.from_pretrained(path)
    tokenizer = train_tokenizer((sample.text for sample in corpus[: recipe.tokenizer_samples]), recipe)
    tokenizer.save_pretrained(path)
    print(f"tokenizer: {len(tokenizer)} tokens", flush=True)
    return tokenizer


def report(
    target: pathlib.Path, folder: pathlib.Path, facts: dict[str, int | float], progress: Progress, recipe: Recipe
) -> bool:
    """Ask the finished file, print what it says, and leave the numbers in ``report.json``."""
    with check.serve(target) as served:
        results = check.acceptance(served)
        unseen = check.acceptance(served, check.UNSEEN)
        follow_ups = [(asked, *check.follow_up(served, asked)) for asked in check.FOLLOW_UPS]
    for case, answer, right in (*results, *unseen):
        print(f"{'ok ' if right else 'NO '} {' / '.join(case.asked)}\n      {answer!r}")
    for asked, first, second, right in follow_ups:
        print(f"{'ok ' if right else 'NO '} {' / '.join(asked)}\n      {first!r}\n      {second!r}")
    scores = {
        name: (sum(rights), len(rights))
        for name, rights in {
            "acceptance": [right for *_, right in results],
            "follow_ups": [right for *_, right in follow_ups],
            "unseen": [right for *_, right in unseen],
        }.items()
    }
    print(", ".join(f"{name} {right} of {asked}" for name, (right, asked) in scores.items()))
    summary = {
        "recipe": dataclasses.asdict(recipe),
        "digest": recipe.digest(),
        "corpus": facts,
        "training": dataclasses.asdict(progress),
        "bytes": target.stat().st_size,
        **scores,
    }
    (folder / "report.json").write_text(json.dumps(summary, indent=2), encoding="utf-8")
    return all(scores[name][0] == scores[name][1] for name in ("acceptance", "follow_ups"))


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m training.eyas", description="Make Eyas, the model built into Falconry."
    )
    parser.add_argument(
        "--smoke", action="store_true", help="every step in a few minutes, with a worse model that stays in the folder"
    )
    parser.add_argument("--folder", type=pathlib.Path, help="where checkpoints lie (default: training/eyas/runs)")
    parser.add_argument("--target", type=pathlib.Path, help="the file to write (default: the one that ships)")
    arguments = parser.parse_args()
    recipe = SMOKE if arguments.smoke else EYAS
    folder = arguments.folder or HERE / "runs" / ("smoke" if arguments.smoke else "eyas")
    folder.mkdir(parents=True, exist_ok=True)
    target = arguments.target or (folder / "eyas.gguf" if arguments.smoke else SHIPPED)
    return 0 if make(recipe, folder, target) else 1


if __name__ == "__main__":
    sys.exit(main())
