import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.capture import plan
from workbench.capture.plan import Group, PlannedPrompt
from workbench.vocabulary import Pole

few = settings(max_examples=80, deadline=None)
prompts = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=8), min_size=1, max_size=14)


def group_of(token_lists: list[list[int]]) -> Group:
    rows = [
        PlannedPrompt(Pole.HIGH, i, i, np.array(ids, dtype=np.int32), len(ids), np.array([len(ids) - 1]))
        for i, ids in enumerate(token_lists)
    ]
    return Group(tuple(sorted(rows, key=lambda row: row.tokens.astype(">i4").tobytes())))


@few
@given(prompts, st.sampled_from([1, 3, 64, None]))
def test_every_prompt_is_the_path_to_its_leaf(token_lists: list[list[int]], min_saving: int | None) -> None:
    group = group_of(token_lists)
    nodes = group.nodes(min_saving)
    ends: list[int] = []
    for node in nodes:
        if not node.leaf:
            continue
        for member in node.members:
            ends.append(member)
            path, at = [], node
            while True:
                path = [*group.prompts[at.members[0]].tokens[at.start : at.stop].tolist(), *path]
                if at.parent < 0:
                    break
                assert not nodes[at.parent].leaf
                assert nodes[at.parent].stop == at.start
                at = nodes[at.parent]
            assert path == group.prompts[member].tokens.tolist()
    assert sorted(ends) == list(range(len(token_lists)))


@few
@given(prompts)
def test_each_token_is_computed_once(token_lists: list[list[int]]) -> None:
    beginnings = {tuple(ids[:k]) for ids in token_lists for k in range(1, len(ids))}
    distinct = {tuple(ids) for ids in token_lists}
    computed = sum(node.stop - node.start for node in group_of(token_lists).nodes(1))
    # A last token is its prompt's own, even where it begins another prompt.
    assert computed == len(beginnings) + len(distinct)


@few
@given(prompts)
def test_groups_hold_every_row_once(token_lists: list[list[int]]) -> None:
    rows = group_of(token_lists).prompts
    before = plan.GROUP_PROMPTS, plan.GROUP_TOKENS
    plan.GROUP_PROMPTS, plan.GROUP_TOKENS = 4, 20
    try:
        cuts = plan._cuts(rows)
    finally:
        plan.GROUP_PROMPTS, plan.GROUP_TOKENS = before
    assert [i for low, high in cuts for i in range(low, high)] == list(range(len(rows)))
    for low, high in cuts:
        assert high - low <= 4
        assert high - low == 1 or sum(len(row.tokens) for row in rows[low:high]) <= 20


def test_a_cut_falls_between_descriptions() -> None:
    rows = group_of([[d, d, d, d, q] for d in range(6) for q in range(40)]).prompts
    inside = [cut for cut, _ in plan._cuts(rows)[1:]]
    assert inside
    assert all(cut % 40 == 0 for cut in inside)
