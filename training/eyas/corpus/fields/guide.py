"""The guide to Falconry: pages, buttons, commands, settings, options, shortcuts, and what to do when."""

from __future__ import annotations

import random

from training.eyas.corpus.fields.asking import (
    Talk,
    Turn,
    beyond_talk,
    big,
    frame,
    help_talk,
    other,
    said,
    typed,
    went_on,
)
from training.eyas.corpus.grammar import Lang
from training.eyas.corpus.tables import rows

FRAMES = "guide_frames"


def question(heading: str, lang: Lang, rng: random.Random, **slots: str) -> str:
    """A question about a row, as somebody types it."""
    return typed(frame(heading, lang, rng, FRAMES, **slots), lang, rng)


def third(infinitive: str) -> str:
    """ "start the server" as what something does: "starts the server"."""
    verb, _, rest = infinitive.partition(" ")
    return f"{verb}{'es' if verb.endswith(('ch', 'sh', 'ss')) else 's'} {rest}".strip()


def go_on(turns: list[Turn], answers: dict[Lang, str], more: list[Turn], lang: Lang, rng: random.Random) -> list[Turn]:
    """``turns`` with a follow-up now and then: one of ``more``, or something that fits any answer."""
    if rng.random() > 0.4:
        return turns
    kind = rng.choice(("more", "more", "more", "sure", "doubt", "translate", "again", "thanks"))
    if kind == "more" and more:
        turns.append(rng.choice(more))
    elif kind in ("sure", "doubt"):
        turns.append((went_on(kind, lang, rng), said(kind, lang, s=answers[lang])))
    elif kind == "translate":
        turns.append((went_on(kind, lang, rng), answers[other(lang)]))
    elif kind == "again":
        turns.append((went_on(kind, lang, rng), answers[lang]))
    else:
        turns.append((went_on("thanks", lang, rng), said("thanks", lang)))
    return turns


def also(name: str, answer: str, lang: Lang, rng: random.Random) -> Turn:
    """ "And …?" about another row."""
    text = frame("and this", lang, rng, FRAMES, n=name)
    return big(text) if rng.random() < 0.5 else text, answer


def judged(name: str, right: str, wrong: str, answer: str, lang: Lang, rng: random.Random) -> Turn:
    """A claim about what a row is for, and the judgement."""
    true = rng.random() < 0.5
    asked = question("claim command", lang, rng, n=name, v=right if true else wrong)
    word = {"en": ("Yes: ", "No: "), "zh": ("对：", "不对：")}[lang][not true]
    return asked, word + answer


def command_answer(row: list[str], lang: Lang) -> str:
    """What a command is for, in a sentence."""
    return f"`{row[0]}` is there to {row[1]}." if lang == "en" else f"`{row[0]}` 用来{row[2]}。"


def commands(lang: Lang, rng: random.Random) -> list[Turn]:
    """What a command does, and which command does something."""
    table = rows("guide_commands")
    row, second = rng.sample(table, 2)
    answers: dict[Lang, str] = {"en": command_answer(row, "en"), "zh": command_answer(row, "zh")}
    column = 1 if lang == "en" else 2
    draw = rng.random()
    if draw < 0.42:
        turns = [(question("command what", lang, rng, n=row[0]), answers[lang])]
    elif draw < 0.84:
        for spoken in answers:
            end = f"Run `{row[0]}` to {row[1]}." if spoken == "en" else f"要{row[2]}，请运行 `{row[0]}`。"
            answers[spoken] = end
        turns = [(question("command which", lang, rng, v=row[column]), answers[lang])]
    else:
        turns = [judged(row[0], row[column], second[column], answers[lang], lang, rng)]
    example = f"For example: `{row[3]}`" if lang == "en" else f"例如：`{row[3]}`"
    more = [(went_on("example", lang, rng), example), also(second[0], command_answer(second, lang), lang, rng)]
    return go_on(turns, answers, more, lang, rng)


def flags(lang: Lang, rng: random.Random) -> list[Turn]:
    """The options of commands."""
    flag, command, en, zh = rng.choice(rows("guide_flags"))
    answers: dict[Lang, str] = {
        "en": f"`{flag}` {third(en)}: `{command} {flag}`.",
        "zh": f"`{flag}` 用来{zh}：`{command} {flag}`。",
    }
    heading = rng.choice(("flag what", "flag which"))
    asked = question(heading, lang, rng, n=flag, c=command, v=en if lang == "en" else zh)
    return go_on([(asked, answers[lang])], answers, [], lang, rng)


def setting_answer(row: list[str], lang: Lang) -> str:
    """What a setting does, with its default."""
    if lang == "en":
        return f"The setting `{row[0]}` is there to {row[4]}. Default: {row[2]}."
    return f"设置 `{row[0]}` 用来{row[5]}，默认：{row[3]}。"


def settings(lang: Lang, rng: random.Random) -> list[Turn]:
    """What a setting does, its default and variable, and which setting does something."""
    row, second = rng.sample(rows("guide_settings"), 2)
    name, variable = row[0], row[1]
    answers: dict[Lang, str] = {"en": setting_answer(row, "en"), "zh": setting_answer(row, "zh")}
    default: dict[Lang, str] = {"en": f"The default of `{name}` is {row[2]}.", "zh": f"`{name}` 的默认值：{row[3]}。"}
    by: dict[Lang, str] = {
        "en": f"The environment variable of `{name}` is `{variable}`.",
        "zh": f"`{name}` 的环境变量是 `{variable}`。",
    }
    draw = rng.random()
    column = 4 if lang == "en" else 5
    if draw < 0.4:
        turns = [(question("setting what", lang, rng, n=name, e=variable), answers[lang])]
    elif draw < 0.66:
        turns = [(question("setting which", lang, rng, v=row[column]), answers[lang])]
    elif draw < 0.78:
        turns, answers = [(question("setting default", lang, rng, n=name), default[lang])], default
    elif draw < 0.88:
        turns, answers = [(question("setting env", lang, rng, n=name), by[lang])], by
    else:
        turns = [judged(name, row[column], second[column], answers[lang], lang, rng)]
    asked = {
        "en": (
            rng.choice(("and the default?", "what is its default?", "default?", "and by default?")),
            rng.choice(("and the environment variable?", "which variable is that?", "and as a variable?")),
        ),
        "zh": (
            rng.choice(("默认值呢？", "默认是多少？", "那默认值是什么")),
            rng.choice(("环境变量呢？", "对应的环境变量是什么？", "用环境变量怎么设")),
        ),
    }[lang]
    more = [(asked[0], default[lang]), (asked[1], by[lang]), also(second[0], setting_answer(second, lang), lang, rng)]
    return go_on(turns, answers, more, lang, rng)


def params(lang: Lang, rng: random.Random) -> list[Turn]:
    """The options at the right of the chat page: what each does, higher and lower, off, and where it is."""
    table = rows("guide_params")
    row, second = rng.sample(table, 2)
    names = {"en": row[0].split(";"), "zh": row[1].split(";")}
    name = rng.choice(names[lang][1:] if lang == "en" else names[lang])
    bare = name.removeprefix("the ")

    def what(row: list[str], lang: Lang) -> str:
        first = row[0 if lang == "en" else 1].split(";")[0]
        return f"{first} {row[2]}." if lang == "en" else f"{first}{row[3]}。"

    def turn(kind: str, lang: Lang) -> Turn:
        shown = names[lang][0]
        if kind == "what":
            return question("param what", lang, rng, n=name), what(row, lang)
        if kind == "off":
            return question("param off", lang, rng, n=name), row[6 if lang == "en" else 9]
        if kind == "where":
            end = (
                f"{shown} is in the options at the right of the chat page (Alt+Shift+O)."
                if lang == "en"
                else f"{shown}在聊天页面右侧的选项里（Alt+Shift+O）。"
            )
            return question("param where", lang, rng, n=name), end.replace("sequences is", "sequences are").replace(
                "tokens is", "tokens is"
            )
        at = {("higher", "en"): 4, ("lower", "en"): 5, ("higher", "zh"): 7, ("lower", "zh"): 8}[kind, lang]
        if lang == "en":
            return question(
                f"param {kind}", lang, rng, n=bare
            ), f"With a {kind} {shown[:1].lower() + shown[1:]}, {row[at]}."
        return question(
            f"param {kind}", lang, rng, n=name
        ), f"{shown}调{'高' if kind == 'higher' else '低'}后，{row[at]}。"

    kinds = ["what", "what", "what", "off", "where", "where"] + ["higher", "higher", "lower", "lower"] * bool(row[4])
    kind = rng.choice(kinds)
    turns = [turn(kind, lang)]
    answers: dict[Lang, str] = {one: turns[0][1] if one == lang else turn(kind, one)[1] for one in ("en", "zh")}
    more = [also((second[0] if lang == "en" else second[1]).split(";")[0], what(second, lang), lang, rng)]
    if row[4]:
        up = {"en": ("and higher?", "and if I raise it?", "higher?"), "zh": ("调高会怎样？", "那调高呢？", "大一点呢")}[
            lang
        ]
        down = {"en": ("and lower?", "and if I lower it?", "lower?"), "zh": ("调低会怎样？", "那调低呢？", "小一点呢")}[
            lang
        ]
        more += [(rng.choice(up), turn("higher", lang)[1]), (rng.choice(down), turn("lower", lang)[1])]
    where = {
        "en": ("where is it?", "where do I find it?", "and where?"),
        "zh": ("在哪里？", "在哪儿设置？", "哪里能找到？"),
    }[lang]
    more.append((rng.choice(where), turn("where", lang)[1]))
    return go_on(turns, answers, more, lang, rng)


def keys(lang: Lang, rng: random.Random) -> list[Turn]:
    """Keyboard shortcuts."""
    row, second = rng.sample(rows("guide_keys"), 2)
    name = rng.choice((row[0] if lang == "en" else row[3]).split(";"))
    shown = {"en": row[0].split(";")[0], "zh": row[3].split(";")[0]}
    answers: dict[Lang, str] = {"en": f"{shown['en']} is the key to {row[1]}.", "zh": f"{shown['zh']}用来{row[2]}。"}
    draw = rng.random()
    if draw < 0.42:
        turns = [(question("key what", lang, rng, n=name), answers[lang])]
    elif draw < 0.86:
        what = row[1].split(", or ")[0].split(",")[0] if lang == "en" else row[2].split("，")[0].split("（")[0]
        answers = {"en": f"Press {shown['en']} to {row[1]}.", "zh": f"按{shown['zh']}可以{row[2]}。"}
        turns = [(question("key which", lang, rng, v=what), answers[lang])]
    else:
        column = 1 if lang == "en" else 2
        turns = [judged(name, row[column], second[column], answers[lang], lang, rng)]
    second_name = (second[0] if lang == "en" else second[3]).split(";")[0]
    ended = f"{second_name} is the key to {second[1]}." if lang == "en" else f"{second_name}用来{second[2]}。"
    return go_on(turns, answers, [also(second_name, ended, lang, rng)], lang, rng)


def buttons(lang: Lang, rng: random.Random) -> list[Turn]:
    """What a button does, and where it is."""
    row, second = rng.sample(rows("guide_buttons"), 2)
    name = row[0] if lang == "en" else row[1]
    does: dict[Lang, str] = {"en": f'"{row[0]}" {row[2]}.', "zh": f"点“{row[1]}”会{row[3]}。"}
    stands: dict[Lang, str] = {"en": f'"{row[0]}" is {row[4]}.', "zh": f"“{row[1]}”{row[5]}。"}
    stands["en"] = stands["en"].replace("is shortly", "appears shortly")
    spoken = name
    if rng.random() < 0.06:
        spoken = row[1] if lang == "en" else row[0]
    if rng.random() < 0.6:
        turns, answers = [(question("button what", lang, rng, n=spoken), does[lang])], does
        asked = {
            "en": ("where is it?", "and where do I find it?", "where?"),
            "zh": ("在哪里？", "它在哪儿？", "在什么地方"),
        }[lang]
        more = [(rng.choice(asked), stands[lang])]
    else:
        turns, answers = [(question("button where", lang, rng, n=spoken), stands[lang])], stands
        asked = {
            "en": ("and what does it do?", "what is it for?", "what happens then?"),
            "zh": ("它是干什么的？", "有什么用？", "点了会怎样？"),
        }[lang]
        more = [(rng.choice(asked), does[lang])]
    end = f'"{second[0]}" {second[2]}.' if lang == "en" else f"点“{second[1]}”会{second[3]}。"
    more.append(also(f'"{second[0]}"' if lang == "en" else f"“{second[1]}”", end, lang, rng))
    return go_on(turns, answers, more, lang, rng)


def personas(lang: Lang, rng: random.Random) -> list[Turn]:
    """The personas that come with Falconry, and the pages."""
    if rng.random() < 0.35:
        return pages(lang, rng)
    row, second = rng.sample(rows("guide_personas"), 2)
    answers: dict[Lang, str] = {
        "en": f"The persona {row[0]} ({row[1]}) is for {row[3]}.",
        "zh": f"角色“{row[2]}”（@{row[2]}）用于{row[4]}。",
    }
    if rng.random() < 0.5:
        asked = question("persona who", lang, rng, n=row[0] if lang == "en" else row[2], h=row[1])
    else:
        asked = question(
            "persona which", lang, rng, v=(row[3] if lang == "en" else row[4]).split(", with")[0].split("，")[0]
        )
    end = (
        f"The persona {second[0]} ({second[1]}) is for {second[3]}."
        if lang == "en"
        else f"角色“{second[2]}”（@{second[2]}）用于{second[4]}。"
    )
    return go_on(
        [(asked, answers[lang])], answers, [also(second[0] if lang == "en" else second[2], end, lang, rng)], lang, rng
    )


def pages(lang: Lang, rng: random.Random) -> list[Turn]:
    """The pages of Falconry, and where they are."""
    row = rng.choice(rows("guide_pages"))
    answers: dict[Lang, str] = {
        "en": f"{row[0]}, {row[4]}, is the page {row[2]}.",
        "zh": f"“{row[1]}”页面{row[5]}，{row[3]}。",
    }
    asked = question("page what", lang, rng, n=row[0] if lang == "en" else row[1])
    return go_on([(asked, answers[lang])], answers, [], lang, rng)


def memory(lang: Lang, rng: random.Random) -> list[Turn]:
    """Which models fit into how much memory, roughly."""
    row, second = rng.sample(rows("guide_memory"), 2)

    def fits(row: list[str], lang: Lang) -> str:
        if lang == "en":
            return (
                f"With {row[0]} GB of memory, models of up to about {row[1]} billion parameters fit in four bits "
                f"(Q4_K_M), for example {row[2]}. The Models page shows what fits your machine."
            )
        return (
            f"{row[0]} GB 内存大约能放下四位量化（Q4_K_M）的 {row[1]}0 亿参数模型，例如 {row[3]}。"
            "“模型”页面会显示本机放得下哪些。"
        )

    answers: dict[Lang, str] = {"en": fits(row, "en"), "zh": fits(row, "zh")}
    turns = [(question("memory", lang, rng, m=row[0]), answers[lang])]
    asked = frame("and memory", lang, rng, FRAMES, m=second[0])
    return go_on(turns, answers, [(asked, fits(second, lang))], lang, rng)


def invented(lang: Lang, rng: random.Random) -> list[Turn]:
    """Commands and settings that do not exist."""
    names = (
        "install",
        "update",
        "upgrade",
        "fly",
        "config",
        "login",
        "start",
        "stop",
        "train",
        "backup",
        "plugins",
        "cloud",
        "sync",
        "image",
        "voice",
        "agents",
        "web",
        "reset",
        "uninstall",
        "monitor",
    )
    if rng.random() < 0.5:
        name = f"falconry {rng.choice(names)}"
        asked = question("command what", lang, rng, n=name)
        answer = (
            f"I know no command `{name}`. `falconry --help` lists all commands."
            if lang == "en"
            else f"我不知道有 `{name}` 这个命令。`falconry --help` 会列出全部命令。"
        )
    else:
        name = rng.choice(
            (
                "auto_update",
                "max_users",
                "color_theme",
                "dark_mode",
                "gpu_layers",
                "beam_size",
                "voice_mode",
                "plugin_dir",
                "font_size",
                "proxy_url",
                "backup_days",
                "cloud_sync",
                "smtp_host",
                "image_size",
                "chat_speed",
                "secret_mode",
                "turbo",
                "email_alerts",
            )
        )
        asked = question("setting what", lang, rng, n=name, e=f"FALCONRY_{name.upper()}")
        answer = (
            f"I know no setting `{name}`. All settings stand in docs/settings.md."
            if lang == "en"
            else f"我不知道有 `{name}` 这个设置。全部设置都写在 docs/settings.md 里。"
        )
    if rng.random() < 0.25:
        return [(asked, answer), (went_on("thanks", lang, rng), said("thanks", lang))]
    return [(asked, answer)]


TALKS: tuple[tuple[Talk, float], ...] = (
    (help_talk("guide"), 46),
    (commands, 9),
    (flags, 4),
    (settings, 9),
    (params, 9),
    (keys, 5),
    (buttons, 9),
    (personas, 4),
    (memory, 2.5),
    (invented, 3),
    (beyond_talk("guide_beyond"), 7),
)
"""What is asked about Falconry, and how often, as weights."""
