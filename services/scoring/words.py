"""Scoring's words, in Chinese and English: reasons, nearest changes, notes, errors."""

from shared.words import Words

ERRORS: Words = {
    "model_not_found": {
        "en": "There is no such model, or no such version of it.",
        "zh": "没有找到该模型或该版本。",
    },
    "policy_version_not_found": {
        "en": "This policy has no such version.",
        "zh": "该策略没有此版本。",
    },
    "review_not_found": {
        "en": "There is no review of that month.",
        "zh": "没有该月份的复核记录。",
    },
}

REASONS: Words = {
    "days_since_last_purchase": {
        "en": "Days since the last purchase: {value} (usual: {usual}); {effect}.",
        "zh": "距上次购买 {value} 天（通常 {usual} 天），{effect}。",
    },
    "purchase_days": {
        "en": "Days with a purchase: {value} (usual in the same time: {usual}); {effect}.",
        "zh": "有购买的天数 {value} 天（同期客户通常 {usual} 天），{effect}。",
    },
    "open_complaints": {
        "en": "Open complaints: {value}. The probability does not take them into account.",
        "zh": "未结投诉 {value} 件；该概率未将投诉计算在内。",
    },
}

EFFECTS: Words = {
    "higher": {
        "en": "this raises the risk by {points} percentage points",
        "zh": "使风险上升 {points} 个百分点",
    },
    "lower": {
        "en": "this lowers the risk by {points} percentage points",
        "zh": "使风险下降 {points} 个百分点",
    },
    "none": {"en": "this makes hardly any difference", "zh": "对风险几乎没有影响"},
}

NEAREST: Words = {
    "purchase": {
        "en": "A purchase {when} would bring the risk down to {percent} % (band: {band}).",
        "zh": "若{when}购买，风险将降至 {percent}%（{band}风险）。",
    },
    "silence": {
        "en": "One purchase in the next {days} days keeps the band; without one the risk would be"
        " {percent} % (band: {band}).",
        "zh": "未来 {days} 天内有一次购买即可保持等级；否则风险将升至 {percent}%（{band}风险）。",
    },
    "none": {
        "en": "A purchase {when} would make the risk {percent} %; the band would stay: {band}.",
        "zh": "若{when}购买，风险将为 {percent}%，等级仍为{band}。",
    },
}

WHEN: Words = {
    "today": {"en": "today", "zh": "今天"},
    "tomorrow": {"en": "tomorrow", "zh": "明天"},
    "in_days": {"en": "in the next {days} days", "zh": "未来 {days} 天内"},
}

UNKNOWN: Words = {
    "usual": {"en": "not known yet", "zh": "尚无数据"},
    "amount": {"en": "any amount", "zh": "任意金额"},
    "cell": {"en": "no cell", "zh": "无类别"},
}

REVIEWS: Words = {
    "moved": {
        "en": "{from} to {to}: spent {spend_now} in twelve months (before: {spend_before}; high value"
        " from {spend_needed}), orders in {months_now} of twelve months (before: {months_before};"
        " active from {months_needed}).",
        "zh": "由“{from}”变为“{to}”：十二个月消费 {spend_now}（此前 {spend_before}，高价值起点"
        " {spend_needed}），有订单的月份 {months_now} 个（此前 {months_before} 个，活跃起点"
        " {months_needed} 个）。",
    },
}

FACTS: Words = {
    "order_value": {
        "en": "Mean order: {value} (usual: {usual}).",
        "zh": "平均每单 {value}（通常 {usual}）。",
    },
    "orders": {
        "en": "Orders: {value} (usual: {usual}).",
        "zh": "订单 {value} 笔（通常 {usual} 笔）。",
    },
    "gap_days": {
        "en": "Days from one purchase to the next: {value} (usual: {usual}).",
        "zh": "购买间隔 {value} 天（通常 {usual} 天）。",
    },
    "silence_days": {
        "en": "Days since the last purchase: {value} (usual from one to the next: {usual}).",
        "zh": "距上次购买 {value} 天（通常间隔 {usual} 天）。",
    },
    "recency_days": {
        "en": "Days since the last purchase: {value} (usual from one to the next: {usual}).",
        "zh": "距上次购买 {value} 天（通常间隔 {usual} 天）。",
    },
    "monetary": {
        "en": "Spent in all: {value} (usual: {usual}).",
        "zh": "累计消费 {value}（通常 {usual}）。",
    },
    "answers": {
        "en": "Mean of the answers to surveys, of 100: {value} (usual: {usual}).",
        "zh": "调查评分均值（满分 100）{value}（通常 {usual}）。",
    },
    "complaints_open": {
        "en": "Open complaints: {value} (usual: {usual}).",
        "zh": "未结投诉 {value} 件（通常 {usual} 件）。",
    },
    "complaints_handled": {
        "en": "How complaints were handled, of 100: {value} (usual satisfaction: {usual}).",
        "zh": "投诉处理得分（满分 100）{value}（通常满意度 {usual}）。",
    },
    "spend_year": {
        "en": "Spent in twelve months: {value} (high value from: {usual}).",
        "zh": "十二个月消费 {value}（高价值起点 {usual}）。",
    },
    "active_months": {
        "en": "Months with an order, of twelve: {value} (active from: {usual}).",
        "zh": "十二个月中有订单的月份 {value} 个（活跃起点 {usual} 个）。",
    },
}

CHANGES: Words = {
    "rfm_purchase": {
        "en": "One purchase {when} ({amount}) would make it: {then}.",
        "zh": "{when}购买一次（{amount}）即成为“{then}”。",
    },
    "rfm_none": {
        "en": "One purchase more would not change it: {then}.",
        "zh": "再购买一次类别不变：“{then}”。",
    },
    "matrix_purchase": {
        "en": "One purchase {when} (until {on}) would make it: {then}.",
        "zh": "{when}（{on} 前）购买一次即成为“{then}”。",
    },
    "matrix_purchases": {
        "en": "An order in each of {number} months, this one first (until {on}), would make it:"
        " {then}.",
        "zh": "自本月起连续 {number} 个月（至 {on}）每月有订单，即成为“{then}”。",
    },
    "matrix_spend": {
        "en": "A further {amount} spent until {on} would make it: {then}.",
        "zh": "{on} 前再消费 {amount} 即成为“{then}”。",
    },
    "matrix_silence": {
        "en": "One purchase {when} (until {on}) keeps it; without one it would be: {then}.",
        "zh": "{when}（{on} 前）有一次购买即可保持；否则将成为“{then}”。",
    },
    "matrix_withdrawn": {
        "en": "A person decided it. Confirming what the policy finds would make it: {then}.",
        "zh": "由人工指定；若确认系统判定，则为“{then}”。",
    },
    "matrix_none": {
        "en": "Nothing near would change it: {then}.",
        "zh": "近期不会变化：“{then}”。",
    },
    "loyalty_purchase": {
        "en": "A purchase {when} would make it: {then}.",
        "zh": "若{when}购买，忠诚度将为：{then}。",
    },
    "loyalty_silence": {
        "en": "One purchase in the next {days} days keeps it; without one it would be: {then}.",
        "zh": "未来 {days} 天内有一次购买即可保持；否则忠诚度将为：{then}。",
    },
    "loyalty_none": {
        "en": "A purchase {when} would not change it: {then}.",
        "zh": "若{when}购买，忠诚度仍为：{then}。",
    },
    "satisfaction_answer": {
        "en": "One more answer of the best kind would bring it from {score} to {then}.",
        "zh": "再得到一次满分评价，将由 {score} 升至 {then}。",
    },
}

NOTES: Words = {
    "default": {
        "en": "Published parameters of another business hold until there are {enough} customers"
        " to fit to; take the probabilities as a rough order only.",
        "zh": "客户不足 {enough} 位，暂用公开发表的其他商家参数；概率仅可作大致排序参考。",
    },
    "fitted": {
        "en": "Fitted to all customers with a purchase. Standard errors say how well the data fixes"
        " the parameters, not how well the model foretells: that is not back-tested yet.",
        "zh": "根据全部有购买记录的客户拟合。标准误只说明参数估计的精度，不代表预测的准确度；"
        "模型尚未经过回测。",
    },
    "at_bound": {
        "en": "These parameters ran to the edge of what is searched, so the data does not fix"
        " them: {names}. The probabilities are those of the limit.",
        "zh": "以下参数已到达搜索边界，现有数据无法确定其值：{names}；概率按极限情形计算。",
    },
    "not_converged": {
        "en": "The search for the parameters did not settle: be wary of the probabilities.",
        "zh": "参数搜索未收敛，请谨慎使用这些概率。",
    },
}

MEANINGS: Words = {
    "churn": {
        "en": "Probability of no purchase in the next {days} days (BG/NBD over purchase days).",
        "zh": "未来 {days} 天内不再购买的概率（基于购买日的 BG/NBD 模型）。",
    },
}
