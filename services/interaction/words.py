"""Interaction's words, in Chinese and English: errors of its own, one line for each event of the timeline."""

from typing import Any

from shared.language import EVENT_TYPES
from shared.language.words import DOOR
from shared.words import Language, Words, label, say

ERRORS: Words = {
    **DOOR,
    "order_not_found": {
        "en": "No such order is known under this source.",
        "zh": "该来源下没有找到此订单。",
    },
    "order_cancelled": {
        "en": "The order is cancelled already.",
        "zh": "该订单已取消。",
    },
    "interaction_not_found": {
        "en": "Nobody recorded such a contact.",
        "zh": "没有找到该互动记录。",
    },
    "interaction_retracted": {
        "en": "The contact has been taken back already.",
        "zh": "该互动记录已撤回。",
    },
    "complaint_not_found": {
        "en": "There is no such complaint.",
        "zh": "没有找到该投诉。",
    },
    "complaint_exists": {
        "en": "The customer has a complaint with this id already.",
        "zh": "该客户已有相同编号的投诉。",
    },
    "wrong_transition": {
        "en": "A complaint that is {status} does not allow this; it must be one of: {allowed}.",
        "zh": "投诉当前状态为 {status}，不能执行此操作；可执行的状态：{allowed}。",
    },
    "webhook_not_found": {
        "en": "There is no such webhook.",
        "zh": "没有找到该 Webhook。",
    },
    "webhook_delivery_not_found": {
        "en": "There is no such delivery of this webhook.",
        "zh": "该 Webhook 没有这条投递记录。",
    },
    "webhook_disabled": {
        "en": "The webhook is disabled; enable it first.",
        "zh": "该 Webhook 已停用，请先启用。",
    },
    "too_many_webhooks": {
        "en": "There are {limit} webhooks already, and there can be no more.",
        "zh": "Webhook 最多 {limit} 个，不能再添加。",
    },
    "webhook_replay_too_large": {
        "en": "More than {limit} events are in this time; ask for a shorter one.",
        "zh": "该时段的事件超过 {limit} 条，请缩短时段。",
    },
    "webhook_url": {
        "en": "An https address is needed, with a host and without user name and fragment.",
        "zh": "应为 https 地址，须有主机名，不能含用户名和片段。",
    },
    "webhook_address": {
        "en": "Webhooks do not go to this address: it is private, or not a single machine's.",
        "zh": "Webhook 不能发往该地址：属于内网或非单机地址。",
    },
    "unknown_event_pattern": {
        "en": "This names no event type; examples: purchase.completed, lifecycle.*, *.",
        "zh": "没有匹配的事件类型，示例：purchase.completed、lifecycle.*、*。",
    },
    "not_before": {
        "en": "This must be after `from`, and not in the future.",
        "zh": "应晚于 from，且不能是将来的时间。",
    },
    "invalid_history": {
        "en": "The id of an import has 1 to 100 of these characters: A-Z a-z 0-9 . _ : -.",
        "zh": "导入编号应为 1 到 100 个字符，可用：A-Z a-z 0-9 . _ : -。",
    },
}
"""Codes of this service, besides those of `shared.words`."""

SENT: Words = {
    "accepted": {"en": "Taken.", "zh": "对方已接收。"},
    "status": {"en": "The answer was {status}.", "zh": "对方返回 {status}。"},
    "gone": {
        "en": "The answer was 410: nothing is wanted any more.",
        "zh": "对方返回 410，不再接收。",
    },
    "timeout": {"en": "There was no answer in time.", "zh": "对方未在规定时间内响应。"},
    "unknown_host": {"en": "The host's name is not known.", "zh": "主机名无法解析。"},
    "unreachable": {"en": "Nobody answers there.", "zh": "无法连接对方。"},
    "tls": {"en": "The certificate is not good for this host.", "zh": "对方的证书无效。"},
    "broken": {"en": "The connection broke.", "zh": "连接中断。"},
    "interrupted": {
        "en": "Sending was interrupted; it may have arrived.",
        "zh": "发送被中断，可能已送达。",
    },
    "not_there": {"en": "The event is not on the timeline.", "zh": "时间线上没有该事件。"},
    "body_too_large": {"en": "The event is too large to be sent.", "zh": "事件过大，无法发送。"},
    **{code: ERRORS[code] for code in ("webhook_url", "webhook_address")},
}
"""What an attempt to send a webhook came to."""

GIVEN_UP: Words = {
    "gone": SENT["gone"],
    "failing": {
        "en": "Nothing was taken for {days} days.",
        "zh": "连续 {days} 天投递失败。",
    },
}
"""Why we disabled a webhook."""

KINDS: Words = {
    "call": {"zh": "电话", "en": "call"},
    "visit": {"zh": "拜访", "en": "visit"},
    "meeting": {"zh": "会议", "en": "meeting"},
    "email": {"zh": "邮件", "en": "e-mail"},
    "sms": {"zh": "短信", "en": "text message"},
    "chat": {"zh": "在线聊天", "en": "chat"},
    "social": {"zh": "社交媒体", "en": "social media"},
    "service": {"zh": "服务", "en": "service"},
    "page_view": {"zh": "浏览页面", "en": "page view"},
    "click": {"zh": "点击", "en": "click"},
    "search": {"zh": "搜索", "en": "search"},
    "campaign_sent": {"zh": "营销活动触达", "en": "campaign sent"},
    "campaign_response": {"zh": "响应营销活动", "en": "response to a campaign"},
    "other": {"zh": "其他", "en": "other"},
}
"""Kinds of contact."""

_LABELLED = {
    "tag.added": {"tag": "tag"},
    "tag.removed": {"tag": "tag"},
    "tag.gained": {"tag": "tag"},
    "tag.dropped": {"tag": "tag"},
    "lifecycle.changed": {"state": "lifecycle"},
    "score.churn_band_changed": {"band": "churn_band"},
    "score.rfm_class_changed": {"rfm_class": "rfm_class"},
    "score.matrix_changed": {"matrix": "matrix"},
    "score.matrix_reviewed": {"matrix": "matrix"},
}
"""Codes in an event's data, and the kind of label that people know them by."""

SUMMARIES: Words = {
    "purchase.completed": {
        "zh": "购买 {total}（订单 {order}）",
        "en": "Bought for {total} (order {order})",
    },
    "purchase.corrected": {
        "zh": "订单 {order} 更正为 {total}",
        "en": "Order {order} corrected to {total}",
    },
    "purchase.cancelled": {"zh": "取消订单 {order}", "en": "Cancelled order {order}"},
    "purchase.refunded": {
        "zh": "订单 {order} 退款 {total}",
        "en": "Refunded {total} of order {order}",
    },
    "interaction.recorded": {"zh": "互动：{kind}", "en": "Contact: {kind}"},
    "interaction.retracted": {"zh": "撤回互动记录：{kind}", "en": "Contact taken back: {kind}"},
    "complaint.opened": {"zh": "提出投诉：{category}", "en": "Complained: {category}"},
    "complaint.answered": {"zh": "投诉已答复", "en": "Complaint answered"},
    "complaint.assigned": {"zh": "投诉分派给 {to}", "en": "Complaint given to {to}"},
    "complaint.escalated": {"zh": "投诉已升级", "en": "Complaint escalated"},
    "complaint.resolved": {"zh": "投诉已解决", "en": "Complaint resolved"},
    "complaint.reopened": {"zh": "投诉重新打开", "en": "Complaint reopened"},
    "survey.answered": {"zh": "满意度调查（{kind}）：{score}", "en": "Survey ({kind}): {score}"},
    "customer.described": {"zh": "客户资料更新", "en": "Record updated"},
    "customer.identified": {"zh": "标识关联", "en": "Identifiers connected"},
    "customer.edited": {"zh": "客户资料被修改", "en": "Record edited"},
    "customer.numbered": {"zh": "客户编号 {number}", "en": "Customer number {number}"},
    "customer.regrouped": {
        "zh": "客户合并或拆分：{reason}",
        "en": "Customers merged or split: {reason}",
    },
    "customer.erased": {"zh": "客户已被删除", "en": "Customer erased"},
    "customer.forgotten": {"zh": "{service} 已遗忘该客户", "en": "Forgotten by {service}"},
    "consent.changed": {"zh": "授权变更：{channel}", "en": "Consent changed: {channel}"},
    "message.sent": {"zh": "发出消息（{channel}）", "en": "Message sent ({channel})"},
    "message.uncertain": {
        "zh": "消息是否发出不明（{channel}）",
        "en": "Message maybe sent ({channel})",
    },
    "message.failed": {
        "zh": "消息发送失败（{channel}）",
        "en": "Message could not be sent ({channel})",
    },
    "message.withheld": {"zh": "消息未发送（{channel}）", "en": "Message not sent ({channel})"},
    "message.delivered": {"zh": "消息送达", "en": "Message delivered"},
    "message.opened": {"zh": "消息被打开", "en": "Message opened"},
    "message.clicked": {"zh": "消息被点击", "en": "Message clicked"},
    "message.bounced": {"zh": "消息被退回", "en": "Message bounced"},
    "message.complained": {"zh": "消息被投诉", "en": "Message reported as spam"},
    "identifiers.added": {"zh": "新增标识", "en": "Identifiers added"},
    "identifiers.linked": {"zh": "可能是同一客户", "en": "May be the same customer"},
    "tag.added": {"zh": "打标签 {tag}", "en": "Tagged {tag}"},
    "tag.removed": {"zh": "移除标签 {tag}", "en": "Tag {tag} removed"},
    "tag.gained": {"zh": "获得标签 {tag}", "en": "Gained tag {tag}"},
    "tag.dropped": {"zh": "失去标签 {tag}", "en": "Lost tag {tag}"},
    "lifecycle.changed": {"zh": "生命周期：{state}", "en": "Lifecycle: {state}"},
    "score.churn_band_changed": {"zh": "流失风险：{band}", "en": "Churn risk: {band}"},
    "score.rfm_class_changed": {"zh": "RFM 类别：{rfm_class}", "en": "RFM class: {rfm_class}"},
    "score.matrix_changed": {"zh": "价值矩阵：{matrix}", "en": "Value matrix: {matrix}"},
    "score.matrix_reviewed": {
        "zh": "{by} 复核价值矩阵：{matrix}",
        "en": "Value matrix reviewed by {by}: {matrix}",
    },
    "segment.entered": {"zh": "进入分群：{name}", "en": "Entered segment: {name}"},
    "segment.left": {"zh": "离开分群：{name}", "en": "Left segment: {name}"},
}


def summary(type_: str, data: dict[str, Any], language: Language) -> str:
    """One line about an event of the timeline."""
    if type_ not in SUMMARIES:
        kind = EVENT_TYPES.get(type_)
        return kind.description[language] if kind else type_
    fields = {name: value for name, value in data.items() if isinstance(value, str | int | float)}
    return say(SUMMARIES, type_, language, **fields | _shown(type_, data, language))


def _shown(type_: str, data: dict[str, Any], language: Language) -> dict[str, str]:
    """What is not shown as it stands: money, codes that people have words for."""
    match type_.partition(".")[0]:
        case "purchase":
            money = data.get("amount" if type_ == "purchase.refunded" else "total")
            total = f"{money['amount']} {money['currency']}" if isinstance(money, dict) else ""
            shown = {"total": total, "order": data["order_id"]}
        case "interaction":
            shown = {"kind": say(KINDS, data["kind"], language)}
        case "survey":
            shown = {"kind": data["kind"].upper(), "score": _score(data.get("score"))}
        case _:
            shown = {
                field: label(kind, data[field], language) if data[field] else "-"
                for field, kind in _LABELLED.get(type_, {}).items()
            }
    return shown


def _score(score: float | None) -> str:
    return "-" if score is None else f"{score:g}"
