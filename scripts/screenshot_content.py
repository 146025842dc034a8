"""What the screenshots show: conversations in both languages, written by us, so that they are the same every time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from falconry.i18n import Language


@dataclass(frozen=True)
class Shown:
    """A conversation: its title, how long ago it was, its turns, and where it stands in the list."""

    title: str
    ago: timedelta
    turns: tuple[tuple[str, str], ...]
    pinned: bool = False
    folder: str | None = None


DIVE = """A peregrine in a hunting dive, a **stoop**, passes 300 km/h: no other animal is faster. Without air, a fall \
from a height $h$ would end at

$$v = \\sqrt{2 g h}$$

Here is what that comes to:

```python
from math import sqrt

def dive_speed(height: float, g: float = 9.81) -> float:
    "Speed at the end of a fall, in km/h, if there were no air."
    return 3.6 * sqrt(2 * g * height)

print(f"{dive_speed(600):.0f} km/h")  # 391 km/h
```

Air slows every fall, so a peregrine needs *more* than 600 metres, and a shape like a drop."""

DIVE_ZH = r"""游隼捕猎时的俯冲速度超过每小时 300 公里，是世界上最快的动物。如果没有空气，从高度 $h$ 落下的末速度为

$$v = \sqrt{2 g h}$$

用几行代码算一算：

```python
from math import sqrt

def dive_speed(height: float, g: float = 9.81) -> float:
    "没有空气阻力时的末速度，单位 km/h"
    return 3.6 * sqrt(2 * g * height)

print(f"{dive_speed(600):.0f} km/h")  # 391 km/h
```

空气会让下落变慢，所以游隼需要**更高**的起点，以及水滴一样的身形。"""

SKY = "Why is the sky blue, and the evening sky red? Three sentences, please."
ANSWERS = {
    "falcon3-7b-instruct": """Sunlight holds all colours, and the molecules of the air scatter short waves far \
more than long ones: by the **fourth power** of the wavelength.

So blue light reaches your eye from everywhere in the sky, while red comes straight from the sun.

In the evening the light travels through so much air that most of the blue is scattered away, and *red* is left.""",
    "qwen3-8b": """The sky is blue because of **Rayleigh scattering**:

- blue light (450 nm) is scattered about four times as strongly as red (650 nm),
- what is scattered comes from all directions,
- and at sunset the way through the air is up to forty times as long, which leaves the red.""",
}
HOURS, DAYS = timedelta(hours=1), timedelta(days=1)
NOTHING = timedelta(minutes=2)

CONVERSATIONS: dict[Language, tuple[Shown, ...]] = {
    "en": (
        Shown(
            "How fast a peregrine dives",
            NOTHING,
            (("How fast does a peregrine falcon dive, and can I estimate that myself?", DIVE),),
        ),
        Shown(
            "A week in Kyoto in November",
            3 * HOURS,
            (
                (
                    "We have a week in Kyoto in November. What should we not miss?",
                    "Begin at Kiyomizu-dera, the temple of *pure water*, at seven, before the buses come.",
                ),
            ),
            pinned=True,
        ),
        Shown(
            "Retry loop with back-off",
            DAYS + HOURS,
            (("Why does my retry loop flood the server?", "Because all clients wait for the same time."),),
        ),
        Shown(
            "Sourdough without a scale",
            2 * DAYS,
            (
                (
                    "I have no scale. Can I still bake sourdough?",
                    "Yes. One cup of water to two and a half cups of flour is close to 70 % hydration.",
                ),
            ),
        ),
        Shown(
            "A letter to the landlord",
            4 * DAYS,
            (
                (
                    "Make this letter about the water damage shorter and friendlier.",
                    "“Since Monday water has been coming through the kitchen ceiling. Could you send somebody?”",
                ),
            ),
        ),
        Shown(
            "The Krebs cycle, slowly",
            5 * DAYS,
            (
                (
                    "Where does the water in cellular respiration come from?",
                    "From the very end of it: oxygen takes up the electrons, and with protons it becomes **water**.",
                ),
            ),
            folder="Biology",
        ),
        Shown("Why cats purr", 6 * DAYS, (("Why do cats purr?", "Nobody knows for sure."),), folder="Biology"),
        Shown("Tang poems about autumn", 12 * DAYS, (("Which Tang poems are about autumn?", "Du Fu wrote eight."),)),
    ),
    "zh": (
        Shown("游隼俯冲有多快", NOTHING, (("游隼俯冲的速度有多快？我能自己估算吗？", DIVE_ZH),)),
        Shown(
            "十一月去京都玩一周",
            3 * HOURS,
            (("十一月在京都有一周，不能错过什么？", "早上七点去清水寺。"),),
            pinned=True,
        ),
        Shown("带退避的重试循环", DAYS + HOURS, (("为什么我的重试会压垮服务器？", "因为所有客户端等的时间一样长。"),)),
        Shown("没有秤怎么做酸面包", 2 * DAYS, (("没有秤也能做酸面包吗？", "可以，一杯水配两杯半面粉。"),)),
        Shown("给房东的一封信", 4 * DAYS, (("请把这封关于漏水的信改短一些。", "周一以来厨房天花板一直漏水。"),)),
        Shown("慢慢讲三羧酸循环", 5 * DAYS, (("细胞呼吸里的水从哪里来？", "来自最后一步。"),), folder="生物"),
        Shown("猫为什么打呼噜", 6 * DAYS, (("猫为什么打呼噜？", "没有人确切知道。"),), folder="生物"),
        Shown("写秋天的唐诗", 12 * DAYS, (("哪些唐诗写秋天？", "杜甫有《秋兴八首》。"),)),
    ),
}
