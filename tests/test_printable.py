"""A user's text in a line: nothing in it moves the cursor, colours the terminal or ends the line."""

from hypothesis import given
from hypothesis import strategies as st

from workbench.printable import one_line, printable


@given(st.text(st.characters(), max_size=40))
def test_a_line_stays_a_line_and_can_be_written(text: str) -> None:
    line = one_line(text)
    assert len(line.splitlines()) <= 1
    line.encode()
    assert "\x1b" not in line
    assert one_line(line) == line


def test_words_of_every_script_stay_and_controls_are_written_out() -> None:
    assert printable("naïve 開放性 👩\u200d🔬 می\u200cخواهم") == "naïve 開放性 👩\u200d🔬 می\u200cخواهم"
    assert printable("a\x1b[31m\x07b\nc") == "a\\x1b[31m\\x07b\nc"
    assert one_line("evil\u202etxt.exe \ud800 a\n  b\tc  d") == "evil\\u202etxt.exe \\ud800 a b c  d"
