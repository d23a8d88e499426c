"""Why something of the care room is refused: stable codes, in order of precedence."""

from __future__ import annotations

from enum import StrEnum


class CareRefusal(StrEnum):
    """Every reason for which cases, surveys and wishes say no; docs/guides/care.md tells each with its remedy."""

    UNKNOWN_CASE = "unknown_case"
    UNKNOWN_LINE = "unknown_line"
    UNKNOWN_SURVEY = "unknown_survey"
    INVALID_TEXT = "invalid_text"
    PAYMENT_CARD_NUMBER = "payment_card_number"
    INVALID_SURVEY = "invalid_survey"
    INVALID_ANSWER = "invalid_answer"
    TOO_MANY_CASES = "too_many_cases"
    CASE_CLOSED = "case_closed"
    SURVEY_ANSWERED = "survey_answered"
    NOT_TO_BE_SAVED_FOR = "not_to_be_saved_for"


class CareRefused(Exception):
    """Something was refused: nothing is left behind. `message` is one sentence, without its capital and full stop."""

    def __init__(self, code: CareRefusal, message: str, *, field: str = "", remedy: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field
        self.remedy = remedy
