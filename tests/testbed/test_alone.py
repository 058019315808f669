"""The embedded model by torch alone; its answers through TransformerLens are the oracle."""

import workbench as wb
from workbench.testbed.alone import answer_alone


def test_answers_are_those_of_the_hooked_model(model: wb.Model) -> None:
    questions = ["What is 12 + 30?", " What is 9 + 8? ", "How do you greet your friends?"]
    assert [answer_alone(each, max_new_tokens=12) for each in questions] == [
        text.strip() for text in model.generate(questions, max_new_tokens=12)
    ]
