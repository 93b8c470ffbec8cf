"""Scoring's words, in Chinese and English: reasons, nearest changes, notes, errors."""

from shared.words import Words

ERRORS: Words = {
    "model_not_found": {
        "en": "There is no such model, or no such version of it.",
        "zh": "没有找到该模型或该版本。",
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
        "en": "After {days} more days without a purchase the risk would be {percent} %"
        " (band: {band}).",
        "zh": "若再过 {days} 天仍未购买，风险将升至 {percent}%（{band}风险）。",
    },
    "none": {
        "en": "A purchase {when} would make the risk {percent} %; the band would stay: {band}.",
        "zh": "若{when}购买，风险将为 {percent}%，等级仍为{band}。",
    },
}

WHEN: Words = {
    "today": {"en": "today", "zh": "今天"},
    "tomorrow": {"en": "tomorrow", "zh": "明天"},
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
