"""The field of animals: right, complete, the same for the same seed, and asked in many ways."""

from __future__ import annotations

import random
import re

import pytest

from training.eyas.corpus.fields import animals, beasts
from training.eyas.corpus.fields.animals import TALKS
from training.eyas.corpus.fields.beasts import ATTRIBUTES, Beast, Named, by_name, kinds, members, places
from training.eyas.corpus.grammar import Lang, parse
from training.eyas.corpus.tables import faq

LANGS: tuple[Lang, Lang] = ("en", "zh")


def draw(lang: Lang, count: int, seed: int = 1) -> list[list[tuple[str, str]]]:
    rng = random.Random(seed)
    talks, weights = [talk for talk, _ in TALKS], [weight for _, weight in TALKS]
    return [rng.choices(talks, weights)[0](lang, rng) for _ in range(count)]


def plain(name: str, lang: Lang = "en") -> Named:
    return animals.first_name(by_name()[name], lang)


@pytest.mark.parametrize("lang", LANGS)
def test_the_same_seed_gives_the_same_talks(lang: Lang) -> None:
    assert draw(lang, 60) == draw(lang, 60)
    assert draw(lang, 60) != draw(lang, 60, seed=2)


@pytest.mark.parametrize("lang", LANGS)
def test_no_slot_is_left_and_every_turn_says_something(lang: Lang) -> None:
    for turns in draw(lang, 1000):
        for text in (text for turn in turns for text in turn):
            assert text.strip()
            assert not re.search(r"\{\w*\}|None(?! of)|\|", text), text


@pytest.mark.parametrize("lang", LANGS)
def test_answers_are_in_the_language_of_the_talk(lang: Lang) -> None:
    for turns in draw(lang, 600):
        for _, answer in turns:
            han = len(re.findall("[一-鿿]", answer))
            assert (
                (han > 1 or "：" in answer)
                if lang == "zh"
                else han < len(answer) / 2 or answer.startswith("In Chinese")
            ), answer


@pytest.mark.parametrize("lang", LANGS)
def test_questions_hardly_repeat(lang: Lang) -> None:
    asked = [question for turns in draw(lang, 5000) for question, _ in turns]
    assert len(set(asked)) >= 0.8 * len(asked)


@pytest.mark.parametrize("lang", LANGS)
def test_many_talks_go_on(lang: Lang) -> None:
    assert sum(len(turns) > 1 for turns in draw(lang, 1000)) > 350


def test_every_animal_and_every_record_is_reached() -> None:
    said = " ".join(text for lang in LANGS for turns in draw(lang, 6000, 3) for turn in turns for text in turn)
    assert [beast.key for beast in beasts.beasts() if beast.key not in said and beast.names["zh"][0] not in said] == []
    assert [name for name, entry in faq("animals2_more").items() if entry.answers["en"][0] not in said] == []


@pytest.mark.parametrize("name", ["animals2", "animals2_it", "animals2_more", "animals2_qualities"])
def test_every_pattern_can_be_read(name: str) -> None:
    for entry in faq(name).values():
        for texts in (*entry.questions.values(), *entry.topics.values()):
            for text in texts:
                assert parse(text)


def test_tables_are_whole() -> None:
    everything = beasts.beasts()
    assert len(everything) > 350
    assert len({name for beast in everything for name in beast.names["en"]}) == sum(
        len(b.names["en"]) for b in everything
    )
    assert len({name for beast in everything for name in beast.names["zh"]}) == sum(
        len(b.names["zh"]) for b in everything
    )
    for beast in everything:
        assert beast.facts["en"][0].isupper(), beast.key
        assert not beast.facts["en"].endswith("."), beast.key
        assert not beast.facts["zh"].endswith("。"), beast.key
        assert set(beast.foods) <= set(beasts.foods()), beast.key
        assert set(beast.places) <= {*places(), "bamboo"}, beast.key
        assert set(beast.regions) <= {*places(), *beasts.REGIONS, "oceans"}, beast.key
        assert beast.strength is None or 0 < beast.strength <= 100
    for key, names in [(key, entry.heads) for table in (places(), kinds()) for key, entry in table.items()]:
        for head in (by_name()[name] for name in names):
            assert head.strength is not None or head.key == "coral", head.key
            assert key in (head.letter, head.group, *head.places, *head.regions), (key, head.key)


def test_the_first_animals_of_a_trait_have_it() -> None:
    for key, (_, group) in animals.traits().items():
        for beast in group:
            assert animals.TRAITS[key](beast) if key in animals.TRAITS else key in beast.foods, (key, beast.key)


@pytest.mark.parametrize(
    ("key", "quality", "best"),
    [
        ("savanna", "strength", "elephant"),
        ("savanna", "speed", "cheetah"),
        ("savanna", "height", "giraffe"),
        ("savanna", "danger", "lion"),
        ("desert", "strength", "camel"),
        ("rainforest", "strength", "gorilla"),
        ("ocean", "weight", "blue whale"),
        ("arctic", "strength", "polar bear"),
        ("mountains", "strength", "yak"),
        ("forest", "strength", "brown bear"),
        ("river", "strength", "hippo"),
        ("farm", "strength", "horse"),
        ("africa", "strength", "elephant"),
        ("china", "strength", "tiger"),
    ],
)
def test_the_first_animals_of_a_place_have_a_clear_winner(key: str, quality: str, best: str) -> None:
    winner = animals.winner(quality, members(key)[:6])
    assert winner is not None
    assert winner.key == best


@pytest.mark.parametrize(
    ("name", "attribute", "expected"),
    [
        ("elephant", "home", "Elephants live on the savanna, in Africa."),
        (
            "wolf",
            "home",
            "Wolves live in the forest, in the Arctic and in the mountains, in Europe, Asia and North America.",
        ),
        ("giant panda", "food", "Giant pandas eat bamboo."),
        ("lion", "diet", "Lions are carnivores: they eat zebras, antelopes and buffaloes."),
        ("blue whale", "weight", "A blue whale weighs about 140 tonnes."),
        ("cheetah", "speed", "A cheetah can run at about 110 kilometres per hour."),
        ("peregrine falcon", "speed", "A peregrine falcon can fly at about 320 kilometres per hour in a dive."),
        ("golden eagle", "size", "A golden eagle has a wingspan of about 2.1 metres and weighs about 5 kilograms."),
        ("giraffe", "length", "A giraffe is about 5 metres tall."),
        ("spider", "legs", "A spider has 8 legs."),
        ("octopus", "legs", "An octopus has no legs, but 8 arms."),
        ("snake", "legs", "A snake has no legs."),
        ("dolphin", "class", "The dolphin is a mammal."),
        ("peregrine falcon", "young", "A young peregrine falcon is called an eyas."),
    ],
)
def test_attributes_are_right(name: str, attribute: str, expected: str) -> None:
    assert ATTRIBUTES[attribute][0](plain(name), "en") == expected


@pytest.mark.parametrize(
    ("name", "attribute", "expected"),
    [
        ("elephant", "home", "大象生活在非洲的稀树草原上。"),
        ("octopus", "home", "章鱼生活在海洋里。"),
        ("tiger", "home", "老虎生活在森林和雨林里，分布在亚洲（包括中国）。"),
        ("giant panda", "food", "大熊猫吃竹子。"),
        ("cheetah", "speed", "猎豹的时速约 110 公里。"),
        ("bat", "class", "蝙蝠是哺乳动物。"),
    ],
)
def test_attributes_are_right_in_chinese(name: str, attribute: str, expected: str) -> None:
    assert ATTRIBUTES[attribute][0](plain(name, "zh"), "zh") == expected


@pytest.mark.parametrize(
    ("test", "yes", "no"),
    [
        (beasts.flies, "bat,eagle,bee,owl,duck", "penguin,ostrich,emu,kiwi,dog,cobra"),
        (
            beasts.lays_eggs,
            "platypus,echidna,chicken,crocodile,frog,king cobra",
            "blue whale,bat,dolphin,anaconda,scorpion",
        ),
        (beasts.dangerous, "polar bear,crocodile,lion,black mamba,box jellyfish", "sheep,butterfly,koala"),
        (beasts.plants, "giraffe,koala,cow,manatee,panda", "lion,pig,bear,orca"),
        (beasts.meat, "lion,orca,owl,snake", "cow,pig,gorilla"),
        (beasts.swims, "otter,salmon,penguin,hippo", "gorilla,butterfly"),
        (beasts.nightly, "owl,hedgehog,bat", "cheetah,squirrel"),
    ],
)
def test_yes_and_no(test: animals.Value, yes: str, no: str) -> None:
    for names, expected in ((yes, True), (no, False)):
        for name in names.split(","):
            if name in by_name():
                assert test(by_name()[name]) is expected, name


def test_kinds() -> None:
    def kin(name: str, key: str) -> bool | None:
        return beasts.kin(by_name()[name], key)

    assert kin("whale", "m")
    assert kin("whale", "f") is False
    assert kin("koala", "bear") is False
    assert kin("spider", "i") is False
    assert kin("owl", "raptor") is None
    assert beasts.kind_answer(plain("koala"), "bear", "en", False) == "No, the koala is not a bear: it is a marsupial."
    assert beasts.kind_answer(plain("dolphin", "zh"), "f", "zh", False) == "不是，海豚不是鱼类，而是哺乳动物。"


@pytest.mark.parametrize("lang", LANGS)
def test_winners_stand_in_the_list_before(lang: Lang) -> None:
    rng = random.Random(4)
    pattern = r"^The (.+) is the \S+(?: dangerous)? of them" if lang == "en" else r"^其中最.{1,2}的是(.+?)(，|。)"
    checked = 0
    for _ in range(400):
        turns = animals.list_talk(lang, rng)
        for _, answer in turns[1:]:
            if best := re.search(pattern, answer):
                beast: Beast = next(one for one in beasts.beasts() if one.names[lang][0] == best[1])
                assert any(beast.many(lang) in said for _, said in turns[:-1]), turns
                checked += 1
    assert checked > 100
