"""Messages of error codes in both languages: what happened, and what the caller can do about it."""

from collections.abc import Mapping
from typing import Literal

_Table = Mapping[str, Mapping[Literal["zh", "en"], str]]

ERRORS: Mapping[int, _Table] = {
    400: {
        "bad_request": {
            "en": "The request cannot be read.",
            "zh": "无法识别该请求。",
        },
        "invalid_json": {
            "en": "The body is not valid JSON (near line {line}, column {column}).",
            "zh": "请求体不是合法的 JSON（第 {line} 行第 {column} 列附近）。",
        },
        "invalid_encoding": {
            "en": "The body cannot be unpacked: it is not complete, valid {encoding} data.",
            "zh": "请求体解压失败：{encoding} 数据损坏或不完整。",
        },
        "invalid_text": {
            "en": "Text must not contain NUL characters or broken Unicode.",
            "zh": "文本中不能含有 NUL 字符或残缺的 Unicode 字符。",
        },
        "too_deep": {
            "en": "JSON may be nested at most {limit} levels deep.",
            "zh": "JSON 嵌套最多 {limit} 层。",
        },
        "number_out_of_range": {
            "en": "A number is out of range; integers must fit into 64 bits.",
            "zh": "数值超出范围，整数不能超过 64 位。",
        },
        "incomplete_body": {
            "en": "The connection ended before the whole body had arrived.",
            "zh": "请求体尚未传完，连接就已断开。",
        },
        "invalid_cursor": {
            "en": "This cursor is not one that a list gave out; start again without it.",
            "zh": "游标无效，请去掉游标从头查询。",
        },
        "invalid_position": {
            "en": "Tenure-Wait-For is not a position that a write answered.",
            "zh": "Tenure-Wait-For 无效，它应是写操作返回的位置标记。",
        },
        "invalid_idempotency_key": {
            "en": "Idempotency-Key must be 1 to 255 visible ASCII characters.",
            "zh": "Idempotency-Key 应为 1 到 255 个可见 ASCII 字符。",
        },
        "invalid_if_match": {
            "en": 'If-Match must be "*" or a list of quoted entity tags.',
            "zh": "If-Match 应为 * 或带引号的 ETag 列表。",
        },
    },
    401: {
        "unauthorised": {
            "en": "A valid API key is required.",
            "zh": "请提供有效的 API 密钥。",
        },
        "invalid_credentials": {
            "en": "The API key is unknown or has been revoked.",
            "zh": "API 密钥不存在或已被吊销。",
        },
        "invalid_token": {
            "en": "The token is not one that opens this; detail says why.",
            "zh": "令牌无效，原因见 detail。",
        },
        "token_expired": {
            "en": "The token has expired; get a new one.",
            "zh": "令牌已过期，请重新获取。",
        },
    },
    403: {
        "missing_scope": {
            "en": "This API key lacks the required scope: {scopes}.",
            "zh": "该 API 密钥缺少所需权限：{scopes}。",
        },
        "source_not_allowed": {
            "en": "This API key may not publish under the source {source}.",
            "zh": "该 API 密钥不能以来源 {source} 发布事件。",
        },
    },
    404: {
        "not_found": {
            "en": "There is nothing at this address.",
            "zh": "该地址不存在。",
        },
        "customer_not_found": {
            "en": "No such customer is known.",
            "zh": "没有找到该客户。",
        },
        "not_known_then": {
            "en": "Nothing was known of this customer then.",
            "zh": "当时对该客户一无所知。",
        },
        "quarantine_entry_not_found": {
            "en": "There is no such quarantine entry.",
            "zh": "没有找到该隔离记录。",
        },
        "tag_not_found": {
            "en": "The customer does not carry this tag.",
            "zh": "该客户没有这个标签。",
        },
    },
    405: {
        "method_not_allowed": {
            "en": "This address does not take that method; allowed: {allow}.",
            "zh": "该地址不支持此请求方法，可用：{allow}。",
        },
    },
    408: {
        "body_late": {
            "en": "The request's body did not arrive in time.",
            "zh": "请求体未能按时传完。",
        },
    },
    409: {
        "identifier_taken": {
            "en": "One of the identifiers belongs to another customer.",
            "zh": "其中一个标识已属于另一位客户。",
        },
        "customer_erased": {
            "en": "This customer was erased: nothing about them can be recorded or changed any more.",
            "zh": "该客户的个人信息已被删除，不能再记录或修改。",
        },
        "conflicting_duplicate": {
            "en": "An event with this source and id but other content was taken before.",
            "zh": "相同 source 和 id 的事件此前已接收，但内容不同。",
        },
        "wrong_state": {
            "en": "This entry is {state}; it can no longer be changed this way.",
            "zh": "该记录当前为 {state} 状态，不能再执行此操作。",
        },
    },
    412: {
        "precondition_failed": {
            "en": "Somebody changed it meanwhile; read it again and repeat the change.",
            "zh": "内容已被他人修改，请重新读取后再提交。",
        },
    },
    413: {
        "too_large": {
            "en": "The body may have at most {limit} bytes, unpacked.",
            "zh": "请求体解压后最多 {limit} 字节。",
        },
        "too_many_events": {
            "en": "One request may carry at most {limit} events.",
            "zh": "一次请求最多提交 {limit} 个事件。",
        },
        "event_too_large": {
            "en": "One event may have at most {limit} bytes.",
            "zh": "单个事件最多 {limit} 字节。",
        },
    },
    415: {
        "unsupported_media_type": {
            "en": "This content type is not accepted; accepted: {accepted}.",
            "zh": "不支持该内容类型，可用：{accepted}。",
        },
        "unsupported_encoding": {
            "en": "This content encoding is not accepted; accepted: gzip.",
            "zh": "不支持该内容编码，仅支持 gzip。",
        },
    },
    422: {
        "history_too_long": {
            "en": "This customer has more than {limit} events; how it stood then cannot be told.",
            "zh": "该客户的事件超过 {limit} 个，无法回溯当时的情况。",
        },
        "validation_failed": {
            "en": "Some values are not as they must be; see errors.",
            "zh": "部分内容不符合要求，详见 errors。",
        },
        "idempotency_key_reused": {
            "en": "This Idempotency-Key was used before for a different request.",
            "zh": "该 Idempotency-Key 已用于另一个不同的请求。",
        },
        "invalid_value": {
            "en": "One of the values cannot be stored or compared.",
            "zh": "其中有取值无法保存或比较。",
        },
        "unknown_type": {
            "en": "The event type {type} is not known.",
            "zh": "未知的事件类型：{type}。",
        },
        "no_customer": {
            "en": "The event names no usable customer.",
            "zh": "事件没有指明有效的客户。",
        },
        "time_out_of_range": {
            "en": "The time lies before 1970 or more than 24 hours ahead.",
            "zh": "时间早于 1970 年，或超出当前时间 24 小时以上。",
        },
    },
    429: {
        "too_many_requests": {
            "en": "Too much at once; try again shortly.",
            "zh": "请求过多，请稍后重试。",
        },
        "rate_limited": {
            "en": "A caller may send {limit} requests a second; try again in {seconds} s.",
            "zh": "每个调用方每秒最多 {limit} 个请求，请在 {seconds} 秒后重试。",
        },
        "too_many_failures": {
            "en": "Too many wrong keys from this address; try again in {seconds} s.",
            "zh": "该地址多次使用错误的密钥，请在 {seconds} 秒后重试。",
        },
    },
    500: {
        "internal_error": {
            "en": "Something went wrong on our side; the request id helps to find it.",
            "zh": "系统内部出错，请凭请求编号联系我们。",
        },
    },
    503: {
        "overloaded": {
            "en": "More is being asked at once than can be answered; try again shortly.",
            "zh": "系统繁忙，请稍后重试。",
        },
        "unavailable": {
            "en": "Something that this needs is away; try again shortly.",
            "zh": "所依赖的服务暂不可用，请稍后重试。",
        },
    },
    504: {
        "not_caught_up": {
            "en": "The change is safe, but this view has not caught up with it yet.",
            "zh": "变更已保存，但此视图尚未更新到位，请稍后重试。",
        },
    },
}
"""Codes of whole answers, by HTTP status. A service's own codes stand in its own words."""

FIELDS: _Table = {
    "unknown_identifier_type": {
        "en": "This type of identifier is not known.",
        "zh": "未知的标识类型。",
    },
    "worthless_identifier": {
        "en": "This value identifies nobody.",
        "zh": "该值不能用来识别客户。",
    },
    "missing": {"en": "This is required.", "zh": "必填。"},
    "unknown_field": {"en": "This field is not known.", "zh": "未知字段。"},
    "invalid": {"en": "This value is not valid.", "zh": "取值无效。"},
    "not_a_string": {"en": "This must be text.", "zh": "应为文本。"},
    "not_an_integer": {"en": "This must be a whole number.", "zh": "应为整数。"},
    "not_a_number": {"en": "This must be a number.", "zh": "应为数字。"},
    "not_a_boolean": {"en": "This must be true or false.", "zh": "应为 true 或 false。"},
    "not_a_list": {"en": "This must be a list.", "zh": "应为列表。"},
    "not_an_object": {"en": "This must be an object.", "zh": "应为对象。"},
    "not_a_time": {
        "en": "This must be an RFC 3339 time with a UTC offset.",
        "zh": "应为带时区偏移的 RFC 3339 时间。",
    },
    "not_a_date": {"en": "This must be a date (YYYY-MM-DD).", "zh": "应为日期（YYYY-MM-DD）。"},
    "not_a_uuid": {"en": "This must be a UUID.", "zh": "应为 UUID。"},
    "not_allowed": {"en": "Allowed are: {allowed}.", "zh": "可选值：{allowed}。"},
    "too_small": {"en": "This must be at least {limit}.", "zh": "不能小于 {limit}。"},
    "not_above": {"en": "This must be greater than {limit}.", "zh": "必须大于 {limit}。"},
    "too_big": {"en": "This must be at most {limit}.", "zh": "不能大于 {limit}。"},
    "not_below": {"en": "This must be less than {limit}.", "zh": "必须小于 {limit}。"},
    "not_finite": {"en": "This must be a finite number.", "zh": "必须是有限的数。"},
    "too_short": {"en": "At least {limit} are needed.", "zh": "长度或数量不能少于 {limit}。"},
    "too_long": {"en": "At most {limit} are possible.", "zh": "长度或数量不能超过 {limit}。"},
    "wrong_format": {"en": "This does not have the required format.", "zh": "格式不正确。"},
    "too_precise": {"en": "This has too many digits.", "zh": "位数过多。"},
    "unknown_currency": {"en": "This currency code is not known.", "zh": "未知的货币代码。"},
    "unknown_timezone": {"en": "This time zone is not known.", "zh": "未知的时区。"},
    "invalid_amount": {"en": "This is not an amount of money.", "zh": "金额格式不正确。"},
    "other_currency": {"en": "This must be in {currency}.", "zh": "货币应为 {currency}。"},
    "reserved_field": {"en": "This name is reserved.", "zh": "该字段名为系统保留。"},
    "too_many_decimals": {
        "en": "This currency has {limit} decimals.",
        "zh": "该货币最多 {limit} 位小数。",
    },
}
"""Codes of single fields, in `errors` of an answer that is mostly `validation_failed`."""

REASONS: _Table = {
    "bad_envelope": {
        "en": "The event's envelope cannot be read.",
        "zh": "无法识别事件的外层结构。",
    },
    "bad_data": {
        "en": "The event's data is not as its type requires.",
        "zh": "事件数据不符合该类型的要求。",
    },
    "not_applicable": {
        "en": "The event could not be applied; this is a fault on our side.",
        "zh": "事件未能处理，属于系统内部问题。",
    },
    "nul_character": {
        "en": "A text in the event contains a NUL character.",
        "zh": "事件中的文本含有 NUL 字符。",
    },
}
"""Codes of events put aside, besides those above."""
