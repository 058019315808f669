"""Minimal pairs: the bank's balance, the splits, files that are read, and scores against plain transformers."""

import codecs
import json
from collections import Counter
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

import workbench as wb
from workbench.edit.applying import edited
from workbench.edit.edit import Edit
from workbench.model.likelihood import judge_answers
from workbench.score.minimal_pairs.bank import KINDS, builtin_minimal_pairs
from workbench.score.minimal_pairs.pair import MinimalPair, split_pairs
from workbench.score.minimal_pairs.reading import read_minimal_pairs
from workbench.score.minimal_pairs.scoring import sentence_scores
from workbench.vocabulary import Scope

SHARED = Path(__file__).parents[3] / "shared" / "data"
PAIRS = [
    MinimalPair("You are kind to friends.", "You are kind to friend."),
    MinimalPair("You are kind to me.", "They is kind to me."),
    MinimalPair("I like the party", "I like the party a lot"),
    MinimalPair("We at the meet party.", "We meet at the party."),
    MinimalPair("I like the party a lot", "I like the party"),
]


def test_the_bank_has_enough_pairs_of_every_kind_each_once() -> None:
    pairs = builtin_minimal_pairs()
    assert Counter(pair.task for pair in pairs) == dict.fromkeys(KINDS, 64)
    assert len({pair.item for pair in pairs}) == len(pairs) == len({(pair.good, pair.bad) for pair in pairs})
    for pair in pairs:
        assert "{" not in pair.good + pair.bad
        assert "|" not in pair.good + pair.bad
        assert "  " not in pair.good + pair.bad


@pytest.mark.parametrize("split", ["test", "search"])
def test_no_preference_for_a_word_or_a_length_tells_the_banks_sides_apart(split) -> None:
    """Every word occurs as often in right sentences as in wrong ones, of each kind and in each split."""
    for kind in KINDS:
        pairs = [pair for pair in split_pairs(builtin_minimal_pairs(), split, n=128) if pair.task == kind]
        assert len(pairs) == 32
        good, bad = (Counter(" ".join(texts).split()) for texts in zip(*((p.good, p.bad) for p in pairs), strict=True))
        assert good == bad
        assert sum(len(pair.good) for pair in pairs) == sum(len(pair.bad) for pair in pairs)


@pytest.mark.parametrize("n", [128, 60, 5])
def test_splits_are_disjoint_and_have_as_many_pairs_of_each_task(n: int) -> None:
    test, search = (split_pairs(builtin_minimal_pairs(), split, n=n) for split in ("test", "search"))
    assert len(test) == len(search) == n
    assert not {pair.good for pair in test} & {pair.good for pair in search}
    assert not {pair.group for pair in test} & {pair.group for pair in search}
    counts = Counter(pair.task for pair in test)
    assert counts == Counter(pair.task for pair in search)
    assert max(counts.values()) - min(counts.values()) <= 1


def test_tasks_of_unequal_size_are_reported_evenly_and_one_that_cannot_be_divided_is_left_out() -> None:
    sizes = {"large": 20, "small": 5, "single": 1}
    pairs = [
        MinimalPair(f"{task} {i} good", f"{task} {i} bad", task) for task, size in sizes.items() for i in range(size)
    ]
    for split in ("test", "search"):
        assert Counter(pair.task for pair in split_pairs(pairs, split, n=100)) == {"large": 10, "small": 2}
        assert Counter(pair.task for pair in split_pairs(pairs, split, n=4)) == {"large": 2, "small": 2}


def test_a_pair_is_told_by_both_sentences() -> None:
    pairs = [MinimalPair("A cat sleeps.", bad) for bad in ("A cat sleep.", "A cats sleeps.", "Cat a sleeps.", "A cat.")]
    assert [pair.item for pair in pairs] == [
        "A cat {sleeps.|sleep.}",
        "A {cat|cats} sleeps.",
        "{A cat|Cat a} sleeps.",
        "A {cat sleeps.|cat.}",
    ]


def test_margins_are_those_of_plain_transformers_one_sentence_at_a_time(checkpoint: Path) -> None:
    model, plain = wb.load_model(str(checkpoint)), AutoModelForCausalLM.from_pretrained(checkpoint)

    def total(text: str) -> float:
        [ids] = model.tokens([text], chat=False)
        with torch.no_grad():
            logs = plain(torch.tensor([ids])).logits[0, :-1].double().log_softmax(-1)
        return float(sum(logs[i, token] for i, token in enumerate(ids[1:])))

    frame = sentence_scores(model, PAIRS)
    assert frame["margin"].tolist() == pytest.approx([total(p.good) - total(p.bad) for p in PAIRS], abs=1e-4)
    assert (frame["correct"] == (frame["margin"] > 0)).all()
    assert 0 < frame["correct"].sum() < len(PAIRS)
    assert frame["item"].tolist() == [pair.item for pair in PAIRS]


@pytest.mark.parametrize("scope", ["all", "generated", "decode"])
def test_what_two_sentences_share_is_edited_as_if_each_were_read_alone(
    model: wb.Model, effects: wb.Effects, selection: wb.Selection, scope: Scope
) -> None:
    edit: Edit = wb.dpn_edit(effects, selection, direction="increase", gamma=1.0)
    texts = [text for pair in PAIRS for text in (pair.good, pair.bad)]
    tokens = model.tokens(texts, chat=False)
    before = sentence_scores(model, PAIRS)["margin"]
    with edited(model, edit, scope=scope):
        shared = sentence_scores(model, PAIRS)["margin"]
        alone = [
            float(one.logs.double().sum())
            for [one] in judge_answers(model, [ids[:1] for ids in tokens], [[ids[1:]] for ids in tokens])
        ]
    assert shared.tolist() == pytest.approx([g - b for g, b in zip(alone[::2], alone[1::2], strict=True)], abs=1e-5)
    assert (shared - before).abs().min() > 1e-3


def test_a_sentence_of_one_token_is_refused(model: wb.Model) -> None:
    with pytest.raises(ValueError, match=r"needs at least 2 tokens, but one of 'You \{\|are\}' has fewer"):
        sentence_scores(model, [MinimalPair("You", "You are")])


ROWS = {
    "sentence_good": [{"sentence_good": f"It is {n}.", "sentence_bad": f"It are {n}.", "task": "t"} for n in range(4)],
    "good": [{"good": f"It is {n}.", "bad": f"It are {n}.", "task": "t"} for n in range(4)],
    "statement": [
        {"statement": f"It {word} {n}.", "label": label, "task": "t"}
        for n in range(4)
        for word, label in [("is", 1), ("are", 0)]
    ],
    "city": [
        {"statement": f"It {word} {n}.", "label": label, "city": str(n), "task": "t"}
        for word, label in [("are", 0), ("is", 1)]
        for n in range(4)
    ],
}


@pytest.mark.parametrize("bom", [b"", codecs.BOM_UTF8], ids=["plain", "bom"])
@pytest.mark.parametrize("ending", ["jsonl", "json", "csv"])
@pytest.mark.parametrize("layout", list(ROWS))
def test_every_layout_is_read_from_every_format(tmp_path: Path, layout: str, ending: str, bom: bytes) -> None:
    rows, path = ROWS[layout], tmp_path / f"pairs.{ending}"
    if ending == "csv":
        lines = [",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]
        text = "\r\n".join(lines) + "\r\n"
    else:
        text = json.dumps(rows) if ending == "json" else "".join(json.dumps(row) + "\n" for row in rows)
    path.write_bytes(bom + text.encode())
    pairs = read_minimal_pairs(path)
    assert sorted(pairs, key=lambda pair: pair.good) == [
        MinimalPair(f"It is {n}.", f"It are {n}.", "t") for n in range(4)
    ]
    assert {tuple(read_minimal_pairs(path, seed=seed)) for seed in range(8)} != {tuple(pairs)}


def test_pairs_that_share_a_sentence_are_kept_apart_and_repeated_ones_count_once(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    rows = [{"good": "a b", "bad": bad} for bad in ("a c", "a d", "a c")]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert {pair.item for pair in read_minimal_pairs(path)} == {"a {b|c}", "a {b|d}"}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("p.jsonl", '{"right": "a"}', r"or statement and label, but p.jsonl has \['right'\]"),
        ("p.jsonl", '{"good": "a", "bad": "a"}', "row 1: a pair needs two different sentences"),
        ("p.csv", "good,bad\na b,\n", "row 1: a pair needs two different sentences"),
        ("p.csv", "good,bad\na b\n", "row 1: a row has as many cells as there are columns"),
        ("p.csv", "", "p.csv has no rows"),
        ("p.csv", "statement,label\nSo it is.,maybe\n", "row 1: a statement needs its text and a label.*'maybe'"),
        ("p.csv", "statement,label\nSo it is.,1\nSo it was.,1\n", "rows 1 and 2: .* 2 true and 0 false"),
        ("p.csv", "statement,label\nA.,1\nB.,0\nC.,1\n", "rows 3 and 4: .* 1 true and 0 false"),
        ("p.csv", "statement,label,city\nA.,1,x\nB.,0,y\n", "city x: a true and a false .* 1 true and 0 false"),
    ],
)
def test_a_file_without_pairs_is_refused_in_a_line(tmp_path: Path, name: str, text: str, message: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as error:
        read_minimal_pairs(path)
    assert "\n" not in str(error.value)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the published files are not on this machine")
def test_published_minimal_pairs_are_read() -> None:
    pairs = read_minimal_pairs(SHARED / "blimp" / "transitive.jsonl")
    assert len(pairs) == 200
    assert len({pair.task for pair in pairs}) == 1
    cities = read_minimal_pairs(SHARED / "facts" / "cities.csv")
    assert len(cities) == len({pair.item for pair in cities}) == 400
    for pair in cities:
        assert pair.good.split(" is in ")[0] == pair.bad.split(" is in ")[0]
