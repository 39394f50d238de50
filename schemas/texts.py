"""Words in the two languages of the platform."""

from typing import Literal, NamedTuple

Language = Literal["zh", "en"]


class Text(NamedTuple):
    """The same words in Chinese, which is authoritative, and in English."""

    zh: str
    en: str

    def fill(self, **words: "Text | str") -> "Text":
        """Replaces ``{name}`` by each word in its language; what has no word stays."""
        zh, en = self
        for name, word in words.items():
            zh_word, en_word = word if isinstance(word, Text) else (word, word)
            zh, en = zh.replace(f"{{{name}}}", zh_word), en.replace(f"{{{name}}}", en_word)
        return Text(zh.strip(), en.strip())
