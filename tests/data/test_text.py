"""Lines of text: what is read, how it is split and counted, and what is refused with the way to mend it."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sparring.data.text.files import lines_at
from sparring.data.text.lines import TextSettings, open_text
from sparring.errors import InputError
from sparring.spaces import Texts, from_json, to_json
from sparring.spaces.texts import END, IN_ALL, MISSING, MOST, UNKNOWN, joined, plain, split

ALL = TextSettings(held_out=0)
POEMS = ["春眠不觉晓，处处闻啼鸟。", "床前明月光，疑是地上霜。", "白 日 依 山 尽 ， 黄 河 入 海 流 。"]
WORDS = st.text(st.characters(exclude_categories=("Cs", "Cn", "Co", "Zs", "Zl", "Zp", "Cc")), min_size=1, max_size=8)
LINES = st.lists(st.lists(WORDS, min_size=1, max_size=9).map(" ".join), min_size=2, max_size=12)


@given(LINES, st.sampled_from(["word", "character"]))
def test_lines_come_back_from_tokens_as_they_were_split(lines, unit):
    lines = [line for line in lines if line.split()]
    if len(lines) < 2:
        return
    source = open_text(lines, TextSettings(held_out=0, unit=unit, length=200))
    space = source.space
    assert source.values.dtype == torch.int32 and int(source.values.max()) < space.tokens and not (source.values == UNKNOWN).any()
    assert sorted(space.write(source.values)) == sorted(joined(split(line, unit), unit) for line in lines)
    assert from_json(to_json(space)) == space


@given(st.lists(st.sampled_from("abcdefgh"), min_size=2, max_size=60), st.integers(1, 8))
def test_the_vocabulary_is_the_most_frequent_words_and_unknowns_are_counted(words, most):
    source = open_text([" ".join(words), " ".join(words)], TextSettings(held_out=0, unit="word", vocabulary=most))
    kept = source.space.vocabulary
    assert len(kept) == min(most, len(set(words)))
    assert min(words.count(word) for word in kept) >= max((words.count(word) for word in set(words) - set(kept)), default=0)
    unknown = sum(word not in kept for word in words)
    assert int((source.values == UNKNOWN).sum()) == 2 * unknown
    assert any(f"unknown, {2 * unknown:,} of {2 * len(words):,}" in note for note in source.notes) == bool(unknown)
    assert sum(line.count(MISSING) for line in source.space.write(source.values)) == 2 * unknown


def test_characters_of_chinese_and_words_of_english():
    source = open_text(POEMS, ALL)
    assert source.space.unit == "character" and "白日依山尽，黄河入海流。" in source.space.write(source.values)
    assert open_text(["the cat", "a dog"], ALL).space.unit == "word"
    assert plain("春 眠  the  cat 不\u3000觉") == "春眠the cat不觉"
    assert split("e\u0301a", "character") == ["é", "a"]


def test_a_share_of_lines_is_held_out_and_does_not_shape_the_vocabulary():
    lines = [f"word{k} end" for k in range(100)]
    source = open_text(lines, TextSettings(held_out=0.2))
    assert len(source) == 80 and len(source.held_out) == 20
    assert int((source.held_out.values == UNKNOWN).sum()) == 20 and not (source.values == UNKNOWN).any()
    assert sorted(source.space.write(source.values)) == sorted(set(lines) & set(source.space.write(source.values)))


def test_long_lines_are_left_out_and_told():
    lines = ["a b c"] * 199 + ["a " * 70]
    source = open_text(lines, ALL)
    assert source.space.length == 3 and len(source) == 199 and any("1 of 200 lines are longer than 3 words" in note for note in source.odd)
    with pytest.raises(InputError, match="0 of 2 lines have at most length=2 words"):
        open_text(["a b c", "a b d"], TextSettings(length=2))
    with pytest.raises(InputError, match=r"half of the lines are longer than 256 words, the longest has 50,000\. A line is one"):
        open_text(["a " * 50_000] * 3, ALL)


BYTES = {"UTF-8 with a mark": "\ufeffab\ncd".encode(), "UTF-16 with a mark": "ab\ncd".encode("utf-16"), "old line ends": b"ab\r\ncd\r\n"}


@pytest.mark.parametrize("data", BYTES.values(), ids=BYTES)
def test_marks_and_line_ends(data, tmp_path):
    path = tmp_path / "poems.txt"
    path.write_bytes(data)
    assert lines_at(path)[0] == ["ab", "cd"]


BAD = [(b"", "has no line with text"), (b"\n \n", "has no line"), (b"one\n", "has one line with text"),
       ("春眠不觉晓\n处处闻啼鸟".encode("utf-16-le"), "not text in UTF-8|UTF-16"), ("the cat\na dog".encode("utf-16-le"), "UTF-16LE"),
       ("the cat\na dog".encode("utf-16-be"), "UTF-16BE"), (bytes(range(256)) * 4 + b"\0\0\0\0", "not text: it holds bytes of zero"),
       ("ab\n春".encode("gb18030"), r"first in line 2.*iconv -f GB18030")]


@pytest.mark.parametrize(("data", "said"), BAD)
def test_what_is_no_text_is_refused_with_the_fix(data, said, tmp_path):
    path = tmp_path / "poems.txt"
    path.write_bytes(data)
    with pytest.raises(InputError, match=said):
        open_text(str(path), TextSettings())


def test_folders_and_other_things(tmp_path):
    (tmp_path / "b.txt").write_text("three\n")
    (tmp_path / "a.txt").write_text("one two\n\n")
    assert lines_at(tmp_path)[0] == ["one two", "", "three"]
    source = open_text(tmp_path, TextSettings())
    assert len(source) == 2 and source.held_out is None and "1 empty lines were left out" in source.odd
    (tmp_path / "empty").mkdir()
    (tmp_path / "x.csv").write_text("a\n")
    (tmp_path / "x.md").write_text("a\n")
    for given_, said in ((tmp_path / "empty", "no .txt file in the folder"), (tmp_path / "x.csv", "names and no rows"),
                         (tmp_path / "x.md", "no .txt file. Lines of text"),
                         (tmp_path / "none.txt", "there is no file"), (3, "expected lines of text"), ([], "expected lines of text")):
        with pytest.raises(InputError, match=said):
            open_text(given_ if given_ == 3 or given_ == [] else str(given_), TextSettings())
    assert open_text(source, TextSettings()) is source
    with pytest.raises(InputError, match="used as it is"):
        open_text(source, TextSettings(vocabulary=3))


TABLE = 'author,verse\nA,"red, two"\nB,"green\nthree"\nC,blue\n'


def test_a_column_of_a_table_is_a_line_in_each_cell(tmp_path):
    path = tmp_path / "poems.csv"
    path.write_text(TABLE)
    source = open_text(str(path), TextSettings(held_out=0, column="verse"))
    assert sorted(source.space.write(source.values)) == ["blue", "green three", "red, two"]
    with pytest.raises(InputError, match=r"has 2 columns: author, verse\. Say which holds the text, such as column=verse\."):
        open_text(str(path), ALL)
    with pytest.raises(InputError, match=r"has no column verses\. Did you mean 'verse'"):
        open_text(str(path), TextSettings(column="verses"))
    (tmp_path / "one.tsv").write_text("text\nred two\nblue\n")
    assert len(open_text(str(tmp_path / "one.tsv"), ALL)) == 2
    pandas = pytest.importorskip("pandas")
    again = open_text(pandas.read_csv(path), TextSettings(held_out=0, column="verse"))
    assert torch.equal(again.values, source.values) and again.space == source.space


GOOD = {"kind": "texts", "vocabulary": ["a", "b"], "length": 3, "unit": "word"}


@pytest.mark.parametrize("wrong", [{"vocabulary": []}, {"vocabulary": ["a", "a"]}, {"vocabulary": [""]}, {"vocabulary": ["a b"]},
                                   {"vocabulary": ["a\n"]}, {"vocabulary": "ab"}, {"vocabulary": [1]}, {"vocabulary": ["x" * 101]},
                                   {"length": 0}, {"length": 1025}, {"length": True}, {"length": "3"}, {"unit": "letter"}, {"unit": 1},
                                   {"more": 1}, {"unit": "character", "vocabulary": ["ab"]}, {"unit": "character", "vocabulary": ["\n"]},
                                   {"vocabulary": [str(k) for k in range(MOST + 1)]},
                                   {"vocabulary": [f"{k:0100d}" for k in range(IN_ALL // 100 + 1)]}])
def test_a_strangers_vocabulary_is_bounded(wrong):
    assert isinstance(from_json(GOOD), Texts)
    with pytest.raises(InputError):
        from_json(GOOD | wrong)


def test_lines_end_at_their_first_end():
    space = Texts(("a", "b"), 4, "word")
    assert space.write(torch.tensor([[2, 3, END, 2], [END, 2, 2, 2], [3, UNKNOWN, 2, 2]])) == ["a b", "", f"b {MISSING} a a"]
