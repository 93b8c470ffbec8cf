"""Campaign's words, in Chinese and English: errors, meanings of fields and operators, reasons, messages."""

from shared.words import Words

ERRORS: Words = {
    "segment_not_found": {
        "en": "There is no such segment.",
        "zh": "没有找到该分群。",
    },
    "message_not_found": {
        "en": "There is no such message.",
        "zh": "没有找到该消息。",
    },
    "mail_not_configured": {
        "en": "No mail can be sent here: no mail server is set up.",
        "zh": "尚未配置邮件服务器，无法发送邮件。",
    },
    "may_have_arrived": {
        "en": "This message may have arrived; to send it again all the same, say `confirm`: true.",
        "zh": "该消息可能已送达；如仍要重发，请提交 confirm: true。",
    },
    "text_gone": {
        "en": "What this message said is not known any more; write a new one.",
        "zh": "该消息的内容已不存在，请新建一条。",
    },
    "unknown_placeholder": {
        "en": "{name} is no placeholder; possible are {allowed}.",
        "zh": "{name} 不是可用的占位符；可用：{allowed}。",
    },
    "not_one_line": {
        "en": "This must be one line, without control characters.",
        "zh": "应为单行文本，不能含控制字符。",
    },
    "too_far_ahead": {
        "en": "This may lie at most {days} days ahead.",
        "zh": "最多只能提前 {days} 天。",
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

NOTES: Words = {
    "erased": {
        "en": "This customer was erased and belongs to no segment. What they bought and did is left, without a"
        " name: of that the conditions speak.",
        "zh": "该客户的个人信息已被删除，不属于任何分群；仅保留不具名的购买与行为记录，各条件据此判断。",
    },
}
"""Why somebody belongs to no segment, whatever its conditions say."""

MOVES: Words = {
    "event": {"en": "An event moved the customer.", "zh": "由事件引起。"},
    "time": {"en": "Time passed.", "zh": "因时间推移。"},
    "rule": {"en": "The segment was made, changed or deleted.", "zh": "分群被创建、修改或删除。"},
}

MESSAGES: Words = {
    "scheduled": {"en": "Scheduled", "zh": "待发送"},
    "sending": {"en": "Being sent", "zh": "发送中"},
    "sent": {"en": "Sent", "zh": "已发送"},
    "uncertain": {"en": "Uncertain", "zh": "结果未知"},
    "failed": {"en": "Failed", "zh": "发送失败"},
    "withheld": {"en": "Not sent", "zh": "未发送"},
    "cancelled": {"en": "Cancelled", "zh": "已取消"},
}
"""How messages stand."""

WHY_NOT: Words = {
    "erased": {
        "en": "The customer was erased.",
        "zh": "客户信息已被删除。",
    },
    "no_address": {
        "en": "No e-mail address of the customer is known that mail can be sent to.",
        "zh": "没有该客户可用的邮箱地址。",
    },
    "no_consent": {
        "en": "The customer has not agreed to marketing by this channel, or took that back.",
        "zh": "客户未同意通过该渠道接收营销信息，或已撤回同意。",
    },
    "open_complaint": {
        "en": "A complaint of the customer is open: no marketing until it is resolved.",
        "zh": "客户有未解决的投诉，期间不发送营销信息。",
    },
    "capped": {
        "en": "The customer was sent as much marketing lately as is allowed.",
        "zh": "近期发送给该客户的营销信息已达上限。",
    },
    "cancelled": {"en": "Somebody took it back.", "zh": "已被人工取消。"},
    "refused": {
        "en": "The mail server refused it (answer {code}).",
        "zh": "邮件服务器拒收（应答 {code}）。",
    },
    "given_up": {
        "en": "It was tried for 24 hours in vain.",
        "zh": "24 小时内多次尝试均未成功。",
    },
    "unreadable": {
        "en": "Its text cannot be decrypted: the keyring is not the one it was written with, or it is damaged.",
        "zh": "内容无法解密：密钥库与写入时不一致，或数据已损坏。",
    },
    "no_answer": {
        "en": "The connection to the mail server was lost after the text was begun: it may have arrived.",
        "zh": "正文开始传送后与邮件服务器失去联系，可能已送达。",
    },
    "process_ended": {
        "en": "The process that sent it ended meanwhile: it may have arrived.",
        "zh": "发送过程中进程中断，可能已送达。",
    },
    "recalled": {
        "en": "It is not known whether it arrived; so says the log.",
        "zh": "根据事件日志，无法确定是否送达。",
    },
    "quiet_hours": {
        "en": "It waits for the end of the quiet hours.",
        "zh": "处于免打扰时段，结束后发送。",
    },
    "not_up_to_date": {
        "en": "It waits until what is known of the customer is up to date.",
        "zh": "客户信息尚未更新到最新，等待中。",
    },
    "unreachable": {
        "en": "The mail server could not be reached; it is tried again.",
        "zh": "无法连接邮件服务器，将自动重试。",
    },
    "deferred": {
        "en": "The mail server does not take it now (answer {code}); it is tried again.",
        "zh": "邮件服务器暂不接收（应答 {code}），将自动重试。",
    },
    "stopped": {
        "en": "The process was stopped before it was handed over; it is tried again.",
        "zh": "进程在发送前被停止，将自动重试。",
    },
    "fault": {
        "en": "A fault on our side; it is tried again.",
        "zh": "系统内部出错，将自动重试。",
    },
}
"""Why a message was not sent, or not yet."""
