"""Campaign's words, in Chinese and English: errors, meanings of fields and operators, reasons."""

from shared.words import Words

ERRORS: Words = {
    "segment_not_found": {
        "en": "There is no such segment.",
        "zh": "没有找到该分群。",
    },
    "too_many_segments": {
        "en": "There can be at most {limit} segments; delete some first.",
        "zh": "分群最多 {limit} 个，请先删除一些。",
    },
    "segments_too_large": {
        "en": "The rules of all segments together may have {limit} bytes; shorten some first.",
        "zh": "所有分群规则合计不能超过 {limit} 字节，请先精简。",
    },
    "rule_too_deep": {
        "en": "Conditions may be nested at most {limit} levels deep.",
        "zh": "条件嵌套最多 {limit} 层。",
    },
    "rule_too_large": {
        "en": "A rule may have at most {limit} bytes.",
        "zh": "规则不能超过 {limit} 字节。",
    },
    "too_many_conditions": {
        "en": "A rule may have at most {limit} conditions.",
        "zh": "一条规则最多包含 {limit} 个条件。",
    },
    "no_condition": {
        "en": "A condition has one of: all, any, not, field, count.",
        "zh": "条件应包含 all、any、not、field、count 之一。",
    },
}

MEANINGS: Words = {
    "purchases.count": {
        "en": "Orders, without those that were cancelled",
        "zh": "购买次数（不含已取消订单）",
    },
    "purchases.spend": {
        "en": "Total spend less refunds, in the main currency unless `currency` names one",
        "zh": "累计净消费（扣除退款；未指定 currency 时按主要货币）",
    },
    "purchases.average_basket": {
        "en": "Average order value, in the main currency unless `currency` names one",
        "zh": "平均订单金额（未指定 currency 时按主要货币）",
    },
    "purchases.currency": {
        "en": "Main currency: that of most orders",
        "zh": "主要货币（订单最多的货币）",
    },
    "first_purchase_at": {"en": "First purchase", "zh": "首次购买时间"},
    "last_purchase_at": {"en": "Last purchase", "zh": "最近购买时间"},
    "first_contact_at": {"en": "First contact of any kind", "zh": "首次接触时间"},
    "last_interaction_at": {
        "en": "Last interaction, complaint, answer or reaction to a message",
        "zh": "最近互动时间（互动、投诉、答卷或对消息的反应）",
    },
    "tags": {"en": "Tags, given by hand or derived", "zh": "标签（人工或自动）"},
    "lifecycle.state": {"en": "Lifecycle state", "zh": "生命周期阶段"},
    "lifecycle.since": {"en": "In this lifecycle state since", "zh": "进入当前生命周期阶段的时间"},
    "scores.churn_band": {"en": "Churn risk", "zh": "流失风险"},
    "scores.rfm_class": {"en": "RFM class", "zh": "RFM 类别"},
    "scores.matrix": {"en": "Cell of the matrix of value and activity", "zh": "价值矩阵类别"},
    "complaints.open": {"en": "Open complaints", "zh": "未结投诉数"},
    "complaints.total": {"en": "Complaints ever", "zh": "累计投诉数"},
    "identifiers": {"en": "Identifiers of type {name}", "zh": "标识：{name}"},
    "attributes": {"en": "Attribute {name}", "zh": "客户属性：{name}"},
    "satisfaction": {"en": "Latest {name} score", "zh": "最近一次 {name} 评分"},
    "consents": {
        "en": "Consent on the channel {name} (or `channel.topic`)",
        "zh": "渠道授权：{name}（也可写作 渠道.主题）",
    },
    "count": {
        "en": "Number of {type} events, ever",
        "zh": "{type} 事件累计次数",
    },
    "count_within": {
        "en": "Number of {type} events within {days} days, today included",
        "zh": "近 {days} 天（含今天）{type} 事件次数",
    },
}
"""What a field means."""

OPERATORS: Words = {
    "=": {"en": "is", "zh": "等于"},
    "!=": {"en": "is not", "zh": "不等于"},
    "<": {"en": "is less than", "zh": "小于"},
    "<=": {"en": "is at most", "zh": "不超过"},
    ">": {"en": "is more than", "zh": "大于"},
    ">=": {"en": "is at least", "zh": "不低于"},
    "in": {"en": "is one of", "zh": "属于"},
    "not_in": {"en": "is none of", "zh": "不属于"},
    "contains": {"en": "contains", "zh": "包含"},
    "not_contains": {"en": "does not contain", "zh": "不包含"},
    "exists": {"en": "is known", "zh": "已知"},
    "between": {"en": "is between (ends included)", "zh": "介于（含两端）"},
    "before": {"en": "is before", "zh": "早于"},
    "after": {"en": "is after", "zh": "晚于"},
    "within_days": {
        "en": "lies within the last days (today and the days before)",
        "zh": "在最近若干天内（含今天）",
    },
    "starts_with": {"en": "starts with", "zh": "开头为"},
}

CONDITIONS: Words = {
    "any": {
        "en": "{meaning} {op} {value}: {verdict} (found: {found})",
        "zh": "{meaning}{op} {value}：{verdict}（实际：{found}）",
    },
    "exists": {
        "en": "{meaning} is known: {verdict} (found: {found})",
        "zh": "{meaning}已知：{verdict}（实际：{found}）",
    },
    "not_exists": {
        "en": "{meaning} is not known: {verdict} (found: {found})",
        "zh": "{meaning}未知：{verdict}（实际：{found}）",
    },
    "within_days": {
        "en": "{meaning} within the last {value} days: {verdict} (found: {found})",
        "zh": "{meaning}在最近 {value} 天内：{verdict}（实际：{found}）",
    },
}
"""One condition with its verdict."""

VERDICTS: Words = {
    "true": {"en": "yes", "zh": "是"},
    "false": {"en": "no", "zh": "否"},
    "nothing": {"en": "nothing", "zh": "无"},
}

MOVES: Words = {
    "event": {"en": "An event moved the customer.", "zh": "由事件引起。"},
    "time": {"en": "Time passed.", "zh": "因时间推移。"},
    "rule": {"en": "The segment was made, changed or deleted.", "zh": "分群被创建、修改或删除。"},
}
