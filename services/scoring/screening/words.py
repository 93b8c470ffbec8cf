"""Words of prospects and sources, in Chinese and English."""

from shared.words import Words

REASONS: Words = {
    "source": {
        "en": "Came by: {value} (most: {usual}). {like}; {effect}.",
        "zh": "来源：{value}（多数为 {usual}）。{like}，{effect}。",
    },
    "kind": {
        "en": "First contact: {value} (most: {usual}). {like}; {effect}.",
        "zh": "首次互动：{value}（多数为 {usual}）。{like}，{effect}。",
    },
    "channel": {
        "en": "Channel of the first contact: {value} (most: {usual}). {like}; {effect}.",
        "zh": "首次互动渠道：{value}（多数为 {usual}）。{like}，{effect}。",
    },
    "contacts": {
        "en": "Own contacts on the first {days} days: {value} (usual: {usual}). {like}; {effect}.",
        "zh": "前 {days} 天主动互动 {value} 次（通常 {usual} 次）。{like}，{effect}。",
    },
    "no_contacts": {
        "en": "No day since a first contact is over; {effect}.",
        "zh": "首次互动后尚未满一天，{effect}。",
    },
    "days_since_seen": {
        "en": "Days since first seen: {value} (who buys does so after {usual}); {effect}.",
        "zh": "首次出现已 {value} 天（成交者通常在 {usual} 天后购买），{effect}。",
    },
}

LIKE: Words = {
    "told": {
        "en": "Of such prospects {won} have bought, where {expected} would have, were they like the"
        " others: {times} times as often, with caution for small numbers",
        "zh": "此类潜在客户已有 {won} 人购买，若与他人无异应为 {expected} 人；"
        "考虑样本量后为 {times} 倍",
    },
    "unknown": {"en": "Nothing is known of such prospects yet", "zh": "尚无此类潜在客户的数据"},
}

EFFECTS: Words = {
    "higher": {
        "en": "this raises the probability by {points} percentage points",
        "zh": "使概率上升 {points} 个百分点",
    },
    "lower": {
        "en": "this lowers the probability by {points} percentage points",
        "zh": "使概率下降 {points} 个百分点",
    },
    "none": {"en": "this makes hardly any difference", "zh": "对概率几乎没有影响"},
}

CHANGES: Words = {
    "contacts": {
        "en": "{number} more contacts of their own until {on} would make it {then} ({percent} %).",
        "zh": "若在 {on} 前再主动互动 {number} 次，将成为“{then}”（{percent}%）。",
    },
    "silence": {
        "en": "Without a purchase before {on} it will be {then} ({percent} %).",
        "zh": "若在 {on} 前未购买，将成为“{then}”（{percent}%）。",
    },
    "none": {
        "en": "Nothing near would change it: {then}.",
        "zh": "近期不会变化：“{then}”。",
    },
}

CLASSES: Words = {
    "hot": {"en": "Hot", "zh": "高意向"},
    "warm": {"en": "Warm", "zh": "一般意向"},
    "cold": {"en": "Cold", "zh": "低意向"},
}

NOTES: Words = {
    "nothing": {
        "en": "Nothing can be said yet: it takes {enough} prospects, and four weeks since the first"
        " of them was seen.",
        "zh": "暂无法判断：至少需要 {enough} 位潜在客户，且距首位出现满四周。",
    },
    "few": {
        "en": "Too few first purchases to tell prospects apart: everybody has the overall rate.",
        "zh": "首次购买过少，无法区分潜在客户：所有人按总体转化率计。",
    },
    "worse": {
        "en": "On the last periods that are over, telling prospects apart was no better than one rate"
        " for all: everybody has the overall rate.",
        "zh": "在最近的完整时段上，区分潜在客户并不优于统一比率：所有人按总体转化率计。",
    },
    "rates": {
        "en": "Rates of first purchases by age since first seen, times what is so of those who came"
        " alike.",
        "zh": "按首次出现后的时间计算首购率，再乘以同类来客的倍数。",
    },
    "newest": {
        "en": "More than {most} were first seen in this period: those since {day} are counted. Ask for"
        " the others by `to`.",
        "zh": "该时段首次出现的客户超过 {most} 位：仅统计 {day} 起的客户；更早的请用 to 另行查询。",
    },
}

KINDS: Words = {
    "call": {"en": "call", "zh": "电话"},
    "visit": {"en": "visit", "zh": "到访"},
    "meeting": {"en": "meeting", "zh": "会面"},
    "email": {"en": "e-mail", "zh": "邮件"},
    "sms": {"en": "text message", "zh": "短信"},
    "chat": {"en": "chat", "zh": "聊天"},
    "social": {"en": "social media", "zh": "社交媒体"},
    "service": {"en": "service", "zh": "服务"},
    "page_view": {"en": "page view", "zh": "浏览页面"},
    "click": {"en": "click", "zh": "点击"},
    "search": {"en": "search", "zh": "搜索"},
    "campaign_sent": {"en": "campaign sent to them", "zh": "收到营销"},
    "campaign_response": {"en": "response to a campaign", "zh": "响应营销"},
    "other": {"en": "other", "zh": "其他"},
}

UNKNOWN: Words = {
    "said": {"en": "not said", "zh": "未注明"},
    "known": {"en": "not known yet", "zh": "尚无数据"},
}
