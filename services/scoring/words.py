"""Scoring's words, in Chinese and English: reasons, nearest changes, notes, errors."""

from shared.words import Words

ERRORS: Words = {
    "model_not_found": {
        "en": "There is no such model, or no such version of it.",
        "zh": "没有找到该模型或该版本。",
    },
    "model_not_trainable": {
        "en": "This model is fitted by itself; only churn is trained, looked at and put in force.",
        "zh": "该模型自动拟合；只有 churn 可以训练、试运行和启用。",
    },
    "training_not_found": {
        "en": "There is no such training of this model.",
        "zh": "没有找到该模型的此次训练。",
    },
    "training_at_work": {
        "en": "This model is being trained already; wait until that training has ended.",
        "zh": "该模型正在训练中，请等待其结束。",
    },
    "model_worse_than_baseline": {
        "en": "On the last periods that have closed this version was worse than a simple rule. It is put"
        " in force only with `override` and a reason, which stay on record.",
        "zh": "在最近的完整时段上，该版本不如简单规则；只有附上理由（override）才能启用，并会留存记录。",
    },
    "policy_version_not_found": {
        "en": "This policy has no such version.",
        "zh": "该策略没有此版本。",
    },
    "item_not_found": {
        "en": "There is no such product or category among what was bought.",
        "zh": "在已购买的商品或品类中没有找到它。",
    },
    "category_not_found": {
        "en": "There is no such category or department.",
        "zh": "没有找到该品类或部门。",
    },
    "series_not_found": {
        "en": "There is no series of that name.",
        "zh": "没有该名称的序列。",
    },
    "too_many_series": {
        "en": "There are {limit} series already; delete one first.",
        "zh": "序列已达 {limit} 个，请先删除一个。",
    },
    "repeated_point": {
        "en": "This point was given before, for the same key and date.",
        "zh": "该点与前面的点重复（键和日期相同）。",
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
    "rhythm": {
        "en": "By rhythm alone (BG/NBD) they would stay away with {value} % (usual: {usual} %);"
        " {effect}.",
        "zh": "仅按购买节奏（BG/NBD）推算，不再购买的概率为 {value}%（通常 {usual}%），{effect}。",
    },
    "gap_days": {
        "en": "Days from one purchase to the next: {value} (usual: {usual}); {effect}.",
        "zh": "购买间隔 {value} 天（通常 {usual} 天），{effect}。",
    },
    "bought_once": {
        "en": "Bought on one day only; {effect}.",
        "zh": "只在一天购买过，{effect}。",
    },
    "span_days": {
        "en": "Days from the first purchase to the last: {value} (usual: {usual}); {effect}.",
        "zh": "首次与末次购买相隔 {value} 天（通常 {usual} 天），{effect}。",
    },
    "orders_lately": {
        "en": "Orders of the last year, the older the less they count: {value} (usual: {usual});"
        " {effect}.",
        "zh": "近一年订单（越早权重越低）{value} 笔（通常 {usual} 笔），{effect}。",
    },
    "purchase_value": {
        "en": "A purchase day is worth {value} % of what is usual; {effect}.",
        "zh": "每个购买日的金额为通常的 {value}%，{effect}。",
    },
    "complaints_open": {
        "en": "Open complaints: {value} (usual: {usual}); {effect}.",
        "zh": "未结投诉 {value} 件（通常 {usual} 件），{effect}。",
    },
    "complaints_settled": {
        "en": "Complaints that were resolved: {value} (usual: {usual}); {effect}.",
        "zh": "已解决投诉 {value} 件（通常 {usual} 件），{effect}。",
    },
    "answers": {
        "en": "Answers to surveys, in points above the mean of all (fewer answers count less):"
        " {value} (usual: {usual}); {effect}.",
        "zh": "调查评分高出平均 {value} 分（回答越少权重越低；通常 {usual} 分），{effect}。",
    },
    "complaints_handled": {
        "en": "How complaints were handled, in points above the mean of all (fewer complaints count"
        " less): {value} (usual: {usual}); {effect}.",
        "zh": "投诉处理得分高出平均 {value} 分（投诉越少权重越低；通常 {usual} 分），{effect}。",
    },
    "promoted": {
        "en": "Orders with a coupon or a discount, in percentage points above the share of all orders"
        " (fewer orders count less): {value} (usual: {usual}); {effect}.",
        "zh": "使用优惠券或折扣的订单占比高出平均 {value} 个百分点（订单越少权重越低；通常 {usual}），"
        "{effect}。",
    },
    "discount": {
        "en": "Saved by discounts, in percentage points of the full price above the mean (fewer orders"
        " count less): {value} (usual: {usual}); {effect}.",
        "zh": "折扣力度高出平均 {value} 个百分点（订单越少权重越低；通常 {usual}），{effect}。",
    },
    "contacts": {
        "en": "Contacts that the customer began within a year, the older the less they count: {value}"
        " (usual: {usual}); {effect}.",
        "zh": "近一年客户主动联系（越早权重越低）{value} 次（通常 {usual} 次），{effect}。",
    },
    "reached": {
        "en": "Contacts and campaigns of ours within a year, the older the less they count: {value}"
        " (usual: {usual}); {effect}.",
        "zh": "近一年我方联系与活动（越早权重越低）{value} 次（通常 {usual} 次），{effect}。",
    },
    "responses": {
        "en": "Responses to our contacts, in percentage points above the mean of all (fewer contacts"
        " count less): {value} (usual: {usual}); {effect}.",
        "zh": "对我方联系的响应率高出平均 {value} 个百分点（联系越少权重越低；通常 {usual}），{effect}。",
    },
    "season": {
        "en": "A year ago, the months that now come brought {value} % of their share of the year's"
        " orders (usual: {usual} %); {effect}.",
        "zh": "去年同期未来数月的订单为全年平均水平的 {value}%（通常 {usual}%），{effect}。",
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
        " the parameters, not how well the model foretells. How it foretells stands beside every"
        " trained version, as bg_nbd.",
        "zh": "根据全部有购买记录的客户拟合。标准误只说明参数估计的精度，不代表预测的准确度；"
        "其预测效果列在每个训练版本的 bg_nbd 一栏。",
    },
    "trained": {
        "en": "Trained on the log up to a position, on customers as they stood on earlier mornings. Its"
        " figures are of a period that a model made in the same way had not seen. The parameters are"
        " those of the BG/NBD that foretells purchases and is one of its features.",
        "zh": "根据截至某一位置的日志、按客户在过去各日清晨的状态训练。指标取自同样方法的模型未见过的"
        "时段。参数属于其中用于预测购买、并作为特征之一的 BG/NBD。",
    },
    "compared": {
        "en": "AUC beside the best simple rule ({rule}), over the last closed periods (there are"
        " {periods}): {difference}, with 95 % between {low} and {high}. In {sure} % of draws of"
        " customers it was not worse.",
        "zh": "在最近 {periods} 个完整时段上，AUC 与最佳简单规则（{rule}）之差为 {difference}，"
        "95% 区间 {low} 至 {high}；按客户重抽样，{sure}% 的情形不逊于该规则。",
    },
    "worse": {
        "en": "On the last periods that have closed it was worse than a simple rule.",
        "zh": "在最近的完整时段上不如简单规则。",
    },
    "unread": {
        "en": "{count} events of the log could not be read by the training.",
        "zh": "训练时有 {count} 条日志事件无法读取。",
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

RULES: Words = {
    "recency": {"en": "days since the last purchase", "zh": "距上次购买天数"},
    "frequency": {"en": "days with a purchase", "zh": "有购买的天数"},
    "purchases_in_90_days": {"en": "purchases in 90 days", "zh": "近 90 天购买次数"},
}

STATUSES: Words = {
    "in_force": {"en": "In force", "zh": "使用中"},
    "shadow": {"en": "Shadow", "zh": "影子"},
    "candidate": {"en": "Candidate", "zh": "候选"},
    "refused": {"en": "Refused", "zh": "未通过"},
    "retired": {"en": "Retired", "zh": "已停用"},
}

TRAININGS: Words = {
    "queued": {"en": "Waits for a worker.", "zh": "等待执行。"},
    "running": {"en": "At work: {percent} %.", "zh": "进行中：{percent}%。"},
    "done": {"en": "Made version {version}.", "zh": "已生成版本 {version}。"},
    "not_enough_customers": {
        "en": "There are {customers} customers with a purchase; a model needs {enough}. What is in"
        " force stays.",
        "zh": "有购买记录的客户 {customers} 位，训练至少需要 {enough} 位；现用模型不变。",
    },
    "not_enough_history": {
        "en": "The purchases go back {days} days; to learn {horizon} days ahead, and to be judged, takes"
        " twice as long and four weeks. What is in force stays.",
        "zh": "购买记录仅 {days} 天；学习并检验未来 {horizon} 天至少需要两倍时间再加四周；现用模型不变。",
    },
    "all_alike": {
        "en": "In the closed periods there are only {rarer} customers of those who came back or of those"
        " who did not; a model needs {enough} of both. What is in force stays.",
        "zh": "已结束时段中，回购或未回购的客户仅 {rarer} 位，两者至少各需 {enough} 位；现用模型不变。",
    },
    "nobody_active": {
        "en": "Nobody has bought within the last 90 days. What is in force stays.",
        "zh": "最近 90 天内无人购买；现用模型不变。",
    },
    "training_interrupted": {
        "en": "It was interrupted {attempts} times and is not tried again. What is in force stays.",
        "zh": "已中断 {attempts} 次，不再重试；现用模型不变。",
    },
    "training_failed": {
        "en": "It failed {attempts} times; the worker's log says why. What is in force stays.",
        "zh": "已失败 {attempts} 次，原因见工作进程日志；现用模型不变。",
    },
}

MEANINGS: Words = {
    "purchases": {
        "en": "What customers will buy and when, and so their value: days with a purchase.",
        "zh": "客户何时购买、购买几次，并由此推算价值（以购买日计）。",
    },
    "rfm": {
        "en": "Where the scores 1 to 5 of recency, frequency and money begin.",
        "zh": "最近购买、购买次数与金额各档（1 至 5 分）的起点。",
    },
    "population": {
        "en": "What is usual among all customers, by what reasons compare and the matrix divides;"
        " what a purchase is worth.",
        "zh": "全部客户的通常水平，用于原因对照与矩阵划分；以及单次购买的价值。",
    },
    "prospects": {
        "en": "How likely who has not bought yet is to buy within 28 and 90 days.",
        "zh": "尚未购买者在 28 天与 90 天内首次购买的概率。",
    },
    "recommend": {
        "en": "What customers need again within 28 days, and what may be new to them.",
        "zh": "客户 28 天内可能再次需要、以及可能尝试的商品。",
    },
    "demand": {
        "en": "Demand per category and week, 1 to 8 weeks ahead.",
        "zh": "未来 1 至 8 周各品类每周的需求。",
    },
    "calibrated": {
        "en": "Probability of no purchase in the next {days} days (trained on the log, calibrated).",
        "zh": "未来 {days} 天内不再购买的概率（基于日志训练并校准）。",
    },
    "churn": {
        "en": "Probability of no purchase in the next {days} days (BG/NBD over purchase days).",
        "zh": "未来 {days} 天内不再购买的概率（基于购买日的 BG/NBD 模型）。",
    },
}

KINDS_OF_FITS: Words = {
    "bg_nbd": {"en": "BG/NBD over purchase days", "zh": "购买日 BG/NBD 模型"},
    "calibrated": {"en": "Trained on the log", "zh": "基于日志训练"},
    "purchases": {"en": "BG/NBD over purchase days", "zh": "购买日 BG/NBD 模型"},
    "rfm": {"en": "Cut points", "zh": "分档界值"},
    "population": {"en": "What is usual; Gamma-Gamma", "zh": "总体参照值；Gamma-Gamma 模型"},
    "prospects": {"en": "Rates of first purchases", "zh": "首购率"},
    "recommend": {"en": "Recommendations", "zh": "商品推荐"},
    "demand": {"en": "Demand forecast", "zh": "需求预测"},
}

FIT_NOTES: Words = {
    "nothing": {
        "en": "Nothing is fitted yet: it takes {enough} customers with a purchase.",
        "zh": "尚未拟合：至少需要 {enough} 位有购买记录的客户。",
    },
    "no_prospects": {
        "en": "Nothing is fitted yet: it takes {enough} prospects, and four weeks since the first of"
        " them was seen.",
        "zh": "尚未拟合：至少需要 {enough} 位潜在客户，且距首位出现满四周。",
    },
    "beside": {
        "en": "Published with {model}. How BG/NBD foretells stands beside every trained version of"
        " churn, as bg_nbd; standard errors only say how well the data fixes the parameters.",
        "zh": "与 {model} 一同发布。BG/NBD 的预测效果列在 churn 每个训练版本的 bg_nbd 一栏；"
        "标准误只说明参数估计的精度。",
    },
    "cuts": {
        "en": "The smallest values that score 2, 3, 4 and 5; null where nobody scores so high.",
        "zh": "得 2、3、4、5 分的最小值；无人达到时为空。",
    },
    "population": {
        "en": "spend_year and active_months: the smallest values among the top 95, 90, ..., 5 %."
        " purchase_value: Gamma-Gamma, in minor units.",
        "zh": "spend_year 与 active_months：前 95%、90%……5% 中的最小值；purchase_value 为 Gamma-Gamma"
        " 参数，以最小货币单位计。",
    },
    "demand": {
        "en": "Errors at earlier weeks, as multiples of the usual change from week to week, beside"
        " those of the 4-week mean (ratio below 1: better).",
        "zh": "以周间平均变动为单位的历史预测误差，与四周均值对照（比值小于 1 为更优）。",
    },
    "at_bound": NOTES["at_bound"],
    "not_converged": NOTES["not_converged"],
}

OFFERS: Words = {
    "no_orders": {
        "en": "Nobody has bought anything yet: there is nothing to learn from.",
        "zh": "尚无任何购买记录，无从学习。",
    },
    "not_yet": {
        "en": "Nothing was learnt from the purchases yet: it will be when the log is caught up and no"
        " import is open.",
        "zh": "尚未从购买记录中学习：待日志处理完毕且没有进行中的导入后进行。",
    },
    "erased": {
        "en": "This customer was erased: nothing is offered.",
        "zh": "该客户的个人信息已被删除，不再推荐任何内容。",
    },
    "popular": {
        "en": "This customer never bought anything: what most customers bought lately is shown.",
        "zh": "该客户尚无购买记录：显示近期最多客户购买的商品。",
    },
    "no_lines": {
        "en": "This customer's orders do not say what was in them: what most customers bought lately"
        " is shown.",
        "zh": "该客户的订单没有商品明细：显示近期最多客户购买的商品。",
    },
    "few_customers": {
        "en": "Fewer than {enough} customers have bought: take the order as a rough one.",
        "zh": "有购买记录的客户不足 {enough} 位，排序仅供粗略参考。",
    },
    "nothing_left": {
        "en": "There is nothing left to recommend.",
        "zh": "没有可推荐的内容。",
    },
    "complaint": {
        "en": "The customer complained about it.",
        "zh": "该客户曾对其投诉。",
    },
    "just_bought": {
        "en": "Bought {since} days ago; due again in about {until} days.",
        "zh": "{since} 天前刚购买，约 {until} 天后才再次需要。",
    },
    "together": {
        "en": "On {percent} % of the visits with the one the other was bought too: {times} times as"
        " often as by chance.",
        "zh": "购买前者时有 {percent}% 同时购买了后者，是随机情况的 {times} 倍。",
    },
    "list_again": {"en": "Buys it again", "zh": "再次购买"},
    "list_new": {"en": "New to them", "zh": "尚未买过"},
    "by_frequency": {"en": "how often they bought it", "zh": "按购买次数"},
    "by_decay": {"en": "how often and how lately", "zh": "按购买次数与新近程度"},
    "by_network": {"en": "a trained network", "zh": "训练所得的网络"},
    "by_popularity": {"en": "popularity", "zh": "按热销程度"},
    "by_ease": {"en": "what goes with what (EASE)", "zh": "按搭配关系（EASE）"},
}

DEMAND: Words = {
    "no_orders": OFFERS["no_orders"],
    "not_yet": {
        "en": "No forecast was made yet: it will be when the log is caught up and no import is open.",
        "zh": "尚未生成预测：待日志处理完毕且没有进行中的导入后生成。",
    },
    "no_money": {
        "en": "The lines of the orders do not say what they cost, or no forecast was made yet.",
        "zh": "订单明细没有金额，或尚未生成预测。",
    },
    "unit_units": {"en": "units", "zh": "件"},
    "unit_lines": {"en": "lines of orders", "zh": "订单行"},
    "unit_money": {"en": "money, of the lines", "zh": "金额（明细合计）"},
    "weeks": {
        "en": "Monday to Sunday by each purchase's local day (where an event names no offset:"
        " {timezone}); which week is running is by {timezone}.",
        "zh": "周一至周日，按每笔购买的当地日期（事件未注明时区时按 {timezone}）；当前周按 {timezone} 计算。",
    },
    "uncategorised": {"en": "Without a category", "zh": "未分类"},
    "other categories": {"en": "All other categories", "zh": "其他品类"},
    "total": {"en": "Total", "zh": "合计"},
    "": {"en": "Without a department", "zh": "未分部门"},
    "method_model": {"en": "trained model and 4-week mean", "zh": "训练模型与四周均值"},
    "method_mean": {"en": "mean of the last 4 weeks", "zh": "最近四周均值"},
    "method_sum": {"en": "sum of its categories", "zh": "所含品类之和"},
    "method_none": {
        "en": "first sold in the running week: forecast from next Monday on",
        "zh": "本周首次售出：下周一起预测",
    },
    "raises": {
        "en": "{cause}: {percent} % above the level of the last weeks.",
        "zh": "{cause}：比近几周水平高 {percent}%。",
    },
    "lowers": {
        "en": "{cause}: {percent} % below the level of the last weeks.",
        "zh": "{cause}：比近几周水平低 {percent}%。",
    },
}
