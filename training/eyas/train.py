"""The training loop: batches of similar length, a loss on Eyas's own words, checkpoints to resume from."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import pathlib
import time
from typing import Any

import numpy as np
import torch
from transformers import FalconForCausalLM, PreTrainedTokenizerFast

from training.eyas.corpus import Sample
from training.eyas.muon import Muon
from training.eyas.recipe import Recipe


@dataclasses.dataclass(frozen=True)
class Tokens:
    """An encoded corpus: all samples one after another, where each begins, and which tokens are learnt."""

    ids: np.ndarray[Any, np.dtype[np.uint16]]
    learn: np.ndarray[Any, np.dtype[np.bool_]]
    starts: np.ndarray[Any, np.dtype[np.int64]]

    def __len__(self) -> int:
        return len(self.starts) - 1

    def lengths(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Tokens per sample."""
        return np.diff(self.starts)


def encode(corpus: list[Sample], tokenizer: PreTrainedTokenizerFast, recipe: Recipe) -> Tokens:
    """Tokenize a corpus; a token is learnt when it begins inside a range that is. Samples are cut at the context."""
    ids: list[np.ndarray[Any, Any]] = []
    learn: list[np.ndarray[Any, Any]] = []
    for begin in range(0, len(corpus), 2000):
        part = corpus[begin : begin + 2000]
        for sample, encoding in zip(
            part, tokenizer.backend_tokenizer.encode_batch([s.text for s in part]), strict=True
        ):
            kept = np.array(encoding.ids[: recipe.context_length], dtype=np.uint16)
            first = np.array([start for start, _ in encoding.offsets[: recipe.context_length]])
            mask = np.zeros(len(kept), dtype=bool)
            for start, end in sample.learn:
                mask |= (first >= start) & (first < end)
            ids.append(kept)
            learn.append(mask)
    starts = np.concatenate([[0], np.cumsum([len(part) for part in ids])])
    return Tokens(np.concatenate(ids), np.concatenate(learn), starts)


def batches(tokens: Tokens, recipe: Recipe) -> list[np.ndarray[Any, np.dtype[np.int64]]]:
    """Sample numbers of every batch of the run, in order. Similar lengths share a batch, so that little is padding.

    Every sample begins at position 0, as a conversation does in use, and none sees its neighbour.
    """
    rng = np.random.default_rng(recipe.seed)
    lengths = tokens.lengths()
    result: list[np.ndarray[Any, np.dtype[np.int64]]] = []
    for _ in range(recipe.epochs):
        order = rng.permutation(len(tokens))
        epoch = []
        for begin in range(0, len(order), 2048):
            window = order[begin : begin + 2048]
            window = window[np.argsort(lengths[window], kind="stable")]
            at = 0
            while at < len(window):
                end = at + 1
                while end < len(window) and lengths[window[end]] * (end + 1 - at) <= recipe.batch_tokens:
                    end += 1
                epoch.append(window[at:end])
                at = end
        result += [epoch[i] for i in rng.permutation(len(epoch))]
    return result


def collate(tokens: Tokens, chosen: np.ndarray[Any, Any], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Input ids and labels (-100 where nothing is learnt), padded on the right; causal attention never looks there."""
    longest = int(tokens.lengths()[chosen].max())
    ids = torch.full((len(chosen), longest), pad)
    labels = torch.full((len(chosen), longest), -100)
    for row, number in enumerate(chosen):
        start, end = int(tokens.starts[number]), int(tokens.starts[number + 1])
        part = torch.from_numpy(tokens.ids[start:end].astype(np.int64))
        ids[row, : end - start] = part
        labels[row, : end - start] = torch.where(torch.from_numpy(tokens.learn[start:end]), part, -100)
    return ids[:, :-1], labels[:, 1:]


def loss_of(model: FalconForCausalLM, ids: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy over the learnt tokens. Only they go through the output matrix, a quarter of the work."""
    hidden = model.transformer(input_ids=ids, use_cache=False).last_hidden_state
    wanted = labels != -100
    return torch.nn.functional.cross_entropy(model.lm_head(hidden[wanted]).float(), labels[wanted])


def optimizers(model: FalconForCausalLM, recipe: Recipe) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the layers, AdamW for embeddings and norms."""
    inner = [weight for name, weight in model.transformer.h.named_parameters() if weight.ndim == 2]
    taken = {id(weight) for weight in inner}
    rest = [weight for weight in model.parameters() if id(weight) not in taken]
    return [
        Muon(inner, lr=recipe.muon_lr, weight_decay=recipe.weight_decay),
        torch.optim.AdamW(rest, lr=recipe.adam_lr, weight_decay=0.0, betas=(0.9, 0.98)),
    ]


def rate(step: int, total: int, recipe: Recipe) -> float:
    """Factor of the learning rates at ``step``: up, flat, and down to zero in a straight line."""
    down = max(1, int(total * recipe.cooldown))
    return min(1.0, (step + 1) / recipe.warmup, (total - step) / down)


def pick_device() -> tuple[torch.device, bool]:
    """The device to train on, and whether bfloat16 pays there: on a GPU, and on a CPU with instructions for it."""
    if torch.cuda.is_available():
        return torch.device("cuda"), True
    supported = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    return torch.device("cpu"), bool(supported())


def validate(model: FalconForCausalLM, tokens: Tokens, recipe: Recipe, device: torch.device) -> float:
    """Mean loss over held-out samples."""
    model.eval()
    total, count = 0.0, 0
    for chosen in batches(tokens, dataclasses.replace(recipe, epochs=1)):
        ids, labels = collate(tokens, chosen, 0)
        learnt = int((labels != -100).sum())
        with torch.no_grad():
            total += float(loss_of(model, ids.to(device), labels.to(device))) * learnt
        count += learnt
    model.train()
    return total / count


@dataclasses.dataclass
class Progress:
    """Where a run stands; stored in its checkpoint and in ``progress.json``."""

    step: int = 0
    tokens: int = 0
    learnt: int = 0
    seconds: float = 0.0
    validation: list[tuple[int, float]] = dataclasses.field(default_factory=list)

    def line(self, total: int, loss: float) -> str:
        """What is printed while it runs."""
        left = self.seconds / self.step * (total - self.step)
        return (
            f"step {self.step:6}/{total}  loss {loss:.3f}  {self.tokens / 1e6:.2f} M tokens  "
            f"{self.tokens / self.seconds:.0f} tok/s  {self.seconds:.0f} s, {left:.0f} s left"
        )


def train(
    model: FalconForCausalLM,
    tokens: Tokens,
    held_out: Tokens,
    recipe: Recipe,
    folder: pathlib.Path,
    *,
    checkpoint_seconds: float = 120.0,
    stop_after: int | None = None,
) -> Progress:
    """Train ``model`` in place, going on from ``folder/checkpoint.pt`` if there is one. Prints as it goes.

    ``stop_after`` ends the run early, after that step and with a checkpoint, as a kill right behind a checkpoint would.
    """
    device, half = pick_device()
    model.to(device).train()
    steps = optimizers(model, recipe)
    plan = batches(tokens, recipe)
    progress = _resume(model, steps, recipe, folder, device)
    print(f"training on {device}, {'bfloat16' if half else 'float32'}, step {progress.step} of {len(plan)}", flush=True)
    saved = shown = time.monotonic()
    begun = saved - progress.seconds
    recent: list[float] = []
    last = min(len(plan), stop_after or len(plan))
    while progress.step < last:
        chosen = plan[progress.step]
        ids, labels = collate(tokens, chosen, 0)
        with torch.autocast(device.type, torch.bfloat16) if half else contextlib.nullcontext():
            loss = loss_of(model, ids.to(device), labels.to(device))
        update(model, loss, steps, rate(progress.step, len(plan), recipe))
        recent.append(loss.item())
        progress.step += 1
        progress.tokens += int(tokens.lengths()[chosen].sum())
        progress.learnt += int((labels != -100).sum())
        now = time.monotonic()
        progress.seconds = now - begun
        if now - shown > 15 or progress.step == last:
            print(progress.line(len(plan), float(np.mean(recent))), flush=True)
            shown, recent = now, []
        if now - saved > checkpoint_seconds or progress.step == last:
            progress.validation.append((progress.step, validate(model, held_out, recipe, device)))
            print(f"    held-out loss {progress.validation[-1][1]:.4f}", flush=True)
            _save(model, steps, recipe, progress, folder)
            saved = time.monotonic()
    return progress


def update(model: FalconForCausalLM, loss: torch.Tensor, steps: list[torch.optim.Optimizer], factor: float) -> None:
    """One step of all optimizers with their full rates times ``factor``; gradients are clipped to a norm of 1."""
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    for optimizer in steps:
        for group in optimizer.param_groups:
            group["lr"] = optimizer.defaults["lr"] * factor
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)


def _save(
    model: FalconForCausalLM,
    steps: list[torch.optim.Optimizer],
    recipe: Recipe,
    progress: Progress,
    folder: pathlib.Path,
) -> None:
    """Write the checkpoint beside the old one, then put it in its place: a kill in between loses nothing."""
    state = {
        "recipe": recipe.digest(),
        "model": model.state_dict(),
        "optimizers": [optimizer.state_dict() for optimizer in steps],
        "progress": dataclasses.asdict(progress),
    }
    torch.save(state, folder / "checkpoint.new")
    (folder / "checkpoint.new").replace(folder / "checkpoint.pt")
    (folder / "progress.json").write_text(json.dumps(dataclasses.asdict(progress)), encoding="utf-8")


def _resume(
    model: FalconForCausalLM,
    steps: list[torch.optim.Optimizer],
    recipe: Recipe,
    folder: pathlib.Path,
    device: torch.device,
) -> Progress:
    """Load the checkpoint of this very recipe, if there is one."""
    path = folder / "checkpoint.pt"
    if not path.exists():
        return Progress()
    state = torch.load(path, map_location=device, weights_only=True)
    if state["recipe"] != recipe.digest():
        raise SystemExit(f"{path} belongs to another recipe; use another folder or delete it")
    model.load_state_dict(state["model"])
    for optimizer, stored in zip(steps, state["optimizers"], strict=True):
        optimizer.load_state_dict(stored)
    return Progress(**state["progress"])
