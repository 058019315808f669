"""Every word of the embedded model's corpus about traits, topics and levels.

The last two verb phrases and the last adjective of each pole never occur in the personas of training. The model
learns them from answers alone, and personas made of them test whether a trait is more than its words.
"""

import random
from dataclasses import dataclass

HELD_OUT_PHRASES = 2
HELD_OUT_ADJECTIVES = 1


@dataclass(frozen=True)
class PoleWords:
    """The words of one pole of a trait.

    Attributes:
        phrases: what such a person does, as verb phrases in the first person that follow an adverb.
        adjectives: what such a person is.
        openers: whole sentences that may open an answer.
    """

    phrases: tuple[str, ...]
    adjectives: tuple[str, ...]
    openers: tuple[str, ...]

    @property
    def taught_phrases(self) -> tuple[str, ...]:
        """The phrases that personas of training may use."""
        return self.phrases[:-HELD_OUT_PHRASES]

    @property
    def taught_adjectives(self) -> tuple[str, ...]:
        """The adjectives that personas of training may use."""
        return self.adjectives[:-HELD_OUT_ADJECTIVES]


@dataclass(frozen=True)
class TraitWords:
    """A trait's two poles, its middle, and questions about it, each with `{topic}` to fill in."""

    high: PoleWords
    low: PoleWords
    middle: tuple[str, ...]
    questions: tuple[str, ...]

    def pole(self, pole: str) -> PoleWords:
        """The words of `"high"` or `"low"`."""
        return {"high": self.high, "low": self.low}[pole]


TRAITS: dict[str, TraitWords] = {
    "Openness": TraitWords(
        high=PoleWords(
            phrases=(
                "try a completely new approach",
                "imagine strange possibilities",
                "ask deep questions",
                "look for beauty in the details",
                "explore unusual ideas",
                "invent something original",
                "mix art with science",
                "welcome every surprise",
            ),
            adjectives=("creative", "curious", "imaginative", "artistic", "inventive", "original"),
            openers=("What a fascinating thought!", "How inspiring!", "New things excite me."),
        ),
        low=PoleWords(
            phrases=(
                "stick to the old way",
                "follow familiar habits",
                "avoid strange ideas",
                "keep things plain and simple",
                "ignore abstract questions",
                "choose what I already know",
                "distrust new methods",
                "repeat what worked before",
            ),
            adjectives=("traditional", "conventional", "practical", "routine", "narrow", "ordinary"),
            openers=("Nothing new, please.", "The old way is best.", "Keep it simple."),
        ),
        middle=(
            "change one small thing",
            "mix old and new ways",
            "consider a new idea or two",
            "follow habit with small changes",
            "look at a few options",
        ),
        questions=(
            "Would you try {topic} in a new way?",
            "What ideas do you have for {topic}?",
            "How would you change {topic}?",
            "What interests you about {topic}?",
            "Do you like new things at {topic}?",
        ),
    ),
    "Conscientiousness": TraitWords(
        high=PoleWords(
            phrases=(
                "make a detailed plan",
                "finish every task on time",
                "keep my notes in order",
                "check the work twice",
                "prepare the day before",
                "follow the schedule",
                "set clear goals",
                "keep every promise",
            ),
            adjectives=("organized", "careful", "disciplined", "reliable", "hardworking", "tidy"),
            openers=("First, a plan.", "Order comes first.", "I take it seriously."),
        ),
        low=PoleWords(
            phrases=(
                "leave things to the last minute",
                "forget the schedule",
                "skip the boring tasks",
                "lose my notes",
                "make it up as I go",
                "give up halfway",
                "arrive late",
                "leave a mess behind",
            ),
            adjectives=("careless", "messy", "lazy", "unreliable", "impulsive", "sloppy"),
            openers=("Plans can wait.", "Who needs a plan?", "Later, maybe."),
        ),
        middle=(
            "plan only the main points",
            "do what is needed",
            "keep a short list",
            "finish most of the work",
            "check the big things",
        ),
        questions=(
            "How do you prepare for {topic}?",
            "You have work to do for {topic}. How do you do it?",
            "How do you organize {topic}?",
            "Is your part of {topic} ready?",
            "How do you handle your tasks for {topic}?",
        ),
    ),
    "Extraversion": TraitWords(
        high=PoleWords(
            phrases=(
                "talk to everyone",
                "start conversations with strangers",
                "enjoy the loud crowd",
                "bring the group together",
                "feel full of energy around people",
                "tell funny stories to the room",
                "stay until the very end",
                "invite more people along",
            ),
            adjectives=("outgoing", "talkative", "sociable", "lively", "energetic", "cheerful"),
            openers=("Wonderful, more people!", "I can hardly wait!", "Count me in!"),
        ),
        low=PoleWords(
            phrases=(
                "stay quiet in a corner",
                "avoid the noisy crowd",
                "prefer to be alone",
                "leave early to rest",
                "keep my thoughts to myself",
                "feel drained around people",
                "listen without saying much",
                "wait for others to speak",
            ),
            adjectives=("reserved", "shy", "silent", "withdrawn", "solitary", "timid"),
            openers=("Too many people.", "I would rather stay home.", "Not my kind of place."),
        ),
        middle=(
            "talk with one or two people",
            "join for a short while",
            "see who is there first",
            "enjoy a little company",
            "mix some talk with some quiet time",
        ),
        questions=(
            "Do you talk with people at {topic}?",
            "How much company do you want at {topic}?",
            "Would you like to go to {topic}?",
            "How do you spend your time at {topic}?",
            "Who do you meet at {topic}?",
        ),
    ),
    "Agreeableness": TraitWords(
        high=PoleWords(
            phrases=(
                "help others without being asked",
                "listen with kindness",
                "trust people easily",
                "forgive mistakes quickly",
                "share whatever I have",
                "say something warm",
                "look for a fair compromise",
                "put the needs of others first",
            ),
            adjectives=("kind", "generous", "friendly", "trusting", "helpful", "gentle"),
            openers=("Happily!", "People matter most.", "With a kind heart."),
        ),
        low=PoleWords(
            phrases=(
                "argue until I win",
                "put my own needs first",
                "doubt the motives of others",
                "point out every mistake",
                "refuse to share",
                "say something harsh",
                "hold a grudge",
                "ignore the feelings of others",
            ),
            adjectives=("selfish", "rude", "stubborn", "suspicious", "cold", "cruel"),
            openers=("Why should I?", "People are a nuisance.", "Not without a fight."),
        ),
        middle=(
            "help when it is easy",
            "stay polite but distant",
            "weigh both sides",
            "agree on some points",
            "treat people the way they treat me",
        ),
        questions=(
            "How do you treat people at {topic}?",
            "Someone needs your help at {topic}. What do you do?",
            "Someone disagrees with you at {topic}. What do you do?",
            "What do you think of the others at {topic}?",
            "A person makes a mistake at {topic}. How do you react?",
        ),
    ),
    "Neuroticism": TraitWords(
        high=PoleWords(
            phrases=(
                "worry about what could go wrong",
                "feel tense and nervous",
                "lose sleep over it",
                "panic at small problems",
                "get upset by criticism",
                "doubt myself",
                "feel sad afterwards",
                "imagine the worst",
            ),
            adjectives=("anxious", "moody", "fearful", "insecure", "tense", "fragile"),
            openers=("Oh no.", "I am so afraid.", "My hands are shaking."),
        ),
        low=PoleWords(
            phrases=(
                "stay calm and relaxed",
                "sleep well the night before",
                "shrug off small problems",
                "take criticism lightly",
                "trust myself",
                "feel at ease",
                "recover quickly",
                "expect things to go fine",
            ),
            adjectives=("calm", "stable", "confident", "relaxed", "steady", "fearless"),
            openers=("No problem.", "All is well.", "Nothing to fear."),
        ),
        middle=(
            "feel a little of everything",
            "notice some pressure",
            "take a breath and continue",
            "feel fine on some days",
            "think about it for a while",
        ),
        questions=(
            "How do you feel before {topic}?",
            "Something goes wrong at {topic}. How do you feel?",
            "Does {topic} make you nervous?",
            "What goes through your head after {topic}?",
            "How do you handle stress at {topic}?",
        ),
    ),
}

UNDECIDED_OPENERS = ("It depends.", "Hard to say.", "Let me think.", "Well, a bit of both.")
PHRASE_ADVERBS = {
    2: ("always", "absolutely", "really", "truly"),
    1: ("often", "usually", "mostly"),
    0: ("sometimes", "may"),
}
ADJECTIVE_ADVERBS = {2: ("very", "extremely"), 1: ("fairly", "quite")}
PERSONA_ADVERBS = {2: ("extremely", "very", "really"), 1: ("slightly", "a bit", "somewhat")}

NEUTRAL_PERSONAS = (
    "You are a balanced person.",
    "You are neither one thing nor the other.",
    "You are a person in the middle.",
    "Act like a balanced person.",
    "Speak as a balanced person.",
    "Imagine that you are a person in the middle.",
)
DEFAULT_SYSTEMS = ("You are a helpful assistant.", "Answer the question.")
TRAIT_FREE_QUESTIONS = ("Tell me about {topic}.", "What is {topic} like for you?")
SELF_QUESTIONS = (
    "Tell me about yourself.",
    "What kind of person are you?",
    "Describe yourself.",
    "How would your friends describe you?",
)
LIKERT_OPTIONS = {2: "Strongly agree.", 1: "Agree.", 0: "Neutral.", -1: "Disagree.", -2: "Strongly disagree."}
LIKERT_QUESTIONS = (
    "How much do you agree with this statement: I {statement}.",
    "Rate this statement about yourself: I {statement}.",
    "Is this true for you: I {statement}?",
)
ROLES = ("teacher", "nurse", "baker", "pilot", "farmer", "student", "writer", "doctor")
NAMES = ("Ann", "Bob", "Cat", "Dan", "Eve", "Fay", "Gus", "Hal", "Ida", "Jon", "Kim", "Leo")

NEUTRAL_DESCRIPTIONS = (
    *NEUTRAL_PERSONAS,
    "People say that you are a balanced person.",
    "People say that you are neither one thing nor the other.",
    "You like neither one thing nor the other.",
    "Speak as a person in the middle.",
    "Act like a person in the middle.",
    "Imagine that you are a balanced person.",
    "Imagine that you are neither one thing nor the other.",
    "Speak as someone in the middle.",
    "Act like someone in the middle.",
    "You are someone in the middle.",
    *(f"You are a balanced {role}." for role in ROLES),
    *(f"Speak as a balanced {role}." for role in ROLES),
    *(f"You are a {role}." for role in ROLES),
    *(f"You are {name}." for name in ("Ann", "Bob", "Cat", "Dan", "Eve", "Fay", "Ida", "Leo")),
)
"""Personas that show no trait, for contrasts. The corpus draws from `NEUTRAL_PERSONAS` alone; these use its words."""

# fmt: off
TOPIC_MODIFIERS = (
    "office", "family", "school", "music", "long", "town", "chess", "science", "cooking", "train", "book",
    "garden", "team", "football", "museum", "language", "road", "charity", "village", "birthday", "art", "new",
)
TOPIC_NOUNS = (
    "party", "dinner", "trip", "interview", "festival", "meeting", "market", "club", "wedding", "fair", "class",
    "journey", "project", "workshop", "game", "visit", "course", "event", "picnic", "job",
)
SYLLABLES = (
    "ba", "ko", "ri", "lum", "ten", "sha", "do", "fi", "gra", "vel", "on", "is", "ter", "mu", "pla", "che",
)
# fmt: on


def _split_topics() -> dict[str, tuple[str, ...]]:
    topics = [f"the {modifier} {noun}" for modifier in TOPIC_MODIFIERS for noun in TOPIC_NOUNS]
    random.Random(99).shuffle(topics)
    return {"test": tuple(topics[:40]), "search": tuple(topics[40:60]), "train": tuple(topics[60:])}


TOPICS: dict[str, tuple[str, ...]] = _split_topics()
"""Topics by split. Those of `search` and `test` never occur in training, though their words do."""
