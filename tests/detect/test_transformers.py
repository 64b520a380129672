"""A transformers model in a folder finds names besides our network, without a connection and without pickles."""

import socket
from pathlib import Path

import pytest

from governance.datatypes import Framework, Identifiers, NameModel, Span
from governance.detect import installed, text
from governance.errors import Misconfigured

pytestmark = pytest.mark.transformers

WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "pelican", "knee", "no", "lesion")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model of one layer that takes every word for a person; whoever asks the network for more fails."""
    import torch
    from transformers import BertConfig, BertForTokenClassification, BertTokenizerFast

    def refuse(*_: object) -> None:
        raise AssertionError("a connection was opened")

    (tmp_path / "words.txt").write_text("\n".join(WORDS))
    labels = {0: "O", 1: "B-PER"}
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=8,
        id2label=labels,
        label2id={label: number for number, label in labels.items()},
    )
    model = BertForTokenClassification(config)
    with torch.no_grad():
        model.classifier.weight.zero_()
        model.classifier.bias.copy_(torch.tensor([0.0, 4.0]))
    place = tmp_path / "model"
    model.save_pretrained(place, safe_serialization=True)
    BertTokenizerFast(vocab={word: number for number, word in enumerate(WORDS)}).save_pretrained(place)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    installed.load.cache_clear()
    return place


def test_its_entities_are_taken_less_words_of_every_report(folder: Path) -> None:
    found = installed.load(NameModel(Framework.TRANSFORMERS, str(folder)))
    said = "no lesion, pelican knee"

    assert Span(11, 18, "NAME") in list(found.find(said))
    assert Span(11, 18, "NAME") in text.find(said, Identifiers(), besides=found.find)
    assert found.said["names_model"] == "BertForTokenClassification"
    assert found.said["names_also_by"].startswith("transformers ")


def test_a_long_text_is_seen_to_its_end(folder: Path) -> None:
    found = installed.load(NameModel(Framework.TRANSFORMERS, str(folder)))
    said = "no lesion knee " * 300 + "pelican"

    assert max(span.stop for span in found.find(said)) == len(said)


def test_pickled_weights_are_refused(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")

    with pytest.raises(Misconfigured, match="is not there"):
        installed.load(NameModel(Framework.TRANSFORMERS, str(folder)))
