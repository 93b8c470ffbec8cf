"""Sentences for what is said beside a forecast."""

from typing import Literal

from services.scoring.forecast.result import Note

NOTES: dict[str, dict[str, str]] = {
    "nothing_sold": {
        "en": "Nothing was sold in the weeks before: the forecast is zero.",
        "zh": "此前各周均无销售：预测为零。",
    },
    "short_series": {
        "en": "{keys} categories are younger than {weeks} weeks: "
        "their forecast is their mean so far, with a wide interval.",
        "zh": "有 {keys} 个品类的销售不足 {weeks} 周：以其至今的均值预测，区间较宽。",
    },
    "few_sales": {
        "en": "{keys} categories sell too little, too rarely or not long enough for the model: "
        "their forecast is the mean of their last 4 weeks.",
        "zh": "有 {keys} 个品类销量过少、过于零星或历史不够长，不适用模型：以最近 4 周的均值预测。",
    },
    "history_too_short": {
        "en": "{weeks} weeks of history are too few for the model: "
        "every forecast is the mean of the last 4 weeks.",
        "zh": "仅有 {weeks} 周历史，不足以训练模型：全部以最近 4 周的均值预测。",
    },
    "mean_was_better": {
        "en": "In earlier weeks the plain mean of the last 4 weeks was not beaten: it is used.",
        "zh": "在过往各周中，模型未能胜过最近 4 周的均值：故采用均值。",
    },
    "signal_ends_early": {
        "en": "The series {name} ends with the week of {last_week}: "
        "it explains the first {weeks} weeks ahead, the later ones are forecast without it.",
        "zh": "序列 {name} 止于 {last_week} 当周：仅用于前 {weeks} 周的预测，其后各周不使用它。",
    },
    "signal_ended": {
        "en": "The series {name} ends with the week of {last_week}, before the first week ahead: "
        "it is not used.",
        "zh": "序列 {name} 止于 {last_week} 当周，早于预测首周：未使用。",
    },
    "signal_constant": {
        "en": "The series {name} never changed so far: nothing can be learnt from it.",
        "zh": "序列 {name} 至今没有变化：无法从中学习。",
    },
    "signal_keys_unknown": {
        "en": "The series {name} names {keys} categories that have no sales.",
        "zh": "序列 {name} 含有 {keys} 个没有销售的品类。",
    },
}

CAUSES: dict[str, dict[str, str]] = {
    "rhythm": {"en": "own level and trend", "zh": "自身水平与趋势"},
    "season": {"en": "season, as last year", "zh": "季节（同去年）"},
    "holidays": {"en": "public holidays", "zh": "公共假日"},
}


def sentence(note: Note, language: Literal["en", "zh"]) -> str:
    """What a note says."""
    return NOTES[note.code][language].format(**note.values)


def cause_name(cause: str, language: Literal["en", "zh"]) -> str:
    """A cause of `Line.factors` and `Forecast.importance`; a series is called by its own name."""
    if cause.startswith("signal:"):
        return cause.removeprefix("signal:")
    return CAUSES[cause][language]
