"""What comes in at text-generation-inference's routes, with its limits, and what it means for an engine.

Values are judged in TGI's own words, since its users know them. As there, unknown fields are ignored; unlike there,
an explicit null means the same as leaving a field out, for clients send nulls.
"""

from __future__ import annotations

import json
from typing import Any, Literal, NoReturn

from pydantic import ConfigDict

from falconry.api.openai_schemas import Integer, StopText
from falconry.api.request_body import RequestBody
from falconry.errors import InvalidRequest, NotSupported
from falconry.messages import Grammar, SamplingParams
from falconry.protocols.json_limits import loads

MAX_BEST_OF = 2
MAX_STOP_SEQUENCES = 4
MAX_TOP_N_TOKENS = 5
LIMITS = {"max_best_of": MAX_BEST_OF, "max_stop_sequences": MAX_STOP_SEQUENCES, "max_top_n_tokens": MAX_TOP_N_TOKENS}

_DEFAULT_MAX_NEW_TOKENS = 1024
_MOST_NEW_TOKENS = _MOST_TOP_K = 1_000_000  # as in SamplingParams; no context has more, and no vocabulary
SEEDS = 2**32 - 1
_NAMED = frozenset({"properties", "$defs", "definitions"})  # schemas under names of their author's choice
_VALUES = frozenset({"enum", "const", "default", "examples", "allOf"})  # no schemas; parts of allOf complete each other
_OPEN = frozenset({"additionalProperties", "patternProperties", "unevaluatedProperties", "allOf", "$ref"})
_CONFIG = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False)


class GrammarSpec(RequestBody):
    """The shape of the reply: a JSON schema, as an object or as JSON text, or a regular expression."""

    model_config = _CONFIG

    type: Literal["json", "json_object", "json_schema", "regex"]
    value: str | dict[str, Any]

    def to_grammar(self) -> Grammar:
        """Not checked yet."""
        if self.type == "regex":
            if not isinstance(self.value, str):
                _refuse("grammar", "grammar is not valid: a regular expression is a string")
            return Grammar("regex", self.value)
        schema: object = self.value
        if self.type == "json_schema" and isinstance(schema, dict):
            schema = schema.get("schema", schema)
        if isinstance(schema, str):
            schema = loads(schema.encode("utf-8", "replace"))
        return Grammar("json_schema", json.dumps(_closed(schema)))


def _closed(schema: Any) -> Any:
    """The same schema, whose objects have the properties that it names and no others, as TGI reads it."""
    if isinstance(schema, list):
        return list(map(_closed, schema))
    if not isinstance(schema, dict):
        return schema
    closed: dict[str, Any] = {}
    for name, part in schema.items():
        if name in _NAMED and isinstance(part, dict):
            closed[name] = {key: _closed(value) for key, value in part.items()}
        else:
            closed[name] = part if name in _VALUES else _closed(part)
    if isinstance(schema.get("properties"), dict) and not _OPEN & schema.keys():
        closed["additionalProperties"] = False
    return closed


class Parameters(RequestBody):
    """How to generate. Nothing set is greedy; one of temperature, top_k, top_p and typical_p samples."""

    model_config = _CONFIG

    adapter_id: str | None = None
    best_of: Integer | None = None
    decoder_input_details: bool | None = None
    details: bool | None = None
    do_sample: bool | None = None
    frequency_penalty: float | None = None
    grammar: GrammarSpec | None = None
    max_new_tokens: Integer | None = None
    repetition_penalty: float | None = None
    return_full_text: bool | None = None
    seed: Integer | None = None
    stop: list[StopText] | None = None
    temperature: float | None = None
    top_k: Integer | None = None
    top_n_tokens: Integer | None = None
    top_p: float | None = None
    truncate: Integer | None = None
    typical_p: float | None = None
    watermark: bool | None = None

    @property
    def sampling(self) -> bool:
        drawn = (self.temperature, self.top_k, self.top_p, self.typical_p)
        return bool(self.do_sample) or any(value is not None for value in drawn)

    def check(self, *, stream: bool) -> None:
        """Raise InvalidRequest, in TGI's words and in its order."""
        best_of = 1 if self.best_of is None else self.best_of
        if self.adapter_id:
            raise NotSupported("adapter_id")
        if not 1 <= best_of <= MAX_BEST_OF:
            _refuse("best_of", f"`best_of` must be > 0 and <= {MAX_BEST_OF}. Given: {best_of}")
        if best_of > 1 and stream:
            _refuse("best_of", "`best_of` != 1 is not supported when streaming tokens")
        if self.decoder_input_details and stream:
            _refuse("decoder_input_details", "`decoder_input_details` == true is not supported when streaming tokens")
        if best_of > 1 and not self.sampling:
            _refuse("best_of", "you must use sampling when `best_of` is > 1")
        self._check_numbers()
        if len(self.stop or ()) > MAX_STOP_SEQUENCES:
            given = len(self.stop or ())
            _refuse("stop", f"`stop` supports up to {MAX_STOP_SEQUENCES} stop sequences. Given: {given}")
        if best_of > 1 and self.seed is not None:
            _refuse("seed", "`seed` must not be set when `best_of` > 1")

    def _check_numbers(self) -> None:
        strictly = "must be strictly positive"
        if self.temperature is not None and not 0 < self.temperature <= 2:
            _refuse("temperature", f"`temperature` {strictly if self.temperature <= 0 else 'must be <= 2.0'}")
        if self.repetition_penalty is not None and not 0.01 <= self.repetition_penalty <= 10:
            wrong = strictly if self.repetition_penalty <= 0 else "must be >= 0.01 and <= 10.0"
            _refuse("repetition_penalty", f"`repetition_penalty` {wrong}")
        if self.frequency_penalty is not None and not -2 <= self.frequency_penalty <= 2:
            _refuse("frequency_penalty", "`frequency_penalty` must be >= -2.0 and <= 2.0")
        if self.top_p is not None and not 0 < self.top_p < 1:
            _refuse("top_p", "`top_p` must be > 0.0 and < 1.0")
        if self.typical_p is not None and not 0 < self.typical_p < 1:
            _refuse("typical_p", "`typical_p` must be > 0.0 and < 1.0")
        for name in ("top_k", "max_new_tokens", "truncate"):
            if (value := getattr(self, name)) is not None and value < 1:
                _refuse(name, f"`{name}` {strictly}")
        if self.seed is not None and not 0 <= self.seed < 2**64:
            _refuse("seed", "`seed` must be >= 0 and < 2^64")
        if self.top_n_tokens is not None and not 0 <= self.top_n_tokens <= MAX_TOP_N_TOKENS:
            _refuse(
                "top_n_tokens",
                f"`top_n_tokens` must be >= 0 and <= {MAX_TOP_N_TOKENS}. Given: {self.top_n_tokens}",
            )

    def to_sampling(self, seed: int | None, supports: frozenset[str]) -> SamplingParams:
        """For an engine that can do what `supports` says."""

        def cut(name: str, value: float | None, nothing: float) -> float | None:
            # Where nothing is to be cut off, backends are told so: they have defaults of their own.
            return nothing if value is None and self.sampling and name in supports else value

        temperature = 1.0 if self.temperature is None else self.temperature
        top_k = cut("top_k", self.top_k, 0)
        return SamplingParams(
            max_tokens=min(self.max_new_tokens or _DEFAULT_MAX_NEW_TOKENS, _MOST_NEW_TOKENS),
            temperature=temperature if self.sampling else 0.0,
            top_p=cut("top_p", self.top_p, 1.0),
            top_k=None if top_k is None else min(int(top_k), _MOST_TOP_K),
            min_p=cut("min_p", None, 0.0),
            typical_p=cut("typical_p", self.typical_p, 1.0),
            repetition_penalty=self.repetition_penalty,
            frequency_penalty=self.frequency_penalty,
            stop=tuple(self.stop or ()),
            seed=None if seed is None else seed % SEEDS,
            grammar=self.grammar.to_grammar() if self.grammar is not None else None,
        )


class GenerateRequest(RequestBody):
    """A raw prompt to be continued. Without `parameters` it samples; with empty ones it is greedy."""

    model_config = _CONFIG

    inputs: str
    parameters: Parameters | None = None
    stream: bool | None = None

    def checked(self, *, stream: bool) -> Parameters:
        """The parameters. Raises InvalidRequest."""
        parameters = self.parameters if self.parameters is not None else Parameters(do_sample=True)
        parameters.check(stream=stream)
        if not self.inputs:
            _refuse("inputs", "`inputs` cannot be empty")
        return parameters


def _refuse(field: str, sentence: str) -> NoReturn:
    raise InvalidRequest(sentence, code="invalid_field", field=field, problem=sentence)
