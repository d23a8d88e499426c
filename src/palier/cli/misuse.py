"""What is wrong with the words of a command, in the platform's own sentences: the library says it in English alone."""

import errno
import re
import sys
from collections.abc import Sequence
from typing import Any, Final

from palier.engine.sentences import Sentence, sentence

_LONGEST: Final = 80
_INVALID: Final = r"Invalid value for '?(?P<name>[^:']*)'?: .*?"
_KINDS: Final = (
    (r"No such command '(?P<name>.*)'\. Did you mean (?P<close>.*)\?", sentence(
        "There is no command %(name)s; did you mean %(close)s?")),
    (r"No such command '(?P<name>.*)'\.", sentence("There is no command %(name)s.")),
    (r"No such option: (?P<name>.*) [(]Possible options: (?P<close>.*)[)]", sentence(
        "There is no option %(name)s here; did you mean %(close)s?")),
    (r"No such option: (?P<name>.*?) Did you mean (?P<close>.*)\?", sentence(
        "There is no option %(name)s here; did you mean %(close)s?")),
    (r"No such option: (?P<name>.*)", sentence("There is no option %(name)s here.")),
    (r"Missing option '(?P<name>.*?)'.*", sentence("The option %(name)s is missing.")),
    (r"Missing argument '(?P<name>.*?)'.*", sentence("The argument %(name)s is missing.")),
    (r"Option '(?P<name>.*?)' requires .*", sentence("The option %(name)s needs a value.")),
    (r"Option '(?P<name>.*?)' does not take a value.*", sentence("The option %(name)s takes no value.")),
    (r"Got unexpected extra argument.*? [(](?P<name>.*)[)]", sentence("%(name)s is too much.")),
    (_INVALID + r"'(?P<value>.*)' is not one of (?P<names>.*?)[.]?", sentence(
        "%(name)s takes one of %(names)s, not '%(value)s'.")),
    (_INVALID + r"valid (integer|number).*", sentence("%(name)s takes a number.")),
    (_INVALID + r"greater than or equal to (?P<least>.*)", sentence("%(name)s takes %(least)s or more.")),
    (_INVALID + r"less than or equal to (?P<most>.*)", sentence("%(name)s takes %(most)s or less.")),
)  # fmt: skip


def empty_word(words: Sequence[str]) -> Sentence | None:
    """Where a word of the command is empty, such as a variable without a value: it never stands for a default."""
    for before, word in zip(["palier", *words], words, strict=False):
        name, equals, value = word.partition("=")
        if equals and name.startswith("--") and not value.strip():
            return sentence("The option %(name)s needs a value.", name=_shortened(name))
        if not word.strip():
            return sentence(
                "The word after %(before)s is empty; write what belongs there, or leave it out.",
                before=_shortened(before),
            )
    return None


def unusable_word(error: Exception) -> Sentence | None:
    """Where a word of the command cannot be what it is taken for, whatever that is: which one, and what to do."""
    odd = next((word for word in sys.argv[1:] if not word.isprintable()), None)
    if isinstance(error, UnicodeEncodeError) and odd is not None:
        return sentence("%(word)s is not UTF-8; write it in UTF-8.", word=ascii(odd[:_LONGEST]))
    if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
        return sentence(
            "%(word)s is too long for the name of a file; write another.",
            word=_shortened(str(error.filename)),
        )
    return None


def misuse(error: Any) -> Sentence:
    """One line about it, and where to read about the right words."""
    message = error.format_message().strip()
    context = getattr(error, "ctx", None)
    if context is None or "Usage:" in message:
        return Sentence("%(message)s", {"message": _wrong(message)})
    return sentence(
        "%(wrong)s Try `%(command)s --help`.", wrong=_wrong(message), command=context.command_path
    )


def _wrong(message: str) -> Sentence:
    for form, told in _KINDS:
        found = re.fullmatch(form, message, re.DOTALL)
        if found is not None:
            values = found.groupdict()
            return Sentence(told.text, {name: _shortened(value) for name, value in values.items()})
    return Sentence("%(message)s", {"message": message if message.endswith((".", "?")) else f"{message}."})


def _shortened(value: str) -> str:
    return value if len(value) <= _LONGEST else f"{value[:_LONGEST]}…"
