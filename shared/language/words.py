"""Messages of the codes that only the door of events has; all others stand in `shared.words`."""

from collections.abc import Mapping
from typing import Literal

DOOR: Mapping[str, Mapping[Literal["zh", "en"], str]] = {
    "invalid_amount": {
        "en": 'This is no amount; write it like "12.50".',
        "zh": '金额无效，应写作 "12.50" 的形式。',
    },
    "other_currency": {
        "en": "This must be in the currency of the total, {currency}.",
        "zh": "币种必须与总额一致（{currency}）。",
    },
    "reserved_field": {
        "en": "This field is filled in by the system and cannot be sent.",
        "zh": "该字段由系统填写，不能上报。",
    },
}
