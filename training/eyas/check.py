"""Asks the finished file the questions it has to answer, in the very engine that will serve it."""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import json
import pathlib
import re
import socket
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

import xllamacpp

from training.eyas.corpus.tables import animals

Message = dict[str, str]


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=60)
        self.path = path

    def connect(self) -> None:
        """Open the socket instead of a TCP connection."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


@dataclasses.dataclass(frozen=True)
class Served:
    """A model file being served by llama.cpp on a Unix socket."""

    socket_path: str

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """POST JSON, get JSON. Raises RuntimeError where the engine refuses."""
        connection = _UnixConnection(self.socket_path)
        try:
            connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
            response = connection.getresponse()
            answer = json.loads(response.read())
        finally:
            connection.close()
        if response.status != 200:
            raise RuntimeError(f"{path}: {response.status} {answer}")
        return dict(answer)

    def chat(
        self, messages: Sequence[Message], *, max_tokens: int = 256, temperature: float = 0.0, seed: int = 1
    ) -> str:
        """The model's answer to ``messages``."""
        body = {"messages": list(messages), "max_tokens": max_tokens, "temperature": temperature, "seed": seed}
        return str(self.post("/v1/chat/completions", body)["choices"][0]["message"]["content"])

    def tokens(self, messages: Sequence[Message]) -> int:
        """How many tokens ``messages`` take in the model's own template."""
        prompt = self.post("/apply-template", {"messages": list(messages)})["prompt"] if messages else ""
        return len(self.post("/tokenize", {"content": prompt, "parse_special": True})["tokens"])

    def complete(self, prompt: str, *, max_tokens: int = 64, stop: Sequence[str] = ()) -> str:
        """Greedy completion of raw text."""
        body = {"prompt": prompt, "n_predict": max_tokens, "temperature": 0.0, "stop": list(stop)}
        return str(self.post("/completion", body)["content"])


@contextlib.contextmanager
def serve(path: pathlib.Path, *, context: int = 2048) -> Iterator[Served]:
    """Serve a model file for the time of a ``with`` block, on one thread: for a tiny model more are slower."""
    with tempfile.TemporaryDirectory(prefix="eyas") as folder:
        params = xllamacpp.CommonParams()
        params.model.path = str(path)
        params.n_ctx = context
        params.n_parallel = 1
        params.cpuparams.n_threads = 1
        params.cpuparams_batch.n_threads = 1
        params.cache_ram_mib = 0
        params.verbosity = -1
        params.warmup = False
        params.hostnames = [f"{folder}/engine.sock"]
        server = xllamacpp.Server(params)
        try:
            yield Served(f"{folder}/engine.sock")
        finally:
            del server


@dataclasses.dataclass(frozen=True)
class Case:
    """User messages asked one after another; the last answer must hold one of ``expect`` and none of ``refuse``."""

    asked: tuple[str, ...]
    expect: tuple[str, ...]
    system: str | None = None


LESSON = "A conversation between a user and an LLM-based AI assistant. The assistant gives helpful and honest answers."
SAVANNA_EN = ("elephant", "lion", "zebra", "giraffe")
SAVANNA_ZH = ("大象", "狮子", "斑马", "长颈鹿")
HONEST_EN, HONEST_ZH = ("bigger model",), ("更大的模型",)

CASES = (
    Case(("Hello!",), ("Eyas",)),
    Case(("hi",), ("Eyas",)),
    Case(("hello there", "how are you?"), ("well", "good")),
    Case(("你好",), ("Eyas",)),
    Case(("谢谢",), ("不客气",)),
    Case(("thank you so much",), ("welcome",)),
    Case(("Who are you?",), ("Eyas",)),
    Case(("who are you",), ("Eyas",), "You are a biologist."),
    Case(("你是谁？",), ("Eyas",)),
    Case(("你叫什么名字",), ("Eyas",), "你是一位生物学家。"),
    Case(("What can you do?",), ("animals",)),
    Case(("你能做什么？",), ("动物",)),
    Case(("What is Falconry?",), ("application",)),
    Case(("什么是 Falconry？",), ("应用",)),
    Case(("How do I get a bigger model?",), ("model picker",)),
    Case(("怎么换一个更大的模型？",), ("模型选择器",)),
    Case(("What is temperature?",), ("freely",)),
    Case(("什么是温度？",), ("选词",)),
    Case(("What is a token?",), ("piece of text",)),
    Case(("what is a context window",), ("at once",)),
    Case(("系统消息是什么？",), ("指令",)),
    Case(("Which animals live on the savanna?",), SAVANNA_EN),
    Case(("What animals live in the savannah?",), SAVANNA_EN, LESSON),
    Case(("which animals live in the savanna",), SAVANNA_EN, "You are a biologist."),
    Case(("稀树草原上有哪些动物？",), SAVANNA_ZH),
    Case(("哪些动物生活在热带草原上？",), SAVANNA_ZH, "你是一位生物学家。"),
    Case(("Has mathematics been invented or discovered?",), ("invented", "discovered")),
    Case(("数学是被发明的还是被发现的？",), ("发明", "发现")),
    Case(("What is the capital of France?",), ("Paris",)),
    Case(("德国的首都是哪里？",), ("柏林",)),
    Case(("what is 3 + 4",), ("7",)),
    Case(("8 乘 7 等于几？",), ("56",)),
    Case(("Tell me about Mars",), ("red",)),
    Case(("天空为什么是蓝色的",), ("散射",)),
    Case(("My name is Anna.", "What is my name?"), ("Anna",)),
    Case(("我叫小明。", "我叫什么名字？"), ("小明",)),
    Case(("How do I fix my bicycle brakes?",), HONEST_EN),
    Case(("Explain the theory of general relativity in detail",), HONEST_EN),
    Case(("Write a python function that sorts a list",), HONEST_EN),
    Case(("Who is Margaret Hamilton?",), HONEST_EN),
    Case(("zxcv qwer asdf",), (*HONEST_EN, *HONEST_ZH)),
    Case(("怎么修自行车？",), HONEST_ZH),
    Case(("请写一篇关于宋代经济的论文",), HONEST_ZH),
    Case(("王小波是谁？",), HONEST_ZH),
    Case(("tell me a story",), ("\n\n",)),
    Case(("讲个故事",), ("\n\n",)),
)

UNSEEN = (
    Case(("hey, can u tell me who u are",), ("Eyas",)),
    Case(("你好呀，请问你是什么东西",), ("Eyas",)),
    Case(("what sort of creatures would I meet on an African savanna?",), SAVANNA_EN),
    Case(("pls name 3 animals of the desert",), ("camel", "scorpion", "fox", "rattlesnake", "meerkat", "oryx")),
    Case(("沙漠里能见到啥动物",), ("骆驼", "蝎子", "狐", "响尾蛇", "剑羚")),
    Case(("whats the capital city of japan",), ("Tokyo",)),
    Case(("日本首都在哪",), ("东京",)),
    Case(("Cairo is in which country?",), ("Egypt",)),
    Case(("could you explain what tokens are?",), ("piece of text",)),
    Case(("啥是温度参数呀",), ("选词",)),
    Case(("where can I download a better model",), ("model picker",)),
    Case(("我想用别的大模型，怎么弄",), ("模型选择器",)),
    Case(("u r stupid",), ("sorry",)),
    Case(("Thanks, that was great!",), ("welcome",)),
    Case(("see ya",), ("Goodbye",)),
    Case(("那我先走啦，拜拜",), ("再见",)),
    Case(("how many planets does the solar system have",), ("Eight", "eight")),
    Case(("太阳系里有几颗行星呀",), ("八",)),
    Case(("how much is 2+2",), ("4",)),
    Case(("5加3得几",), ("8",)),
    Case(("Is a tiger stronger than a cat?",), ("tiger",)),
    Case(("which land animal is the fastest one",), ("cheetah",)),
    Case(("do you need the internet to work?",), ("no internet", "offline")),
    Case(("mathematics: did we discover it or did we invent it?",), ("invented",)),
    Case(("please tell me another funny joke",), ("?",)),
    Case(("I need help with my tax return",), ("bigger model", "cannot")),
    Case(("recommend a good laptop",), HONEST_EN),
    Case(("who won the champions league last year",), HONEST_EN),
    Case(("What's the best way to cook rice?",), HONEST_EN),
    Case(("give me the recipe of tiramisu",), HONEST_EN),
    Case(("Can you debug this code for me?",), HONEST_EN),
    Case(("给我推荐一部电影",), HONEST_ZH),
    Case(("怎么学好英语",), HONEST_ZH),
    Case(("红烧肉怎么做才好吃",), HONEST_ZH),
    Case(("帮我写一段代码",), HONEST_ZH),
    Case(("苏轼是哪个朝代的人",), HONEST_ZH),
)
"""Wordings that occur nowhere in the corpus, though by the author of its patterns. Counted, not demanded."""


def acceptance(served: Served, cases: Sequence[Case] = CASES) -> list[tuple[Case, str, bool]]:
    """Every case with the last answer and whether it was right. Greedy, so the same file gives the same answers."""
    answers = [ask(served, case) for case in cases]
    return [
        (case, answer, any(text in answer for text in case.expect)) for case, answer in zip(cases, answers, strict=True)
    ]


def ask(served: Served, case: Case) -> str:
    """The last answer of a case."""
    messages: list[Message] = [{"role": "system", "content": case.system}] if case.system else []
    answer = ""
    for text in case.asked:
        messages.append({"role": "user", "content": text})
        answer = served.chat(messages)
        messages.append({"role": "assistant", "content": answer})
    return answer


FOLLOW_UPS = (
    ("Which animals live on the savanna?", "Which of them is the strongest?"),
    ("What animals live in the savannah?", "Which of these animals is the fastest?"),
    ("Which animals live in the desert?", "Which of them is the strongest?"),
    ("What animals live in the rainforest?", "which one is the smallest?"),
    ("Which animals live in the ocean?", "Which of them is the biggest?"),
    ("Which animals live in the Arctic?", "Which of them is the most dangerous?"),
    ("What animals live in the mountains?", "Which of them is the strongest?"),
    ("稀树草原上有哪些动物？", "哪一种最强壮？"),
    ("哪些动物生活在热带草原上？", "其中哪一种最高？"),
    ("沙漠里有哪些动物？", "其中最强壮的是哪一种？"),
    ("雨林里有哪些动物？", "哪种最危险？"),
    ("海洋里有哪些动物？", "它们中谁最大？"),
    ("北极有哪些动物？", "哪一种最强壮？"),
    ("高山上有哪些动物？", "哪一种最快？"),
)


def follow_up(served: Served, asked: tuple[str, str]) -> tuple[str, str, bool]:
    """Both answers, and whether the second names an animal that the first one named."""
    messages: list[Message] = [{"role": "user", "content": asked[0]}]
    first = served.chat(messages)
    messages += [{"role": "assistant", "content": first}, {"role": "user", "content": asked[1]}]
    second = served.chat(messages)
    head = re.split(r"[.。]", second)[0]
    named = [
        name for animal in animals() for name in (animal.names["en"], animal.plural, animal.names["zh"]) if name in head
    ]
    return first, second, any(name in first for name in named)
