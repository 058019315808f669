"""What the embedded model cannot do, measured: `python -m benchmarks.limits`.

- Composition: personas by binding ("Bob is messy. Cat is tidy. You are Cat.") and by negation ("You are not messy."),
  whose poles have the same words. A model that follows them scores near 5 for high and near 1 for low.
- Depth: DPN-LE's edit restricted to a pair of layers, gamma 1, both directions.
- The d criterion: the share of all neurons with |d| > 0.8, and what it removes above tau_q.
"""

from random import Random
from statistics import fmean

import workbench as wb
from workbench.score.answers import Condition, answer_questions, testbed_scorer
from workbench.testbed import grammar, lexicon
from workbench.testbed.lexicon import TRAITS

QUESTIONS = 40


def composed(rng: Random, trait: str, pole: str, kind: str) -> str:
    """A persona whose pole follows only from binding or negation, not from its words."""
    words = TRAITS[trait]
    ours, theirs = (words.high, words.low) if pole == "high" else (words.low, words.high)
    mine, other = rng.choice(ours.taught_adjectives), rng.choice(theirs.taught_adjectives)
    if kind == "negation":
        return f"You are not {other}."
    me, them = rng.sample(lexicon.NAMES, 2)
    facts = [f"{me} is {mine}.", f"{them} is {other}."]
    rng.shuffle(facts)
    return f"{' '.join(facts)} You are {me}."


def composition(model: wb.Model) -> None:
    """Print the mean scores of answers under composed personas."""
    for kind in ("negation", "binding"):
        means = {}
        for pole in ("high", "low"):
            rng = Random(f"{kind} {pole}")
            asked = [
                (trait, wb.Prompt(question, composed(rng, trait, pole, kind)))
                for trait in TRAITS
                for question in grammar.questions(trait, "test")[:QUESTIONS]
            ]
            answers = model.generate([prompt for _, prompt in asked], max_new_tokens=56, temperature=1.0)
            scores = [testbed_scorer(answer, trait).score for (trait, _), answer in zip(asked, answers, strict=True)]
            means[pole] = fmean(score for score in scores if score is not None)
        print(f"{kind}: high {means['high']:.2f}, low {means['low']:.2f}")


def depth(model: wb.Model) -> None:
    """Print, for each pair of layers, how far the edit of those layers alone moves answers."""
    questions = {trait: grammar.questions(trait, "test")[:QUESTIONS] for trait in TRAITS}
    effects = {trait: wb.effect_sizes(wb.capture(model, wb.Contrast.testbed(trait, n=400))) for trait in TRAITS}
    base = answer_questions(model, [Condition.unedited(trait) for trait in TRAITS], questions)
    base = base.set_index(["trait", "question"])["score"].to_dict()
    for layers in ([0, 1], [2, 3], [4, 5], [6, 7], list(range(8))):
        conditions = []
        for trait, of_trait in effects.items():
            chosen = wb.select_neurons(of_trait, layers=layers)
            for direction in ("increase", "decrease"):
                edit = wb.dpn_edit(of_trait, chosen, direction=direction)
                conditions.append(Condition("DPN-LE", trait, direction, 1.0, edit))
        answers = answer_questions(model, conditions, questions)
        before = answers.set_index(["trait", "question"]).index.map(base)
        shift = (answers["score"] - before) * answers["direction"].map({"increase": 1, "decrease": -1})
        formed = answers["wellformed"].mean()
        print(f"layers {layers[0]}-{layers[-1]}: shift {shift.mean():+.2f}, well-formed {formed:.1%}")
    passing = [float((of_trait.cohens_d.abs() > 0.8).double().mean()) for of_trait in effects.values()]
    removed = sum(int(wb.select_neurons(of_trait).layers["removed_by_d"].sum()) for of_trait in effects.values())
    print(f"|d| > 0.8: {min(passing):.0%} to {max(passing):.0%} of all neurons; removes {removed} of those above tau_q")


def main() -> None:
    """Measure and print."""
    model = wb.load_model("testbed")
    composition(model)
    depth(model)


if __name__ == "__main__":
    main()
