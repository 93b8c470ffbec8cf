"""Profile's words, in Chinese and English: reasons, errors, labels, the three lifecycle views."""

from collections.abc import Mapping
from typing import Any

from shared.words import Language, Words, label, say

ERRORS: Words = {
    "tag_not_found": {
        "en": "The customer does not have this tag.",
        "zh": "该客户没有此标签。",
    },
    "tag_is_derived": {
        "en": "This tag follows from facts ({tag}); it goes when they no longer support it.",
        "zh": "该标签（{tag}）由事实自动得出，事实不再支持时会自动消失，不能手工移除。",
    },
    "too_many_tags": {
        "en": "A customer can have been given {limit} tags at most.",
        "zh": "每位客户最多可手工添加 {limit} 个标签。",
    },
    "identifier_taken": {
        "en": "One of these identifiers belongs to another customer.",
        "zh": "其中有标识已属于另一位客户。",
    },
    "parts_required": {
        "en": "This customer consists of several that were merged; name those to be erased in parts (see errors).",
        "zh": "该客户由多位客户合并而成，请在 parts 中指明要删除的部分（见 errors）。",
    },
    "possible_part": {
        "en": "{part} is one of them.",
        "zh": "其中之一为 {part}。",
    },
    "not_a_part": {
        "en": "This is not the customer, nor merged with it.",
        "zh": "这既不是该客户本身，也不是其合并的部分。",
    },
    "erasure_not_found": {
        "en": "There is no such erasure.",
        "zh": "没有找到该删除记录。",
    },
    "merge_not_found": {
        "en": "There is no such merge or proposal.",
        "zh": "没有找到该合并记录或合并建议。",
    },
    "already_merged": {
        "en": "These are one customer already.",
        "zh": "这些已经是同一位客户。",
    },
    "too_many_parts": {
        "en": "A customer can consist of {limit} merged customers at most.",
        "zh": "一位客户最多可由 {limit} 位客户合并而成。",
    },
    "merge_not_open": {
        "en": "This merge is {status}: it is neither in force nor proposed.",
        "zh": "该合并当前状态为 {status}，既未生效也不在待定中。",
    },
    "policy_version_not_found": {
        "en": "This policy has no such version.",
        "zh": "该策略没有此版本。",
    },
}

LIFECYCLE: Words = {
    "no_purchase_yet": {"en": "Known, but has not bought yet.", "zh": "已建立联系，尚未购买。"},
    "first_purchase": {"en": "First purchase.", "zh": "首次购买。"},
    "bought_again": {"en": "Bought on {days} days.", "zh": "已在 {days} 天有购买。"},
    "loyal": {
        "en": "Bought on {days} days and is satisfied.",
        "zh": "已在 {days} 天有购买，且满意。",
    },
    "satisfied_again": {
        "en": "Buys regularly, and nothing speaks against satisfaction any more.",
        "zh": "持续购买，且已无不满意的迹象。",
    },
    "complaint_open": {
        "en": "Buys regularly, but a complaint is open.",
        "zh": "持续购买，但有未结投诉。",
    },
    "low_score": {
        "en": "Buys regularly, but gave a low score ({kind}: {score}).",
        "zh": "持续购买，但满意度评分偏低（{kind}：{score}）。",
    },
    "silent": {
        "en": "No purchase for {days} days; usual is one every {usual} days.",
        "zh": "已 {days} 天未购买，通常每 {usual} 天购买一次。",
    },
    "lost": {
        "en": "No purchase for {days} days; usual is one every {usual} days.",
        "zh": "已 {days} 天未购买，通常每 {usual} 天购买一次，视为流失。",
    },
    "silent_after_one": {
        "en": "No second purchase within {days} days of the first day.",
        "zh": "首次购买后 {days} 天内未再购买。",
    },
    "lost_after_one": {
        "en": "No second purchase within {days} days of the first day.",
        "zh": "首次购买后 {days} 天内未再购买，视为流失。",
    },
    "came_back": {
        "en": "Bought again after {days} days.",
        "zh": "时隔 {days} 天再次购买。",
    },
    "recovered": {
        "en": "Bought on {days} more days after coming back.",
        "zh": "回归后又在 {days} 天有购买。",
    },
}
"""Why a customer is in a lifecycle state."""

TAGS: Words = {
    "by_hand": {"en": "{text}", "zh": "{text}"},
    "short_gaps": {
        "en": "Buys every {days} days on average ({purchase_days} purchase days).",
        "zh": "平均每 {days} 天购买一次（共 {purchase_days} 个购买日）。",
    },
    "long_gaps": {
        "en": "Buys only every {days} days on average ({purchase_days} purchase days).",
        "zh": "平均 {days} 天才购买一次（共 {purchase_days} 个购买日）。",
    },
    "night_share": {
        "en": "{orders} purchases between {from}:00 and {until}:00, {share:.0%} of all.",
        "zh": "{from} 点至次日 {until} 点之间购买 {orders} 次，占全部的 {share:.0%}。",
    },
    "answered_campaign": {"en": "Answered a campaign.", "zh": "参与过营销活动。"},
    "used_coupon": {"en": "Bought with a coupon.", "zh": "使用过优惠券。"},
    "mostly_promoted": {
        "en": "{share:.0%} of the purchases carried a discount.",
        "zh": "{share:.0%} 的购买享有优惠。",
    },
    "bought_once": {
        "en": "Bought on one day only, and not again within {days:g} days.",
        "zh": "仅有一天购买，之后 {days:g} 天内未再购买。",
    },
    "complaints": {"en": "Complaints: {total}.", "zh": "共投诉 {total} 次。"},
    "discount_share": {
        "en": "Discounts took {share:.0%} off what was bought.",
        "zh": "所购商品平均优惠 {share:.0%}。",
    },
    "rarely_promoted": {
        "en": "Only {share:.0%} of the purchases carried a discount.",
        "zh": "仅 {share:.0%} 的购买享有优惠。",
    },
    "quality_complaints": {
        "en": "Complained about quality {total} times.",
        "zh": "就质量问题投诉 {total} 次。",
    },
    "service_contacts": {
        "en": "Asked for service {total} times.",
        "zh": "主动寻求服务 {total} 次。",
    },
    "service_complaints": {
        "en": "Complained about service {total} times.",
        "zh": "就服务问题投诉 {total} 次。",
    },
    "key_need": {
        "en": "The record names it as the key need.",
        "zh": "客户档案中注明的关键需求。",
    },
    "category_share": {
        "en": "{lines} of the lines bought, {share:.0%} of all, are {category}.",
        "zh": "购买的商品中有 {lines} 件（{share:.0%}）属于“{category}”。",
    },
    "industry_known": {"en": "Stands in the record.", "zh": "来自客户档案。"},
    "size_known": {"en": "Stands in the record.", "zh": "来自客户档案。"},
    "region_known": {"en": "Stands in the record.", "zh": "来自客户档案。"},
}
"""Why a customer has a tag."""

NOTES: Words = {
    "scores_away": {
        "en": "Scoring does not answer at the moment; its numbers are left out.",
        "zh": "评分服务暂时无响应，未附评分数据。",
    },
    "segments_away": {
        "en": "Campaign does not answer at the moment; segments are left out.",
        "zh": "营销服务暂时无响应，未附客户分群数据。",
    },
    "scores_unknown": {
        "en": "Scoring does not know this customer yet.",
        "zh": "评分服务尚无该客户的数据。",
    },
}

MERGES: Words = {
    "proposed": {"en": "Proposed", "zh": "待确认"},
    "merged": {"en": "Merged", "zh": "已合并"},
    "dismissed": {"en": "Dismissed", "zh": "已驳回"},
    "withdrawn": {"en": "Withdrawn", "zh": "已撤回"},
    "split": {"en": "Split again", "zh": "已拆分"},
}
"""What became of a merge."""

ERASURES: Words = {
    "running": {"en": "Running", "zh": "进行中"},
    "done": {"en": "Done", "zh": "已完成"},
}
"""How far an erasure is."""

MERGE_REASONS: Words = {
    "anonymous": {
        "en": "An anonymous visitor turned out to be a known customer.",
        "zh": "匿名访客已确认为已知客户。",
    },
    "trusted": {
        "en": "One event named both by identifiers that the policy trusts.",
        "zh": "同一事件以策略信任的标识同时指向这些客户。",
    },
    "named_together": {
        "en": "One event named these customers together.",
        "zh": "同一事件同时指向这些客户。",
    },
    "settled": {
        "en": "They have become one customer by another merge.",
        "zh": "已通过其他合并成为同一客户。",
    },
    "erased": {
        "en": "One of them was erased.",
        "zh": "其中的客户已被删除。",
    },
    "unsupported": {
        "en": "The identifiers behind it are blocked, or shared by too many customers.",
        "zh": "所依据的标识已被屏蔽，或被过多客户共用。",
    },
}
"""Why the policy merged, proposed or withdrew."""

VIEWS: Mapping[str, Mapping[str, str]] = {
    "引入-转化-增长-成熟-流失": {
        "prospect": "引入",
        "new": "转化",
        "growing": "增长",
        "mature": "成熟",
        "silent": "流失",
        "lost": "流失",
        "won_back": "转化",
    },
    "新-活跃-沉默-流失": {
        "prospect": "新",
        "new": "新",
        "growing": "活跃",
        "mature": "活跃",
        "silent": "沉默",
        "lost": "流失",
        "won_back": "活跃",
    },
    "潜在-新-忠实-流失": {
        "prospect": "潜在",
        "new": "新",
        "growing": "新",
        "mature": "忠实",
        "silent": "流失",
        "lost": "流失",
        "won_back": "新",
    },
}
"""The three common vocabularies, always in Chinese. One that has no word for silence counts it as
leaving; one that has none for coming back counts it as a new beginning."""


def views_of(state: str) -> dict[str, str]:
    """A lifecycle state in each of the three vocabularies."""
    return {name: words[state] for name, words in VIEWS.items()}


def lifecycle_reason(code: str, params: Mapping[str, Any], language: Language) -> str:
    """Why a customer is in a state, for people."""
    return say(LIFECYCLE, code, language, **params)


def tag_reason(code: str, params: Mapping[str, Any], language: Language) -> str:
    """Why a customer has a tag, for people."""
    return say(TAGS, code, language, **params)


def tag_label(tag: str, language: Language) -> str:
    """What people call a tag; a tag of the house's own is its own label."""
    return label("tag", tag, language)


def merge_reason(reason: str, language: Language) -> str:
    """Why something was merged: a person's own words, or the policy's reason in words."""
    return say(MERGE_REASONS, reason, language) if reason in MERGE_REASONS else reason
