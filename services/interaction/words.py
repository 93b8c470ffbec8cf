"""What people read of the timeline, in both languages."""

from typing import Any

from shared.language import EVENT_TYPES
from shared.words import Language, Words, say

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
    "complaint.opened": {"zh": "提出投诉：{category}", "en": "Complained: {category}"},
    "complaint.answered": {"zh": "投诉已答复", "en": "Complaint answered"},
    "complaint.escalated": {"zh": "投诉已升级", "en": "Complaint escalated"},
    "complaint.resolved": {"zh": "投诉已解决", "en": "Complaint resolved"},
    "complaint.reopened": {"zh": "投诉重新打开", "en": "Complaint reopened"},
    "survey.answered": {"zh": "满意度调查（{kind}）：{score}", "en": "Survey ({kind}): {score}"},
    "customer.described": {"zh": "客户资料更新", "en": "Record updated"},
    "customer.identified": {"zh": "标识关联", "en": "Identifiers connected"},
    "customer.edited": {"zh": "客户资料被修改", "en": "Record edited"},
    "customer.numbered": {"zh": "客户编号 {number}", "en": "Customer number {number}"},
    "consent.changed": {"zh": "授权变更：{channel}", "en": "Consent changed: {channel}"},
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
}


def summary(type_: str, data: dict[str, Any], language: Language) -> str:
    """One line about an event of the timeline."""
    if type_ not in SUMMARIES:
        kind = EVENT_TYPES.get(type_)
        return kind.description[language] if kind else type_
    money = data.get("total") or data.get("amount")
    total = f"{money['amount']} {money['currency']}" if isinstance(money, dict) else "?"
    fields = {name: value for name, value in data.items() if isinstance(value, str | int | float)}
    return say(
        SUMMARIES,
        type_,
        language,
        **{"score": "", **fields, "total": total, "order": data.get("order_id", "")},
    )
