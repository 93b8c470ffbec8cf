"""Names as people look for them: as written, in pinyin, by initials."""

from functools import lru_cache

LONGEST_SORTED = 200
"""Characters by which names are sorted: an index entry has its limit."""
_CJK = ("\u3400", "\u9fff")


def _is_chinese(name: str) -> bool:
    return any(_CJK[0] <= char <= _CJK[1] for char in name)


@lru_cache(maxsize=4096)
def spellings(name: str) -> tuple[str, ...]:
    """The name in lower case; a Chinese one also in pinyin and by initials: 李雷, lilei, ll."""
    plain = name.lower()
    if not _is_chinese(name):
        return (plain,)
    from pypinyin import lazy_pinyin  # its tables take a quarter of a second to load

    syllables = [part.strip().lower() for part in lazy_pinyin(name)]
    full = "".join(syllables)
    initials = "".join(part[:1] for part in syllables)
    return plain, full, initials


def sort_name(name: str | None) -> str | None:
    """Where a name stands in an alphabetical list; Chinese names by their pinyin."""
    if not name:
        return None
    return spellings(name)[1 if _is_chinese(name) else 0][:LONGEST_SORTED] or None
