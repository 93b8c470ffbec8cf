"""Labels of the stable codes that several services show."""

from collections.abc import Mapping
from typing import Literal

_Texts = Mapping[Literal["zh", "en"], str]

LABELS: Mapping[str, Mapping[str, _Texts]] = {
    "lifecycle": {
        "prospect": {"zh": "潜在", "en": "Prospect"},
        "new": {"zh": "新客", "en": "New"},
        "growing": {"zh": "增长", "en": "Growing"},
        "mature": {"zh": "成熟", "en": "Mature"},
        "silent": {"zh": "沉默", "en": "Silent"},
        "lost": {"zh": "流失", "en": "Lost"},
        "won_back": {"zh": "赢回", "en": "Won back"},
    },
    "tag": {
        "behaviour:frequent": {"zh": "高频购买", "en": "Frequent buyer"},
        "behaviour:infrequent": {"zh": "低频购买", "en": "Infrequent buyer"},
        "behaviour:night-owl": {"zh": "夜猫子", "en": "Night owl"},
        "behaviour:promotion-joiner": {"zh": "促销达人", "en": "Promotion joiner"},
        "behaviour:not-repurchased": {"zh": "未复购", "en": "Has not bought again"},
        "behaviour:complained": {"zh": "有过投诉", "en": "Has complained"},
        "need:price-sensitive": {"zh": "价格敏感", "en": "Price sensitive"},
        "need:quality-first": {"zh": "品质优先", "en": "Quality first"},
        "need:service-demanding": {"zh": "看重服务", "en": "Service demanding"},
    },
    "complaint": {
        "open": {"zh": "待处理", "en": "Open"},
        "answered": {"zh": "已答复", "en": "Answered"},
        "escalated": {"zh": "已升级", "en": "Escalated"},
        "resolved": {"zh": "已解决", "en": "Resolved"},
        "reopened": {"zh": "重新打开", "en": "Reopened"},
    },
    "churn_band": {
        "low": {"zh": "低", "en": "Low"},
        "medium": {"zh": "中", "en": "Medium"},
        "high": {"zh": "高", "en": "High"},
    },
    "matrix": {
        "core": {"zh": "核心", "en": "Core"},
        "potential": {"zh": "潜力", "en": "Potential"},
        "basic": {"zh": "基础", "en": "Basic"},
        "watch": {"zh": "待观察", "en": "Watch"},
    },
    "rfm_class": {
        "champion": {"zh": "重要价值客户", "en": "Champion"},
        "loyal": {"zh": "忠诚客户", "en": "Loyal"},
        "potential_loyalist": {"zh": "潜力忠诚客户", "en": "Potential loyalist"},
        "promising": {"zh": "潜力客户", "en": "Promising"},
        "new": {"zh": "新客户", "en": "New"},
        "need_attention": {"zh": "需要关注的客户", "en": "Needs attention"},
        "about_to_sleep": {"zh": "即将沉睡客户", "en": "About to sleep"},
        "at_risk": {"zh": "流失风险客户", "en": "At risk"},
        "cannot_lose": {"zh": "不能失去的客户", "en": "Cannot lose"},
        "hibernating": {"zh": "沉睡客户", "en": "Hibernating"},
        "lost": {"zh": "已流失客户", "en": "Lost"},
    },
}

FAMILIES: Mapping[str, _Texts] = {
    "favourite": {"zh": "偏爱：{value}", "en": "Favourite: {value}"},
    "industry": {"zh": "行业：{value}", "en": "Industry: {value}"},
    "size": {"zh": "规模：{value}", "en": "Size: {value}"},
    "region": {"zh": "地区：{value}", "en": "Region: {value}"},
}
"""Tags whose second half is a value of the customer's."""
