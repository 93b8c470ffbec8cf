"""Words of recommendations, in Chinese and English: reasons and kinds."""

from typing import Any

from services.scoring.recommend.view import Reason
from shared.words import Language, Words, say

REASONS: Words = {
    "due": {
        "en": "Bought on {times} days, about every {every} days; last {since} days ago: due now.",
        "zh": "已在 {times} 天购买，约每 {every} 天一次；上次是 {since} 天前，现已到期。",
    },
    "due_soon": {
        "en": "Bought on {times} days, about every {every} days; last {since} days ago:"
        " due in about {until} days.",
        "zh": "已在 {times} 天购买，约每 {every} 天一次；上次是 {since} 天前，约 {until} 天后需要。",
    },
    "long_ago": {
        "en": "Bought on {times} days, about every {every} days, but not for {since} days.",
        "zh": "曾在 {times} 天购买，约每 {every} 天一次，但已 {since} 天未购买。",
    },
    "bought_once": {
        "en": "Bought once, {since} days ago; customers buy it again after about {every} days.",
        "zh": "购买过一次（{since} 天前）；客户通常约 {every} 天后再次购买。",
    },
    "goes_with": {
        "en": "Goes with what this customer buys: {items}. {buyers} customers bought it in the"
        " last {days} days.",
        "zh": "与该客户购买的 {items} 相配；近 {days} 天有 {buyers} 位客户购买。",
    },
    "category_bought": {
        "en": "Bought {times} times from {category}, but never this.",
        "zh": "曾购买 {category} 类商品 {times} 次，但未买过此商品。",
    },
    "popular": {
        "en": "{buyers} customers bought it in the last {days} days.",
        "zh": "近 {days} 天有 {buyers} 位客户购买。",
    },
}

KINDS: Words = {
    "again": {"en": "Buy again", "zh": "再次购买"},
    "cross_sell": {"en": "Cross-sell", "zh": "交叉销售"},
    "up_sell": {"en": "Up-sell", "zh": "升级销售"},
    "variety": {"en": "Variety", "zh": "同类新品"},
}

_COMMA = {"en": ", ", "zh": "、"}


def explain(reason: Reason, language: Language) -> str:
    """The sentence of a reason."""
    params: dict[str, Any] = dict(reason.params)
    if isinstance(params.get("items"), list):
        params["items"] = _COMMA[language].join(params["items"])
    return say(REASONS, reason.code, language, **params)
