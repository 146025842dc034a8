"""What runs behind a URL: every kind is known by what it answers, and gives its models, their context and features."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from pydantic import SecretStr

from falconry.engines.auto import resolved
from falconry.engines.endpoint_url import origin_of, read_url
from falconry.engines.probe import Login, probe
from falconry.engines.probe_readers import identify, read_ollama_model
from falconry.engines.remote_engine import remote_engine
from falconry.engines.server_facts import FEATURES, KIND_NAMES, RemoteModel, ServerFacts
from falconry.errors import FalconryError, InvalidRequest
from falconry.i18n import error_text
from falconry.messages import Grammar, Message, SamplingParams
from falconry.settings import Endpoint, EndpointKind
from tests.conftest import LiveServer
from tests.engines import probe_stubs as stubs
from tests.engines.probe_stubs import CHAT, Routes, entry, listing, stub
from tests.engines.servers import Connection, Request, serve
from tests.engines.test_openai import llama_server, text_of
from tests.engines.tiny_gguf import write_reciter

HI = [Message("user", "Hi")]


@pytest.mark.parametrize(
    ("routes", "kind", "base", "version", "models"),
    [
        (stubs.TGI, "tgi", "", "3.3.6", {"tiiuae/falcon-7b-instruct": 2048}),
        (stubs.VLLM, "vllm", "/v1", "0.33.0", {"Qwen/Qwen3-4B": 40960}),
        (stubs.SGLANG, "sglang", "/v1", "0.5.23", {"Qwen/Qwen3-4B": 32768}),
        (stubs.LLAMA_CPP, "llama_cpp", "/v1", "b9999-abc", {"gemma-3-4b.gguf": 4096}),
        (stubs.OLLAMA, "ollama", "/v1", "0.15.2", {"gemma3:4b": 16384, "llama3.2:1b": 8192}),
        (stubs.LM_STUDIO, "lm_studio", "/v1", None, {"qwen3-4b": 8192, "qwen2-vl-7b": 32768}),
        (stubs.OPENAI, "openai", "/v1", None, {"gpt-5-mini": None, "o4-mini": None}),
        (stubs.OPENROUTER, "openai", "/api/v1", None, {"qwen/qwen3-4b": 40960}),
    ],
)
async def test_every_kind_is_known_by_what_it_answers(
    routes: Routes, kind: EndpointKind, base: str, version: str | None, models: dict[str, int | None]
) -> None:
    async with serve(stub(routes)) as server:
        facts = await probe(server.url + base)
        assert (facts.kind, facts.url, facts.version) == (kind, server.url + base, version)
        assert {model.id: model.context_length for model in facts.chat_models()} == models
        assert facts.features == FEATURES[kind]
        again = await probe(server.url + base, kind=kind)
        assert (again.kind, again.models) == (kind, facts.models)


async def test_falconry_knows_itself(server: LiveServer) -> None:
    facts = await probe(server.url)
    assert (facts.kind, facts.url) == ("falconry", f"{server.url}/v1")
    assert "canned" in {model.id for model in facts.models}


async def test_the_real_llama_cpp(tmp_path: Path) -> None:
    model = write_reciter(tmp_path / "reciter.gguf", [b"one", b" two"])
    async with llama_server(model) as url:
        facts = await probe(url.removeprefix("http://").removesuffix("/v1"))
        assert (facts.kind, facts.url) == ("llama_cpp", url)
        assert [model.context_length for model in facts.models] == [1024]
        engine = remote_engine(resolved(Endpoint(name="a", url="http://unused"), facts), 20)
        assert await text_of(engine, HI, SamplingParams(temperature=0)) == "one two"
        assert engine.can_continue
        await engine.aclose()


@pytest.mark.parametrize(
    "pasted",
    [
        "{host}",
        " {host}/ ",
        "http://{host}",
        "HTTP://{host}/v1/",
        "{host}/v1/models",
        "http://{host}/v1/chat/completions",
        "http://{host}/docs",
        "http://{host}/v1//completions#top",
        '"http://{host}/api/generate"',
        "http://{host}/some/page",
    ],
)
async def test_what_people_paste_leads_to_the_base(pasted: str) -> None:
    async with serve(stub(stubs.OPENAI)) as server:
        facts = await probe(pasted.format(host=server.url.removeprefix("http://")))
        assert facts.url.lower() == f"{server.url}/v1"


async def test_a_base_below_a_path_is_found() -> None:
    routes = {f"/llm{path}": answer for path, answer in stubs.VLLM.items()}
    async with serve(stub(routes)) as server:
        facts = await probe(f"{server.url}/llm")
        assert (facts.kind, facts.url) == ("vllm", f"{server.url}/llm/v1")


def test_a_host_alone_means_where_the_service_has_its_api() -> None:
    bases = {url: read_url(url)[0].bases[0] for url in ("openrouter.ai", "https://api.groq.com/", "api.openai.com/v1")}
    assert bases == {
        "openrouter.ai": "https://openrouter.ai/api/v1",
        "https://api.groq.com/": "https://api.groq.com/openai/v1",
        "api.openai.com/v1": "https://api.openai.com/v1",
    }
    assert read_url("api.openai.com")[0].hosted


@pytest.mark.parametrize("url", ["`http://box:8000/v1`", "<http://box:8000/v1>", ' "http://box:8000/v1" '])
def test_what_is_copied_along_with_a_url_does_not_matter(url: str) -> None:
    assert read_url(url)[0].origin == "http://box:8000"


@pytest.mark.parametrize("url", ["http:box:8000", "：box", "http://[abc]/"])
def test_a_url_that_is_written_wrongly_is_told_in_sentences_of_ours(url: str) -> None:
    with pytest.raises(InvalidRequest, match="host or port is written wrongly") as refused:
        read_url(url)
    assert "written" not in error_text(refused.value.as_dict(), "zh")


def test_a_key_never_travels_in_the_clear_to_a_public_host_by_guess() -> None:
    assert [place.origin for place in read_url("llm.example.org", keyed=True)] == ["https://llm.example.org"]
    assert [place.origin for place in read_url("llm.example.org")] == [
        "https://llm.example.org",
        "http://llm.example.org",
    ]
    assert read_url("192.168.1.5:8000", keyed=True)[0].origin == "http://192.168.1.5:8000"
    assert read_url("box:8000")[0].origin == "http://box:8000"


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("", "endpoint_bad_url"),
        ("ftp://host", "endpoint_bad_url"),
        ("http://host/v1?key=x", "endpoint_bad_url"),
        ("http://ho st", "endpoint_bad_url"),
        ("http://host:99999", "endpoint_bad_url"),
        ("http://[::1", "endpoint_bad_url"),
        ("[::1", "endpoint_bad_url"),
        ("http://[abc]/", "endpoint_bad_url"),
        ("http://℀/", "endpoint_bad_url"),
        ("http://host/\x00", "endpoint_bad_url"),
        ("http://\ud800/", "endpoint_bad_url"),
        ("http://user:hunter2@host", "endpoint_key_in_url"),
        ("http://169.254.169.254/latest/meta-data", "endpoint_metadata_address"),
        ("http://[::ffff:169.254.169.254]/", "endpoint_metadata_address"),
        ("http://0xa9fea9fe/", "endpoint_metadata_address"),
        ("http://①⑥⑨.254.169.254/", "endpoint_metadata_address"),
        ("http://metadata.google.internal/computeMetadata/v1", "endpoint_metadata_address"),
    ],
)
def test_what_can_be_no_server_is_refused(url: str, code: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_url(url)
    assert caught.value.code == code
    assert "hunter2" not in caught.value.message
    assert caught.value.message.isprintable()


def test_the_origin_is_what_a_key_is_bound_to() -> None:
    assert origin_of("https://A.example/v1") == origin_of("https://a.example:443") == "https://a.example:443"
    assert len({origin_of(url) for url in ("http://a", "https://a", "http://a:81", "http://b", "http://[::1]")}) == 5


async def test_a_route_that_hangs_costs_only_its_own_answer() -> None:
    normal = stub(stubs.VLLM)

    async def handler(request: Request, connection: Connection) -> None:
        if request.path in ("/info", "/props", "/api/tags"):
            await connection.gone.wait()
        else:
            await normal(request, connection)

    async with serve(handler) as server:
        facts = await probe(server.url, seconds=0.5)
        assert facts.kind == "vllm"


async def test_a_server_that_lists_nothing_but_chats_is_taken() -> None:
    async with serve(stub({})) as server:
        facts = await probe(server.url)
        assert (facts.kind, facts.url, facts.models) == ("openai", f"{server.url}/v1", ())


async def test_a_base_model_behind_tgi_has_no_chat_template() -> None:
    routes = {path: answer for path, answer in stubs.TGI.items() if path != "/chat_tokenize"}
    async with serve(stub(routes)) as server:
        assert "chat" not in (await probe(server.url)).features


async def test_a_key_is_sent_as_it_is_to_be_sent() -> None:
    from pydantic import SecretStr

    async with serve(stub(stubs.VLLM)) as server:
        await probe(server.url, Login(SecretStr("me:secret"), "basic"))
        assert {request.headers["authorization"] for request in server.requests} == {"Basic bWU6c2VjcmV0"}


def test_ollama_gives_a_model_less_than_it_was_trained_for() -> None:
    shown = {"model_info": {"llama.context_length": 131072}, "capabilities": ["completion"]}
    assert read_ollama_model("a", shown, {}).context_length == 4096
    assert read_ollama_model("a", {**shown, "parameters": "num_ctx 9000"}, {}).context_length == 9000
    assert read_ollama_model("a", {**shown, "parameters": "num_ctx 9000"}, {"a": 32768}).context_length == 32768
    assert read_ollama_model("a", {"model_info": {"x.context_length": 2048}}, {}).context_length == 2048


def test_the_router_of_hugging_face_promises_what_every_provider_keeps() -> None:
    providers = [
        {"provider": "a", "status": "live", "context_length": 131072, "supports_tools": True},
        {"provider": "b", "status": "live", "context_length": 32768, "supports_tools": False},
        {"provider": "c", "status": "error", "context_length": 1024},
    ]
    base = "https://router.huggingface.co/v1"
    facts = identify({f"{base}/models": listing(entry("org/model", "org", providers=providers))}, [base], [])
    assert facts is not None
    assert (facts.kind, facts.models) == ("huggingface", (RemoteModel("org/model", 32768, tools=True),))


@pytest.mark.parametrize("odd", [None, 3, "text", [], {}, {"data": 3}, {"data": [3, {"id": 4}]}, {"models": [None]}])
async def test_odd_answers_break_nothing(odd: object) -> None:
    """Whatever a route answers, the rest of what is known stands."""
    routes = {**dict.fromkeys([*stubs.OLLAMA, *stubs.LLAMA_CPP, *stubs.SGLANG, *stubs.TGI], odd), **stubs.VLLM}
    async with serve(stub(routes)) as server:
        assert (await probe(server.url)).models[0].id == "Qwen/Qwen3-4B"


async def test_what_a_server_calls_its_models_can_be_shown_and_chosen() -> None:
    """A name that is a novel, turns its line around or has no letters is left out, and so is what is no length."""
    names = ["good", "a" * 3_000_000, "evil\u202ecod", "line\nline", "\ud800" * 3, ""]
    entries = [
        entry(name, max_model_len=10**400, context_length=length) for name, length in zip(names, range(9), strict=False)
    ]
    many = [entry(f"model-{number}") for number in range(5000)]
    async with serve(
        stub({**stubs.VLLM, "/version": {"version": "v\ud800" * 99}, "/v1/models": listing(*entries, *many)})
    ) as there:
        facts = await probe(there.url)
    assert [model.id for model in facts.models[:4]] == ["good", "???", "model-0", "model-1"]
    assert (len(facts.models), facts.models[0].context_length, facts.version) == (2000, None, None)
    json.dumps(facts.as_json(), ensure_ascii=False).encode()


@pytest.mark.parametrize("tokens", ["9" * 5000, "-1", "1e9", ""])
def test_what_is_no_length_is_not_taken_for_one(tokens: str) -> None:
    shown = {"parameters": f"num_ctx {tokens}", "model_info": {"llama.context_length": 10**300}}
    assert read_ollama_model("x", shown, {}).context_length == 4096


def test_facts_survive_being_written_down() -> None:
    facts = ServerFacts("vllm", "http://a/v1", (RemoteModel("m", 5, tools=True),), "1", FEATURES["vllm"], 7.5)
    assert ServerFacts.from_json(facts.as_json()) == facts
    assert FEATURES.keys() | {"auto"} == KIND_NAMES.keys()


@pytest.mark.parametrize(
    "broken",
    [
        {"learnt_at": 1e300},
        {"learnt_at": math.nan},
        {"learnt_at": -1},
        {"learnt_at": "now"},
        {"version": ["1"]},
        {"models": [{"id": 3}]},
        {"models": [{"id": "\ud800"}]},
        {"models": [{"id": "m", "context_length": 10**400}]},
        {"models": [{"id": "m", "context_length": "x"}]},
        {"models": [{"id": "m", "chat": "yes"}]},
        {"models": [{"id": "m", "tools": []}]},
        {"features": 3},
        {"kind": "fax"},
        {"url": 3},
        {"url": "http://[::1"},
        {"url": "file:///etc/passwd"},
        {"url": "http://169.254.169.254/"},
    ],
)
def test_facts_that_we_did_not_write_are_none(broken: dict[str, object]) -> None:
    facts = ServerFacts("vllm", "http://a/v1", (RemoteModel("m", 4096),), "1", FEATURES["vllm"], 1.5).as_json()
    assert ServerFacts.from_json(facts).models == (RemoteModel("m", 4096),)
    with pytest.raises((ValueError, TypeError, KeyError)):
        ServerFacts.from_json({**facts, **broken})


async def test_a_server_that_answers_everything_at_length_keeps_nobody_waiting() -> None:
    async def handler(request: Request, connection: Connection) -> None:
        await connection.head(kind="application/json")
        while not connection.gone.is_set():
            await connection.send(b" " * 2**16)

    async with serve(handler) as there:
        with pytest.raises(FalconryError) as raised:
            await probe(there.url)
    assert raised.value.code == "endpoint_too_much"


async def test_a_key_in_other_letters_is_for_the_server_to_refuse() -> None:
    async with serve(stub(stubs.VLLM, key="right")) as there:
        with pytest.raises(FalconryError) as raised:
            await probe(there.url, Login(SecretStr("clé")))
    assert raised.value.code == "endpoint_key_refused"


async def test_the_kind_decides_how_sglang_is_asked() -> None:
    """By its sources: `continue_final_message` and `regex` for generating, /tokenize counts messages."""
    counted = {**stubs.SGLANG, "/tokenize": {"tokens": [1, 2, 3], "count": 3, "max_model_len": 32768}}
    async with serve(stub(counted)) as server:
        engine = remote_engine(Endpoint(name="s", url=server.url), 5)
        assert (await engine.count_tokens(HI)).tokens == 3
        begun = [*HI, Message("assistant", "Well")]
        params = SamplingParams(grammar=Grammar("regex", "[ab]+"))
        await text_of(engine, begun, params)
        await engine.aclose()
        (body,) = server.bodies(CHAT)
    assert engine.can_continue
    assert (body["continue_final_message"], body["regex"]) == (True, "[ab]+")


async def test_what_ollama_gives_a_model_is_what_a_conversation_may_have() -> None:
    async with serve(stub(stubs.OLLAMA)) as server:
        engine = remote_engine(Endpoint(name="o", url=f"{server.url}/v1", model="llama3.2:1b"), 5)
        assert await engine.context_length() == 8192
        assert "top_k" not in engine.supports
        await engine.aclose()
