"""Short reviews: "We tried the soup. It was wonderful. The waiter was kind."."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from askwell.tasks.bundled.family import Family, Skill

OPENINGS = {
    "food": (
        "We tried the {}.",
        "I ordered the {}.",
        "For dinner we had the {}.",
        "My friend chose the {}.",
    ),
    "film": ("We watched the {}.", "I saw the {} last night.", "On Friday we went to the {}."),
    "hotel": ("We stayed in the {}.", "I booked the {}.", "We spent two nights in the {}."),
    "book": ("I read the {}.", "My sister gave me the {}.", "I finished the {} yesterday."),
    "phone": ("I bought the {}.", "I have used the {} for a month.", "My son wanted the {}."),
}
NOUNS = {
    "food": ("soup", "pizza", "salad", "curry", "steak", "cake", "pasta", "burger"),
    "film": ("comedy", "thriller", "documentary", "drama", "musical", "cartoon"),
    "hotel": ("suite", "double room", "guest house", "cabin", "single room", "lodge"),
    "book": ("novel", "biography", "poems", "short stories", "memoir", "diary"),
    "phone": ("handset", "smartphone", "touch screen", "mobile", "new device", "charger"),
}
OPINIONS = {
    1: ("terrible", "awful", "horrible", "dreadful"),
    2: ("poor", "weak", "disappointing", "dull"),
    4: ("good", "nice", "pleasant", "enjoyable"),
    5: ("wonderful", "superb", "fantastic", "perfect"),
}
FRAMES = ("It was {}.", "I found it {}.", "It turned out {}.", "All in all it was {}.", "Honestly, {}.")
STAFF = (
    "The waiter was kind.",
    "The manager smiled at us.",
    "The waiter forgot us.",
    "The cashier was rude.",
    "The clerk answered my questions.",
    "A waitress helped me.",
    "The receptionist was tired.",
    "The assistant talked too much.",
)
UNRELATED = (
    "It rained all day.",
    "I came with my family.",
    "The price was normal.",
    "The street is loud.",
    "I will tell my friends.",
    "We took the bus.",
    "It was a Monday.",
    "Parking was hard.",
    "My brother was late.",
    "The lights were low.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """The facts of a review that its questions ask about."""

    topic: str
    stars: int
    staff: bool
    opinion: str
    text: str


def _draw(rng: Random) -> Review:
    """Draw an opening and an opinion, often with a sentence on the staff and unrelated sentences, in random order."""
    topic = rng.choice(tuple(OPENINGS))
    stars = rng.choice(tuple(OPINIONS))
    opinion = rng.choice(OPINIONS[stars])
    staff = rng.random() < 0.5
    rest = [rng.choice(FRAMES).format(opinion)]
    rest += [rng.choice(STAFF)] if staff else []
    rest += rng.sample(UNRELATED, rng.choice((0, 1, 1, 2)))
    rng.shuffle(rest)
    opening = rng.choice(OPENINGS[topic]).format(rng.choice(NOUNS[topic]))
    return Review(topic=topic, stars=stars, staff=staff, opinion=opinion, text=" ".join([opening, *rest]))


def sentiment(review: Review) -> str:
    """Return whether the opinion is positive or negative."""
    return "positive" if review.stars > 3 else "negative"


def _staff(review: Review) -> str:
    return "yes" if review.staff else "no"


def _prior_log_odds(review: Review) -> Mapping[str, float]:
    """Return which task the review itself suggests."""
    return {
        "review_sentiment": 1.0 if review.stars in (2, 4) else -0.2,
        "review_topic": 0.8 if review.topic in ("hotel", "film") else -0.2,
        "review_staff": 1.2 if review.staff else -0.8,
        "review_stars": 1.2 if review.stars in (1, 5) else -0.4,
    }


FAMILY: Family[Review] = Family(
    name="reviews",
    draw=_draw,
    to_text=lambda review: review.text,
    prior_log_odds=_prior_log_odds,
    skills=(
        Skill(
            name="review_sentiment",
            answer=sentiment,
            working=lambda r: f"The writer says {r.opinion}",
        ),
        Skill(
            name="review_topic",
            answer=lambda r: r.topic,
            working=lambda r: f"The review begins with a {r.topic}",
        ),
        Skill(
            name="review_staff",
            answer=_staff,
            working=lambda r: f"Somebody who works there: {_staff(r)}",
        ),
        Skill(
            name="review_stars",
            answer=lambda r: str(r.stars),
            working=lambda r: f"The writer says {r.opinion}",
        ),
    ),
)
