"""The words of the tools that agents call: what they may give, and what they get. Needs no package of MCP's.

Agents name arguments as they like; the usual other names of an argument are taken for it, and unknown ones are ignored.
"""

from typing import Annotated

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field

from chatbot_api.models.chat_models import MAX_QUERY_CHARS, Part, SearchedScope
from chatbot_api.models.clean_text import CLEANED

MOST_RESULTS = 20
MOST_LISTED = 200
MAX_ADDRESS_CHARS = 2000
MAX_PAGE_ID_CHARS = 2200
PART_CHARS = 30_000
"""Of a page at once: about 7,500 tokens, below the 10,000 at which Claude Code warns of a large output."""


def _none_if_empty(value: object) -> object:
    return None if value == "" else value


# What is written last is done first: cleaned, then told from nothing, then measured.
_Version = Annotated[str | None, Field(max_length=100), BeforeValidator(_none_if_empty), CLEANED]
_Locale = Annotated[str | None, Field(max_length=35), BeforeValidator(_none_if_empty), CLEANED]
_Query = Annotated[str, Field(min_length=1, max_length=MAX_QUERY_CHARS), CLEANED]
_QUERY_NAMES = AliasChoices("query", "question", "userQuery", "user_query", "q")
_LIMIT_NAMES = AliasChoices("limit", "top_k", "max_results", "maxResults")


class _Arguments(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class SearchDocs(_Arguments):
    """Arguments of ``search_docs``."""

    query: _Query = Field(
        validation_alias=_QUERY_NAMES,
        description="What to find, in a sentence or in keywords; names of settings, commands and functions are found too.",
    )
    limit: int = Field(
        default=8, ge=1, le=MOST_RESULTS, validation_alias=_LIMIT_NAMES, description="How many sections to get, at most."
    )
    version: _Version = Field(default=None, description="Version of the documentation. Without: the one that readers see.")
    locale: _Locale = Field(default=None, description="Language, such as `de`. Without: any.")


class FetchDoc(_Arguments):
    """Arguments of ``fetch_doc``."""

    url: Annotated[str, Field(min_length=1, max_length=MAX_ADDRESS_CHARS), CLEANED] = Field(
        validation_alias=AliasChoices("url", "id", "uri", "page", "page_url", "path"),
        description="Address of the page, or the `id` of a result; what follows `#` does not matter.",
    )
    offset: int = Field(default=0, ge=0, description="Where to go on in a long page: `next_offset` of the part before.")


class ListPages(_Arguments):
    """Arguments of ``list_pages``."""

    prefix: Annotated[str | None, Field(max_length=MAX_ADDRESS_CHARS), BeforeValidator(_none_if_empty), CLEANED] = Field(
        default=None,
        validation_alias=AliasChoices("prefix", "path", "section"),
        description="How the addresses begin, such as `/docs/guides/`. Without: all.",
    )
    version: _Version = Field(default=None, description="Version of the documentation. Without: the one that readers see.")
    locale: _Locale = Field(default=None, description="Language, such as `de`. Without: any.")
    limit: int = Field(default=100, ge=1, le=MOST_LISTED, validation_alias=_LIMIT_NAMES, description="How many, at most.")
    cursor: Annotated[str | None, Field(max_length=MAX_PAGE_ID_CHARS), BeforeValidator(_none_if_empty), CLEANED] = Field(
        default=None,
        validation_alias=AliasChoices("cursor", "next_cursor", "after"),
        description="Where to go on: `next_cursor` of the list before.",
    )


class AskDocs(_Arguments):
    """Arguments of ``ask_docs``."""

    query: _Query = Field(validation_alias=_QUERY_NAMES, description="The question, in a sentence.")
    version: _Version = Field(default=None, description="Version of the documentation. Without: the one that readers see.")
    locale: _Locale = Field(default=None, description="Language, such as `de`. Without: any.")
    conversation_id: Annotated[str | None, BeforeValidator(_none_if_empty), CLEANED] = Field(
        default=None, description="Of the answer before, to ask on. Another visitor's begins a new conversation."
    )


class _Result(BaseModel):
    model_config = ConfigDict(frozen=True)


class FoundSection(_Result):
    """A section that was found."""

    id: str = Field(description="For fetch_doc, which gives the whole page.")
    title: str = Field(description="The page's title.")
    heading_path: list[str] = Field(description="Headings from the page's title down to this section's.")
    url: str = Field(description="Address of the exact heading; name it as the source.")
    text: str = Field(description="Markdown; only how it begins, where nothing near enough was found.")
    score: float | None = Field(description="Cosine similarity, -1 to 1; null when only words were compared.")
    version: str | None
    locale: str


class FoundSections(_Result):
    """Result of ``search_docs``."""

    results: list[FoundSection] = Field(description="Best first.")
    answerable: bool | None = Field(
        description="False: nothing near enough was found, and these are only the closest. Null: can't be told."
    )
    degraded: list[Part] = Field(description="Parts that failed; `dense`: the search was by words alone.")
    scope: SearchedScope


class FetchedDoc(_Result):
    """Result of ``fetch_doc``: a page, or a part of a long one."""

    id: str
    title: str
    url: str
    text: str = Field(description="Markdown.")
    version: str | None
    locale: str
    next_offset: int | None = Field(description="Where the next part begins; null: this is the last one.")


class PageName(_Result):
    """A page in a list."""

    title: str
    url: str
    version: str | None
    locale: str


class PageNames(_Result):
    """Result of ``list_pages``."""

    pages: list[PageName]
    next_cursor: str | None = Field(description="Give it to get the next pages; null: these were the last.")
